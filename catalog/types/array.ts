/**
 * Arrays of any element type: text form, binary form and order.
 * Source: PostgreSQL documentation, "Arrays"; arrayfuncs.c for the binary layout and for comparison.
 */
import {PgError} from '../errors.ts';
import {parseArrayText} from './array-text.ts';
import type {Datum, PgArray} from './datum.ts';
import {wrongBinaryLength} from './input-errors.ts';
import {codec, makeType} from './pg-type.ts';
import type {PgType} from './pg-type.ts';
import type {OutputSettings} from './settings.ts';

export const ARRAY_DIMENSIONS_MAX = 6;
/** PostgreSQL's MaxArraySize: elements of one array. */
export const ARRAY_ELEMENTS_MAX = 134_217_727;

const EMPTY: PgArray = {dims: [], lowerBounds: [], elements: []};

/** A one-dimensional array with lower bound 1, or the empty array. */
export function makeArray(elements: readonly Datum[]): PgArray {
    return elements.length === 0 ? EMPTY : {dims: [elements.length], lowerBounds: [1], elements};
}

export function arrayType(element: PgType, name: string): PgType {
    return makeType(
        {
            oid: element.arrayOid,
            name,
            sqlName: `${element.sqlName}[]`,
            length: -1,
            category: 'A',
            preferred: false,
            arrayOid: 0,
            elementOid: element.oid,
            element,
            kind: 'array',
            baseOid: element.arrayOid,
            base: undefined,
            notNull: false,
            labels: [],
        },
        codec<PgArray>({
            parse: (text, settings) => parseArrayText(text, element, settings),
            print: (value, settings) => printArray(value, element, settings),
            receive: (bytes, offset, length) => receiveArray(bytes, offset, length, element),
            send: (value) => sendArray(value, element),
            compare: (a, b) => compareArrays(a, b, element),
            hashKey: (value) => hashKeyOfArray(value, element),
        }),
    );
}

function hashKeyOfArray(value: PgArray, element: PgType): string {
    const parts = value.elements.map((item) => {
        if (item === null) return 'N';
        const key = String(element.hashKey(item));
        return `${key.length}:${key}`;
    });
    return `${value.dims.join()};${value.lowerBounds.join()};${parts.join('')}`;
}

/** Elements first, then their number, then dimensions, lengths and lower bounds. NULL elements are greatest. */
function compareArrays(a: PgArray, b: PgArray, element: PgType): number {
    const shared = Math.min(a.elements.length, b.elements.length);
    for (let at = 0; at < shared; at++) {
        const left = a.elements[at] ?? null;
        const right = b.elements[at] ?? null;
        if (left === null || right === null) {
            if (left === right) continue;
            return left === null ? 1 : -1;
        }
        const order = element.compare(left, right);
        if (order !== 0) return order;
    }
    return (
        a.elements.length - b.elements.length ||
        a.dims.length - b.dims.length ||
        compareLists(a.dims, b.dims) ||
        compareLists(a.lowerBounds, b.lowerBounds)
    );
}

function compareLists(a: readonly number[], b: readonly number[]): number {
    for (let at = 0; at < a.length; at++) {
        const difference = (a[at] ?? 0) - (b[at] ?? 0);
        if (difference !== 0) return difference;
    }
    return 0;
}

function printArray(value: PgArray, element: PgType, settings: OutputSettings): string {
    const {dims, lowerBounds, elements} = value;
    if (elements.length === 0) return '{}';
    let at = 0;
    const printLevel = (level: number): string => {
        const parts: string[] = [];
        const last = level === dims.length - 1;
        for (let count = dims[level] ?? 0; count > 0; count--) {
            if (!last) {
                parts.push(printLevel(level + 1));
                continue;
            }
            const item = elements[at++] ?? null;
            parts.push(item === null ? 'NULL' : quoteElement(element.print(item, settings)));
        }
        return `{${parts.join(',')}}`;
    };
    const body = printLevel(0);
    if (lowerBounds.every((bound) => bound === 1)) return body;
    const bounds = lowerBounds.map((bound, level) => `[${bound}:${bound + (dims[level] ?? 0) - 1}]`);
    return `${bounds.join('')}=${body}`;
}

/** Blanks as C's isspace() sees them: Unicode spaces need no quotes. */
const NEEDS_QUOTES = /^$|^null$|[ \t\n\v\f\r"\\{},]/i;

function quoteElement(text: string): string {
    return NEEDS_QUOTES.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text;
}

function sendArray(value: PgArray, element: PgType): Uint8Array {
    const header = Buffer.allocUnsafe(12 + value.dims.length * 8);
    header.writeInt32BE(value.dims.length, 0);
    header.writeInt32BE(value.elements.includes(null) ? 1 : 0, 4);
    header.writeUInt32BE(element.oid, 8);
    for (const [at, dim] of value.dims.entries()) {
        header.writeInt32BE(dim, 12 + at * 8);
        header.writeInt32BE(value.lowerBounds[at] ?? 1, 16 + at * 8);
    }
    const chunks: Uint8Array[] = [header];
    for (const item of value.elements) {
        const size = Buffer.allocUnsafe(4);
        const bytes = item === null ? undefined : element.send(item);
        size.writeInt32BE(bytes === undefined ? -1 : bytes.length, 0);
        chunks.push(size);
        if (bytes !== undefined) chunks.push(bytes);
    }
    return Buffer.concat(chunks);
}

function receiveArray(bytes: Buffer, offset: number, length: number, element: PgType): PgArray {
    const end = offset + length;
    let at = offset;
    const readInt32 = (): number => {
        if (at + 4 > end) throw wrongBinaryLength(end - at, 4);
        at += 4;
        return bytes.readInt32BE(at - 4);
    };
    const dimensions = readInt32();
    if (dimensions < 0) throw new PgError('22P03', `invalid number of dimensions: ${dimensions}`);
    if (dimensions > ARRAY_DIMENSIONS_MAX) throw tooManyDimensions(dimensions);
    const flags = readInt32();
    if (flags !== 0 && flags !== 1) throw new PgError('22P03', 'invalid array flags');
    const elementOid = readInt32() >>> 0;
    if (elementOid !== element.oid) {
        throw new PgError(
            '42804',
            `binary data has array element type ${elementOid} instead of expected ${element.oid} (${element.sqlName})`,
        );
    }
    const dims: number[] = [];
    const lowerBounds: number[] = [];
    let count = dimensions === 0 ? 0 : 1;
    for (let level = 0; level < dimensions; level++) {
        const dim = readInt32();
        const lower = readInt32();
        if (lower + dim > 2147483648) {
            throw new PgError('54000', `array lower bound is too large: ${lower}`);
        }
        dims.push(dim);
        lowerBounds.push(lower);
        count *= dim;
        if (dim < 0 || count > ARRAY_ELEMENTS_MAX) {
            throw new PgError('54000', `array size exceeds the maximum allowed (${ARRAY_ELEMENTS_MAX})`);
        }
    }
    if (count * 4 > end - at) throw new PgError('08P01', 'insufficient data left in message');
    const elements: Datum[] = [];
    for (let left = count; left > 0; left--) {
        const size = readInt32();
        if (size < -1 || size > end - at) throw new PgError('22P03', 'insufficient data left in message');
        elements.push(size === -1 ? null : element.receive(bytes, at, size));
        if (size > 0) at += size;
    }
    if (at !== end) throw new PgError('22P03', 'incorrect binary data format in bind parameter');
    return count === 0 ? EMPTY : {dims, lowerBounds, elements};
}

export function tooManyDimensions(dimensions: number): PgError {
    return new PgError(
        '54000',
        `number of array dimensions (${dimensions}) exceeds the maximum allowed (${ARRAY_DIMENSIONS_MAX})`,
    );
}
