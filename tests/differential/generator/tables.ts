/**
 * The tables of the generated statements, and values for their columns. Columns whose values stay small can be reckoned
 * with; those named `…_edge` hold NULL, NaN, infinities, extremes and BC dates, and are compared, sorted and counted:
 * arithmetic on them would only ever overflow.
 */
import type {Random} from './random.ts';

/** What an expression gives. The edge kinds are never operands of arithmetic. */
export type Kind =
    | 'int'
    | 'numeric'
    | 'float'
    | 'text'
    | 'bool'
    | 'date'
    | 'timestamp'
    | 'timestamptz'
    | 'interval'
    | 'int edge'
    | 'bigint edge'
    | 'numeric edge'
    | 'float edge'
    | 'real edge'
    | 'date edge'
    | 'timestamp edge'
    | 'timestamptz edge'
    | 'varchar'
    | 'char'
    | 'time'
    | 'uuid'
    | 'bytea'
    | 'jsonb'
    | 'int[]'
    | 'text[]'
    | 'mood';

export interface Column {
    readonly name: string;
    readonly kind: Kind;
    readonly type: string;
    readonly notNull?: true;
}

export interface Table {
    readonly name: string;
    readonly columns: readonly Column[];
    /** Constraints, as written in CREATE TABLE. */
    readonly constraints: readonly string[];
    /** Columns that a conflict can be arbitrated by. */
    readonly uniqueKeys: readonly (readonly string[])[];
}

const EVERY_TYPE: readonly Column[] = [
    {name: 'a', kind: 'int', type: 'integer'},
    {name: 'n', kind: 'numeric', type: 'numeric(12, 3)'},
    {name: 'f', kind: 'float', type: 'double precision'},
    {name: 't', kind: 'text', type: 'text'},
    {name: 'o', kind: 'bool', type: 'boolean'},
    {name: 'd', kind: 'date', type: 'date'},
    {name: 'ts', kind: 'timestamp', type: 'timestamp'},
    {name: 'tz', kind: 'timestamptz', type: 'timestamptz'},
    {name: 'iv', kind: 'interval', type: 'interval'},
    {name: 'i_edge', kind: 'int edge', type: 'integer'},
    {name: 'b_edge', kind: 'bigint edge', type: 'bigint'},
    {name: 'n_edge', kind: 'numeric edge', type: 'numeric'},
    {name: 'f_edge', kind: 'float edge', type: 'double precision'},
    {name: 'r_edge', kind: 'real edge', type: 'real'},
    {name: 'd_edge', kind: 'date edge', type: 'date'},
    {name: 'ts_edge', kind: 'timestamp edge', type: 'timestamp'},
    {name: 'tz_edge', kind: 'timestamptz edge', type: 'timestamptz'},
    {name: 'v', kind: 'varchar', type: 'varchar(8)'},
    {name: 'c', kind: 'char', type: 'char(4)'},
    {name: 'tm', kind: 'time', type: 'time'},
    {name: 'u', kind: 'uuid', type: 'uuid'},
    {name: 'y', kind: 'bytea', type: 'bytea'},
    {name: 'j', kind: 'jsonb', type: 'jsonb'},
    {name: 'ia', kind: 'int[]', type: 'integer[]'},
    {name: 'ta', kind: 'text[]', type: 'text[]'},
    {name: 'm', kind: 'mood', type: 'mood'},
];

export const GENERATED_TABLES: readonly Table[] = [
    {
        name: 'g_wide',
        columns: [{name: 'id', kind: 'int', type: 'integer', notNull: true}, ...EVERY_TYPE],
        constraints: ['primary key (id)'],
        uniqueKeys: [['id']],
    },
    {
        name: 'g_pair',
        columns: [
            {name: 'k', kind: 'text', type: 'text', notNull: true},
            {name: 'p', kind: 'int', type: 'integer', notNull: true},
            {name: 's', kind: 'int', type: 'smallint'},
            {name: 'q', kind: 'int', type: 'bigint'},
            {name: 'n', kind: 'numeric', type: 'numeric'},
            {name: 'd', kind: 'date', type: 'date'},
            {name: 't', kind: 'text', type: 'text'},
        ],
        constraints: ['primary key (k, p)', 'unique (q)', 'check (s is null or s > -100)'],
        uniqueKeys: [['k', 'p'], ['q']],
    },
    {
        name: 'g_bag',
        columns: [
            {name: 'a', kind: 'int', type: 'integer'},
            {name: 't', kind: 'text', type: 'text'},
            {name: 'o', kind: 'bool', type: 'boolean'},
            {name: 'f', kind: 'float', type: 'double precision'},
            {name: 'tz', kind: 'timestamptz', type: 'timestamptz'},
        ],
        constraints: [],
        uniqueKeys: [],
    },
    {
        name: 'g_moment',
        columns: [
            {name: 'tz', kind: 'timestamptz', type: 'timestamptz', notNull: true},
            {name: 'n', kind: 'numeric', type: 'numeric(8, 2)', notNull: true},
            {name: 'm', kind: 'mood', type: 'mood'},
            {name: 'a', kind: 'int', type: 'integer'},
        ],
        constraints: ['primary key (n, tz)'],
        uniqueKeys: [['n', 'tz']],
    },
];

export function createTable({name, columns, constraints}: Table): string {
    const lines = columns.map((column) => `${column.name} ${column.type}${column.notNull === true ? ' not null' : ''}`);
    return `create table ${name} (${[...lines, ...constraints].join(', ')})`;
}

const TEXTS = [
    "''",
    "'a'",
    "'b'",
    "'B'",
    "'ab'",
    "'aé'",
    "'é'",
    "'☕'",
    "'😀 x'",
    "'a b'",
    "' a'",
    "'A_b%'",
    "'10'",
    "'O''x'",
    "E'\\\\'",
];

const VALUES: Readonly<Record<Kind, readonly string[]>> = {
    int: ['0', '1', '2', '3', '4', '5', '-1', '-2', '-5', '7'],
    numeric: ['0', '1', '1.5', '-1.5', '2.25', '0.001', '10', '-3.333', '99.99'],
    float: ['0', '1', '0.5', '-0.5', '2.25', '-4', '1024', '0.125'],
    text: TEXTS,
    bool: ['true', 'false'],
    date: ["'2024-02-29'", "'2024-01-01'", "'2023-12-31'", "'1999-12-31'", "'2024-03-01'"],
    timestamp: ["'2024-02-29 12:34:56.789'", "'2024-01-01'", "'1969-12-31 23:59:59.999999'", "'2024-03-31 02:30:00'"],
    timestamptz: [
        "'2024-02-29 12:34:56.789+00'",
        "'2024-01-01 00:00+02'",
        "'1969-12-31 23:59:59.999999+00'",
        "'2024-06-15 10:00-07'",
    ],
    interval: ["'1 day'", "'-1 day'", "'1 mon'", "'02:03:04.5'", "'1 year 2 mons -3 days'", "'00:00'"],
    'int edge': ['2147483647', '-2147483648', '0', '1'],
    'bigint edge': ['9223372036854775807', '-9223372036854775808', '0', '-1', '9007199254740993'],
    'numeric edge': [
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
        '0',
        '1e-20',
        '123456789012345678901234567890.123456789',
        '-1e30',
        '0.5',
    ],
    'float edge': ["'NaN'", "'Infinity'", "'-Infinity'", '1.7976931348623157e308', '5e-324', '0.1', '-1e-10', '0'],
    'real edge': ["'NaN'", "'Infinity'", "'-Infinity'", '3.4028235e38', '1e-45', '0.1', '0'],
    'date edge': [
        "'infinity'",
        "'-infinity'",
        "'4713-01-01 BC'",
        "'0044-03-15 BC'",
        "'0001-01-01'",
        "'5874897-12-31'",
        "'2024-01-01'",
    ],
    'timestamp edge': [
        "'infinity'",
        "'-infinity'",
        "'4713-01-01 00:00 BC'",
        "'0001-12-31 23:59:59 BC'",
        "'294276-12-31 23:59:59.999999'",
        "'2024-01-01'",
    ],
    'timestamptz edge': [
        "'infinity'",
        "'-infinity'",
        "'4713-01-02 00:00+00 BC'",
        "'294276-12-31 23:59:59.999999+00'",
        "'2024-01-01+00'",
    ],
    varchar: ["''", "'a'", "'abc'", "'é☕'", "'A  '"],
    char: ["''", "'a'", "'ab'", "'é'", "'ABCD'"],
    time: ["'00:00'", "'23:59:59.999999'", "'24:00'", "'12:34:56.7'"],
    uuid: [
        "'00000000-0000-0000-0000-000000000000'",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "'123e4567-e89b-12d3-a456-426614174000'",
    ],
    bytea: ["'\\x'", "'\\x00'", "'\\xdeadbeef'", "'\\xff'"],
    jsonb: [
        "'{}'",
        "'[]'",
        "'null'",
        "'1.50'",
        `'{"a": 1, "b": [1, 2, null]}'`,
        `'{"a": "é", "c": {"d": true}}'`,
        `'"text"'`,
    ],
    'int[]': ["'{}'", "'{1}'", "'{1,NULL,3}'", "'{3,2,1}'", "'{{1,2},{3,4}}'"],
    'text[]': ["'{}'", "'{a}'", `'{"a b",NULL,"c,d",""}'`, "'{é,☕}'"],
    mood: ["'sad'", "'ok'", "'happy'"],
};

/** SQL types by which a literal of a kind is named. */
export const TYPE_OF_KIND: Readonly<Record<Kind, string>> = {
    int: 'integer',
    numeric: 'numeric',
    float: 'double precision',
    text: 'text',
    bool: 'boolean',
    date: 'date',
    timestamp: 'timestamp',
    timestamptz: 'timestamptz',
    interval: 'interval',
    'int edge': 'integer',
    'bigint edge': 'bigint',
    'numeric edge': 'numeric',
    'float edge': 'double precision',
    'real edge': 'real',
    'date edge': 'date',
    'timestamp edge': 'timestamp',
    'timestamptz edge': 'timestamptz',
    varchar: 'varchar',
    char: 'char(4)',
    time: 'time',
    uuid: 'uuid',
    bytea: 'bytea',
    jsonb: 'jsonb',
    'int[]': 'integer[]',
    'text[]': 'text[]',
    mood: 'mood',
};

/** A literal without its type, as INSERT takes it. */
export function plainValue(random: Random, kind: Kind): string {
    return random.pick(VALUES[kind]);
}

/** A literal that is of its kind wherever it stands. */
export function typedValue(random: Random, kind: Kind): string {
    const value = plainValue(random, kind);
    if (kind === 'bool' || kind === 'int' || kind === 'text') return value.startsWith('-') ? `(${value})` : value;
    return `${value.startsWith('-') ? `(${value})` : value}::${TYPE_OF_KIND[kind]}`;
}

/** A value for a column; ids and keys come from a small range, so that conflicts happen. */
export function columnValue(random: Random, column: Column): string {
    if (column.name === 'id') return String(random.integer(1, 60));
    if (column.name === 'q') return random.chance(0.2) ? 'null' : String(random.integer(1, 100));
    if (column.notNull !== true && random.chance(0.2)) return 'null';
    return plainValue(random, column.kind);
}
