/**
 * For tests: a table with rows of ordinary and extreme values, expressions over it, and a generator of random ones.
 */

export const VALUES_SCHEMA = `
create type mood as enum ('sad', 'ok', 'happy');
create table v (
    id int primary key, i2 smallint, i4 int, i8 bigint, f4 real, f8 float8, n numeric, n2 numeric(10, 2), t text,
    vc varchar(20), c char(6), b bool, d date, ts timestamp, tz timestamptz, iv interval, j jsonb, u uuid, a int[],
    ta text[], m mood, tm time, by bytea
);
insert into v values
(1, 5, 42, 9000000000, 1.5, 2.25, 12.345, 99.99, 'Hello World', 'varchar', 'abc', true, '2024-02-29',
 '2024-02-29 13:45:30.5', '2024-02-29 13:45:30.123456+00', '1 year 2 mons 3 days 04:05:06', '{"a": 1, "b": [1, 2, {"c": null}], "s": "x"}',
 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,2,3}', '{a,b,NULL}', 'ok', '13:14:15.16', '\\x00ff10'),
(2, -32768, -2147483648, -9223372036854775808, -0.1, -1e300, -0.005, -5.50, '', '', '', false, '1999-12-31',
 '1969-12-31 23:59:59.999999', '0001-01-01 00:00:00+00 BC', '-1 days +02:03:04.5', '[1, "two", true, null]', '00000000-0000-0000-0000-000000000000', '{}', '{}', 'sad', '00:00:00', ''),
(3, 32767, 2147483647, 9223372036854775807, 'Infinity', 'NaN', 'NaN', 0, 'Ünïcödé 😀 %_\\ ÀÉ', 'a,b,c', 'x y', null, 'infinity',
 '-infinity', 'infinity', '00:00:00', '"text"', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{NULL,7}', '{x}', 'happy', '23:59:59.999999', '\\x616263'),
(4, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
(5, 0, 0, 0, 0, 0, 0, 0.00, '  trim me  ', 'x''y', 'ok', true, '2000-01-01', '2000-01-01', '2000-01-01', '1 mon', '{}', null, '{0}', '{"a,b"}', 'ok', '12:00', '\\x'),
(6, 7, -7, 1, 3.4e38, 1.7e308, 123456789012345678901234567890.123456789, 12345678.90, 'aXbXc', 'abcabc', 'abcdef', false, '2023-01-15',
 '2023-12-31 23:59:59', '2023-07-04 05:06:07+02', '5 days', '{"a": 1.0, "n": 12.50, "t": true}', null, '{5,4}', '{b,a}', 'happy', '06:30', '\\xdead');
`;

export const EXPRESSIONS: readonly string[] = String.raw`
i2 + i2
i4 + 1
i4 - i2
i4 * 2
i4 / 7
i4 / i2
i4 % 5
-i4
-i2
abs(i4)
abs(i8)
@ i4
i8 + i4
i8 - 1
i8 * i2
i8 / 3
i8 % 7
-i8
~ i4
i4 & 255
i4 | i2
i4 # 3
f8 + 1
f8 * f8
f8 / 3
f8 / 0
f4 * f4
f4 + f8
f4 / 0.3::real
-f8
f4 = f8
f8 > 1e10
n + 1
n - n2
n * n2
n / 3
n % 7
n / 0
-n
abs(n)
n = 0
n2 > n
round(n, 1)
round(n2)
round(f8)
trunc(n, 2)
trunc(f8)
ceil(n)
floor(f8)
ceil(f8)
sign(n)
sign(f8)
mod(i4, 5)
mod(n, 3)
div(n, 3)
scale(n2)
gcd(i4, 12)
sqrt(f8)
i4::text
i4::int8
i4::int2
i8::int4
f8::int4
f8::int8
f8::numeric
n::int4
n::float8
n::numeric(6, 1)
n2::text
t::int4
b::text
b::int
i4::bool
t || 'x'
t || i4
ta || 'x'::text
t || ta
ta || ta
i4 || t
t || b
vc || c
t || c
lower(t)
upper(t)
length(t)
length(c)
char_length(vc)
octet_length(t)
substr(t, 2)
substr(t, 2, 3)
substring(t from 0 for 3)
substring(t, -1, 4)
left(t, 3)
left(t, -2)
right(t, 3)
right(t, -2)
replace(t, 'l', 'LL')
translate(t, 'lo', 'xy')
trim(t)
ltrim(t)
rtrim(t, ' dm')
btrim(vc, 'ac')
position('o' in t)
strpos(t, 'X')
starts_with(t, 'He')
repeat(vc, 2)
repeat('x', i2 % 10)
reverse(t)
lpad(t, 15, '*-')
rpad(vc, 3)
lpad(vc, 10)
split_part(vc, ',', 2)
split_part(t, 'X', -1)
concat(t, i4, null, b, n2)
concat_ws('-', t, i4, null, vc, f8, d)
md5(t)
sha256(by)
ascii(t)
chr(65 + i2 % 5)
to_hex(i4)
to_hex(i8)
encode(by, 'hex')
length(by)
quote_literal(t)
quote_nullable(vc)
t like 'H%'
t like '%o%'
t like '%_\_%'
t like '%\\%'
t not like '%X%'
t like 'a_b_c'
t like '%😀%'
t like '_______ _ %'
t ilike 'hello%'
t ilike '%àé'
vc like 'a!%' escape '!'
c like 'abc%'
c like 'abc'
t ~ '^H.*d$'
t ~ 'X'
t !~ '(a|b)X'
t = 'Hello World'
t < 'a'
vc = c
c = 'abc'
c = 'abc   '
c < 'abd'
c::text
t > vc
greatest(i4, 5, i2)
least(n, 3, i4)
greatest(t, vc)
coalesce(i4, 0)
coalesce(t, vc, 'none')
nullif(i4, 0)
nullif(t, '')
nullif(n2, 0.0)
case when b then 'yes' when not b then 'no' else 'unknown' end
case i4 when 42 then 'a' when 0 then 'b' end
case when i4 = 0 then 0 else 10 / i4 end
b and i4 > 0
b or i4 > 0
not b
b is true
b is not false
b is unknown
i4 is null
t is not null
i4 is distinct from 0
i4 is not distinct from null
i4 is distinct from i2
i4 between -10 and 50
i4 not between 0 and 10
i4 in (1, 42, 0)
i4 not in (1, 42, null)
i4 in (0, 1, 2, 3, 4, 5, 42)
i8 in (1, 2, 3, 9000000000)
t in ('', 'a', 'b', 'Hello World')
n in (12.3450, 0, 1, 2)
i4 = any(a)
3 = any(a)
0 <> all(a)
i4 > any('{1,2}')
'a' = any(ta)
t like any(array['H%', 'a%'])
i8 = i4
i8 > i2
i4 = i8
i2 < i8
f8 = 0
d + 1
d - 7
d - date '2000-01-01'
d + interval '1 month'
d - interval '1 day'
d + tm
d = '2024-02-29'
d < ts
d = tz
ts < tz
ts + interval '1 mon 2 days 3 hours'
ts - interval '1 year'
tz + interval '1 mon'
tz - interval '1 day'
ts - timestamp '2000-01-01'
tz - tz
tz > '2000-01-01 00:00:00+05'
ts::date
tz::date
d::timestamp
d::timestamptz
ts::time
ts::timestamptz
ts::timestamp(0)
tm + interval '90 minutes'
tm - interval '14 hours'
tm - time '01:00'
iv + interval '1 day'
iv - interval '1 hour'
iv * 2
iv / 2
-iv
iv > interval '1 day'
iv = interval '30 days'
justify_hours(iv)
age(ts, timestamp '2000-01-01')
age(tz, '2001-02-03')
date_trunc('day', ts)
date_trunc('month', tz)
date_trunc('hour', tz)
date_trunc('week', ts)
date_trunc('quarter', ts)
date_trunc('year', ts)
date_trunc('second', ts)
extract(year from ts)
extract(month from d)
extract(day from tz)
extract(hour from ts)
extract(second from tz)
extract(milliseconds from ts)
extract(microseconds from ts)
extract(epoch from tz)
extract(epoch from d)
extract(dow from d)
extract(isodow from ts)
extract(doy from ts)
extract(week from d)
extract(quarter from ts)
date_part('epoch', ts)
date_part('second', tz)
date_part('year', tz)
isfinite(ts)
isfinite(d)
j -> 'a'
j ->> 'a'
j -> 'b' -> 2
j -> 'b' ->> -1
j -> 1
j ->> 1
j ->> 's'
j #> '{b,2,c}'
j #>> '{b,1}'
j @> '{"a": 1}'
j @> '[1]'
j @> '"text"'
j @> '[true, null]'
j <@ '{"a": 1.0, "n": 12.5, "t": true, "z": 0}'
j ? 'a'
j ? 'two'
j ?| array['zz', 's']
j ?& array['a', 'b']
j = '{}'
jsonb_typeof(j)
jsonb_typeof(j -> 'a')
jsonb_array_length(j -> 'b')
jsonb_array_length(j)
(j ->> 'a')::numeric + 1
u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
u::text
u > '11111111-1111-1111-1111-111111111111'
a = '{1,2,3}'
array_length(a, 1)
cardinality(ta)
array_upper(a, 1)
array[i4, 5]
array[t, vc]
m = 'ok'
m > 'sad'
m::text
m in ('ok', 'happy', 'sad', 'ok')
t::varchar(3)
t::char(3)
vc::char(10)
by = '\x00ff10'
by || '\x01'
num_nulls(i4, t, b)
num_nonnulls(i4, t)
tm > '12:00'
tm::interval
i4::float4
f4::float8
f4::numeric
f4::text
f8::text
f8::real
n::text || '!'
`
    .trim()
    .split('\n');

const LEAVES: Readonly<Record<string, readonly string[]>> = {
    int: ['i2', 'i4', '1', '0', '-3', '2147483647', 'id', 'cardinality(a)'],
    big: ['i8', '3000000000', 'i4::int8', '7::int8'],
    float: ['f8', 'f4', '1.5::float8', 'i4::float8'],
    numeric: ['n', 'n2', '1.50', '0.001', '-7.25', 'i4::numeric'],
    text: ['t', 'vc', "'abc'", "''", "'a%b'", 'i4::text', 'c::text', "'Ünï'"],
    bool: ['b', 'true', 'false', 'null::bool'],
    date: ['d', "date '2020-02-29'", "date '1999-12-31'"],
    timestamp: ['ts', "timestamp '2021-03-31 10:11:12.5'", 'd::timestamp'],
    interval: ['iv', "interval '1 day 02:00'", "interval '-3 months'"],
};

type Kind = keyof typeof LEAVES;
type Rule = readonly [template: string, ...kinds: Kind[]];

/** $1, $2, … are sub-expressions of the kinds that follow. */
const RULES: Readonly<Record<string, readonly Rule[]>> = {
    int: [
        ['($1 + $2)', 'int', 'int'],
        ['($1 - $2)', 'int', 'int'],
        ['($1 * $2)', 'int', 'int'],
        ['($1 / $2)', 'int', 'int'],
        ['(- $1)', 'int'],
        ['abs($1)', 'int'],
        ['length($1)', 'text'],
        ['position($1 in $2)', 'text', 'text'],
        ['coalesce($1, $2)', 'int', 'int'],
        ['case when $1 then $2 else $3 end', 'bool', 'int', 'int'],
        ['nullif($1, $2)', 'int', 'int'],
        ['greatest($1, $2)', 'int', 'int'],
        ['($1 - $2)', 'date', 'date'],
    ],
    big: [
        ['($1 + $2)', 'big', 'int'],
        ['($1 * $2)', 'big', 'big'],
        ['($1 - $2)', 'int', 'big'],
        ['($1 / $2)', 'big', 'int'],
        ['least($1, $2)', 'big', 'int'],
    ],
    float: [
        ['($1 + $2)', 'float', 'float'],
        ['($1 * $2)', 'float', 'float'],
        ['($1 / $2)', 'float', 'float'],
        ['abs($1)', 'float'],
        ['floor($1)', 'float'],
        ['$1::float8', 'numeric'],
    ],
    numeric: [
        ['($1 + $2)', 'numeric', 'numeric'],
        ['($1 - $2)', 'numeric', 'int'],
        ['($1 * $2)', 'numeric', 'numeric'],
        ['($1 / $2)', 'numeric', 'numeric'],
        ['($1 % $2)', 'numeric', 'numeric'],
        ['round($1, 2)', 'numeric'],
        ['trunc($1, 1)', 'numeric'],
        ['coalesce($1, $2)', 'numeric', 'big'],
        ['$1::numeric(12, 3)', 'numeric'],
    ],
    text: [
        ['($1 || $2)', 'text', 'text'],
        ['lower($1)', 'text'],
        ['upper($1)', 'text'],
        ['substr($1, ($2) % 100, abs(($3) % 20))', 'text', 'int', 'int'],
        ['replace($1, $2, $3)', 'text', 'text', 'text'],
        ['trim($1)', 'text'],
        ['reverse($1)', 'text'],
        ['left($1, ($2) % 50)', 'text', 'int'],
        ['lpad($1, ($2) % 30, $3)', 'text', 'int', 'text'],
        ['split_part($1, $2, 1)', 'text', 'text'],
        ['concat($1, $2, $3)', 'text', 'int', 'numeric'],
        ['$1::text', 'numeric'],
        ['$1::text', 'bool'],
        ['$1::varchar(4)', 'text'],
        ['case when $1 then $2 end', 'bool', 'text'],
    ],
    bool: [
        ['($1 = $2)', 'int', 'big'],
        ['($1 < $2)', 'numeric', 'int'],
        ['($1 >= $2)', 'float', 'float'],
        ['($1 <> $2)', 'text', 'text'],
        ['($1 < $2)', 'text', 'text'],
        ['($1 and $2)', 'bool', 'bool'],
        ['($1 or $2)', 'bool', 'bool'],
        ['(not $1)', 'bool'],
        ['($1 is null)', 'int'],
        ['($1 is not true)', 'bool'],
        ['($1 is distinct from $2)', 'int', 'int'],
        ['($1 like $2)', 'text', 'text'],
        ['($1 in ($2, $3, 5))', 'int', 'int', 'int'],
        ['($1 not in ($2, $3))', 'text', 'text', 'text'],
        ['($1 between $2 and $3)', 'numeric', 'numeric', 'int'],
        ['($1 = any(a))', 'int'],
        ['($1 < $2)', 'date', 'timestamp'],
        ['($1 > $2)', 'interval', 'interval'],
    ],
    date: [
        ['($1 + ($2) % 1000)', 'date', 'int'],
        ['$1::date', 'timestamp'],
        ['greatest($1, $2)', 'date', 'date'],
    ],
    timestamp: [
        ['($1 + $2)', 'timestamp', 'interval'],
        ['($1 - $2)', 'date', 'interval'],
        ["date_trunc('month', $1)", 'timestamp'],
    ],
    interval: [
        ['($1 - $2)', 'timestamp', 'timestamp'],
        ['($1 + $2)', 'interval', 'interval'],
        ['(- $1)', 'interval'],
    ],
};

const KINDS = Object.keys(RULES);
const DEPTH_MAX = 3;

export function randomExpression(random: () => number): string {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const make = (kind: string, depth: number): string => {
        const rules = RULES[kind];
        const leaves = LEAVES[kind];
        if (rules === undefined || leaves === undefined) throw new Error(kind);
        if (depth >= DEPTH_MAX || random() < 0.25) return pick(leaves);
        const [template, ...kinds] = pick(rules);
        return template.replaceAll(/\$(\d)/g, (_, n: string) => make(kinds[Number(n) - 1] ?? '', depth + 1));
    };
    return make(pick(KINDS), 0);
}
