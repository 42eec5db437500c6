/**
 * Which segments hold a table's cold rows. Immutable values and pure functions: a change of the table makes a new
 * manifest with the next version, committed like a row.
 *
 * What must stay true: a segment's file never changes after it is in a manifest; what dies in it is counted in
 * `deadRows` and listed in its deletion vector; segment ids are unique in the server and never reused.
 */
import {StorageError} from '../errors.ts';

/** A column as it was when the segment was written: columns are renamed and widened later, files are not. */
export interface SegmentColumn {
    readonly attnum: number;
    /** Name of the Parquet column. */
    readonly name: string;
    /** The engine's type that the values were written from; an interval is a struct in the file. */
    readonly sqlType: string;
    /** As text; undefined when every value is NULL or the type has no useful order. */
    readonly min: string | undefined;
    readonly max: string | undefined;
    readonly nullCount: number;
}

export interface SegmentMeta {
    readonly segmentId: number;
    readonly objectName: string;
    readonly rows: number;
    readonly bytes: number;
    /** SHA-256 of the object, lower-case hexadecimal. */
    readonly checksum: string;
    readonly minSeq: number;
    readonly maxSeq: number;
    readonly minRowid: number;
    readonly maxRowid: number;
    readonly columns: readonly SegmentColumn[];
    readonly createdNs: bigint;
    /** Newest `_updated` of its rows, nanoseconds since 1970: past it by the TTL, all of them have expired. */
    readonly maxUpdatedNs: bigint;
    /** Version of the table's descriptor that the columns are written for. */
    readonly tableVersion: number;
    /** Owners whose rows are in it, ascending; undefined when they are too many to list, or the table is not `user`. */
    readonly owners: readonly number[] | undefined;
}

export interface TableManifest {
    readonly tableId: number;
    /** Grows with every change. */
    readonly version: number;
    /** In the order in which they were added. */
    readonly segments: readonly SegmentMeta[];
    /** Dead rows per segment id; absent means none. */
    readonly deadRows: ReadonlyMap<number, number>;
}

/** Format 2 added a column's name and type and the newest `_updated`; format 1 was never released. */
const FORMAT = 2;
const CHECKSUM = /^[0-9a-f]{64}$/;

export function emptyManifest(tableId: number): TableManifest {
    return {tableId, version: 0, segments: [], deadRows: new Map()};
}

export function findSegment(manifest: TableManifest, segmentId: number): SegmentMeta | undefined {
    return manifest.segments.find((segment) => segment.segmentId === segmentId);
}

export function addSegments(manifest: TableManifest, added: readonly SegmentMeta[]): TableManifest {
    return replaceSegments(manifest, [], added);
}

export function removeSegments(manifest: TableManifest, segmentIds: readonly number[]): TableManifest {
    return replaceSegments(manifest, segmentIds, []);
}

/** Takes segments out and puts others in, as one version. Throws StorageError `invalid` when an id is not, or already, there. */
export function replaceSegments(
    manifest: TableManifest,
    removedIds: readonly number[],
    added: readonly SegmentMeta[],
): TableManifest {
    const removed = new Set(removedIds);
    const present = new Set(manifest.segments.map((segment) => segment.segmentId));
    for (const segmentId of removed) {
        if (!present.delete(segmentId)) throw unknownSegment(manifest, segmentId);
    }
    for (const {segmentId} of added) {
        if (present.has(segmentId)) {
            throw new StorageError('invalid', `segment ${segmentId} is already in table ${manifest.tableId}`);
        }
        present.add(segmentId);
    }
    return {
        tableId: manifest.tableId,
        version: manifest.version + 1,
        segments: [...manifest.segments.filter((segment) => !removed.has(segment.segmentId)), ...added],
        deadRows: new Map([...manifest.deadRows].filter(([segmentId]) => !removed.has(segmentId))),
    };
}

/** Counts `rows` more dead rows in a segment. */
export function addDeadRows(manifest: TableManifest, segmentId: number, rows: number): TableManifest {
    const segment = findSegment(manifest, segmentId);
    if (segment === undefined) throw unknownSegment(manifest, segmentId);
    const dead = (manifest.deadRows.get(segmentId) ?? 0) + rows;
    if (dead > segment.rows || dead < 0) {
        throw new StorageError('invalid', `segment ${segmentId} of ${segment.rows} rows cannot have ${dead} dead ones`);
    }
    const deadRows = new Map(manifest.deadRows);
    if (dead === 0) deadRows.delete(segmentId);
    else deadRows.set(segmentId, dead);
    return {...manifest, version: manifest.version + 1, deadRows};
}

/** Rows that are not dead, over all segments. */
export function liveRows(manifest: TableManifest): number {
    let rows = 0;
    for (const segment of manifest.segments) rows += segment.rows - (manifest.deadRows.get(segment.segmentId) ?? 0);
    return rows;
}

export function encodeManifest(manifest: TableManifest): string {
    return JSON.stringify({
        format: FORMAT,
        tableId: manifest.tableId,
        version: manifest.version,
        segments: manifest.segments.map((segment) => ({
            ...segment,
            createdNs: segment.createdNs.toString(),
            maxUpdatedNs: segment.maxUpdatedNs.toString(),
        })),
        deadRows: [...manifest.deadRows],
    });
}

/** Throws StorageError `corrupt` for anything that is not a manifest, `version` for a later format. */
export function decodeManifest(text: string): TableManifest {
    const record = asRecord(parseJson(text), 'a manifest');
    if (record['format'] !== FORMAT) {
        throw new StorageError('version', `manifest format ${String(record['format'])} is not known`);
    }
    const segments = asArray(record['segments'], 'segments').map(decodeSegment);
    const deadRows = new Map<number, number>();
    for (const pair of asArray(record['deadRows'], 'deadRows')) {
        const [segmentId, rows] = asArray(pair, 'deadRows');
        deadRows.set(asCount(segmentId, 'segmentId'), asCount(rows, 'dead rows'));
    }
    const rowsById = new Map(segments.map((segment) => [segment.segmentId, segment.rows]));
    if (rowsById.size !== segments.length) throw damaged('a segment is in it twice');
    for (const [segmentId, dead] of deadRows) {
        if (dead > (rowsById.get(segmentId) ?? -1)) throw damaged(`the dead rows of segment ${segmentId} do not fit`);
    }
    return {
        tableId: asCount(record['tableId'], 'tableId'),
        version: asCount(record['version'], 'version'),
        segments,
        deadRows,
    };
}

function decodeSegment(value: unknown): SegmentMeta {
    const record = asRecord(value, 'a segment');
    const checksum = asText(record['checksum'], 'checksum');
    if (!CHECKSUM.test(checksum)) throw damaged('a checksum is no SHA-256');
    const owners = record['owners'];
    return {
        segmentId: asCount(record['segmentId'], 'segmentId'),
        objectName: asText(record['objectName'], 'objectName'),
        rows: asCount(record['rows'], 'rows'),
        bytes: asCount(record['bytes'], 'bytes'),
        checksum,
        minSeq: asCount(record['minSeq'], 'minSeq'),
        maxSeq: asCount(record['maxSeq'], 'maxSeq'),
        minRowid: asCount(record['minRowid'], 'minRowid'),
        maxRowid: asCount(record['maxRowid'], 'maxRowid'),
        columns: asArray(record['columns'], 'columns').map(decodeColumn),
        createdNs: asNanoseconds(record['createdNs'], 'createdNs'),
        maxUpdatedNs: asNanoseconds(record['maxUpdatedNs'], 'maxUpdatedNs'),
        tableVersion: asCount(record['tableVersion'], 'tableVersion'),
        owners: owners === undefined ? undefined : asArray(owners, 'owners').map((owner) => asCount(owner, 'owner')),
    };
}

function decodeColumn(value: unknown): SegmentColumn {
    const record = asRecord(value, 'a column');
    const {min, max} = record;
    return {
        attnum: asCount(record['attnum'], 'attnum'),
        name: asText(record['name'], 'name'),
        sqlType: asText(record['sqlType'], 'sqlType'),
        min: min === undefined ? undefined : asText(min, 'min'),
        max: max === undefined ? undefined : asText(max, 'max'),
        nullCount: asCount(record['nullCount'], 'nullCount'),
    };
}

function parseJson(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new StorageError('corrupt', 'damaged manifest: it is no JSON', error);
    }
}

function asRecord(value: unknown, what: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(`${what} is no object`);
    return value as Record<string, unknown>;
}

function asArray(value: unknown, what: string): readonly unknown[] {
    if (!Array.isArray(value)) throw damaged(`${what} is no list`);
    return value as unknown[];
}

function asCount(value: unknown, what: string): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw damaged(`${what} is no count`);
    return value;
}

function asNanoseconds(value: unknown, what: string): bigint {
    const digits = asText(value, what);
    if (!/^\d{1,19}$/.test(digits)) throw damaged(`${what} is no time`);
    return BigInt(digits);
}

function asText(value: unknown, what: string): string {
    if (typeof value !== 'string') throw damaged(`${what} is no text`);
    return value;
}

function damaged(problem: string): StorageError {
    return new StorageError('corrupt', `damaged manifest: ${problem}`);
}

function unknownSegment(manifest: TableManifest, segmentId: number): StorageError {
    return new StorageError('invalid', `segment ${segmentId} is not in table ${manifest.tableId}`);
}
