/** DDL under live queries on a running server: what they follow, and what ends them. */
import type {Client} from 'pg';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {startTidewire, type TidewireServer} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';
import {cancel, type Events, listen, subscribe, type Subscription} from './live-client.ts';

let server: TidewireServer;
let admin: Client;
const clients: Client[] = [];
let tables = 0;

beforeAll(async () => {
    server = await startTidewire();
    admin = await server.connectPg();
    // The first DDL of a server waits for its twin.
    await admin.query('CREATE TABLE warm (id int)');
}, 90_000);

afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
});

afterAll(async () => {
    await admin?.end();
    await server?.remove();
});

async function newTable(): Promise<string> {
    const table = `d${++tables}`;
    await admin.query(`CREATE TABLE ${table} (id int NOT NULL, v int, note text);
        INSERT INTO ${table} VALUES (1, 10, 'one'), (2, 20, 'two'), (3, 30, 'three')`);
    return table;
}

async function listening(query: string, user?: string): Promise<Events> {
    const {client, events} = await listen(server, query, user);
    clients.push(client);
    return events;
}

function told(events: Events): unknown[] {
    return events.changes.map(({op, row, old}) => [op, row ?? null, old ?? null]);
}

async function liveQueries(): Promise<number> {
    return (await admin.query('SELECT id FROM system.live_queries')).rows.length;
}

describe('a live query goes on after', () => {
    test('TRUNCATE, alone and with changes before and after it in the same transaction', async () => {
        const table = await newTable();
        const events = await listening(`SELECT id, v FROM ${table} WHERE v > 15`);
        await admin.query(`TRUNCATE ${table}`);
        await admin.query(`INSERT INTO ${table} VALUES (4, 40), (5, 5)`);
        await admin.query(`BEGIN; UPDATE ${table} SET v = 41; INSERT INTO ${table} VALUES (6, 60); TRUNCATE ${table};
            INSERT INTO ${table} VALUES (7, 70); TRUNCATE ${table}; INSERT INTO ${table} VALUES (8, 80); COMMIT`);
        await admin.query(`BEGIN; TRUNCATE ${table}; INSERT INTO ${table} VALUES (9, 90); ROLLBACK`);
        await admin.query(`DELETE FROM ${table}`);
        await events.has('the delete', () => events.ops.at(-1) === 'delete');
        expect(told(events)).toEqual([
            ['truncate', null, null],
            ['insert', {id: 4, v: 40}, null],
            ['truncate', null, null],
            ['insert', {id: 8, v: 80}, null],
            ['delete', null, {id: 8, v: 80}],
        ]);
        const seqs = events.changes.map(({_seq}) => BigInt(_seq));
        expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => (a < b ? -1 : 1)));
    });

    test('rewrites that keep all rows, without events of rows', async () => {
        const table = await newTable();
        const events = await listening(`SELECT id, note FROM ${table} WHERE id < 100`);
        await admin.query(`ALTER TABLE ${table} ALTER COLUMN v TYPE bigint`);
        await admin.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
        await admin.query(`ALTER TABLE ${table} ADD COLUMN extra text DEFAULT gen_random_uuid()`);
        await admin.query(`ALTER TABLE ${table} ADD COLUMN late int; ALTER TABLE ${table} DROP COLUMN v`);
        await admin.query(`ALTER TABLE ${table} RENAME TO ${table}_b; ALTER TABLE ${table}_b RENAME TO ${table}`);
        await admin.query(`CREATE INDEX ON ${table} (note)`);
        await admin.query(`UPDATE ${table} SET note = 'uno' WHERE id = 1`);
        await admin.query(`DELETE FROM ${table} WHERE id = 2`);
        await admin.query(`INSERT INTO ${table} (id, note) VALUES (4, 'four')`);
        await events.count(4);
        expect(told(events)).toEqual([
            ['update', {id: 1, note: 'uno'}, {id: 1, note: 'one'}],
            ['delete', null, {id: 2, note: 'two'}],
            ['insert', {id: 4, note: 'four'}, null],
        ]);
        expect((await admin.query('SELECT sum(shared_by) AS n FROM system.live_queries')).rows).toEqual([{n: '1'}]);
    });

    test('a transaction that changes rows, writes the table anew and changes rows again', async () => {
        const table = await newTable();
        const events = await listening(`SELECT id, note FROM ${table}`);
        await admin.query(`BEGIN; DELETE FROM ${table} WHERE id = 1; UPDATE ${table} SET note = 'zwei' WHERE id = 2;
            INSERT INTO ${table} VALUES (4, 40, 'four');
            ALTER TABLE ${table} ALTER COLUMN v TYPE text; ALTER TABLE ${table} ADD PRIMARY KEY (id);
            UPDATE ${table} SET note = 'drei' WHERE id = 3; DELETE FROM ${table} WHERE id = 4;
            INSERT INTO ${table} VALUES (5, '50', 'five'); COMMIT`);
        await events.count(5);
        await admin.query(`BEGIN; DELETE FROM ${table} WHERE id = 2; ALTER TABLE ${table} ALTER COLUMN v TYPE varchar(9);
            TRUNCATE ${table}; INSERT INTO ${table} VALUES (6, '60', 'six'); COMMIT`);
        await events.count(7);
        const byRow = told(events).slice(0, 4);
        expect(byRow).toHaveLength(4);
        expect(byRow).toEqual(
            expect.arrayContaining([
                ['update', {id: 2, note: 'zwei'}, {id: 2, note: 'two'}],
                ['update', {id: 3, note: 'drei'}, {id: 3, note: 'three'}],
                ['insert', {id: 5, note: 'five'}, null],
                ['delete', null, {id: 1, note: 'one'}],
            ]),
        );
        expect(told(events).slice(4)).toEqual([
            ['truncate', null, null],
            ['insert', {id: 6, note: 'six'}, null],
        ]);
    });

    test('a value added to an enum, and takes rows with it', async () => {
        await admin.query(`CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE moods (id int PRIMARY KEY, m mood)`);
        const events = await listening(`SELECT id, m FROM moods WHERE m > 'sad'`);
        await admin.query(`INSERT INTO moods VALUES (1, 'happy')`);
        await admin.query(`ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy'`);
        await admin.query(`INSERT INTO moods VALUES (2, 'ok'), (3, 'sad')`);
        await admin.query(`UPDATE moods SET m = 'happy' WHERE id = 2`);
        await events.count(4);
        expect(told(events)).toEqual([
            ['insert', {id: 1, m: 'happy'}, null],
            ['insert', {id: 2, m: 'ok'}, null],
            ['update', {id: 2, m: 'happy'}, {id: 2, m: 'ok'}],
        ]);
    });

    test('TRUNCATE while its snapshot begins, again and again', async () => {
        const table = await newTable();
        const reader = await server.connectPg();
        clients.push(reader);
        for (let run = 0; run < 10; run++) {
            const emptied = admin.query(
                `BEGIN; TRUNCATE ${table}; INSERT INTO ${table} VALUES (${run}, ${run}); COMMIT`,
            );
            const subscription = await subscribe(reader, `SELECT id, v FROM ${table}`);
            await emptied;
            await admin.query(`INSERT INTO ${table} VALUES (100, ${run})`);
            const {events} = subscription;
            await events.has('the last insert', () => events.all.at(-1)?.row?.['id'] === 100);
            const held: unknown[] = [];
            for (const {op, row} of events.all) {
                if (op === 'truncate') held.length = 0;
                else if (row !== undefined) held.push(row);
            }
            expect(held).toEqual([
                {id: run, v: run},
                {id: 100, v: run},
            ]);
            await cancel(server, reader);
            await subscription.finished;
        }
    }, 40_000);
});

describe('a live query ends', () => {
    test('with DROP TABLE, by 42P01', async () => {
        const table = await newTable();
        const events = await listening(`SELECT id, v FROM ${table}`);
        await admin.query(`DROP TABLE ${table}`);
        await events.count(2);
        expect(events.all.at(-1)).toMatchObject({op: 'error', code: '42P01', _seq: events.all[0]?._seq});
        expect(await liveQueries()).toBe(0);
    });

    test.each([
        ['ALTER COLUMN v TYPE bigint', 'given another type'],
        ['DROP COLUMN v', 'dropped'],
        ['RENAME COLUMN v TO w', 'renamed'],
    ])('with an ALTER TABLE of a column that it reads: %s', async (alter, why) => {
        const table = await newTable();
        const events = await listening(`SELECT id FROM ${table} WHERE v > 0`);
        const client = await server.connectPg();
        clients.push(client);
        const subscription = await subscribe(client, table);
        await admin.query(`ALTER TABLE ${table} ${alter}`);
        await events.count(2);
        expect(events.all.at(-1)).toMatchObject({op: 'error', code: '55000'});
        expect(events.lines.at(-1)).toContain(why);
        await subscription.finished;
        expect(subscription.error).toMatchObject({code: '55000'});
        expect(await liveQueries()).toBe(0);
    });

    test('with its role: dropped, or not permitted to log in any more', async () => {
        const table = await newTable();
        await admin.query(`CREATE ROLE leaver LOGIN; CREATE ROLE sleeper LOGIN; CREATE ROLE stayer LOGIN;
            GRANT ALL ON ${table} TO sleeper, stayer, leaver`);
        const query = `SELECT id, v FROM ${table}`;
        const sleeper = await listening(query, 'sleeper');
        const leaver = await listening(query, 'leaver');
        const stayer = await listening(query, 'stayer');
        await admin.query('ALTER ROLE sleeper NOLOGIN');
        await admin.query(`REVOKE ALL ON ${table} FROM leaver; DROP ROLE leaver`);
        await admin.query('ALTER ROLE stayer CREATEDB');
        await admin.query(`INSERT INTO ${table} VALUES (4, 40)`);
        for (const ended of [sleeper, leaver]) {
            await ended.count(2);
            expect(ended.all.at(-1)).toMatchObject({op: 'error', code: '28000'});
        }
        await stayer.count(2);
        expect(stayer.ops).toEqual(['ready', 'insert']);
        await waitUntil('one live query', 5000, async () => (await liveQueries()) === 1);
    });

    test('with the right to read its table, which resuming asks for again', async () => {
        const table = await newTable();
        const beside = await newTable();
        await admin.query(
            `CREATE ROLE reader LOGIN; GRANT SELECT (id, v) ON ${table} TO reader; GRANT SELECT ON ${beside} TO reader`,
        );
        const client = await server.connectPg({user: 'reader'});
        clients.push(client);
        await expect(client.query(`LISTEN "SELECT note FROM ${table}"`)).rejects.toMatchObject({code: '42501'});
        const events = await listening(`SELECT id, v FROM ${table}`, 'reader');
        const other = await listening(`SELECT id, v FROM ${beside}`, 'reader');
        await admin.query(`INSERT INTO ${table} VALUES (4, 40)`);
        await admin.query(`REVOKE SELECT (id, v) ON ${table} FROM reader`);
        await admin.query(`INSERT INTO ${table} VALUES (5, 50)`);
        await admin.query(`INSERT INTO ${beside} VALUES (5, 50)`);
        await events.count(3);
        await other.count(2);
        expect(events.ops).toEqual(['ready', 'insert', 'error']);
        expect(events.all.at(-1)).toMatchObject({code: '42501', _seq: events.all[1]?._seq});
        expect(other.ops).toEqual(['ready', 'insert']);
        const resume = async (): Promise<Subscription> =>
            await subscribe(client, `SELECT id, v FROM ${table}`, `WITH (from_seq = ${events.all[1]?._seq})`);
        const refused = await resume();
        await refused.finished;
        expect(refused.error).toMatchObject({code: '42501'});
        await admin.query(`GRANT SELECT (id, v) ON ${table} TO reader`);
        const resumed = await resume();
        await resumed.events.count(2);
        expect(told(resumed.events)).toEqual([['insert', {id: 5, v: 50}, null]]);
        await cancel(server, client);
        await resumed.finished;
    });

    test('with a row for which its condition fails, and no other ends', async () => {
        const table = await newTable();
        const failing = await listening(`SELECT id FROM ${table} WHERE 100 / v > 1`);
        const other = await listening(`SELECT id FROM ${table} WHERE v >= 0`);
        await admin.query(`INSERT INTO ${table} VALUES (4, 0)`);
        await admin.query(`INSERT INTO ${table} VALUES (5, 1)`);
        await failing.count(2);
        await other.count(3);
        expect(failing.all.at(-1)).toMatchObject({op: 'error', code: '22012'});
        expect(other.ops).toEqual(['ready', 'insert', 'insert']);
    });
});
