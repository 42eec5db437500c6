/**
 * The growable buffer that a connection's messages are encoded into, reused from batch to batch.
 *
 * What must stay true:
 * - Bytes given to the sink are not touched again until the operating system has them: when the sink could not pass
 *   them on at once, the buffer is left to it and a new one is begun.
 * - It is bounded: a message past MESSAGE_BYTES_MAX is refused (54000, as PostgreSQL does), and a buffer that a burst
 *   made large shrinks again.
 */

import {ProtocolError} from './protocol-error.ts';

export interface OutputSink {
    /** Sends bytes. True when the operating system has taken them all, so that their buffer is free again. */
    send(bytes: Buffer): boolean;
}

const CAPACITY_BYTES_MIN = 8192;
/** A buffer past this is given up as soon as it is sent. */
const CAPACITY_BYTES_KEPT = 262_144;
/** So many batches in a row that used less than an eighth, and the buffer goes back to the smallest size. */
const SMALL_BATCHES_TO_SHRINK = 64;
const MESSAGE_BYTES_MAX = 0x3fff_ffff;

export class OutputBuffer {
    bytes: Buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_MIN);
    view: DataView = viewOf(this.bytes);
    position = 0;
    readonly #sink: OutputSink;
    #smallBatches = 0;

    constructor(sink: OutputSink) {
        this.#sink = sink;
    }

    get capacityBytes(): number {
        return this.bytes.length;
    }

    /** Makes room for `count` more bytes. */
    reserve(count: number): void {
        if (this.position + count > this.bytes.length) {
            this.#grow(this.position + count);
        }
    }

    send(): void {
        const count = this.position;
        if (count === 0) {
            return;
        }
        this.position = 0;
        const capacity = this.bytes.length;
        const taken = this.#sink.send(this.bytes.subarray(0, count));
        if (capacity > CAPACITY_BYTES_KEPT) {
            this.#replace(CAPACITY_BYTES_MIN);
        } else if (!taken) {
            this.#replace(capacity);
        } else if (capacity > CAPACITY_BYTES_MIN) {
            this.#smallBatches = count * 8 < capacity ? this.#smallBatches + 1 : 0;
            if (this.#smallBatches === SMALL_BATCHES_TO_SHRINK) {
                this.#replace(CAPACITY_BYTES_MIN);
            }
        }
    }

    #replace(capacity: number): void {
        this.bytes = Buffer.allocUnsafeSlow(capacity);
        this.view = viewOf(this.bytes);
        this.#smallBatches = 0;
    }

    #grow(neededBytes: number): void {
        if (neededBytes > MESSAGE_BYTES_MAX) {
            throw new ProtocolError(
                'ERROR',
                '54000',
                'out of memory',
                `Cannot enlarge string buffer containing ${this.position} bytes by ${neededBytes - this.position} more bytes.`,
            );
        }
        const old = this.bytes;
        this.#replace(Math.min(MESSAGE_BYTES_MAX, Math.max(neededBytes, old.length * 2)));
        old.copy(this.bytes, 0, 0, this.position);
    }
}

function viewOf(bytes: Buffer): DataView {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
