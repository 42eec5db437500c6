/**
 * Runs printed queries on DuckDB at a snapshot.
 *
 * What must stay true: commit sequence, manifest version and DuckDB's own snapshot are taken under one hold of the
 * mirror's lock, which a flush takes too, so no row is seen twice or missed. A snapshot holds a pooled connection
 * until it is closed; one statement of it runs at a time.
 */
import {strict as assert} from 'node:assert';
import type {DuckDBConnection, DuckDBDataChunk} from '@duckdb/node-api';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import {appendRowids, ChunkWriter} from './chunk-writer.ts';
import type {EngineOptions} from './engine.ts';
import {Engine} from './engine.ts';
import {canceled, failureOf, RetryOnReferencePath} from './failures.ts';
import type {HotSource, MirrorColumn, MirrorOptions} from './mirror.ts';
import {Mirror} from './mirror.ts';
import type {PrintedQuery} from './printer/queries.ts';
import type {TableInput} from './table-input.ts';
import type {TableParts} from './table-sql.ts';
import {tableSql} from './table-sql.ts';
import type {TypeCodec} from './type-map.ts';
import {duckTypeOf, Unrepresentable} from './type-map.ts';
import {VECTOR_ROWS} from './vector-access.ts';

export interface VectorOptions extends EngineOptions, MirrorOptions {}

/** What the owner of transactions and manifests fixes under the lock. */
export interface Pinned {
    /** Commit sequence of the snapshot: already visible. */
    readonly seq: number;
    /** One entry for each table asked for, by tableId. */
    readonly inputs: ReadonlyMap<number, TableInput>;
}

/** Row ids up to this many are written into the statement; more go through a temporary table. */
const INLINE_ROWIDS_MAX = 100;
const PIN_TURNS_MAX = 3;

export class VectorExecutor {
    readonly mirror: Mirror;
    readonly engine: Engine;
    readonly #codec: TypeCodec;
    readonly #open = new Set<VectorSnapshot>();

    private constructor(engine: Engine, mirror: Mirror, codec: TypeCodec) {
        this.engine = engine;
        this.mirror = mirror;
        this.#codec = codec;
    }

    static async open(source: HotSource, codec: TypeCodec, options: VectorOptions): Promise<VectorExecutor> {
        const engine = await Engine.open(options);
        return new VectorExecutor(engine, new Mirror(engine, source, codec, options), codec);
    }

    /** The lock that a flush holds while it switches the manifest and calls `mirror.removeFlushed`. */
    async exclusively<T>(work: () => Promise<T>): Promise<T> {
        return await this.mirror.lock.run(work);
    }

    /**
     * A snapshot of these tables. `pin` is called under the lock, synchronously, and perhaps more than once: what it reads
     * of the visible sequence and the manifests belongs together.
     */
    async snapshot(
        tables: readonly TableDescriptor[],
        pin: () => Pinned,
        signal?: AbortSignal,
    ): Promise<VectorSnapshot> {
        const connection = await this.engine.acquireReader(signal);
        try {
            // Before the lock: building a mirror takes as long as the table is large.
            await this.mirror.prepare(tables);
            return await this.mirror.lock.run(async () => {
                let pinned = pin();
                this.#demoteTexts(pinned.inputs.values());
                let mirrorSeq = await this.mirror.sync(tables, pinned.seq);
                // A mirror that had to be built is past what was pinned: then the newest is pinned again.
                for (let turn = 0; mirrorSeq > pinned.seq && turn < PIN_TURNS_MAX; turn++) {
                    pinned = pin();
                    mirrorSeq = await this.mirror.sync(tables, pinned.seq);
                }
                // Named before anything is awaited: DDL may forget a mirror at any time, its table stays until the next sync.
                const names = new Map(
                    tables.map(({tableId}) => [
                        tableId,
                        {name: this.mirror.nameOf(tableId), columns: this.mirror.columnsOf(tableId)},
                    ]),
                );
                await connection.run('BEGIN');
                const opened = new VectorSnapshot(this, this.#codec, connection, pinned, mirrorSeq, names);
                this.#open.add(opened);
                return opened;
            });
        } catch (error) {
            await connection.run('ROLLBACK').catch(() => undefined);
            this.engine.releaseReader(connection);
            throw error instanceof Error && error.name === 'Error' ? failureOf(error, false) : error;
        }
    }

    /**
     * A segment that keeps a column as text holds a value that DuckDB has none for: then the mirror keeps it as text as
     * well. Known from the segments, because a restart forgets what the mirror has met.
     */
    #demoteTexts(inputs: Iterable<TableInput>): void {
        for (const {table, segments} of inputs) {
            for (const {attnum, type} of table.columns) {
                if (this.mirror.isDemoted(table.tableId, attnum) || duckTypeOf(type, this.#codec).sql === 'VARCHAR')
                    continue;
                const asText = segments.some(({columns}) =>
                    columns.some((column) => column.attnum === attnum && column.sqlType === 'VARCHAR'),
                );
                if (asText) this.mirror.demote(table.tableId, attnum);
            }
        }
    }

    /** Resolves when every snapshot taken before this call is closed: then nobody reads what only they could name. */
    async snapshotsClosed(): Promise<void> {
        // Who is under the lock now has pinned already.
        await this.exclusively(() => Promise.resolve());
        await Promise.all([...this.#open].map((snapshot) => snapshot.closed));
    }

    /** For `VectorSnapshot.close` alone. */
    forget(snapshot: VectorSnapshot): void {
        this.#open.delete(snapshot);
    }

    close(): void {
        this.engine.close();
    }
}

/** A mirror as it was when the snapshot was taken. */
interface SnapshotMirror {
    readonly name: string;
    readonly columns: readonly MirrorColumn[];
}

export class VectorSnapshot {
    /** Sequence the mirrors are at: the snapshot's, or later, and then the overlays undo what came after. */
    readonly mirrorSeq: number;
    readonly #executor: VectorExecutor;
    readonly #codec: TypeCodec;
    readonly #connection: DuckDBConnection;
    readonly #pinned: Pinned;
    readonly #mirrors: ReadonlyMap<number, SnapshotMirror>;
    readonly #parts = new Map<number, TableParts>();
    #temporaries = 0;
    #canceled = false;
    #closed = false;
    #parked = false;
    readonly #whenClosed = Promise.withResolvers<void>();

    /** Made by `VectorExecutor.snapshot`. */
    constructor(
        executor: VectorExecutor,
        codec: TypeCodec,
        connection: DuckDBConnection,
        pinned: Pinned,
        mirrorSeq: number,
        mirrors: ReadonlyMap<number, SnapshotMirror>,
    ) {
        this.#executor = executor;
        this.#codec = codec;
        this.#connection = connection;
        this.#pinned = pinned;
        this.mirrorSeq = mirrorSeq;
        this.#mirrors = mirrors;
    }

    /** Throws PgError, or RetryOnReferencePath when PostgreSQL's answer is not known here. */
    async run(query: PrintedQuery, timeZone: string): Promise<VectorResult> {
        assert(!this.#closed, 'a query on a closed snapshot');
        try {
            await this.#executor.engine.setTimeZone(this.#connection, timeZone);
            const sql = await this.#assemble(query);
            this.#throwIfCanceled();
            const result = await this.#connection.stream(sql);
            return new VectorResult(
                async () => {
                    const chunk = await result.fetchChunk();
                    // An interrupted stream may end as if it were complete.
                    this.#throwIfCanceled();
                    return chunk;
                },
                (error) => failureOf(error, this.#canceled),
            );
        } catch (error) {
            throw failureOf(error, this.#canceled);
        }
    }

    get closed(): Promise<void> {
        return this.#whenClosed.promise;
    }

    /** Its client may be long in asking for more rows. */
    park(): void {
        if (!this.#parked && !this.#closed) this.#parked = this.#executor.engine.park();
    }

    unpark(): void {
        if (!this.#parked) return;
        this.#parked = false;
        this.#executor.engine.unpark();
    }

    /** Stops the running statement, which then fails with 57014. */
    cancel(): void {
        this.#canceled = true;
        if (!this.#closed) this.#connection.interrupt();
    }

    async close(): Promise<void> {
        if (this.#closed) return;
        this.#closed = true;
        this.unpark();
        await this.#connection.run('ROLLBACK').catch(() => undefined);
        this.#executor.forget(this);
        this.#whenClosed.resolve();
        this.#executor.engine.releaseReader(this.#connection);
    }

    async #assemble(query: PrintedQuery): Promise<string> {
        let sql = '';
        for (const [index, part] of query.parts.entries()) {
            sql += part;
            const number = query.references[index];
            if (number === undefined) continue;
            const reference = query.tables[number];
            assert(reference !== undefined);
            const input = this.#pinned.inputs.get(reference.table.tableId);
            assert(input !== undefined, `table ${reference.table.name} was not pinned`);
            sql += tableSql(reference, input, await this.#tableParts(input), this.#codec);
        }
        return sql;
    }

    async #tableParts(input: TableInput): Promise<TableParts> {
        const {tableId} = input.table;
        const known = this.#parts.get(tableId);
        if (known !== undefined) return known;
        const mirror = this.#mirrors.get(tableId);
        assert(mirror !== undefined, `table ${input.table.name} is not in the snapshot`);
        const overlay = input.overlay?.(this.mirrorSeq);
        if (overlay === undefined && this.mirrorSeq > this.#pinned.seq) {
            throw new RetryOnReferencePath('the mirror is past this snapshot');
        }
        const dead = new Map<number, string>();
        for (const segment of input.segments) {
            const list = await this.#rowidList(segment.deadRowids);
            if (list !== undefined) dead.set(segment.segmentId, list);
        }
        const parts: TableParts = {
            mirror: mirror.name,
            columns: mirror.columns,
            hidden: overlay === undefined ? undefined : await this.#rowidList(overlay.hiddenRowids),
            overlay:
                overlay === undefined ? undefined : await this.#overlayTable(input.table, mirror.columns, overlay.rows),
            dead,
        };
        this.#parts.set(tableId, parts);
        return parts;
    }

    async #rowidList(rowids: BigInt64Array): Promise<string | undefined> {
        if (rowids.length === 0) return undefined;
        if (rowids.length <= INLINE_ROWIDS_MAX) return rowids.join(', ');
        const name = await this.#temporary('rowid_ BIGINT NOT NULL');
        const appender = await this.#connection.createAppender(name, 'main', 'temp');
        appendRowids(appender, rowids);
        appender.closeSync();
        return `SELECT rowid_ FROM temp.main.${name}`;
    }

    async #overlayTable(
        table: TableDescriptor,
        columns: readonly MirrorColumn[],
        rows: readonly RowVersion[],
    ): Promise<string | undefined> {
        if (rows.length === 0) return undefined;
        const {mirror} = this.#executor;
        const name = await this.#temporary(
            ['_rowid BIGINT', '_seq BIGINT', '_updated BIGINT', '_owner INTEGER']
                .concat(columns.map(({attnum, type}) => `c${attnum} ${type.sql}`))
                .join(', '),
        );
        const appender = await this.#connection.createAppender(name, 'main', 'temp');
        const writer = new ChunkWriter(appender, mirror.writersOf(table, columns));
        try {
            for (let start = 0; start < rows.length; start += VECTOR_ROWS) {
                const slice = rows.slice(start, start + VECTOR_ROWS);
                const system: Datum[][] = [
                    slice.map((row) => row.rowid),
                    slice.map((row) => row.seq),
                    slice.map((row) => row.updatedNs),
                    slice.map((row) => row.owner),
                ];
                const values = columns.map((_, index) => slice.map((row) => row.values[index] ?? null));
                writer.write([...system, ...values], slice.length);
            }
        } catch (error) {
            if (!(error instanceof Unrepresentable)) throw error;
            mirror.demoteWritten(table, error.columnIndex);
            throw new RetryOnReferencePath(error.message, undefined, error);
        }
        appender.closeSync();
        return `temp.main.${name}`;
    }

    async #temporary(columns: string): Promise<string> {
        const name = `x${++this.#temporaries}`;
        await this.#connection.run(`CREATE TEMP TABLE ${name} (${columns})`);
        return name;
    }

    #throwIfCanceled(): void {
        if (this.#canceled) throw canceled();
    }
}

/** Chunks of a running statement, in order; null at the end. Read it to the end or close its snapshot. */
export class VectorResult {
    readonly #next: () => Promise<DuckDBDataChunk | null>;
    readonly #failure: (error: unknown) => Error;

    constructor(next: () => Promise<DuckDBDataChunk | null>, failure: (error: unknown) => Error) {
        this.#next = next;
        this.#failure = failure;
    }

    async fetch(): Promise<DuckDBDataChunk | null> {
        try {
            const chunk = await this.#next();
            return chunk === null || chunk.rowCount === 0 ? null : chunk;
        } catch (error) {
            throw this.#failure(error);
        }
    }
}
