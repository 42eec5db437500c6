/** The same SQL on real PostgreSQL and on the vectorised path: same rows, or a refusal; never another answer. */
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {Fixture, oracleTexts, tableDescriptor} from '../testing/fixture.ts';

const T = tableDescriptor(1, 't', [
    {name: 'id', oid: 23},
    {name: 's', oid: 21},
    {name: 'i', oid: 23},
    {name: 'b', oid: 20},
    {name: 'f', oid: 701},
    {name: 'n', oid: 1700, typmod: ((12 << 16) | 3) + 4},
    {name: 'x', oid: 25},
    {name: 'd', oid: 1082},
    {name: 'ts', oid: 1114},
    {name: 'tz', oid: 1184},
    {name: 'ok', oid: 16},
    {name: 'u', oid: 2950},
    {name: 'iv', oid: 1186},
    {name: 'r', oid: 700},
    {name: 'y', oid: 17},
    {name: 'tm', oid: 1083},
    {name: 'nn', oid: 1700},
    {name: 'c', oid: 1042, typmod: 9},
    {name: 'j', oid: 3802},
    {name: 'a', oid: 1007},
]);

const ROWS: readonly (readonly (string | null)[])[] = [
    [
        '1',
        '1',
        '10',
        '100',
        '1.5',
        '1.500',
        'hello',
        '2024-01-31',
        '2024-01-31 10:11:12.5',
        '2024-03-31 00:30:00+00',
        't',
        '00000000-0000-0000-0000-000000000001',
        '1 mon',
        '1.5',
        '\\x00ff',
        '10:11:12.5',
        '1.50',
        'ab   ',
        '{"a": 1}',
        '{1,2}',
    ],
    [
        '2',
        '-1',
        '-10',
        '-100',
        '-1.5',
        '-1.500',
        'Hello World',
        '2023-12-31',
        '2023-12-31 23:59:59.999999',
        '2023-12-31 23:59:59.999999+00',
        'f',
        'ffffffff-ffff-ffff-ffff-ffffffffffff',
        '30 days',
        '-1.5',
        '\\x',
        '00:00:00',
        '1.5',
        'ab',
        '{"a": 2}',
        '{}',
    ],
    [
        '3',
        '32767',
        '2147483647',
        '9223372036854775807',
        '1e308',
        '999999999.999',
        '',
        '9999-12-31',
        '9999-12-31 00:00:00',
        '2000-01-01 00:00:00+00',
        null,
        '12345678-1234-1234-1234-123456789abc',
        '-1 days +02:03:04',
        '3.4e38',
        '\\x01',
        '24:00:00',
        '123456789012345678901234567890.12345',
        '',
        null,
        '{NULL,5}',
    ],
    [
        '4',
        '-32768',
        '-2147483648',
        '-9223372036854775808',
        '-0',
        '0.000',
        '%_\\',
        '0001-01-01',
        '0001-01-01 00:00:00',
        '1970-01-01 00:00:00+00',
        't',
        null,
        '00:00:00',
        '0',
        '\\x00',
        '23:59:59.999999',
        'NaN',
        'zz',
        '[]',
        null,
    ],
    [
        '5',
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
    ],
    [
        '6',
        '7',
        '7',
        '7',
        'NaN',
        '0.005',
        'a,b,,c',
        '2024-02-29',
        '2024-02-29 12:00:00',
        '2024-02-29 12:00:00+00',
        'f',
        '00000000-0000-0000-0000-000000000002',
        '1 year 2 mons 3 days 04:05:06.789',
        'NaN',
        '\\xdeadbeef',
        '12:00:00',
        '0',
        'a',
        '1',
        '{1,2}',
    ],
    [
        '7',
        '-7',
        '-7',
        '-7',
        'Infinity',
        '-0.005',
        '  trim me  ',
        '2000-01-01',
        '2000-01-01 00:00:00',
        '2000-01-01 00:00:00+00',
        't',
        '00000000-0000-0000-0000-000000000003',
        '-1 mons',
        'Infinity',
        '\\x7f',
        '01:02:03',
        '-1',
        'b',
        '2',
        '{3}',
    ],
    [
        '8',
        '2',
        '2',
        '2',
        '0.1',
        '2.500',
        'aaa',
        '1999-12-31',
        '1999-12-31 23:00:00',
        '2024-10-27 00:30:00+00',
        't',
        '00000000-0000-0000-0000-000000000004',
        '1 day',
        '0.1',
        '\\x61',
        '00:00:01',
        '2',
        'c',
        '3',
        '{4}',
    ],
    [
        '9',
        '2',
        '2',
        '2',
        '0.1',
        '2.500',
        'bbb',
        '1999-12-31',
        '1999-12-31 23:00:00',
        '2024-10-27 01:30:00+00',
        'f',
        '00000000-0000-0000-0000-000000000005',
        '24:00:00',
        '0.1',
        '\\x62',
        '00:00:02',
        '2',
        'd',
        '4',
        '{5}',
    ],
];

/** Expressions over one row; each is compared row by row, so that an error in one row hides no other. */
const EXPRESSIONS: readonly string[] = [
    's + 1::smallint',
    'i + 1',
    'i - b',
    'i * 2',
    'b * 2',
    'i / 3',
    'i / s',
    'i % 3',
    'mod(b, 4)',
    '-i',
    '-b',
    'i & 6',
    'i | 6',
    'i # 6',
    '~i',
    'abs(i)',
    'abs(b)',
    'f + 1',
    'f * 2',
    'f - f',
    'f / 3',
    'f / f',
    '-f',
    'abs(f)',
    'floor(f)',
    'ceil(f)',
    'trunc(f)',
    'round(f)',
    'sqrt(f)',
    'n + 1',
    'n - 0.25',
    'n * 2',
    'n * n',
    '-n',
    'abs(n)',
    'n + i',
    'floor(n)',
    'ceil(n)',
    'round(n)',
    'round(n, 1)',
    'round(n, 5)',
    'n / 3',
    'n::int',
    'n::float8',
    'n::numeric(10,1)',
    'n::text',
    'f::int',
    'f::int8',
    'i::int2',
    'b::int4',
    'i::float8',
    'b::float8',
    'i::numeric',
    'i::numeric(12,2)',
    'f::float4',
    'r::float8',
    'i::bool',
    'ok::int',
    'ok::text',
    'i::text',
    'u::text',
    'f::text',
    'f::numeric',
    'length(x)',
    'octet_length(x)',
    'upper(x)',
    'lower(x)',
    'substr(x, 2)',
    'substr(x, -1, 4)',
    'substr(x, 0)',
    'substr(x, 2, 3)',
    'substring(x from 2 for 2)',
    'substr(x, i)',
    "strpos(x, 'l')",
    "position('o' in x)",
    "replace(x, 'l', 'L')",
    "x || '!'",
    'x || i',
    'trim(x)',
    'ltrim(x)',
    'rtrim(x)',
    "btrim(x, 'a ')",
    'left(x, 2)',
    'left(x, -2)',
    'right(x, 3)',
    'right(x, -3)',
    'repeat(x, 2)',
    "starts_with(x, 'h')",
    'md5(x)',
    'x::varchar(3)',
    "x like 'h%'",
    "x like '%l_'",
    "x like '\\%%'",
    "x not like '%a%'",
    "x ilike 'HELLO%'",
    "x like '%\\\\'",
    "x ~ 'l+'",
    "x = 'hello'",
    "x < 'b'",
    "x >= 'aaa'",
    "x between 'a' and 'c'",
    "x in ('aaa', 'bbb', null)",
    "x not in ('aaa', 'bbb')",
    'x is null',
    "x is distinct from 'aaa'",
    'i = 7',
    'i <> s',
    'i < b',
    'f > 1',
    "f = 'NaN'",
    'f = f',
    "f > 'Infinity'",
    'n > 1.5',
    'n = 0.005',
    'n >= i',
    'r = f',
    "d > date '2000-01-01'",
    'd = ts',
    'ts < tz',
    "u > '00000000-0000-0000-0000-000000000003'",
    "y < '\\x01'::bytea",
    "tm >= time '12:00'",
    "iv > interval '29 days'",
    "iv = interval '1 mon'",
    'nn > 1',
    "c = 'ab'",
    "c < 'b'",
    'i in (7, 2, null)',
    'i = any(array[7, 2])',
    "i = any('{7,2}'::int[])",
    "i <> all('{7,2}'::int[])",
    'i > any(array[1])',
    'ok and i > 0',
    'ok or i > 0',
    'not ok',
    'ok is true',
    'ok is not true',
    'ok is unknown',
    'ok is not false',
    'i is not distinct from s',
    'ok = true',
    'coalesce(i, 0)',
    'coalesce(n, 0)',
    "coalesce(x, 'none')",
    'coalesce(n, 0.001)',
    'nullif(i, 7)',
    "nullif(x, 'aaa')",
    'greatest(i, s)',
    'least(i, s, 3)',
    'greatest(f, 1)',
    "case when i > 0 then 'pos' when i < 0 then 'neg' end",
    'case i when 7 then 1 else 2 end',
    'case when i > 0 then n else i end',
    'd + 1',
    'd - 1',
    "d - date '2000-01-01'",
    "d + interval '1 month'",
    "d - interval '1 day'",
    "ts + interval '1 month 2 days 03:04:05'",
    "ts - interval '1 year'",
    "tz + interval '1 day'",
    "tz + interval '1 month'",
    "ts - timestamp '2000-01-01'",
    'iv + iv',
    "iv - interval '1 day'",
    "date_trunc('month', ts)",
    "date_trunc('week', ts)",
    "date_trunc('quarter', ts)",
    "date_trunc('hour', tz)",
    "date_trunc('day', tz)",
    "date_trunc('minute', tz)",
    "date_trunc('second', tz)",
    "date_trunc('milliseconds', tz)",
    "date_trunc('hour', 'infinity'::timestamptz)",
    "date_trunc('month', d)",
    "date_trunc('second', ts)",
    "date_trunc('decade', ts)",
    'extract(year from ts)',
    'extract(month from ts)',
    'extract(day from d)',
    'extract(dow from d)',
    'extract(isodow from d)',
    'extract(doy from d)',
    'extract(week from d)',
    'extract(isoyear from d)',
    'extract(quarter from d)',
    'extract(hour from ts)',
    'extract(minute from ts)',
    'extract(second from ts)',
    'extract(epoch from ts)',
    'extract(epoch from tz)',
    'extract(hour from tz)',
    "date_part('year', ts)",
    "date_part('epoch', ts)",
    "date_part('second', ts)",
    'd::timestamp',
    'ts::date',
    'tz::date',
    'tz::timestamp',
    'ts::timestamptz',
    'ts::time',
    'd::timestamptz',
    's',
    'i',
    'b',
    'f',
    'n',
    'x',
    'd',
    'ts',
    'tz',
    'ok',
    'u',
    'iv',
    'r',
    'y',
    'tm',
    'nn',
    'c',
    'j',
    'a',
    'null::int',
    "'lit'",
    '1.50',
    '1e3',
    "date '2024-02-29'",
    "interval '1 mon 2 days'",
    "'infinity'::timestamp",
    '-9223372036854775808',
    "''",
];

/** Whole queries: ordered, or compared as sets. */
const QUERIES: readonly string[] = [
    'select count(*), count(i), count(distinct i), sum(s), sum(n), min(x), max(x), min(d), max(ts), bool_and(ok), bool_or(ok) from t where id < 10 and id not in (3,4)',
    'select sum(b), sum(i), avg(i), avg(s), avg(b), avg(n) from t where id not in (3, 4)',
    'select sum(i), avg(i), count(*), sum(n), max(f) from t where false',
    'select i, count(*) from t group by i order by i',
    'select i, count(*) from t group by i order by i desc nulls last',
    'select ok, avg(n), sum(n) filter (where i > 0), min(n) from t group by ok order by ok',
    'select f, count(*) from t where id <> 4 group by f order by f',
    "select date_trunc('month', ts) as m, count(*) from t group by 1 order by 1",
    'select i % 3, sum(b) from t where id not in (3,4) group by i % 3 having count(*) > 1 order by 1',
    'select ok, i, count(*), grouping(ok) from t group by rollup(ok, i) order by ok, i, 3',
    'select ok, i, count(*) from t group by grouping sets ((ok), (i), ()) order by 1, 2, 3',
    'select distinct i from t order by i',
    'select distinct on (i) i, id from t order by i, id desc',
    'select id, row_number() over (order by id), rank() over (order by i), dense_rank() over (order by i nulls first), ntile(3) over (order by id) from t order by id',
    'select id, sum(s) over (partition by ok order by id rows between 1 preceding and current row), lag(x) over (order by id), lead(id, 2) over (order by id), first_value(x) over (order by id) from t order by id',
    'select id, count(*) over (), max(i) over (order by id), sum(n) over (order by id) from t order by id',
    'select a.id, b.id from t a join t b on a.i = b.i and a.id < b.id order by 1, 2',
    'select a.id, b.id from t a left join t b on a.i = b.s and b.id > 5 order by 1, 2',
    'select a.id, b.id from t a full join t b on a.i = b.b and a.id = 1 order by 1, 2',
    'select a.id, b.id from t a right join t b using (id) where b.id < 3 order by 2',
    'select id from t where exists (select 1 from t u where u.i = t.i and u.id <> t.id) order by id',
    'select id from t where i in (select i from t where ok) order by id',
    'select id from t where i not in (select i from t where id < 3) order by id',
    'select id from t where i not in (select i from t) order by id',
    'select id from t where i >= all (select s from t where s is not null) order by id',
    'select id, (select count(*) from t u where u.i <= t.i) from t order by id',
    'select id, (select max(x) from t u where u.id < t.id) from t order by id',
    'with q as (select i, count(*) as n from t group by i) select * from q order by n, i',
    'with recursive c(n) as (select 1 union all select n + 1 from c where n < 10) select sum(n), count(*) from c',
    'with recursive c as (select 1 as n, 1::bigint as f union all select n + 1, f * (n + 1) from c where n < 10) select * from c order by n',
    'select i from t union select s from t order by 1',
    'select i from t union all select i from t order by 1',
    'select i from t intersect select i from t where ok order by 1',
    'select i from t except select i from t where ok order by 1',
    'select i from t except all select i from t where ok order by 1',
    "select * from (values (1, 'a'), (2, 'b'), (3, null)) v(k, w) order by k desc",
    'select id from t order by x desc, id limit 3 offset 1',
    'select id from t order by f, id',
    'select id from t order by r, id',
    'select id from t order by u, id',
    'select id from t order by y, id',
    'select id from t order by iv, id',
    'select id from t order by c, id',
    'select id from t order by n nulls first, id',
    'select id from t order by x',
    'select id from t order by nn, id',
    'select id from t order by tm, id',
    'select id from t order by tz desc, id',
    'select g, g * 2 from generate_series(1, 5) g order by g',
    'select g from generate_series(10, 1, -3) g order by g',
    "select string_agg(x, ',' order by id) from t",
    'select array_agg(i order by id), array_agg(x order by id) from t',
    'select array_agg(i) from t where false',
    'select x, count(*) from t group by x order by count(*) desc, x',
    'select q.i + 1 from (select i from t where id = 1) q',
    'select sum(i * 2) + 1 from t where id not in (3, 4)',
    'select count(*) * 2 from t',
    'select coalesce(sum(n), 0) from t',
    'select coalesce(sum(n), 0) from t where false',
    'select l.m from t, lateral (select max(u.id) as m from t u where u.i = t.i) l order by t.id',
    'select round(stddev_pop(i::float8) * 1e6), round(var_samp(s::float8) * 1e6) from t where id in (8, 9, 6)',
    "select ok || 'x' from t",
    'select avg(f) from t where id in (1, 2, 8)',
    'select sum(f) from t',
    'select max(f), min(f), max(r) from t',
    'select 1 where false',
    'select',
    'select count(*) from t having count(*) > 100',
    'select id from t order by i fetch first 2 rows with ties',
    'select ok, count(*) from t group by ok order by avg(i)',
    'select j from t group by j',
    'select avg(i) from t union all select 1.5',
    'select bit_and(i), bit_or(i) from t',
    'select case when count(*) > 3 then sum(i) end from t where id not in (3,4)',
    'select t.* from t where id = 1',
    'select max(i) filter (where ok) from t',
    'select count(distinct x) from t',
    'select every(i > 0) from t',
    'select id from t where (i, s) = (7, 7)',
    'select id from t where (i, s) in ((7, 7), (2, 2)) order by id',
];

let pg: PGlite;
let fixture: Fixture;

beforeAll(async () => {
    pg = await PGlite.create();
    fixture = await Fixture.open();
    fixture.tables.push(T);
    await pg.exec(
        'create table t (id int, s int2, i int4, b int8, f float8, n numeric(12,3), x text, d date, ts timestamp, tz timestamptz,' +
            ' ok bool, u uuid, iv interval, r float4, y bytea, tm time, nn numeric, c char(5), j jsonb, a int[])',
    );
    for (const row of ROWS) {
        const values = row.map((text) => (text === null ? 'null' : `'${text.replaceAll("'", "''")}'`));
        await pg.exec(`insert into t values (${values.join(', ')})`);
    }
    const stored = await oracleTexts(pg, 'select * from t order by id');
    fixture.store.commit(
        T,
        stored.map((row, index) => ({rowid: index + 1, values: fixture.row(T, row)})),
    );
});

afterAll(async () => {
    await fixture?.close();
    await pg?.close();
});

interface Outcome {
    readonly rows: (string | null)[][] | undefined;
    readonly refusal: string | undefined;
}

async function vectorised(sql: string, timeZone = 'UTC'): Promise<Outcome> {
    try {
        return {rows: await fixture.texts(sql, [], [], [], timeZone), refusal: undefined};
    } catch (error) {
        const {name, message} = error as Error;
        if (name === 'Unsupported' || name === 'RetryOnReferencePath') return {rows: undefined, refusal: message};
        throw error;
    }
}

async function oracle(sql: string): Promise<(string | null)[][] | string> {
    try {
        return await oracleTexts(pg, sql);
    } catch (error) {
        return (error as Error).message;
    }
}

describe('an expression over every edge value has the answer of PostgreSQL, or is refused', () => {
    for (const timeZone of ['UTC', 'Europe/Berlin']) {
        test(`in time zone ${timeZone}`, async () => {
            await pg.exec(`set timezone = '${timeZone}'`);
            const wrong: string[] = [];
            const refused = new Map<string, string>();
            for (const expression of EXPRESSIONS) {
                const all = `select ${expression} from t order by id`;
                const whole = await vectorised(all, timeZone);
                const expected = await oracle(all);
                if (whole.rows !== undefined) {
                    if (JSON.stringify(whole.rows) !== JSON.stringify(expected))
                        wrong.push(`${expression}: ${JSON.stringify(whole.rows)} for ${JSON.stringify(expected)}`);
                    continue;
                }
                let answered = 0;
                for (let id = 1; id <= ROWS.length && !isStatic(whole.refusal); id++) {
                    const one = `select ${expression} from t where id = ${id}`;
                    const got = await vectorised(one, timeZone);
                    if (got.rows === undefined) continue;
                    answered++;
                    const want = await oracle(one);
                    if (JSON.stringify(got.rows) !== JSON.stringify(want))
                        wrong.push(
                            `${expression} of row ${id}: ${JSON.stringify(got.rows)} for ${JSON.stringify(want)}`,
                        );
                }
                if (answered === 0) refused.set(expression, whole.refusal ?? '');
            }
            if (process.env['SHOW_REFUSED'] !== undefined) console.log(refused);
            expect(wrong).toEqual([]);
            expect(refused.size).toBeLessThan(EXPRESSIONS.length / 8);
        });
    }
});

test('a query has the answer of PostgreSQL, or is refused', async () => {
    await pg.exec("set timezone = 'UTC'");
    const wrong: string[] = [];
    const refused = new Map<string, string>();
    for (const sql of QUERIES) {
        const got = await vectorised(sql);
        const want = await oracle(sql);
        if (got.rows === undefined) refused.set(sql, got.refusal ?? '');
        else if (!sameRows(got.rows, want, /order by[^()]*$/.test(sql)))
            wrong.push(`${sql}: ${JSON.stringify(got.rows)} for ${JSON.stringify(want)}`);
    }
    if (process.env['SHOW_REFUSED'] !== undefined) console.log(refused);
    expect(wrong).toEqual([]);
    expect(refused.size).toBeLessThan(QUERIES.length / 6);
});

const RANDOM_EXPRESSIONS: readonly string[] = [
    "date_trunc('day', tz)",
    "date_trunc('week', tz)",
    "date_trunc('month', tz)",
    "date_trunc('quarter', tz)",
    "date_trunc('hour', tz)",
    "date_trunc('week', ts)",
    "tz + interval '1 day'",
    "tz - interval '1 month 3 hours'",
    "tz + interval '36 hours'",
    "ts - interval '1 month 3 hours'",
    "ts + interval '-1 month 2 days -3 hours'",
    "tz + interval '1 month -5 hours'",
    "d - interval '1 month 3 hours'",
    'tz::date',
    'tz::timestamp',
    'ts::timestamptz',
    'extract(hour from tz)',
    'extract(epoch from tz)',
    'extract(week from ts)',
    'extract(isoyear from ts)',
    'ts - tz::timestamp',
    'd::timestamptz',
    "x like '%a_b%'",
    "x like 'a%'",
    "x like '%\\_%'",
    "replace(x, 'a', 'bb')",
    'substr(x, i % 7 - 3, abs(i % 5))',
    "btrim(x, 'ab')",
    "strpos(x, 'ab')",
    'left(x, i % 5)',
    'right(x, i % 5)',
    'length(x)',
    'x < lower(md5(x))',
    "x || '-' || i",
    'i * 1.5',
    'n * n + 0.01',
    'n::numeric(8,1)',
    'n::int',
    'round(n, 1)',
    'f::int',
    'round(f)',
    'f * 3 - 1',
    'i / 7',
    'i % 7',
    'b / 1000',
    'n::float8',
];

test('random values in zones with daylight saving have the answers of PostgreSQL', async () => {
    let seed = 99;
    const random = (below: number): number => {
        seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
        return seed % below;
    };
    const letters = ['a', 'b', 'é', '_', '%', '\\', ' ', '😀'];
    const table = {...T, tableId: 2, name: 'q'};
    fixture.tables.push(table);
    await pg.exec('create table q (like t)');
    for (let id = 1; id <= 300; id++) {
        // Around the changes of daylight saving in Europe and America, and anywhere else.
        const start = [1711846800, 1729990800, 1710050400, 1730613600, 86400 * random(19000)][id % 5] ?? 0;
        const instant = new Date((start + random(28_800) - 14_400) * 1000 + random(1000)).toISOString();
        const word = Array.from({length: random(9)}, () => letters[random(8)]).join('');
        const float = random(2) === 0 ? random(2000) / 2 - 500 : random(1e9) / 977;
        await pg.query(
            'insert into q (id, i, b, f, n, x, d, ts, tz) values ($1, $2, $3, $4, $5, $6, $7::text::date, $7::text::timestamp, $7::text::timestamptz)',
            [id, random(100_000) - 50_000, random(1e9), float, (random(2e6) - 1e6) / 1000, word, instant],
        );
    }
    const stored = await oracleTexts(pg, 'select * from q order by id');
    fixture.store.commit(
        table,
        stored.map((row, index) => ({rowid: index + 1, values: fixture.row(table, row)})),
    );
    const wrong: string[] = [];
    for (const timeZone of ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu']) {
        await pg.exec(`set timezone = '${timeZone}'`);
        for (const expression of RANDOM_EXPRESSIONS) {
            const sql = `select id, i, x, tz, ${expression} from q order by id`;
            const got = await vectorised(sql, timeZone);
            const want = await oracle(sql);
            if (got.rows === undefined) {
                wrong.push(`${expression} refused: ${got.refusal}`);
                continue;
            }
            const at = got.rows.findIndex((row, index) => JSON.stringify(row) !== JSON.stringify(want[index]));
            if (at >= 0)
                wrong.push(
                    `${timeZone} ${expression}: ${JSON.stringify(got.rows[at])} for ${JSON.stringify(want[at])}`,
                );
        }
    }
    await pg.exec("set timezone = 'UTC'");
    expect(wrong).toEqual([]);
});

function isStatic(refusal: string | undefined): boolean {
    return refusal?.startsWith('DuckDB:') !== true;
}

function sameRows(got: (string | null)[][], want: (string | null)[][] | string, ordered: boolean): boolean {
    if (typeof want === 'string') return false;
    const a = got.map((row) => JSON.stringify(row));
    const b = want.map((row) => JSON.stringify(row));
    return JSON.stringify(ordered ? a : a.sort()) === JSON.stringify(ordered ? b : b.sort());
}
