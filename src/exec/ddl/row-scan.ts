/**
 * All committed rows of a table that is exclusively locked, hot and cold, whoever's they are: what checks, index
 * building and rewriting go over. The transaction's own uncommitted writes are not among them, nor are the rows that
 * these replace; `ownWrites` has those.
 *
 * What must stay true: LevelDB has everything that was committed and no row moves between it and a segment (table-lock.ts
 * sees to both), so that hot rows are read from LevelDB alone and none is met twice; memory is bounded by a page.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {parseOwnedKey, tableRange} from '../../../storage/hot/keys.ts';
import type {Head, PendingWrite} from '../../txn/head.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import {decodeStoredRow} from '../../txn/stored-row.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {segmentPath} from '../../tiers/segment-path.ts';
import {SegmentReader} from '../../tiers/segment-reader.ts';
import type {StatementContext} from '../statement-context.ts';

const PAGE_ROWS = 2048;

export interface OwnWrite {
    readonly head: Head;
    readonly pending: PendingWrite;
}

/** The transaction's uncommitted writes in this version of the table. */
export function ownWrites(context: StatementContext, store: TableStore): OwnWrite[] {
    const writes: OwnWrite[] = [];
    for (const head of context.transaction?.heads ?? []) {
        if (head.store === store && head.pending !== null) writes.push({head, pending: head.pending});
    }
    return writes;
}

/** Values are laid out for `store.table`; `hot` false = the row is in a segment. */
export interface ScannedPage {
    readonly hot: boolean;
    readonly rows: readonly RowVersion[];
}

/** `wanted`: the columns that must be there in cold rows; undefined = all. */
export async function* scanRows(
    context: StatementContext,
    store: TableStore,
    wanted?: ReadonlySet<number>,
): AsyncGenerator<ScannedPage> {
    const hidden = hiddenRows(context, store);
    for await (const page of context.database.hot.pages(tableRange(store.table.tableId), PAGE_ROWS)) {
        context.checkCancelled();
        const rows: RowVersion[] = [];
        for (const [key, value] of page) {
            const row = decodeStoredRow(value, store.codec);
            if ('segmentId' in row || hidden.has(row.rowid)) continue;
            // `user` tables: the key has the owner, the row too.
            if (row.owner !== parseOwnedKey(key).owner) throw new Error('a row under the key of another owner');
            rows.push(row);
        }
        if (rows.length > 0) yield {hot: true, rows};
    }
    if (store.tiers.hasSegments) yield* scanColdRows(context, store, hidden, wanted);
}

/** Row ids of committed rows that the transaction has replaced or deleted. */
function hiddenRows(context: StatementContext, store: TableStore): ReadonlySet<number> {
    const hidden = new Set<number>();
    for (const {pending} of ownWrites(context, store)) if (pending.before !== null) hidden.add(pending.before.rowid);
    return hidden;
}

async function* scanColdRows(
    context: StatementContext,
    store: TableStore,
    hidden: ReadonlySet<number>,
    wanted: ReadonlySet<number> | undefined,
): AsyncGenerator<ScannedPage> {
    const {database} = context;
    const {tiers} = store;
    const {engine} = await database.vector();
    const connection = await engine.acquireReader();
    try {
        for (const segment of tiers.manifest.segments) {
            const path = segmentPath(database.objects, segment);
            const reader = new SegmentReader(store.table, segment, path, database.typeCodec, wanted);
            for await (const page of reader.rows(connection)) {
                context.checkCancelled();
                const rows = page.filter(({rowid}) => !hidden.has(rowid) && !tiers.isDead(segment.segmentId, rowid));
                if (rows.length > 0) yield {hot: false, rows};
            }
        }
    } finally {
        engine.releaseReader(connection);
    }
}

/** For each column of `after` its place in the values of `before`; -1 = the row is older than the column. */
export function placesOf(before: TableDescriptor, after: TableDescriptor): number[] {
    return after.columns.map(({attnum}) => before.columns.findIndex((column) => column.attnum === attnum));
}

/** The values of a row under a later version of its table. */
export function relayValues(values: readonly Datum[], places: readonly number[], after: TableDescriptor): Datum[] {
    return places.map((place, i) => (place < 0 ? (after.columns[i]?.missing ?? null) : (values[place] ?? null)));
}
