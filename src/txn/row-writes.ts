/**
 * Inserting, changing and deleting single rows inside a transaction: locks, unique checks, pending writes. Synchronous;
 * throws `LockWait` when another transaction is in the way and `ColdRow` when the row must first be fetched from a
 * segment. Knows nothing of SQL: values come checked and cast.
 *
 * What must stay true: a write is either recorded whole (head and all unique slots) or throws and is undone by the
 * statement's mark. Uniqueness is decided against the newest committed state plus the transaction's own writes.
 */
import assert from 'node:assert/strict';
import {expiryCutoffNs} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../catalog/types/settings.ts';
import {Head} from './head.ts';
import type {IndexWriter} from './index-writer.ts';
import {lock, LockWait, unlockSince} from './locks.ts';
import type {RowVersion} from './row-version.ts';
import type {TableStore} from './table-store.ts';
import type {Transaction} from './transaction.ts';
import type {UniqueSlot, UniqueSlots} from './unique-slots.ts';
import {StalePlan} from './waits.ts';

/** The newest version of this row is in a segment and must be read before the write can go on. */
export class ColdRow extends Error {
    override readonly name = 'ColdRow';
    readonly head: Head;
    constructor(head: Head) {
        super('the row is in a segment');
        this.head = head;
    }
}

/** The row as the transaction itself sees it now. */
export interface CurrentRow {
    readonly rowid: number;
    readonly values: readonly Datum[];
    /** Its newest committed version; null when the transaction itself inserted it. */
    readonly committed: RowVersion | null;
}

export interface ExistingConflict {
    readonly head: Head;
    readonly constraint: string;
}

/**
 * What the transaction sees under a head: its own write, else the newest committed version, which may not be durable
 * yet: the answer then depends on that. Throws ColdRow.
 */
export function currentRow(transaction: Transaction, head: Head): CurrentRow | null {
    const pending = head.pending;
    transaction.dependOn(head.pinnedSeq);
    if (pending !== null && head.lockedBy === transaction) {
        return pending.values === null
            ? null
            : {rowid: pending.rowid, values: pending.values, committed: pending.before};
    }
    const newest = head.newest;
    if (newest === null) {
        if (head.coldSegment !== 0) throw new ColdRow(head);
        return null;
    }
    return newest.deleted ? null : {rowid: newest.rowid, values: newest.values, committed: newest};
}

export class RowWrites {
    readonly #slots: UniqueSlots;
    readonly #allocateRowid: () => number;
    /** Scratch: slots locked for the row being written. */
    readonly #taken: UniqueSlot[] = [];
    #removedExpired = false;

    constructor(slots: UniqueSlots, allocateRowid: () => number) {
        this.#slots = slots;
        this.#allocateRowid = allocateRowid;
    }

    /** Must be called before the first write of a statement to a table. Throws StalePlan when DDL has replaced the store. */
    enter(transaction: Transaction, store: TableStore): void {
        if (store.retired) throw new StalePlan();
        // Who wrote here already goes on: a waiting ALTER TABLE lets it end.
        if (transaction.writing.has(store)) return;
        if (store.lockedBy !== null && store.lockedBy !== transaction) lock(transaction, store);
        transaction.writing.add(store);
        store.writers.add(transaction);
    }

    /**
     * Inserts a row, or reports the row that is in its way: with 'any' on whatever index, else on the arbiter, which is
     * asked first. Any other conflict raises 23505. A conflict that is reported leaves no locks and no writes behind.
     */
    insert(
        transaction: Transaction,
        store: TableStore,
        owner: number,
        values: readonly Datum[],
        onConflict: 'error' | 'any' | IndexWriter | 'primary',
    ): Head | ExistingConflict {
        return this.#insert(
            transaction,
            store,
            owner,
            values,
            onConflict,
            this.#allocateRowid(),
            store.keyPositions.length === 0,
        );
    }

    /** A row that keeps its identity in another version of its table. Raises 23505. */
    place(transaction: Transaction, store: TableStore, owner: number, values: readonly Datum[], rowid: number): Head {
        const placed = this.#insert(transaction, store, owner, values, 'error', rowid, false);
        assert(placed instanceof Head, 'a conflict is an error here');
        return placed;
    }

    #insert(
        transaction: Transaction,
        store: TableStore,
        owner: number,
        values: readonly Datum[],
        onConflict: 'error' | 'any' | IndexWriter | 'primary',
        rowid: number,
        isNewKey: boolean,
    ): Head | ExistingConflict {
        const {key, bytes} = store.keyOfRow(values, rowid);
        const locksBefore = transaction.locked.length;
        const taken = this.#taken;
        taken.length = 0;
        this.#removedExpired = false;
        if (typeof onConflict !== 'string' && onConflict.excludes(values)) {
            const conflict = this.#take(transaction, store, onConflict, owner, values, bytes);
            if (conflict !== null) return this.#report(transaction, conflict, locksBefore);
        }
        const place = isNewKey ? null : store.head(owner, key, bytes);
        if (place !== null) {
            if (this.#isOccupied(transaction, place)) {
                const conflict = {head: place, constraint: primaryName(store)};
                if (onConflict === 'any' || onConflict === 'primary')
                    return this.#report(transaction, conflict, locksBefore);
                throw uniqueViolation(store, store.keyPositions, values, conflict.constraint);
            }
            lock(transaction, place);
        }
        for (const index of store.indexes) {
            if (index === onConflict || !index.maintained || !index.excludes(values)) continue;
            const conflict = this.#take(transaction, store, index, owner, values, bytes);
            if (conflict === null) continue;
            if (onConflict === 'any') return this.#report(transaction, conflict, locksBefore);
            throw uniqueViolation(store, index.positions, values, conflict.constraint);
        }
        for (const slot of taken) transaction.setPendingHolder(slot, bytes);
        const head = place ?? store.newHead(owner, rowid);
        lock(transaction, head);
        const committed = head.newest;
        transaction.setPending(head, {
            rowid,
            before: committed !== null && !committed.deleted ? committed : null,
            beforeSegment: head.pending?.beforeSegment ?? 0,
            values,
        });
        return head;
    }

    /**
     * Locks the slot of the row's key in a unique index and adds it to `#taken`; or says which row has the key. A row
     * that another transaction has merely locked is in the way at once, as in PostgreSQL; one that it is changing is
     * waited for.
     */
    #take(
        transaction: Transaction,
        store: TableStore,
        index: IndexWriter,
        owner: number,
        values: readonly Datum[],
        rowKey: Buffer,
    ): ExistingConflict | null {
        const slot = this.#slots.get(index.entryKey(owner, values, rowKey));
        if (slot.pendingHolder !== undefined && slot.lockedBy !== transaction) throw new LockWait(slot);
        const holder = holderOf(slot);
        if (holder !== null) {
            const head = store.headOfBytes(owner, holder);
            if (!this.#removeExpired(transaction, head)) {
                transaction.dependOn(slot.pinnedSeq);
                this.#slots.dropUnused(slot);
                return {head, constraint: index.index.constraint ?? index.index.name};
            }
        }
        lock(transaction, slot);
        transaction.slots.add(slot);
        this.#taken.push(slot);
        return null;
    }

    /** Gives back what was locked for a row that is not inserted. */
    #report(transaction: Transaction, conflict: ExistingConflict, locksBefore: number): ExistingConflict {
        if (this.#removedExpired) return conflict;
        unlockSince(transaction, locksBefore);
        for (const slot of this.#taken) this.#slots.dropUnused(slot);
        return conflict;
    }

    /** Whether a row has the key for the transaction, without needing its values. */
    #isOccupied(transaction: Transaction, head: Head): boolean {
        const {pending, newest} = head;
        if (pending !== null) {
            if (head.lockedBy !== transaction) throw new LockWait(head);
            return pending.values !== null;
        }
        transaction.dependOn(head.pinnedSeq);
        const exists = newest === null ? head.coldSegment !== 0 : !newest.deleted;
        return exists && !this.#removeExpired(transaction, head);
    }

    /** An expired row is there no more, though nobody has removed it yet: it makes room. */
    #removeExpired(transaction: Transaction, head: Head): boolean {
        const cutoffNs = expiryCutoffNs(head.store.table);
        if (cutoffNs === undefined) return false;
        const current = currentRow(transaction, head);
        if (current === null || current.committed === null || current.values !== current.committed.values) return false;
        if (current.committed.updatedNs >= cutoffNs) return false;
        lock(transaction, head);
        this.delete(transaction, head, current);
        this.#removedExpired = true;
        return true;
    }

    /**
     * Replaces the row's values; the caller has read them through `currentRow` after locking. Returns the row's head,
     * which is another one when the primary key changes.
     */
    update(transaction: Transaction, head: Head, current: CurrentRow, values: readonly Datum[]): Head {
        const store = head.store;
        const {key, bytes} = store.keyOfRow(values, current.rowid);
        if (key !== head.key) {
            this.delete(transaction, head, current);
            transaction.movedRows = true;
            const moved = this.#insert(transaction, store, head.owner, values, 'error', current.rowid, false);
            assert(moved instanceof Head, 'a conflict is an error here');
            return moved;
        }
        for (const index of store.indexes) {
            if (!index.maintained || index.sameKey(current.values, values)) continue;
            if (index.excludes(current.values)) {
                const old = this.#slot(transaction, index, head.owner, current.values, bytes);
                transaction.setPendingHolder(old, null);
            }
            if (!index.excludes(values)) continue;
            this.#taken.length = 0;
            const conflict = this.#take(transaction, store, index, head.owner, values, bytes);
            if (conflict !== null) throw uniqueViolation(store, index.positions, values, conflict.constraint);
            for (const slot of this.#taken) transaction.setPendingHolder(slot, bytes);
        }
        this.#setPending(transaction, head, current, values);
        return head;
    }

    delete(transaction: Transaction, head: Head, current: CurrentRow): void {
        for (const index of head.store.indexes) {
            if (!index.maintained || !index.excludes(current.values)) continue;
            const slot = this.#slot(transaction, index, head.owner, current.values, head.keyBytes);
            transaction.setPendingHolder(slot, null);
        }
        this.#setPending(transaction, head, current, null);
    }

    #setPending(transaction: Transaction, head: Head, current: CurrentRow, values: readonly Datum[] | null): void {
        const pending = head.pending;
        transaction.setPending(head, {
            rowid: current.rowid,
            before: pending === null ? current.committed : pending.before,
            beforeSegment: pending === null ? head.coldSegment : pending.beforeSegment,
            values,
        });
    }

    #slot(
        transaction: Transaction,
        index: IndexWriter,
        owner: number,
        values: readonly Datum[],
        rowKey: Buffer,
    ): UniqueSlot {
        const slot = this.#slots.get(index.entryKey(owner, values, rowKey));
        lock(transaction, slot);
        transaction.slots.add(slot);
        return slot;
    }
}

/** For who may see what is pending: its own transaction. */
function holderOf(slot: UniqueSlot): Buffer | null {
    return slot.pendingHolder !== undefined ? slot.pendingHolder : slot.holder;
}

function primaryName(store: TableStore): string {
    return store.table.primaryKey?.constraint ?? store.table.primaryKey?.name ?? store.table.name;
}

export function uniqueViolation(
    store: TableStore,
    positions: readonly number[],
    values: readonly Datum[],
    constraint: string,
): PgError {
    const names = positions.map((position) => store.table.columns[position]?.name ?? '').join(', ');
    const texts = positions.map((position) => {
        const value = values[position] ?? null;
        return value === null ? 'null' : store.typeAt(position).print(value, DEFAULT_OUTPUT_SETTINGS);
    });
    return new PgError('23505', `duplicate key value violates unique constraint "${constraint}"`, {
        detail: `Key (${names})=(${texts.join(', ')}) already exists.`,
        schema: store.table.schema,
        table: store.table.name,
        constraint,
    });
}
