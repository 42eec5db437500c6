/**
 * Removes rows that have expired. Reads leave them out at once; this frees their room, soon after, and tells live
 * queries (`expired`).
 *
 * What must stay true: a row is looked at again under its lock; one that is locked or was written since is left for the
 * next time. Work goes in bounded transactions, and what other sessions wait for comes between them.
 */
import type {DuckDBConnection} from '@duckdb/node-api';
import type {HotStore} from '../../storage/hot/hot-store.ts';
import {isStub, type KeyRange, parseOwnedKey, tableRange} from '../../storage/hot/keys.ts';
import type {ObjectStore} from '../../storage/objects/object-store.ts';
import {decodeRowHeader} from '../../storage/row-codec.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import type {TypeCodec} from '../exec/vector/type-map.ts';
import type {Committer} from '../txn/committer.ts';
import type {Head} from '../txn/head.ts';
import {lock, LockWait} from '../txn/locks.ts';
import type {RowWrites} from '../txn/row-writes.ts';
import type {RowVersion} from '../txn/row-version.ts';
import type {TableStore} from '../txn/table-store.ts';
import {Transaction} from '../txn/transaction.ts';
import {segmentPath} from './segment-path.ts';
import {SegmentReader} from './segment-reader.ts';

const PAGE_ROWS = 1000;
/** Unexpired rows in a row after which a table keyed by row id, which grows at its end, is not read further. */
const UNEXPIRED_RUN_MAX = 2000;

export interface EvictionServices {
    readonly committer: Committer;
    readonly writes: RowWrites;
    readonly hot: HotStore;
    readonly objects: ObjectStore;
    readonly typeCodec: TypeCodec;
}

export interface EvictionOptions {
    /** Rows with an older `_updated` have expired. */
    readonly cutoffNs: bigint;
    readonly signal: AbortSignal;
    readonly onDeleted: (rows: number) => void;
}

export interface HotEviction {
    /** The oldest `_updated` that is left; undefined when no row is. */
    readonly oldestNs: bigint | undefined;
    /** Where the next scan of a table keyed by row id may begin. */
    readonly from: Buffer | undefined;
}

/** @param from Rows with lower keys are known to be gone: what an earlier call returned. */
export async function evictHotRows(
    services: EvictionServices,
    store: TableStore,
    options: EvictionOptions,
    from: Buffer | undefined,
): Promise<HotEviction> {
    const all = tableRange(store.table.tableId);
    const range: KeyRange = from === undefined ? all : {gte: from, lt: all.lt};
    const byRowid = store.keyPositions.length === 0;
    let oldestNs: bigint | undefined;
    let firstLeft: Buffer | undefined;
    let unexpiredRun = 0;
    await services.committer.whenApplied(services.committer.visibleSeq);
    for await (const page of services.hot.pages(range, PAGE_ROWS)) {
        options.signal.throwIfAborted();
        const expired: Buffer[] = [];
        for (const [key, value] of page) {
            if (isStub(value)) continue;
            const {updatedNs} = decodeRowHeader(value);
            if (updatedNs < options.cutoffNs) {
                unexpiredRun = 0;
                expired.push(key);
                continue;
            }
            unexpiredRun++;
            firstLeft ??= key;
            if (oldestNs === undefined || updatedNs < oldestNs) oldestNs = updatedNs;
        }
        const left = await deleteExpired(services, store, options, headsOfKeys(store, expired));
        if (left > 0) {
            // Somebody holds them: look again from here, and soon.
            oldestNs = options.cutoffNs;
            firstLeft = expired[0] ?? firstLeft;
        }
        if (byRowid && unexpiredRun > UNEXPIRED_RUN_MAX) break;
    }
    return {oldestNs, from: byRowid ? firstLeft : undefined};
}

function* headsOfKeys(store: TableStore, keys: readonly Buffer[]): Iterable<Head> {
    for (const name of keys) {
        const {owner, key} = parseOwnedKey(name);
        yield store.headOfBytes(owner, Buffer.from(key));
    }
}

/** Deletes what is left of a segment all of whose rows have expired. Returns how many rows others hold. */
export async function evictSegmentRows(
    services: EvictionServices,
    store: TableStore,
    segment: SegmentMeta,
    options: EvictionOptions,
    connection: DuckDBConnection,
): Promise<number> {
    const path = segmentPath(services.objects, segment);
    const reader = new SegmentReader(store.table, segment, path, services.typeCodec);
    let left = 0;
    for await (const rows of reader.rows(connection)) {
        options.signal.throwIfAborted();
        for (let start = 0; start < rows.length; start += PAGE_ROWS) {
            const some = rows.slice(start, start + PAGE_ROWS);
            left += await deleteExpired(services, store, options, coldHeads(store, segment.segmentId, some));
        }
    }
    return left;
}

function* coldHeads(store: TableStore, segmentId: number, rows: readonly RowVersion[]): Iterable<Head> {
    for (const row of rows) {
        if (store.tiers.isDead(segmentId, row.rowid)) continue;
        const {key, bytes} = store.keyOfRow(row.values, row.rowid);
        const head = store.head(row.owner, key, bytes);
        if (head.newest === null) {
            // The row is alive in the segment, so this is what its key leads to, whether there is a stub or not.
            head.coldSegment = segmentId;
            head.coldRowid = row.rowid;
            head.newest = row;
        }
        yield head;
    }
}

/** One transaction. Returns how many rows it had to leave because others hold them. */
async function deleteExpired(
    services: EvictionServices,
    store: TableStore,
    options: EvictionOptions,
    heads: Iterable<Head>,
): Promise<number> {
    const {committer, writes} = services;
    const transaction = new Transaction(0);
    let deleted = 0;
    let left = 0;
    try {
        writes.enter(transaction, store);
        for (const head of heads) {
            const done = deleteOne(transaction, writes, head, options.cutoffNs);
            if (done === 'deleted') deleted++;
            else if (done === 'held') left++;
        }
    } catch (error) {
        committer.rollback(transaction);
        // DDL has the table: all of it is left.
        if (error instanceof LockWait) return PAGE_ROWS;
        throw error;
    }
    if (deleted === 0) {
        committer.rollback(transaction);
        return left;
    }
    await committer.whenVisible(committer.commit(transaction, true));
    if (committer.mustWait) await committer.whenApplied(committer.visibleSeq);
    options.onDeleted(deleted);
    return left;
}

function deleteOne(
    transaction: Transaction,
    writes: RowWrites,
    head: Head,
    cutoffNs: bigint,
): 'deleted' | 'held' | 'gone' {
    if (head.lockedBy !== null) return 'held';
    const mark = transaction.mark();
    const {newest} = head;
    if (newest === null || newest.deleted || newest.updatedNs >= cutoffNs) return 'gone';
    try {
        lock(transaction, head);
        writes.delete(transaction, head, {rowid: newest.rowid, values: newest.values, committed: newest});
        return 'deleted';
    } catch (error) {
        // Somebody writes one of its unique keys.
        if (!(error instanceof LockWait)) throw error;
        transaction.rollbackTo(mark);
        return 'held';
    }
}
