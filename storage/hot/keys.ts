/**
 * Where everything is in the hot store. One byte says the space, then big-endian numbers, then the caller's key bytes,
 * so that LevelDB's byte order is: space, table or index, owner, key.
 *
 *     space  then                                             value
 *     'c'    kind byte, UTF-8 name or id                      catalog record (JSON)
 *     'd'    segment id u32, row id u64                       empty: the row in that segment is dead
 *     'i'    index id u32, owner u32, key bytes               row key bytes the entry leads to (the index's own business)
 *     'm'    table id u32                                     table manifest (JSON)
 *     'r'    table id u32, owner u32, key bytes               row: 0x01.. encoded row (row-codec.ts), or 0x80.. cold stub
 *     's'    sequence id u32                                  sequence state (JSON)
 *     'x'    UTF-8 name                                       settings and meta; "appliedSeq" is the store's own marker
 *
 * A cold stub says that the key's row lives in a segment: 0x80, then segment id u32, then row id u64, big-endian. The
 * first byte tells it from a row, whose first byte is its format version (1..127).
 *
 * What must stay true: golden tests hold the layout; ids are u32 and never reused; changing anything here is a new
 * layout version of the data directory.
 */
import assert from 'node:assert/strict';
import {StorageError} from '../errors.ts';

/** Half-open: `gte` is in it, `lt` is not. */
export interface KeyRange {
    readonly gte: Buffer;
    readonly lt: Buffer;
}

export const SPACE = {
    catalog: 0x63,
    deletions: 0x64,
    index: 0x69,
    manifest: 0x6d,
    row: 0x72,
    sequence: 0x73,
    meta: 0x78,
} as const;

export const OWNED_PREFIX_BYTES = 9;
const U32_MAX = 0xffffffff;
const TWO_POW_32 = 4294967296;

function ownedKey(space: number, id: number, owner: number, key: Uint8Array): Buffer {
    const result = Buffer.allocUnsafe(OWNED_PREFIX_BYTES + key.length);
    result[0] = space;
    writeU32(result, id, 1);
    writeU32(result, owner, 5);
    result.set(key, OWNED_PREFIX_BYTES);
    return result;
}

/** Faster than Buffer.writeUInt32BE, which checks its arguments; ids are checked where they are made. */
function writeU32(target: Buffer, value: number, offset: number): void {
    target[offset] = value >>> 24;
    target[offset + 1] = (value >>> 16) & 255;
    target[offset + 2] = (value >>> 8) & 255;
    target[offset + 3] = value & 255;
}

function prefixed(space: number, ...numbers: readonly number[]): Buffer {
    const result = Buffer.allocUnsafe(1 + numbers.length * 4);
    result[0] = space;
    numbers.forEach((value, i) => {
        assert(Number.isInteger(value) && value >= 0 && value <= U32_MAX, 'ids are unsigned 32-bit');
        writeU32(result, value, 1 + i * 4);
    });
    return result;
}

/** All keys that begin with `prefix`. */
export function prefixRange(prefix: Buffer): KeyRange {
    let end = prefix.length;
    while (end > 0 && prefix[end - 1] === 0xff) end--;
    assert(end > 0, 'a prefix of 0xff bytes alone has no end');
    const lt = Buffer.from(prefix.subarray(0, end));
    lt[end - 1] = (lt[end - 1] ?? 0) + 1;
    return {gte: prefix, lt};
}

// Rows

export function rowKey(tableId: number, owner: number, key: Uint8Array): Buffer {
    return ownedKey(SPACE.row, tableId, owner, key);
}

export function tableRange(tableId: number): KeyRange {
    return prefixRange(prefixed(SPACE.row, tableId));
}

export function tableOwnerRange(tableId: number, owner: number): KeyRange {
    return prefixRange(prefixed(SPACE.row, tableId, owner));
}

// Index entries

export function indexKey(indexId: number, owner: number, key: Uint8Array): Buffer {
    return ownedKey(SPACE.index, indexId, owner, key);
}

export function indexRange(indexId: number): KeyRange {
    return prefixRange(prefixed(SPACE.index, indexId));
}

export function indexOwnerRange(indexId: number, owner: number): KeyRange {
    return prefixRange(prefixed(SPACE.index, indexId, owner));
}

/** A row key or an index key, taken apart. `key` is a view. */
export interface OwnedKey {
    readonly space: 'row' | 'index';
    /** Table id or index id. */
    readonly id: number;
    readonly owner: number;
    readonly key: Buffer;
}

export function parseOwnedKey(bytes: Buffer): OwnedKey {
    const space = bytes[0] === SPACE.row ? 'row' : bytes[0] === SPACE.index ? 'index' : undefined;
    if (space === undefined || bytes.length < OWNED_PREFIX_BYTES) {
        throw new StorageError('corrupt', `not a row or index key: ${bytes.toString('hex')}`);
    }
    return {space, id: bytes.readUInt32BE(1), owner: bytes.readUInt32BE(5), key: bytes.subarray(OWNED_PREFIX_BYTES)};
}

// Cold stubs, in the row space

export interface ColdStub {
    readonly segmentId: number;
    readonly rowid: number;
}

const STUB_MARK = 0x80;
const STUB_BYTES = 13;

export function encodeStub(stub: ColdStub): Buffer {
    const result = Buffer.allocUnsafe(STUB_BYTES);
    result[0] = STUB_MARK;
    result.writeUInt32BE(stub.segmentId, 1);
    writeRowid(result, stub.rowid, 5);
    return result;
}

/** True for the value of a row key that is a stub and not a row. */
export function isStub(value: Uint8Array): boolean {
    return value[0] === STUB_MARK;
}

export function decodeStub(value: Buffer): ColdStub {
    if (value.length !== STUB_BYTES || value[0] !== STUB_MARK) throw new StorageError('corrupt', 'not a cold stub');
    return {segmentId: value.readUInt32BE(1), rowid: readRowid(value, 5)};
}

// Deletion-vector entries

export function deletionKey(segmentId: number, rowid: number): Buffer {
    const result = Buffer.allocUnsafe(STUB_BYTES);
    result[0] = SPACE.deletions;
    result.writeUInt32BE(segmentId, 1);
    writeRowid(result, rowid, 5);
    return result;
}

export function parseDeletionKey(bytes: Buffer): {segmentId: number; rowid: number} {
    if (bytes.length !== STUB_BYTES || bytes[0] !== SPACE.deletions) {
        throw new StorageError('corrupt', `not a deletion-vector key: ${bytes.toString('hex')}`);
    }
    return {segmentId: bytes.readUInt32BE(1), rowid: readRowid(bytes, 5)};
}

export function deletionRange(segmentId: number): KeyRange {
    return prefixRange(prefixed(SPACE.deletions, segmentId));
}

/** Row ids are whole numbers below 2^53, kept as u64. */
function writeRowid(target: Buffer, rowid: number, offset: number): void {
    assert(Number.isSafeInteger(rowid) && rowid >= 0, 'row ids are whole numbers from 0');
    target.writeUInt32BE(Math.floor(rowid / TWO_POW_32), offset);
    target.writeUInt32BE(rowid % TWO_POW_32, offset + 4);
}

function readRowid(bytes: Buffer, offset: number): number {
    const rowid = bytes.readUInt32BE(offset) * TWO_POW_32 + bytes.readUInt32BE(offset + 4);
    if (!Number.isSafeInteger(rowid)) throw new StorageError('corrupt', 'a row id is too large');
    return rowid;
}

// Catalog records, manifests, sequences, meta

/** Kinds of catalog record: one byte, so that each kind is one range. Stored: never change one. */
export const CATALOG_KIND = {table: 0x74, schema: 0x6e, storage: 0x73, role: 0x72, ddl: 0x64, other: 0x6f} as const;
export type CatalogKind = keyof typeof CATALOG_KIND;
const CATALOG_KINDS = new Map<number, CatalogKind>(
    Object.entries(CATALOG_KIND).map(([kind, mark]) => [mark, kind as CatalogKind]),
);

/** @param name Any text; numbers that must keep their order are padded by the caller. */
export function catalogKey(kind: CatalogKind, name: string): Buffer {
    return Buffer.concat([Buffer.from([SPACE.catalog, CATALOG_KIND[kind]]), Buffer.from(name, 'utf8')]);
}

export function catalogRange(kind?: CatalogKind): KeyRange {
    return prefixRange(Buffer.from(kind === undefined ? [SPACE.catalog] : [SPACE.catalog, CATALOG_KIND[kind]]));
}

export function parseCatalogKey(bytes: Buffer): {kind: CatalogKind; name: string} {
    const kind = CATALOG_KINDS.get(bytes[1] ?? 0);
    if (bytes[0] !== SPACE.catalog || kind === undefined) {
        throw new StorageError('corrupt', `not a catalog key: ${bytes.toString('hex')}`);
    }
    return {kind, name: bytes.toString('utf8', 2)};
}

export function manifestKey(tableId: number): Buffer {
    return prefixed(SPACE.manifest, tableId);
}

export const MANIFEST_RANGE: KeyRange = prefixRange(Buffer.from([SPACE.manifest]));

export function sequenceKey(sequenceId: number): Buffer {
    return prefixed(SPACE.sequence, sequenceId);
}

export const SEQUENCE_RANGE: KeyRange = prefixRange(Buffer.from([SPACE.sequence]));

/** The id in a manifest key or a sequence key. */
export function parseIdKey(bytes: Buffer): number {
    if (bytes.length !== 5 || (bytes[0] !== SPACE.manifest && bytes[0] !== SPACE.sequence)) {
        throw new StorageError('corrupt', `not a manifest or sequence key: ${bytes.toString('hex')}`);
    }
    return bytes.readUInt32BE(1);
}

export function metaKey(name: string): Buffer {
    return Buffer.concat([Buffer.from([SPACE.meta]), Buffer.from(name, 'utf8')]);
}

/** Written by HotStore with every batch: the commit sequence that the store has reached. */
export const APPLIED_SEQ_KEY: Buffer = metaKey('appliedSeq');
