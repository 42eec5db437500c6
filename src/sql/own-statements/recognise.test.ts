/** Tidewire's own statements are read whole, their errors point at the place, and PostgreSQL's are left alone. */
import {loadModule, parseSync} from 'libpg-query';
import {beforeAll, describe, expect, it} from 'vitest';
import {PgError} from '../../../catalog/errors.ts';
import {mayHoldOwnStatement, recogniseOwnStatement} from './recognise.ts';

function errorOf(sql: string): PgError {
    try {
        recogniseOwnStatement(sql);
    } catch (error) {
        if (error instanceof PgError) return error;
        throw error;
    }
    throw new Error(`no error: ${sql}`);
}

/** Statements of PostgreSQL, many of them chosen to look like ours. */
const ORDINARY = [
    'select 1',
    '-- only a comment\nselect 1',
    '/* listen "select 1" */ select 1',
    `select 'subscribe to select 1'`,
    `select $$ kill job 'a' $$, $q$ storage flush all $q$`,
    'select "storage" from "kill"',
    'select storage, kill, listen from subscribe',
    'listen channel',
    'listen "Channel"',
    'listen "selected"',
    'unlisten *',
    'unlisten "a"',
    `notify channel, 'listen "select 1"'`,
    'create table storage (kill int)',
    'create table t (a int) with (fillfactor = 70)',
    'alter table t alter column a set storage external',
    'alter table storage set (fillfactor = 70)',
    'drop table storage',
    'copy subscribe to stdout',
    'copy (select * from subscribe) to stdout',
    'copy (select 1) to stdout with (format csv)',
    'copy storage from stdin',
    'explain select 1',
    'explain (analyze, verbose) select * from subscribe',
    'explain analyze verbose select 1',
    'with x as (select 1) select * from x',
    'select * from t order by a fetch first 3 rows with ties',
    'select * from f() as options (a int)',
    'create rule r as on insert to t do also (insert into u values (1); insert into v values (2))',
    'create function f() returns int begin atomic select case when true then 1 end; select 2; end',
    `create function f() returns void language plpgsql as $$ begin perform 1; end $$`,
    `do $$ begin raise notice ';'; end $$`,
    `select E'a\\';b', U&'d\\0061;', B'01', X'1F', N';'`,
    `select 'a'\n  ';b'`,
    'select a+--c ;\n1 from t',
    'select 1 /* a /* b ; */ ; */ + 2',
    'select $1::int + 2 where $2',
    'begin',
    'commit',
    `set search_path = 'listen'`,
    'values (1), (2)',
    'table storage',
    'alter system set work_mem = 1',
    "create tablespace storage location '/x'",
    'drop function kill(int)',
] as const;

beforeAll(async () => {
    await loadModule();
});

describe('ordinary statements', () => {
    it('are never taken for ours', () => {
        for (const sql of ORDINARY) {
            expect(() => parseSync(sql), sql).not.toThrow();
            expect(recogniseOwnStatement(sql), sql).toBeUndefined();
        }
    });

    it('are never taken for ours when words and signs are mixed at random and PostgreSQL still parses them', () => {
        const words =
            'select copy explain create listen subscribe storage table to from a ( ) "select 1" \'x\' , * as with = 1 alter drop set kill'.split(
                ' ',
            );
        let seed = 7;
        const random = (below: number): number => {
            seed = (seed * 1103515245 + 12345) % 2147483648;
            return Math.floor((seed / 2147483648) * below);
        };
        let parsed = 0;
        for (let round = 0; round < 20_000; round++) {
            const sql = Array.from({length: 1 + random(6)}, () => words[random(words.length)]).join(' ');
            let own;
            try {
                own = recogniseOwnStatement(sql);
                if (own === undefined) continue;
            } catch {
                own = undefined;
            }
            // Taken or refused: then PostgreSQL must not have it, but for the LISTEN of a query.
            if (own?.kind === 'listen') continue;
            parsed++;
            expect(() => parseSync(sql), sql).toThrow();
        }
        expect(parsed).toBeGreaterThan(100);
    });

    it('are known by the absence of our words', () => {
        expect(mayHoldOwnStatement('select 1; update t set a = 2')).toBe(false);
        expect(mayHoldOwnStatement('select 1; Subscribe TO t')).toBe(true);
        expect(mayHoldOwnStatement('UNLISTEN "select 1"')).toBe(true);
    });

    it('are not ours only because they break off', () => {
        for (const sql of [
            '',
            ';',
            'listen',
            'listen "select',
            'copy (',
            'explain (',
            'create',
            '/* open',
            "select '",
        ]) {
            expect(recogniseOwnStatement(sql), sql).toBeUndefined();
        }
    });
});

describe('LISTEN', () => {
    it('keeps the whole text of a query, however long, with doubled quotes undone', () => {
        const query = `SELECT "Total" FROM orders WHERE note = '${'x'.repeat(500)}' AND a = 'it''s'`;
        const sql = `  LISTEN "${query.replaceAll('"', '""')}" ;`;
        expect(recogniseOwnStatement(sql)).toEqual({kind: 'listen', channel: query});
        expect(recogniseOwnStatement(`unlisten "${query.replaceAll('"', '""')}"`)).toEqual({
            kind: 'unlisten',
            channel: query,
        });
    });

    it('takes a query that begins with WITH', () => {
        expect(recogniseOwnStatement('LISTEN "with x as (select 1) select * from x"')).toMatchObject({kind: 'listen'});
    });

    it('refuses words after the query', () => {
        expect(errorOf('LISTEN "select 1" now')).toMatchObject({
            code: '42601',
            message: 'syntax error at or near "now"',
            position: 19,
        });
    });
});

describe('SUBSCRIBE', () => {
    it('cuts the query out as it stands', () => {
        expect(recogniseOwnStatement('SUBSCRIBE TO SELECT *  FROM t -- all\n;')).toEqual({
            kind: 'subscribe',
            subscribe: {query: {text: 'SELECT *  FROM t', offset: 13}, options: {}},
        });
    });

    it('reads its options in both spellings', () => {
        const options = {snapshot: true, fromSeq: 12, lastRows: 3, batchSize: 100};
        for (const list of [
            `WITH (snapshot = true, from_seq = 12, last_rows = 3, batch_size = 100)`,
            `with (snapshot, "from_seq" = '12', LAST_ROWS=3, batch_size=100)`,
            `OPTIONS (last_rows=3, batch_size = 100, from_seq=12, snapshot=on)`,
        ]) {
            expect(recogniseOwnStatement(`subscribe to select 1 from t ${list}`), list).toEqual({
                kind: 'subscribe',
                subscribe: {query: {text: 'select 1 from t', offset: 13}, options},
            });
        }
        expect(recogniseOwnStatement('subscribe to select 1 with (snapshot = off)')).toMatchObject({
            subscribe: {options: {snapshot: false}},
        });
    });

    it('takes a table and its WHERE as KalamDB does', () => {
        expect(recogniseOwnStatement('SUBSCRIBE TO app.messages WHERE a = 1 OPTIONS (last_rows=10)')).toEqual({
            kind: 'subscribe',
            subscribe: {
                query: {text: 'SELECT * FROM app.messages WHERE a = 1', offset: -1},
                options: {lastRows: 10},
            },
        });
    });

    it('leaves WITH and OPTIONS inside the query to the query', () => {
        for (const query of [
            'with x as (select 1) select * from x',
            'select * from t order by a fetch first 3 rows with ties',
            'select * from f() options (a int)',
            `select '2020-01-01'::timestamp(3) with time zone`,
            `select ') with (snapshot' from t`,
        ]) {
            expect(recogniseOwnStatement(`subscribe to ${query}`), query).toMatchObject({
                subscribe: {query: {text: query}, options: {}},
            });
            expect(recogniseOwnStatement(`subscribe to ${query} with (last_rows = 1)`), query).toMatchObject({
                subscribe: {query: {text: query}, options: {lastRows: 1}},
            });
        }
    });

    it('explains what is wrong and where', () => {
        const cases: [string, string, number, string?][] = [
            ['SUBSCRIBE SELECT 1', 'syntax error at or near "SELECT"', 11],
            ['SUBSCRIBE TO', 'syntax error at end of input', 13],
            ['SUBSCRIBE TO ;', 'syntax error at or near ";"', 14],
            ['SUBSCRIBE TO select 1; select 2', 'syntax error at or near "select"', 24],
            ['SUBSCRIBE TO t WITH ()', 'syntax error at or near ")"', 22],
            ['SUBSCRIBE TO t WITH (from_seq)', 'syntax error at or near ")"', 30],
            ['SUBSCRIBE TO t WITH (from_seq = $1)', 'syntax error at or near "$1"', 33],
            ['SUBSCRIBE TO t WITH (from_seq = -1)', 'invalid value for option "from_seq": "-1"', 33, '22023'],
            ['SUBSCRIBE TO t WITH (batch_size = 0)', 'invalid value for option "batch_size": "0"', 35, '22023'],
            ['SUBSCRIBE TO t WITH (snapshot = maybe)', 'snapshot requires a Boolean value', 33, '22023'],
            ['SUBSCRIBE TO t WITH (speed = 1)', 'unrecognized SUBSCRIBE option "speed"', 22, '22023'],
            ['SUBSCRIBE TO t WITH (snapshot, snapshot)', 'conflicting or redundant options', 32],
            [`SUBSCRIBE TO 'x`, `unterminated quoted string at or near "'x"`, 14],
            [`/* 😀 */ SUBSCRIBE x`, 'syntax error at or near "x"', 19],
        ];
        for (const [sql, message, position, code] of cases) {
            expect(errorOf(sql), sql).toMatchObject({code: code ?? '42601', message, position});
        }
    });

    it('can be explained', () => {
        expect(recogniseOwnStatement('explain subscribe to t')).toMatchObject({kind: 'explain subscribe'});
        expect(errorOf('explain (analyze) subscribe to t')).toMatchObject({code: '42601', position: 9});
    });
});

describe('COPY (SUBSCRIBE …)', () => {
    it('carries the query, its options and the format', () => {
        expect(
            recogniseOwnStatement('copy (subscribe to select (1) from t with (snapshot)) to stdout with (format CSV);'),
        ).toEqual({
            kind: 'copy subscribe',
            subscribe: {query: {text: 'select (1) from t', offset: 19}, options: {snapshot: true}},
            format: 'csv',
        });
        expect(recogniseOwnStatement('COPY (SUBSCRIBE TO t) TO STDOUT')).toMatchObject({format: 'text'});
        expect(recogniseOwnStatement('COPY (SUBSCRIBE TO t) TO STDOUT (FORMAT json)')).toMatchObject({format: 'json'});
    });

    it('explains what is wrong and where', () => {
        const cases: [string, number, string][] = [
            ['COPY (SUBSCRIBE TO t TO STDOUT', 31, '42601'],
            ['COPY (SUBSCRIBE TO ) TO STDOUT', 20, '42601'],
            [`COPY (SUBSCRIBE TO t) TO '/x'`, 26, '42601'],
            ['COPY (SUBSCRIBE TO t) TO STDOUT CSV', 33, '42601'],
            ['COPY (SUBSCRIBE TO t) TO STDOUT (HEADER)', 34, '42601'],
            ['COPY (SUBSCRIBE TO t) TO STDOUT (FORMAT binary)', 41, '22023'],
        ];
        for (const [sql, position, code] of cases) expect(errorOf(sql), sql).toMatchObject({code, position});
    });
});

describe('KILL', () => {
    it('names a live query or a job', () => {
        expect(recogniseOwnStatement(`KILL LIVE QUERY 'a-1'`)).toEqual({kind: 'kill live query', id: 'a-1'});
        expect(recogniseOwnStatement(`kill job 'j';`)).toEqual({kind: 'kill job', id: 'j'});
        expect(errorOf('KILL QUERY 1')).toMatchObject({code: '42601', position: 6});
        expect(errorOf('KILL JOB 1')).toMatchObject({code: '42601', position: 10});
    });
});

describe('STORAGE', () => {
    it('flushes and compacts a table or all', () => {
        expect(recogniseOwnStatement('STORAGE FLUSH TABLE app."T"')).toEqual({
            kind: 'storage flush',
            table: {schema: 'app', name: 'T'},
        });
        expect(recogniseOwnStatement('storage flush all;')).toEqual({kind: 'storage flush all', schema: undefined});
        expect(recogniseOwnStatement('storage flush all in app')).toEqual({kind: 'storage flush all', schema: 'app'});
        expect(recogniseOwnStatement('STORAGE COMPACT TABLE t')).toEqual({
            kind: 'storage compact',
            table: {schema: undefined, name: 't'},
        });
        expect(errorOf('STORAGE FLUSH t')).toMatchObject({code: '42601', position: 15});
        expect(errorOf('STORAGE SYNC ALL')).toMatchObject({code: '42601', position: 9});
    });

    it('is created in both spellings', () => {
        const expected = {
            kind: 'create storage',
            name: 'cold',
            ifNotExists: true,
            type: 's3',
            options: new Map([
                ['bucket', 'b'],
                ['region', 'eu'],
            ]),
        };
        expect(
            recogniseOwnStatement(`CREATE STORAGE IF NOT EXISTS cold TYPE 's3' WITH (bucket = 'b', Region = eu)`),
        ).toEqual(expected);
        expect(recogniseOwnStatement(`create storage if not exists cold type S3 BUCKET 'b' REGION 'eu'`)).toEqual(
            expected,
        );
        expect(recogniseOwnStatement(`create storage a type 'memory'`)).toMatchObject({options: new Map()});
    });

    it('is altered and dropped', () => {
        expect(recogniseOwnStatement(`ALTER STORAGE s SET (region = 'x', n = -3)`)).toEqual({
            kind: 'alter storage',
            name: 's',
            set: new Map([
                ['region', 'x'],
                ['n', '-3'],
            ]),
            reset: [],
            renameTo: undefined,
        });
        expect(recogniseOwnStatement(`ALTER STORAGE s SET NAME 'n' SET DESCRIPTION 'd'`)).toMatchObject({
            set: new Map([
                ['name', 'n'],
                ['description', 'd'],
            ]),
        });
        expect(recogniseOwnStatement('alter storage s reset (a, b)')).toMatchObject({reset: ['a', 'b']});
        expect(recogniseOwnStatement('alter storage s rename to r')).toMatchObject({renameTo: 'r'});
        expect(recogniseOwnStatement('drop storage if exists a, "B"')).toEqual({
            kind: 'drop storage',
            names: ['a', 'B'],
            ifExists: true,
        });
    });

    it('explains what is wrong and where', () => {
        const cases: [string, number][] = [
            ['CREATE STORAGE', 15],
            ['CREATE STORAGE a WITH (x = 1)', 18],
            [`CREATE STORAGE a TYPE 's3' COLOUR 'red'`, 28],
            [`CREATE STORAGE a TYPE 's3' BUCKET b`, 35],
            [`CREATE STORAGE a TYPE 's3' WITH (b = 1, b = 2)`, 41],
            [`CREATE STORAGE "" TYPE 's3'`, 16],
            ['ALTER STORAGE a', 16],
            [`ALTER STORAGE a SET COLOUR 'red'`, 21],
            ['DROP STORAGE', 13],
        ];
        for (const [sql, position] of cases) expect(errorOf(sql), sql).toMatchObject({code: '42601', position});
    });
});
