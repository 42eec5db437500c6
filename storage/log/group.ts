/**
 * Transactions that one sync makes durable, in one buffer laid out as the frame to be written (log/frame.ts): so an
 * append costs one copy, and a write nothing more. A payload from LARGE_PAYLOAD_BYTES on is a group of its own and is
 * not copied.
 */
import {ENTRY_HEADER_BYTES, FRAME_HEADER_BYTES, writeU64} from './frame.ts';

export const LARGE_PAYLOAD_BYTES = 1024 * 1024;
const INITIAL_BYTES = 64 * 1024;

export class Group {
    readonly callbacks: (() => void)[] = [];
    firstSeq = 0;
    lastSeq = 0;
    /** Bytes of entries so far. */
    payloadBytes = 0;
    /** Frame header, then the entries; of a large payload only its entry header. */
    #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    #large: Uint8Array | undefined;

    get entries(): number {
        return this.callbacks.length;
    }

    get isLarge(): boolean {
        return this.#large !== undefined;
    }

    /** The frame: room for its header, then the payload. Not for a large one. */
    get frame(): Buffer {
        return this.#buffer.subarray(0, FRAME_HEADER_BYTES + this.payloadBytes);
    }

    add(seq: number, payload: Uint8Array, onDurable: () => void): void {
        const start = FRAME_HEADER_BYTES + this.payloadBytes;
        const isLarge = payload.length >= LARGE_PAYLOAD_BYTES;
        const end = start + ENTRY_HEADER_BYTES + (isLarge ? 0 : payload.length);
        if (end > this.#buffer.length) this.#grow(end);
        this.#buffer.writeUInt32LE(payload.length, start);
        writeU64(this.#buffer, seq, start + 4);
        if (isLarge) this.#large = payload;
        else this.#buffer.set(payload, start + ENTRY_HEADER_BYTES);
        if (this.callbacks.length === 0) this.firstSeq = seq;
        this.lastSeq = seq;
        this.payloadBytes += ENTRY_HEADER_BYTES + payload.length;
        this.callbacks.push(onDurable);
    }

    /** Bytes `from`..`to` of the joined payload, copied into `target` at `offset`. */
    copyPayload(target: Buffer, offset: number, from: number, to: number): void {
        const large = this.#large;
        if (large === undefined) {
            this.#buffer.copy(target, offset, FRAME_HEADER_BYTES + from, FRAME_HEADER_BYTES + to);
            return;
        }
        let at = offset;
        if (from < ENTRY_HEADER_BYTES) {
            const headerEnd = Math.min(to, ENTRY_HEADER_BYTES);
            at += this.#buffer.copy(target, at, FRAME_HEADER_BYTES + from, FRAME_HEADER_BYTES + headerEnd);
        }
        const start = Math.max(0, from - ENTRY_HEADER_BYTES);
        if (to > ENTRY_HEADER_BYTES) target.set(large.subarray(start, to - ENTRY_HEADER_BYTES), at);
    }

    /** Empty again, for reuse. False when it grew too large to be kept. */
    reset(): boolean {
        this.callbacks.length = 0;
        this.payloadBytes = 0;
        this.#large = undefined;
        return this.#buffer.length <= INITIAL_BYTES * 4;
    }

    #grow(bytes: number): void {
        const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#buffer.length * 2));
        this.#buffer.copy(larger, 0, 0, FRAME_HEADER_BYTES + this.payloadBytes);
        this.#buffer = larger;
    }
}
