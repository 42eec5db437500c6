/**
 * The data of one COPY … FROM STDIN on its way from the message loop to the handler.
 *
 * What must stay true: it is bounded. Past COPY_QUEUE_BYTES_MAX the message loop reads no further (the socket is then
 * paused) until the handler has taken half. What comes after the handler has stopped reading is dropped.
 */

import {strict as assert} from 'node:assert';

export const COPY_QUEUE_BYTES_MAX = 1_048_576;
/** What a chunk costs besides its bytes: a client may send many tiny ones. */
const CHUNK_OVERHEAD_BYTES = 128;
const TAKEN = Buffer.alloc(0);

export class CopyInQueue implements AsyncIterableIterator<Buffer> {
    readonly #onSpace: () => void;
    #chunks: Buffer[] = [];
    #head = 0;
    #queuedBytes = 0;
    #full = false;
    #ended = false;
    #abandoned = false;
    #error: unknown;
    #reader: PromiseWithResolvers<IteratorResult<Buffer>> | undefined;

    constructor(onSpace: () => void) {
        this.#onSpace = onSpace;
    }

    /** True while the message loop must not read on. */
    get full(): boolean {
        return this.#full;
    }

    get queuedBytes(): number {
        return this.#queuedBytes;
    }

    push(bytes: Buffer): void {
        assert(!this.#ended, 'COPY data after its end');
        if (this.#abandoned) {
            return;
        }
        if (this.#reader !== undefined) {
            const reader = this.#reader;
            this.#reader = undefined;
            reader.resolve({value: bytes, done: false});
            return;
        }
        this.#chunks.push(bytes);
        this.#queuedBytes += bytes.length + CHUNK_OVERHEAD_BYTES;
        this.#full = this.#queuedBytes > COPY_QUEUE_BYTES_MAX;
    }

    /** CopyDone. */
    finish(): void {
        this.#ended = true;
        this.#reader?.resolve({value: undefined, done: true});
        this.#reader = undefined;
    }

    /** CopyFail, or the connection is gone: what is queued is dropped, and the handler's next read throws. */
    fail(error: unknown): void {
        this.#ended = true;
        this.#error = error;
        this.#drop();
        this.#reader?.reject(error);
        this.#reader = undefined;
    }

    next(): Promise<IteratorResult<Buffer>> {
        const chunk = this.#chunks[this.#head];
        if (chunk !== undefined) {
            this.#take(chunk);
            return Promise.resolve({value: chunk, done: false});
        }
        if (this.#error !== undefined) {
            return Promise.reject(this.#error);
        }
        if (this.#ended || this.#abandoned) {
            return Promise.resolve({value: undefined, done: true});
        }
        assert(this.#reader === undefined, 'one reader at a time');
        this.#reader = Promise.withResolvers();
        return this.#reader.promise;
    }

    /** The handler stopped reading early. */
    return(): Promise<IteratorResult<Buffer>> {
        this.#abandoned = true;
        this.#drop();
        return Promise.resolve({value: undefined, done: true});
    }

    [Symbol.asyncIterator](): this {
        return this;
    }

    #take(chunk: Buffer): void {
        this.#chunks[this.#head] = TAKEN;
        this.#head += 1;
        this.#queuedBytes -= chunk.length + CHUNK_OVERHEAD_BYTES;
        // Also when the queue never runs empty, what was taken must not pile up.
        if (this.#head * 2 >= this.#chunks.length) {
            this.#chunks = this.#chunks.slice(this.#head);
            this.#head = 0;
        }
        this.#makeSpace(COPY_QUEUE_BYTES_MAX / 2);
    }

    #drop(): void {
        this.#chunks = [];
        this.#head = 0;
        this.#queuedBytes = 0;
        this.#makeSpace(0);
    }

    #makeSpace(queuedBytesMax: number): void {
        if (this.#full && this.#queuedBytes <= queuedBytesMax) {
            this.#full = false;
            this.#onSpace();
        }
    }
}
