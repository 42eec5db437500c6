/**
 * A table's hot rows at one commit sequence, for building a mirror or a segment: LevelDB's state combined with what is
 * committed but only in memory.
 *
 * What must stay true: the sequence is fixed synchronously by `scan`; LevelDB stands still from then until its snapshot
 * is taken, so it holds nothing after that sequence; what it does not hold yet is found on the heads.
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
        const store = this.#store(table);
        const begun = hold.settled.then(() => {
            const newer = new Map<string, RowVersion | null>();
            for (const head of this.#committer.unappliedHeads()) {
                if (head.store.table.tableId !== table.tableId) continue;
                const key = rowKey(table.tableId, head.owner, head.keyBytes).toString('latin1');
                newer.set(key, visibleVersion(head.newest, seq));
            }
            const pages = this.#hot.pages(tableRange(table.tableId), PAGE_ROWS);
            hold.release();
            return {pages, newer};
        });
        // An unread scan must not hold LevelDB or leave a rejection unhandled.
        begun.catch(() => hold.release());
        return {seq, batches: rows(begun, store)};
    }
}

async function* rows(
    begun: Promise<{pages: AsyncIterableIterator<[Buffer, Buffer][]>; newer: Map<string, RowVersion | null>}>,
    store: TableStore,
): AsyncIterable<readonly RowVersion[]> {
    const {pages, newer} = await begun;
    for await (const page of pages) {
        const batch: RowVersion[] = [];
        for (const [key, value] of page) {
            if (newer.size > 0 && newer.has(key.toString('latin1'))) continue;
            const row = decodeStoredRow(value, store.codec);
            if (!('segmentId' in row)) batch.push(row);
        }
        if (batch.length > 0) yield batch;
    }
    const rest: RowVersion[] = [];
    for (const version of newer.values()) if (version !== null) rest.push(version);
    if (rest.length > 0) yield rest;
}

