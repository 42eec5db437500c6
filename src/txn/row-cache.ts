/**
 * Bounds the memory of all heads of all tables together: a SIEVE queue (Zhang et al., NSDI 2024) over the heads, by
 * bytes. A hit only sets a flag, so the point path pays one store; the hand that looks for a victim clears flags as it
 * passes.
 *
 * What must stay true: a head that is locked, waited for, or newer than what LevelDB has applied is never evicted; so
 * the bound can be passed by what is in flight, which the commit pipeline bounds.
 */
import type {Head} from './head.ts';

interface Slot {
    head: Head;
    forget: (head: Head) => void;
    newer: Slot | null;
    older: Slot | null;
}

/** Victims looked at per insertion at most: keeps the cost of an insertion constant. */
const STEPS_MAX = 64;

export class RowCache {
    #bytesMax: number;
    #bytes = 0;
    #entries = 0;
    #newest: Slot | null = null;
    #oldest: Slot | null = null;
    #hand: Slot | null = null;
    #appliedSeq = 0;

    constructor(bytesMax: number) {
        this.#bytesMax = bytesMax;
    }

    get bytes(): number {
        return this.#bytes;
    }

    get entries(): number {
        return this.#entries;
    }

    /** Everything up to here is in LevelDB. */
    applied(seq: number): void {
        this.#appliedSeq = seq;
    }

    add(head: Head, bytes: number, forget: (head: Head) => void): void {
        head.bytes = bytes;
        const slot: Slot = {head, forget, newer: null, older: this.#newest};
        if (this.#newest !== null) this.#newest.newer = slot;
        this.#newest = slot;
        this.#oldest ??= slot;
        this.#bytes += bytes;
        this.#entries++;
        if (this.#bytes > this.#bytesMax) this.#evict();
    }

    resize(head: Head, bytes: number): void {
        this.#bytes += bytes - head.bytes;
        head.bytes = bytes;
    }

    #evict(): void {
        let steps = STEPS_MAX;
        let slot = this.#hand ?? this.#oldest;
        while (slot !== null && steps-- > 0 && this.#bytes > this.#bytesMax) {
            const next: Slot | null = slot.newer ?? null;
            const head = slot.head;
            if (head.visited) head.visited = false;
            else if (head.lockedBy === null && head.waiters === null && head.pinnedSeq <= this.#appliedSeq) {
                this.#unlink(slot);
                slot.forget(head);
            }
            slot = next ?? this.#oldest;
        }
        this.#hand = slot;
    }

    #unlink(slot: Slot): void {
        if (slot.newer === null) this.#newest = slot.older;
        else slot.newer.older = slot.older;
        if (slot.older === null) this.#oldest = slot.newer;
        else slot.older.newer = slot.newer;
        if (this.#hand === slot) this.#hand = null;
        this.#bytes -= slot.head.bytes;
        this.#entries--;
    }

    /** Drops every entry for which `drop` holds: a table was dropped or its rows changed shape. */
    dropWhere(drop: (head: Head, forget: (head: Head) => void) => boolean): void {
        let slot = this.#oldest;
        while (slot !== null) {
            const next = slot.newer;
            if (drop(slot.head, slot.forget)) {
                this.#unlink(slot);
                slot.forget(slot.head);
            }
            slot = next;
        }
    }
}
