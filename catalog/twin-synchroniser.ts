/**
 * Keeps the twin in step with the DDL log: replays what it lacks after each start, asks for a rebuild when it is ahead,
 * and binds the catalog to the oids of a twin that was made anew.
 *
 * What must stay true: the log is the truth. After `synchronise` says 'ready', the twin has exactly the objects that
 * the catalog has, and every oid in the catalog is the twin's. A difference in anything but oids is a bug and stops.
 */
import {strict as assert} from 'node:assert';
import {isDeepStrictEqual} from 'node:util';
import type {Catalog, LoggedDdl} from './catalog.ts';
import {type CatalogChange, type Difference, isEmptyChange} from './catalog-change.ts';
import {markApplied, readChanges} from './ddl/apply.ts';
import {planDdl} from './ddl/plan.ts';
import {type IdAllocator, readSignatures} from './ddl/read-back.ts';
import {PgError} from './errors.ts';
import {FIRST_SUPERUSER} from './roles.ts';
import {storagesSql} from './storages.ts';
import {textsOfRow} from './twin/backend-messages.ts';
import {runPending} from './twin/pending-replay.ts';
import type {TwinTransaction} from './twin/twin-transaction.ts';

export interface SynchroniserOptions {
    readonly catalog: Catalog;
    /**
     * The twin is new: the catalog's oids were replaced. The records must be written before anything else is logged
     * (`recordsOfChange(change, catalog.ddlSeq)`), but nothing breaks if they are not: the next start does it again.
     */
    readonly onRebound: (change: CatalogChange) => void;
}

/** For `TwinOptions.synchronise`. */
export class TwinSynchroniser {
    readonly #catalog: Catalog;
    readonly #onRebound: (change: CatalogChange) => void;

    constructor(options: SynchroniserOptions) {
        this.#catalog = options.catalog;
        this.#onRebound = options.onRebound;
    }

    readonly synchronise = async (t: TwinTransaction, appliedSeq: number): Promise<'ready' | 'rebuild'> => {
        const {ddlSeq, ddlLog} = this.#catalog;
        if (!Number.isSafeInteger(appliedSeq) || appliedSeq < 0 || appliedSeq > ddlSeq) return 'rebuild';
        try {
            for (const entry of ddlLog) if (entry.seq > appliedSeq) await replayEntry(t, entry);
        } catch (error) {
            // A twin that is partly wrong is made anew; a new one that cannot take the log is a bug.
            if (appliedSeq > 0 && error instanceof PgError) return 'rebuild';
            throw new Error('the DDL log cannot be replayed', {cause: error});
        }
        await t.simple(storagesSql(this.#catalog.storages()));
        if (appliedSeq < ddlSeq) await markApplied(t, ddlSeq);
        if (appliedSeq < ddlSeq || !(await this.#oidsMatch(t))) return this.#rebind(t, appliedSeq);
        return 'ready';
    };

    /** Cheap: oids of relations and roles only. They are all new, or all known. */
    async #oidsMatch(t: TwinTransaction): Promise<boolean> {
        const inTwin = (await readSignatures(t)).map((signature) => signature.oid);
        const {tables, views, sequences} = {
            tables: [...this.#catalog.tables()],
            views: [...this.#catalog.views()],
            sequences: [...this.#catalog.sequences()],
        };
        const inCatalog = [...tables, ...views, ...sequences].map((object) => object.oid);
        if (!sameNumbers(inTwin, inCatalog)) return false;
        const [result] = await t.simple(
            `SELECT oid FROM pg_catalog.pg_authid WHERE oid = 10 OR oid >= 16384 UNION ALL ` +
                `SELECT oid FROM pg_catalog.pg_type WHERE typtype IN ('e', 'd') AND oid >= 16384`,
        );
        const others = [...this.#catalog.roles(), ...this.#catalog.userTypes()].map((object) => object.oid);
        return sameNumbers(
            (result?.rows ?? []).map((row) => Number(textsOfRow(row)[0])),
            others,
        );
    }

    async #rebind(t: TwinTransaction, appliedSeq: number): Promise<'ready' | 'rebuild'> {
        const catalog = this.#catalog;
        const environment = {committed: catalog, known: catalog, ids: NO_NEW_IDS};
        let change: CatalogChange;
        try {
            change = await readChanges(t, environment, catalog, {everything: true, roles: true, rebuilding: true});
            assertSameObjects(change);
        } catch (error) {
            if (appliedSeq > 0 && error instanceof TwinDisagrees) return 'rebuild';
            throw error;
        }
        if (!isEmptyChange(change)) {
            catalog.apply(change);
            this.#onRebound(change);
        }
        return 'ready';
    }
}

async function replayEntry(t: TwinTransaction, entry: LoggedDdl): Promise<void> {
    // Passwords in the log are verifiers already.
    const plan = planDdl(entry.sql, {scramVerifier: (verifier) => verifier});
    assert(plan !== undefined, 'the log holds DDL only');
    await runPending(t, {statements: plan.statements, user: entry.user, settings: entry.settings}, FIRST_SUPERUSER);
}

class TwinDisagrees extends Error {
    override readonly name = 'TwinDisagrees';
}

const NO_NEW_IDS: IdAllocator = {
    next(kind) {
        throw new TwinDisagrees(`the twin has a ${kind} that the catalog has not`);
    },
};

/** Every object is on both sides and equal but for oids and versions. */
function assertSameObjects(change: CatalogChange): void {
    const all: readonly Difference<{readonly name: string}>[] = [
        ...change.tables,
        ...change.sequences,
        ...change.views,
        ...change.types,
        ...change.schemas,
        ...change.roles,
    ];
    for (const {before, after} of all) {
        if (before !== undefined && after !== undefined && isDeepStrictEqual(comparable(before), comparable(after)))
            continue;
        throw new TwinDisagrees(`the twin and the catalog disagree about "${(after ?? before)?.name}"`);
    }
}

const OID_KEYS: ReadonlySet<string> = new Set(['oid', 'arrayOid', 'version', 'verifier']);

function comparable(object: unknown): unknown {
    if (typeof object === 'bigint') return String(object);
    if (Array.isArray(object)) return object.map(comparable);
    if (typeof object !== 'object' || object === null) return object;
    const entries = Object.entries(object).filter(([key]) => !OID_KEYS.has(key));
    return Object.fromEntries(entries.map(([key, value]) => [key, comparable(value)]));
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
    if (a.length !== b.length) return false;
    const set = new Set(a);
    return b.every((value) => set.has(value));
}
