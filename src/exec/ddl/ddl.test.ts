/**
 * DDL against the whole server, compared statement by statement with PostgreSQL: rows, tags, SQLSTATE, messages and
 * details. After each script the server is restarted and must say the same of the tables that are left.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PGlite} from '@electric-sql/pglite';
import pg from 'pg';
import {pino} from 'pino';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {RunningServer} from '../../cli/command-line.ts';
import {loadSettings} from '../../config/load-settings.ts';
import {startServer} from '../../server.ts';

let directory: string;
let server: RunningServer;
let oracle: PGlite;

async function start(): Promise<void> {
    const settings = loadSettings([`--data=${join(directory, 'data')}`, '--port=0'], {});
    server = await startServer(settings, pino({level: 'error'}));
}

async function restart(): Promise<void> {
    await server.stop();
    await start();
}

async function connect(): Promise<pg.Client> {
    const client = new pg.Client({host: '127.0.0.1', port: server.port, user: 'tidewire', database: 'tidewire'});
    await client.connect();
    return client;
}

beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidewire-ddl-'));
    [oracle] = await Promise.all([PGlite.create(), start()]);
}, 60_000);

afterAll(async () => {
    await server.stop();
    await oracle.close();
    await rm(directory, {recursive: true, force: true});
});

type Outcome = readonly unknown[];

const plain = {getTypeParser: () => (text: string) => text} as unknown as pg.CustomTypesConfig;

async function here(client: pg.Client, sql: string): Promise<Outcome> {
    try {
        const result = await client.query({text: sql, rowMode: 'array', types: plain});
        return [result.command, result.rows];
    } catch (error) {
        return errorOutcome(error);
    }
}

async function there(sql: string): Promise<Outcome> {
    try {
        const parsers = Object.fromEntries(OIDS.map((oid) => [oid, (text: string) => text]));
        const result = await oracle.query(sql, [], {rowMode: 'array', parsers});
        return [undefined, result.rows];
    } catch (error) {
        return errorOutcome(error);
    }
}

const OIDS = [16, 17, 20, 21, 23, 25, 700, 701, 1043, 1082, 1114, 1184, 1700, 2950, 1007, 1009, 114, 3802];

function errorOutcome(error: unknown): Outcome {
    const fields = error as Record<string, unknown>;
    if (fields['code'] === undefined) throw error;
    return [
        'ERROR',
        fields['code'],
        fields['message'],
        fields['detail'] ?? undefined,
        fields['constraint'] ?? undefined,
    ];
}

/** Runs the statements on both; the outcomes must be the same. */
async function same(...statements: string[]): Promise<void> {
    const client = await connect();
    try {
        for (const sql of statements) {
            const [ours, theirs] = [await here(client, sql), await there(sql)];
            if (ours[0] === 'ERROR' || theirs[0] === 'ERROR') expect(ours, sql).toEqual(theirs);
            else expect(ours[1], sql).toEqual(theirs[1]);
        }
    } finally {
        await client.end();
    }
}

/** All rows of a table, in order of all columns: the same here, there, and here after a restart. */
async function sameRows(...tables: string[]): Promise<void> {
    const queries = tables.map((table) => `SELECT t::text FROM ${table} AS t ORDER BY 1`);
    await same(...queries);
    await restart();
    await same(...queries);
}

/** On both, without comparing: the order of names in details is PostgreSQL's hash order. */
async function onBoth(sql: string): Promise<void> {
    const client = await connect();
    await client.query(sql);
    await client.end();
    await oracle.query(sql);
}

async function flush(table: string): Promise<void> {
    const client = await connect();
    await client.query(`STORAGE FLUSH TABLE ${table}`);
    await client.end();
}

const seconds = (count: number): number => count * 1000;

describe('DDL', () => {
    it(
        'creates, alters and drops tables as PostgreSQL does',
        async () => {
            await same(
                'CREATE TABLE a (id int PRIMARY KEY, name text NOT NULL, n int DEFAULT 7)',
                `INSERT INTO a (id, name) VALUES (1, 'one'), (2, 'two')`,
                'ALTER TABLE a ADD COLUMN extra text',
                `ALTER TABLE a ADD COLUMN flag boolean NOT NULL DEFAULT true`,
                'SELECT * FROM a ORDER BY id',
                `INSERT INTO a VALUES (3, 'three', 8, 'x', false)`,
                'ALTER TABLE a DROP COLUMN n',
                'SELECT * FROM a ORDER BY id',
                'ALTER TABLE a RENAME COLUMN name TO title',
                'SELECT title FROM a ORDER BY id',
                'ALTER TABLE a RENAME TO b',
                'SELECT * FROM a',
                'SELECT * FROM b ORDER BY id',
                'CREATE TABLE b (x int)',
                'CREATE TABLE IF NOT EXISTS b (x int)',
                'DROP TABLE missing',
                'DROP TABLE IF EXISTS missing',
            );
            await sameRows('b');
            await same(
                'DROP TABLE b',
                'SELECT * FROM b',
                'CREATE TABLE b (only_column int)',
                'SELECT * FROM b',
                'DROP TABLE b',
            );
        },
        seconds(60),
    );

    it(
        'validates the rows that are there',
        async () => {
            await same(
                'CREATE TABLE v (a int, b int, c text)',
                `INSERT INTO v VALUES (1, 1, 'x'), (1, NULL, 'y'), (2, 3, 'z')`,
                'ALTER TABLE v ALTER COLUMN b SET NOT NULL',
                'ALTER TABLE v ADD PRIMARY KEY (a)',
                'ALTER TABLE v ADD PRIMARY KEY (b)',
                'ALTER TABLE v ADD CONSTRAINT positive CHECK (b > 1)',
                'ALTER TABLE v ADD CONSTRAINT u UNIQUE (a)',
                'CREATE UNIQUE INDEX ui ON v (a)',
                'ALTER TABLE v ADD COLUMN d int NOT NULL',
                'ALTER TABLE v ADD COLUMN d int CHECK (d > 0)',
                'ALTER TABLE v ADD COLUMN e int DEFAULT 0 CHECK (e > 0)',
                'SELECT * FROM v ORDER BY c',
                'UPDATE v SET b = 5 WHERE b IS NULL',
                'ALTER TABLE v ALTER COLUMN b SET NOT NULL',
                'INSERT INTO v VALUES (9, NULL)',
                `UPDATE v SET a = 7 WHERE c = 'y'`,
                'ALTER TABLE v ADD CONSTRAINT u UNIQUE (a)',
                'INSERT INTO v (a, b) VALUES (7, 1)',
                'ALTER TABLE v ADD PRIMARY KEY (c)',
                `INSERT INTO v (a, b, c) VALUES (100, 1, 'x')`,
            );
            await sameRows('v');
            await same(
                `INSERT INTO v (a, b, c) VALUES (7, 1, 'q')`,
                `DELETE FROM v WHERE c = 'y'`,
                `INSERT INTO v (a, b, c) VALUES (7, 1, 'q')`,
                'DROP TABLE v',
            );
        },
        seconds(60),
    );

    it(
        'rewrites rows for new types, keys and volatile defaults',
        async () => {
            await same(
                'CREATE TABLE w (id int, t text, d text)',
                `INSERT INTO w VALUES (1, '10', '2020-01-01'), (2, '20', '2021-02-03'), (3, NULL, NULL)`,
                'ALTER TABLE w ALTER COLUMN t TYPE int',
                'ALTER TABLE w ALTER COLUMN t TYPE int USING t::int',
                'ALTER TABLE w ALTER COLUMN d TYPE date USING d::date',
                'ALTER TABLE w ALTER COLUMN id TYPE bigint',
                'SELECT id, t + 1, d + 1 FROM w ORDER BY id',
                'ALTER TABLE w ADD COLUMN s serial',
                'SELECT count(DISTINCT s), min(s), max(s) FROM w',
                'ALTER TABLE w ADD COLUMN u uuid DEFAULT gen_random_uuid()',
                'SELECT count(DISTINCT u) FROM w',
                'ALTER TABLE w DROP COLUMN u',
                'ALTER TABLE w ADD PRIMARY KEY (id)',
                'SELECT d FROM w WHERE id = 2',
                'INSERT INTO w (id) VALUES (2)',
                'INSERT INTO w (id) VALUES (4)',
                'SELECT s FROM w WHERE id = 4',
                'ALTER TABLE w DROP CONSTRAINT w_pkey',
                'INSERT INTO w (id) VALUES (4)',
                'SELECT count(*) FROM w WHERE id = 4',
                `ALTER TABLE w ALTER COLUMN d TYPE text USING to_char(d, 'DD.MM.YYYY')`,
                'SELECT id, t, d FROM w ORDER BY id, s',
                'ALTER TABLE w ADD COLUMN v varchar(10)',
                `UPDATE w SET v = 'abcdef'`,
                'ALTER TABLE w ALTER COLUMN v TYPE varchar(3)',
                'ALTER TABLE w ALTER COLUMN v TYPE varchar(20)',
                'ALTER TABLE w ALTER COLUMN v TYPE text',
                `CREATE TYPE mood AS ENUM ('sad', 'abcdef')`,
                'ALTER TABLE w ALTER COLUMN v TYPE mood USING v::mood',
                'SELECT v FROM w ORDER BY id LIMIT 1',
            );
            await sameRows('w');
            await same('DROP TABLE w', 'DROP TYPE mood');
        },
        seconds(60),
    );

    it(
        'reads, checks and converts cold rows as hot ones',
        async () => {
            await same(
                'CREATE TABLE cold (id int, t text, n int)',
                `INSERT INTO cold SELECT i, 'v' || i, i * 2 FROM generate_series(1, 500) AS i`,
            );
            await flush('cold');
            await same(
                `INSERT INTO cold VALUES (501, 'v501', 7), (502, 'v501', NULL)`,
                'UPDATE cold SET n = 0 WHERE id = 3',
                'DELETE FROM cold WHERE id = 4',
                'ALTER TABLE cold ADD CONSTRAINT cold_t UNIQUE (t)',
                'ALTER TABLE cold ALTER COLUMN n SET NOT NULL',
                `UPDATE cold SET t = 'v502', n = 1 WHERE id = 502`,
                'ALTER TABLE cold ADD CONSTRAINT cold_t UNIQUE (t)',
                `INSERT INTO cold VALUES (600, 'v77', 1)`,
                `INSERT INTO cold VALUES (4, 'v4', 44)`,
                'ALTER TABLE cold ALTER COLUMN n SET NOT NULL',
                'ALTER TABLE cold ADD CHECK (n < 1000)',
                'ALTER TABLE cold ADD COLUMN extra text DEFAULT $$e$$',
                'SELECT * FROM cold WHERE id IN (3, 4, 5, 501) ORDER BY id',
                'CREATE INDEX cold_n ON cold (n)',
                'SELECT id FROM cold WHERE n = 100',
                'ALTER TABLE cold ADD PRIMARY KEY (id)',
                'INSERT INTO cold VALUES (77, $$q$$, 1)',
                'SELECT t FROM cold WHERE id = 78',
                `INSERT INTO cold VALUES (600, 'v77', 1)`,
            );
            await flush('cold');
            await same(
                'ALTER TABLE cold ALTER COLUMN n TYPE numeric(8,2) USING n / 4.0',
                'SELECT id, t, n FROM cold WHERE id < 6 ORDER BY id',
                'SELECT count(*), sum(n) FROM cold',
                'BEGIN',
                'DELETE FROM cold WHERE id > 490',
                `INSERT INTO cold VALUES (495, 'again', 1)`,
                'ALTER TABLE cold ADD COLUMN more int DEFAULT 5',
                'UPDATE cold SET more = 6 WHERE id = 2',
                'SELECT count(*), sum(more) FROM cold',
                'COMMIT',
                'SELECT count(*), sum(more) FROM cold',
            );
            await sameRows('cold');
            await same('TRUNCATE cold', 'SELECT * FROM cold', 'DROP TABLE cold');
        },
        seconds(60),
    );

    it(
        'is transactional',
        async () => {
            await same(
                'CREATE TABLE base (id int PRIMARY KEY, n int)',
                'INSERT INTO base VALUES (1, 1), (2, 2)',
                'BEGIN',
                'CREATE TABLE inner_one (id serial PRIMARY KEY, t text)',
                `INSERT INTO inner_one (t) VALUES ('a'), ('b')`,
                'SELECT * FROM inner_one ORDER BY id',
                'INSERT INTO base VALUES (3, 3)',
                'UPDATE base SET n = 20 WHERE id = 2',
                'ALTER TABLE base ADD COLUMN extra text DEFAULT $$e$$',
                'SELECT * FROM base ORDER BY id',
                'UPDATE base SET extra = $$changed$$ WHERE id = 3',
                'DELETE FROM base WHERE id = 1',
                'SELECT * FROM base ORDER BY id',
                'ROLLBACK',
                'SELECT * FROM base ORDER BY id',
                'SELECT * FROM inner_one',
                'BEGIN',
                'INSERT INTO base VALUES (3, 3)',
                'SAVEPOINT s',
                'ALTER TABLE base ADD COLUMN extra text DEFAULT $$e$$',
                'INSERT INTO base VALUES (4, 4, $$four$$)',
                'ROLLBACK TO s',
                'SELECT * FROM base ORDER BY id',
                'INSERT INTO base VALUES (5, 5)',
                'ALTER TABLE base ADD COLUMN other int DEFAULT 6',
                'UPDATE base SET other = 7 WHERE id = 5',
                'CREATE TABLE kept AS SELECT id, other FROM base',
                'COMMIT',
                'SELECT * FROM base ORDER BY id',
                'SELECT * FROM kept ORDER BY id',
                'BEGIN',
                'DELETE FROM base WHERE id = 1',
                'INSERT INTO base VALUES (10, 2)',
                'ALTER TABLE base ADD CONSTRAINT unique_n UNIQUE (n)',
                'ROLLBACK',
                'BEGIN',
                'DELETE FROM base WHERE id = 2',
                'INSERT INTO base VALUES (10, 2)',
                'ALTER TABLE base ADD CONSTRAINT unique_n UNIQUE (n)',
                'INSERT INTO base VALUES (11, 11)',
                'COMMIT',
                'INSERT INTO base VALUES (12, 2)',
                'INSERT INTO base VALUES (12, 11)',
                'BEGIN',
                'DROP TABLE kept',
                'SELECT * FROM kept',
                'ROLLBACK',
                'SELECT count(*) FROM kept',
                'BEGIN',
                'UPDATE kept SET other = 0',
                'DROP TABLE kept',
                'COMMIT',
                'SELECT count(*) FROM kept',
            );
            await sameRows('base');
            await same('INSERT INTO base VALUES (12, 11)', 'DROP TABLE base');
        },
        seconds(60),
    );

    it(
        'truncates, also where rows follow in the same transaction',
        async () => {
            await same(
                'CREATE TABLE tr (id serial PRIMARY KEY, n int UNIQUE)',
                'INSERT INTO tr (n) VALUES (1), (2), (3)',
                'BEGIN',
                'INSERT INTO tr (n) VALUES (4)',
                'TRUNCATE tr',
                'SELECT count(*) FROM tr',
                'INSERT INTO tr (n) VALUES (1)',
                'SELECT * FROM tr',
                'ROLLBACK',
                'SELECT n FROM tr ORDER BY n',
                'INSERT INTO tr (n) VALUES (1)',
                'BEGIN',
                'TRUNCATE tr',
                'INSERT INTO tr (n) VALUES (1), (9)',
                'COMMIT',
                'SELECT n FROM tr ORDER BY n',
                'INSERT INTO tr (n) VALUES (9)',
                'TRUNCATE tr RESTART IDENTITY',
                'INSERT INTO tr (n) VALUES (5)',
                'SELECT * FROM tr',
                'BEGIN',
                'TRUNCATE tr RESTART IDENTITY',
                'INSERT INTO tr (n) VALUES (6)',
                'SELECT * FROM tr',
                'ROLLBACK',
                'INSERT INTO tr (n) VALUES (7)',
                'SELECT * FROM tr ORDER BY id',
            );
            await sameRows('tr');
            await same('INSERT INTO tr (n) VALUES (8)', 'SELECT n FROM tr ORDER BY id', 'DROP TABLE tr');
        },
        seconds(60),
    );

    it(
        'changes what other objects depend on',
        async () => {
            await same(
                'CREATE SCHEMA s1',
                'CREATE TABLE s1.t (id serial PRIMARY KEY, n int, m int)',
                'INSERT INTO s1.t (n) VALUES (1), (2)',
                'CREATE VIEW s1.v AS SELECT id, n + 1 AS next FROM s1.t',
                'DROP TABLE s1.t',
                'ALTER TABLE s1.t DROP COLUMN n',
                'ALTER TABLE s1.t ALTER COLUMN n TYPE bigint',
                'ALTER SCHEMA s1 RENAME TO s2',
                'SELECT * FROM s2.v ORDER BY id',
                'INSERT INTO s2.t (n) VALUES (3) RETURNING id',
                `CREATE TYPE s2.color AS ENUM ('red', 'blue')`,
                'BEGIN',
                `ALTER TYPE s2.color ADD VALUE 'green' BEFORE 'blue'`,
                'CREATE TABLE s2.c (c s2.color, d int)',
                'COMMIT',
                `INSERT INTO s2.c VALUES ('blue', 1), ('green', 2), ('red', 3)`,
                'CREATE INDEX ci ON s2.c (c)',
                'SELECT c FROM s2.c ORDER BY c',
                'CREATE DOMAIN s2.positive AS int CHECK (VALUE > 0)',
                'ALTER TABLE s2.c ALTER COLUMN d TYPE s2.positive',
                `INSERT INTO s2.c VALUES ('red', -1)`,
                'UPDATE s2.c SET d = 0',
                'BEGIN',
                'SAVEPOINT a',
                'ALTER TABLE s2.c ADD PRIMARY KEY (d)',
                'INSERT INTO s2.c VALUES ($$red$$, 9)',
                'SAVEPOINT b',
                'ALTER TABLE s2.c DROP CONSTRAINT c_pkey',
                'INSERT INTO s2.c VALUES ($$red$$, 9)',
                'ROLLBACK TO b',
                'INSERT INTO s2.c VALUES ($$red$$, 9)',
                'ROLLBACK TO b',
                'SELECT d FROM s2.c ORDER BY d',
                'ROLLBACK TO a',
                'INSERT INTO s2.c VALUES ($$red$$, 9), ($$red$$, 9)',
                'COMMIT',
                'SELECT d FROM s2.c ORDER BY d',
                'BEGIN',
                'CREATE SEQUENCE sq START 5',
                `SELECT nextval('sq')`,
                'COMMIT',
                'ALTER SEQUENCE sq INCREMENT 10 RESTART 100',
                `SELECT nextval('sq'), nextval('sq')`,
                'BEGIN',
                'ALTER SEQUENCE sq RESTART',
                `SELECT nextval('sq')`,
                'ROLLBACK',
                `SELECT nextval('sq')`,
                'BEGIN',
                'UPDATE s2.t SET m = 1',
                'ALTER TABLE s2.t ALTER COLUMN m SET DEFAULT 3, ALTER COLUMN n SET NOT NULL',
                'ALTER TABLE s2.t RENAME COLUMN m TO mm',
                'INSERT INTO s2.t (n) VALUES (50)',
                'CREATE INDEX ON s2.t (mm)',
                'COMMIT',
                'SELECT * FROM s2.t ORDER BY id',
                'SELECT id FROM s2.t WHERE mm = 3',
                'INSERT INTO s2.t (n) VALUES (60) RETURNING id',
            );
            await sameRows('s2.t', 's2.c', 's2.v');
            await onBoth('DROP SCHEMA s2 CASCADE');
            await same('SELECT * FROM s2.t', 'DROP SEQUENCE sq');
        },
        seconds(60),
    );

    it(
        'makes tables of queries',
        async () => {
            await same(
                'CREATE TABLE src (id int, t varchar(5), n numeric(6,2))',
                `INSERT INTO src VALUES (1, 'a', 1.5), (2, 'b', 2)`,
                'CREATE TABLE c1 AS SELECT id * 2 AS twice, t, n FROM src WHERE id > 1',
                'SELECT * FROM c1',
                'CREATE TABLE c2 (x, y) AS SELECT id, t FROM src WITH NO DATA',
                'SELECT * FROM c2',
                'SELECT id, now() IS NOT NULL AS ok INTO c3 FROM src',
                'SELECT * FROM c3 ORDER BY id',
                'CREATE TABLE c1 AS SELECT 1 AS a',
                'CREATE TABLE IF NOT EXISTS c1 AS SELECT 1 AS a',
                `SELECT column_name, data_type, character_maximum_length, numeric_precision FROM information_schema.columns WHERE table_name IN ('c1', 'c2', 'c3') ORDER BY table_name, ordinal_position`,
            );
            await sameRows('c1', 'c3');
            await same('DROP TABLE src, c1, c2, c3');
        },
        seconds(60),
    );
});
