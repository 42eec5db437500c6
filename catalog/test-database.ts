/**
 * For tests: a twin, a catalog and a record store in memory, joined as the server joins them.
 *
 * What must stay true: the only state that outlives `reopen` is the records and the twin's directory.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {loadModule} from 'libpg-query';
import {Catalog, type CatalogView} from './catalog.ts';
import type {CatalogChange} from './catalog-change.ts';
import {planDdl} from './ddl/plan.ts';
import type {DdlOutcome} from './ddl/apply.ts';
import {type DdlServices, commitDdl, runDdl, tryDdl} from './ddl/run.ts';
import type {IdAllocator} from './ddl/read-back.ts';
import {initialCatalog} from './initial-catalog.ts';
import {type CatalogRecordChange, recordsOfChange} from './records.ts';
import {FIRST_SUPERUSER} from './roles.ts';
import {SystemRelations} from './system/relations.ts';
import {TwinSynchroniser} from './twin-synchroniser.ts';
import {textsOfRow} from './twin/backend-messages.ts';
import type {PendingDdl, SessionContext} from './twin/session-context.ts';
import {Twin} from './twin/twin.ts';

export class TestDatabase {
    readonly directory: string;
    readonly records = new Map<string, string>();
    catalog = new Catalog();
    twin: Twin;
    reboundCount = 0;
    failNextRecord: Error | undefined;
    #id = 1;

    private constructor(directory: string) {
        this.directory = directory;
        this.twin = this.#newTwin();
    }

    static async open(): Promise<TestDatabase> {
        await loadModule();
        const database = new TestDatabase(await mkdtemp(join(tmpdir(), 'tidewire-catalog-')));
        const initial = initialCatalog('/data/segments');
        database.put(recordsOfChange(initial, 0));
        database.catalog.apply(initial);
        return database;
    }

    async close(): Promise<void> {
        await this.twin.close();
        await rm(this.directory, {recursive: true, force: true});
    }

    /** As after a restart of the server. */
    async reopen(): Promise<void> {
        await this.twin.close();
        this.catalog = new Catalog();
        this.catalog.restore([...this.records].map(([key, value]) => ({key, value})));
        this.twin = this.#newTwin();
    }

    get services(): DdlServices {
        return {
            twin: this.twin,
            catalog: this.catalog,
            ids: this.ids,
            record: async (_change, records) => {
                const failure = this.failNextRecord;
                this.failNextRecord = undefined;
                if (failure !== undefined) throw failure;
                this.put(records);
            },
        };
    }

    readonly ids: IdAllocator = {next: () => ++this.#id};

    put(records: readonly CatalogRecordChange[]): void {
        for (const {key, value} of records) {
            if (value === undefined) this.records.delete(key);
            else this.records.set(key, value);
        }
    }

    /** Runs DDL statements, each by itself; the outcome of the last. */
    async ddl(sql: string, session = sessionOf(FIRST_SUPERUSER)): Promise<DdlOutcome> {
        const plan = planDdl(sql, {scramVerifier});
        if (plan === undefined) throw new Error(`not DDL: ${sql}`);
        return runDdl(this.services, plan, session);
    }

    /** Texts of the rows of the last statement. */
    async rows(sql: string, session = sessionOf(FIRST_SUPERUSER)): Promise<(string | null)[][]> {
        return this.twin.transaction(session, async (t) => ((await t.simple(sql)).at(-1)?.rows ?? []).map(textsOfRow), {
            commit: false,
        });
    }

    #newTwin(): Twin {
        const synchroniser = new TwinSynchroniser({
            catalog: this.catalog,
            onRebound: (change) => {
                this.reboundCount++;
                this.put(recordsOfChange(change, this.catalog.ddlSeq));
            },
        });
        return new Twin({
            directory: join(this.directory, 'twin'),
            database: 'tide',
            systemSql: SystemRelations.sql(),
            synchronise: synchroniser.synchronise,
        });
    }
}

/** A transaction block with DDL, as a session holds it. */
export class TestBlock {
    readonly #database: TestDatabase;
    readonly changes: CatalogChange[] = [];
    readonly pending: PendingDdl[] = [];

    constructor(database: TestDatabase) {
        this.#database = database;
    }

    get session(): SessionContext {
        return {...sessionOf(FIRST_SUPERUSER), pendingDdl: this.pending};
    }

    get view(): CatalogView {
        return this.#database.catalog.overlay(this.changes);
    }

    async ddl(sql: string): Promise<DdlOutcome> {
        const plan = planDdl(sql, {scramVerifier});
        if (plan === undefined) throw new Error(`not DDL: ${sql}`);
        const outcome = await tryDdl(this.#database.services, plan, this.session, this.view);
        this.changes.push(outcome.change);
        this.pending.push(outcome.pending);
        return outcome;
    }

    commit(): Promise<CatalogChange> {
        return commitDdl(this.#database.services, this.changes, this.session);
    }
}

export function sessionOf(user: string, settings: Readonly<Record<string, string>> = {}): SessionContext {
    return {
        sessionId: 1000 + user.length,
        user,
        sessionUser: user,
        superuser: user === FIRST_SUPERUSER,
        settings: new Map(Object.entries(settings)),
        settingsVersion: settingsVersion++,
        pendingDdl: [],
    };
}

let settingsVersion = 1;

/** Not a real verifier, but of its form: PostgreSQL takes it as one. */
export function scramVerifier(password: string): string {
    if (password.startsWith('SCRAM-SHA-256$')) return password;
    const salt = Buffer.from('0123456789abcdef').toString('base64');
    const key = Buffer.from(Buffer.from(password.padEnd(32, '.').slice(0, 32)).map((byte) => byte ^ 0x55));
    return `SCRAM-SHA-256$4096:${salt}$${key.toString('base64')}:${key.toString('base64')}`;
}
