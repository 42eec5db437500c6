/**
 * Inserting, changing and deleting single rows inside a transaction: locks, unique checks, pending writes. Synchronous;
 * throws `LockWait` when another transaction is in the way and `ColdRow` when the row must first be fetched from a
 * segment. Knows nothing of SQL: values come checked and cast.
 *
 * What must stay true: a write is either recorded whole (head and all unique slots) or throws and is undone by the
 * statement's mark. Uniqueness is decided against the newest committed state plus the transaction's own writes.
 */
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../catalog/types/settings.ts';
import type {Head} from './head.ts';
import type {IndexWriter} from './index-writer.ts';
import {lock} from './locks.ts';
import type {RowVersion} from './row-version.ts';
import type {TableStore} from './table-store.ts';
import type {Transaction} from './transaction.ts';
import type {UniqueSlot, UniqueSlots} from './unique-slots.ts';

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

/** What the transaction sees under a head: its own write, else the newest committed version. Throws ColdRow. */
export function currentRow(transaction: Transaction | null, head: Head): CurrentRow | null {
    const pending = head.pending;
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

/** Whether a row exists under the head for the transaction, without needing its values. */
function occupied(transaction: Transaction, head: Head): boolean {
    if (head.pending !== null && head.lockedBy === transaction) return head.pending.values !== null;
    if (head.newest !== null) return !head.newest.deleted;
    return head.coldSegment !== 0;
}

export class RowWrites {
    readonly #slots: UniqueSlots;
    readonly #allocateRowid: () => number;

    constructor(slots: UniqueSlots, allocateRowid: () => number) {
        this.#slots = slots;
        this.#allocateRowid = allocateRowid;
    }

    /** Must be called before the first write of a statement to a table. */
    enter(transaction: Transaction, store: TableStore): void {
        if (store.lockedBy !== null && store.lockedBy !== transaction) lock(transaction, store);
        if (!transaction.writing.has(store)) {
            transaction.writing.add(store);
            store.writers.add(transaction);
        }
    }

    /**
     * Inserts a row, or reports the row that is in its way. With `arbiter` undefined any conflict is reported; a
     * conflict on another index than the arbiter raises 23505.
     */
    insert(
        transaction: Transaction,
        store: TableStore,
        owner: number,
        values: readonly Datum[],
        onConflict: 'error' | 'any' | IndexWriter | 'primary',
        keptRowid?: number,
    ): Head | ExistingConflict {
        const rowid = keptRowid ?? this.#allocateRowid();
        const {key, bytes} = store.keyOfRow(values, rowid);
        const head = store.head(owner, key, bytes);
        lock(transaction, head);
        if (occupied(transaction, head)) {
            if (onConflict === 'any' || onConflict === 'primary') return {head, constraint: primaryName(store)};
            throw uniqueViolation(store, store.keyPositions, values, primaryName(store));
        }
        for (const index of store.indexes) {
            if (!index.maintained || !index.excludes(values)) continue;
            const slot = this.#slot(transaction, index, owner, values, bytes);
            const holder = holderOf(transaction, slot);
            if (holder !== null) {
                const name = index.index.constraint ?? index.index.name;
                if (onConflict === 'any' || onConflict === index) {
                    return {head: store.headOfBytes(owner, holder), constraint: name};
                }
                throw uniqueViolation(store, index.positions, values, name);
            }
            transaction.setPendingHolder(slot, bytes);
        }
        const committed = head.newest;
        transaction.setPending(head, {
            rowid,
            before: committed !== null && !committed.deleted ? committed : null,
            beforeSegment: head.pending?.beforeSegment ?? 0,
            values,
        });
        return head;
    }

    /** Replaces the row's values; the caller has read them through `currentRow` after locking. */
    update(transaction: Transaction, head: Head, current: CurrentRow, values: readonly Datum[]): void {
        const store = head.store;
        const {key, bytes} = store.keyOfRow(values, current.rowid);
        if (key !== head.key) {
            this.delete(transaction, head, current);
            this.insert(transaction, store, head.owner, values, 'error', current.rowid);
            return;
        }
        for (const index of store.indexes) {
            if (!index.maintained || index.sameKey(current.values, values)) continue;
            if (index.excludes(current.values)) {
                const old = this.#slot(transaction, index, head.owner, current.values, bytes);
                transaction.setPendingHolder(old, null);
            }
            if (!index.excludes(values)) continue;
            const slot = this.#slot(transaction, index, head.owner, values, bytes);
            const holder = holderOf(transaction, slot);
            if (holder !== null && !holder.equals(bytes)) {
                throw uniqueViolation(store, index.positions, values, index.index.constraint ?? index.index.name);
            }
            transaction.setPendingHolder(slot, bytes);
        }
        this.#setPending(transaction, head, current, values);
    }

    delete(transaction: Transaction, head: Head, current: CurrentRow): void {
        for (const index of head.store.indexes) {
            if (!index.maintained || !index.excludes(current.values)) continue;
            const slot = this.#slot(transaction, index, head.owner, current.values, head.keyBytes);
            transaction.setPendingHolder(slot, null);
        }
        this.#setPending(transaction, head, current, null);
    }

    #setPending(
        transaction: Transaction,
        head: Head,
        current: CurrentRow,
        values: readonly Datum[] | null,
    ): void {
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

function holderOf(transaction: Transaction, slot: UniqueSlot): Buffer | null {
    return slot.lockedBy === transaction && slot.pendingHolder !== undefined ? slot.pendingHolder : slot.holder;
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
