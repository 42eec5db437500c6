/**
 * One table's rows as the point path sees them: heads in memory in front of LevelDB. Everything here is synchronous.
 *
 * What must stay true: after `head()` the head tells the newest committed state of its key; entries in LevelDB are
 * never newer than what is durable in the commit log. A store belongs to one version of the table's descriptor: a
 * change of the table makes a new store.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {decodeIntKey, encodeKey} from '../../catalog/types/key.ts';
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

/** Bytes of a head and its decoded version beyond the encoded row: objects, slots, the map entry. */
const HEAD_OVERHEAD_BYTES = 260;
const INT2 = 21;
const INT4 = 23;
const INT8 = 20;

export class TableStore implements Lockable {
    readonly table: TableDescriptor;
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
    /** `_seq` of the newest committed change of any row. */
    changedSeq = 0;
    readonly #shared = new Map<HeadKey, Head>();
    readonly #byOwner = new Map<number, Map<HeadKey, Head>>();
    readonly #hot: HotReader;
    readonly #cache: RowCache;
    /** Type oid of a primary key of one integer column: its heads are found by the number itself. */
    readonly #integerKeyOid: number;
    readonly #forget = (head: Head): void => {
        this.#heads(head.owner).delete(head.key);
    };

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

    typeAt(position: number): PgType {
        const type = this.columnTypes[position];
        if (type === undefined) throw new Error(`no column ${position} in ${this.table.name}`);
        return type;
    }

    /** The Map key and stored key of the row with these primary key values (in key order), none of them NULL. */
    keyOf(keyValues: readonly Datum[]): {key: HeadKey; bytes: Buffer} {
        const bytes = encodeKey(this.keyTypes, keyValues);
        if (this.#integerKeyOid !== 0) return {key: keyValues[0] as number | bigint, bytes};
        return {key: bytes.toString('latin1'), bytes};
    }

    keyOfRowid(rowid: number): {key: HeadKey; bytes: Buffer} {
        return {key: rowid, bytes: rowidKeyBytes(rowid)};
    }

    /** The stored key of a whole row. */
    keyOfRow(values: readonly Datum[], rowid: number): {key: HeadKey; bytes: Buffer} {
        if (this.keyPositions.length === 0) return this.keyOfRowid(rowid);
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
        let size = HEAD_OVERHEAD_BYTES;
        if (stored !== undefined) {
            const row = decodeStoredRow(stored, this.codec);
            if ('segmentId' in row) {
                head.coldSegment = row.segmentId;
                head.coldRowid = row.rowid;
            } else {
                head.newest = row;
                size += stored.length * 2;
            }
        }
        heads.set(key, head);
        this.#cache.add(head, size, this.#forget);
        return head;
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

    /** The head of a row known to have no other version than this one in LevelDB: fills the cache without a read. */
    adopt(owner: number, bytes: Buffer, version: RowVersion): Head {
        const heads = this.#heads(owner);
        const key = this.keyOfRow(version.values, version.rowid).key;
        let head = heads.get(key);
        if (head !== undefined) return head;
        head = new Head(this, key, bytes, owner);
        head.newest = version;
        heads.set(key, head);
        this.#cache.add(head, HEAD_OVERHEAD_BYTES + bytes.length + 16 * version.values.length, this.#forget);
        return head;
    }

    /** A version was put in front of the head's chain. */
    grown(head: Head): void {
        this.#cache.resize(head, HEAD_OVERHEAD_BYTES + 40 * (head.newest?.values.length ?? 0));
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

export function rowidKeyBytes(rowid: number): Buffer {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeUInt32BE(Math.floor(rowid / 0x1_0000_0000), 0);
    bytes.writeUInt32BE(rowid >>> 0, 4);
    return bytes;
}

export function rowidOfKeyBytes(bytes: Buffer): number {
    return bytes.readUInt32BE(0) * 0x1_0000_0000 + bytes.readUInt32BE(4);
}
