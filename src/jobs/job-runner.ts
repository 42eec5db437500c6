/**
 * Background work on tables: flushes asked for, by policy or because the hot store is full; compaction; removal of what
 * has expired and of what nothing names any more. All of it one job at a time.
 *
 * What must stay true: every change of a manifest goes through this queue. Background work that fails is logged and
 * tried again later; it never stops the server. A server that stops does not flush.
 */
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {expiryCutoffNs, type TableDescriptor} from '../../catalog/descriptor.ts';
import {isStub, prefixRange, SPACE, tableRange} from '../../storage/hot/keys.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import type {Database} from '../database.ts';
import {collectOrphans, type RemovedSegment, removeSegments} from '../tiers/cleanup.ts';
import {evictHotRows, evictSegmentRows} from '../tiers/eviction.ts';
import {Mover, type MoveProgress} from '../tiers/mover.ts';
import {SegmentIds} from '../tiers/segment-ids.ts';
import type {TableTiers} from '../tiers/table-tiers.ts';
import type {CommittedTransaction} from '../txn/row-version.ts';
import {compactionGroups} from './compaction-groups.ts';
import {HotCounters} from './hot-counters.ts';
import type {Job, JobInfo, JobType} from './job.ts';
import {JobQueue, type JobWork} from './job-queue.ts';
import {storageFailure} from './storage-failure.ts';

const TICK_MS = 1000;
const FULL_CHECK_TICKS = 15;
/** Rows moved at a time when the hot store is full. */
const FULL_FLUSH_ROWS = 500_000;
const RETRY_AFTER_MS = 30_000;
/** For a table that is large and has nothing to flush. */
const NOTHING_LEFT_PAUSE_MS = 300_000;
/** A scan for expired rows takes at most this part of the time. */
const EVICTION_SHARE = 0.05;
const EVICTION_PAUSE_MS_MAX = 60_000;

export interface JobResult {
    readonly rows: number;
    readonly bytes: number;
    readonly ms: number;
}

interface Eviction {
    /** Monotonic time before which nothing needs to be looked at. */
    dueMs: number;
    from: Buffer | undefined;
}

export class JobRunner {
    readonly #database: Database;
    readonly #mover: Mover;
    readonly #queue = new JobQueue();
    readonly #counters = new HotCounters(() => performance.now());
    readonly #evictions = new Map<number, Eviction>();
    /** tableId → monotonic time before which background work does not try it again */
    readonly #pausedUntilMs = new Map<number, number>();
    /** Tables that have had segments: to find what they leave when they are dropped. */
    readonly #known = new Map<number, TableTiers>();
    readonly #scratchDirectory: string;
    #timer: NodeJS.Timeout | undefined;
    #unsubscribe: () => void = () => undefined;
    #ticks = 0;
    #counting: Promise<void> | undefined;
    #stopped = false;

    constructor(database: Database) {
        this.#database = database;
        this.#scratchDirectory = join(database.settings.data, 'mirror', 'segments');
        this.#mover = new Mover(database, {
            segmentIds: new SegmentIds(database.committer, database.hot),
            scratchDirectory: this.#scratchDirectory,
        });
    }

    start(): void {
        for (const table of this.#database.catalog.tables()) this.#know(table);
        this.#unsubscribe = this.#database.committer.subscribe((transaction) => this.#onCommitted(transaction));
        this.#background('cleanup', undefined, async (job) => {
            await rm(this.#scratchDirectory, {recursive: true, force: true});
            job.rowsDone = await collectOrphans(this.#database, job.abort.signal);
        });
        this.#timer = setInterval(() => this.#tick(), TICK_MS);
        this.#timer.unref();
    }

    async stop(): Promise<void> {
        this.#stopped = true;
        clearInterval(this.#timer);
        this.#unsubscribe();
        await this.#queue.stop();
        await this.#counting;
    }

    /** Moves every row committed before this call to segments. */
    async flush(table: TableDescriptor, signal?: AbortSignal): Promise<JobResult> {
        return await this.#tableJob('flush', table, signal, (job, current) => this.#flush(job, current));
    }

    /** Tables one after the other; the sum of what was done. */
    async flushAll(schema?: string): Promise<JobResult> {
        const total = {rows: 0, bytes: 0, ms: 0};
        const tables = [...this.#database.catalog.tables()];
        for (const table of tables.filter((each) => schema === undefined || each.schema === schema)) {
            const {rows, bytes, ms} = await this.flush(table);
            total.rows += rows;
            total.bytes += bytes;
            total.ms += ms;
        }
        return total;
    }

    /** Writes segments with dead rows, and small ones, anew. */
    async compact(table: TableDescriptor, signal?: AbortSignal): Promise<JobResult> {
        return await this.#tableJob('compact', table, signal, async (job, current) => {
            const {tiers} = this.#database.store(current);
            const groups = compactionGroups(tiers.manifest.segments, (segmentId) => tiers.deadCount(segmentId));
            for (const group of groups) await this.#replace(job, current, group);
        });
    }

    /** Newest first. */
    list(): JobInfo[] {
        return this.#queue.list();
    }

    /** False when there is no such job, or it has ended. */
    cancel(id: string): boolean {
        return this.#queue.cancel(id);
    }

    async #tableJob(
        type: JobType,
        table: TableDescriptor,
        signal: AbortSignal | undefined,
        work: (job: Job, table: TableDescriptor) => Promise<void>,
    ): Promise<JobResult> {
        const {tableId} = table;
        const job = await this.#queue.add(type, nameOf(table), signal, async (running) => {
            // It may have been renamed, or dropped, while the job waited.
            const current = this.#database.catalog.tableById(tableId);
            if (current === undefined) return running;
            this.#know(current);
            try {
                await work(running, current);
            } catch (error) {
                throw storageFailure(error);
            }
            return running;
        });
        return {rows: job.rowsDone, bytes: job.bytesDone, ms: job.tookMs ?? 0};
    }

    async #flush(job: Job, table: TableDescriptor, rowsMax?: number): Promise<void> {
        this.#counters.flushing(table.tableId);
        try {
            const options = {signal: job.abort.signal, progress: progressOf(job)};
            await this.#mover.flush(table, rowsMax === undefined ? options : {...options, rowsMax});
            if (rowsMax !== undefined) this.#counters.forget(table.tableId);
        } catch (error) {
            this.#counters.forget(table.tableId);
            throw error;
        }
    }

    async #replace(job: Job, table: TableDescriptor, segments: readonly SegmentMeta[]): Promise<void> {
        await this.#mover.compact(table, segments, {signal: job.abort.signal, progress: progressOf(job)});
        this.#removeLater(this.#database.tiers(table.tableId), segments);
    }

    /** Not in the job that took them out: a reader may hold its snapshot for hours, and others wait for their turn. */
    #removeLater(tiers: TableTiers, segments: readonly RemovedSegment[]): void {
        removeSegments(this.#database, tiers, segments).catch((error: unknown) => {
            // Found again at the next start.
            if (!this.#stopped) this.#database.logger.warn({error}, 'segments that are not needed any more are left');
        });
    }

    #know(table: TableDescriptor): void {
        const tiers = this.#database.tiers(table.tableId);
        this.#known.set(table.tableId, tiers);
    }

    #onCommitted(transaction: CommittedTransaction): void {
        this.#counters.note(transaction);
        if (transaction.truncated.length === 0 && transaction.altered.length === 0) return;
        // Rows may expire sooner now.
        for (const {tableId} of transaction.altered) this.#evictions.delete(tableId);
        for (const [tableId, tiers] of this.#known) {
            if (this.#database.catalog.tableById(tableId) !== undefined) continue;
            this.#known.delete(tableId);
            this.#evictions.delete(tableId);
            this.#pausedUntilMs.delete(tableId);
            // A flush of it that is under way notices before it commits.
            this.#removeLater(tiers, tiers.manifest.segments);
        }
    }

    #tick(): void {
        if (this.#stopped) return;
        const now = performance.now();
        for (const table of this.#database.catalog.tables()) {
            if ((this.#pausedUntilMs.get(table.tableId) ?? 0) > now) continue;
            const reason = this.#counters.reason(table);
            if (reason === 'due') this.#background('flush', table, (job, current) => this.#flush(job, current));
            else if (reason === 'count first') this.#count(table);
            if (this.#evictionIsDue(table, now))
                this.#background('evict', table, (job, current) => this.#evict(job, current));
        }
        if (this.#ticks++ % FULL_CHECK_TICKS === 0) this.#checkFull();
    }

    /** Queues work that nobody waits for, once. */
    #background(type: JobType, table: undefined, work: JobWork<void>): void;
    #background(type: JobType, table: TableDescriptor, work: (job: Job, table: TableDescriptor) => Promise<void>): void;
    #background(
        type: JobType,
        table: TableDescriptor | undefined,
        work: ((job: Job, table: TableDescriptor) => Promise<void>) & JobWork<void>,
    ): void {
        if (this.#queue.has(type, table === undefined ? '' : nameOf(table))) return;
        const done =
            table === undefined
                ? this.#queue.add(type, '', undefined, work)
                : this.#tableJob(type, table, undefined, work);
        done.catch((error: unknown) => {
            if (this.#stopped) return;
            if (table !== undefined) this.#pausedUntilMs.set(table.tableId, performance.now() + RETRY_AFTER_MS);
            this.#database.logger.error({error, job: type, table: table?.name}, 'background work failed');
        });
    }

    /** One table at a time, in pages; what is written meanwhile may be counted twice or not. */
    #count(table: TableDescriptor): void {
        this.#counting ??= this.#countRows(table)
            .catch((error: unknown) => {
                if (!this.#stopped) this.#database.logger.warn({error, table: table.name}, 'counting hot rows failed');
            })
            .finally(() => {
                this.#counting = undefined;
            });
    }

    async #countRows(table: TableDescriptor): Promise<void> {
        let rows = 0;
        let bytes = 0;
        for await (const page of this.#database.hot.pages(tableRange(table.tableId), 1000)) {
            if (this.#stopped) return;
            for (const [key, value] of page) {
                if (isStub(value)) continue;
                rows++;
                bytes += key.length + value.length;
            }
        }
        this.#counters.counted(table.tableId, rows, bytes);
    }

    #evictionIsDue(table: TableDescriptor, now: number): boolean {
        return expiryCutoffNs(table) !== undefined && (this.#evictions.get(table.tableId)?.dueMs ?? 0) <= now;
    }

    async #evict(job: Job, table: TableDescriptor): Promise<void> {
        const store = this.#database.store(table);
        const cutoffNs = expiryCutoffNs(table);
        if (cutoffNs === undefined || store.retired) return;
        const began = performance.now();
        const options = {
            cutoffNs,
            signal: job.abort.signal,
            onDeleted: (rows: number) => {
                job.rowsDone += rows;
            },
        };
        const {from} = this.#evictions.get(table.tableId) ?? {from: undefined};
        const hot = await evictHotRows(this.#database, store, options, from);
        const expired = store.tiers.manifest.segments.filter((segment) => segment.maxUpdatedNs < cutoffNs);
        for (const segment of expired) await this.#evictSegment(job, table, segment, options);
        const took = performance.now() - began;
        const oldestMs =
            hot.oldestNs === undefined
                ? (table.options.ttlMs ?? EVICTION_PAUSE_MS_MAX)
                : Number((hot.oldestNs - cutoffNs) / 1_000_000n);
        const pause = Math.min(Math.max(oldestMs, TICK_MS, took / EVICTION_SHARE), EVICTION_PAUSE_MS_MAX);
        this.#evictions.set(table.tableId, {dueMs: performance.now() + pause, from: hot.from});
    }

    async #evictSegment(
        job: Job,
        table: TableDescriptor,
        segment: SegmentMeta,
        options: Parameters<typeof evictSegmentRows>[3],
    ): Promise<void> {
        const {engine} = await this.#database.vector();
        const connection = await engine.connect();
        try {
            const store = this.#database.store(table);
            const left = await evictSegmentRows(this.#database, store, segment, options, connection);
            if (left > 0) return;
        } finally {
            connection.closeSync();
        }
        await this.#replace(job, table, [segment]);
    }

    /** Past `hot_bytes_max` the oldest rows of the largest table go. */
    #checkFull(): void {
        const {hot, settings, catalog, logger} = this.#database;
        const space = prefixRange(Buffer.from([SPACE.row]));
        const check = async (): Promise<void> => {
            if ((await hot.approximateBytes(space)) <= settings.hotBytesMax) return;
            let largest: {readonly table: TableDescriptor; readonly bytes: number} | undefined;
            for (const table of catalog.tables()) {
                if ((this.#pausedUntilMs.get(table.tableId) ?? 0) > performance.now()) continue;
                const bytes = await hot.approximateBytes(tableRange(table.tableId));
                if (bytes > (largest?.bytes ?? 0)) largest = {table, bytes};
            }
            if (largest === undefined || this.#stopped) return;
            this.#background('flush', largest.table, async (job, current) => {
                await this.#flush(job, current, FULL_FLUSH_ROWS);
                // What is left are stubs, or what LevelDB has not given back yet.
                if (job.rowsDone === 0)
                    this.#pausedUntilMs.set(current.tableId, performance.now() + NOTHING_LEFT_PAUSE_MS);
            });
        };
        check().catch((error: unknown) => {
            if (!this.#stopped) logger.warn({error}, 'looking at the size of the hot store failed');
        });
    }
}

function nameOf(table: TableDescriptor): string {
    return `${table.schema}.${table.name}`;
}

function progressOf(job: Job): MoveProgress {
    return {
        total: (rows) => {
            job.rowsTotal += rows;
        },
        done: (rows, bytes) => {
            job.rowsDone += rows;
            job.bytesDone += bytes;
        },
    };
}
