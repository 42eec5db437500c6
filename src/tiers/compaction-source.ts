/**
 * The live rows of some segments as one SELECT, in the form that a new segment is written from.
 *
 * What must stay true: dead rows are those at `seq`, taken before anything is awaited; columns are the table's present
 * ones, each with one type, which every one of the segments holds or widens to.
 */
import type {DuckDBConnection} from '@duckdb/node-api';
import {notSupported} from '../../catalog/errors.ts';
import type {ObjectStore} from '../../storage/objects/object-store.ts';
import type {SegmentColumnSpec} from '../../storage/parquet/segment-writer.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import {appendRowids} from '../exec/vector/chunk-writer.ts';
import {quoteLiteral} from '../exec/vector/engine.ts';
import {RetryOnReferencePath} from '../exec/vector/failures.ts';
import {type NeededColumn, segmentList} from '../exec/vector/table-sql.ts';
import {duckTypeOf, OID, PRINTED_TYPE, type TypeCodec} from '../exec/vector/type-map.ts';
import type {TableStore} from '../txn/table-store.ts';
import {segmentPath} from './segment-path.ts';

export interface CompactionSource {
    readonly source: string;
    readonly columns: readonly SegmentColumnSpec[];
}

export interface CompactionInputs {
    readonly store: TableStore;
    readonly segments: readonly SegmentMeta[];
    readonly objects: ObjectStore;
    readonly codec: TypeCodec;
    readonly seq: number;
}

export async function compactionSource(
    connection: DuckDBConnection,
    inputs: CompactionInputs,
): Promise<CompactionSource> {
    const {store, segments, objects, codec, seq} = inputs;
    const dead = segments.map((segment) => store.tiers.deadRowids(segment.segmentId, seq));
    const needed = neededColumns(store, segments, codec);
    const branches: string[] = [];
    for (const [index, segment] of segments.entries()) {
        const path = segmentPath(objects, segment);
        const list = listOf(store, {...segment, path, deadRowids: NONE}, needed, codec);
        const rowids = dead[index] ?? NONE;
        const alive =
            rowids.length === 0
                ? ''
                : ` WHERE _rowid NOT IN (SELECT rowid_ FROM ${await temporary(connection, index, rowids)})`;
        branches.push(`SELECT ${list} FROM read_parquet(${quoteLiteral(path)})${alive}`);
    }
    const columns = needed.map(({descriptor, duck}) => {
        const {oid} = codec.baseType(descriptor.type);
        const opaque = duck.sql === 'VARCHAR' && oid !== OID.text && oid !== OID.varchar && oid !== OID.name;
        return {attnum: descriptor.attnum, name: descriptor.name, sqlType: duck.sql, ordered: !opaque};
    });
    return {source: branches.join(' UNION ALL '), columns};
}

const NONE = new BigInt64Array(0);

/** A column that one of them keeps as text is text in all. */
function neededColumns(store: TableStore, segments: readonly SegmentMeta[], codec: TypeCodec): NeededColumn[] {
    return store.table.columns.map((descriptor) => {
        const duck = duckTypeOf(descriptor.type, codec);
        const written = segments.flatMap(({columns}) => columns.filter(({attnum}) => attnum === descriptor.attnum));
        const asText = duck.sql !== 'VARCHAR' && written.some(({sqlType}) => sqlType === 'VARCHAR');
        return {descriptor, duck: asText ? PRINTED_TYPE : duck};
    });
}

function listOf(
    store: TableStore,
    segment: Parameters<typeof segmentList>[0],
    needed: readonly NeededColumn[],
    codec: TypeCodec,
): string {
    try {
        return segmentList(segment, needed, false, codec);
    } catch (error) {
        if (!(error instanceof RetryOnReferencePath)) throw error;
        throw notSupported(
            `compacting table "${store.table.name}", whose segments hold a column with different types,`,
            'Its segments can be read as they are.',
        );
    }
}

async function temporary(connection: DuckDBConnection, index: number, rowids: BigInt64Array): Promise<string> {
    const name = `dead${index}`;
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} (rowid_ BIGINT NOT NULL)`);
    const appender = await connection.createAppender(name, 'main', 'temp');
    appendRowids(appender, rowids);
    appender.closeSync();
    return `temp.main.${name}`;
}
