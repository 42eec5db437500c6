/** LISTEN "SELECT …" on a running server: which events come, when, and on what channel. */
import type {Client} from 'pg';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {liveRowsOf, replay} from '../support/live-replay.ts';
import {startTidewire, type TidewireServer} from '../support/tidewire.ts';
import {type Events, listen, quoted} from './live-client.ts';

let server: TidewireServer;
let admin: Client;
const clients: Client[] = [];

beforeAll(async () => {
    server = await startTidewire();
    admin = await server.connectPg();
    await admin.query('CREATE ROLE ann LOGIN; CREATE ROLE ben LOGIN');
}, 90_000);

afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
});

afterAll(async () => {
    await admin?.end();
    await server?.remove();
});

async function listening(query: string, user?: string): Promise<{client: Client; events: Events}> {
    const listener = await listen(server, query, user);
    clients.push(listener.client);
    return listener;
}

async function connected(user?: string): Promise<Client> {
    const client = await server.connectPg(user === undefined ? {} : {user});
    clients.push(client);
    return client;
}

let tables = 0;

/** A table (id, v, room, note) of the kind, for the test alone. */
async function newTable(kind: 'shared' | 'user' | 'stream'): Promise<string> {
    const name = `t${++tables}`;
    const options = kind === 'stream' ? `type = 'stream', ttl = '1 hour'` : `type = '${kind}'`;
    await admin.query(
        `CREATE TABLE ${name} (id int PRIMARY KEY, v int NOT NULL, room int, note text) WITH (${options});
         GRANT ALL ON ${name} TO ann, ben`,
    );
    return name;
}

/** What the query gives now, to the client's user. */
async function rowsNow(client: Client, query: string): Promise<ReadonlyMap<number, number>> {
    const {rows} = await client.query({text: query, rowMode: 'array'});
    return liveRowsOf(rows as (string | null)[][]);
}

describe.each(['shared', 'user'] as const)('a LISTEN of a query over a %s table', (kind) => {
    test('tells every committed change once and in order, under four writers that move rows in and out', async () => {
        const table = await newTable(kind);
        const query = `SELECT id, v FROM ${table} WHERE room = 1 AND v % 3 <> 0`;
        const {client, events} = await listening(query, 'ann');
        const writers = await Promise.all([0, 1, 2, 3].map(() => connected('ann')));
        await Promise.all(writers.map((writer, index) => write(writer, table, index)));
        const expected = await rowsNow(client, query);
        await client.query('SELECT 1');
        await events.has('all changes', () => isEqual(replay(new Map(), events.all), expected));
        expect(new Set(events.ops)).toEqual(new Set(['ready', 'insert', 'update', 'enter', 'leave', 'delete']));
        expect(new Set(events.all.map(({_seq}) => _seq)).size).toBe(events.all.length);
    }, 60_000);

    test('tells nothing of what was rolled back, wholly or to a savepoint', async () => {
        const table = await newTable(kind);
        const {events} = await listening(`SELECT id, v FROM ${table}`, 'ann');
        const writer = await connected('ann');
        await writer.query(`BEGIN; INSERT INTO ${table} VALUES (1, 1, 1, 'a'); ROLLBACK`);
        await writer.query('BEGIN');
        await writer.query(`INSERT INTO ${table} VALUES (2, 2, 1, 'a')`);
        await writer.query('SAVEPOINT s');
        await writer.query(`UPDATE ${table} SET v = 3`);
        await writer.query(`INSERT INTO ${table} VALUES (3, 3, 1, 'a')`);
        await writer.query('ROLLBACK TO s');
        await writer.query('COMMIT');
        await expect(writer.query(`INSERT INTO ${table} VALUES (4, 4), (2, 2)`)).rejects.toMatchObject({code: '23505'});
        await writer.query(`INSERT INTO ${table} VALUES (9, 9)`);
        await events.count(3);
        expect(events.changes.map(({op, row}) => [op, row])).toEqual([
            ['insert', {id: 2, v: 2}],
            ['insert', {id: 9, v: 9}],
        ]);
    });

    test('several changes of a row in one transaction are one event', async () => {
        const table = await newTable(kind);
        const {events} = await listening(`SELECT id, v FROM ${table} WHERE v < 100`, 'ann');
        const writer = await connected('ann');
        await writer.query(`BEGIN; INSERT INTO ${table} VALUES (1, 1), (2, 2); UPDATE ${table} SET v = v + 10;
            DELETE FROM ${table} WHERE id = 2; UPDATE ${table} SET v = v + 10; COMMIT`);
        await writer.query(`BEGIN; UPDATE ${table} SET v = 200; UPDATE ${table} SET v = 22; COMMIT`);
        await writer.query(`UPDATE ${table} SET id = 7`);
        await writer.query(`DELETE FROM ${table}`);
        await events.count(5);
        expect(events.changes.map(({op, row, old}) => [op, row, old])).toEqual([
            ['insert', {id: 1, v: 21}, undefined],
            ['update', {id: 1, v: 22}, {id: 1, v: 21}],
            ['update', {id: 7, v: 22}, {id: 1, v: 22}],
            ['delete', undefined, {id: 7, v: 22}],
        ]);
    });
});

describe('a LISTEN of a query over a stream table', () => {
    test('tells every insert and delete once and in order, under four writers', async () => {
        const table = await newTable('stream');
        const query = `SELECT id, v FROM ${table} WHERE room = 1 AND v % 3 <> 0`;
        const {client, events} = await listening(query, 'ann');
        const writers = await Promise.all([0, 1, 2, 3].map(() => connected('ann')));
        const append = async (writer: Client, index: number): Promise<void> => {
            for (let step = 0; step < 60; step++) {
                const id = step * 4 + index;
                const room = step % 3 === 0 ? 'NULL' : '1';
                await writer.query(
                    `INSERT INTO ${table} VALUES (${id}, ${step}, ${room}), (${-id - 1}, ${step + 1}, 1)`,
                );
                if (step % 5 === 4) await writer.query(`DELETE FROM ${table} WHERE id BETWEEN ${id - 8} AND ${id - 6}`);
                if (step % 7 === 6) await writer.query(`BEGIN; DELETE FROM ${table}; ROLLBACK`);
            }
        };
        await Promise.all(writers.map(append));
        const expected = await rowsNow(client, query);
        await client.query('SELECT 1');
        await events.has('all changes', () => isEqual(replay(new Map(), events.all), expected));
        expect(new Set(events.ops)).toEqual(new Set(['ready', 'insert', 'delete']));
    }, 60_000);
});

/** 60 transactions on rows that the other writers change too. */
async function write(writer: Client, table: string, index: number): Promise<void> {
    for (let step = 0; step < 60; step++) {
        const id = (step * 7 + index * 3) % 25;
        const room = (step + index) % 3 === 0 ? 'NULL' : String((step * 5 + index) % 2);
        if (step % 6 === 5) await writer.query(`DELETE FROM ${table} WHERE id = ${id}`);
        else if (step % 6 === 4) {
            await writer.query(`BEGIN; UPDATE ${table} SET v = v + 1 WHERE id = ${id}; UPDATE ${table} SET room = 1 WHERE id = ${id};
                INSERT INTO ${table} VALUES (${100 + step * 4 + index}, ${step}, 1, 'x'); COMMIT`);
        } else {
            await writer.query(
                `INSERT INTO ${table} VALUES (${id}, ${step}, ${room}, 'n') ON CONFLICT (id) DO UPDATE SET v = ${step}, room = ${room}`,
            );
        }
    }
}

function isEqual(left: ReadonlyMap<number, number>, right: ReadonlyMap<number, number>): boolean {
    return left.size === right.size && [...left].every(([key, value]) => right.get(key) === value);
}

describe('a LISTEN of a query', () => {
    test('takes only rows for which the filter is true: NULL is not', async () => {
        const table = await newTable('shared');
        const {events} = await listening(
            `SELECT id, room FROM ${table} WHERE NOT (room = 1) AND (note LIKE 'a%' OR room > 5)`,
        );
        await admin.query(
            `INSERT INTO ${table} VALUES (1, 0, NULL, 'a'), (2, 0, 2, NULL), (3, 0, 7, NULL), (4, 0, 2, 'ab')`,
        );
        await admin.query(`UPDATE ${table} SET room = NULL WHERE id = 3`);
        await admin.query(`UPDATE ${table} SET room = 3 WHERE id IN (1, 2)`);
        await admin.query(`DELETE FROM ${table} WHERE id < 4`);
        await admin.query(`DELETE FROM ${table}`);
        await events.count(7);
        expect(events.changes.map(({op, row, old}) => [op, row, old])).toEqual([
            ['insert', {id: 3, room: 7}, undefined],
            ['insert', {id: 4, room: 2}, undefined],
            ['leave', undefined, {id: 3, room: 7}],
            ['enter', {id: 1, room: 3}, undefined],
            ['delete', undefined, {id: 1, room: 3}],
            ['delete', undefined, {id: 4, room: 2}],
        ]);
    });

    test('of a user table tells each user of their own rows alone, deletes and leaves too', async () => {
        const table = await newTable('user');
        const query = `SELECT id, v FROM ${table} WHERE v > 0`;
        const {events: anns} = await listening(query, 'ann');
        const {events: bens} = await listening(query, 'ben');
        const ann = await connected('ann');
        const ben = await connected('ben');
        await ann.query(`INSERT INTO ${table} VALUES (1, 1), (2, 2)`);
        await ben.query(`INSERT INTO ${table} VALUES (1, 10)`);
        await ann.query(`UPDATE ${table} SET v = 0 WHERE id = 1`);
        await ben.query(`DELETE FROM ${table}`);
        await ann.query(`DELETE FROM ${table}`);
        await anns.count(5);
        await bens.count(3);
        expect(anns.changes.map(({op, row, old}) => [op, row ?? old])).toEqual([
            ['insert', {id: 1, v: 1}],
            ['insert', {id: 2, v: 2}],
            ['leave', {id: 1, v: 1}],
            ['delete', {id: 2, v: 2}],
        ]);
        expect(bens.changes.map(({op, row, old}) => [op, row ?? old])).toEqual([
            ['insert', {id: 1, v: 10}],
            ['delete', {id: 1, v: 10}],
        ]);
    });

    test('tells a session of its own changes, and delivers nothing until its transaction ends', async () => {
        const table = await newTable('shared');
        const query = `SELECT id, v FROM ${table}`;
        const {client, events} = await listening(query);
        await client.query('BEGIN');
        await client.query(`INSERT INTO ${table} VALUES (1, 1)`);
        await admin.query(`INSERT INTO ${table} VALUES (2, 2)`);
        await client.query('SELECT pg_sleep(0.2)');
        expect(events.ops).toEqual(['ready']);
        await client.query('COMMIT');
        await events.count(3);
        expect(events.changes.map(({row}) => row)).toEqual([
            {id: 2, v: 2},
            {id: 1, v: 1},
        ]);
    });

    test('within a transaction begins at its commit, and not at all when that is rolled back', async () => {
        const table = await newTable('shared');
        const query = `SELECT id, v FROM ${table}`;
        const client = await connected('ann');
        const seen: string[] = [];
        client.on('notification', ({payload}) => seen.push(payload ?? ''));
        await client.query('BEGIN');
        await client.query(`LISTEN ${quoted(query)}`);
        await client.query('ROLLBACK');
        await admin.query(`INSERT INTO ${table} VALUES (1, 1)`);
        expect(await liveQueries()).toBe(0);
        await client.query('BEGIN');
        await client.query(`LISTEN ${quoted(query)}`);
        await admin.query(`INSERT INTO ${table} VALUES (2, 2)`);
        await client.query(`INSERT INTO ${table} VALUES (3, 3)`);
        await client.query('COMMIT');
        await admin.query(`INSERT INTO ${table} VALUES (4, 4)`);
        await client.query('SELECT pg_sleep(0.1)');
        expect(
            seen.map((payload) => JSON.parse(payload) as {op: string; row?: unknown}).map(({op, row}) => [op, row]),
        ).toEqual([
            ['ready', undefined],
            ['insert', {id: 3, v: 3}],
            ['insert', {id: 4, v: 4}],
        ]);
    });

    test('in the transaction that creates the table begins at its commit', async () => {
        const client = await connected();
        const seen: string[] = [];
        client.on('notification', ({payload}) => seen.push(payload ?? ''));
        await client.query(
            'BEGIN; CREATE TABLE fresh (id int PRIMARY KEY, v int); LISTEN "SELECT id, v FROM fresh"; COMMIT',
        );
        await admin.query('INSERT INTO fresh VALUES (1, 1)');
        await client.query('SELECT pg_sleep(0.1)');
        expect(seen.map((payload) => (JSON.parse(payload) as {op: string}).op)).toEqual(['ready', 'insert']);
        await admin.query('DROP TABLE fresh');
    });

    test('repeated changes nothing; UNLISTEN and UNLISTEN * end it', async () => {
        const table = await newTable('shared');
        const query = `SELECT id, v FROM ${table}`;
        const {client, events} = await listening(query);
        await client.query(`LISTEN ${quoted(query)}`);
        await admin.query(`INSERT INTO ${table} VALUES (1, 1)`);
        await events.count(2);
        expect(events.ops).toEqual(['ready', 'insert']);
        await client.query(`UNLISTEN ${quoted(query)}`);
        expect(await liveQueries()).toBe(0);
        await admin.query(`INSERT INTO ${table} VALUES (2, 2)`);
        await client.query(`LISTEN ${quoted(query)}`);
        await client.query(`LISTEN ${quoted(`${query} WHERE v > 5`)}`);
        await client.query('LISTEN plain');
        expect(await liveQueries()).toBe(2);
        await admin.query(`INSERT INTO ${table} VALUES (3, 3)`);
        await events.count(4);
        expect(events.ops).toEqual(['ready', 'insert', 'ready', 'insert']);
        await client.query('BEGIN; UNLISTEN *; ROLLBACK');
        expect(await liveQueries()).toBe(2);
        await client.query('UNLISTEN *');
        expect(await liveQueries()).toBe(0);
        await admin.query(`INSERT INTO ${table} VALUES (4, 4)`);
        await client.query('SELECT pg_sleep(0.1)');
        expect(events.all.length).toBe(4);
        await client.query(`LISTEN ${quoted(query)}`);
        await client.query('DISCARD ALL');
        expect(await liveQueries()).toBe(0);
    });

    test('has the whole text as its channel, however long, and payloads longer than those of NOTIFY', async () => {
        const table = await newTable('shared');
        const list = Array.from({length: 400}, (_, index) => String(index)).join(', ');
        const query = `SELECT id, note AS "Long ""Note""" FROM ${table} WHERE id IN (${list}) AND note <> 'it''s "quoted"'`;
        expect(query.length).toBeGreaterThan(1800);
        const {client, events} = await listening(query);
        const note = 'é'.repeat(50_000);
        await admin.query(`INSERT INTO ${table} VALUES (1, 1, 1, $1)`, [note]);
        await events.count(2);
        expect(events.changes[0]?.row).toEqual({id: 1, 'Long "Note"': note});
        await expect(client.query(`SELECT pg_notify('c', repeat('x', 8000))`)).rejects.toMatchObject({code: '22023'});
        await expect(client.query(`NOTIFY c, '${'x'.repeat(8000)}'`)).rejects.toMatchObject({code: '22023'});
        await client.query(`UNLISTEN ${quoted(query)}`);
        expect(await liveQueries()).toBe(0);
    });

    test.each([
        ['SELECT * FROM nowhere', '42P01'],
        ['SELECT nothing FROM t1', '42703'],
        ['SELECT id FROM t1 WHERE', '42601'],
        ['SELECT id FROM t1; SELECT 1', '42601'],
        ['SELECT count(*) FROM t1', '0A000'],
        ['SELECT a.id FROM t1 a JOIN t1 b ON a.id = b.id', '0A000'],
        ['SELECT id FROM t1 ORDER BY id', '0A000'],
        ['SELECT id FROM t1 WHERE v > $1', '0A000'],
        ['SELECT id FROM t1 WHERE now() > now()', '0A000'],
        ['SELECT id FROM t1 FOR UPDATE', '0A000'],
        ['SELECT 1', '0A000'],
    ])('refuses %s', async (query, code) => {
        const client = await connected();
        await expect(client.query(`LISTEN ${quoted(query)}`)).rejects.toMatchObject({code});
        expect(await liveQueries()).toBe(0);
    });
});

async function liveQueries(): Promise<number> {
    const {rows} = await admin.query('SELECT id FROM system.live_queries');
    return rows.length;
}
