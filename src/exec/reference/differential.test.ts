/** The reference path gives PostgreSQL's answers: rows, tags and errors, with rows that only this server has. */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {RawRows} from './data-rows.ts';
import {Harness, rowCollector, type TestSession} from './testing/harness.ts';

let harness: Harness;
let session: TestSession;

beforeAll(async () => {
    harness = await Harness.open();
    await harness.define(
        `CREATE TYPE mood AS ENUM ('low', 'high')`,
        `CREATE DOMAIN price AS numeric(10, 2) CHECK (VALUE >= 0)`,
        `CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, price price, tags text[], at timestamptz,
            doc jsonb, m mood DEFAULT 'low', n int CHECK (n < 1000), b bytea, iv interval, u text UNIQUE)`,
        `CREATE TABLE notes (item int, body text, at date DEFAULT '2024-01-02')`,
        `CREATE TABLE places (a int, b int, v text, PRIMARY KEY (a, b))`,
        `CREATE TABLE mails (id int PRIMARY KEY, mail text)`,
        `CREATE UNIQUE INDEX mails_lower ON mails (lower(mail))`,
        `CREATE VIEW dear AS SELECT id, name, price FROM items WHERE price > 10`,
        `CREATE VIEW dearest AS SELECT * FROM dear ORDER BY price DESC LIMIT 1`,
        `CREATE SEQUENCE tickets START 10 INCREMENT 5`,
    );
    session = harness.session();
    await both(
        `INSERT INTO items (name, price, tags, at, doc, n, b, iv, u)
         SELECT 'item ' || i, i * 1.5, ARRAY['t' || i, E'a\\tb\\\\c\\n', NULL], '2024-01-01 00:00:00.123456+00'::timestamptz + i * interval '1 day',
                jsonb_build_object('k', i, 'list', jsonb_build_array(1, 2, i)), i, decode('00ff' || lpad(to_hex(i), 2, '0'), 'hex'),
                make_interval(months => -i, days => i, secs => -i * 1.5), 'u' || i
         FROM generate_series(1, 12) AS i`,
    );
    await both(
        `INSERT INTO notes (item, body) SELECT i % 5, 'The quick brown fox number ' || i || ' jumps' FROM generate_series(1, 20) i`,
    );
    await both(`INSERT INTO places SELECT i / 3, i % 3, NULLIF('v' || i, 'v4') FROM generate_series(0, 8) i`);
});

afterAll(async () => {
    await harness.close();
});

/** The same on both sides, and equal answers. */
async function both(sql: string): Promise<void> {
    const expected = await harness.oracle(sql);
    const actual = await session.run(sql);
    expect(actual, sql).toEqual(expected);
}

const QUERIES = [
    `SELECT * FROM items ORDER BY id`,
    `SELECT * FROM notes`,
    `SELECT to_char(at, 'Day DD Month YYYY HH24:MI:SS.US') FROM items ORDER BY id`,
    `SELECT id, ts_rank(to_tsvector('english', body), q)::numeric(6,4) FROM notes JOIN items ON id = item, to_tsquery('english', 'fox & jump') q
        WHERE to_tsvector('english', body) @@ q ORDER BY 2 DESC, body LIMIT 5`,
    `SELECT regexp_replace(body, '(\\w+) (\\w+)', '\\2 \\1', 'g'), regexp_matches(body, '\\d+') FROM notes ORDER BY body`,
    `SELECT jsonb_path_query(doc, '$.list[*] ? (@ > 1)') FROM items ORDER BY 1`,
    `SELECT * FROM dear`,
    `SELECT * FROM dearest`,
    `SELECT g, count(n.item) FROM generate_series(0, 6) g LEFT JOIN notes n ON n.item = g GROUP BY g ORDER BY g`,
    `WITH items AS (SELECT 1 AS id) SELECT * FROM items`,
    `WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT t.n, i.name FROM t JOIN items i ON i.id = t.n ORDER BY 1`,
    `SELECT name, (SELECT string_agg(body, ';' ORDER BY body) FROM notes WHERE item = id) FROM items ORDER BY id LIMIT 3`,
    `TABLE places`,
    `VALUES (1, 'a'), (2, NULL)`,
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY price) FROM items`,
    `SELECT row_to_json(p) FROM places p ORDER BY a, b`,
    `SELECT p FROM places p ORDER BY a, b`,
    `(SELECT a FROM places EXCEPT SELECT item FROM notes) UNION ALL SELECT NULL ORDER BY 1`,
    `SELECT array_agg(DISTINCT t ORDER BY t) FROM items, unnest(tags) t`,
    `SELECT 1 / (n - 3) FROM items WHERE n = 3`,
    `SELECT nothing FROM items`,
    `SELECT 'é', nothing FROM items`,
    `SELECT * FROM nowhere`,
    `SELECT to_date('x', 'YYYY')`,
    `SELECT iv, iv * 2, justify_interval(iv), encode(b, 'base64') FROM items ORDER BY id`,
];

describe('queries', () => {
    test.each(QUERIES)('%s', async (sql) => {
        await both(sql);
    });

    test('parameters and their inferred types are the client’s own', async () => {
        const plan = await session.plan('SELECT name FROM items WHERE id = $1 AND name ~ $2');
        expect(plan.parameterTypes).toEqual([23, 25]);
        expect(
            await session.run('SELECT name FROM items WHERE id = $1 AND name ~ $2', ['3', '^item \\d$']),
        ).toMatchObject({
            rows: [['item 3']],
            tag: 'SELECT 1',
        });
    });

    test('rows in parts: a portal is told when there are no more', async () => {
        const source = new RawRows(
            [1, 2, 3].map((n) => Buffer.from([0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0x30 + n])),
            1,
            1,
        );
        const rows: (string | null)[][] = [];
        expect(source.pull(2, rowCollector(rows))).toEqual({rows: 2, done: false});
        expect(source.pull(2, rowCollector(rows))).toEqual({rows: 1, done: true});
        expect(rows).toEqual([['1'], ['2'], ['3']]);
    });

    test('a statement that needs more rows than allowed is refused', async () => {
        const other = await Harness.open(5);
        try {
            await other.define('CREATE TABLE many (id int)');
            const few = other.session();
            expect(await few.run('INSERT INTO many SELECT generate_series(1, 5)')).toMatchObject({tag: 'INSERT 0 5'});
            expect(await few.run('SELECT count(*) FROM many')).toMatchObject({rows: [['5']]});
            await few.run('INSERT INTO many VALUES (6)');
            expect(await few.run('SELECT count(*) FROM many')).toMatchObject({code: '54000'});
            // Rows that only the twin makes are not copied.
            expect(await few.run('SELECT count(*) FROM generate_series(1, 100)')).toMatchObject({rows: [['100']]});
        } finally {
            await other.close();
        }
    });

    test('what would act on nothing is refused, not ignored', async () => {
        for (const sql of [
            `SELECT length(pg_notify('a', 'b')::text)`,
            `SELECT * FROM pg_sleep(0)`,
            `SELECT * FROM ts_stat('SELECT to_tsvector(body) FROM notes')`,
            `SELECT * INTO copy FROM notes`,
            `WITH gone AS (DELETE FROM notes RETURNING *) SELECT * FROM gone`,
            `MERGE INTO places USING notes ON a = item WHEN MATCHED THEN DELETE`,
            `INSERT INTO dear VALUES (1)`,
        ]) {
            expect(await session.run(sql), sql).toMatchObject({code: '0A000'});
        }
    });
});

describe('hidden columns', () => {
    test('are there when named, and no star shows them', async () => {
        const answer = await session.run(
            'SELECT *, _seq > 0, _updated IS NULL FROM notes WHERE _seq > 0 ORDER BY _seq LIMIT 1',
        );
        expect(answer).toMatchObject({rows: [['1', 'The quick brown fox number 1 jumps', '2024-01-02', 't', 'f']]});
        const joined = await session.run(
            'SELECT p.*, n.*, q.* FROM places AS p(x) JOIN notes n ON n.item = x, (SELECT * FROM notes LIMIT 1) q WHERE p._seq > 0 ORDER BY 1, 2, 5 LIMIT 1',
        );
        expect(joined).toMatchObject({
            rows: [
                [
                    '0',
                    '0',
                    'v0',
                    '0',
                    'The quick brown fox number 10 jumps',
                    '2024-01-02',
                    '1',
                    'The quick brown fox number 1 jumps',
                    '2024-01-02',
                ],
            ],
        });
        expect(await session.run('SELECT count(*) FROM notes WHERE _updated > now() + $1', ['1 day'])).toMatchObject({
            rows: [['0']],
        });
        expect(
            await session.run('SELECT * FROM places JOIN (SELECT * FROM places) q USING (a, b) WHERE places._seq > 0'),
        ).toMatchObject({
            code: '0A000',
        });
        expect(
            await session.run('SELECT * FROM places JOIN notes ON item = a JOIN items USING (id) WHERE notes._seq > 0'),
        ).toMatchObject({code: '42703'});
        expect(
            await session.run(
                'SELECT * FROM places p JOIN places q USING (a, b) WHERE p._seq > 0 ORDER BY a, b LIMIT 1',
            ),
        ).toMatchObject({rows: [['0', '0', 'v0', 'v0']]});
        expect(await session.run('SELECT row_to_json(p) FROM places p WHERE _seq > 0')).toMatchObject({code: '0A000'});
    });

    test('positions of errors are those of the text that was sent', async () => {
        expect(await session.run('SELECT *, _seq, nothing FROM notes')).toMatchObject({code: '42703', position: 17});
    });
});

describe('INSERT', () => {
    const STATEMENTS = [
        `INSERT INTO items (name, n) VALUES (initcap('hello world'), 7) RETURNING id, name, m, upper(name)`,
        `INSERT INTO items (name, price) VALUES ('x', -1)`,
        `INSERT INTO items (name, n) VALUES ('x', 1000)`,
        `INSERT INTO items (n) VALUES (1)`,
        `INSERT INTO items (id, name) VALUES (1, regexp_replace('a', 'b', 'c'))`,
        `INSERT INTO items (id, name, u) VALUES (500, 'x', 'u1')`,
        `INSERT INTO items (id, name) VALUES (1, initcap('a')), (600, initcap('b')) ON CONFLICT DO NOTHING RETURNING id, name -- comment`,
        `INSERT INTO items (id, name) SELECT id, initcap(name) FROM items ON CONFLICT (id) DO NOTHING`,
        `INSERT INTO places AS p VALUES (0, 0, initcap('new')), (9, 9, 'nine') ON CONFLICT (a, b) DO UPDATE SET v = excluded.v || p.v RETURNING p.a, v`,
        `INSERT INTO places SELECT 0, 0, 'x' FROM generate_series(1, 2) ON CONFLICT (a, b) DO UPDATE SET v = 'y'`,
        `INSERT INTO places VALUES (0, 0, 'again')`,
        `WITH w AS (SELECT 20 AS x) INSERT INTO places SELECT x, x, to_char(x, '000') FROM w RETURNING *`,
        `INSERT INTO mails VALUES (1, 'A@b'), (2, 'c@d')`,
        `INSERT INTO mails VALUES (3, 'a@B')`,
        `INSERT INTO notes DEFAULT VALUES RETURNING *`,
        `INSERT INTO notes (item, body) SELECT 77, repeat('x', 3) RETURNING WITH (NEW AS fresh) fresh.body`,
        `SELECT * FROM items ORDER BY id`,
        `SELECT * FROM places ORDER BY a, b`,
        `SELECT * FROM mails`,
    ];

    test('makes the rows PostgreSQL makes, and raises its errors', async () => {
        for (const sql of STATEMENTS) await both(sql);
    });
});

describe('UPDATE and DELETE', () => {
    const STATEMENTS = [
        `UPDATE items SET name = initcap(i.name) || n.body FROM notes n, items i WHERE items.id = n.item AND i.id = items.id AND n.body LIKE '%1%' AND n.item = 3
            AND n.body = 'The quick brown fox number 13 jumps'`,
        `UPDATE items SET price = price * 2, m = 'high' WHERE id IN (SELECT item FROM notes) RETURNING id, old.price, new.price, to_char(price, '000.00')`,
        `UPDATE places SET a = a + 100, v = format('%s!', v) WHERE a = 1 RETURNING *`,
        `UPDATE places SET (v, b) = (SELECT max(body), 50 FROM notes) WHERE a = 2 AND b = 0 RETURNING WITH (OLD AS o) o.b, b`,
        `UPDATE places SET a = 0, b = 0 WHERE a = 2 AND b = 1`,
        `UPDATE items SET n = 2000 WHERE id = 1 AND name ~ 'item'`,
        `UPDATE items SET name = NULL WHERE name ~ 'item 1'`,
        `UPDATE items SET m = DEFAULT WHERE name ~ 'item'`,
        `UPDATE items SET u = 'u' || (n + 1) WHERE n = 5`,
        `UPDATE mails SET mail = 'C@D' WHERE id = (SELECT min(id) FROM mails)`,
        `UPDATE mails SET mail = 'e@f' WHERE id = (SELECT min(id) FROM mails) RETURNING *`,
        `DELETE FROM notes USING items WHERE notes.item = items.id AND items.name ~ '2$' RETURNING notes.*, items.id`,
        `DELETE FROM items AS x WHERE x.id = 12 -- comment`,
        `DELETE FROM places WHERE NOT EXISTS (SELECT FROM items WHERE id = a) RETURNING a, b`,
        `UPDATE notes SET body = body WHERE item ~~ 'x'`,
        `SELECT * FROM items ORDER BY id`,
        `SELECT * FROM notes ORDER BY item, body`,
        `SELECT * FROM places ORDER BY a, b`,
        `SELECT * FROM mails ORDER BY id`,
    ];

    test('change the rows PostgreSQL changes', async () => {
        for (const sql of STATEMENTS) await both(sql);
    });

    test('see the transaction’s own rows, and change them', async () => {
        session.inBlock = true;
        await session.run(`INSERT INTO notes (item, body) VALUES (901, initcap('mine'))`);
        session.inBlock = true;
        expect(
            await session.run(`UPDATE notes SET body = body || '!' WHERE item = 901 AND body ~ 'Mine' RETURNING body`),
        ).toMatchObject({
            rows: [['Mine!']],
        });
        expect(
            await session.run(`UPDATE notes SET body = body || '?' WHERE item = 901 AND body ~ 'Mine' RETURNING body`),
        ).toMatchObject({
            rows: [['Mine!?']],
        });
        const other = harness.session();
        expect(await other.run(`SELECT * FROM notes WHERE item = 901`)).toMatchObject({rows: []});
        expect(await session.run(`DELETE FROM notes WHERE item = 901 AND body ~ 'Mine'`)).toMatchObject({
            tag: 'DELETE 1',
        });
        expect(await session.run(`SELECT count(*) FROM notes WHERE item = 901`)).toMatchObject({rows: [['0']]});
        session.rollback();
    });

    test('a row that another transaction changed meanwhile is looked at again', async () => {
        const first = harness.session();
        const second = harness.session();
        await first.run(`INSERT INTO notes (item, body) VALUES (801, '1')`);
        first.inBlock = true;
        await first.run(`UPDATE notes SET body = (body::int + 1)::text WHERE item = 801 AND body ~ '.'`);
        const waiting = second.run(
            `UPDATE notes SET body = (body::int * 10)::text WHERE item = 801 AND body ~ '.' RETURNING body`,
        );
        await new Promise((resolve) => setTimeout(resolve, 300));
        await first.commit();
        expect(await waiting).toMatchObject({rows: [['20']], tag: 'UPDATE 1'});
    });
});

describe('row locks', () => {
    test('FOR UPDATE SKIP LOCKED gives each of two workers its own row', async () => {
        const worker = harness.session();
        const other = harness.session();
        await worker.run(`INSERT INTO mails VALUES (51, 'q1'), (52, 'q2'), (53, 'q3')`);
        const pick = `SELECT m.id, mail IS DISTINCT FROM 'x' FROM mails m WHERE mail ~ '^q' ORDER BY 1 LIMIT 1 FOR UPDATE SKIP LOCKED`;
        worker.inBlock = true;
        other.inBlock = true;
        expect(await worker.run(pick)).toMatchObject({rows: [['51', 't']], tag: 'SELECT 1'});
        expect(await other.run(pick)).toMatchObject({rows: [['52', 't']]});
        const take = `UPDATE mails SET mail = 'taken' || id WHERE id = (SELECT id FROM mails WHERE mail ~ '^q' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id`;
        // Its own lock is no obstacle; the other worker's is.
        expect(await other.run(take)).toMatchObject({rows: [['52']]});
        expect(await harness.session().run(pick)).toMatchObject({rows: [['53', 't']]});
        const nowait = `SELECT id FROM mails WHERE mail ~ '^q1' FOR UPDATE NOWAIT`;
        expect(await harness.session().run(nowait)).toMatchObject({code: '55P03'});
        worker.rollback();
        other.rollback();
    });

    test('locks that would not be taken are refused', async () => {
        expect(await session.run('SELECT * FROM (SELECT id FROM mails FOR UPDATE) q')).toMatchObject({code: '0A000'});
        expect(await session.run('SELECT * FROM mails, (SELECT 1) q FOR UPDATE')).toMatchObject({code: '0A000'});
    });
});

describe('calls with effects', () => {
    test('are made once for each row, with arguments that the twin evaluates', async () => {
        session.inBlock = true;
        const answer = await session.run(
            `SELECT item, pg_notify('c' || item, initcap(max)), 'x, y' FROM (SELECT item, max(body) FROM notes WHERE item < 2 GROUP BY 1) q`,
        );
        expect(answer).toMatchObject({tag: 'SELECT 2'});
        expect('rows' in answer ? answer.rows.map((row) => row.slice(1)) : []).toEqual([
            ['', 'x, y'],
            ['', 'x, y'],
        ]);
        expect(session.transaction?.notifications.map(({channel}) => channel).toSorted()).toEqual(['c0', 'c1']);
        session.rollback();
        const begun = performance.now();
        expect(await session.run(`SELECT pg_sleep($1)`, ['0.1'])).toMatchObject({rows: [['']]});
        expect(performance.now() - begun).toBeGreaterThan(95);
        expect(await session.run(`SELECT pg_cancel_backend(123456)`)).toMatchObject({rows: [['f']]});
    });
});

describe('sequences', () => {
    test('numbers drawn on the twin are ours, and go on from ours', async () => {
        const tickets = harness.database.catalog.sequence('public', 'tickets', []);
        if (tickets === undefined) throw new Error('no sequence');
        for (const sql of [
            `SELECT nextval('tickets')`,
            `SELECT nextval('tickets'), currval('public.tickets'::regclass), lastval()`,
            `SELECT setval('tickets', 100)`,
            `SELECT nextval('tickets')`,
            `SELECT setval('tickets', 200, false), currval('tickets')`,
            `SELECT nextval('tickets') FROM generate_series(1, 3)`,
            `SELECT last_value, is_called FROM tickets`,
            `SELECT setval(pg_get_serial_sequence('items', 'id'), coalesce(max(id), 1)) FROM items`,
            `INSERT INTO items (name) VALUES (initcap('next')) RETURNING id`,
            `SELECT currval('items_id_seq'), lastval()`,
        ]) {
            await both(sql);
        }
        expect(session.nextval(tickets)).toBe(215n);
        expect(await session.run(`SELECT lastval(), currval('tickets')`)).toMatchObject({rows: [['215', '215']]});
        expect(await harness.session().run(`SELECT currval('tickets')`)).toMatchObject({code: '55000'});
        expect(await harness.session().run(`SELECT lastval()`)).toMatchObject({code: '55000'});
    });

    test('a number is never given out twice when others draw meanwhile', async () => {
        const tickets = harness.database.catalog.sequence('public', 'tickets', []);
        if (tickets === undefined) throw new Error('no sequence');
        const others: bigint[] = [];
        const timer = setInterval(() => others.push(harness.session().nextval(tickets)), 1);
        const drawn: bigint[] = [];
        try {
            for (let round = 0; round < 5; round++) {
                const answer = await harness.session().run(`SELECT nextval('tickets') FROM generate_series(1, 50)`);
                if ('rows' in answer) drawn.push(...answer.rows.map(([text]) => BigInt(text ?? 0)));
            }
        } finally {
            clearInterval(timer);
        }
        expect(drawn).toHaveLength(250);
        expect(new Set([...drawn, ...others]).size).toBe(drawn.length + others.length);
    });
});

describe('tables of users and rights', () => {
    test('a user sees and changes their own rows only', async () => {
        await harness.define(
            `CREATE ROLE ann`,
            `CREATE ROLE bob`,
            `CREATE TABLE own (id int PRIMARY KEY, v text) WITH (type = 'user')`,
        );
        await harness.ddl.ddl(`GRANT INSERT, UPDATE, SELECT, DELETE ON own TO ann, bob`);
        const ann = harness.session('ann');
        const bob = harness.session('bob');
        await ann.run(`INSERT INTO own VALUES (1, initcap('ann'))`);
        await bob.run(`INSERT INTO own VALUES (1, initcap('bob'))`);
        expect(await ann.run(`SELECT *, current_user FROM own`)).toMatchObject({rows: [['1', 'Ann', 'ann']]});
        expect(await bob.run(`UPDATE own SET v = v || '!' WHERE v ~ '.' RETURNING v`)).toMatchObject({
            rows: [['Bob!']],
        });
        expect(await ann.run(`DELETE FROM own WHERE v ~ '.'`)).toMatchObject({tag: 'DELETE 1'});
        expect(await bob.run(`SELECT v FROM own`)).toMatchObject({rows: [['Bob!']]});
    });

    test('a right that is not there is missed, and none is lent', async () => {
        await harness.ddl.ddl(`GRANT INSERT ON mails TO ann`);
        const ann = harness.session('ann');
        expect(await ann.run(`INSERT INTO mails VALUES (71, initcap('x'))`)).toMatchObject({tag: 'INSERT 0 1'});
        expect(await ann.run(`INSERT INTO mails VALUES (72, initcap('y')) RETURNING id`)).toMatchObject({
            code: '42501',
        });
        expect(await ann.run(`SELECT * FROM mails`)).toMatchObject({code: '42501'});
    });
});

test('nothing of any statement stays on the twin', async () => {
    const counts = await harness.ddl.rows(
        `SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM notes) + (SELECT count(*) FROM places),
            (SELECT count(*) FROM pg_attribute WHERE attname = '_seq'), (SELECT count(*) FROM pg_index WHERE indrelid = 'places'::regclass AND indisunique)`,
        undefined,
    );
    expect(counts).toEqual([['0', '0', '1']]);
});
