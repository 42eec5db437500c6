/**
 * One subscriber of a live query, from its opening to its end.
 *
 * What must stay true: the sink gets the opening events (snapshot rows, then the ready mark), then every later event
 * once and in order. While it opens, batches wait here, up to `waitingBytesMax`; once live, a batch that the sink
 * refuses ends the subscription with an error that says where to resume. Nothing is dropped in silence, and `offer`
 * never waits for anybody. After the end nothing is sent.
 */
import {PgError} from '../../catalog/errors.ts';
import type {LiveBatch} from './live-event.ts';
import type {SharedQuery} from './shared-query.ts';

/** Why a subscription ended: `error` undefined = by the subscriber's own wish. */
export interface LiveEnd {
    readonly error: PgError | undefined;
    /** Where to resume: the `_seq` of the last event that the sink took. undefined: the snapshot was not complete. */
    readonly lastSeq: number | undefined;
}

export interface LiveSink {
    /** Takes the batch whole or refuses it whole. Never waits, never throws. An empty sink takes any batch. */
    send(batch: LiveBatch): 'ok' | 'full';
    /** After 'full': resolves when there is room again or the sink has ended. */
    drained(): Promise<void>;
    /** Nothing more comes. Called exactly once; what was taken before is still delivered. */
    end(end: LiveEnd): void;
}

export interface Subscriber {
    readonly sessionId: number;
    readonly user: string;
    readonly roleId: number;
}

/** waiting: batches are kept while the snapshot runs. replaying: they are in the change log. */
export type SubscriptionState = 'waiting' | 'replaying' | 'live' | 'ended';

export class Subscription {
    readonly id: string;
    readonly query: SharedQuery;
    /** The query's text as this subscriber wrote it: equal queries may be written differently. */
    readonly text: string;
    readonly subscriber: Subscriber;
    readonly startedAtMs: number;
    readonly #sink: LiveSink;
    readonly #waitingBytesMax: number;
    readonly #onEnd: (subscription: Subscription) => void;
    /** Changes up to here are not for this subscriber: the snapshot has them, or they were before its time. */
    startSeq = 0;
    /** `_seq` of the last event that the sink took; undefined before the ready mark. */
    lastSeq: number | undefined;
    /** `_seq` of the last transaction that was handled, with or without events. */
    position = 0;
    eventCount = 0;
    /** True when batches came that could not be kept: they must be read from the change log. */
    overflowed = false;
    #state: SubscriptionState = 'waiting';
    #waiting: LiveBatch[] = [];
    #waitingBytes = 0;

    constructor(options: {
        readonly id: string;
        readonly query: SharedQuery;
        readonly text: string;
        readonly subscriber: Subscriber;
        readonly sink: LiveSink;
        readonly startedAtMs: number;
        readonly waitingBytesMax: number;
        readonly onEnd: (subscription: Subscription) => void;
    }) {
        this.id = options.id;
        this.query = options.query;
        this.text = options.text;
        this.subscriber = options.subscriber;
        this.startedAtMs = options.startedAtMs;
        this.#sink = options.sink;
        this.#waitingBytesMax = options.waitingBytesMax;
        this.#onEnd = options.onEnd;
    }

    get state(): SubscriptionState {
        return this.#state;
    }

    get waitingBytes(): number {
        return this.#waitingBytes;
    }

    /** Unsubscribes. */
    close(): void {
        this.end(undefined);
    }

    /** A batch of a new transaction. Called from dispatch: must not wait. */
    offer(batch: LiveBatch): void {
        if (batch.transactionSeq <= this.startSeq) return;
        if (this.#state === 'live') {
            if (this.#sink.send(batch) === 'full') this.end(fellBehind(this.lastSeq));
            else this.#delivered(batch);
        } else if (this.#state === 'waiting') {
            this.#waitingBytes += batch.bytes;
            // A single batch is kept whatever its size, as the sink does.
            if (this.#waitingBytes > this.#waitingBytesMax && this.#waiting.length > 0) this.#overflow();
            else this.#waiting.push(batch);
        }
    }

    /** Sends in the opening phase, at the subscriber's pace. False when it ended meanwhile. */
    async deliver(batch: LiveBatch): Promise<boolean> {
        while (this.#state !== 'ended') {
            if (this.#sink.send(batch) === 'ok') {
                this.#delivered(batch);
                return true;
            }
            await this.#sink.drained();
        }
        return false;
    }

    /** Sends what waited, in order, and goes live; or returns in another state: ended, or replaying after an overflow. */
    async deliverWaiting(): Promise<void> {
        while (this.#state === 'waiting') {
            const batch = this.#takeWaiting();
            // Synchronous from the last look at the queue: nothing can come between.
            if (batch === undefined) this.goLive();
            else if (batch.transactionSeq > this.startSeq) await this.deliver(batch);
        }
    }

    /** From now on batches are not kept: they are read from the change log until `goLive`. */
    replay(): void {
        if (this.#state === 'ended') return;
        this.#state = 'replaying';
        this.#dropWaiting();
    }

    goLive(): void {
        if (this.#state !== 'ended') this.#state = 'live';
    }

    end(error: PgError | undefined): void {
        if (this.#state === 'ended') return;
        this.#state = 'ended';
        this.#dropWaiting();
        this.#onEnd(this);
        this.#sink.end({error, lastSeq: this.lastSeq});
    }

    #delivered(batch: LiveBatch): void {
        this.eventCount += batch.events.length;
        this.position = batch.transactionSeq;
        const last = batch.events.at(-1);
        // Rows of a snapshot come in any order: nobody can resume within it.
        if (last !== undefined && last.op !== 'snapshot') this.lastSeq = last.seq;
    }

    #takeWaiting(): LiveBatch | undefined {
        const batch = this.#waiting.shift();
        if (batch !== undefined) this.#waitingBytes -= batch.bytes;
        return batch;
    }

    #overflow(): void {
        this.overflowed = true;
        this.replay();
    }

    #dropWaiting(): void {
        this.#waiting = [];
        this.#waitingBytes = 0;
    }
}

/** The error of a consumer that is cut off: it can resume where it was. */
export function fellBehind(lastSeq: number | undefined): PgError {
    const message = 'the live query fell behind and was ended';
    if (lastSeq === undefined) {
        return new PgError('54000', message, {
            detail: 'More changes came while the snapshot was sent than live_queue_bytes_max holds.',
            hint: 'Subscribe again, read faster, or raise live_queue_bytes_max.',
        });
    }
    return new PgError('54000', message, {
        detail: `The last delivered _seq is ${lastSeq}.`,
        hint: `Subscribe again with from_seq = ${lastSeq} to go on without a gap. Read faster, or raise live_queue_bytes_max.`,
    });
}
