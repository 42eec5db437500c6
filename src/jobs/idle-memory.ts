/**
 * Gives memory back after a busy time: V8 collects lazily, so that a server that has loaded much keeps a large heap of
 * garbage for as long as nobody allocates. When no statement has run for a while and the heap is much larger than it
 * was after the last collection, it is collected once.
 *
 * What must stay true: never while statements run; at most one collection per busy time.
 */
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';

const CHECK_INTERVAL_MS = 5_000;
const IDLE_MS_MIN = 5_000;
/** Growth since the last collection that is worth a pause. */
const GROWTH_BYTES_MIN = 128 * 1024 * 1024;

export interface Activity {
    /** Milliseconds since 1970 of the last sign of work; Infinity while a statement runs. */
    lastBusyMs(): number;
}

export class IdleMemory {
    readonly #activity: Activity;
    readonly #collect: () => void;
    readonly #heapBytes: () => number;
    #timer: NodeJS.Timeout | undefined;
    #bytesAfterLast: number;

    constructor(
        activity: Activity,
        collect: () => void = exposedCollector(),
        heapBytes: () => number = () => process.memoryUsage().heapTotal,
    ) {
        this.#activity = activity;
        this.#collect = collect;
        this.#heapBytes = heapBytes;
        this.#bytesAfterLast = heapBytes();
    }

    start(): void {
        this.#timer = setInterval(() => this.check(Date.now()), CHECK_INTERVAL_MS);
        this.#timer.unref();
    }

    stop(): void {
        clearInterval(this.#timer);
    }

    check(nowMs: number): void {
        if (nowMs - this.#activity.lastBusyMs() < IDLE_MS_MIN) return;
        if (this.#heapBytes() - this.#bytesAfterLast < GROWTH_BYTES_MIN) return;
        this.#collect();
        this.#bytesAfterLast = this.#heapBytes();
    }
}

function exposedCollector(): () => void {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as () => void;
}
