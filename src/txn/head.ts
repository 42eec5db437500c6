/**
 * The head of a row: the one place in memory where a key's newest version, its lock and its uncommitted write meet.
 * A head exists while somebody needs it (a lock, a version that LevelDB or a snapshot does not have yet) and stays as a
 * cache entry afterwards until the cache evicts it.
 *
 * What must stay true:
 * - `newest` null and `coldSegment` 0 means: no such row, as of the last look at the hot store.
 * - `coldSegment` > 0 means: the newest version lives in that segment under `coldRowid`; then `newest` is null, or the
 *   version as it was read from there.
 * - At most one transaction has an uncommitted write on a head: `pending` belongs to `lockedBy`.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import type {Lockable, LockHolder, Waiter} from './locks.ts';
import type {RowVersion} from './row-version.ts';
import type {TableStore} from './table-store.ts';

/** A key as a Map key: equal keys of a table give the same value. */
export type HeadKey = number | bigint | string | boolean;

export class Head implements Lockable {
    readonly store: TableStore;
    readonly key: HeadKey;
    readonly keyBytes: Buffer;
    readonly owner: number;
    newest: RowVersion | null = null;
    coldSegment = 0;
    coldRowid = 0;
    lockedBy: LockHolder | null = null;
    pending: PendingWrite | null = null;
    waiters: Waiter[] | null = null;
    /** Set by every hit; cleared by the passing eviction hand. */
    visited = false;
    /** `_seq` that LevelDB must have reached before the head may be evicted. */
    pinnedSeq = 0;
    /** Statements that come back to this head after giving up the thread. */
    uses = 0;
    bytes = 0;
    /** The cache's own: neighbours in its queue. */
    newer: Head | null = null;
    older: Head | null = null;
    /** No longer the head of its key: nothing may be written here. */
    evicted = false;

    constructor(store: TableStore, key: HeadKey, keyBytes: Buffer, owner: number) {
        this.store = store;
        this.key = key;
        this.keyBytes = keyBytes;
        this.owner = owner;
    }
}

/** A transaction's uncommitted write of one row. */
export interface PendingWrite {
    readonly rowid: number;
    /** The committed version that is replaced, or null for an insert. */
    readonly before: RowVersion | null;
    /** Segment of `before` when it is cold, else 0. */
    readonly beforeSegment: number;
    /** New values; null for a delete. */
    readonly values: readonly Datum[] | null;
}

/**
 * Cuts the chain behind the newest version that a reader at `oldestSeq` or later can see. Returns true when nothing is
 * left behind the newest version.
 */
export function cutVersions(head: Head, oldestSeq: number): boolean {
    let version = head.newest;
    while (version !== null && version.seq > oldestSeq) version = version.previous;
    if (version !== null) version.previous = null;
    return version === head.newest;
}

/** The version that a reader at `snapshotSeq` sees; for a head whose row is not cold. */
export function visibleVersion(newest: RowVersion | null, snapshotSeq: number): RowVersion | null {
    let version = newest;
    while (version !== null && version.seq > snapshotSeq) version = version.previous;
    return version !== null && version.deleted ? null : version;
}
