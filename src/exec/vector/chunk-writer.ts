/**
 * Datums into DuckDB data chunks: the write side of mirrors, overlays and dead-row tables. One loop a type over a
 * whole column, into a reused typed array that is copied to the vector at once.
 *
 * What must stay true: a value that the DuckDB type cannot hold raises `Unrepresentable` before anything of its chunk
 * is appended; epochs are shifted here (PostgreSQL counts from 2000, DuckDB from 1970) and nowhere else on the way in.
 */
import {strict as assert} from 'node:assert';
import {
    BIGINT,
    BLOB,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    DuckDBDataChunk,
    FLOAT,
    INTEGER,
    INTERVAL,
    SMALLINT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UINTEGER,
    UUID,
    VARCHAR,
} from '@duckdb/node-api';
import type {DuckDBAppender, DuckDBType} from '@duckdb/node-api';
import type {Datum, Interval} from '../../../catalog/types/datum.ts';
import type {DuckType} from './type-map.ts';
import {Unrepresentable} from './type-map.ts';
import type {RawVector} from './vector-access.ts';
import {
    columnVector,
    resetChunk,
    VECTOR_ROWS,
    writeBlob,
    writeBytes,
    writeString,
    writeValidity,
} from './vector-access.ts';

export const EPOCH_DAYS = 10957;
export const EPOCH_MICROS = 946684800000000n;
export const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;
/** DuckDB's infinities: the greatest value and its negation, for dates and timestamps. */
export const DUCK_DATE_INFINITY = 2147483647;

/** A column to write: its type, and how to print a datum when the type is 'printed'. */
export interface WriterColumn {
    readonly type: DuckType;
    readonly print: ((value: Datum) => string) | undefined;
}

const words = new ArrayBuffer(VECTOR_ROWS * 16);
const bytes8 = new Uint8Array(words);
const int16 = new Int16Array(words);
const int32 = new Int32Array(words);
const uint32 = new Uint32Array(words);
const int64 = new BigInt64Array(words);
const uint64 = new BigUint64Array(words);
const float32 = new Float32Array(words);
const float64 = new Float64Array(words);
const validityBits = new Uint8Array(VECTOR_ROWS / 8);

/** Writes rows as full chunks to an appender. Not reentrant: `finish` before another writer's `append`. */
export class ChunkWriter {
    readonly #appender: DuckDBAppender;
    readonly #columns: readonly WriterColumn[];
    readonly #chunk: DuckDBDataChunk;

    constructor(appender: DuckDBAppender, columns: readonly WriterColumn[]) {
        this.#appender = appender;
        this.#columns = columns;
        this.#chunk = DuckDBDataChunk.create(columns.map((column) => nativeType(column.type)));
    }

    /** `columnData[i]` holds the values of column i, `rowCount` of them; at most VECTOR_ROWS. */
    write(columnData: readonly (readonly Datum[])[], rowCount: number): void {
        assert(rowCount <= VECTOR_ROWS);
        if (rowCount === 0) return;
        resetChunk(this.#chunk, rowCount);
        for (let index = 0; index < this.#columns.length; index++) {
            const column = this.#columns[index];
            const data = columnData[index];
            assert(column !== undefined && data !== undefined);
            writeColumn(columnVector(this.#chunk, index), column, data, rowCount, index);
        }
        this.#appender.appendDataChunk(this.#chunk);
    }
}

/** One BIGINT column straight from an array: dead rows, hidden rows, flushed rows. */
export function appendRowids(appender: DuckDBAppender, rowids: BigInt64Array): void {
    const chunk = DuckDBDataChunk.create([BIGINT]);
    for (let start = 0; start < rowids.length; start += VECTOR_ROWS) {
        const part = rowids.subarray(start, Math.min(start + VECTOR_ROWS, rowids.length));
        resetChunk(chunk, part.length);
        writeBytes(columnVector(chunk, 0), part, part.byteLength);
        appender.appendDataChunk(chunk);
    }
}

function nativeType(type: DuckType): DuckDBType {
    switch (type.kind) {
        case 'bool':
            return BOOLEAN;
        case 'int2':
            return SMALLINT;
        case 'int4':
            return INTEGER;
        case 'int8':
            return BIGINT;
        case 'oid':
            return UINTEGER;
        case 'float4':
            return FLOAT;
        case 'float8':
            return DOUBLE;
        case 'decimal':
            return DECIMAL(type.width, type.scale);
        case 'text':
        case 'printed':
            return VARCHAR;
        case 'blob':
            return BLOB;
        case 'uuid':
            return UUID;
        case 'date':
            return DATE;
        case 'time':
            return TIME;
        case 'timestamp':
            return TIMESTAMP;
        case 'timestamptz':
            return TIMESTAMPTZ;
        case 'interval':
            return INTERVAL;
        case 'hugeint':
        case 'list':
            throw new Error(`${type.sql} is not a type of stored columns`);
        default:
            return type.kind satisfies never;
    }
}

function writeColumn(
    vector: RawVector,
    column: WriterColumn,
    data: readonly Datum[],
    count: number,
    index: number,
): void {
    switch (column.type.kind) {
        case 'bool':
            for (let i = 0; i < count; i++) bytes8[i] = data[i] === true ? 1 : 0;
            writeBytes(vector, bytes8, count);
            break;
        case 'int2':
            for (let i = 0; i < count; i++) int16[i] = (data[i] as number | null) ?? 0;
            writeBytes(vector, int16, count * 2);
            break;
        case 'int4':
            for (let i = 0; i < count; i++) int32[i] = (data[i] as number | null) ?? 0;
            writeBytes(vector, int32, count * 4);
            break;
        case 'oid':
            for (let i = 0; i < count; i++) uint32[i] = (data[i] as number | null) ?? 0;
            writeBytes(vector, uint32, count * 4);
            break;
        case 'int8':
            if (typeof data[0] === 'number') writeSafeIntegers(data as readonly number[], count);
            else for (let i = 0; i < count; i++) int64[i] = (data[i] as bigint | null) ?? 0n;
            writeBytes(vector, int64, count * 8);
            break;
        case 'float4':
            for (let i = 0; i < count; i++) float32[i] = (data[i] as number | null) ?? 0;
            writeBytes(vector, float32, count * 4);
            break;
        case 'float8':
            for (let i = 0; i < count; i++) float64[i] = (data[i] as number | null) ?? 0;
            writeBytes(vector, float64, count * 8);
            break;
        case 'decimal':
            writeDecimals(vector, column.type, data, count, index);
            break;
        case 'text':
            for (let i = 0; i < count; i++) {
                const value = data[i] as string | null;
                if (value !== null) writeString(vector, i, value);
            }
            break;
        case 'printed': {
            const {print} = column;
            assert(print !== undefined);
            for (let i = 0; i < count; i++) {
                const value = data[i] ?? null;
                if (value !== null) writeString(vector, i, print(value));
            }
            break;
        }
        case 'blob':
            for (let i = 0; i < count; i++) {
                const value = data[i] as Uint8Array | null;
                if (value !== null) writeBlob(vector, i, value);
            }
            break;
        case 'uuid':
            for (let i = 0; i < count; i++) {
                const value = data[i] as string | null;
                if (value !== null) writeUuid(value, i);
            }
            writeBytes(vector, uint64, count * 16);
            break;
        case 'date':
            for (let i = 0; i < count; i++) {
                const days = (data[i] as number | null) ?? 0;
                if (days === Infinity) int32[i] = DUCK_DATE_INFINITY;
                else if (days === -Infinity) int32[i] = -DUCK_DATE_INFINITY;
                else int32[i] = days + EPOCH_DAYS;
            }
            writeBytes(vector, int32, count * 4);
            break;
        case 'time':
            for (let i = 0; i < count; i++) int64[i] = BigInt((data[i] as number | null) ?? 0);
            writeBytes(vector, int64, count * 8);
            break;
        case 'timestamp':
        case 'timestamptz':
            for (let i = 0; i < count; i++) int64[i] = duckTimestamp((data[i] as bigint | null) ?? 0n, index);
            writeBytes(vector, int64, count * 8);
            break;
        case 'interval':
            for (let i = 0; i < count; i++) {
                const value = data[i] as Interval | null;
                int32[i * 4] = value?.months ?? 0;
                int32[i * 4 + 1] = value?.days ?? 0;
                int64[i * 2 + 1] = value?.micros ?? 0n;
            }
            writeBytes(vector, int32, count * 16);
            break;
        case 'hugeint':
        case 'list':
            throw new Error(`${column.type.sql} is not a type of stored columns`);
    }
    writeNulls(vector, data, count);
}

/** Row ids and sequences are numbers: written as halves, without a BigInt each. */
function writeSafeIntegers(data: readonly number[], count: number): void {
    for (let i = 0; i < count; i++) {
        const value = data[i] ?? 0;
        uint32[i * 2] = value >>> 0;
        int32[i * 2 + 1] = Math.floor(value / 4294967296);
    }
}

function writeNulls(vector: RawVector, data: readonly Datum[], count: number): void {
    let any = false;
    for (let i = 0; i < count; i++) {
        if (data[i] !== null) continue;
        if (!any) validityBits.fill(255);
        any = true;
        validityBits[i >> 3] = (validityBits[i >> 3] ?? 0) & ~(1 << (i & 7));
    }
    if (any) writeValidity(vector, validityBits.subarray(0, ((count + 63) >> 6) << 3));
}

/** Microseconds since 1970 with DuckDB's infinities. */
export function duckTimestamp(micros: bigint, columnIndex: number): bigint {
    if (micros === INT64_MAX) return INT64_MAX;
    if (micros === INT64_MIN) return -INT64_MAX;
    const shifted = micros + EPOCH_MICROS;
    if (shifted >= INT64_MAX) throw new Unrepresentable(columnIndex, `timestamp ${micros}`);
    return shifted;
}

function writeDecimals(vector: RawVector, type: DuckType, data: readonly Datum[], count: number, index: number): void {
    const width = type.width;
    if (width <= 4) {
        for (let i = 0; i < count; i++) int16[i] = smallDecimal(data[i] as string | null, type, index);
        writeBytes(vector, int16, count * 2);
    } else if (width <= 9) {
        for (let i = 0; i < count; i++) int32[i] = smallDecimal(data[i] as string | null, type, index);
        writeBytes(vector, int32, count * 4);
    } else if (width <= 18) {
        for (let i = 0; i < count; i++) int64[i] = scaledDecimal(data[i] as string | null, type, index);
        writeBytes(vector, int64, count * 8);
    } else {
        for (let i = 0; i < count; i++) {
            const scaled = scaledDecimal(data[i] as string | null, type, index);
            uint64[i * 2] = BigInt.asUintN(64, scaled);
            uint64[i * 2 + 1] = BigInt.asUintN(64, scaled >> 64n);
        }
        writeBytes(vector, uint64, count * 16);
    }
}

function smallDecimal(text: string | null, type: DuckType, index: number): number {
    return text === null ? 0 : Number(scaledDecimal(text, type, index));
}

/** A numeric's text as an integer of 10^-scale. The text of a numeric(p,s) always shows s decimals, or is NaN. */
export function scaledDecimal(text: string | null, type: DuckType, columnIndex: number): bigint {
    if (text === null) return 0n;
    const point = text.indexOf('.');
    const decimals = point < 0 ? 0 : text.length - point - 1;
    const digits = point < 0 ? text : text.slice(0, point) + text.slice(point + 1);
    if (decimals > type.scale || !/^-?\d+$/.test(digits)) throw new Unrepresentable(columnIndex, text);
    const scaled = BigInt(digits) * 10n ** BigInt(type.scale - decimals);
    if ((scaled < 0n ? -scaled : scaled) >= 10n ** BigInt(type.width)) throw new Unrepresentable(columnIndex, text);
    return scaled;
}

/** DuckDB stores a UUID as an int128 whose first bit is flipped, so that it sorts as an unsigned number. */
function writeUuid(text: string, row: number): void {
    const hex = text.replaceAll('-', '');
    uint64[row * 2 + 1] = BigInt(`0x${hex.slice(0, 16)}`) ^ 0x8000000000000000n;
    uint64[row * 2] = BigInt(`0x${hex.slice(16)}`);
}
