/**
 * A transaction: its locks, its uncommitted writes and what else its commit carries. It knows nothing of SQL.
 *
 * What must stay true: every write is recorded in `undo` before it changes a head or slot, so that rolling back to any
 * mark restores exactly the state at that mark. Locks are kept until the end, or until the savepoint that came before
 * them is rolled back to, as in PostgreSQL.
 */
import assert from 'node:assert/strict';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {Head, PendingWrite} from './head.ts';
import type {AlteredTable, RowVersion} from './row-version.ts';
import {type Lockable, unlockSince} from './locks.ts';
import type {UniqueSlot} from './unique-slots.ts';
import type {TableStore} from './table-store.ts';

/** A physical change that is not a row's: catalog records, manifests, sequences. `value` null deletes. */
export interface StoreOperation {
    readonly key: Buffer;
    readonly value: Buffer | null;
}

/** Operations with their bytes in the commit record, made ahead of the commit. */
export interface PreparedOperations {
    readonly operations: readonly StoreOperation[];
    readonly encoded: Buffer;
}

export interface Notification {
    readonly channel: string;
    readonly payload: string;
    readonly processId: number;
}

/** `row` is laid out for `table`. */
export interface RewrittenRow {
    readonly table: TableDescriptor;
    readonly owner: number;
    readonly row: RowVersion;
}

type UndoEntry =
    | {readonly head: Head; readonly pending: PendingWrite | null}
    | {readonly slot: UniqueSlot; readonly pendingHolder: Buffer | null | undefined};

export class Transaction {
    /** Session's process id: named in deadlock reports and notifications. */
    readonly processId: number;
    readonly locked: Lockable[] = [];
    waitingFor: Lockable | null = null;
    /** Holds locks of the same session beside this transaction (advisory locks): it waits when this waits. */
    companion: Transaction | null = null;
    cancelWait: ((error: unknown) => void) | null = null;
    /** Heads that it has written to and has locked, in order of the first write; some may have no pending write now. */
    readonly heads = new Set<Head>();
    /** Slots that it has had locked; a savepoint may have given some back. */
    readonly slots = new Set<UniqueSlot>();
    /** A row changed its key: it is a delete under one head and an insert under another. */
    movedRows = false;
    /** Commit that the transaction's answers rest on though it is not part of it: numbers drawn from sequences. */
    dependsOnSeq = 0;
    /** Tables whose rows are all gone with this commit: dropped, truncated or rewritten. */
    readonly gone: TableDescriptor[] = [];
    readonly altered: AlteredTable[] = [];
    /** Rows that it had updated or deleted before it wrote their table anew, where nothing of them is left. */
    readonly rewritten: RewrittenRow[] = [];
    readonly notifications: Notification[] = [];
    readonly operations: StoreOperation[] = [];
    /** Many more operations, after those of rows: a flush. Never undone by a mark. */
    prepared: readonly PreparedOperations[] = [];
    /** Run after the transaction is durable and visible, in order (publishing of catalog changes). */
    readonly onVisible: ((seq: number) => void)[] = [];
    /** Tables whose rows this transaction has locked against DDL. */
    readonly writing = new Set<TableStore>();
    readonly #undo: UndoEntry[] = [];

    constructor(processId: number) {
        this.processId = processId;
    }

    /** Changes besides those of rows. */
    get hasOtherEffects(): boolean {
        return (
            this.notifications.length > 0 ||
            this.operations.length > 0 ||
            this.prepared.length > 0 ||
            this.onVisible.length > 0 ||
            this.gone.length > 0 ||
            this.altered.length > 0
        );
    }

    /** What the transaction has told, or will tell, is true only when this commit is durable. */
    dependOn(seq: number): void {
        if (seq > this.dependsOnSeq) this.dependsOnSeq = seq;
    }

    setPending(head: Head, pending: PendingWrite | null): void {
        assert(head.lockedBy === this && !head.evicted, 'rows are written under their lock');
        this.#undo.push({head, pending: head.pending});
        head.pending = pending;
        this.heads.add(head);
    }

    setPendingHolder(slot: UniqueSlot, holder: Buffer | null): void {
        this.#undo.push({slot, pendingHolder: slot.pendingHolder});
        slot.pendingHolder = holder;
        this.slots.add(slot);
    }

    /** A mark to come back to. */
    mark(): TransactionMark {
        return {
            undo: this.#undo.length,
            locked: this.locked.length,
            notifications: this.notifications.length,
            operations: this.operations.length,
            onVisible: this.onVisible.length,
            gone: this.gone.length,
            altered: this.altered.length,
            rewritten: this.rewritten.length,
        };
    }

    /** Undoes what was done since the mark; locks are kept. */
    rollbackTo(mark: TransactionMark): void {
        while (this.#undo.length > mark.undo) {
            const entry = this.#undo.pop();
            if (entry === undefined) break;
            if ('head' in entry) entry.head.pending = entry.pending;
            else entry.slot.pendingHolder = entry.pendingHolder;
        }
        this.notifications.length = mark.notifications;
        this.operations.length = mark.operations;
        this.onVisible.length = mark.onVisible;
        this.gone.length = mark.gone;
        this.altered.length = mark.altered;
        this.rewritten.length = mark.rewritten;
    }

    /** As `rollbackTo`, and gives back the locks taken since: others need not wait for what never happened. */
    rollbackToSavepoint(mark: TransactionMark): void {
        this.rollbackTo(mark);
        const given = new Set<Lockable>(this.locked.slice(mark.locked));
        for (const head of this.heads) if (given.has(head)) this.heads.delete(head);
        unlockSince(this, mark.locked);
    }
}

export interface TransactionMark {
    readonly undo: number;
    readonly locked: number;
    readonly notifications: number;
    readonly operations: number;
    readonly onVisible: number;
    readonly gone: number;
    readonly altered: number;
    readonly rewritten: number;
}

/** The mark at which a transaction begins. */
export const BEGINNING: TransactionMark = {
    undo: 0,
    locked: 0,
    notifications: 0,
    operations: 0,
    onVisible: 0,
    gone: 0,
    altered: 0,
    rewritten: 0,
};
