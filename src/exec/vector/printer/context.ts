/**
 * What the parts of the printer share: the typed text of an expression, the scopes that column references are looked
 * up in, and the marks for tables.
 *
 * What must stay true: a table is printed as `\u0001number\u0001`, and no literal contains that character; so the text
 * can be split at marks and filled in without being parsed.
 */
import type {TableDescriptor} from '../../../../catalog/descriptor.ts';
import type {Datum} from '../../../../catalog/types/datum.ts';
import type {BoundQuery, Expr, SqlValueExpr} from '../../../sql/bound.ts';
import {Unsupported} from '../../../sql/bound.ts';
import type {DuckType, TypeCodec} from '../type-map.ts';
import {OID} from '../type-map.ts';

/** An expression's text with the DuckDB type it certainly has, and its PostgreSQL base type. */
export interface Typed {
    readonly sql: string;
    readonly duck: DuckType;
    readonly oid: number;
}

export interface ColumnInfo {
    readonly sql: string;
    readonly duck: DuckType;
    readonly oid: number;
}

/** Stands around the number of a table reference in the printed text. */
export const MARK = '\u0001';

/** What a statement's execution knows: printing happens per execution, so that DuckDB plans with the values. */
export interface StatementValues {
    readonly parameters: readonly Datum[];
    /** current_date, now() and their like. */
    readonly value: (name: SqlValueExpr['name'] | 'now') => Datum;
}

/** A table as the query reads it: the columns it needs, so that no other column of a segment is touched. */
export interface TableReference {
    readonly table: TableDescriptor;
    readonly attnums: Set<number>;
    /** Columns that the query takes in PostgreSQL's text form, because the mirror keeps them so. */
    readonly texts?: ReadonlySet<number>;
}

export interface Scope {
    /** Column `column` of source `source`, in the numbering of ColumnExpr. */
    readonly column: (source: number, column: number) => ColumnInfo;
    /** Texts of the grouping expressions; undefined while grouping does not apply. */
    grouped: ReadonlySet<string> | undefined;
    /** True when columns that depend on the grouping key may stand alone. */
    dependent: boolean;
}

export interface PrintContext {
    readonly codec: TypeCodec;
    readonly scopes: readonly Scope[];
    readonly values: StatementValues;
    subquery(query: BoundQuery): {readonly sql: string; readonly columns: readonly ColumnInfo[]};
    expression(expr: Expr): Typed;
}

/** An expression text longer than this is not worth its parsing; guards against operands that are repeated. */
const EXPRESSION_CHARACTERS_MAX = 60_000;

export function bounded(sql: string): string {
    if (sql.length > EXPRESSION_CHARACTERS_MAX) throw new Unsupported('an expression this large');
    return sql;
}

const SHORT_NAMES: ReadonlyMap<number, string> = new Map([
    [OID.bool, 'bool'],
    [OID.bytea, 'bytea'],
    [OID.int8, 'int8'],
    [OID.int2, 'int2'],
    [OID.int4, 'int4'],
    [OID.text, 'text'],
    [OID.varchar, 'text'],
    [OID.name, 'text'],
    [OID.unknown, 'text'],
    [OID.oid, 'oid'],
    [OID.float4, 'float4'],
    [OID.float8, 'float8'],
    [OID.bpchar, 'bpchar'],
    [OID.date, 'date'],
    [OID.time, 'time'],
    [OID.timestamp, 'timestamp'],
    [OID.timestamptz, 'timestamptz'],
    [OID.interval, 'interval'],
    [OID.uuid, 'uuid'],
]);

/**
 * Name of an operand's type in the table of proven constructs; `opaque` when DuckDB's values are not PostgreSQL's
 * (json, enums, text of a numeric, a demoted column, a list).
 */
export function provenName(value: Typed): string {
    if (value.oid === OID.numeric) return value.duck.kind === 'decimal' ? 'numeric' : 'opaque';
    if (value.duck.kind === 'printed' || value.duck.kind === 'list') return 'opaque';
    return SHORT_NAMES.get(value.oid) ?? 'opaque';
}

/** Fills `$1`, `$2` … of a proven spelling. */
export function fill(template: string, operands: readonly string[]): string {
    return bounded(template.replace(/\$(\d)/g, (_, digit: string) => operands[Number(digit) - 1] ?? ''));
}
