/**
 * A growing byte buffer for index keys. One writer is reused for many keys, so that encoding a key allocates only its
 * result.
 *
 * What must stay true: `finish` copies; the writer's own buffer never leaves it.
 */

const INITIAL_BYTES = 256;
/** Up to here a loop is faster than the native copy. */
const COPY_BY_HAND_MAX = 48;
/** A reused writer does not keep a buffer beyond this. */
const KEEP_BYTES_MAX = 65_536;

export class KeyWriter {
    #bytes: Buffer = Buffer.allocUnsafe(INITIAL_BYTES);
    #length = 0;

    get length(): number {
        return this.#length;
    }

    reset(): void {
        this.#length = 0;
        if (this.#bytes.length > KEEP_BYTES_MAX) this.#bytes = Buffer.allocUnsafe(INITIAL_BYTES);
    }

    #reserve(count: number): void {
        const needed = this.#length + count;
        if (needed <= this.#bytes.length) return;
        const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
        this.#bytes.copy(larger, 0, 0, this.#length);
        this.#bytes = larger;
    }

    byte(value: number): void {
        this.#reserve(1);
        this.#bytes[this.#length++] = value;
    }

    uint32(value: number): void {
        this.#reserve(4);
        const bytes = this.#bytes;
        let at = this.#length;
        bytes[at++] = value >>> 24;
        bytes[at++] = value >>> 16;
        bytes[at++] = value >>> 8;
        bytes[at++] = value;
        this.#length = at;
    }

    /** Order-preserving: the sign bit is flipped. */
    int32(value: number): void {
        this.uint32((value ^ 0x80000000) >>> 0);
    }

    int16(value: number): void {
        this.#reserve(2);
        this.#length = this.#bytes.writeUInt16BE((value ^ 0x8000) & 0xffff, this.#length);
    }

    /** Order-preserving: int64 shifted to unsigned. */
    int64(value: bigint): void {
        this.#reserve(8);
        const small = Number(value);
        if (Number.isSafeInteger(small)) {
            const high = Math.floor(small / 4_294_967_296);
            this.int32(high);
            this.uint32(small - high * 4_294_967_296);
            return;
        }
        this.#length = this.#bytes.writeBigUInt64BE(value + 0x8000000000000000n, this.#length);
    }

    uint64(value: bigint): void {
        this.#reserve(8);
        this.#length = this.#bytes.writeBigUInt64BE(value, this.#length);
    }

    /** Order-preserving: positive numbers get their sign bit set, negative ones are inverted whole. */
    float64(value: number): void {
        this.#reserve(8);
        // One zero and one NaN, whatever the bits they came with.
        this.#bytes.writeDoubleBE(value === 0 ? 0 : value !== value ? NaN : value, this.#length);
        this.#orderFloat(8);
    }

    float32(value: number): void {
        this.#reserve(4);
        this.#bytes.writeFloatBE(value === 0 ? 0 : value !== value ? NaN : value, this.#length);
        this.#orderFloat(4);
    }

    #orderFloat(size: number): void {
        const bytes = this.#bytes;
        const start = this.#length;
        const first = bytes[start] ?? 0;
        if (first < 128) bytes[start] = first | 128;
        else for (let at = start; at < start + size; at++) bytes[at] = ~(bytes[at] ?? 0) & 255;
        this.#length = start + size;
    }

    raw(source: Uint8Array): void {
        this.#reserve(source.length);
        this.#bytes.set(source, this.#length);
        this.#length += source.length;
    }

    /** UTF-8 without NUL, ended by a zero byte. */
    text(value: string): void {
        const length = value.length;
        this.#reserve(length * 3 + 1);
        const bytes = this.#bytes;
        const start = this.#length;
        // Short ASCII is faster by hand than through the native call.
        let at = 0;
        if (length <= 32) {
            for (; at < length; at++) {
                const code = value.charCodeAt(at);
                if (code > 127) break;
                bytes[start + at] = code;
            }
        }
        this.#length = at === length ? start + length : start + bytes.write(value, start, 'utf8');
        this.byte(0);
    }

    /** Any bytes: a zero is written as 00 FF, the end as 00 01. */
    escaped(source: Uint8Array): void {
        this.#reserve(source.length * 2 + 2);
        const bytes = this.#bytes;
        let at = this.#length;
        for (const byte of source) {
            bytes[at++] = byte;
            if (byte === 0) bytes[at++] = 255;
        }
        bytes[at++] = 0;
        bytes[at++] = 1;
        this.#length = at;
    }

    /** Reverses the order of everything written since `from`. */
    invertFrom(from: number): void {
        const bytes = this.#bytes;
        for (let at = from; at < this.#length; at++) bytes[at] = ~(bytes[at] ?? 0) & 255;
    }

    finish(): Buffer {
        const length = this.#length;
        const bytes = this.#bytes;
        const result = Buffer.allocUnsafe(length);
        if (length > COPY_BY_HAND_MAX) bytes.copy(result, 0, 0, length);
        else for (let at = 0; at < length; at++) result[at] = bytes[at] ?? 0;
        return result;
    }
}
