/**
 * The contract of live queries over random histories: at whatever moment a client subscribes, falls behind or resumes,
 * what it holds after a transaction's events is what the query, run afresh after that transaction, would give.
 */
import {describe, expect, it} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {Expr} from '../sql/bound.ts';
import {DEFAULT_LIVE_LIMITS, LiveQueries} from './live-queries.ts';
import type {LivePlan} from './live-plan.ts';
import {LiveQueue} from './live-queue.ts';
import {
    all,
    column,
    columnDescriptor,
    constant,
    FakeDatabase,
    inList,
    isNull,
    livePlan,
    nextTurn,
    not,
    operator,
    randomSource,
    select,
    tableDescriptor,
    type Write,
} from './test-support.ts';

type Random = (below: number) => number;

function randomCondition(random: Random, depth = 0): Expr {
    const arg = random(2) === 0 ? column(3, 'k') : column(4, 'v');
    const value = constant(random(6) === 0 ? null : random(4));
    switch (random(depth > 2 ? 4 : 7)) {
        case 0:
            return operator(arg, '=', value);
        case 1:
            return operator(arg, random(2) === 0 ? '<' : '>', value);
        case 2:
            return isNull(arg);
        case 3:
            return inList(arg, [value, constant(random(4))]);
        case 4:
            return not(randomCondition(random, depth + 1));
        default: {
            const parts = Array.from({length: 2 + random(2)}, () => randomCondition(random, depth + 1));
            return all(random(3) === 0 ? 'or' : 'and', ...parts);
        }
    }
}

/** A client that applies events to what it holds, and checks after every batch. */
class Client {
    /** Planned for the table as it is, as a statement is. */
    readonly #plan: () => LivePlan;
    readonly #expected: Map<number, string[]>;
    readonly #live: LiveQueries;
    readonly #random: Random;
    readonly #roleId: number;
    #rows: string[] = [];
    #ready = false;
    readonly #seen = new Set<string>();
    lastSeq: number | undefined;
    cutOffs = 0;
    resumes = 0;
    batches = 0;
    failure: unknown;
    #stopped = false;
    #close: (() => void) | undefined;

    constructor(
        plan: () => LivePlan,
        roleId: number,
        expected: Map<number, string[]>,
        live: LiveQueries,
        random: Random,
    ) {
        this.#plan = plan;
        this.#roleId = roleId;
        this.#expected = expected;
        this.#live = live;
        this.#random = random;
    }

    get rows(): string[] {
        return this.#rows;
    }

    stop(): void {
        this.#stopped = true;
        this.#close?.();
    }

    async run(): Promise<void> {
        try {
            while (!this.#stopped) await this.#session();
        } catch (error) {
            this.failure = error;
        }
    }

    async #session(): Promise<void> {
        const queue = new LiveQueue(this.#random(3) === 0 ? 200 : 1_000_000);
        const resume = this.lastSeq !== undefined && this.#ready;
        if (resume) this.resumes++;
        else this.#reset();
        const subscription = await this.#live.subscribe({
            plan: this.#plan(),
            subscriber: {sessionId: 1, user: 'u', roleId: this.#roleId},
            options: resume ? {fromSeq: this.lastSeq ?? 0} : {batchSize: 1 + this.#random(5)},
            deliver: queue,
        });
        this.#close = () => subscription.close();
        try {
            for await (const batch of queue.batches()) {
                for (const event of batch.events) this.#apply(event.json, resume);
                this.batches++;
                if (this.#ready && !this.#isResumeMark(batch.events.map(({op}) => op))) {
                    expect(this.#rows.toSorted(), `after ${batch.transactionSeq}`).toEqual(
                        this.#expected.get(batch.transactionSeq),
                    );
                }
                for (let turns = this.#random(4); turns > 0; turns--) await nextTurn();
                // Now and then the connection is lost.
                if (this.#random(25) === 0) subscription.close();
            }
        } catch (error) {
            if (!(error instanceof PgError) || error.code !== '54000') throw error;
            this.cutOffs++;
        }
    }

    #reset(): void {
        this.#rows = [];
        this.#ready = false;
        this.lastSeq = undefined;
        this.#seen.clear();
    }

    #isResumeMark(ops: readonly string[]): boolean {
        return ops.length === 1 && ops[0] === 'ready';
    }

    #apply(json: string, resumed: boolean): void {
        const [, op = '', seq = ''] = /^\{"op":"(\w+)","_seq":"(\d+)"/.exec(json) ?? [];
        const {row, old} = JSON.parse(json) as {row?: unknown; old?: unknown};
        if (op === 'ready') {
            if (resumed) expect(Number(seq)).toBe(this.lastSeq);
            this.#ready = true;
        } else if (op === 'snapshot') {
            expect(this.#ready).toBe(false);
        } else {
            expect(this.#ready).toBe(true);
            expect(Number(seq)).toBeGreaterThan(this.lastSeq ?? -1);
            expect(this.#seen.has(seq), `event ${seq} twice`).toBe(false);
            this.#seen.add(seq);
        }
        if (op !== 'snapshot') this.lastSeq = Number(seq);
        if (op === 'truncate') this.#rows = [];
        if (old !== undefined) {
            const at = this.#rows.indexOf(JSON.stringify(old));
            expect(at, `${json} removes a row that is not held`).toBeGreaterThanOrEqual(0);
            this.#rows.splice(at, 1);
        }
        if (row !== undefined) this.#rows.push(JSON.stringify(row));
    }
}

function randomValues(random: Random, database: FakeDatabase, id: number): Datum[] {
    const small = (): Datum => (random(6) === 0 ? null : random(4));
    const byName: Record<string, Datum> = {id, k: small(), v: small(), name: `n"${random(3)}`};
    return database.table.columns.map(({name}) => byName[name] ?? null);
}

/** At most one write for a row, as in a committed transaction. */
function randomWrites(random: Random, database: FakeDatabase, roles: readonly number[]): Write[] {
    const writes: Write[] = [];
    const rowids = [...database.rows.keys()];
    for (let count = random(5); count >= 0; count--) {
        const rowid = rowids.splice(random(rowids.length), 1)[0];
        const id = random(1000);
        const kind = rowid === undefined ? 0 : random(4);
        if (rowid === undefined || kind === 0) {
            const owner = roles[random(roles.length)] ?? 0;
            writes.push({do: 'insert', values: randomValues(random, database, id), owner});
        } else if (kind === 1) {
            writes.push({do: 'delete', rowid});
        } else {
            writes.push({do: 'update', rowid, values: randomValues(random, database, id)});
        }
    }
    return writes;
}

async function runHistory(seed: number, kind: 'shared' | 'user' | 'stream'): Promise<Client[]> {
    const random = randomSource(seed);
    const roles = kind === 'user' ? [10, 11] : [0];
    const database = new FakeDatabase(tableDescriptor(kind));
    database.pause = async () => {
        for (let turns = random(3); turns > 0; turns--) await nextTurn();
    };
    const live = new LiveQueries({
        feed: database,
        clock: {nowMs: () => 0},
        limits: {...DEFAULT_LIVE_LIMITS, liveQueueBytesMax: seed % 2 === 0 ? 300 : 1_000_000},
        snapshot: database.snapshot,
        history: database,
    });
    const targets = [column(1, 'id'), column(3, 'k'), column(4, 'v'), column(5, 'name', 25)];
    const clients: Client[] = [];
    const expected: Map<number, string[]>[] = [];
    const running: Promise<void>[] = [];
    const commits: number[] = [];
    const plans = Array.from({length: 12}, () => {
        const roleId = roles[random(roles.length)] ?? 0;
        const condition = random(6) === 0 ? null : randomCondition(random);
        const shown = targets.slice(random(3));
        return {roleId, plan: (): LivePlan => livePlan(select(database.table, condition, shown), roleId)};
    });
    const note = (): void => {
        commits.push(database.visibleSeq);
        for (const [index, {plan}] of plans.entries())
            expected[index]?.set(database.visibleSeq, database.query(plan()));
    };
    for (const [index, {plan}] of plans.entries()) expected[index] = new Map([[0, database.query(plan())]]);
    for (let step = 0; step < 120; step++) {
        const next = plans[clients.length];
        if (next !== undefined && random(8) === 0) {
            const client = new Client(next.plan, next.roleId, expected[clients.length] ?? new Map(), live, random);
            clients.push(client);
            running.push(client.run());
        }
        if (step === 50) {
            database.alter({
                ...database.table,
                version: database.table.version + 1,
                columns: [...database.table.columns, columnDescriptor(6, 'extra')],
            });
        } else if (step === 70) {
            // Columns behind the dropped one move to other places.
            database.alter({
                ...database.table,
                version: database.table.version + 1,
                columns: database.table.columns.filter(({attnum}) => attnum !== 2),
            });
        } else if (random(30) === 0) {
            // The rows are written anew and stay what they are.
            database.alter({
                ...database.table,
                tableId: database.table.tableId + 1000,
                version: database.table.version + 1,
            });
        } else {
            const truncate = random(40) === 0;
            database.commit(truncate && random(2) === 0 ? [] : randomWrites(random, database, roles), {truncate});
        }
        note();
        for (let turns = random(3); turns > 0; turns--) await nextTurn();
    }
    // Clients that are in the middle of something get the time to finish.
    for (let turns = 0; turns < 3000; turns++) await nextTurn();
    for (const [index, client] of clients.entries()) {
        expect(client.failure, `client ${index}`).toBeUndefined();
        expect(client.rows.toSorted()).toEqual(expected[index]?.get(database.visibleSeq));
        client.stop();
    }
    await Promise.all(running);
    expect(live.size).toBe(0);
    expect(database.listenerCount).toBe(0);
    return clients;
}

describe('a live query over a random history', () => {
    it('holds after every transaction what the query run afresh gives, whatever was lost or slow', async () => {
        let batches = 0;
        let cutOffs = 0;
        let resumes = 0;
        for (let seed = 1; seed <= 24; seed++) {
            const kind = (['shared', 'user', 'stream'] as const)[seed % 3] ?? 'shared';
            for (const client of await runHistory(seed, kind)) {
                batches += client.batches;
                cutOffs += client.cutOffs;
                resumes += client.resumes;
            }
        }
        // The histories must reach what they are for.
        expect(batches).toBeGreaterThan(2000);
        expect(cutOffs).toBeGreaterThan(10);
        expect(resumes).toBeGreaterThan(50);
    });
});
