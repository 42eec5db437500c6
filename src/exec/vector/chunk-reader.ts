/**
 * DuckDB data chunks into datums, a column at a time: the read side of results.
 *
 * What must stay true: the inverse of chunk-writer.ts, value for value; epochs are shifted here and nowhere else on
 * the way out.
 */
import type {Datum} from '../../../catalog/types/datum.ts';
import {DUCK_DATE_INFINITY, EPOCH_DAYS, EPOCH_MICROS, INT64_MAX, INT64_MIN} from './chunk-writer.ts';
import type {DuckType} from './type-map.ts';
import type {RawVector} from './vector-access.ts';
import {isValid, listChild, listChildCount, readStrings, vectorBytes, vectorValidity} from './vector-access.ts';

/** The column's values; `parse` reads what is only kept as text. */
export function readColumn(
    vector: RawVector,
    type: DuckType,
    rowCount: number,
    parse?: (text: string) => Datum,
): Datum[] {
    const validity = vectorValidity(vector, rowCount);
    const values = readValues(vector, type, rowCount, validity, parse);
    if (validity !== undefined) {
        for (let row = 0; row < rowCount; row++) if (!isValid(validity, row)) values[row] = null;
    }
    return values;
}

function readValues(
    vector: RawVector,
    type: DuckType,
    count: number,
    validity: Uint8Array | undefined,
    parse: ((text: string) => Datum) | undefined,
): Datum[] {
    switch (type.kind) {
        case 'bool':
            return Array.from(vectorBytes(vector, count), (byte) => byte !== 0);
        case 'int2':
            return Array.from(int16s(vector, count));
        case 'int4':
            return Array.from(int32s(vector, count));
        case 'oid':
            return Array.from(new Uint32Array(int32s(vector, count).buffer));
        case 'int8':
            return Array.from(int64s(vector, count));
        case 'float4': {
            const bytes = vectorBytes(vector, count * 4);
            return Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, count));
        }
        case 'float8': {
            const bytes = vectorBytes(vector, count * 8);
            return Array.from(new Float64Array(bytes.buffer, bytes.byteOffset, count));
        }
        case 'decimal':
            return readDecimals(vector, type, count, validity);
        case 'hugeint':
            return readHugeints(vector, count).map(String);
        case 'text':
        case 'printed':
            return readTexts(vector, type, count, validity, parse);
        case 'blob':
            return readBlobs(vector, count, validity);
        case 'uuid':
            return readUuids(vector, count);
        case 'date':
            return Array.from(int32s(vector, count), readDate);
        case 'time':
            return Array.from(int64s(vector, count), Number);
        case 'timestamp':
        case 'timestamptz':
            return Array.from(int64s(vector, count), readTimestamp);
        case 'interval': {
            const words = int32s(vector, count * 4);
            const micros = new BigInt64Array(words.buffer, words.byteOffset, count * 2);
            const values: Datum[] = [];
            for (let row = 0; row < count; row++) {
                values.push({
                    months: words[row * 4] ?? 0,
                    days: words[row * 4 + 1] ?? 0,
                    micros: micros[row * 2 + 1] ?? 0n,
                });
            }
            return values;
        }
        case 'list':
            return readLists(vector, type, count, validity);
        default:
            return type.kind satisfies never;
    }
}

export function int16s(vector: RawVector, count: number): Int16Array {
    const bytes = vectorBytes(vector, count * 2);
    return new Int16Array(bytes.buffer, bytes.byteOffset, count);
}

export function int32s(vector: RawVector, count: number): Int32Array {
    const bytes = vectorBytes(vector, count * 4);
    return new Int32Array(bytes.buffer, bytes.byteOffset, count);
}

export function int64s(vector: RawVector, count: number): BigInt64Array {
    const bytes = vectorBytes(vector, count * 8);
    return new BigInt64Array(bytes.buffer, bytes.byteOffset, count);
}

function readDate(days: number): number {
    if (days === DUCK_DATE_INFINITY) return Infinity;
    if (days === -DUCK_DATE_INFINITY) return -Infinity;
    return days - EPOCH_DAYS;
}

function readTimestamp(micros: bigint): bigint {
    if (micros === INT64_MAX) return INT64_MAX;
    if (micros === -INT64_MAX) return INT64_MIN;
    return micros - EPOCH_MICROS;
}

function readHugeints(vector: RawVector, count: number): bigint[] {
    const words = int64s(vector, count * 2);
    const values: bigint[] = [];
    for (let row = 0; row < count; row++) {
        values.push(((words[row * 2 + 1] ?? 0n) << 64n) | BigInt.asUintN(64, words[row * 2] ?? 0n));
    }
    return values;
}

function readDecimals(vector: RawVector, type: DuckType, count: number, validity: Uint8Array | undefined): Datum[] {
    const {width, scale} = type;
    const values: Datum[] = [];
    if (width <= 9) {
        const scaled = width <= 4 ? int16s(vector, count) : int32s(vector, count);
        for (let row = 0; row < count; row++)
            values.push(isValid(validity, row) ? decimalText(String(scaled[row]), scale) : null);
        return values;
    }
    const scaled = width <= 18 ? int64s(vector, count) : readHugeints(vector, count);
    for (let row = 0; row < count; row++)
        values.push(isValid(validity, row) ? decimalText(String(scaled[row]), scale) : null);
    return values;
}

/** An integer of 10^-scale as PostgreSQL prints the numeric. */
export function decimalText(digits: string, scale: number): string {
    if (scale === 0) return digits;
    const negative = digits.startsWith('-');
    const bare = (negative ? digits.slice(1) : digits).padStart(scale + 1, '0');
    const point = bare.length - scale;
    return `${negative ? '-' : ''}${bare.slice(0, point)}.${bare.slice(point)}`;
}

function readTexts(
    vector: RawVector,
    type: DuckType,
    count: number,
    validity: Uint8Array | undefined,
    parse: ((text: string) => Datum) | undefined,
): Datum[] {
    const {buffers, bufferOf, starts, lengths} = readStrings(vector, count, validity);
    const values: Datum[] = [];
    for (let row = 0; row < count; row++) {
        if (!isValid(validity, row)) {
            values.push(null);
            continue;
        }
        const start = starts[row] ?? 0;
        const text = buffers[bufferOf[row] ?? 0]?.toString('utf8', start, start + (lengths[row] ?? 0)) ?? '';
        values.push(type.kind === 'printed' && parse !== undefined ? parse(text) : text);
    }
    return values;
}

function readBlobs(vector: RawVector, count: number, validity: Uint8Array | undefined): Datum[] {
    const {buffers, bufferOf, starts, lengths} = readStrings(vector, count, validity);
    const values: Datum[] = [];
    for (let row = 0; row < count; row++) {
        const start = starts[row] ?? 0;
        // A copy: the buffer is shared by the strings of a chunk.
        const part = buffers[bufferOf[row] ?? 0]?.subarray(start, start + (lengths[row] ?? 0));
        values.push(part === undefined || !isValid(validity, row) ? null : new Uint8Array(part));
    }
    return values;
}

function readUuids(vector: RawVector, count: number): Datum[] {
    const bytes = Buffer.from(vectorBytes(vector, count * 16));
    const values: Datum[] = [];
    for (let row = 0; row < count; row++) {
        // Stored little-endian with the first bit flipped.
        const part = bytes.subarray(row * 16, row * 16 + 16).reverse();
        part[0] = (part[0] ?? 0) ^ 0x80;
        const hex = part.toString('hex');
        values.push(
            `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
        );
    }
    return values;
}

function readLists(vector: RawVector, type: DuckType, count: number, validity: Uint8Array | undefined): Datum[] {
    const {element} = type;
    if (element === undefined) throw new Error('a list without elements');
    const entries = int64s(vector, count * 2);
    const items = readColumn(listChild(vector), element, listChildCount(vector));
    const values: Datum[] = [];
    for (let row = 0; row < count; row++) {
        if (!isValid(validity, row)) {
            values.push(null);
            continue;
        }
        const start = Number(entries[row * 2]);
        const length = Number(entries[row * 2 + 1]);
        const elements = items.slice(start, start + length);
        values.push(
            length === 0 ? {dims: [], lowerBounds: [], elements} : {dims: [length], lowerBounds: [1], elements},
        );
    }
    return values;
}
