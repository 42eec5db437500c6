/**
 * The DuckDB side of hot rows: one DuckDB table for each Tidewire table that a vectorised query has named, built from
 * a scan of the hot store and then fed from the change feed, in batches, just before a query needs it.
 *
 * What must stay true:
 * - Everything that changes a mirror runs under `lock`; a reader that begins its transaction under the same lock sees
 *   every mirror at one sequence.
 * - A mirror holds exactly the live hot rows at `reachedSeq`. Changes up to there are never applied twice, later ones
 *   wait in its buffer. What cannot be applied (an error, too many changes) drops the mirror; the next use rebuilds it.
 * - It is never a source of truth.
 */
import {strict as assert} from 'node:assert';
import type {DuckDBConnection} from '@duckdb/node-api';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {CommittedTransaction, RowVersion} from '../../txn/row-version.ts';
import type {NetChanges, RowLayout} from './change-buffer.ts';
import {ChangeBuffer} from './change-buffer.ts';
import {appendRowids, ChunkWriter} from './chunk-writer.ts';
import type {WriterColumn} from './chunk-writer.ts';
import type {Engine} from './engine.ts';
import {MIRROR_DATABASE, quoteIdentifier} from './engine.ts';
import {Mutex} from './mutex.ts';
import type {DuckType, TypeCodec} from './type-map.ts';
import {duckTypeOf, PRINTED_TYPE, Unrepresentable} from './type-map.ts';
import {VECTOR_ROWS} from './vector-access.ts';

/** The hot rows of a table at one commit sequence. */
export interface HotScan {
    /** Every transaction up to here is in the rows, and none after. */
    readonly seq: number;
    /** Live rows only, decoded for the descriptor given to `scan`. */
    readonly batches: AsyncIterable<readonly RowVersion[]>;
}

export interface HotSource {
    /** Fixes the sequence before it returns, synchronously; no change after it is missed by `onCommitted`. */
    scan(table: TableDescriptor): HotScan;
}

export interface MirrorOptions {
    /** Changes kept for all mirrors; at half of it they are applied in the background, past it a mirror is dropped. */
    readonly bufferedChangesMax: number;
}

export interface MirrorColumn {
    readonly attnum: number;
    readonly type: DuckType;
}

interface MirrorTable {
    readonly tableId: number;
    readonly name: string;
    readonly columns: readonly MirrorColumn[];
    readonly writers: readonly WriterColumn[];
    readonly missing: readonly Datum[];
    /** Which descriptors it serves: the same columns with the same types. */
    readonly shape: string;
    readonly buffer: ChangeBuffer;
    reachedSeq: number;
    /** Resolves when built; the mirror may have been dropped meanwhile. */
    built: Promise<void>;
    ready: boolean;
}

/** Row versions that moved to a segment: `seqs[i]` is the version's `_seq`, so that a newer version stays. */
export interface FlushedRows {
    readonly rowids: BigInt64Array;
    readonly seqs: BigInt64Array;
}

const SYSTEM_WRITERS: readonly WriterColumn[] = [
    systemColumn('int8', 'BIGINT'),
    systemColumn('int8', 'BIGINT'),
    systemColumn('int8', 'BIGINT'),
    systemColumn('int4', 'INTEGER'),
];
/** Up to here row ids are written into the statement; past it they go through a temporary table. */
const INLINE_ROWIDS_MAX = 256;
/** Attempts to bring tables to a sequence while DDL or flushes keep replacing their mirrors. */
const BUILD_ATTEMPTS_MAX = 20;

export class Mirror {
    readonly lock = new Mutex();
    readonly #engine: Engine;
    readonly #source: HotSource;
    readonly #codec: TypeCodec;
    readonly #options: MirrorOptions;
    readonly #tables = new Map<number, MirrorTable>();
    /** Columns that have held a value their DuckDB type cannot hold: text from then on. */
    readonly #demoted = new Map<number, Set<number>>();
    readonly #layouts = new WeakMap<TableDescriptor, RowLayout>();
    #garbage: string[] = [];
    #generation = 0;
    #bufferedCount = 0;
    #committedSeq = 0;
    #draining = false;

    constructor(engine: Engine, source: HotSource, codec: TypeCodec, options: MirrorOptions) {
        this.#engine = engine;
        this.#source = source;
        this.#codec = codec;
        this.#options = options;
    }

    /** Subscribed to the change feed: synchronous, in commit order. */
    onCommitted(transaction: CommittedTransaction): void {
        this.#committedSeq = transaction.seq;
        for (const {tableId, now} of transaction.altered) {
            const mirror = this.#tables.get(tableId);
            if (now === undefined) this.#demoted.delete(tableId);
            if (mirror !== undefined && (now === undefined || this.#shapeOf(now) !== mirror.shape)) this.#drop(mirror);
        }
        for (const table of transaction.truncated) {
            const mirror = this.#tables.get(table.tableId);
            if (mirror === undefined || transaction.seq <= mirror.reachedSeq) continue;
            this.#bufferedCount -= mirror.buffer.rowCount;
            mirror.buffer.truncate(transaction.seq);
            this.#bufferedCount += mirror.buffer.rowCount;
        }
        for (const change of transaction.changes) {
            const mirror = this.#tables.get(change.table.tableId);
            if (mirror === undefined || transaction.seq <= mirror.reachedSeq) continue;
            mirror.buffer.push({
                transactionSeq: transaction.seq,
                rowid: change.rowid,
                replaces: change.before !== null,
                after: change.after,
                layout: this.#layoutOf(change.table),
            });
            this.#bufferedCount++;
        }
        if (this.#bufferedCount > this.#options.bufferedChangesMax) this.#dropLargestBuffer();
        else if (this.#bufferedCount > this.#options.bufferedChangesMax / 2) this.#startDrain();
    }

    /** Columns of a table that queries on DuckDB cannot compute with. */
    isDemoted(tableId: number, attnum: number): boolean {
        return this.#demoted.get(tableId)?.has(attnum) === true;
    }

    /** Builds what is not there yet. Not under the lock: a large table takes seconds. */
    async prepare(tables: readonly TableDescriptor[]): Promise<void> {
        for (const table of tables) await this.#ensureBuilt(table);
    }

    /**
     * Brings the mirrors of these tables to `target` at least, a sequence that is already visible. Under the lock.
     * Returns the sequence reached, higher than the target when another reader was later.
     */
    async sync(tables: readonly TableDescriptor[], target: number): Promise<number> {
        for (let attempt = 0; attempt < BUILD_ATTEMPTS_MAX; attempt++) {
            for (const table of tables) await this.#ensureBuilt(table);
            const mirrors = tables.map((table) => this.#tables.get(table.tableId));
            if (!mirrors.every((mirror) => mirror !== undefined && mirror.ready)) continue;
            const present = mirrors.filter((mirror) => mirror !== undefined);
            // All to one sequence: a table built a moment ago may be ahead of the others.
            const reached = present.reduce((most, mirror) => Math.max(most, mirror.reachedSeq), target);
            // DDL may have dropped one while it was applied to.
            const applied = await this.#apply(present, reached);
            if (applied && present.every((mirror) => mirror.ready)) return reached;
        }
        throw new Error('the mirrors of a query were replaced again and again');
    }

    /** Under the lock, after `sync`. */
    nameOf(tableId: number): string {
        const mirror = this.#tables.get(tableId);
        assert(mirror !== undefined && mirror.ready, 'a mirror is named before it is synced');
        return qualified(mirror.name);
    }

    columnsOf(tableId: number): readonly MirrorColumn[] {
        const mirror = this.#tables.get(tableId);
        assert(mirror !== undefined, 'a mirror is read before it is synced');
        return mirror.columns;
    }

    /** Types of a table's columns in mirror and overlay, as long as nothing is demoted. */
    layoutColumns(table: TableDescriptor): readonly MirrorColumn[] {
        return table.columns.map(({attnum, type}) => ({
            attnum,
            type: this.isDemoted(table.tableId, attnum) ? PRINTED_TYPE : duckTypeOf(type, this.#codec),
        }));
    }

    /** Writers for rows of a table, system columns first: for overlays. */
    writersOf(table: TableDescriptor, columns: readonly MirrorColumn[]): readonly WriterColumn[] {
        return [...SYSTEM_WRITERS, ...this.#columnWriters(table, columns)];
    }

    /** Rows that are in a segment now. Under the same hold of the lock as the switch of the manifest. */
    async removeFlushed(tableId: number, flushed: FlushedRows): Promise<void> {
        const mirror = this.#tables.get(tableId);
        if (mirror === undefined) return;
        if (!mirror.ready) {
            // Its scan may or may not have met these rows.
            this.#drop(mirror);
            return;
        }
        if (!(await this.#apply([mirror], this.#committedSeq))) return;
        const {writer} = this.#engine;
        try {
            await writer.run('BEGIN');
            await writer.run('CREATE OR REPLACE TEMP TABLE flushed (rowid_ BIGINT, seq_ BIGINT)');
            const appender = await writer.createAppender('flushed', 'main', 'temp');
            const chunks = new ChunkWriter(appender, SYSTEM_WRITERS.slice(0, 2));
            for (let start = 0; start < flushed.rowids.length; start += VECTOR_ROWS) {
                const rowids = Array.from(flushed.rowids.subarray(start, start + VECTOR_ROWS));
                chunks.write([rowids, Array.from(flushed.seqs.subarray(start, start + VECTOR_ROWS))], rowids.length);
            }
            appender.closeSync();
            await writer.run(
                `DELETE FROM ${qualified(mirror.name)} AS t USING flushed WHERE t._rowid = rowid_ AND t._seq = seq_`,
            );
            await writer.run('DROP TABLE flushed');
            await writer.run('COMMIT');
        } catch (error) {
            await rollback(writer);
            this.#drop(mirror);
            throw error;
        }
    }

    /** Forgets a table's mirror, so that the next use builds it anew. */
    invalidate(tableId: number): void {
        const mirror = this.#tables.get(tableId);
        if (mirror !== undefined) this.#drop(mirror);
    }

    /** A value met outside of the mirror (an overlay) did not fit: `writerIndex` counts the system columns too. */
    demoteWritten(table: TableDescriptor, writerIndex: number): void {
        const column = table.columns[writerIndex - SYSTEM_WRITERS.length];
        assert(column !== undefined);
        this.demote(table.tableId, column.attnum);
    }

    /** Keeps the column as text from now on. */
    demote(tableId: number, attnum: number): void {
        const demoted = this.#demoted.get(tableId) ?? new Set<number>();
        this.#demoted.set(tableId, demoted.add(attnum));
        this.invalidate(tableId);
    }

    statistics(): {readonly tables: number; readonly bufferedChanges: number} {
        return {tables: this.#tables.size, bufferedChanges: this.#bufferedCount};
    }

    async #ensureBuilt(table: TableDescriptor): Promise<void> {
        let mirror = this.#tables.get(table.tableId);
        if (mirror === undefined || mirror.shape !== this.#shapeOf(table)) {
            if (mirror !== undefined) this.#drop(mirror);
            mirror = this.#create(table);
        }
        if (!mirror.ready) await mirror.built;
    }

    #create(table: TableDescriptor): MirrorTable {
        const columns = this.layoutColumns(table);
        const mirror: MirrorTable = {
            tableId: table.tableId,
            name: `t${table.tableId}_${++this.#generation}`,
            columns,
            writers: [...SYSTEM_WRITERS, ...this.#columnWriters(table, columns)],
            missing: table.columns.map((column) => column.missing),
            shape: this.#shapeOf(table),
            buffer: new ChangeBuffer(),
            reachedSeq: 0,
            built: Promise.resolve(),
            ready: false,
        };
        this.#tables.set(table.tableId, mirror);
        const scan = this.#source.scan(table);
        mirror.reachedSeq = scan.seq;
        mirror.built = this.#build(table, mirror, scan);
        return mirror;
    }

    async #build(table: TableDescriptor, mirror: MirrorTable, scan: HotScan): Promise<void> {
        const connection = await this.#engine.connect();
        try {
            const definitions = mirror.columns.map(({attnum, type}) => `c${attnum} ${type.sql}`);
            await connection.run('BEGIN');
            await connection.run(
                `CREATE TABLE ${qualified(mirror.name)} (_rowid BIGINT, _seq BIGINT, _updated BIGINT, _owner INTEGER` +
                    `${definitions.map((definition) => `, ${definition}`).join('')})`,
            );
            const rows = await RowAppender.create(connection, mirror);
            const layout = this.#layoutOf(table);
            for await (const batch of scan.batches) {
                for (const version of batch) rows.add(version, layout);
            }
            rows.close();
            await connection.run('COMMIT');
            if (this.#tables.get(mirror.tableId) === mirror) mirror.ready = true;
            else this.#garbage.push(mirror.name);
        } catch (error) {
            await rollback(connection);
            this.#drop(mirror);
            // A rebuild follows with the column as text: whoever waits tries again.
            if (!(error instanceof Unrepresentable)) throw error;
            this.demoteWritten(table, error.columnIndex);
        } finally {
            connection.closeSync();
        }
    }

    /** Applies buffered changes up to `target` in one DuckDB transaction. False: a mirror was dropped, try again. */
    async #apply(mirrors: readonly MirrorTable[], target: number): Promise<boolean> {
        const {writer} = this.#engine;
        let begun = false;
        let current: MirrorTable | undefined;
        try {
            for (const mirror of mirrors) {
                if (mirror.reachedSeq >= target) continue;
                current = mirror;
                const before = mirror.buffer.rowCount;
                const changes = mirror.buffer.take(target);
                this.#bufferedCount -= before - mirror.buffer.rowCount;
                mirror.reachedSeq = target;
                if (!changes.truncated && changes.deletedRowids.length === 0 && changes.added.length === 0) continue;
                if (!begun) await writer.run('BEGIN');
                begun = true;
                await applyChanges(writer, mirror, changes);
            }
            if (begun && this.#garbage.length > 0) await this.#collect();
            if (begun) await writer.run('COMMIT');
            return true;
        } catch (error) {
            if (begun) await rollback(writer);
            for (const mirror of mirrors) this.#drop(mirror);
            if (!(error instanceof Unrepresentable) || current === undefined) throw error;
            const column = current.columns[error.columnIndex - SYSTEM_WRITERS.length];
            assert(column !== undefined);
            const demoted = this.#demoted.get(current.tableId) ?? new Set<number>();
            this.#demoted.set(current.tableId, demoted.add(column.attnum));
            return false;
        }
    }

    async #collect(): Promise<void> {
        const names = this.#garbage;
        this.#garbage = [];
        for (const name of names) await this.#engine.writer.run(`DROP TABLE IF EXISTS ${qualified(name)}`);
    }

    #drop(mirror: MirrorTable): void {
        if (this.#tables.get(mirror.tableId) !== mirror) return;
        this.#tables.delete(mirror.tableId);
        this.#bufferedCount -= mirror.buffer.rowCount;
        if (mirror.ready) this.#garbage.push(mirror.name);
        mirror.ready = false;
    }

    #dropLargestBuffer(): void {
        let largest: MirrorTable | undefined;
        for (const mirror of this.#tables.values()) {
            if (largest === undefined || mirror.buffer.rowCount > largest.buffer.rowCount) largest = mirror;
        }
        if (largest !== undefined) this.#drop(largest);
    }

    #startDrain(): void {
        if (this.#draining) return;
        this.#draining = true;
        void this.lock
            .run(async () => {
                const ready = [...this.#tables.values()].filter((mirror) => mirror.ready);
                await this.#apply(ready, this.#committedSeq);
            })
            // The mirrors are dropped and rebuilt on the next use, which reports what is wrong.
            .catch(() => undefined)
            .finally(() => {
                this.#draining = false;
            });
    }

    #columnWriters(table: TableDescriptor, columns: readonly MirrorColumn[]): WriterColumn[] {
        return columns.map(({type}, index) => {
            const oid = table.columns[index]?.type.oid ?? 0;
            if (type.kind !== 'printed') return {type, print: undefined};
            return {type, print: (value: Datum) => (typeof value === 'string' ? value : this.#codec.print(oid, value))};
        });
    }

    #layoutOf(table: TableDescriptor): RowLayout {
        let layout = this.#layouts.get(table);
        if (layout === undefined) {
            layout = new Map(table.columns.map((column, index) => [column.attnum, index]));
            this.#layouts.set(table, layout);
        }
        return layout;
    }

    #shapeOf(table: TableDescriptor): string {
        return this.layoutColumns(table)
            .map(({attnum, type}, index) => `${attnum}:${type.sql}:${table.columns[index]?.type.oid}`)
            .join(',');
    }
}

async function applyChanges(writer: DuckDBConnection, mirror: MirrorTable, changes: NetChanges): Promise<void> {
    const name = qualified(mirror.name);
    if (changes.truncated) await writer.run(`DELETE FROM ${name}`);
    const rowids = changes.deletedRowids;
    if (rowids.length > INLINE_ROWIDS_MAX) {
        await writer.run('CREATE OR REPLACE TEMP TABLE changed (rowid_ BIGINT)');
        const appender = await writer.createAppender('changed', 'main', 'temp');
        appendRowids(appender, BigInt64Array.from(rowids, BigInt));
        appender.closeSync();
        await writer.run(`DELETE FROM ${name} WHERE _rowid IN (SELECT rowid_ FROM changed)`);
        await writer.run('DROP TABLE changed');
    } else if (rowids.length > 0) {
        await writer.run(`DELETE FROM ${name} WHERE _rowid IN (${rowids.join(',')})`);
    }
    if (changes.added.length === 0) return;
    const rows = await RowAppender.create(writer, mirror);
    for (const {after, layout} of changes.added) if (after !== null) rows.add(after, layout);
    rows.close();
}

/** Row versions into a mirror table, turned into columns one chunk at a time. */
class RowAppender {
    readonly #mirror: MirrorTable;
    readonly #chunks: ChunkWriter;
    readonly #close: () => void;
    readonly #data: Datum[][];
    #layout: RowLayout | undefined;
    #positions: number[] = [];
    #count = 0;

    private constructor(mirror: MirrorTable, chunks: ChunkWriter, close: () => void) {
        this.#mirror = mirror;
        this.#chunks = chunks;
        this.#close = close;
        this.#data = mirror.writers.map(() => Array.from<Datum>({length: VECTOR_ROWS}).fill(null));
    }

    static async create(connection: DuckDBConnection, mirror: MirrorTable): Promise<RowAppender> {
        const appender = await connection.createAppender(mirror.name, 'main', MIRROR_DATABASE);
        return new RowAppender(mirror, new ChunkWriter(appender, mirror.writers), () => appender.closeSync());
    }

    add(version: RowVersion, layout: RowLayout): void {
        if (layout !== this.#layout) {
            this.#layout = layout;
            this.#positions = this.#mirror.columns.map(({attnum}) => layout.get(attnum) ?? -1);
        }
        const row = this.#count;
        const data = this.#data;
        const positions = this.#positions;
        setSystem(data, row, version);
        for (let index = 0; index < positions.length; index++) {
            const position = positions[index] ?? -1;
            const value = position < 0 ? this.#mirror.missing[index] : version.values[position];
            (data[index + SYSTEM_WRITERS.length] as Datum[])[row] = value ?? null;
        }
        if (++this.#count === VECTOR_ROWS) this.#flush();
    }

    close(): void {
        this.#flush();
        this.#close();
    }

    #flush(): void {
        this.#chunks.write(this.#data, this.#count);
        this.#count = 0;
    }
}

function setSystem(data: readonly Datum[][], row: number, version: RowVersion): void {
    (data[0] as Datum[])[row] = version.rowid;
    (data[1] as Datum[])[row] = version.seq;
    (data[2] as Datum[])[row] = version.updatedNs;
    (data[3] as Datum[])[row] = version.owner;
}

async function rollback(connection: DuckDBConnection): Promise<void> {
    // The error that led here is what counts; a transaction that is already over is no second one.
    await connection.run('ROLLBACK').catch(() => undefined);
}

function qualified(name: string): string {
    return `${MIRROR_DATABASE}.main.${quoteIdentifier(name)}`;
}

function systemColumn(kind: 'int8' | 'int4', sql: string): WriterColumn {
    return {type: {kind, sql, width: 0, scale: 0, element: undefined}, print: undefined};
}
