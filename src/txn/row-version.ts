/**
 * One committed (or about to be committed) version of a row, decoded. Versions of a row form a chain from newest to
 * oldest; a reader at snapshot S takes the first with `seq <= S`.
 *
 * What must stay true: a version is immutable once its commit is enqueued, except that `previous` is cut when no
 * snapshot can need it. `values[i]` belongs to `table.columns[i]` of the descriptor the version was decoded for.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import type {TableDescriptor} from '../../catalog/descriptor.ts';

export interface RowVersion {
    /** Hidden identity of the row, unique in its table, kept through updates and flushes. */
    readonly rowid: number;
    /** Place in the order of all changes (`_seq`); unique per row version, ascending in commit order. */
    readonly seq: number;
    /** Commit time in nanoseconds since 1970 (`_updated`); strictly increasing over all row versions. */
    readonly updatedNs: bigint;
    /** Role id of the owning user in a `user` table, else 0. */
    readonly owner: number;
    readonly values: readonly Datum[];
    readonly deleted: boolean;
    previous: RowVersion | null;
}

/** One row's change within a transaction. insert: before null; delete: after null. */
export interface RowChange {
    readonly table: TableDescriptor;
    /** Owner's role id for `user` tables, else 0. */
    readonly owner: number;
    readonly rowid: number;
    /** Place in the order of all changes; for deletes too. */
    readonly seq: number;
    readonly before: RowVersion | null;
    readonly after: RowVersion | null;
}

/**
 * A transaction after its log record is durable: what mirror, live queries and LISTEN are fed with, in commit order.
 * Changes by flush, compaction or moves are not in it: rows do not change by being moved. TTL eviction is: `expired`.
 */
export interface CommittedTransaction {
    /**
     * `_seq` of the last change; the transaction's own place in commit order. One that emptied tables has another
     * `_seq` before its first change: the place at which they are empty.
     */
    readonly seq: number;
    readonly changes: readonly RowChange[];
    /** Tables emptied by TRUNCATE or dropped: every row of them is gone at `seq`, without single changes. */
    readonly truncated: readonly TableDescriptor[];
    readonly altered: readonly AlteredTable[];
    readonly notifications: readonly {readonly channel: string; readonly payload: string; readonly processId: number}[];
    readonly expired: boolean;
}

/**
 * A change of a table by DDL: `was` undefined = created, `now` undefined = dropped. TRUNCATE and rewriting give the
 * table a new id: then `now.tableId` differs from `tableId`, which is that of `was`.
 */
export interface AlteredTable {
    readonly tableId: number;
    readonly was: TableDescriptor | undefined;
    readonly now: TableDescriptor | undefined;
}

export interface ChangeFeed {
    /** Called synchronously, in commit order, right after the transaction became visible. Must not throw or block. */
    subscribe(listener: (transaction: CommittedTransaction) => void): () => void;
    /** `_seq` up to which everything is visible. */
    readonly visibleSeq: number;
}
