/**
 * Cuts the bytes of a socket into messages. A message that lies inside one chunk is read in place; only a message that
 * straddles chunks is assembled, in a buffer that grows with the bytes that have really arrived.
 *
 * What must stay true:
 * - Type and length are checked as soon as the header is there, before anything is allocated for the body.
 * - `push` only queues: the current frame stays valid until the next `next()`.
 * - Chunks are never written to, and never reused by Node: bytes taken with `takeBody` may be kept.
 */

import {
    BIND,
    CLOSE,
    COPY_DATA,
    COPY_DONE,
    COPY_FAIL,
    DESCRIBE,
    EXECUTE,
    FLUSH,
    FUNCTION_CALL,
    PARSE,
    PASSWORD,
    QUERY,
    SYNC,
    TERMINATE,
} from './message-types.ts';
import {protocolViolation} from './protocol-error.ts';

/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH, and its PQ_SMALL_MESSAGE_LIMIT for messages that carry no data. */
export const STARTUP_PACKET_BYTES_MAX = 10_000;
export const SMALL_MESSAGE_BYTES_MAX = 10_000;
/** PostgreSQL's MaxAllocSize. */
export const MESSAGE_BYTES_MAX_DEFAULT = 0x3fff_ffff;

/** A start-up packet has no type byte; during authentication only 'p' is allowed, and in a session everything else. */
export type FrameMode = 'startup' | 'authentication' | 'session';

const UNKNOWN = 0;
const SMALL = 1;
const LARGE = 2;

function sizeClasses(small: readonly number[], large: readonly number[]): Uint8Array {
    const classes = new Uint8Array(256);
    for (const type of small) {
        classes[type] = SMALL;
    }
    for (const type of large) {
        classes[type] = LARGE;
    }
    return classes;
}

const AUTHENTICATION_CLASSES = sizeClasses([PASSWORD], []);
const SESSION_CLASSES = sizeClasses(
    [CLOSE, COPY_DONE, COPY_FAIL, DESCRIBE, EXECUTE, FLUSH, SYNC, TERMINATE],
    [BIND, COPY_DATA, FUNCTION_CALL, PARSE, QUERY],
);

const EMPTY = Buffer.alloc(0);
const ASSEMBLY_BYTES_MIN = 4096;
/** A larger assembly buffer is given up after its message. */
const ASSEMBLY_BYTES_KEPT = 65_536;
/** What a queued chunk costs besides its bytes, so that a trickle of tiny chunks is bounded too. */
const CHUNK_OVERHEAD_BYTES = 256;

export class FrameReader {
    /** The current frame: its type byte (0 for a start-up packet) and its body, without the length word. */
    type = 0;
    buffer: Buffer = EMPTY;
    start = 0;
    end = 0;

    readonly #messageBytesMax: number;
    #mode: FrameMode = 'startup';
    #headerBytes = 4;
    #classes = SESSION_CLASSES;
    #chunk: Buffer = EMPTY;
    #position = 0;
    #queue: Buffer[] = [];
    #queueHead = 0;
    #queuedBytes = 0;
    #assembly: Buffer = EMPTY;
    #assembledBytes = 0;

    constructor(messageBytesMax: number) {
        this.#messageBytesMax = messageBytesMax;
    }

    set mode(mode: FrameMode) {
        this.#mode = mode;
        this.#headerBytes = mode === 'startup' ? 4 : 5;
        this.#classes = mode === 'authentication' ? AUTHENTICATION_CLASSES : SESSION_CLASSES;
    }

    push(chunk: Buffer): void {
        if (this.#position === this.#chunk.length && this.#queueHead === this.#queue.length) {
            this.#chunk = chunk;
            this.#position = 0;
            return;
        }
        this.#queue.push(chunk);
        this.#queuedBytes += chunk.length + CHUNK_OVERHEAD_BYTES;
    }

    /** Bytes received that belong to no frame given out yet, with their overhead. Not counting a half-assembled frame. */
    get waitingBytes(): number {
        return this.#chunk.length - this.#position + this.#queuedBytes;
    }

    /** True when nothing at all is buffered: no waiting bytes and no half of a frame. */
    get empty(): boolean {
        return this.waitingBytes === 0 && this.#assembledBytes === 0;
    }

    /** The first unread byte, or -1. */
    peekByte(): number {
        return this.#chunk[this.#position] ?? -1;
    }

    /** Gives up all unread bytes to the caller. Only between frames. */
    takeUnread(): Buffer {
        const unread = Buffer.concat([this.#chunk.subarray(this.#position), ...this.#queue.slice(this.#queueHead)]);
        this.#chunk = EMPTY;
        this.#position = 0;
        this.#queue = [];
        this.#queueHead = 0;
        this.#queuedBytes = 0;
        return unread;
    }

    /**
     * Moves to the next whole frame; false when more bytes are needed. Throws a FATAL 08P01 for a frame that is too
     * large, too short or of an unknown type.
     */
    next(): boolean {
        for (;;) {
            if (this.#assembledBytes !== 0) {
                if (this.#continueAssembly()) {
                    return true;
                }
            } else {
                const position = this.#position;
                const availableBytes = this.#chunk.length - position;
                if (availableBytes >= this.#headerBytes) {
                    const frameBytes = this.#frameBytes(this.#chunk, position);
                    if (availableBytes >= frameBytes) {
                        this.#position = position + frameBytes;
                        this.#deliver(this.#chunk, position, frameBytes);
                        return true;
                    }
                }
                if (availableBytes !== 0) {
                    this.#assemble(availableBytes);
                }
            }
            if (!this.#nextChunk()) {
                return false;
            }
        }
    }

    /** The current body as a buffer that the caller may keep. */
    takeBody(): Buffer {
        if (this.buffer === this.#assembly) {
            this.#assembly = EMPTY;
        }
        return this.buffer.subarray(this.start, this.end);
    }

    /** Lets go of a large current frame, so that an idle connection does not hold it. */
    release(): void {
        this.buffer = EMPTY;
        this.start = 0;
        this.end = 0;
        if (this.#position === this.#chunk.length) {
            this.#chunk = EMPTY;
            this.#position = 0;
        }
    }

    #deliver(source: Buffer, position: number, frameBytes: number): void {
        const headerBytes = this.#headerBytes;
        this.type = headerBytes === 5 ? (source[position] ?? 0) : 0;
        this.buffer = source;
        this.start = position + headerBytes;
        this.end = position + frameBytes;
    }

    /** Checks a header and returns the bytes of the whole frame. */
    #frameBytes(source: Buffer, position: number): number {
        const typeBytes = this.#headerBytes - 4;
        const at = position + typeBytes;
        const length =
            ((source[at] ?? 0) << 24) |
            ((source[at + 1] ?? 0) << 16) |
            ((source[at + 2] ?? 0) << 8) |
            (source[at + 3] ?? 0);
        if (this.#mode === 'startup') {
            // Length word and protocol version are the least that a start-up packet can hold.
            if (length < 8 || length > STARTUP_PACKET_BYTES_MAX) {
                throw protocolViolation('invalid length of startup packet');
            }
            return length;
        }
        const type = source[position] ?? 0;
        const sizeClass = this.#classes[type];
        if (sizeClass === UNKNOWN) {
            throw protocolViolation(
                this.#mode === 'authentication'
                    ? `expected password response, got message type ${type}`
                    : `invalid frontend message type ${type}`,
            );
        }
        if (length < 4 || length > (sizeClass === SMALL ? SMALL_MESSAGE_BYTES_MAX : this.#messageBytesMax)) {
            throw protocolViolation('invalid message length');
        }
        return length + typeBytes;
    }

    /** True when the frame under assembly is whole. */
    #continueAssembly(): boolean {
        const headerBytes = this.#headerBytes;
        if (this.#assembledBytes < headerBytes) {
            this.#assemble(Math.min(headerBytes - this.#assembledBytes, this.#chunk.length - this.#position));
            if (this.#assembledBytes < headerBytes) {
                return false;
            }
        }
        const frameBytes = this.#frameBytes(this.#assembly, 0);
        this.#assemble(Math.min(frameBytes - this.#assembledBytes, this.#chunk.length - this.#position), frameBytes);
        if (this.#assembledBytes < frameBytes) {
            return false;
        }
        this.#assembledBytes = 0;
        this.#deliver(this.#assembly, 0, frameBytes);
        if (this.#assembly.length > ASSEMBLY_BYTES_KEPT) {
            this.#assembly = EMPTY;
        }
        return true;
    }

    /** Moves bytes of the chunk into the assembly buffer, which at least doubles when it is too small. */
    #assemble(bytes: number, frameBytes = ASSEMBLY_BYTES_MIN): void {
        const neededBytes = this.#assembledBytes + bytes;
        if (neededBytes > this.#assembly.length) {
            const doubledBytes = Math.max(ASSEMBLY_BYTES_MIN, this.#assembly.length * 2);
            const grown = Buffer.allocUnsafeSlow(Math.max(neededBytes, Math.min(doubledBytes, frameBytes)));
            this.#assembly.copy(grown, 0, 0, this.#assembledBytes);
            this.#assembly = grown;
        }
        this.#chunk.copy(this.#assembly, this.#assembledBytes, this.#position, this.#position + bytes);
        this.#assembledBytes = neededBytes;
        this.#position += bytes;
    }

    #nextChunk(): boolean {
        const chunk = this.#queue[this.#queueHead];
        if (chunk === undefined) {
            return false;
        }
        this.#queue[this.#queueHead] = EMPTY;
        this.#queueHead += 1;
        this.#queuedBytes -= chunk.length + CHUNK_OVERHEAD_BYTES;
        // Also when the queue never runs empty, what was read must not pile up.
        if (this.#queueHead * 2 >= this.#queue.length) {
            this.#queue = this.#queue.slice(this.#queueHead);
            this.#queueHead = 0;
        }
        this.#chunk = chunk;
        this.#position = 0;
        return true;
    }
}
