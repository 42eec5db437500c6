/**
 * One table's rows as the point path sees them: heads in memory in front of LevelDB. Everything here is synchronous.
 *
 * What must stay true: after `head()` the head tells the newest committed state of its key; entries in LevelDB are
 * never newer than what is durable in the commit log. A store belongs to one version of the table's descriptor: a
 * change of the table makes a new store.
 */
import assert from 'node:assert/strict';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {decodeIntKey, encodeIntKey, encodeKey} from '../../catalog/types/key.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import type {TypeRegistry} from '../../catalog/types/registry.ts';
import type {RowCodec} from '../../storage/row-codec.ts';
import {rowKey} from '../../storage/hot/keys.ts';
import {makeRowCodec} from './column-codec.ts';
import {Head, type HeadKey} from './head.ts';
import {IndexWriter} from './index-writer.ts';
import type {Lockable, Waiter} from './locks.ts';
import type {RowCache} from './row-cache.ts';
import type {RowVersion} from './row-version.ts';
import {decodeStoredRow} from './stored-row.ts';
import type {TableTiers} from '../tiers/table-tiers.ts';
import type {Transaction} from './transaction.ts';

export interface HotReader {
    getSync(key: Buffer): Buffer | undefined;
}

/** Bytes of a head, its version and its map entry, without the values. */
const HEAD_BYTES = 320;
/** Bytes of a value that is no string and no bytes. */
const VALUE_BYTES = 16;
const INT2 = 21;
const INT4 = 23;
const INT8 = 20;

export class TableStore implements Lockable {
    /** Replaced by `become` alone. */
    table: TableDescriptor;
    readonly codec: RowCodec;
    readonly columnTypes: readonly PgType[];
    /** Positions in `values` of the primary key's columns; empty = keyed by row id. */
    readonly keyPositions: readonly number[];
    readonly keyTypes: readonly PgType[];
    readonly indexes: readonly IndexWriter[];
    /** Exclusive table lock (DDL, TRUNCATE, LOCK TABLE). */
    lockedBy: Transaction | null = null;
    waiters: Waiter[] | null = null;
    /** Open transactions that wrote here: an exclusive lock waits for them. */
    readonly writers = new Set<Transaction>();
    readonly tiers: TableTiers;
    /** Another version of the table took its place: nothing may be written here any more. */
    retired = false;
    /** `_seq` of the newest committed change of any row. */
    changedSeq = 0;
    readonly #shared = new Map<HeadKey, Head>();
    readonly #byOwner = new Map<number, Map<HeadKey, Head>>();
    readonly #hot: HotReader;
    readonly #cache: RowCache;
    /** Type oid of a primary key of one integer column: its heads are found by the number itself. */
    readonly #integerKeyOid: number;

    constructor(table: TableDescriptor, types: TypeRegistry, hot: HotReader, cache: RowCache, tiers: TableTiers) {
        this.table = table;
        this.#hot = hot;
        this.tiers = tiers;
        this.#cache = cache;
        this.columnTypes = table.columns.map((column) => types.require(column.type.oid));
        this.codec = makeRowCodec(table, this.columnTypes);
        const position = (attnum: number): number => table.columns.findIndex((column) => column.attnum === attnum);
        this.keyPositions = table.primaryKey?.columns.map(position) ?? [];
        this.keyTypes = this.keyPositions.map((p) => this.typeAt(p));
        const only = this.keyTypes.length === 1 ? (this.keyTypes[0]?.oid ?? 0) : 0;
        this.#integerKeyOid = only === INT2 || only === INT4 || only === INT8 ? only : 0;
        this.indexes = table.indexes
            .filter((index) => !index.primary)
            .map((index) => new IndexWriter(index, table, this.columnTypes));
    }

    /** The same table under a descriptor that differs in names, oids and version only: heads and layout stay. */
    become(table: TableDescriptor): void {
        assert(table.tableId === this.table.tableId && sameLayout(this.table, table), 'a descriptor of another layout');
        this.table = table;
    }

    typeAt(position: number): PgType {
        const type = this.columnTypes[position];
        if (type === undefined) throw new Error(`no column ${position} in ${this.table.name}`);
        return type;
    }

    /** The Map key and stored key of the row with these primary key values (in key order), none of them NULL. */
    keyOf(keyValues: readonly Datum[]): {key: HeadKey; bytes: Buffer} {
        if (this.#integerKeyOid !== 0) return this.#keyOfInteger(keyValues[0] ?? null);
        const bytes = encodeKey(this.keyTypes, keyValues);
        return {key: bytes.toString('latin1'), bytes};
    }

    #keyOfInteger(value: Datum): {key: HeadKey; bytes: Buffer} {
        const bytes = this.#integerKeyOid === INT8 ? encodeKey(this.keyTypes, [value]) : encodeIntKey(value as number);
        return {key: value as number | bigint, bytes};
    }

    keyOfRowid(rowid: number): {key: HeadKey; bytes: Buffer} {
        return {key: rowid, bytes: rowidKeyBytes(rowid)};
    }

    /** The stored key of a whole row. */
    keyOfRow(values: readonly Datum[], rowid: number): {key: HeadKey; bytes: Buffer} {
        if (this.keyPositions.length === 0) return this.keyOfRowid(rowid);
        if (this.#integerKeyOid !== 0) return this.#keyOfInteger(values[this.keyPositions[0] ?? 0] ?? null);
        return this.keyOf(this.keyPositions.map((position) => values[position] ?? null));
    }

    /** The head of a single-column key that is already in memory; the hottest path of all. */
    cached(owner: number, key: HeadKey): Head | undefined {
        const head = owner === 0 ? this.#shared.get(key) : this.#byOwner.get(owner)?.get(key);
        if (head !== undefined) head.visited = true;
        return head;
    }

    /** The head of a key, read from LevelDB when it is not in memory. */
    head(owner: number, key: HeadKey, bytes: Buffer): Head {
        const heads = this.#heads(owner);
        let head = heads.get(key);
        if (head !== undefined) {
            head.visited = true;
            return head;
        }
        head = new Head(this, key, bytes, owner);
        const stored = this.#hot.getSync(rowKey(this.table.tableId, owner, bytes));
        if (stored !== undefined) {
            const row = decodeStoredRow(stored, this.codec);
            if ('segmentId' in row) {
                head.coldSegment = row.segmentId;
                head.coldRowid = row.rowid;
            } else {
                head.newest = row;
                this.markIfMoving(head, row);
            }
        }
        this.#add(heads, head);
        return head;
    }

    /** A version read from LevelDB may be on its way into a segment, which LevelDB does not say yet. */
    markIfMoving(head: Head, row: RowVersion): void {
        const {relocation} = this.tiers;
        if (relocation === null || relocation.from !== 'hot' || !relocation.has(row.rowid, row.seq)) return;
        head.coldSegment = relocation.segmentId;
        head.coldRowid = row.rowid;
    }

    /** The head of a row with a row id that was never used: LevelDB need not be asked. */
    newHead(owner: number, rowid: number): Head {
        const {key, bytes} = this.keyOfRowid(rowid);
        const head = new Head(this, key, bytes, owner);
        this.#add(this.#heads(owner), head);
        return head;
    }

    #add(heads: Map<HeadKey, Head>, head: Head): void {
        heads.set(head.key, head);
        this.#cache.add(head, bytesOf(head));
    }

    /** Called by the cache alone. */
    forget(head: Head): void {
        const {owner} = head;
        if (owner === 0) {
            this.#shared.delete(head.key);
            return;
        }
        const heads = this.#byOwner.get(owner);
        heads?.delete(head.key);
        if (heads?.size === 0) this.#byOwner.delete(owner);
    }

    /** Reads a primary key of one column: from memory, else from LevelDB. */
    headOf(owner: number, keyValue: Datum): Head {
        if (this.#integerKeyOid !== 0) {
            const cached = this.cached(owner, keyValue as number | bigint);
            if (cached !== undefined) return cached;
        }
        return this.headOfKey(owner, [keyValue]);
    }

    headOfKey(owner: number, keyValues: readonly Datum[]): Head {
        const {key, bytes} = this.keyOf(keyValues);
        return this.head(owner, key, bytes);
    }

    headOfRowid(owner: number, rowid: number): Head {
        const {key, bytes} = this.keyOfRowid(rowid);
        return this.head(owner, key, bytes);
    }

    headOfBytes(owner: number, bytes: Buffer): Head {
        return this.head(owner, this.#keyOfBytes(bytes), bytes);
    }

    /** The head has another newest version. */
    grown(head: Head): void {
        this.#cache.resize(head, bytesOf(head));
    }

    /** Heads in memory with versions that LevelDB may not have yet, or with uncommitted writes. */
    *headsInMemory(): Iterable<Head> {
        yield* this.#shared.values();
        for (const heads of this.#byOwner.values()) yield* heads.values();
    }

    /** Forgets what is cached; nothing may be in flight. */
    clear(): void {
        this.#cache.dropWhere((head) => head.store === this);
        this.#shared.clear();
        this.#byOwner.clear();
    }

    #heads(owner: number): Map<HeadKey, Head> {
        if (owner === 0) return this.#shared;
        let heads = this.#byOwner.get(owner);
        if (heads === undefined) {
            heads = new Map();
            this.#byOwner.set(owner, heads);
        }
        return heads;
    }

    #keyOfBytes(bytes: Buffer): HeadKey {
        if (this.keyPositions.length === 0) return rowidOfKeyBytes(bytes);
        if (this.#integerKeyOid === 0) return bytes.toString('latin1');
        const value = decodeIntKey(bytes);
        return this.#integerKeyOid === INT8 ? value : Number(value);
    }
}

/** An estimate: what the cache counts. */
function bytesOf(head: Head): number {
    let bytes = HEAD_BYTES + head.keyBytes.length;
    const {newest} = head;
    if (newest === null) return bytes;
    const {values} = newest;
    for (let i = 0; i < values.length; i++) {
        const value = values[i];
        bytes += VALUE_BYTES;
        if (typeof value === 'string') bytes += value.length * 2;
        else if (value instanceof Uint8Array) bytes += value.length + VALUE_BYTES;
        else if (typeof value === 'object' && value !== null && 'elements' in value)
            bytes += value.elements.length * VALUE_BYTES * 4;
    }
    return bytes;
}

/** Rows and index entries of one look the same under the other. */
export function sameLayout(a: TableDescriptor, b: TableDescriptor): boolean {
    return (
        a.columns.length === b.columns.length &&
        a.columns.every((column, i) => column.attnum === b.columns[i]?.attnum) &&
        a.indexes.length === b.indexes.length &&
        a.indexes.every((index, i) => index.indexId === b.indexes[i]?.indexId)
    );
}

export function rowidKeyBytes(rowid: number): Buffer {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeUInt32BE(Math.floor(rowid / 0x1_0000_0000), 0);
    bytes.writeUInt32BE(rowid >>> 0, 4);
    return bytes;
}

export function rowidOfKeyBytes(bytes: Buffer): number {
    return bytes.readUInt32BE(0) * 0x1_0000_0000 + bytes.readUInt32BE(4);
}
