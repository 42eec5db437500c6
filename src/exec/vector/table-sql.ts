/**
 * The DuckDB expression for one table at a snapshot: mirror, clean segments, dirty segments without their dead rows,
 * and overlay, as one UNION ALL with the columns that the query needs.
 *
 * What must stay true: every branch has the same columns with the same types in the same order; rows hidden by the
 * overlay are hidden in mirror and segments alike; the row filter is in every branch.
 */
import type {ColumnDescriptor} from '../../../catalog/descriptor.ts';
import {SEGMENT_ATTNUM} from '../../../catalog/descriptor.ts';
import {quoteIdentifier, quoteLiteral} from './engine.ts';
import {RetryOnReferencePath} from './failures.ts';
import type {MirrorColumn} from './mirror.ts';
import type {TableReference} from './printer/context.ts';
import {literal} from './printer/literal.ts';
import type {SegmentColumnInput, SegmentInput, TableInput} from './table-input.ts';
import type {DuckType, TypeCodec} from './type-map.ts';
import {duckTypeOf, PRINTED_TYPE} from './type-map.ts';

/** Names of what was put into DuckDB for this table, or undefined where there is nothing. */
export interface TableParts {
    readonly mirror: string;
    /** Of mirror and overlay: a column may have become text after the query was printed. */
    readonly columns: readonly MirrorColumn[];
    /** A table with the overlay's rows, laid out as the mirror. */
    readonly overlay: string | undefined;
    /** A list of row ids, or a subquery, for `_rowid NOT IN (…)`. */
    readonly hidden: string | undefined;
    readonly dead: ReadonlyMap<number, string>;
}

export interface NeededColumn {
    readonly descriptor: ColumnDescriptor;
    readonly duck: DuckType;
}

export function tableSql(reference: TableReference, input: TableInput, parts: TableParts, codec: TypeCodec): string {
    const needed = reference.table.columns
        .filter((column) => reference.attnums.has(column.attnum))
        .map((descriptor) => ({
            descriptor,
            duck: reference.texts?.has(descriptor.attnum) === true ? PRINTED_TYPE : duckTypeOf(descriptor.type, codec),
        }));
    refuseOtherTypes(needed, parts.columns);
    const withSegment = reference.attnums.has(SEGMENT_ATTNUM);
    const hot = [
        '_rowid, _seq, _updated, _owner',
        ...(withSegment ? ['0 AS _segment'] : []),
        ...needed.map(({descriptor}) => `c${descriptor.attnum}`),
    ].join(', ');
    const hotFilter = rowFilter(input, false);
    const notHidden = parts.hidden === undefined ? [] : [`_rowid NOT IN (${parts.hidden})`];
    const branches = [`SELECT ${hot} FROM ${parts.mirror}${where([...hotFilter, ...notHidden])}`];
    if (parts.overlay !== undefined) branches.push(`SELECT ${hot} FROM ${parts.overlay}${where(hotFilter)}`);

    const clean = new Map<string, string[]>();
    for (const segment of input.segments) {
        const dead = parts.dead.get(segment.segmentId);
        const list = segmentList(segment, needed, withSegment, codec);
        const filters = [...rowFilter(input, true), ...notHidden];
        if (dead === undefined && !withSegment) {
            const paths = clean.get(list) ?? [];
            paths.push(quoteLiteral(segment.path));
            clean.set(list, paths);
            continue;
        }
        const alive = dead === undefined ? [] : [`_rowid NOT IN (${dead})`];
        branches.push(
            `SELECT ${list} FROM read_parquet(${quoteLiteral(segment.path)})${where([...filters, ...alive])}`,
        );
    }
    for (const [list, paths] of clean) {
        const filters = [...rowFilter(input, true), ...notHidden];
        branches.push(`SELECT ${list} FROM read_parquet([${paths.join(', ')}], union_by_name = true)${where(filters)}`);
    }
    return `(${branches.join(' UNION ALL ')})`;
}

/** A column that became text, or a typed one again, since the query was printed. */
function refuseOtherTypes(needed: readonly NeededColumn[], present: readonly MirrorColumn[]): void {
    for (const {descriptor, duck} of needed) {
        const column = present.find(({attnum}) => attnum === descriptor.attnum);
        if (column !== undefined && column.type.sql !== duck.sql) {
            throw new RetryOnReferencePath(
                `column "${descriptor.name}" is kept as ${column.type.sql}, not ${duck.sql}`,
            );
        }
    }
}

function where(conditions: readonly string[]): string {
    return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

function rowFilter(input: TableInput, cold: boolean): string[] {
    const conditions: string[] = [];
    if (input.owner !== undefined) conditions.push(`_owner = ${input.owner}`);
    if (input.updatedNsMin !== undefined) {
        const value = `CAST('${input.updatedNsMin}' AS BIGINT)`;
        conditions.push(`_updated >= ${cold ? `make_timestamp_ns(${value})` : value}`);
    }
    return conditions;
}

/** SELECT list of a segment: system columns, then `c<attnum>` in the present types. */
export function segmentList(
    segment: SegmentInput,
    needed: readonly NeededColumn[],
    withSegment: boolean,
    codec: TypeCodec,
): string {
    const written = new Map(segment.columns.map((column) => [column.attnum, column]));
    const texts = ['_rowid', '_seq', 'epoch_ns(_updated) AS _updated', '_owner'];
    if (withSegment) texts.push(`${segment.segmentId} AS _segment`);
    for (const {descriptor, duck} of needed) {
        const column = written.get(descriptor.attnum);
        const value =
            column === undefined
                ? missingValue(descriptor, duck, codec)
                : readSegmentColumn(quoteIdentifier(column.name), column, duck);
        texts.push(`${value} AS c${descriptor.attnum}`);
    }
    return texts.join(', ');
}

function missingValue(descriptor: ColumnDescriptor, duck: DuckType, codec: TypeCodec): string {
    if (duck.kind === 'printed' && descriptor.missing !== null) {
        return quoteLiteral(codec.print(descriptor.type.oid, descriptor.missing));
    }
    return descriptor.missing === null ? `CAST(NULL AS ${duck.sql})` : literal(descriptor.missing, duck);
}

function readSegmentColumn(name: string, column: SegmentColumnInput, duck: DuckType): string {
    if (duck.sql === 'VARCHAR' && column.sqlType !== 'VARCHAR') {
        const text = textOf(name, column.sqlType);
        if (text !== undefined) return text;
    }
    if (column.sqlType !== duck.sql && !widens(column.sqlType, duck.sql)) {
        throw new RetryOnReferencePath(`a segment holds ${column.sqlType} where the table has ${duck.sql}`);
    }
    if (duck.kind === 'interval') {
        return `(to_months(${name}.months) + to_days(${name}.days) + to_microseconds(${name}.micros))`;
    }
    return column.sqlType === duck.sql ? name : `CAST(${name} AS ${duck.sql})`;
}

/** A value of a segment as PostgreSQL prints it (ISO dates, UTC), for columns that have become text since. */
function textOf(name: string, sqlType: string): string | undefined {
    if (sqlType.startsWith('DECIMAL')) return `CAST(${name} AS VARCHAR)`;
    if (sqlType === 'TIMESTAMP') return timestampText(name, '');
    if (sqlType === 'TIMESTAMPTZ') return timestampText(`timezone('UTC', ${name})`, '+00');
    return undefined;
}

function timestampText(value: string, zone: string): string {
    const text = `CAST(${value} AS VARCHAR)`;
    return (
        `(CASE WHEN NOT isfinite(${value}) THEN ${text} WHEN contains(${text}, ' (BC)') ` +
        `THEN replace(${text}, ' (BC)', '') || '${zone} BC' ELSE ${text} || '${zone}' END)`
    );
}

const WIDER: Readonly<Record<string, readonly string[]>> = {
    SMALLINT: ['INTEGER', 'BIGINT'],
    INTEGER: ['BIGINT'],
    FLOAT: ['DOUBLE'],
};

/** True when the cast keeps every value as PostgreSQL's ALTER COLUMN TYPE keeps it. */
function widens(from: string, to: string): boolean {
    if (WIDER[from]?.includes(to) === true) return true;
    const pattern = /^DECIMAL\((\d+),(\d+)\)$/;
    const before = pattern.exec(from);
    const after = pattern.exec(to);
    return before !== null && after !== null && before[2] === after[2] && Number(before[1]) <= Number(after[1]);
}
