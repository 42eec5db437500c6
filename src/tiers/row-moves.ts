/**
 * What the commit of a relocation does to the rows' keys in the hot store, prepared slice by slice so that nobody is
 * held up: each row's key gets a stub that names the new segment (or goes, in tables without unique keys), and with hot
 * rows the entries of non-unique indexes go. Unique entries stay: a cold row keeps its keys.
 *
 * What must stay true: a row is moved only when the hot store has exactly the version that the segment has. A head in
 * memory is marked with its new place before the commit; until then its version is there too, so readers notice nothing,
 * and whoever changes the row meanwhile marks the copy dead and keeps it from moving.
 */
import {PgError} from '../../catalog/errors.ts';
import type {HotStore} from '../../storage/hot/hot-store.ts';
import {decodeStub, encodeStub, isStub, rowKey} from '../../storage/hot/keys.ts';
import {decodeRowHeader} from '../../storage/row-codec.ts';
import {prepareOperations} from '../txn/commit-record.ts';
import type {HeadKey} from '../txn/head.ts';
import type {RowVersion} from '../txn/row-version.ts';
import {decodeStoredRow} from '../txn/stored-row.ts';
import type {TableStore} from '../txn/table-store.ts';
import type {PreparedOperations, StoreOperation} from '../txn/transaction.ts';
import {type Relocation, SLICE_ROWS} from './relocation.ts';

interface Slice {
    readonly first: number;
    readonly operations: readonly StoreOperation[];
    /** Where each row's operations begin; one more at the end. */
    readonly starts: Uint32Array;
    prepared: PreparedOperations;
}

export class RowMoves {
    readonly #store: TableStore;
    readonly #relocation: Relocation;
    readonly #hot: Pick<HotStore, 'getMany'>;
    readonly #slices: Slice[] = [];
    #waiting: RowVersion[] = [];

    constructor(store: TableStore, relocation: Relocation, hot: Pick<HotStore, 'getMany'>) {
        this.#store = store;
        this.#relocation = relocation;
        this.#hot = hot;
    }

    /** attnums whose values `add` needs. */
    static keyColumns(store: TableStore): ReadonlySet<number> {
        return new Set(store.table.primaryKey?.columns ?? []);
    }

    /** Rows of the new segment, in its order. LevelDB has everything up to the snapshot they were read at. */
    async add(rows: readonly RowVersion[]): Promise<void> {
        for (const row of rows) {
            this.#waiting.push(row);
            if (this.#waiting.length === SLICE_ROWS) await this.#prepareWaiting();
        }
    }

    async complete(): Promise<void> {
        if (this.#waiting.length > 0) await this.#prepareWaiting();
        this.#relocation.complete();
    }

    /** Prepares again what has changed; returns how many slices that were. Synchronous: part of the switch. */
    refresh(): number {
        const dirty = this.#relocation.takeDirtySlices();
        for (const index of dirty) {
            const slice = this.#slices[index];
            if (slice !== undefined) slice.prepared = prepareOperations(this.#leaving(slice));
        }
        return dirty.length;
    }

    get prepared(): readonly PreparedOperations[] {
        return this.#slices.map((slice) => slice.prepared);
    }

    async #prepareWaiting(): Promise<void> {
        const rows = this.#waiting;
        this.#waiting = [];
        const {table} = this.#store;
        const first = this.#relocation.count;
        const keys = rows.map((row) => this.#store.keyOfRow(row.values, row.rowid));
        for (const row of rows) this.#relocation.add(row.rowid, row.seq);
        const rowKeys = rows.map((row, i) => rowKey(table.tableId, row.owner, keys[i]?.bytes ?? NO_BYTES));
        const stored = await this.#hot.getMany(rowKeys);
        const operations: StoreOperation[] = [];
        const starts = new Uint32Array(rows.length + 1);
        for (const [i, row] of rows.entries()) {
            starts[i] = operations.length;
            const key = keys[i];
            const name = rowKeys[i];
            // What was changed while LevelDB answered stays, whatever the answer.
            if (key === undefined || name === undefined || !this.#relocation.leaves(first + i)) continue;
            const value = stored[i];
            this.#requireSame(row, value);
            if (this.#relocation.from === 'hot' && !this.#markHead(row, key.key)) {
                this.#relocation.stay(first + i);
                continue;
            }
            this.#move(row, name, key.bytes, value, operations);
        }
        starts[rows.length] = operations.length;
        const slice: Slice = {first, operations, starts, prepared: NOTHING_PREPARED};
        slice.prepared = prepareOperations(this.#leaving(slice));
        this.#slices.push(slice);
    }

    #leaving(slice: Slice): readonly StoreOperation[] {
        const count = slice.starts.length - 1;
        const leaving: StoreOperation[] = [];
        for (let i = 0; i < count; i++) {
            if (!this.#relocation.leaves(slice.first + i)) continue;
            const end = slice.starts[i + 1] ?? 0;
            for (let at = slice.starts[i] ?? 0; at < end; at++) leaving.push(slice.operations[at] as StoreOperation);
        }
        return leaving;
    }

    /** The mirror, or an older segment, must never bring back a row that is not what the hot store has. */
    #requireSame(row: RowVersion, value: Buffer | undefined): void {
        if (this.#relocation.from === 'cold') {
            if (!hasStubs(this.#store) && value === undefined) return;
            if (value !== undefined && isStub(value) && decodeStub(value).rowid === row.rowid) return;
        } else if (value !== undefined && !isStub(value)) {
            const header = decodeRowHeader(value);
            if (header.rowid === row.rowid && header.seq === row.seq) return;
        }
        throw new PgError(
            'XX001',
            `row ${row.rowid} of table "${this.#store.table.name}" is not as the hot store has it`,
            {
                detail: 'Its place was not changed; no row is lost.',
            },
        );
    }

    /** False when an open transaction has a write on it: that write knows the row as hot. */
    #markHead(row: RowVersion, key: HeadKey): boolean {
        const head = this.#store.cached(row.owner, key);
        if (head === undefined) return true;
        if (head.pending !== null || head.newest?.rowid !== row.rowid || head.newest.seq !== row.seq) {
            if (head.coldSegment === this.#relocation.segmentId) head.coldSegment = 0;
            return false;
        }
        head.coldSegment = this.#relocation.segmentId;
        head.coldRowid = row.rowid;
        return true;
    }

    #move(
        row: RowVersion,
        name: Buffer,
        keyBytes: Buffer,
        value: Buffer | undefined,
        operations: StoreOperation[],
    ): void {
        const {segmentId, from} = this.#relocation;
        if (hasStubs(this.#store)) operations.push({key: name, value: encodeStub({segmentId, rowid: row.rowid})});
        else if (from === 'hot') operations.push({key: name, value: null});
        if (from === 'cold' || value === undefined) return;
        let whole: RowVersion | undefined;
        for (const index of this.#store.indexes) {
            if (!index.maintained) continue;
            whole ??= decodeStoredRow(value, this.#store.codec) as RowVersion;
            if (index.excludes(whole.values)) continue;
            operations.push({key: index.entryKey(row.owner, whole.values, keyBytes), value: null});
        }
    }

    /** The relocation does not happen: heads are as if it had never begun. */
    unmark(): void {
        const {segmentId} = this.#relocation;
        for (const head of this.#store.headsInMemory()) {
            if (head.coldSegment === segmentId) {
                head.coldSegment = 0;
                head.coldRowid = 0;
            }
        }
    }
}

const NO_BYTES = Buffer.alloc(0);
const NOTHING_PREPARED: PreparedOperations = {operations: [], encoded: NO_BYTES};

/** Tables with unique keys keep a stub for each cold row: its key is taken, and leads to it. */
export function hasStubs(store: TableStore): boolean {
    return (
        store.table.primaryKey !== undefined || store.indexes.some((index) => index.maintained && index.index.unique)
    );
}
