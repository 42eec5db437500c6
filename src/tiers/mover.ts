/**
 * Flush: moves a table's hot rows to a new segment. The protocol, step by step, is in README.md; this file is its order.
 *
 * What must stay true: immutable object first, then record, then forget. Manifest, mirror and commit sequence switch
 * together for whoever pins a snapshot under the executor's lock. Only one relocation of a table at a time: the caller
 * (src/jobs) takes turns. Whatever fails before the switch leaves the table as it was.
 */
import {strict as assert} from 'node:assert';
import type {DuckDBConnection} from '@duckdb/node-api';
import type {Logger} from 'pino';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {HotStore} from '../../storage/hot/hot-store.ts';
import {deletionKey} from '../../storage/hot/keys.ts';
import type {ObjectStore} from '../../storage/objects/object-store.ts';
import type {SegmentColumnSpec} from '../../storage/parquet/segment-writer.ts';
import {addSegments, replaceSegments, type SegmentMeta} from '../../storage/segments/manifest.ts';
import {mirrorSource, segmentColumnSpecs, sqlEngine} from '../exec/vector/segments.ts';
import type {TypeCodec} from '../exec/vector/type-map.ts';
import type {VectorExecutor} from '../exec/vector/executor.ts';
import {expiryCutoffNs} from '../exec/point/read.ts';
import type {FaultPoint} from '../config/fault-points.ts';
import type {Committer} from '../txn/committer.ts';
import {LockWait, waitForLock} from '../txn/locks.ts';
import type {RowWrites} from '../txn/row-writes.ts';
import type {TableStore} from '../txn/table-store.ts';
import {Transaction} from '../txn/transaction.ts';
import {compactionSource} from './compaction-source.ts';
import {makeSegment} from './new-segment.ts';
import {Relocation} from './relocation.ts';
import {RowMoves} from './row-moves.ts';
import type {SegmentIds} from './segment-ids.ts';
import {segmentPath} from './segment-path.ts';
import {SegmentReader} from './segment-reader.ts';
import {manifestOperation} from './table-tiers.ts';

/** Rows of one segment: bounds the memory of a flush and the size of its commit record. */
const PART_ROWS_MAX = 500_000;
/** Slices that are prepared again inside the switch rather than before it. */
const SWITCH_SLICES_MAX = 16;
const REFRESH_TURNS_MAX = 10;
/** How long a flush waits for DDL to end before it gives up. */
const TABLE_LOCK_TIMEOUT_MS = 30_000;

export interface MoveProgress {
    total(rows: number): void;
    /** Rows and bytes that are in segments now, in addition to those told before. */
    done(rows: number, bytes: number): void;
}

export interface MoveOptions {
    readonly signal: AbortSignal;
    readonly progress: MoveProgress;
}

export interface FlushOptions extends MoveOptions {
    /** At most so many rows, those that have not changed for the longest time; undefined = all. */
    readonly rowsMax?: number;
}

/** Which rows a part of a flush takes: the oldest ones of a range of `_seq`. */
interface SeqRange {
    readonly afterSeq: number;
    readonly throughSeq: number;
    readonly rowsMax: number;
}

/** Rows chosen for a segment, at the snapshot that `connection` holds. */
interface Chosen {
    readonly snapshotSeq: number;
    readonly source: string;
    readonly columns: readonly SegmentColumnSpec[];
    readonly rows: number;
    readonly maxSeq: number;
    readonly maxUpdatedNs: bigint;
}

/** The parts of the database that moving rows needs. */
export interface MoverDatabase {
    readonly committer: Committer;
    readonly hot: HotStore;
    readonly objects: ObjectStore;
    readonly writes: RowWrites;
    readonly typeCodec: TypeCodec;
    readonly logger: Logger;
    store(table: TableDescriptor): TableStore;
    vector(): Promise<VectorExecutor>;
    fault(point: FaultPoint): void;
}

export interface MoverOptions {
    readonly segmentIds: SegmentIds;
    readonly scratchDirectory: string;
    readonly partRowsMax?: number;
}

export class Mover {
    readonly #database: MoverDatabase;
    readonly #segmentIds: SegmentIds;
    readonly #scratchDirectory: string;
    readonly #partRowsMax: number;

    constructor(database: MoverDatabase, options: MoverOptions) {
        this.#database = database;
        this.#segmentIds = options.segmentIds;
        this.#scratchDirectory = options.scratchDirectory;
        this.#partRowsMax = options.partRowsMax ?? PART_ROWS_MAX;
    }

    /** Moves every row committed before this call, in as many segments as it takes. */
    async flush(table: TableDescriptor, options: FlushOptions): Promise<void> {
        const throughSeq = this.#database.committer.enqueuedSeq;
        let left = options.rowsMax ?? Number.MAX_SAFE_INTEGER;
        // Rows that stay hot because they are locked must not be chosen again by the next part.
        let afterSeq = 0;
        while (left > 0) {
            const range = {afterSeq, throughSeq, rowsMax: Math.min(left, this.#partRowsMax)};
            const part = await this.#flushPart(table, range, options);
            if (part.rows < range.rowsMax) return;
            left -= part.rows;
            afterSeq = part.maxSeq;
        }
    }

    async #flushPart(
        table: TableDescriptor,
        range: SeqRange,
        options: MoveOptions,
    ): Promise<{readonly rows: number; readonly maxSeq: number}> {
        const {committer} = this.#database;
        const store = this.#storeOf(table);
        const executor = await this.#database.vector();
        const relocation = new Relocation(await this.#segmentIds.next(), 'hot');
        store.tiers.beginRelocation(relocation);
        const moves = new RowMoves(store, relocation, this.#database.hot);
        const connection = await executor.engine.connect();
        try {
            // Step 1: what is enqueued by now is in the snapshot; what comes later is noted by the relocation.
            await committer.whenVisible(committer.enqueuedSeq);
            const chosen = await this.#chooseHot(executor, connection, store, range);
            if (chosen.rows === 0) return chosen;
            options.progress.total(chosen.rows);
            const segment = await this.#writeSegment(connection, store, relocation, chosen, options.signal);
            try {
                await this.#prepare(connection, store, relocation, moves, segment, chosen, options.signal);
                await this.#switch(executor, store, relocation, moves, {added: segment, removed: []}, options.signal);
            } catch (error) {
                if (relocation.visibleSeq === undefined) {
                    moves.unmark();
                    await this.#discard(segment);
                }
                throw error;
            }
            options.progress.done(relocation.count - relocation.stayingCount, segment.bytes);
            return chosen;
        } catch (error) {
            // What DDL has replaced or dropped meanwhile has no rows, or others: nothing is wrong with the hot store.
            throw store.retired && relocation.visibleSeq === undefined ? tableChanged(table, error) : error;
        } finally {
            connection.closeSync();
            store.tiers.endRelocation();
        }
    }

    /** One segment in the place of several of the table, with their live rows; none when all their rows are dead. */
    async compact(table: TableDescriptor, segments: readonly SegmentMeta[], options: MoveOptions): Promise<void> {
        const {committer, objects, typeCodec} = this.#database;
        const store = this.#storeOf(table);
        const executor = await this.#database.vector();
        const relocation = new Relocation(await this.#segmentIds.next(), 'cold');
        store.tiers.beginRelocation(relocation);
        const moves = new RowMoves(store, relocation, this.#database.hot);
        const connection = await executor.engine.connect();
        try {
            await committer.whenVisible(committer.enqueuedSeq);
            const snapshotSeq = committer.visibleSeq;
            const inputs = {store, segments, objects, codec: typeCodec, seq: snapshotSeq};
            const base = await compactionSource(connection, inputs);
            const chosen = {...base, snapshotSeq, ...(await totalsOf(connection, base.source))};
            options.progress.total(chosen.rows);
            const added =
                chosen.rows === 0
                    ? undefined
                    : await this.#writeSegment(connection, store, relocation, chosen, options.signal);
            try {
                if (added !== undefined) {
                    await this.#prepare(connection, store, relocation, moves, added, chosen, options.signal);
                }
                await this.#switch(executor, store, relocation, moves, {added, removed: segments}, options.signal);
            } catch (error) {
                if (relocation.visibleSeq === undefined && added !== undefined) await this.#discard(added);
                throw error;
            }
            options.progress.done(chosen.rows, added?.bytes ?? 0);
        } catch (error) {
            throw store.retired && relocation.visibleSeq === undefined ? tableChanged(table, error) : error;
        } finally {
            connection.closeSync();
            store.tiers.endRelocation();
        }
    }

    /** No manifest will name it. What cannot be deleted now is collected at the next start. */
    async #discard(segment: SegmentMeta): Promise<void> {
        try {
            await this.#database.objects.delete(segment.objectName);
        } catch (error) {
            this.#database.logger.warn({error, objectName: segment.objectName}, 'an orphan object is left');
        }
    }

    #storeOf(table: TableDescriptor): TableStore {
        const store = this.#database.store(table);
        if (store.retired) throw tableChanged(table);
        return store;
    }

    /** Step 1: fixes the snapshot and chooses the rows: the oldest up to `rowsMax`, without those that have expired. */
    async #chooseHot(
        executor: VectorExecutor,
        connection: DuckDBConnection,
        store: TableStore,
        {afterSeq, throughSeq, rowsMax}: SeqRange,
    ): Promise<Chosen> {
        const {mirror} = executor;
        const {table} = store;
        await mirror.prepare([table]);
        const fixed = await executor.exclusively(async () => {
            const snapshotSeq = await mirror.sync([table], this.#database.committer.visibleSeq);
            // Named before anything is awaited: a mirror may be forgotten at any time, its table stays for a while.
            const name = mirror.nameOf(table.tableId);
            const columns = segmentColumnSpecs(table, mirror, this.#database.typeCodec);
            await connection.run('BEGIN');
            return {snapshotSeq, name, columns};
        });
        const cutoff = expiryCutoffNs(store);
        const unexpired = cutoff === undefined ? '' : ` AND _updated >= CAST('${cutoff}' AS BIGINT)`;
        const chosen = async (seqMax: number): Promise<Chosen> => {
            const source = mirrorSource(fixed.name, `_seq > ${afterSeq} AND _seq <= ${seqMax}${unexpired}`);
            return {...fixed, source, ...(await totalsOf(connection, source))};
        };
        const all = await chosen(throughSeq);
        if (all.rows <= rowsMax) return all;
        const oldest = `SELECT _seq FROM (${all.source}) AS source ORDER BY _seq LIMIT 1 OFFSET ${rowsMax - 1}`;
        const [last] = await sqlEngine(connection).rows(oldest);
        return await chosen(Number(last?.[0]));
    }

    /** Steps 2 to 4. */
    async #writeSegment(
        connection: DuckDBConnection,
        store: TableStore,
        relocation: Relocation,
        chosen: Chosen,
        signal: AbortSignal,
    ): Promise<SegmentMeta> {
        const segment = await makeSegment(connection, {
            table: store.table,
            segmentId: relocation.segmentId,
            source: chosen.source,
            columns: chosen.columns,
            maxUpdatedNs: chosen.maxUpdatedNs,
            objects: this.#database.objects,
            scratchDirectory: this.#scratchDirectory,
            onPut: () => this.#fault(relocation, 'segment-written'),
            signal,
        });
        // The mirror's snapshot is not needed any more; without it, dropped mirrors give their memory back.
        if (relocation.from === 'hot') await connection.run('ROLLBACK');
        this.#fault(relocation, 'segment-verified');
        return segment;
    }

    /** Step 5: what the commit does to each row's key, from the segment itself. */
    async #prepare(
        connection: DuckDBConnection,
        store: TableStore,
        relocation: Relocation,
        moves: RowMoves,
        segment: SegmentMeta,
        chosen: Chosen,
        signal: AbortSignal,
    ): Promise<void> {
        const {committer, objects, typeCodec} = this.#database;
        await committer.whenApplied(chosen.snapshotSeq);
        const path = segmentPath(objects, segment);
        const reader = new SegmentReader(store.table, segment, path, typeCodec, RowMoves.keyColumns(store));
        for await (const rows of reader.rows(connection)) {
            signal.throwIfAborted();
            await moves.add(rows);
        }
        await moves.complete();
        if (relocation.count !== segment.rows) {
            throw new PgError('XX001', `segment ${segment.segmentId} gave ${relocation.count} of ${segment.rows} rows`);
        }
        for (let turn = 0; turn < REFRESH_TURNS_MAX && moves.refresh() > SWITCH_SLICES_MAX; turn++) {
            await new Promise((resolve) => setImmediate(resolve));
        }
    }

    /** Steps 6 and 7: the commit, and the mirror, under the lock that every vectorised reader takes. */
    async #switch(
        executor: VectorExecutor,
        store: TableStore,
        relocation: Relocation,
        moves: RowMoves,
        change: {readonly added: SegmentMeta | undefined; readonly removed: readonly SegmentMeta[]},
        signal: AbortSignal,
    ): Promise<void> {
        const {committer, logger} = this.#database;
        const {tableId} = store.table;
        for (;;) {
            const transaction = new Transaction(0);
            try {
                const seq = await executor.exclusively(async () => {
                    signal.throwIfAborted();
                    const enqueued = this.#enqueue(transaction, store, relocation, moves, change);
                    await committer.whenVisible(enqueued);
                    if (relocation.from === 'cold') return enqueued;
                    try {
                        await executor.mirror.removeFlushed(tableId, relocation.leaving());
                    } catch (error) {
                        // The mirror is rebuilt from the hot store, which does not have the rows any more.
                        executor.mirror.invalidate(tableId);
                        logger.warn({error, tableId}, 'rebuilding a mirror after a flush');
                    }
                    return enqueued;
                });
                await committer.whenApplied(seq);
                this.#fault(relocation, 'applied');
                return;
            } catch (error) {
                if (!(error instanceof LockWait)) throw error;
                await waitForLock(transaction, error.lock, TABLE_LOCK_TIMEOUT_MS);
            }
        }
    }

    /** Step 6, in one synchronous step. Throws LockWait while DDL has the table. */
    #enqueue(
        transaction: Transaction,
        store: TableStore,
        relocation: Relocation,
        moves: RowMoves,
        change: {readonly added: SegmentMeta | undefined; readonly removed: readonly SegmentMeta[]},
    ): number {
        const {committer, writes} = this.#database;
        const {tiers, table} = store;
        if (store.retired) throw tableChanged(table);
        writes.enter(transaction, store);
        moves.refresh();
        const removedIds = change.removed.map((segment) => segment.segmentId);
        const manifest =
            change.removed.length === 0 && change.added !== undefined
                ? addSegments(tiers.manifest, [change.added])
                : replaceSegments(tiers.manifest, removedIds, change.added === undefined ? [] : [change.added]);
        transaction.operations.push(manifestOperation(manifest));
        const {segmentId} = relocation;
        for (let index = 0; index < relocation.count; index++) {
            if (relocation.leaves(index)) continue;
            const rowid = relocation.rowid(index);
            if (tiers.isDead(segmentId, rowid)) continue;
            tiers.restoreDead(segmentId, rowid, 0);
            transaction.operations.push({key: deletionKey(segmentId, rowid), value: NOTHING});
        }
        transaction.prepared = moves.prepared;
        transaction.onVisible.push((seq) => {
            relocation.visibleSeq = seq;
            tiers.publish(manifest);
            this.#fault(relocation, 'manifest-logged');
        });
        const seq = committer.commit(transaction);
        relocation.seal();
        if (change.added !== undefined) for (const removed of removedIds) tiers.succeed(removed, segmentId);
        return seq;
    }

    #fault(relocation: Relocation, step: 'segment-written' | 'segment-verified' | 'manifest-logged' | 'applied'): void {
        if (relocation.from === 'hot') this.#database.fault(`flush.${step}`);
        else if (step === 'segment-written' || step === 'manifest-logged') this.#database.fault(`compact.${step}`);
    }
}

const NOTHING = Buffer.alloc(0);

export function tableChanged(table: TableDescriptor, cause?: unknown): PgError {
    return new PgError('40001', `table "${table.name}" was changed while its rows were moved`, {
        hint: 'Run it again.',
        cause,
    });
}

async function totalsOf(
    connection: DuckDBConnection,
    source: string,
): Promise<{rows: number; maxSeq: number; maxUpdatedNs: bigint}> {
    const sql = `SELECT count(*), max(_seq), max(_updated) FROM (${source}) AS source`;
    const [totals] = await sqlEngine(connection).rows(sql);
    assert(totals !== undefined);
    return {rows: Number(totals[0]), maxSeq: Number(totals[1] ?? 0), maxUpdatedNs: BigInt(totals[2] ?? 0)};
}
