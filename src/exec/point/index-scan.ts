/**
 * Rows through a secondary index whose leading columns are bound by equality: LevelDB's entries in index order, joined
 * with what is committed but only in memory and with the transaction's own writes.
 *
 * What must stay true: the sequence is fixed first and LevelDB stands still until its iterator is made, so an entry is
 * neither missed nor seen twice; versions that the sequence sees are kept until the scan ends; every row is checked against the whole predicate again, because an entry only says
 * where a row was found. Only for tables without segments: cold rows have no entries in non-unique indexes.
 */
import type {Datum} from '../../../catalog/types/datum.ts';
import {prefixRange} from '../../../storage/hot/keys.ts';
import type {Expr} from '../../sql/bound.ts';
import type {CompileScope, Frame} from '../../sql/compile/compile-expression.ts';
import type {IndexWriter} from '../../txn/index-writer.ts';
import type {Head, HeadKey} from '../../txn/head.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {StatementContext} from '../statement-context.ts';
import {bindColumns, type KeyValues, conjuncts} from './access.ts';

export interface IndexScan {
    readonly index: IndexWriter;
    /** Values of the leading columns. */
    readonly values: KeyValues;
    readonly description: string;
}

/** Entries read from LevelDB at a time. */
const PAGE_ENTRIES = 500;

/** The index with most leading columns bound, or undefined. */
export function chooseIndexScan(store: TableStore, where: Expr | null, scope: CompileScope): IndexScan | undefined {
    const all = conjuncts(where);
    let best: {readonly index: IndexWriter; readonly count: number} | undefined;
    for (const index of store.indexes) {
        if (!index.maintained) continue;
        const columns = index.index.columns;
        let count = 0;
        while (
            count < columns.length &&
            bindColumns(store.table, columns.slice(0, count + 1), all, scope) !== undefined
        )
            count++;
        if (count > (best?.count ?? 0)) best = {index, count};
    }
    if (best === undefined) return undefined;
    const values = bindColumns(store.table, best.index.index.columns.slice(0, best.count), all, scope);
    if (values === undefined) return undefined;
    return {index: best.index, values, description: `index ${best.index.index.name}`};
}

/** Heads that may hold matching rows, in index order but for rows that only memory knows, which come last. */
export async function* indexHeads(
    context: StatementContext,
    store: TableStore,
    owner: number,
    scan: IndexScan,
    frame: Frame,
): AsyncIterable<Head> {
    const values: readonly Datum[] | undefined = scan.values(frame);
    if (values === undefined) return;
    const {committer, hot} = context.database;
    const hold = committer.holdApply();
    const snapshot = committer.holdSnapshot(committer.visibleSeq);
    context.fixSnapshot(snapshot.seq);
    try {
        // By key, not by head: a head may leave memory and come again as another one.
        const inMemory = new Map<HeadKey, Head>();
        let pages;
        try {
            await hold.settled;
            for (const head of committer.unappliedHeads()) {
                if (head.store === store && head.owner === owner) inMemory.set(head.key, head);
            }
            pages = hot.pages(prefixRange(scan.index.prefix(owner, values)), PAGE_ENTRIES);
        } finally {
            hold.release();
        }
        for (const head of context.transaction?.heads ?? []) {
            if (head.store === store && head.owner === owner && head.pending !== null) inMemory.set(head.key, head);
        }
        for await (const page of pages) {
            for (const [, rowKeyBytes] of page) {
                // A copy: the page's memory is one for all of its entries.
                const head = store.headOfBytes(owner, Buffer.from(rowKeyBytes));
                if (!inMemory.has(head.key)) yield head;
            }
        }
        yield* inMemory.values();
    } finally {
        snapshot.release();
    }
}
