/**
 * Brings cold rows to their heads, so that synchronous code can read and change them.
 *
 * What must stay true: a head is filled only when it still names the cold row it named when the read began, and nothing
 * newer has come to it meanwhile. A row whose segment is gone, or in which it is dead, is looked up in LevelDB again.
 */
import type {DuckDBConnection} from '@duckdb/node-api';
import {PgError} from '../../catalog/errors.ts';
import {rowKey} from '../../storage/hot/keys.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import type {Database} from '../database.ts';
import type {Head} from '../txn/head.ts';
import type {RowVersion} from '../txn/row-version.ts';
import {decodeStoredRow} from '../txn/stored-row.ts';
import type {TableStore} from '../txn/table-store.ts';
import {segmentPath} from './segment-path.ts';
import {SegmentReader} from './segment-reader.ts';

/** Row ids in one statement. */
const ROWS_PER_READ_MAX = 1000;

type ColdRowsDatabase = Pick<Database, 'hot' | 'objects' | 'typeCodec' | 'vector'>;

export async function fetchColdRow(database: ColdRowsDatabase, head: Head): Promise<void> {
    await fetchColdRows(database, head.store, [head]);
}

/** As fetchColdRow for many heads of one table: one read for all rows of a segment. */
export async function fetchColdRows(
    database: ColdRowsDatabase,
    store: TableStore,
    heads: Iterable<Head>,
): Promise<void> {
    const {tiers} = store;
    const bySegment = new Map<SegmentMeta, Map<number, Head>>();
    for (const head of heads) {
        if (head.newest !== null || head.coldSegment === 0) continue;
        const segment = tiers.readableSegment(head.coldSegment);
        if (segment === undefined || tiers.isDead(head.coldSegment, head.coldRowid)) {
            lookAgain(database, head);
            continue;
        }
        const byRowid = bySegment.get(segment) ?? new Map<number, Head>();
        bySegment.set(segment, byRowid.set(head.coldRowid, head));
    }
    for (const [segment, byRowid] of bySegment) await fetchFromSegment(database, store, segment, byRowid);
}

async function fetchFromSegment(
    database: ColdRowsDatabase,
    store: TableStore,
    segment: SegmentMeta,
    byRowid: ReadonlyMap<number, Head>,
): Promise<void> {
    const reader = new SegmentReader(store.table, segment, segmentPath(database.objects, segment), database.typeCodec);
    // The heads stay those of their keys meanwhile: a filled head that is evicted would be fetched again and again.
    for (const head of byRowid.values()) head.uses++;
    try {
        const {engine} = await database.vector();
        const connection = await engine.acquireReader();
        try {
            await readRows(connection, reader, segment, byRowid);
        } finally {
            engine.releaseReader(connection);
        }
    } catch (error) {
        // Compacted or dropped while it was read, and its file is gone: the statement looks again.
        if (store.tiers.segment(segment.segmentId) !== undefined) throw error;
    } finally {
        for (const head of byRowid.values()) head.uses--;
    }
}

async function readRows(
    connection: DuckDBConnection,
    reader: SegmentReader,
    segment: SegmentMeta,
    byRowid: ReadonlyMap<number, Head>,
): Promise<void> {
    const rowids = [...byRowid.keys()];
    for (let start = 0; start < rowids.length; start += ROWS_PER_READ_MAX) {
        const some = rowids.slice(start, start + ROWS_PER_READ_MAX);
        let found = 0;
        for await (const rows of reader.rows(connection, `_rowid IN (${some.join(', ')})`)) {
            found += rows.length;
            for (const row of rows) fill(byRowid.get(row.rowid), row);
        }
        if (found !== some.length) {
            throw new PgError('XX001', `segment ${segment.segmentId} lacks rows that it is known to have`, {
                detail: `Of ${some.length} rows ${found} were found.`,
            });
        }
    }
}

function fill(head: Head | undefined, row: RowVersion): void {
    if (head === undefined || head.newest !== null || head.coldSegment === 0 || head.coldRowid !== row.rowid) return;
    head.newest = row;
    head.visited = true;
    head.store.grown(head);
}

/** The cold row that the head names is no more: LevelDB knows what is. */
function lookAgain(database: ColdRowsDatabase, head: Head): void {
    const {store} = head;
    const namedSegment = head.coldSegment;
    head.coldSegment = 0;
    head.coldRowid = 0;
    const stored = database.hot.getSync(rowKey(store.table.tableId, head.owner, head.keyBytes));
    if (stored === undefined) return;
    const row = decodeStoredRow(stored, store.codec);
    if (!('segmentId' in row)) {
        head.newest = row;
        store.markIfMoving(head, row);
    } else if (row.segmentId !== namedSegment) {
        head.coldSegment = row.segmentId;
        head.coldRowid = row.rowid;
    }
}
