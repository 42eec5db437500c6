/**
 * The keys of secondary unique indexes that are in flight: locked by a transaction, or committed but not yet in
 * LevelDB. Everything else is answered by LevelDB, so this map stays small.
 *
 * What must stay true: `holder` is the row key of the committed holder (null = none) as of the newest commit enqueued;
 * a slot leaves the map only when nobody has it locked and LevelDB has applied its last change.
 */
import type {Lockable, Waiter} from './locks.ts';
import type {Transaction} from './transaction.ts';

export class UniqueSlot implements Lockable {
    /** The whole LevelDB key of the index entry. */
    readonly entryKey: Buffer;
    readonly name: string;
    holder: Buffer | null;
    /** What the locking transaction makes of it; undefined = unchanged. */
    pendingHolder: Buffer | null | undefined = undefined;
    lockedBy: Transaction | null = null;
    waiters: Waiter[] | null = null;
    pinnedSeq = 0;

    constructor(entryKey: Buffer, name: string, holder: Buffer | null) {
        this.entryKey = entryKey;
        this.name = name;
        this.holder = holder;
    }
}

export class UniqueSlots {
    readonly #slots = new Map<string, UniqueSlot>();
    readonly #lookup: (entryKey: Buffer) => Buffer | undefined;

    constructor(lookup: (entryKey: Buffer) => Buffer | undefined) {
        this.#lookup = lookup;
    }

    get size(): number {
        return this.#slots.size;
    }

    get(entryKey: Buffer): UniqueSlot {
        const name = entryKey.toString('latin1');
        let slot = this.#slots.get(name);
        if (slot === undefined) {
            slot = new UniqueSlot(entryKey, name, this.#lookup(entryKey) ?? null);
            this.#slots.set(name, slot);
        }
        return slot;
    }

    /** A slot to read: the one in flight, or a passing one with what LevelDB has. */
    peek(entryKey: Buffer): UniqueSlot {
        const name = entryKey.toString('latin1');
        return this.#slots.get(name) ?? new UniqueSlot(entryKey, name, this.#lookup(entryKey) ?? null);
    }

    /** Forgets a slot that was looked at and not used. */
    dropUnused(slot: UniqueSlot): void {
        if (
            slot.lockedBy === null &&
            slot.waiters === null &&
            slot.pinnedSeq === 0 &&
            this.#slots.get(slot.name) === slot
        ) {
            this.#slots.delete(slot.name);
        }
    }

    /** Called when a slot may have become free. */
    release(slot: UniqueSlot, appliedSeq: number): void {
        if (slot.lockedBy !== null || slot.waiters !== null || slot.pinnedSeq > appliedSeq) return;
        // A slot that was let go of before may have been made anew, and be in use.
        if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name);
    }
}
