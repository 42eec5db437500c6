/**
 * The growable byte writer and the bounds-checked reader under every binary format of storage. Integers are base-128
 * varints as in protobuf (documentation, "Encoding"); numbers up to 2^53 without BigInt arithmetic, because that is
 * several times slower and allocates.
 *
 * What must stay true: a reader never reads past its end: it throws `corrupt`, whatever the bytes are.
 */
import assert from 'node:assert/strict';
import {StorageError} from './errors.ts';

/** Bits of one double or int64, to move them to and from bytes without allocation. */
const scratchDouble = new Float64Array(1);
const scratchBigInt = new BigInt64Array(scratchDouble.buffer);
const scratchBytes = new Uint8Array(scratchDouble.buffer);
const scratchWords = new Uint32Array(scratchDouble.buffer);
/** One byte a time is faster than the call into native code up to about this length. */
const SHORT_STRING_LENGTH = 24;
const TWO_POW_32 = 4294967296;

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'the formats are written on little-endian machines only');

export class ByteWriter {
    buffer: Buffer;
    length = 0;

    constructor(initialBytes = 1024) {
        this.buffer = Buffer.allocUnsafeSlow(initialBytes);
    }

    /** Makes room for `bytes` more. */
    reserve(bytes: number): void {
        if (this.length + bytes > this.buffer.length) this.#grow(bytes);
    }

    #grow(bytes: number): void {
        const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.length + bytes));
        this.buffer.copy(larger, 0, 0, this.length);
        this.buffer = larger;
    }

    byte(value: number): void {
        this.reserve(1);
        this.buffer[this.length++] = value;
    }

    /** A whole number in 0..2^53-1. */
    varint(value: number): void {
        this.reserve(10);
        const buffer = this.buffer;
        let length = this.length;
        let rest = value;
        while (rest > 0x7fffffff) {
            buffer[length++] = (rest % 128) | 0x80;
            rest = Math.floor(rest / 128);
        }
        while (rest > 127) {
            buffer[length++] = (rest & 127) | 0x80;
            rest >>>= 7;
        }
        buffer[length++] = rest;
        this.length = length;
    }

    /** A 64-bit unsigned varint from its halves. */
    varint64(low: number, high: number): void {
        if (high >>> 0 < 0x200000) {
            this.varint((high >>> 0) * TWO_POW_32 + (low >>> 0));
            return;
        }
        this.reserve(10);
        const buffer = this.buffer;
        let length = this.length;
        let restLow = low >>> 0;
        let restHigh = high >>> 0;
        while (restHigh !== 0) {
            buffer[length++] = (restLow & 127) | 0x80;
            restLow = ((restLow >>> 7) | (restHigh << 25)) >>> 0;
            restHigh >>>= 7;
        }
        while (restLow > 127) {
            buffer[length++] = (restLow & 127) | 0x80;
            restLow >>>= 7;
        }
        buffer[length++] = restLow;
        this.length = length;
    }

    /** A bigint of 64 bits, zigzag: small absolute values are short. */
    zigzagBigInt(value: bigint): void {
        scratchBigInt[0] = value;
        const low = scratchWords[0] ?? 0;
        const high = scratchWords[1] ?? 0;
        const sign = (high | 0) >> 31;
        this.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
    }

    fixed64BigInt(value: bigint): void {
        scratchBigInt[0] = value;
        this.#scratch();
    }

    double(value: number): void {
        scratchDouble[0] = value;
        this.#scratch();
    }

    #scratch(): void {
        this.reserve(8);
        const buffer = this.buffer;
        const length = this.length;
        for (let i = 0; i < 8; i++) buffer[length + i] = scratchBytes[i] ?? 0;
        this.length = length + 8;
    }

    /** Length in bytes as a varint, then the UTF-8 bytes. */
    string(value: string): void {
        const count = value.length;
        if (count > SHORT_STRING_LENGTH || !this.#shortAscii(value, count)) this.#longString(value, count);
    }

    #shortAscii(value: string, count: number): boolean {
        this.reserve(count + 1);
        const buffer = this.buffer;
        let at = this.length;
        buffer[at++] = count;
        for (let i = 0; i < count; i++) {
            const unit = value.charCodeAt(i);
            if (unit > 127) return false;
            buffer[at++] = unit;
        }
        this.length = at;
        return true;
    }

    #longString(value: string, count: number): void {
        // The byte length is known only afterwards; guess the width of its varint from the ASCII case.
        this.reserve(count * 3 + 10);
        const start = this.length;
        const guessedWidth = varintWidth(count);
        const bytes = this.buffer.write(value, start + guessedWidth, 'utf8');
        const width = varintWidth(bytes);
        if (width !== guessedWidth) {
            this.buffer.copyWithin(start + width, start + guessedWidth, start + guessedWidth + bytes);
        }
        this.varint(bytes);
        this.length = start + width + bytes;
    }

    /** Length as a varint, then the bytes. */
    bytes(value: Uint8Array): void {
        this.varint(value.length);
        this.raw(value);
    }

    raw(value: Uint8Array): void {
        this.reserve(value.length);
        this.buffer.set(value, this.length);
        this.length += value.length;
    }

    /** A copy of what was written; the writer may be used again after `length = 0`. */
    copy(): Buffer {
        const result = Buffer.allocUnsafe(this.length);
        this.buffer.copy(result, 0, 0, this.length);
        return result;
    }
}

function varintWidth(value: number): number {
    let width = 1;
    for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) width++;
    return width;
}

export class ByteReader {
    buffer: Buffer;
    offset = 0;
    /** High half of the last varint that `varintLow` read. */
    high = 0;
    readonly #what: string;

    /** `what` names the format in errors ("row", "transaction record"). */
    constructor(buffer: Buffer, what: string) {
        this.buffer = buffer;
        this.#what = what;
    }

    /** Starts anew on other bytes, so that one reader serves a hot loop. */
    reset(buffer: Buffer): void {
        this.buffer = buffer;
        this.offset = 0;
    }

    get done(): boolean {
        return this.offset >= this.buffer.length;
    }

    fail(problem: string): never {
        throw new StorageError('corrupt', `damaged ${this.#what} at byte ${this.offset}: ${problem}`);
    }

    byte(): number {
        const value = this.buffer[this.offset];
        if (value === undefined) this.fail('it ends early');
        this.offset++;
        return value;
    }

    /** A whole number in 0..2^53-1. */
    varint(): number {
        const first = this.buffer[this.offset];
        if (first !== undefined && first < 128) {
            this.offset++;
            return first;
        }
        const low = this.varintLow();
        if (this.high >= 0x200000) this.fail('a number is too large');
        return this.high * TWO_POW_32 + low;
    }

    /** Any 64-bit varint: returns the low half, unsigned, and leaves the high half in `high`. */
    varintLow(): number {
        const buffer = this.buffer;
        const limit = Math.min(buffer.length, this.offset + 10);
        let offset = this.offset;
        let low = 0;
        let high = 0;
        for (let shift = 0; offset < limit; shift += 7) {
            const value = buffer[offset++] ?? 0;
            const bits = value & 127;
            if (shift < 28) low |= bits << shift;
            else if (shift === 28) {
                low |= bits << 28;
                high = bits >>> 4;
            } else high |= bits << (shift - 32);
            if (value < 128) {
                if (shift === 63 && value > 1) this.fail('a varint is longer than 64 bits');
                this.offset = offset;
                this.high = high >>> 0;
                return low >>> 0;
            }
        }
        return this.fail('a varint does not end');
    }

    zigzagBigInt(): bigint {
        const low = this.varintLow();
        const high = this.high;
        const sign = -(low & 1);
        const plainLow = ((low >>> 1) | (high << 31)) ^ sign;
        const plainHigh = (high >>> 1) ^ sign;
        scratchWords[0] = plainLow;
        scratchWords[1] = plainHigh;
        return scratchBigInt[0] ?? 0n;
    }

    #fill(): void {
        const offset = this.offset;
        const buffer = this.buffer;
        if (offset + 8 > buffer.length) this.fail('it ends early');
        for (let i = 0; i < 8; i++) scratchBytes[i] = buffer[offset + i] ?? 0;
        this.offset = offset + 8;
    }

    fixed64BigInt(): bigint {
        this.#fill();
        return scratchBigInt[0] ?? 0n;
    }

    double(): number {
        this.#fill();
        return scratchDouble[0] ?? 0;
    }

    string(): string {
        const count = this.varint();
        const start = this.offset;
        const end = start + count;
        if (end > this.buffer.length) this.fail('a string is longer than what is left');
        this.offset = end;
        return this.buffer.toString('utf8', start, end);
    }

    /** A view of the bytes, not a copy. */
    bytes(): Buffer {
        const count = this.varint();
        const start = this.offset;
        if (start + count > this.buffer.length) this.fail('a value is longer than what is left');
        this.offset = start + count;
        return this.buffer.subarray(start, start + count);
    }

    skip(bytes: number): void {
        if (this.offset + bytes > this.buffer.length) this.fail('it ends early');
        this.offset += bytes;
    }
}

/** The bytes as a Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
    return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
