/**
 * A table's hot rows at one commit sequence, for building a mirror or a segment: LevelDB's state combined with what is
 * committed but only in memory.
 *
 * What must stay true: the sequence is fixed synchronously by `scan`; LevelDB stands still from then until its snapshot
 * is taken, so it holds nothing after that sequence; what it does not hold yet is found on the heads. Rows that a flush
 * has moved by then are not hot, even where LevelDB and the heads still have them.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {HotStore} from '../../storage/hot/hot-store.ts';
import {rowKey, tableRange} from '../../storage/hot/keys.ts';
import type {HotScan, HotSource} from '../exec/vector/mirror.ts';
import type {Committer} from '../txn/committer.ts';
import {visibleVersion} from '../txn/head.ts';
import type {RowVersion} from '../txn/row-version.ts';
import {decodeStoredRow} from '../txn/stored-row.ts';
import type {TableStore} from '../txn/table-store.ts';
import type {Relocation} from './relocation.ts';

const PAGE_ROWS = 2048;

export class HotRows implements HotSource {
    readonly #committer: Committer;
    readonly #hot: HotStore;
    readonly #store: (table: TableDescriptor) => TableStore;

    constructor(committer: Committer, hot: HotStore, store: (table: TableDescriptor) => TableStore) {
        this.#committer = committer;
        this.#hot = hot;
        this.#store = store;
    }

    scan(table: TableDescriptor): HotScan {
        const seq = this.#committer.visibleSeq;
        const hold = this.#committer.holdApply();
        const snapshot = this.#committer.holdSnapshot(seq);
        const release = (): void => {
            hold.release();
            snapshot.release();
        };
        const store = this.#store(table);
        const begun = hold.settled.then(() => {
            const moved = movedBy(store.tiers.relocation, seq);
            const newer = new Map<string, RowVersion | null>();
            for (const head of this.#committer.unappliedHeads(seq)) {
                if (head.store.table.tableId !== table.tableId) continue;
                const key = rowKey(table.tableId, head.owner, head.keyBytes).toString('latin1');
                const version = visibleVersion(head.newest, seq);
                newer.set(key, version !== null && moved?.has(version.rowid, version.seq) === true ? null : version);
            }
            const pages = this.#hot.pages(tableRange(table.tableId), PAGE_ROWS);
            release();
            return {pages, newer, moved};
        });
        // An unread scan must not hold LevelDB or leave a rejection unhandled.
        begun.catch(release);
        return {seq, batches: rows(begun, store)};
    }
}

/** The flush whose commit is visible at `seq`, but perhaps not in LevelDB yet. */
function movedBy(relocation: Relocation | null, seq: number): Relocation | null {
    if (relocation === null || relocation.from !== 'hot' || relocation.visibleSeq === undefined) return null;
    return relocation.visibleSeq <= seq ? relocation : null;
}

async function* rows(
    begun: Promise<{
        readonly pages: AsyncIterableIterator<[Buffer, Buffer][]>;
        readonly newer: ReadonlyMap<string, RowVersion | null>;
        readonly moved: Relocation | null;
    }>,
    store: TableStore,
): AsyncIterable<readonly RowVersion[]> {
    const {pages, newer, moved} = await begun;
    for await (const page of pages) {
        const batch: RowVersion[] = [];
        for (const [key, value] of page) {
            if (newer.size > 0 && newer.has(key.toString('latin1'))) continue;
            const row = decodeStoredRow(value, store.codec);
            if ('segmentId' in row || moved?.has(row.rowid, row.seq) === true) continue;
            batch.push(row);
        }
        if (batch.length > 0) yield batch;
    }
    const rest: RowVersion[] = [];
    for (const version of newer.values()) if (version !== null) rest.push(version);
    if (rest.length > 0) yield rest;
}
