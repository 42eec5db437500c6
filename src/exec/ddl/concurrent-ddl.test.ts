/**
 * DDL beside other sessions, on many rows, and what it leaves behind.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import pg from 'pg';
import {pino} from 'pino';
import {afterAll, beforeAll, describe, expect, it, vi} from 'vitest';
import {indexRange, tableRange} from '../../../storage/hot/keys.ts';
import {Database} from '../../database.ts';
import type {RunningServer} from '../../cli/command-line.ts';
import {loadSettings} from '../../config/load-settings.ts';
import {startServer} from '../../server.ts';

let directory: string;
let server: RunningServer;
let database: Database;

async function start(): Promise<void> {
    const settings = loadSettings([`--data=${join(directory, 'data')}`, '--port=0'], {});
    // The server does not hand out its database: caught on its way.
    const opened = vi.spyOn(Database, 'open');
    server = await startServer(settings, pino({level: 'error'}));
    database = await (opened.mock.results[0]?.value as Promise<Database>);
    opened.mockRestore();
}

async function restart(): Promise<void> {
    await server.stop();
    await start();
}

const clients: pg.Client[] = [];

async function connect(): Promise<pg.Client> {
    const client = new pg.Client({host: '127.0.0.1', port: server.port, user: 'tidewire', database: 'tidewire'});
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
}

async function rows(client: pg.Client, sql: string): Promise<unknown[][]> {
    return (await client.query<unknown[]>({text: sql, rowMode: 'array'})).rows;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
    try {
        await work;
        return 'none';
    } catch (error) {
        return (error as {code: string}).code;
    }
}

/** Resolves to what the promise came to within the time, or 'pending'. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | 'pending'> {
    return await Promise.race([work, sleep(ms).then(() => 'pending' as const)]);
}

/** Rows and index entries in LevelDB whose ids the catalog does not have. */
async function leftovers(): Promise<number> {
    const known = new Set<number>();
    for (const table of database.catalog.tables()) {
        known.add(table.tableId);
        for (const index of table.indexes) known.add(index.indexId);
    }
    let count = 0;
    for (let id = 1; id < database.ddl.ids.firstFree; id++) {
        if (known.has(id)) continue;
        for (const range of [tableRange(id), indexRange(id)]) {
            for await (const page of database.hot.pages(range, 1000)) count += page.length;
        }
    }
    return count;
}

async function settled(): Promise<void> {
    for (let i = 0; i < 20 && (await leftovers()) > 0; i++) await sleep(250);
    expect(await leftovers()).toBe(0);
}

beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidewire-ddl-'));
    await start();
});

afterAll(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    await server.stop();
    await rm(directory, {recursive: true, force: true});
});

describe('DDL beside other sessions', () => {
    it('waits for writers, holds up later ones, and these go on over the new table', async () => {
        const [a, b, c] = [await connect(), await connect(), await connect()];
        await a.query('CREATE TABLE w (id int PRIMARY KEY, n int)');
        await a.query('BEGIN');
        await a.query('INSERT INTO w VALUES (1, 1)');
        const altering = b.query(`ALTER TABLE w ADD COLUMN t text DEFAULT 'd'`);
        expect(await within(150, altering)).toBe('pending');
        // Who wrote already goes on writing; who comes later waits.
        await a.query('INSERT INTO w VALUES (2, 2)');
        const later = c.query('INSERT INTO w (id, n) VALUES (3, 3) RETURNING *');
        expect(await within(150, later)).toBe('pending');
        // Readers do not wait.
        expect(await rows(await connect(), 'SELECT count(*) FROM w')).toEqual([['0']]);
        await a.query('COMMIT');
        await altering;
        expect((await later).rows).toEqual([{id: 3, n: 3, t: 'd'}]);
        const expected = [1, 2, 3].map((i) => [i, i, 'd']);
        expect(await rows(a, 'SELECT * FROM w ORDER BY id')).toEqual(expected);
        await restart();
        expect(await rows(await connect(), 'SELECT * FROM w ORDER BY id')).toEqual(expected);
    });

    it('lets a blocked INSERT and a prepared UPDATE go on', async () => {
        const [a, b] = [await connect(), await connect()];
        await a.query('CREATE TABLE g (id int PRIMARY KEY, n int)');
        await a.query('INSERT INTO g VALUES (1, 1)');
        const update = {name: 'u', text: 'UPDATE g SET n = n + $1 WHERE id = 1'};
        await b.query(update, [1]);
        await a.query('BEGIN');
        await a.query('ALTER TABLE g ALTER COLUMN n TYPE bigint');
        const insert = b.query('INSERT INTO g VALUES (2, 2)');
        expect(await within(100, insert)).toBe('pending');
        await a.query('COMMIT');
        await insert;
        await b.query(update, [1]);
        await a.query('BEGIN');
        await a.query('ALTER TABLE g ADD COLUMN x int');
        const updating = b.query(update, [1]);
        expect(await within(100, updating)).toBe('pending');
        await a.query('ROLLBACK');
        await updating;
        expect(await rows(a, 'SELECT * FROM g ORDER BY id')).toEqual([
            [1, '4'],
            [2, '2'],
        ]);
        await a.query('DROP TABLE g');
        expect(await codeOf(b.query(update, [1]))).toBe('42P01');
        await settled();
    });

    it('finds deadlocks between DDL and writers', async () => {
        const [a, b] = [await connect(), await connect()];
        await a.query('CREATE TABLE d1 (id int PRIMARY KEY)');
        await a.query('CREATE TABLE d2 (id int PRIMARY KEY)');
        await a.query('BEGIN');
        await a.query('INSERT INTO d1 VALUES (1)');
        await b.query('BEGIN');
        await b.query('INSERT INTO d2 VALUES (1)');
        const first = codeOf(a.query('ALTER TABLE d2 ADD COLUMN x int'));
        await sleep(100);
        const second = codeOf(b.query('ALTER TABLE d1 ADD COLUMN x int'));
        expect(await second).toBe('40P01');
        await b.query('ROLLBACK');
        expect(await first).toBe('none');
        await a.query('COMMIT');
        await a.query('SET lock_timeout = 50');
        await b.query('BEGIN');
        await b.query('INSERT INTO d1 VALUES (5)');
        expect(await codeOf(a.query('DROP TABLE d1'))).toBe('55P03');
        await b.query('COMMIT');
        await a.query('DROP TABLE d1, d2');
        await settled();
    });

    it('adds a primary key and indexes to many rows', async () => {
        const a = await connect();
        await a.query('CREATE TABLE many (id int, n int, t text)');
        const times: Record<string, number> = {};
        const filledMs = performance.now();
        await a.query(`INSERT INTO many SELECT i, i % 1000, 'row ' || i FROM generate_series(1, 100000) AS i`);
        times['INSERT'] = Math.round(performance.now() - filledMs);
        for (const sql of [
            'ALTER TABLE many ADD PRIMARY KEY (id)',
            'CREATE INDEX many_n ON many (n)',
            'CREATE UNIQUE INDEX many_t ON many (t)',
            'ALTER TABLE many ALTER COLUMN n TYPE bigint',
            'ALTER TABLE many ALTER COLUMN t SET NOT NULL',
            'ALTER TABLE many ADD COLUMN s serial',
        ]) {
            const startedMs = performance.now();
            await a.query(sql);
            times[sql] = Math.round(performance.now() - startedMs);
        }
        for (const [sql, ms] of Object.entries(times)) expect(ms, sql).toBeLessThan(20_000);
        expect(await rows(a, 'SELECT t FROM many WHERE id = 77777')).toEqual([['row 77777']]);
        expect(await rows(a, `SELECT id FROM many WHERE t = 'row 5'`)).toEqual([[5]]);
        expect(await rows(a, 'SELECT count(*), sum(id), sum(n), count(DISTINCT s) FROM many WHERE n >= 0')).toEqual([
            ['100000', '5000050000', '49950000', '100000'],
        ]);
        expect(await rows(a, 'SELECT count(*) FROM many WHERE n = 7')).toEqual([['100']]);
        expect(await codeOf(a.query('INSERT INTO many (id, t) VALUES (77777, $$x$$)'))).toBe('23505');
        expect(await codeOf(a.query('INSERT INTO many (id, t) VALUES (200000, $$row 9$$)'))).toBe('23505');
        await settled();
        await restart();
        const b = await connect();
        expect(await rows(b, 'SELECT t FROM many WHERE id = 77777')).toEqual([['row 77777']]);
        expect(await rows(b, 'SELECT count(*) FROM many WHERE n = 7')).toEqual([['100']]);
        expect(await codeOf(b.query('INSERT INTO many (id, t) VALUES (200000, $$row 9$$)'))).toBe('23505');
        await b.query('BEGIN');
        await b.query('ALTER TABLE many DROP CONSTRAINT many_pkey');
        await b.query('CREATE INDEX many_s ON many (s)');
        await b.query('ROLLBACK');
        await settled();
        await b.query('DROP TABLE many');
        await settled();
    }, 120_000);

    it('converts through PostgreSQL what is not compiled', async () => {
        const a = await connect();
        await a.query('CREATE TABLE conv (id int PRIMARY KEY, t text)');
        await a.query(`INSERT INTO conv VALUES (2, '{"a": [1, 2]}'), (1, '{"a": [3]}')`);
        await a.query(`CREATE DOMAIN small AS text CHECK (length(VALUE) < 20)`);
        await a.query('ALTER TABLE conv ALTER COLUMN t TYPE small');
        await a.query(`ALTER TABLE conv ALTER COLUMN t TYPE int USING json_array_length(t::json->'a')`);
        expect(await rows(a, 'SELECT * FROM conv ORDER BY id')).toEqual([
            [1, 1],
            [2, 2],
        ]);
        expect(
            await codeOf(a.query(`ALTER TABLE conv ALTER COLUMN t TYPE int USING json_array_length(t::text::json)`)),
        ).toBe('22023');
        await a.query('DROP TABLE conv');
        await a.query('DROP DOMAIN small');
        await settled();
    });

    it('keeps storages and refuses what it cannot open', async () => {
        const a = await connect();
        await a.query(`CREATE STORAGE cold TYPE 'filesystem' WITH (path = '/var/empty/cold')`);
        expect(await codeOf(a.query(`CREATE STORAGE cold TYPE 'filesystem' WITH (path = '/x')`))).toBe('42710');
        expect(await codeOf(a.query(`CREATE STORAGE s TYPE 's3' WITH (bucket = 'b')`))).toBe('0A000');
        expect(await codeOf(a.query(`CREATE TABLE st (a int) WITH (storage = 'cold')`))).toBe('0A000');
        expect(await codeOf(a.query(`CREATE TABLE st (a int) WITH (storage = 'nowhere')`))).toBe('42704');
        await restart();
        const b = await connect();
        expect(await rows(b, `SELECT spcname FROM pg_tablespace WHERE spcname = 'cold'`)).toEqual([['cold']]);
        await b.query('BEGIN');
        await b.query('DROP STORAGE cold');
        await b.query('ROLLBACK');
        await b.query('DROP STORAGE cold');
        expect(await rows(b, `SELECT spcname FROM pg_tablespace WHERE spcname = 'cold'`)).toEqual([]);
    });

    it('keeps roles and lets only superusers and owners in', async () => {
        const a = await connect();
        await a.query(`CREATE ROLE ann LOGIN PASSWORD 'secret'`);
        await a.query('CREATE TABLE own (a int)');
        const ann = new pg.Client({
            host: '127.0.0.1',
            port: server.port,
            user: 'ann',
            password: 'secret',
            database: 'tidewire',
        });
        await ann.connect();
        expect(await codeOf(ann.query('DROP TABLE own'))).toBe('42501');
        expect(await codeOf(ann.query('TRUNCATE own'))).toBe('42501');
        expect(await codeOf(ann.query(`CREATE STORAGE s TYPE 'filesystem' WITH (path = '/x')`))).toBe('42501');
        await a.query('GRANT CREATE ON SCHEMA public TO ann');
        await ann.query(`CREATE TABLE mine (id int) WITH (type = 'user')`);
        await ann.query('INSERT INTO mine VALUES (1)');
        expect(await codeOf(ann.query('TRUNCATE mine'))).toBe('42501');
        await a.query('TRUNCATE mine');
        expect(await rows(ann, 'SELECT * FROM mine')).toEqual([]);
        expect(await codeOf(ann.query(`ALTER TABLE mine SET (type = 'shared')`))).toBe('0A000');
        await ann.end();
        await a.query('DROP TABLE own, mine');
        await a.query('REVOKE CREATE ON SCHEMA public FROM ann');
        await a.query('DROP ROLE ann');
    });
});
