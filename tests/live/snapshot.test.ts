/**
 * Laws 1 and 2 of live queries on a running server: the snapshot and the events after it give the table, whatever is
 * hot or cold, however many write, and whenever a flush comes between.
 */
import type {Client} from 'pg';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {type LiveRows, liveRowsOf, replay} from '../support/live-replay.ts';
import {startTidewire, type TidewireServer} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';
import {cancel, listen, subscribe, type Subscription} from './live-client.ts';

const RUNS = 60;
const WRITERS = 6;
const COLD_ROWS = 2000;

let server: TidewireServer;
let admin: Client;

beforeAll(async () => {
    server = await startTidewire();
    admin = await server.connectPg();
    // The first DDL of a server waits for its twin.
    await admin.query('CREATE TABLE warm (id int)');
}, 90_000);

afterAll(async () => {
    await admin?.end();
    await server?.remove();
});

describe.each(['shared', 'user', 'stream'] as const)('the snapshot of a %s table with hot and cold rows', (kind) => {
    test(`fits the changes after it, ${RUNS} times, with writers and flushes going on`, async () => {
        const table = `snap_${kind}`;
        const options = kind === 'stream' ? `type = 'stream', ttl = '1 hour'` : `type = '${kind}'`;
        await admin.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v int NOT NULL, note text) WITH (${options})`);
        await admin.query(`INSERT INTO ${table} SELECT g, g, 'cold ' || g FROM generate_series(1, ${COLD_ROWS}) g`);
        await admin.query(`CALL system.flush('${table}')`);
        const query = `SELECT id, v FROM ${table} WHERE v % 4 <> 3`;
        const writers = new Writers(
            await Promise.all(Array.from({length: WRITERS}, () => server.connectPg())),
            table,
            kind !== 'stream',
        );
        const reader = await server.connectPg();
        try {
            for (let run = 0; run < RUNS; run++) {
                writers.resume();
                const subscription = await subscribe(reader, query, run % 3 === 0 ? 'WITH (batch_size = 50)' : '');
                if (run % 10 === 5) await admin.query(`CALL system.flush('${table}')`);
                await new Promise((resolve) => setTimeout(resolve, (run * 7) % 25));
                await writers.pause();
                await expectFits(subscription, query, run);
                await cancel(server, reader);
                await subscription.finished;
            }
        } finally {
            await writers.stop();
            await reader.end();
        }
        expect(writers.transactions).toBeGreaterThan(RUNS * 2);
    }, 120_000);
});

async function expectFits({events}: Subscription, query: string, run: number): Promise<void> {
    const {rows} = await admin.query({text: query, rowMode: 'array'});
    const expected = liveRowsOf(rows as (string | null)[][]);
    let held: LiveRows = new Map();
    await events
        .has(`run ${run}: the rows of the query`, () => {
            held = replay(new Map(), events.all);
            return isEqual(held, expected);
        })
        .catch((error: unknown) => {
            // Which rows differ says more than that some do.
            expect(held, String(error)).toEqual(expected);
        });
}

function isEqual(left: LiveRows, right: LiveRows): boolean {
    return left.size === right.size && [...left].every(([key, value]) => right.get(key) === value);
}

/** Clients that change rows, hot and cold, one transaction after the other, except while they are paused. */
class Writers {
    readonly #clients: readonly Client[];
    readonly #table: string;
    readonly #updates: boolean;
    readonly #running: Promise<unknown>;
    #paused = true;
    #stopped = false;
    #idle = 0;
    transactions = 0;

    constructor(clients: readonly Client[], table: string, updates: boolean) {
        this.#clients = clients;
        this.#table = table;
        this.#updates = updates;
        this.#running = Promise.all(clients.map((client, index) => this.#write(client, index)));
        this.#running.catch(() => undefined);
    }

    resume(): void {
        this.#paused = false;
    }

    async pause(): Promise<void> {
        this.#paused = true;
        await waitUntil('the writers stand still', 10_000, () => this.#idle === this.#clients.length);
    }

    async stop(): Promise<void> {
        this.#stopped = true;
        await this.#running;
        await Promise.all(this.#clients.map((client) => client.end()));
    }

    async #write(client: Client, index: number): Promise<void> {
        for (let step = 0; !this.#stopped; step++) {
            if (this.#paused) {
                this.#idle++;
                while (this.#paused && !this.#stopped) await new Promise((resolve) => setTimeout(resolve, 5));
                this.#idle--;
                continue;
            }
            await client.query(this.#statement(step, index));
            this.transactions++;
        }
    }

    #statement(step: number, index: number): string {
        const table = this.#table;
        const id = ((step * 37 + index * 11) % COLD_ROWS) + 1;
        const fresh = COLD_ROWS + 1 + step * WRITERS + index;
        switch (step % 4) {
            case 0:
                return `INSERT INTO ${table} VALUES (${fresh}, ${step}, 'hot')`;
            case 1:
                return `DELETE FROM ${table} WHERE id = ${id}`;
            case 2:
                if (this.#updates) return `UPDATE ${table} SET v = v + 1 WHERE id = ${id + 1}`;
                return `INSERT INTO ${table} VALUES (${-fresh}, ${step}, 'hot')`;
            default:
                if (this.#updates) {
                    return `BEGIN; UPDATE ${table} SET v = v + 2 WHERE id = ${id}; UPDATE ${table} SET note = 'x' WHERE id = ${id};
                        DELETE FROM ${table} WHERE id = ${fresh - 9}; COMMIT`;
                }
                return `BEGIN; INSERT INTO ${table} VALUES (${-fresh}, 1, 'hot'); DELETE FROM ${table} WHERE id = ${fresh - 9}; COMMIT`;
        }
    }
}

test('a flush and a compaction give no events', async () => {
    await admin.query('CREATE TABLE still (id int PRIMARY KEY, v int NOT NULL)');
    await admin.query('INSERT INTO still SELECT g, g FROM generate_series(1, 500) g');
    const {client, events} = await listen(server, 'SELECT id, v FROM still');
    await admin.query(`CALL system.flush('still')`);
    await admin.query('UPDATE still SET v = -v WHERE id % 3 = 0');
    await admin.query(`CALL system.flush('still')`);
    await admin.query(`CALL system.compact('still')`);
    await admin.query('INSERT INTO still VALUES (501, 501)');
    await events.has('the last insert', () => events.ops.at(-1) === 'insert');
    expect(events.ops.filter((op) => op === 'update').length).toBe(166);
    expect(events.all.length).toBe(168);
    await client.end();
});

test('rows of a stream that expire are deletes, hot and cold, and a snapshot before them fits', async () => {
    await admin.query(
        `CREATE TABLE brief (id int PRIMARY KEY, v int NOT NULL) WITH (type = 'stream', ttl = '2 seconds');
         INSERT INTO brief SELECT g, g FROM generate_series(1, 5) g`,
    );
    await admin.query(`CALL system.flush('brief')`);
    await admin.query('INSERT INTO brief VALUES (6, 6), (7, 7)');
    const reader = await server.connectPg();
    const {events} = await subscribe(reader, 'SELECT id, v FROM brief');
    expect(events.ops).toEqual([...Array.from({length: 7}, () => 'snapshot'), 'ready']);
    const late = await server.connectPg();
    await new Promise((resolve) => setTimeout(resolve, 2050));
    const after = await subscribe(late, 'SELECT id, v FROM brief');
    // The key of a row that has expired is free, whether the row was removed already or not.
    await admin.query('INSERT INTO brief VALUES (7, 70)');
    for (const each of [events, after.events]) {
        await each.has(
            'the end of all rows',
            () => each.ops.includes('insert') && replay(new Map(), each.all).size === 0,
        );
    }
    expect(events.changes.filter(({op}) => op === 'delete').length).toBe(8);
    await cancel(server, reader);
    await cancel(server, late);
    await Promise.all([reader.end(), late.end()]);
}, 40_000);
