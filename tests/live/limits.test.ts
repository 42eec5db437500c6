/** Resuming, slow consumers and many live queries on a running server. */
import type {Socket} from 'node:net';
import type {Client} from 'pg';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {liveRowsOf, replay} from '../support/live-replay.ts';
import {startTidewire, type TidewireServer} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';
import {cancel, listen, quoted, subscribe, type Subscription} from './live-client.ts';

let server: TidewireServer;
let admin: Client;
const clients: Client[] = [];

beforeAll(async () => {
    server = await startTidewire({settings: {live_queue_bytes_max: '256kB'}});
    admin = await server.connectPg();
    // The first DDL of a server waits for its twin.
    await admin.query('CREATE TABLE warm (id int)');
}, 90_000);

afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
    await waitUntil('no live query', 8000, async () => (await liveQueries()) === 0);
});

afterAll(async () => {
    await admin?.end();
    await server?.remove();
});

async function connected(): Promise<Client> {
    const client = await server.connectPg();
    client.on('error', () => undefined);
    clients.push(client);
    return client;
}

async function liveQueries(): Promise<number> {
    return (await admin.query('SELECT id FROM system.live_queries')).rows.length;
}

function socketOf(client: Client): Socket {
    return (client as unknown as {connection: {stream: Socket}}).connection.stream;
}

async function resumed(query: string, fromSeq: string | undefined): Promise<Subscription> {
    return await subscribe(await connected(), query, `WITH (from_seq = ${fromSeq})`);
}

describe('a live query that resumes', () => {
    test('gets exactly what it missed, from every event', async () => {
        await admin.query(
            'CREATE TABLE missed (id int PRIMARY KEY, v int); INSERT INTO missed SELECT g, g FROM generate_series(1, 5) g',
        );
        const query = 'SELECT id, v FROM missed WHERE v > 2';
        const whole = await subscribe(await connected(), query);
        await admin.query('UPDATE missed SET v = v - 1');
        await admin.query('BEGIN; DELETE FROM missed WHERE id = 5; INSERT INTO missed VALUES (6, 60), (7, 70); COMMIT');
        await admin.query('BEGIN; TRUNCATE missed; INSERT INTO missed VALUES (1, 100), (2, 200); COMMIT');
        await admin.query('ALTER TABLE missed ADD COLUMN other int');
        await admin.query('ALTER TABLE missed ALTER COLUMN other TYPE text');
        await admin.query('UPDATE missed SET v = v + 1');
        await admin.query('CREATE TABLE beside (id int); INSERT INTO beside VALUES (1)');
        await admin.query('TRUNCATE missed');
        await admin.query('INSERT INTO missed VALUES (9, 9)');
        const {events} = whole;
        await events.has('the last insert', () => events.all.at(-1)?.row?.['id'] === 9);
        const from = events.ops.indexOf('ready');
        for (let at = from; at < events.all.length; at++) {
            const again = await resumed(query, events.all[at]?._seq);
            const expected = events.lines.slice(at + 1);
            await again.events.count(expected.length + 1);
            expect(again.events.lines.slice(1)).toEqual(expected);
            expect(again.events.all[0]).toEqual({op: 'ready', _seq: events.all[at]?._seq});
            await clients.pop()?.end();
        }
    }, 40_000);

    test('goes on live after what it missed, with writers going on', async () => {
        await admin.query('CREATE TABLE busy (id int PRIMARY KEY, v int)');
        const query = 'SELECT id, v FROM busy';
        const stop = new AbortController();
        const writer = await connected();
        const written = (async (): Promise<void> => {
            for (let step = 0; !stop.signal.aborted; step++) {
                await writer.query(
                    `INSERT INTO busy VALUES (${step % 50}, ${step}) ON CONFLICT (id) DO UPDATE SET v = ${step}`,
                );
            }
        })();
        const all: Subscription['events']['all'] = [];
        let from: string | undefined;
        for (let run = 0; run < 20; run++) {
            const client = await connected();
            const part = await subscribe(client, query, from === undefined ? '' : `WITH (from_seq = ${from})`);
            await part.events.count(10);
            await cancel(server, client);
            await part.finished;
            all.push(...part.events.all);
            from = part.events.lastSeq;
        }
        stop.abort();
        await written;
        const last = await resumed(query, from);
        const {rows} = await admin.query({text: query, rowMode: 'array'});
        const expected = liveRowsOf(rows as string[][]);
        await last.events.has('the rows', () => {
            const held = replay(new Map(), [...all, ...last.events.all]);
            return held.size === expected.size && [...held].every(([key, value]) => expected.get(key) === value);
        });
    }, 40_000);

    test('is refused with 55000 where the changes are not kept, or the table was another one', async () => {
        await admin.query('CREATE TABLE first (id int)');
        const {client, events} = await listen(server, 'SELECT id FROM first');
        clients.push(client);
        const seq = events.lastSeq;
        await admin.query('CREATE TABLE second (id int); INSERT INTO second VALUES (1)');
        for (const [query, from] of [
            ['first', '0'],
            ['second', seq],
        ] as const) {
            const refused = await resumed(query, from);
            await refused.finished;
            expect(refused.error).toMatchObject({code: '55000'});
            expect(refused.error?.hint).toContain('snapshot');
        }
        await admin.query('ALTER TABLE first RENAME TO third; ALTER TABLE second RENAME TO first');
        const renamed = await resumed('first', seq);
        await renamed.finished;
        expect(renamed.error).toMatchObject({code: '55000'});
    });
});

describe('a consumer that does not read', () => {
    test('of a COPY is ended with a resumable error, and the writer does not wait for it', async () => {
        await admin.query('CREATE TABLE wide (id int PRIMARY KEY, note text)');
        await writeMuch();
        await admin.query('TRUNCATE wide');
        const aloneMs = await writeMuch();
        await admin.query('TRUNCATE wide');
        const slow = await connected();
        const subscription = await subscribe(slow, 'wide');
        socketOf(slow).pause();
        const tookMs = await writeMuch();
        await waitUntil('the cut', 8000, async () => (await liveQueries()) === 0);
        socketOf(slow).resume();
        await subscription.finished;
        expect(subscription.error).toMatchObject({code: '54000', message: 'the live query fell behind and was ended'});
        const {events} = subscription;
        expect(subscription.error?.hint).toContain(`from_seq = ${events.lastSeq} `);
        const rest = await resumed('wide', events.lastSeq);
        await rest.events.has('the last row', () => rest.events.all.at(-1)?.row?.['id'] === 4000);
        const ids = [...events.changes, ...rest.events.changes].map(({row}) => row?.['id']);
        expect(ids).toEqual(Array.from({length: 4000}, (_, index) => index + 1));
        // Generous: the machine may be busy. A writer that waits would wait for ever.
        expect(tookMs).toBeLessThan(3 * aloneMs + 2000);
    }, 60_000);

    test('of LISTEN gets an error event that says where to resume, and keeps its connection', async () => {
        await admin.query('TRUNCATE wide');
        const {client, events} = await listen(server, 'SELECT id FROM wide WHERE note IS NOT NULL');
        clients.push(client);
        await client.query('BEGIN');
        await writeMuch();
        await waitUntil('the cut', 8000, async () => (await liveQueries()) === 0);
        await client.query('COMMIT');
        await events.has('the error', () => events.ops.at(-1) === 'error');
        const error = events.all.at(-1);
        expect(error).toMatchObject({code: '54000', _seq: events.all.at(-2)?._seq});
        const ids = events.changes.slice(0, -1).map(({row}) => row?.['id']);
        expect(ids).toEqual(ids.map((_, index) => index + 1));
        const rest = await resumed('wide', error?._seq);
        await rest.events.count(4000 - ids.length + 1);
        await client.query(`LISTEN ${quoted('SELECT id FROM wide WHERE note IS NOT NULL')}`);
        expect(await liveQueries()).toBe(2);
    }, 60_000);

    test('of LISTEN that does not even read its socket is told so when it reads again', async () => {
        await admin.query('TRUNCATE wide');
        const {client, events} = await listen(server, 'SELECT * FROM wide');
        clients.push(client);
        socketOf(client).pause();
        await writeMuch();
        await waitUntil('the cut', 8000, async () => (await liveQueries()) === 0);
        socketOf(client).resume();
        await events.has('the error', () => events.ops.at(-1) === 'error');
        expect(events.all.at(-1)).toMatchObject({code: '54000', _seq: events.all.at(-2)?._seq});
        expect((await client.query('SELECT 1 AS one')).rows).toEqual([{one: 1}]);
    }, 60_000);

    test('while its snapshot is sent loses nothing of what comes meanwhile', async () => {
        await admin.query('TRUNCATE wide');
        await writeMuch();
        await admin.query(`CALL system.flush('wide')`);
        const slow = await connected();
        const opening = subscribe(slow, 'wide');
        socketOf(slow).pause();
        await admin.query('UPDATE wide SET note = note || 1 WHERE id % 2 = 0');
        await admin.query('DELETE FROM wide WHERE id % 4 = 0');
        socketOf(slow).resume();
        const {events} = await opening;
        await events.has(
            'all deletes',
            () =>
                events.ops.filter((op) => op === 'delete' || op === 'snapshot').length >= 4000 && held().size === 3000,
        );
        function held(): Map<number, number> {
            const keyed = events.all.map((event) => ({
                ...event,
                ...(event.row === undefined ? {} : {row: {id: event.row['id'], v: 0}}),
                ...(event.old === undefined ? {} : {old: {id: event.old['id'], v: 0}}),
            }));
            return new Map(replay(new Map(), keyed));
        }
    }, 60_000);
});

/** 4,000 rows of 5 kB, 40 transactions: more than sockets hold. Returns how long it took. */
async function writeMuch(): Promise<number> {
    const began = performance.now();
    for (let step = 0; step < 40; step++) {
        await admin.query(
            `INSERT INTO wide SELECT g, repeat('x', 5000) FROM generate_series(${step * 100 + 1}, ${step * 100 + 100}) g`,
        );
    }
    return performance.now() - began;
}

test('1,000 live queries on one table by key: a write reaches its own and costs what it touches', async () => {
    await admin.query('CREATE TABLE rooms (id int PRIMARY KEY, room int, v int)');
    const seen = new Map<string, string[]>();
    const queries = Array.from({length: 1000}, (_, room) => `SELECT id, v FROM rooms WHERE room = ${room}`);
    for (let part = 0; part < 5; part++) {
        const client = await connected();
        client.on('notification', ({channel, payload}) => {
            const list = seen.get(channel) ?? [];
            list.push(payload ?? '');
            seen.set(channel, list);
        });
        for (const query of queries.slice(part * 200, part * 200 + 200)) await client.query(`LISTEN ${quoted(query)}`);
    }
    expect(await liveQueries()).toBe(1000);
    const began = performance.now();
    for (let id = 0; id < 1000; id++)
        await admin.query('INSERT INTO rooms VALUES ($1, $2, $3)', [id, (id * 7) % 1000, id]);
    const tookMs = performance.now() - began;
    await admin.query('UPDATE rooms SET room = 1 WHERE room = 0');
    await waitUntil(
        'all events',
        10_000,
        () => [...seen.values()].every((list) => list.length >= 2) && seen.get(queries[1] ?? '')?.length === 3,
    );
    const ops = (room: number): string[] =>
        (seen.get(queries[room] ?? '') ?? []).map((json) => (JSON.parse(json) as {op: string}).op);
    expect(ops(0)).toEqual(['ready', 'insert', 'leave']);
    expect(ops(1)).toEqual(['ready', 'insert', 'enter']);
    expect(ops(999)).toEqual(['ready', 'insert']);
    expect(tookMs).toBeLessThan(10_000);
}, 60_000);

test('a session has a limit of live queries, and the error says so', async () => {
    const client = await connected();
    const listens = Array.from({length: 1000}, (_, room) => `LISTEN "SELECT id FROM rooms WHERE room = ${-room}"`);
    await client.query(listens.join(';'));
    await expect(client.query('LISTEN "SELECT v FROM rooms"')).rejects.toMatchObject({code: '53400'});
    await client.query('UNLISTEN *');
    await client.query('LISTEN "SELECT v FROM rooms"');
    expect(await liveQueries()).toBe(1);
}, 30_000);

test('after a restart of the server a live query resumes only where nothing is missing', async () => {
    await admin.query('CREATE TABLE kept (id int PRIMARY KEY)');
    const {client, events} = await listen(server, 'SELECT id FROM kept');
    await admin.query('INSERT INTO kept VALUES (1)');
    await events.count(2);
    const seen = events.lastSeq;
    await admin.query('INSERT INTO kept VALUES (2)');
    await events.count(3);
    const last = events.lastSeq;
    const ended: (Error & {code?: string})[] = [];
    client.on('error', (error) => ended.push(error));
    admin.on('error', () => undefined);
    await server.restart();
    expect(ended[0]?.code).toBe('57P01');
    admin = await server.connectPg();
    const refused = await resumed('kept', seen);
    await refused.finished;
    expect(refused.error).toMatchObject({code: '55000'});
    const uninterrupted = await resumed('kept', last);
    await admin.query('INSERT INTO kept VALUES (3)');
    await uninterrupted.events.count(2);
    expect(uninterrupted.events.changes.map(({row}) => row)).toEqual([{id: 3}]);
}, 60_000);
