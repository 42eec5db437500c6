/**
 * Plays generated statements on Tidewire and on PGlite and stops at nothing: what differs is collected, with the
 * statement, so that one run shows many causes.
 *
 * What must stay true: the same seed plays the same statements in the same order. After a difference in a statement that
 * writes, the tables may differ too; so the tables of both are made the same again before the play goes on.
 */
import type {PgliteOracle} from '../support/pglite.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {WireClient} from '../support/wire-client.ts';
import {compareOutcomes, type Outcome} from '../support/outcome.ts';
import {ChangeGenerator} from './generator/changes.ts';
import {QueryGenerator} from './generator/queries.ts';
import {Random} from './generator/random.ts';
import {createTable, GENERATED_TABLES} from './generator/tables.ts';

export interface Difference {
    readonly step: number;
    readonly sql: string;
    readonly difference: string;
}

const INITIAL_INSERTS = 4;
const ROWS_MAX = 60;

export class GeneratedSession {
    readonly #server: TidewireServer;
    readonly #pglite: PgliteOracle;
    #client: WireClient;
    readonly #random: Random;
    readonly #queries: QueryGenerator;
    readonly #changes: ChangeGenerator;
    readonly differences: Difference[] = [];
    /** Messages of refusals (0A000), each with a statement. */
    readonly refused = new Map<string, string>();
    /** Errors by SQLSTATE, to see that most statements succeed. */
    readonly sqlstates = new Map<string, number>();
    #step = 0;
    #inTransaction = false;
    #aborted = false;

    constructor(server: TidewireServer, pglite: PgliteOracle, client: WireClient, seed: number) {
        this.#server = server;
        this.#pglite = pglite;
        this.#client = client;
        this.#random = new Random(seed);
        this.#queries = new QueryGenerator(this.#random);
        this.#changes = new ChangeGenerator(this.#random, this.#queries);
    }

    async build(): Promise<void> {
        await this.#both("create type mood as enum ('sad', 'ok', 'happy')");
        for (const table of GENERATED_TABLES) await this.#both(createTable(table));
        for (const table of GENERATED_TABLES) {
            for (let i = 0; i < INITIAL_INSERTS; i++) await this.#both(this.#changes.insert(table, 8));
        }
    }

    async play(steps: number): Promise<void> {
        for (let i = 0; i < steps; i++) {
            this.#step++;
            const roll = this.#random.next();
            if (roll < 0.04 || (this.#aborted && roll < 0.5)) await this.#transactionStep();
            else if (roll < 0.06 && !this.#inTransaction) await this.#flush();
            else if (roll < 0.3) await this.#change();
            else await this.#both(this.#queries.statement());
        }
        if (this.#inTransaction) await this.#both('commit');
        this.#inTransaction = false;
    }

    /** Every table, whole. */
    async compareTables(when: string): Promise<void> {
        for (const {name} of GENERATED_TABLES) {
            const sql = `select * from ${name}`;
            const [actual, expected] = [await this.#client.run(sql), await this.#pglite.run(sql)];
            const difference = compareOutcomes(actual, expected, {ordered: false, approximate: true});
            if (difference !== undefined)
                this.differences.push({step: this.#step, sql: `${sql} -- ${when}`, difference});
        }
    }

    async reconnect(): Promise<void> {
        this.#client = await this.#server.connect({timezone: 'UTC'});
    }

    async #transactionStep(): Promise<void> {
        if (!this.#inTransaction) {
            await this.#both(this.#random.pick(['begin', 'begin', 'begin isolation level read committed']));
            this.#inTransaction = true;
            return;
        }
        if (this.#aborted && this.#random.chance(0.7)) {
            await this.#both('rollback');
            this.#inTransaction = false;
            return;
        }
        const choice = this.#random.pick([
            'commit',
            'commit',
            'rollback',
            'savepoint s',
            'rollback to s',
            'release s',
        ] as const);
        await this.#both(choice);
        if (choice === 'commit' || choice === 'rollback') this.#inTransaction = false;
    }

    async #flush(): Promise<void> {
        const {name} = this.#random.pick(GENERATED_TABLES);
        await this.#client.execute(`call system.flush('${name}')`);
        if (this.#random.chance(0.1)) await this.#client.execute(`call system.compact('${name}')`);
    }

    async #change(): Promise<void> {
        const sql = this.#changes.statement();
        await this.#both(sql);
        // Tables that grow make joins slow and tell no more.
        if (this.#step % 40 !== 0) return;
        for (const {name} of GENERATED_TABLES) {
            const count = Number((await this.#pglite.run(`select count(*) from ${name}`)).rows[0]?.[0] ?? 0);
            if (count > ROWS_MAX)
                await this.#both(
                    `delete from ${name} where ${name === 'g_bag' ? 'a is null or a < 3' : name === 'g_wide' ? 'id % 2 = 0' : name === 'g_pair' ? 'p % 2 = 0' : 'a is null or a < 3'}`,
                );
        }
    }

    async #both(sql: string): Promise<void> {
        const expected = await this.#pglite.run(sql);
        const actual = await this.#client.run(sql);
        this.#aborted = this.#inTransaction && expected.sqlstate !== undefined;
        const key = expected.sqlstate ?? '00000';
        this.sqlstates.set(key, (this.sqlstates.get(key) ?? 0) + 1);
        const ordered = /\border by\b[^)]*$/.test(sql);
        const difference = compareOutcomes(actual, expected, {ordered, approximate: true});
        if (difference === undefined) return;
        if (actual.sqlstate === '0A000' && expected.sqlstate === undefined) {
            // Refused with a clear error. In a transaction it has aborted one of the two.
            this.refused.set(actual.message ?? '', sql);
            await this.#resynchronise();
            return;
        }
        if (tolerable(actual, expected)) return;
        this.differences.push({step: this.#step, sql, difference});
        if (/^(insert|update|delete|commit|rollback)/.test(sql)) await this.#resynchronise();
    }

    /** Ends any transaction and copies the oracle's rows. */
    async #resynchronise(): Promise<void> {
        await this.#client.run('rollback');
        await this.#pglite.run('rollback');
        this.#inTransaction = false;
        for (const {name, columns} of GENERATED_TABLES) {
            const {rows} = await this.#pglite.run(`select * from ${name}`);
            await this.#client.execute(`delete from ${name}`);
            for (const row of rows) {
                const values = row.map((value, index) =>
                    value === null ? 'null' : `'${value.replaceAll("'", "''")}'::${columns[index]?.type ?? 'text'}`,
                );
                await this.#client.execute(`insert into ${name} values (${values.join(', ')})`);
            }
        }
    }
}

/** PostgreSQL promises no order in which conditions are tried: whether a row meets an error is up to the plan. */
function tolerable(actual: Outcome, expected: Outcome): boolean {
    const data = (outcome: Outcome): boolean => outcome.sqlstate?.startsWith('22') ?? false;
    if (actual.sqlstate === expected.sqlstate) return false;
    return (data(actual) && data(expected)) || false;
}
