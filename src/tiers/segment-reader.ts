/**
 * Rows of segments as versions, decoded for the table's present descriptor: columns are found by their id, whatever they
 * were called when the segment was written; a column that is younger than the segment has its `missing` value.
 *
 * What must stay true: what is read equals what was flushed, value for value. A type that was changed without a rewrite
 * of the table (int to bigint is one with it, varchar to text is not) is widened here.
 */
import type {DuckDBConnection, DuckDBDataChunk} from '@duckdb/node-api';
import type {ColumnDescriptor, TableDescriptor} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {SegmentColumn, SegmentMeta} from '../../storage/segments/manifest.ts';
import {quoteIdentifier, quoteLiteral} from '../exec/vector/engine.ts';
import {readColumn} from '../exec/vector/chunk-reader.ts';
import {
    decimalType,
    type DuckType,
    duckTypeOf,
    OID,
    PRINTED_TYPE,
    TEXT_TYPE,
    type TypeCodec,
} from '../exec/vector/type-map.ts';
import {columnVector} from '../exec/vector/vector-access.ts';
import type {RowVersion} from '../txn/row-version.ts';

const PLAIN_OIDS = [
    OID.bool,
    OID.int2,
    OID.int4,
    OID.int8,
    OID.oid,
    OID.float4,
    OID.float8,
    OID.bytea,
    OID.uuid,
    OID.date,
    OID.time,
    OID.timestamp,
    OID.timestamptz,
    OID.interval,
] as const;
const SYSTEM_COLUMNS_COUNT = 4;

interface ColumnReader {
    /** Its expression in the SELECT list, or undefined: then every row has `missing`. */
    readonly expression: string | undefined;
    readonly missing: Datum;
    read(chunk: DuckDBDataChunk, column: number): Datum[];
}

/** Reads `columns` of a segment; the other values of its rows are NULL. */
export class SegmentReader {
    readonly #from: string;
    readonly #columns: readonly ColumnReader[];
    readonly #list: string;

    /** `wanted` undefined = all columns. */
    constructor(
        table: TableDescriptor,
        segment: SegmentMeta,
        path: string,
        codec: TypeCodec,
        wanted?: ReadonlySet<number>,
    ) {
        const written = new Map(segment.columns.map((column) => [column.attnum, column]));
        this.#columns = table.columns.map((column) =>
            wanted === undefined || wanted.has(column.attnum)
                ? columnReader(column, written.get(column.attnum), codec)
                : {expression: undefined, missing: null, read: () => []},
        );
        const expressions = this.#columns.flatMap(({expression}) => (expression === undefined ? [] : [expression]));
        this.#list = ['_rowid', '_seq', 'epoch_ns(_updated)', '_owner', ...expressions].join(', ');
        this.#from = `read_parquet(${quoteLiteral(path)})`;
    }

    /** Batches of at most one vector, in the order of the file. */
    async *rows(connection: DuckDBConnection, condition?: string): AsyncGenerator<RowVersion[]> {
        const where = condition === undefined ? '' : ` WHERE ${condition}`;
        const result = await connection.stream(`SELECT ${this.#list} FROM ${this.#from}${where}`);
        for (
            let chunk = await result.fetchChunk();
            chunk !== null && chunk.rowCount > 0;
            chunk = await result.fetchChunk()
        ) {
            yield this.#decode(chunk);
        }
    }

    #decode(chunk: DuckDBDataChunk): RowVersion[] {
        const {rowCount} = chunk;
        const system = (column: number, type: DuckType): Datum[] =>
            readColumn(columnVector(chunk, column), type, rowCount);
        const rowids = system(0, BIGINT);
        const seqs = system(1, BIGINT);
        const updated = system(2, BIGINT);
        const owners = system(3, INTEGER);
        let position = SYSTEM_COLUMNS_COUNT;
        const columns = this.#columns.map((column) =>
            column.expression === undefined ? undefined : column.read(chunk, position++),
        );
        const rows: RowVersion[] = [];
        for (let row = 0; row < rowCount; row++) {
            rows.push({
                rowid: Number(rowids[row]),
                seq: Number(seqs[row]),
                updatedNs: updated[row] as bigint,
                owner: owners[row] as number,
                values: columns.map((column, index) =>
                    column === undefined ? (this.#columns[index]?.missing ?? null) : (column[row] ?? null),
                ),
                deleted: false,
                previous: null,
            });
        }
        return rows;
    }
}

const PLAIN_BY_SQL = new Map<string, DuckType>();
const CODEC_OF_PLAIN = {baseType: (type: {oid: number; typmod: number}) => type} as TypeCodec;
for (const oid of PLAIN_OIDS) {
    const type = duckTypeOf({oid, typmod: -1}, CODEC_OF_PLAIN);
    PLAIN_BY_SQL.set(type.sql, type);
}
const BIGINT = duckTypeOf({oid: OID.int8, typmod: -1}, CODEC_OF_PLAIN);
const INTEGER = duckTypeOf({oid: OID.int4, typmod: -1}, CODEC_OF_PLAIN);

function columnReader(column: ColumnDescriptor, written: SegmentColumn | undefined, codec: TypeCodec): ColumnReader {
    if (written === undefined) return {expression: undefined, missing: column.missing, read: () => []};
    const present = duckTypeOf(column.type, codec);
    const type = writtenType(written, present);
    const {oid} = codec.baseType(column.type);
    const convert = conversion(type, present, column);
    const parse = (text: string): Datum => codec.parse(oid, text);
    return {
        expression:
            type.kind === 'interval'
                ? intervalExpression(quoteIdentifier(written.name))
                : quoteIdentifier(written.name),
        missing: null,
        read(chunk, position) {
            const values = readColumn(columnVector(chunk, position), type, chunk.rowCount, parse);
            return convert === undefined ? values : values.map((value) => (value === null ? null : convert(value)));
        },
    };
}

/** The type of the values in the file. Text is the column's own, or what is printed where DuckDB has no type for it. */
function writtenType(written: SegmentColumn, present: DuckType): DuckType {
    if (written.sqlType === 'VARCHAR') return present.kind === 'text' ? TEXT_TYPE : PRINTED_TYPE;
    const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(written.sqlType);
    if (decimal !== null) return decimalType(Number(decimal[1]), Number(decimal[2]));
    const plain = PLAIN_BY_SQL.get(written.sqlType);
    if (plain === undefined)
        throw new PgError('XX001', `column "${written.name}" of a segment has type ${written.sqlType}`);
    return plain;
}

const SAME_DATUM: ReadonlySet<string> = new Set(['int2>int4', 'float4>float8', 'decimal>text']);

function conversion(
    type: DuckType,
    present: DuckType,
    column: ColumnDescriptor,
): ((value: Datum) => Datum) | undefined {
    if (type.kind === present.kind || type.kind === 'printed') return undefined;
    const change = `${type.kind}>${present.kind}`;
    if (SAME_DATUM.has(change)) return undefined;
    if (change === 'int2>int8' || change === 'int4>int8') return (value) => BigInt(value as number);
    throw new PgError('XX001', `column "${column.name}" is ${type.sql} in a segment and ${present.sql} in the table`);
}

/** The file has a struct: Parquet's own interval has milliseconds only. */
function intervalExpression(name: string): string {
    return `(to_months(${name}.months) + to_days(${name}.days) + to_microseconds(${name}.micros))`;
}
