/**
 * Bounds the memory of all heads of all tables together: a SIEVE queue (Zhang et al., NSDI 2024) over the heads, by
 * bytes. A hit only sets a flag, so the point path pays one store; the hand that looks for a victim goes from the oldest
 * head to the newest and clears flags as it passes. The links are fields of the heads themselves.
 *
 * What must stay true:
 * - A head that is locked, waited for, in use, newer than what LevelDB has applied, or newer than the oldest snapshot
 *   held is never evicted; so the bound can be passed by what is in flight, which the commit pipeline bounds.
 * - Nothing is evicted while synchronous code runs: a head got in a step stays the head of its key until that step ends.
 *   Code that gives up the thread gets its heads anew, or marks them as in use.
 */
import type {Head} from './head.ts';

/** Heads looked at by one eviction beyond two for each head added: keeps its cost in proportion. */
const STEPS_MIN = 64;
/** Heads looked at in one slice of a sweep: about a millisecond. */
const SWEEP_STEPS = 8192;

export class RowCache {
    readonly #bytesMax: number;
    #bytes = 0;
    #entries = 0;
    #newest: Head | null = null;
    #oldest: Head | null = null;
    #hand: Head | null = null;
    #evictableSeq = 0;
    #addedSinceEviction = 0;
    #scheduled = false;
    #sweeping = false;

    constructor(bytesMax: number) {
        this.#bytesMax = bytesMax;
    }

    get bytes(): number {
        return this.#bytes;
    }

    get entries(): number {
        return this.#entries;
    }

    /** Everything up to here is in LevelDB, and no snapshot held is older. */
    setEvictable(seq: number): void {
        this.#evictableSeq = seq;
        if (this.#bytes > this.#bytesMax) this.#schedule();
    }

    add(head: Head, bytes: number): void {
        head.bytes = bytes;
        head.older = this.#newest;
        if (this.#newest !== null) this.#newest.newer = head;
        this.#newest = head;
        this.#oldest ??= head;
        this.#bytes += bytes;
        this.#entries++;
        this.#addedSinceEviction++;
        if (this.#bytes > this.#bytesMax) this.#schedule();
    }

    resize(head: Head, bytes: number): void {
        if (head.evicted) return;
        this.#bytes += bytes - head.bytes;
        head.bytes = bytes;
        if (this.#bytes > this.#bytesMax) this.#schedule();
    }

    #schedule(): void {
        if (this.#scheduled) return;
        this.#scheduled = true;
        queueMicrotask(this.#evict);
    }

    readonly #evict = (): void => {
        this.#scheduled = false;
        const steps = STEPS_MIN + 2 * this.#addedSinceEviction;
        this.#addedSinceEviction = 0;
        this.#walk(steps);
        if (this.#bytes > this.#bytesMax) this.#sweepSoon();
    };

    /** What a large transaction has left over the bound goes in slices, without waiting for the next head. */
    #sweepSoon(): void {
        if (this.#sweeping) return;
        this.#sweeping = true;
        setImmediate(() => {
            this.#sweeping = false;
            const entries = this.#entries;
            this.#walk(SWEEP_STEPS);
            // A slice that freed nothing has met what is in flight: the next commit or head tries again.
            if (this.#bytes > this.#bytesMax && this.#entries < entries) this.#sweepSoon();
        });
    }

    #walk(stepsMax: number): void {
        let steps = stepsMax;
        let head = this.#hand ?? this.#oldest;
        while (head !== null && steps-- > 0 && this.#bytes > this.#bytesMax) {
            const next: Head | null = head.newer;
            if (head.visited) head.visited = false;
            else if (this.#isEvictable(head)) this.#drop(head);
            head = next ?? this.#oldest;
        }
        this.#hand = head;
    }

    #isEvictable(head: Head): boolean {
        return (
            head.lockedBy === null && head.waiters === null && head.uses === 0 && head.pinnedSeq <= this.#evictableSeq
        );
    }

    #drop(head: Head): void {
        if (head.newer === null) this.#newest = head.older;
        else head.newer.older = head.older;
        if (head.older === null) this.#oldest = head.newer;
        else head.older.newer = head.newer;
        if (this.#hand === head) this.#hand = head.newer;
        head.newer = null;
        head.older = null;
        this.#bytes -= head.bytes;
        this.#entries--;
        head.evicted = true;
        head.store.forget(head);
    }

    /** Drops every entry for which `drop` holds: a table was dropped or its rows changed shape. */
    dropWhere(drop: (head: Head) => boolean): void {
        let head = this.#oldest;
        while (head !== null) {
            const next: Head | null = head.newer;
            if (drop(head)) this.#drop(head);
            head = next;
        }
    }
}
