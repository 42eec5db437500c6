/**
 * Expressions of a wanted kind over the columns in scope. Only such as have one answer: no volatile functions, no
 * division by what may be zero, no arithmetic on extremes.
 */
import type {Random} from './random.ts';
import {type Kind, TYPE_OF_KIND, typedValue} from './tables.ts';

export interface ScopeColumn {
    readonly reference: string;
    readonly kind: Kind;
}

export interface Scope {
    readonly columns: readonly ScopeColumn[];
    /** A query in parentheses of one column of this kind, or undefined when queries are nested deep enough. */
    readonly subquery: (kind: Kind, columns: readonly ScopeColumn[], single: boolean) => string | undefined;
}

type Make = (of: (kind: Kind) => string, random: Random) => string;

const COMPARABLE: readonly Kind[] = [
    'int',
    'numeric',
    'float',
    'text',
    'bool',
    'date',
    'timestamp',
    'timestamptz',
    'interval',
    'int edge',
    'bigint edge',
    'numeric edge',
    'float edge',
    'real edge',
    'date edge',
    'timestamp edge',
    'timestamptz edge',
    'varchar',
    'char',
    'time',
    'uuid',
    'bytea',
    'jsonb',
    'int[]',
    'text[]',
    'mood',
];

export const EVERY_KIND = COMPARABLE;

const OPERATORS: readonly string[] = ['=', '<>', '<', '<=', '>', '>='];
const PATTERNS: readonly string[] = ["'a%'", "'%b'", "'_'", "'%é%'", "'%'", "''", "'A\\_%'"];
const PARTS: readonly string[] = ['year', 'month', 'day', 'hour', 'minute', 'dow', 'doy', 'quarter', 'week', 'isoyear'];
const UNITS: readonly string[] = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute'];

const MAKERS: Partial<Readonly<Record<Kind, readonly Make[]>>> = {
    int: [
        (of) => `(${of('int')} + ${of('int')})`,
        (of) => `(${of('int')} - ${of('int')})`,
        (of) => `(${of('int')} * ${of('int')})`,
        (of) => `(${of('int')} / nullif(${of('int')}, 0))`,
        (of) => `(${of('int')} % nullif(${of('int')}, 0))`,
        (of) => `(- ${of('int')})`,
        (of) => `abs(${of('int')})`,
        (of) => `length(${of('text')})`,
        (of) => `octet_length(${of('text')})`,
        (of) => `position(${of('text')} in ${of('text')})`,
        (of) => `(${of('bool')})::int`,
        (of, random) => `extract(${random.pick(PARTS)} from ${of('timestamp')})::int`,
        (of, random) =>
            `extract(${random.pick(PARTS.filter((part) => part !== 'hour' && part !== 'minute'))} from ${of('date')})::int`,
        (of) => `(${of('date')} - ${of('date')})`,
        (of) => `round(${of('numeric')})::int`,
        (of) => `(${of('float')})::int`,
        (of) => `cardinality(${of('int[]')})`,
        (of) => `(${of('int[]')})[1]`,
        (of) => `strpos(${of('text')}, ${of('text')})`,
        (of) => `ascii(${of('text')})`,
    ],
    numeric: [
        (of) => `(${of('numeric')} + ${of('numeric')})`,
        (of) => `(${of('numeric')} - ${of('int')})`,
        (of) => `(${of('numeric')} * ${of('numeric')})`,
        (of) => `(${of('numeric')} / nullif(${of('numeric')}, 0))`,
        (of) => `(${of('numeric')} % nullif(${of('numeric')}, 0))`,
        (of, random) => `round(${of('numeric')}, ${random.integer(-1, 3)})`,
        (of, random) => `trunc(${of('numeric')}, ${random.integer(0, 2)})`,
        (of) => `ceil(${of('numeric')})`,
        (of) => `floor(${of('numeric')})`,
        (of) => `abs(${of('numeric')})`,
        (of) => `sign(${of('numeric')})`,
        (of) => `(${of('int')})::numeric`,
        (of) => `(${of('float')})::numeric`,
        (of, random) =>
            `extract(${random.pick(['second', 'epoch', 'milliseconds', ...PARTS])} from ${of('timestamp')})`,
        (of) => `(${of('numeric')})::numeric(20, 1)`,
    ],
    float: [
        (of) => `(${of('float')} + ${of('float')})`,
        (of) => `(${of('float')} * ${of('float')})`,
        (of) => `(${of('float')} - ${of('int')})`,
        (of) => `(${of('float')} / nullif(${of('float')}, 0))`,
        (of) => `sqrt(abs(${of('float')}))`,
        (of) => `floor(${of('float')})`,
        (of) => `round(${of('float')})`,
        (of) => `trunc(${of('float')})`,
        (of) => `(${of('int')})::float8`,
        (of) => `(${of('numeric')})::float8`,
        (of) => `abs(${of('float')})`,
    ],
    text: [
        (of) => `(${of('text')} || ${of('text')})`,
        (of) => `lower(${of('text')})`,
        (of) => `upper(${of('text')})`,
        (of) => `initcap(${of('text')})`,
        (of) => `reverse(${of('text')})`,
        (of) => `trim(${of('text')})`,
        (of) => `btrim(${of('text')}, 'ab')`,
        (of, random) => `substr(${of('text')}, ${random.integer(-1, 3)}, ${random.integer(0, 3)})`,
        (of, random) => `substring(${of('text')} from ${random.integer(-1, 3)})`,
        (of, random) => `left(${of('text')}, ${random.integer(-2, 3)})`,
        (of, random) => `right(${of('text')}, ${random.integer(-2, 3)})`,
        (of) => `replace(${of('text')}, ${of('text')}, '-')`,
        (of, random) => `lpad(${of('text')}, ${random.integer(0, 6)}, '*')`,
        (of, random) => `rpad(${of('text')}, ${random.integer(0, 6)})`,
        (of, random) => `repeat(${of('text')}, ${random.integer(-1, 3)})`,
        (of) => `(${of('int')})::text`,
        (of) => `(${of('numeric')})::text`,
        (of) => `(${of('date')})::text`,
        (of) => `(${of('timestamp')})::text`,
        (of) => `(${of('timestamptz')})::text`,
        (of) => `(${of('interval')})::text`,
        (of) => `(${of('bool')})::text`,
        (of) => `(${of('float')})::text`,
        (of) => `(${of('mood')})::text`,
        (of) => `(${of('uuid')})::text`,
        (of) => `(${of('varchar')} || ${of('text')})`,
        (of) => `(${of('char')} || ${of('text')})`,
        (of) => `(${of('char')})::text`,
        (of) => `concat(${of('text')}, ${of('int')}, ${of('bool')})`,
        (of) => `concat_ws('-', ${of('text')}, ${of('date')})`,
        (of) => `md5(${of('text')})`,
        (of, random) => `split_part(${of('text')}, ' ', ${random.pick([1, 2, -1])})`,
        (of) => `translate(${of('text')}, 'ab', 'x')`,
        (of) => `(${of('jsonb')} ->> 'a')`,
        (of) => `to_char(${of('timestamp')}, 'YYYY-MM-DD HH24:MI:SS.US Day Mon')`,
        (of) => `array_to_string(${of('text[]')}, ',', '?')`,
        (of) => `quote_literal(${of('text')})`,
        (of) => `regexp_replace(${of('text')}, '[ab]+', '<\\&>', 'g')`,
    ],
    bool: [
        (of) => `(${of('bool')} and ${of('bool')})`,
        (of) => `(${of('bool')} or ${of('bool')})`,
        (of) => `(not ${of('bool')})`,
        (of) => `(${of('bool')} is true)`,
        (of) => `(${of('bool')} is not false)`,
        (of) => `(${of('bool')} is unknown)`,
        (of, random) => `(${of(random.pick(COMPARABLE))} is null)`,
        (of, random) => `(${of(random.pick(COMPARABLE))} is not null)`,
        (of, random) => comparison(of, random, random.pick(OPERATORS)),
        (of, random) => comparison(of, random, random.pick(OPERATORS)),
        (of, random) => comparison(of, random, random.pick(OPERATORS)),
        (of, random) => comparison(of, random, 'is distinct from'),
        (of, random) => comparison(of, random, 'is not distinct from'),
        (of, random) => {
            const kind = random.pick(COMPARABLE);
            return `(${of(kind)} ${random.chance(0.3) ? 'not ' : ''}between ${of(kind)} and ${of(kind)})`;
        },
        (of, random) => {
            const kind = random.pick(COMPARABLE);
            const items = random.times(1, 3, () => (random.chance(0.15) ? 'null' : of(kind)));
            return `(${of(kind)} ${random.chance(0.3) ? 'not ' : ''}in (${items.join(', ')}))`;
        },
        (of, random) =>
            `(${of('text')} ${random.chance(0.3) ? 'not ' : ''}${random.pick(['like', 'ilike'])} ${random.pick(PATTERNS)})`,
        (of) => `(${of('text')} ~ '^[a-z]')`,
        (of) => `(${of('int')} = any (${of('int[]')}))`,
        (of) => `(${of('int')} > all (${of('int[]')}))`,
        (of) => `starts_with(${of('text')}, ${of('text')})`,
        (of) => `(${of('jsonb')} ? 'a')`,
        (of) => `(${of('jsonb')} @> '{"a": 1}')`,
        (of) => `((${of('int')}, ${of('text')}) < (${of('int')}, ${of('text')}))`,
        (of) => `(${of('int')} < ${of('numeric')})`,
        (of) => `(${of('float')} >= ${of('numeric')})`,
        (of) => `(${of('date')} < ${of('timestamp')})`,
        (of) => `(${of('varchar')} = ${of('char')})`,
    ],
    date: [
        (of) => `(${of('date')} + ${of('int')})`,
        (of) => `(${of('timestamp')})::date`,
        (of) => `make_date(2024, 1 + abs(${of('int')}) % 12, 1)`,
    ],
    timestamp: [
        (of) => `(${of('timestamp')} + ${of('interval')})`,
        (of) => `(${of('date')} - ${of('interval')})`,
        (of, random) => `date_trunc('${random.pick(UNITS)}', ${of('timestamp')})`,
        (of) => `(${of('timestamptz')} at time zone 'UTC')`,
        (of) => `(${of('date')})::timestamp`,
        (of) => `(${of('date')} + ${of('time')})`,
    ],
    timestamptz: [
        (of) => `(${of('timestamp')} at time zone 'Europe/Berlin')`,
        (of) => `(${of('timestamptz')} - ${of('interval')})`,
        (of, random) => `date_trunc('${random.pick(UNITS)}', ${of('timestamptz')})`,
        (of) => `(${of('date')})::timestamptz`,
    ],
    interval: [
        (of) => `(${of('timestamp')} - ${of('timestamp')})`,
        (of) => `(${of('interval')} + ${of('interval')})`,
        (of, random) => `(${of('interval')} * ${random.integer(-2, 3)})`,
        (of) => `age(${of('timestamp')}, ${of('timestamp')})`,
        (of) => `(${of('time')} - ${of('time')})`,
        (of) => `make_interval(days => ${of('int')})`,
    ],
    'numeric edge': [(of) => `(${of('bigint edge')})::numeric`, (of) => `abs(${of('numeric edge')})`],
    'float edge': [(of) => `(${of('real edge')})::float8`, (of) => `(${of('int edge')})::float8`],
    'bigint edge': [(of) => `(${of('int edge')})::bigint`],
    varchar: [(of) => `(${of('text')})::varchar(3)`],
    char: [(of) => `(${of('text')})::char(2)`],
    jsonb: [
        (of) => `to_jsonb(${of('int')})`,
        (of) => `(${of('jsonb')} -> 'b')`,
        (of) => `jsonb_build_object('k', ${of('text')})`,
    ],
    'int[]': [(of) => `array[${of('int')}, ${of('int')}]`, (of) => `(array[${of('int')}] || ${of('int')})`],
    'text[]': [(of) => `array[${of('text')}, ${of('text')}]`, (of) => `string_to_array(${of('text')}, ' ')`],
    bytea: [(of) => `convert_to(${of('text')}, 'UTF8')`],
};

/** Operators of any kind: both sides of the same. */
const EVERY_KIND_MAKERS: readonly ((kind: Kind) => Make)[] = [
    (kind) => (of) => `case when ${of('bool')} then ${of(kind)} else ${of(kind)} end`,
    (kind) => (of) => `case when ${of('bool')} then ${of(kind)} end`,
    (kind) => (of) => `case ${of('int')} when 1 then ${of(kind)} when ${of('int')} then ${of(kind)} end`,
    (kind) => (of) => `coalesce(${of(kind)}, ${of(kind)})`,
    (kind) => (of) => `nullif(${of(kind)}, ${of(kind)})`,
    (kind) => (of) => `greatest(${of(kind)}, ${of(kind)})`,
    (kind) => (of) => `least(${of(kind)}, ${of(kind)})`,
];

export function expression(random: Random, kind: Kind, scope: Scope, depth: number): string {
    const columns = scope.columns.filter((column) => column.kind === kind);
    if (depth <= 0 || random.chance(0.25)) {
        if (columns.length > 0 && random.chance(0.8)) return random.pick(columns).reference;
        if (random.chance(0.05)) return `null::${TYPE_OF_KIND[kind]}`;
        return typedValue(random, kind);
    }
    if (random.chance(0.06)) {
        const query = scope.subquery(kind, scope.columns, true);
        if (query !== undefined) return query;
    }
    if (kind === 'bool' && random.chance(0.08)) {
        const subject = random.pick(['int', 'text', 'date', 'numeric'] as const);
        const query = scope.subquery(subject, scope.columns, false);
        if (query !== undefined) {
            if (random.chance(0.4)) return `${random.chance(0.3) ? 'not ' : ''}exists ${query}`;
            return `(${expression(random, subject, scope, 0)} ${random.chance(0.3) ? 'not ' : ''}in ${query})`;
        }
    }
    const own = MAKERS[kind] ?? [];
    const generic = EVERY_KIND_MAKERS.map((make) => make(kind));
    const make = own.length > 0 && random.chance(0.8) ? random.pick(own) : random.pick(generic);
    return make((wanted) => expression(random, wanted, scope, depth - 1), random);
}

function comparison(of: (kind: Kind) => string, random: Random, operator: string): string {
    const kind = random.pick(COMPARABLE);
    return `(${of(kind)} ${operator} ${of(kind)})`;
}
