/**
 * Index keys: bytes whose order is the btree order of the values, for every type that PostgreSQL can index and that
 * values can have here, except jsonb.
 *
 * What must stay true:
 * - Comparing two encodings byte by byte compares the values: NULL after all values, or before them when descending.
 * - Each part delimits itself, so the encoding of the first columns is a prefix of the encoding of all.
 * - Values that are equal in SQL have equal keys (numeric 1.0 and 1.00, -0 and 0, 'a' and 'a ' as bpchar).
 * - The layout is on disk: a change of it is a change of format.
 *
 * Layout of a part: 01 and the value, or 02 for NULL; descending parts are inverted bit by bit.
 */
import {notSupported} from '../errors.ts';
import type {Datum, Interval, PgArray, TimeTz} from './datum.ts';
import {enumSortOrder} from './enum.ts';
import {intervalSpan} from './interval-codec.ts';
import {encodeNumeric} from './key-numeric.ts';
import {KeyWriter} from './key-writer.ts';
import {addressOf} from './network.ts';
import type {PgType} from './pg-type.ts';
import {OID} from './oids.ts';
import {charByte, trimBlanks} from './text-types.ts';
import {timetzInstant} from './time-of-day.ts';
import {uuidBytes} from './uuid.ts';

const VALUE_MARK = 1;
const NULL_MARK = 2;
const ARRAY_END = 0;
const INT64_SHIFT = 0x8000000000000000n;
const DATE_INFINITY = 2_147_483_647;
const DATE_NEGATIVE_INFINITY = -2_147_483_648;
/** Spans reach 79 bits; shifted by this they are positive and fit 96. */
const SPAN_SHIFT = 1n << 95n;
/** Instants of timetz reach back to 16 hours before midnight. */
const TIMETZ_SHIFT = 1_000_000_000_000;

const writer = new KeyWriter();

/** The key of a row's columns. `values` may be shorter than `types`: that makes a prefix for a range scan. */
export function encodeKey(types: readonly PgType[], values: readonly Datum[], descending?: readonly boolean[]): Buffer {
    writer.reset();
    for (let at = 0; at < values.length; at++) {
        const type = types[at];
        if (type === undefined) throw new RangeError('more key values than key types');
        encodeKeyPart(type, values[at] ?? null, descending?.[at] === true, writer);
    }
    return writer.finish();
}

/** Throws 0A000 for types that cannot be keys. */
export function encodeKeyPart(type: PgType, value: Datum, descending: boolean, target: KeyWriter): void {
    const start = target.length;
    if (value === null) target.byte(NULL_MARK);
    else {
        target.byte(VALUE_MARK);
        encodeValue(type, value, target);
    }
    if (descending) target.invertFrom(start);
}

/** Same bytes as `encodeKey` for one ascending int4 (or smaller) column, without the dispatch. */
export function encodeIntKey(value: number): Buffer {
    const bytes = Buffer.allocUnsafe(5);
    const shifted = (value ^ 0x80000000) >>> 0;
    bytes[0] = VALUE_MARK;
    bytes[1] = shifted >>> 24;
    bytes[2] = (shifted >>> 16) & 255;
    bytes[3] = (shifted >>> 8) & 255;
    bytes[4] = shifted & 255;
    return bytes;
}

/** The value in an ascending key of one int2, int4 or int8 column. */
export function decodeIntKey(bytes: Buffer): bigint {
    return bytes.length === 5 ? BigInt(bytes.readUInt32BE(1) - 0x80000000) : bytes.readBigUInt64BE(1) - INT64_SHIFT;
}

/** True when values of the type can be encoded. */
export function isKeyType(type: PgType): boolean {
    if (type.element !== undefined) return isKeyType(type.element);
    return type.labels.length > 0 || KEY_OIDS.has(type.baseOid);
}

const UNSIGNED_OIDS: readonly number[] = [
    OID.oid,
    OID.regproc,
    OID.regprocedure,
    OID.regoper,
    OID.regoperator,
    OID.regclass,
    OID.regtype,
    OID.regconfig,
    OID.regdictionary,
    OID.regnamespace,
    OID.regrole,
    OID.regcollation,
];
const KEY_OIDS: ReadonlySet<number> = new Set<number>([
    ...UNSIGNED_OIDS,
    OID.bool,
    OID.bytea,
    OID.char,
    OID.name,
    OID.int2,
    OID.int4,
    OID.int8,
    OID.text,
    OID.varchar,
    OID.bpchar,
    OID.cidr,
    OID.inet,
    OID.float4,
    OID.float8,
    OID.date,
    OID.time,
    OID.timetz,
    OID.timestamp,
    OID.timestamptz,
    OID.interval,
    OID.numeric,
    OID.uuid,
    OID.xid8,
]);

function encodeValue(type: PgType, value: Exclude<Datum, null>, target: KeyWriter): void {
    switch (type.baseOid) {
        case OID.int2:
        case OID.int4:
            // One encoding for both, so that the leaf above serves both.
            target.int32(value as number);
            return;
        case OID.int8:
        case OID.timestamp:
        case OID.timestamptz:
            target.int64(value as bigint);
            return;
        case OID.text:
        case OID.varchar:
        case OID.name:
            target.text(value as string);
            return;
        case OID.bpchar:
            target.text(trimBlanks(value as string));
            return;
        case OID.uuid:
            target.raw(uuidBytes(value as string));
            return;
        case OID.bool:
            target.byte(value === true ? 1 : 0);
            return;
        case OID.date:
            target.int32(clampDate(value as number));
            return;
        case OID.numeric:
            encodeNumeric(value as string, target);
            return;
        case OID.float8:
            target.float64(value as number);
            return;
        case OID.float4:
            target.float32(value as number);
            return;
        case OID.bytea:
            target.escaped(value as Uint8Array);
            return;
        default:
            encodeRarer(type, value, target);
    }
}

function clampDate(days: number): number {
    return days === Infinity ? DATE_INFINITY : days === -Infinity ? DATE_NEGATIVE_INFINITY : days;
}

function encodeRarer(type: PgType, value: Exclude<Datum, null>, target: KeyWriter): void {
    switch (type.baseOid) {
        case OID.time:
            target.uint64(BigInt(value as number));
            return;
        case OID.timetz:
            target.uint64(BigInt(timetzInstant(value as TimeTz) + TIMETZ_SHIFT));
            target.int32((value as TimeTz).zone);
            return;
        case OID.interval:
            encodeInterval(value as Interval, target);
            return;
        case OID.inet:
        case OID.cidr:
            encodeAddress(value as string, target);
            return;
        case OID.char:
            target.byte(charByte(value as string));
            return;
        case OID.xid8:
            target.uint64(value as bigint);
            return;
        default:
    }
    if (UNSIGNED_OIDS.includes(type.baseOid)) target.uint32(value as number);
    else if (type.elementOid !== 0) encodeArray(type, value as PgArray, target);
    else if (type.labels.length > 0) target.float32(enumSortOrder(type, value as string));
    else throw notSupported(`an index on a column of type ${type.sqlName}`);
}

function encodeInterval(value: Interval, target: KeyWriter): void {
    const shifted = intervalSpan(value) + SPAN_SHIFT;
    target.uint32(Number(shifted >> 64n));
    target.uint64(shifted & 0xffffffffffffffffn);
}

/** Family, bits of the network with a terminator below both digits (00 end, 01 zero, 10 one), then the address. */
function encodeAddress(value: string, target: KeyWriter): void {
    const {bytes, bits} = addressOf(value);
    target.byte(bytes.length);
    for (let at = 0; at <= bits; at += 4) {
        let packed = 0;
        for (let bit = at; bit < at + 4; bit++) {
            const one = ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
            packed = (packed << 2) | (bit < bits ? 1 + one : 0);
        }
        target.byte(packed);
    }
    for (const byte of bytes) target.byte(byte);
}

/** Elements, a terminator below every element, then the shape: the order of array_cmp. */
function encodeArray(type: PgType, value: PgArray, target: KeyWriter): void {
    const element = type.element;
    if (element === undefined) throw notSupported(`an index on a column of type ${type.sqlName}`);
    for (const item of value.elements) encodeKeyPart(element, item, false, target);
    target.byte(ARRAY_END);
    target.byte(value.dims.length);
    for (const dim of value.dims) target.int32(dim);
    for (const bound of value.lowerBounds) target.int32(bound);
}
