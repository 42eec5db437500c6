/**
 * The table of constructs proven to give PostgreSQL's answer, with their DuckDB spelling. Data, not code: a line is
 * added when a differential test covers it, and whatever is not here goes to the reference path.
 *
 * Keys are `name(types)` with pg_type names of the operands (varchar and name count as text). In a spelling `$1` is the
 * first operand. `RAISE` is an error that sends the statement to the reference path, where PostgreSQL
 * decides. What is exact only within limits (floating-point aggregates: the order of addition) is said beside it.
 */

/** How the scale of a numeric result follows from the operands' types. */
export type NumericScale = 'same' | 'max' | 'sum' | 'zero' | 'six' | 'argument';

export interface Proven {
    readonly sql: string;
    /** For results of type numeric. */
    readonly scale?: NumericScale;
}

const INTEGERS = ['int2', 'int4', 'int8'] as const;
const INTEGER_SQL = {int2: 'SMALLINT', int4: 'INTEGER', int8: 'BIGINT'} as const;

export const RAISE = "error('TW_RETRY')";

function table(entries: Readonly<Record<string, string | Proven>>): ReadonlyMap<string, Proven> {
    return new Map(
        Object.entries(entries).map(([key, value]) => [key, typeof value === 'string' ? {sql: value} : value]),
    );
}

function integerOperators(): Record<string, string> {
    const entries: Record<string, string> = {};
    for (const left of INTEGERS) {
        for (const right of INTEGERS) {
            // The wider operand's type is the result's, as in PostgreSQL; both raise on overflow.
            const result = INTEGER_SQL[INTEGERS.indexOf(left) > INTEGERS.indexOf(right) ? left : right];
            const a = `CAST($1 AS ${result})`;
            const b = `CAST($2 AS ${result})`;
            for (const op of ['+', '-', '*']) entries[`${op}(${left},${right})`] = `(${a} ${op} ${b})`;
            entries[`/(${left},${right})`] = `(CASE WHEN $2 = 0 THEN ${RAISE} ELSE ${a} // ${b} END)`;
        }
    }
    for (const type of INTEGERS) {
        entries[`%(${type},${type})`] = `(CASE WHEN $2 = 0 THEN ${RAISE} ELSE $1 % $2 END)`;
        entries[`-(${type})`] = `(- $1)`;
        entries[`+(${type})`] = '$1';
        for (const op of ['&', '|']) entries[`${op}(${type},${type})`] = `($1 ${op} $2)`;
        entries[`#(${type},${type})`] = `xor($1, $2)`;
        entries[`~(${type})`] = `(~ $1)`;
    }
    return entries;
}

/** Infinity that comes from finite operands is an error in PostgreSQL. Underflow to zero is not caught. */
function finite(expression: string): string {
    return `(CASE WHEN isinf(${expression}) THEN ${RAISE} ELSE ${expression} END)`;
}

/**
 * PostgreSQL adds months, then days, then microseconds. DuckDB's timestamptz does so too, but takes negative
 * microseconds off first: so each part is its own addition.
 */
function inSteps(op: '+' | '-'): string {
    const months = "to_months(CAST(datepart('year', $2) * 12 + datepart('month', $2) AS INTEGER))";
    const days = "to_days(CAST(datepart('day', $2) AS INTEGER))";
    const micros =
        "to_microseconds(datepart('hour', $2) * 3600000000 + datepart('minute', $2) * 60000000 + datepart('microsecond', $2))";
    return `((($1 ${op} ${months}) ${op} ${days}) ${op} ${micros})`;
}

export const OPERATORS = table({
    ...integerOperators(),
    '+(float8,float8)': finite('($1 + $2)'),
    '-(float8,float8)': finite('($1 - $2)'),
    '*(float8,float8)': finite('($1 * $2)'),
    '/(float8,float8)': `(CASE WHEN $2 = 0 OR isinf($1 / $2) THEN ${RAISE} ELSE $1 / $2 END)`,
    '-(float8)': '(- $1)',
    '-(float4)': '(- $1)',
    '+(numeric,numeric)': {sql: '($1 + $2)', scale: 'max'},
    '-(numeric,numeric)': {sql: '($1 - $2)', scale: 'max'},
    '*(numeric,numeric)': {sql: '($1 * $2)', scale: 'sum'},
    '-(numeric)': {sql: '(- $1)', scale: 'same'},
    '||(text,text)': '($1 || $2)',
    '+(date,int4)': '($1 + $2)',
    '-(date,int4)': '($1 - $2)',
    '+(int4,date)': '($2 + $1)',
    '-(date,date)': 'CAST(($1 - $2) AS INTEGER)',
    '+(date,interval)': '($1 + $2)',
    '-(date,interval)': '($1 - $2)',
    '+(timestamp,interval)': '($1 + $2)',
    '-(timestamp,interval)': '($1 - $2)',
    '+(timestamptz,interval)': inSteps('+'),
    '-(timestamptz,interval)': inSteps('-'),
    '-(timestamp,timestamp)': '($1 - $2)',
    '+(interval,interval)': '($1 + $2)',
    '-(interval,interval)': '($1 - $2)',
    '^@(text,text)': 'starts_with($1, $2)',
});

/** Comparable pairs beyond equal types: DuckDB brings them to the common type that PostgreSQL compares in. */
export const COMPARABLE_MIXED: ReadonlySet<string> = new Set([
    'int2,int4',
    'int2,int8',
    'int4,int8',
    'float4,float8',
    'date,timestamp',
    'date,timestamptz',
    'timestamp,timestamptz',
]);

/** Fields of date_trunc and extract that agree for every value. */
export const TRUNC_FIELDS: ReadonlySet<string> = new Set([
    'microseconds',
    'milliseconds',
    'second',
    'minute',
    'hour',
    'day',
    'week',
    'month',
    'quarter',
    'year',
]);

/**
 * For timestamptz, microseconds to take off for a field within the hour. DuckDB truncates the local time and finds the
 * instant again, which is the wrong one in the hour that a change of daylight saving repeats.
 */
export const TRUNC_WITHIN_HOUR: ReadonlyMap<string, string> = new Map([
    ['hour', 'minute($1) * 60000000 + microsecond($1)'],
    ['minute', 'microsecond($1)'],
    ['second', 'microsecond($1) % 1000000'],
    ['milliseconds', 'microsecond($1) % 1000'],
    ['microseconds', '0'],
]);

/** Field of extract to an exact numeric: an integer, or microseconds to be divided by a million. */
export const EXTRACT_FIELDS: ReadonlyMap<string, {readonly sql: string; readonly micros: boolean}> = new Map([
    ['year', {sql: 'year($1)', micros: false}],
    ['quarter', {sql: 'quarter($1)', micros: false}],
    ['month', {sql: 'month($1)', micros: false}],
    ['week', {sql: 'week($1)', micros: false}],
    ['isoyear', {sql: 'isoyear($1)', micros: false}],
    ['day', {sql: 'day($1)', micros: false}],
    ['doy', {sql: 'dayofyear($1)', micros: false}],
    ['dow', {sql: 'dayofweek($1)', micros: false}],
    ['isodow', {sql: 'isodow($1)', micros: false}],
    ['hour', {sql: 'hour($1)', micros: false}],
    ['minute', {sql: 'minute($1)', micros: false}],
    ['second', {sql: 'microsecond($1)', micros: true}],
    ['epoch', {sql: 'epoch_us($1)', micros: true}],
]);

/** `substr` counts from before the string when its start is not positive; DuckDB counts from the end. */
const SUBSTRING_2 = 'substr($1, greatest($2, 1))';
const SUBSTRING_3 =
    `(CASE WHEN $3 < 0 THEN ${RAISE} ELSE ` +
    'substr($1, greatest($2, 1), greatest(CAST($3 AS BIGINT) + least(CAST($2 AS BIGINT) - 1, 0), 0)) END)';

/** Case mapping agrees on ASCII; beyond it DuckDB maps characters that PostgreSQL's C.UTF-8 does not. */
function ascii(call: string): string {
    return `(CASE WHEN strlen($1) <> length($1) THEN ${RAISE} ELSE ${call} END)`;
}

export const FUNCTIONS = table({
    'length(text)': 'CAST(length($1) AS INTEGER)',
    'char_length(text)': 'CAST(length($1) AS INTEGER)',
    'character_length(text)': 'CAST(length($1) AS INTEGER)',
    'octet_length(text)': 'CAST(strlen($1) AS INTEGER)',
    'lower(text)': ascii('lower($1)'),
    'upper(text)': ascii('upper($1)'),
    'substr(text,int4)': SUBSTRING_2,
    'substr(text,int4,int4)': SUBSTRING_3,
    'substring(text,int4)': SUBSTRING_2,
    'substring(text,int4,int4)': SUBSTRING_3,
    'strpos(text,text)': 'CAST(strpos($1, $2) AS INTEGER)',
    'position(text,text)': 'CAST(strpos($1, $2) AS INTEGER)',
    'replace(text,text,text)': 'replace($1, $2, $3)',
    'ltrim(text)': "ltrim($1, ' ')",
    'rtrim(text)': "rtrim($1, ' ')",
    'btrim(text)': "trim($1, ' ')",
    'ltrim(text,text)': 'ltrim($1, $2)',
    'rtrim(text,text)': 'rtrim($1, $2)',
    'btrim(text,text)': 'trim($1, $2)',
    'left(text,int4)': 'left($1, $2)',
    'right(text,int4)': 'right($1, $2)',
    'repeat(text,int4)': 'repeat($1, $2)',
    'starts_with(text,text)': 'starts_with($1, $2)',
    'md5(text)': 'md5($1)',
    'abs(int2)': 'abs($1)',
    'abs(int4)': 'abs($1)',
    'abs(int8)': 'abs($1)',
    'abs(float8)': 'abs($1)',
    'abs(numeric)': {sql: 'abs($1)', scale: 'same'},
    'mod(int2,int2)': `(CASE WHEN $2 = 0 THEN ${RAISE} ELSE $1 % $2 END)`,
    'mod(int4,int4)': `(CASE WHEN $2 = 0 THEN ${RAISE} ELSE $1 % $2 END)`,
    'mod(int8,int8)': `(CASE WHEN $2 = 0 THEN ${RAISE} ELSE $1 % $2 END)`,
    'floor(float8)': 'floor($1)',
    'ceil(float8)': 'ceil($1)',
    'ceiling(float8)': 'ceil($1)',
    'trunc(float8)': 'trunc($1)',
    'round(float8)': 'round_even($1, 0)',
    'sqrt(float8)': 'sqrt($1)',
    'floor(numeric)': {sql: 'floor($1)', scale: 'zero'},
    'ceil(numeric)': {sql: 'ceil($1)', scale: 'zero'},
    'ceiling(numeric)': {sql: 'ceil($1)', scale: 'zero'},
    'round(numeric)': {sql: 'round($1, 0)', scale: 'zero'},
    'round(numeric,int4)': {sql: 'round($1, $2)', scale: 'argument'},
});

/**
 * `$tail` is where FILTER and OVER go; at the end when it is not written.
 * Aggregates, also as window functions. Those over float8 may differ in the last digits: the order is not fixed. */
export const AGGREGATES = table({
    'count()': 'count(*)',
    'count(*)': 'count($1)',
    'sum(int2)': 'CAST(sum($1)$tail AS BIGINT)',
    'sum(int4)': 'CAST(sum($1)$tail AS BIGINT)',
    'sum(int8)': {sql: 'CAST(sum($1)$tail AS DECIMAL(38,0))', scale: 'zero'},
    'sum(numeric)': {sql: 'sum($1)', scale: 'same'},
    'sum(float8)': 'sum($1)',
    'avg(float8)': 'avg($1)',
    'bool_and(bool)': 'bool_and($1)',
    'bool_or(bool)': 'bool_or($1)',
    'every(bool)': 'bool_and($1)',
    'bit_and(int2)': 'bit_and($1)',
    'bit_and(int4)': 'bit_and($1)',
    'bit_and(int8)': 'bit_and($1)',
    'bit_or(int2)': 'bit_or($1)',
    'bit_or(int4)': 'bit_or($1)',
    'bit_or(int8)': 'bit_or($1)',
    'string_agg(text,text)': 'string_agg($1, $2)',
    'stddev(float8)': 'stddev_samp($1)',
    'stddev_samp(float8)': 'stddev_samp($1)',
    'stddev_pop(float8)': 'stddev_pop($1)',
    'variance(float8)': 'var_samp($1)',
    'var_samp(float8)': 'var_samp($1)',
    'var_pop(float8)': 'var_pop($1)',
    ...minMax(),
});

function minMax(): Record<string, string | Proven> {
    const entries: Record<string, string | Proven> = {};
    for (const name of ['min', 'max']) {
        for (const type of [
            'int2',
            'int4',
            'int8',
            'oid',
            'float4',
            'float8',
            'text',
            'date',
            'time',
            'timestamp',
            'timestamptz',
        ]) {
            entries[`${name}(${type})`] = `${name}($1)`;
        }
        entries[`${name}(numeric)`] = {sql: `${name}($1)`, scale: 'same'};
    }
    return entries;
}

/** Pure window functions; `*` = any stored type, and the result has the type of the first argument. */
export const WINDOW_FUNCTIONS = table({
    'row_number()': 'row_number()',
    'rank()': 'rank()',
    'dense_rank()': 'dense_rank()',
    'percent_rank()': 'percent_rank()',
    'cume_dist()': 'cume_dist()',
    'ntile(int4)': 'CAST(ntile($1)$tail AS INTEGER)',
    'lag(*)': 'lag($1)',
    'lag(*,int4)': 'lag($1, $2)',
    'lead(*)': 'lead($1)',
    'lead(*,int4)': 'lead($1, $2)',
    'first_value(*)': 'first_value($1)',
    'last_value(*)': 'last_value($1)',
});

/** Casts `source>target`; to numeric and varchar(n) the printer adds the modifier. */
export const CASTS = table({
    ...integerCasts(),
    'int4>bool': 'CAST($1 AS BOOLEAN)',
    'bool>int4': 'CAST($1 AS INTEGER)',
    'float8>float4': 'CAST($1 AS FLOAT)',
    'float4>float8': 'CAST($1 AS DOUBLE)',
    'bool>text': 'CAST($1 AS VARCHAR)',
    'int2>text': 'CAST($1 AS VARCHAR)',
    'int4>text': 'CAST($1 AS VARCHAR)',
    'int8>text': 'CAST($1 AS VARCHAR)',
    'oid>text': 'CAST($1 AS VARCHAR)',
    'uuid>text': 'CAST($1 AS VARCHAR)',
    'numeric>text': 'CAST($1 AS VARCHAR)',
    'numeric>int2': 'CAST($1 AS SMALLINT)',
    'numeric>int4': 'CAST($1 AS INTEGER)',
    'numeric>int8': 'CAST($1 AS BIGINT)',
    // By way of the text: a decimal of more than 15 digits divided as doubles is rounded twice.
    'numeric>float8': 'CAST(CAST($1 AS VARCHAR) AS DOUBLE)',
    'date>timestamp': 'CAST($1 AS TIMESTAMP)',
    'date>timestamptz': 'CAST($1 AS TIMESTAMPTZ)',
    'timestamp>date': 'CAST($1 AS DATE)',
    'timestamp>timestamptz': 'CAST($1 AS TIMESTAMPTZ)',
    'timestamptz>timestamp': 'CAST($1 AS TIMESTAMP)',
    'timestamptz>date': 'CAST($1 AS DATE)',
    'timestamp>time': 'CAST($1 AS TIME)',
    'time>interval': 'CAST($1 AS INTERVAL)',
});

function integerCasts(): Record<string, string> {
    const entries: Record<string, string> = {};
    for (const source of [...INTEGERS, 'float4', 'float8'] as const) {
        for (const target of INTEGERS) {
            if (source !== target) entries[`${source}>${target}`] = `CAST($1 AS ${INTEGER_SQL[target]})`;
        }
    }
    for (const source of INTEGERS) {
        entries[`${source}>float8`] = 'CAST($1 AS DOUBLE)';
        entries[`${source}>float4`] = 'CAST($1 AS FLOAT)';
    }
    return entries;
}
