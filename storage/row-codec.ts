/**
 * Rows as bytes: a fixed header, then one protobuf field per column, whose field number is the column id (attnum). So
 * ADD COLUMN and DROP COLUMN rewrite nothing: unknown fields are skipped, and absent ones are told apart by age.
 *
 *     byte     version (1)
 *     varint   rowid
 *     varint   seq
 *     fixed64  updatedNs, little-endian two's complement
 *     varint   owner
 *     varint   the highest column id that the table had when the row was written
 *     fields   tag varint (column id << 3 | wire type), then the value:
 *              bool    0  varint 0 or 1
 *              int     0  zigzag varint; ±Infinity (a date can be infinite) as the ends of int64
 *              bigint  0  zigzag varint of 64 bits
 *              float   1  IEEE double, little-endian
 *              string  2  length, UTF-8
 *              bytes   2  length, bytes
 *
 * What must stay true: NULL is written by absence. An absent column at or below the header's highest id is NULL; above
 * it the row is older than the column and has the column's `missing` value. Every other value is written, 0 and '' too.
 */
import {asBuffer, ByteReader, ByteWriter} from './bytes.ts';
import {StorageError} from './errors.ts';

export type PhysicalKind = 'bool' | 'int' | 'bigint' | 'float' | 'string' | 'bytes';

export interface RowCodecColumn {
    /** Column id (attnum), 1 or more: the field number. */
    readonly field: number;
    readonly physical: PhysicalKind;
    /** For `bytes`: how a value that is no Uint8Array becomes bytes, and back. Needed together. */
    readonly toBytes?: ((value: unknown) => Uint8Array) | undefined;
    /** Gets a view of the row's bytes: copies what it keeps. */
    readonly fromBytes?: ((bytes: Buffer) => unknown) | undefined;
    /** Value of rows that were written before the column was added. */
    readonly missing: unknown;
}

export interface StoredRow {
    readonly rowid: number;
    readonly seq: number;
    readonly updatedNs: bigint;
    readonly owner: number;
    /** One per column of the codec, in its order. */
    readonly values: readonly unknown[];
}

export interface DecodedRow extends StoredRow {
    readonly values: unknown[];
}

const VERSION = 1;
const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;
const KIND_BOOL = 0;
const KIND_INT = 1;
const KIND_BIGINT = 2;
const KIND_FLOAT = 3;
const KIND_STRING = 4;
const KIND_BYTES = 5;
const KIND_NUMBERS = {
    bool: KIND_BOOL,
    int: KIND_INT,
    bigint: KIND_BIGINT,
    float: KIND_FLOAT,
    string: KIND_STRING,
    bytes: KIND_BYTES,
} as const;
const KIND_WIRES = [WIRE_VARINT, WIRE_VARINT, WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_BYTES] as const;
const INT64_MAX = 0x7fffffffffffffffn;
const INT64_MIN = -0x8000000000000000n;
const FIELD_MAX = 65535;
const TWO_POW_32 = 4294967296;

/** Shared by all codecs: encoding is synchronous and copies its result out. */
const writer = new ByteWriter(16 * 1024);
/** A larger buffer is not kept after an unusually large row. */
const WRITER_KEPT_BYTES = 1024 * 1024;
const reader = new ByteReader(Buffer.alloc(0), 'row');

export class RowCodec {
    readonly #columns: readonly RowCodecColumn[];
    readonly #kinds: readonly number[];
    readonly #fields: readonly number[];
    readonly #tags: readonly number[];
    /** Place in `values` by field number; -1 for a column that is gone. */
    readonly #placeByField: Int32Array;
    readonly #highestField: number;
    readonly #missing: readonly unknown[];
    readonly #nulls: readonly null[];

    /** @param highestFieldEver The highest column id the table ever had, dropped ones included; else that of `columns`. */
    constructor(columns: readonly RowCodecColumn[], highestFieldEver = 0) {
        this.#columns = columns;
        this.#kinds = columns.map((column) => KIND_NUMBERS[column.physical]);
        this.#fields = columns.map((column) => column.field);
        this.#tags = columns.map((column) => column.field * 8 + KIND_WIRES[KIND_NUMBERS[column.physical]]);
        this.#highestField = columns.reduce((highest, column) => Math.max(highest, column.field), highestFieldEver);
        this.#missing = columns.map((column) => column.missing ?? null);
        this.#nulls = columns.map(() => null);
        this.#placeByField = new Int32Array(this.#highestField + 1).fill(-1);
        columns.forEach((column, place) => {
            if (!Number.isInteger(column.field) || column.field < 1 || column.field > FIELD_MAX) {
                throw new StorageError('invalid', `column id ${column.field} is outside 1..${FIELD_MAX}`);
            }
            if (this.#placeByField[column.field] !== -1) {
                throw new StorageError('invalid', `column id ${column.field} is given twice`);
            }
            this.#placeByField[column.field] = place;
        });
    }

    /** The bytes are the caller's own. */
    encode(row: StoredRow): Buffer {
        writer.length = 0;
        writer.byte(VERSION);
        writer.varint(row.rowid);
        writer.varint(row.seq);
        writer.fixed64BigInt(row.updatedNs);
        writer.varint(row.owner);
        writer.varint(this.#highestField);
        const values = row.values;
        for (let place = 0; place < this.#kinds.length; place++) {
            const value = values[place];
            if (value === null || value === undefined) continue;
            writer.varint(this.#tags[place] ?? 0);
            this.#encodeValue(place, value);
        }
        const result = writer.copy();
        if (writer.buffer.length > WRITER_KEPT_BYTES) writer.buffer = Buffer.allocUnsafeSlow(16 * 1024);
        return result;
    }

    #encodeValue(place: number, value: unknown): void {
        switch (this.#kinds[place]) {
            case KIND_BOOL:
                writer.byte(value === true ? 1 : 0);
                return;
            case KIND_INT:
                encodeInt(value as number);
                return;
            case KIND_BIGINT:
                writer.zigzagBigInt(value as bigint);
                return;
            case KIND_FLOAT:
                writer.double(value as number);
                return;
            case KIND_STRING:
                writer.string(value as string);
                return;
            default: {
                const toBytes = this.#columns[place]?.toBytes;
                writer.bytes(toBytes === undefined ? (value as Uint8Array) : toBytes(value));
            }
        }
    }

    /** Throws StorageError `corrupt` when the bytes are no row, `version` when a later program wrote them. */
    decode(bytes: Uint8Array): DecodedRow {
        reader.reset(asBuffer(bytes));
        const version = reader.byte();
        if (version !== VERSION) throw new StorageError('version', `row format ${version} is not known`);
        const rowid = reader.varint();
        const seq = reader.varint();
        const updatedNs = reader.fixed64BigInt();
        const owner = reader.varint();
        const highestWritten = reader.varint();
        const values = this.#absentValues(highestWritten);
        const end = reader.buffer.length;
        while (reader.offset < end) {
            const tag = reader.varint();
            const field = Math.floor(tag / 8);
            const place = field <= this.#highestField ? (this.#placeByField[field] ?? -1) : -1;
            if (place < 0) skipField(tag % 8);
            else if (this.#tags[place] !== tag) reader.fail(`column ${field} has another kind of value`);
            else values[place] = this.#decodeValue(place);
        }
        return {rowid, seq, updatedNs, owner, values};
    }

    #absentValues(highestWritten: number): unknown[] {
        if (highestWritten >= this.#highestField) return this.#nulls.slice();
        return this.#fields.map((field, place) => (field > highestWritten ? this.#missing[place] : null));
    }

    #decodeValue(place: number): unknown {
        switch (this.#kinds[place]) {
            case KIND_BOOL:
                return reader.varint() !== 0;
            case KIND_INT:
                return decodeInt();
            case KIND_BIGINT:
                return reader.zigzagBigInt();
            case KIND_FLOAT:
                return reader.double();
            case KIND_STRING:
                return reader.string();
            default: {
                const bytes = reader.bytes();
                const fromBytes = this.#columns[place]?.fromBytes;
                // A copy: the row's own bytes may be a view into a page or a log file.
                return fromBytes === undefined ? Uint8Array.from(bytes) : fromBytes(bytes);
            }
        }
    }
}

function encodeInt(value: number): void {
    if ((value | 0) === value) {
        writer.varint(((value << 1) ^ (value >> 31)) >>> 0);
    } else if (Number.isSafeInteger(value)) {
        writer.zigzagBigInt(BigInt(value));
    } else if (value === Infinity || value === -Infinity) {
        writer.zigzagBigInt(value > 0 ? INT64_MAX : INT64_MIN);
    } else {
        throw new StorageError('invalid', `${value} is not a whole number that can be stored`);
    }
}

function decodeInt(): number {
    const start = reader.offset;
    const low = reader.varintLow();
    const high = reader.high;
    if (high === 0) return low & 1 ? -(low >>> 1) - 1 : low >>> 1;
    if (high < 0x400000) {
        const whole = (high * TWO_POW_32 + (low - (low & 1))) / 2;
        return low & 1 ? -whole - 1 : whole;
    }
    reader.offset = start;
    const value = reader.zigzagBigInt();
    if (value === INT64_MAX) return Infinity;
    if (value === INT64_MIN) return -Infinity;
    return reader.fail('a whole number is too large');
}

function skipField(wire: number): void {
    switch (wire) {
        case WIRE_VARINT:
            reader.varintLow();
            return;
        case WIRE_FIXED64:
            reader.skip(8);
            return;
        case WIRE_BYTES:
            reader.skip(reader.varint());
            return;
        case WIRE_FIXED32:
            reader.skip(4);
            return;
        default:
            reader.fail(`wire type ${wire} is not known`);
    }
}

/** The header without the values: enough to know which version of a row this is. */
export function decodeRowHeader(bytes: Uint8Array): Omit<StoredRow, 'values'> {
    reader.reset(asBuffer(bytes));
    const version = reader.byte();
    if (version !== VERSION) throw new StorageError('version', `row format ${version} is not known`);
    const rowid = reader.varint();
    const seq = reader.varint();
    const updatedNs = reader.fixed64BigInt();
    const owner = reader.varint();
    return {rowid, seq, updatedNs, owner};
}
