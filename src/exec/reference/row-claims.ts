/**
 * From rows that the twin chose back to the rows themselves: locked, and certain to be as they were when they were
 * copied.
 *
 * What must stay true: a row that was changed since its copy was made is never written from that copy: the statement
 * runs again on newer rows, with the locks it has, as PostgreSQL looks again at a row it waited for.
 */
import type {Head} from '../../txn/head.ts';
import {isLockedAgainst, lock, lockShared} from '../../txn/locks.ts';
import {currentRow, type CurrentRow} from '../../txn/row-writes.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {Transaction} from '../../txn/transaction.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import type {StatementContext} from '../statement-context.ts';
import type {LoadedRow} from './table-rows.ts';

export interface LockPolicy {
    readonly wait: 'wait' | 'nowait' | 'skip locked';
    readonly shared: boolean;
}

export interface ClaimedRow {
    readonly head: Head;
    readonly current: CurrentRow;
}

export const WAIT_FOR_LOCK: LockPolicy = {wait: 'wait', shared: false};

/** Synchronous; throws LockWait, ColdRow, VisibilityWait, or 55P03. */
export function claimRow(
    context: StatementContext,
    transaction: Transaction,
    store: TableStore,
    row: LoadedRow,
    policy: LockPolicy,
): ClaimedRow {
    const head = headOf(store, row);
    if (head === undefined) throw new VisibilityWait(context.database.committer.enqueuedSeq);
    take(context, transaction, head, policy);
    const ownWrite = head.pending !== null;
    const current = currentRow(transaction, head);
    const unchanged =
        current !== null && current.rowid === row.rowid && (ownWrite || current.committed?.seq === row.seq);
    if (!unchanged) throw new VisibilityWait(context.database.committer.enqueuedSeq);
    return {head, current};
}

/** For SKIP LOCKED and NOWAIT: whether another transaction has the row now. */
export function isLockedByOther(
    context: StatementContext,
    store: TableStore,
    row: LoadedRow,
    shared: boolean,
): boolean {
    const head = headOf(store, row);
    return head !== undefined && isLockedAgainst(head, context.transaction, shared);
}

function take(context: StatementContext, transaction: Transaction, head: Head, policy: LockPolicy): void {
    const {wait, shared} = policy;
    if (wait === 'wait' || !isLockedAgainst(head, transaction, shared)) {
        if (shared) lockShared(transaction, head);
        else lock(transaction, head);
        return;
    }
    if (wait === 'nowait') throw context.database.lockNotAvailable(head.store.table.name);
    // Locked since the rows were copied: the next copy leaves it out. Nothing is waited for.
    throw new VisibilityWait(context.database.committer.visibleSeq);
}

/** undefined when the row has gone since it was copied. */
function headOf(store: TableStore, row: LoadedRow): Head | undefined {
    const {key, bytes} = store.keyOfRow(row.values, row.rowid);
    const head = store.head(row.owner, key, bytes);
    if (row.segmentId > 0 && head.newest === null && head.pending === null) {
        if (store.tiers.isDead(store.tiers.currentSegmentId(row.segmentId), row.rowid)) return undefined;
        // The row's values are at hand: it need not be fetched from its segment again.
        head.coldSegment = row.segmentId;
        head.coldRowid = row.rowid;
        head.newest = {
            rowid: row.rowid,
            seq: row.seq,
            updatedNs: row.updatedNs,
            owner: row.owner,
            values: row.values,
            deleted: false,
            previous: null,
        };
        store.grown(head);
    }
    return head;
}
