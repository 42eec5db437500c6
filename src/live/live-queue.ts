/**
 * The sink of a subscriber that reads at its own pace: a bounded queue with an asynchronous reader.
 *
 * What must stay true: batches are taken whole and in order; more than `bytesMax` are never held, but for a single
 * batch, which is taken by an empty queue whatever its size; after the end the reader still gets what was taken, then
 * the error.
 */
import {strict as assert} from 'node:assert';
import type {LiveBatch} from './live-event.ts';
import type {LiveEnd, LiveSink} from './subscription.ts';

export class LiveQueue implements LiveSink {
    readonly #bytesMax: number;
    #batches: LiveBatch[] = [];
    #bytes = 0;
    #end: LiveEnd | undefined;
    /** Set while the reader waits for a batch. */
    #wakeReader: (() => void) | undefined;
    /** Set while the subscription waits for room. */
    #room: PromiseWithResolvers<void> | undefined;

    /** `bytesMax`: the setting live_queue_bytes_max. */
    constructor(bytesMax: number) {
        this.#bytesMax = bytesMax;
    }

    get bytes(): number {
        return this.#bytes;
    }

    get ended(): LiveEnd | undefined {
        return this.#end;
    }

    send(batch: LiveBatch): 'ok' | 'full' {
        assert(this.#end === undefined, 'send after end');
        if (this.#batches.length > 0 && this.#bytes + batch.bytes > this.#bytesMax) return 'full';
        this.#batches.push(batch);
        this.#bytes += batch.bytes;
        this.#wake();
        return 'ok';
    }

    drained(): Promise<void> {
        if (this.#batches.length === 0 || this.#end !== undefined) return Promise.resolve();
        this.#room ??= Promise.withResolvers();
        return this.#room.promise;
    }

    end(end: LiveEnd): void {
        assert(this.#end === undefined, 'end after end');
        this.#end = end;
        this.#wake();
        this.#room?.resolve();
    }

    /** All batches as they come. Returns when the subscription was closed, throws the error that ended it. One reader. */
    async *batches(): AsyncGenerator<LiveBatch, void, undefined> {
        for (;;) {
            const batch = this.#batches.shift();
            if (batch !== undefined) {
                this.#bytes -= batch.bytes;
                // Room enough to be worth a turn of the sender.
                if (this.#bytes * 2 <= this.#bytesMax) {
                    this.#room?.resolve();
                    this.#room = undefined;
                }
                yield batch;
            } else if (this.#end !== undefined) {
                if (this.#end.error !== undefined) throw this.#end.error;
                return;
            } else {
                await new Promise<void>((resolve) => {
                    this.#wakeReader = resolve;
                });
            }
        }
    }

    #wake(): void {
        this.#wakeReader?.();
        this.#wakeReader = undefined;
    }
}
