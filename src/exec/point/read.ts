/**
 * Reading rows through an access: synchronous, in memory or from LevelDB, as one statement sees them.
 *
 * What must stay true: the transaction's own writes win, then the newest version not after the snapshot; rows of other
 * users and expired rows are not there.
 */
import {expiryCutoffNs as tableExpiryCutoffNs} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {Frame} from '../../sql/compile/compile-expression.ts';
import {type Head, visibleVersion} from '../../txn/head.ts';
import {ColdRow} from '../../txn/row-writes.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import type {StatementContext} from '../statement-context.ts';
import type {Access} from './access.ts';

/** Rows with an older `_updated` have expired; undefined = the table's rows do not expire. */
export function expiryCutoffNs(store: TableStore): bigint | undefined {
    return tableExpiryCutoffNs(store.table);
}

/** The version that the statement sees, or null. Throws ColdRow. */
export function visibleRow(context: StatementContext, head: Head, cutoffNs: bigint | undefined): RowVersion | null {
    const {pending} = head;
    if (pending !== null && head.lockedBy === context.transaction) {
        // Built on a commit that is not durable yet: what it says must not be told before that is.
        if (pending.before !== null && pending.before.seq > context.snapshotSeq)
            throw new VisibilityWait(pending.before.seq);
        return pending.values === null ? null : pendingVersion(head.owner, pending.rowid, pending.values);
    }
    const {newest} = head;
    if (newest === null) {
        if (head.coldSegment !== 0) throw new ColdRow(head);
        return null;
    }
    const version =
        newest.seq <= context.snapshotSeq && !newest.deleted ? newest : visibleVersion(newest, context.snapshotSeq);
    if (version === null || (cutoffNs !== undefined && version.updatedNs < cutoffNs)) return null;
    return version;
}

/** A row that the transaction itself has written: it has no place in the order of commits yet. */
export function pendingVersion(owner: number, rowid: number, values: readonly Datum[]): RowVersion {
    return {rowid, seq: Number.NaN, updatedNs: 0n, owner, values, deleted: false, previous: null};
}

/** The heads an access leads to; some may have no row for this statement. */
export function headsOf(
    context: StatementContext,
    store: TableStore,
    owner: number,
    access: Access,
    frame: Frame,
): readonly Head[] {
    switch (access.kind) {
        case 'primary': {
            const values = access.values(frame);
            if (values === undefined) return NO_HEADS;
            return [values.length === 1 ? store.headOf(owner, values[0] ?? null) : store.headOfKey(owner, values)];
        }
        case 'primary list':
            // Once each: values that are equal may look different (1.0 and 1.00).
            return [...new Set(access.keys(frame).map((key) => store.headOf(owner, key[0] ?? null)))];
        case 'unique': {
            const values = access.values(frame);
            if (values === undefined) return NO_HEADS;
            const head = uniqueHead(context, store, owner, access, values);
            return head === undefined ? NO_HEADS : [head];
        }
    }
}

const NO_HEADS: readonly Head[] = [];

function uniqueHead(
    context: StatementContext,
    store: TableStore,
    owner: number,
    access: Extract<Access, {kind: 'unique'}>,
    values: readonly Datum[],
): Head | undefined {
    const entry = access.index.keyEntry(owner, values);
    const slot = context.database.slots.peek(entry);
    const {pendingHolder} = slot;
    if (pendingHolder !== undefined && slot.lockedBy === context.transaction) {
        return pendingHolder === null ? undefined : store.headOfBytes(owner, pendingHolder);
    }
    // A newer holder may be ordered but not durable: the statement waits rather than miss the older one.
    if (slot.pinnedSeq > context.snapshotSeq) throw new VisibilityWait(slot.pinnedSeq);
    return slot.holder === null ? undefined : store.headOfBytes(owner, slot.holder);
}
