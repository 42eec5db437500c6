/**
 * Steps 2 to 4 of a flush or compaction: from a SELECT on the vectorised engine to a verified object in the store, which
 * no manifest names yet.
 *
 * What must stay true: the object is whole, durable and read back before its description is returned.
 */
import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {DuckDBConnection} from '@duckdb/node-api';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {StorageError} from '../../storage/errors.ts';
import type {ObjectStore} from '../../storage/objects/object-store.ts';
import {checksumOf, type SegmentColumnSpec, writeSegment} from '../../storage/parquet/segment-writer.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import {sqlEngine} from '../exec/vector/segments.ts';
import {segmentObjectName} from './object-name.ts';

/** Small enough that a key lookup reads little, large enough for good compression. */
const ROW_GROUP_ROWS = 61_440;
/** A segment with more owners is read for every owner. */
const OWNERS_LISTED_MAX = 1000;

export interface NewSegmentOptions {
    readonly table: TableDescriptor;
    readonly segmentId: number;
    /** In the form that `writeSegment` takes. */
    readonly source: string;
    readonly columns: readonly SegmentColumnSpec[];
    readonly maxUpdatedNs: bigint;
    readonly objects: ObjectStore;
    /** For the file before it is an object. */
    readonly scratchDirectory: string;
    /** The object is in the store, not yet looked at. */
    readonly onPut: () => void;
    readonly signal: AbortSignal;
}

export async function makeSegment(connection: DuckDBConnection, options: NewSegmentOptions): Promise<SegmentMeta> {
    const {table, segmentId, source, objects, signal} = options;
    await mkdir(options.scratchDirectory, {recursive: true});
    const path = join(options.scratchDirectory, `${segmentId}.parquet`);
    const engine = sqlEngine(connection);
    try {
        const written = await writeSegment(engine, source, options.columns, path, {
            compression: table.options.compression,
            rowGroupRows: ROW_GROUP_ROWS,
            sortBy: table.primaryKey?.columns.filter((attnum) => attnum > 0) ?? [],
            sortByOwner: table.options.kind === 'user',
        });
        signal.throwIfAborted();
        const objectName = segmentObjectName(table, segmentId);
        await objects.putFile(objectName, path);
        options.onPut();
        await verifyObject(objects, objectName, written);
        return {
            ...written,
            segmentId,
            objectName,
            createdNs: BigInt(Date.now()) * 1_000_000n,
            maxUpdatedNs: options.maxUpdatedNs,
            tableVersion: table.version,
            owners: table.options.kind === 'user' ? await ownersOf(connection, source) : undefined,
        };
    } finally {
        await rm(path, {force: true});
    }
}

async function verifyObject(
    objects: ObjectStore,
    name: string,
    written: {readonly bytes: number; readonly checksum: string},
): Promise<void> {
    const head = await objects.head(name);
    const local = objects.localPath(name);
    const same =
        head?.bytes === written.bytes && (local === undefined || (await checksumOf(local)) === written.checksum);
    if (!same) throw new StorageError('corrupt', `object "${name}" is not what was written`);
}

async function ownersOf(connection: DuckDBConnection, source: string): Promise<readonly number[] | undefined> {
    const sql = `SELECT DISTINCT _owner FROM (${source}) AS source LIMIT ${OWNERS_LISTED_MAX + 1}`;
    const rows = await sqlEngine(connection).rows(sql);
    if (rows.length > OWNERS_LISTED_MAX) return undefined;
    return rows.map(([owner]) => Number(owner)).sort((a, b) => a - b);
}
