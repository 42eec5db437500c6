/**
 * The database without its network side: storage, catalog, transactions and engines joined together. Everything else is
 * handed what it needs from here.
 *
 * What must stay true: `open` replays the commit log before anything reads; the vectorised engine and the twin start
 * only when first needed; `close` makes everything durable and flushes nothing to segments.
 */
import type {Logger} from 'pino';
import {Catalog} from '../catalog/catalog.ts';
import type {CatalogRecord} from '../catalog/records.ts';
import type {TableDescriptor} from '../catalog/descriptor.ts';
import {PgError} from '../catalog/errors.ts';
import type {Twin} from '../catalog/twin/twin.ts';
import {DataDirectory} from '../storage/data-directory.ts';
import {HotStore} from '../storage/hot/hot-store.ts';
import {
    catalogRange,
    deletionRange,
    MANIFEST_RANGE,
    parseCatalogKey,
    parseDeletionKey,
    parseIdKey,
    SEQUENCE_RANGE,
} from '../storage/hot/keys.ts';
import {CommitLog} from '../storage/log/commit-log.ts';
import {FsObjectStore} from '../storage/objects/fs-store.ts';
import type {ObjectStore} from '../storage/objects/object-store.ts';
import type {PruningPredicate} from '../storage/parquet/pruning.ts';
import {decodeManifest} from '../storage/segments/manifest.ts';
import {dieAt, type FaultPoint} from './config/fault-points.ts';
import type {Settings} from './config/settings.ts';
import {DdlExecutor} from './exec/ddl/ddl-executor.ts';
import {Planner} from './exec/planner.ts';
import {ReferencePath} from './exec/reference/reference-path.ts';
import type {StatementContext} from './exec/statement-context.ts';
import type {BindContext} from './sql/binder/context.ts';
import {VectorExecutor} from './exec/vector/executor.ts';
import type {TableInput} from './exec/vector/table-input.ts';
import {typeCodec} from './exec/vector/type-codec.ts';
import type {TypeCodec} from './exec/vector/type-map.ts';
import {TableWriter} from './exec/write/table-writer.ts';
import {JobRunner} from './jobs/job-runner.ts';
import {LiveService} from './live/live-service.ts';
import {NotificationHub} from './live/notifications.ts';
import type {Session} from './session/session.ts';
import {provideSystemRelations} from './system/providers.ts';
import {fetchColdRow} from './tiers/cold-rows.ts';
import {HotRows} from './tiers/hot-source.ts';
import {tableInput} from './tiers/table-inputs.ts';
import {TableTiers} from './tiers/table-tiers.ts';
import {AdvisoryLocks} from './txn/advisory-locks.ts';
import {Committer} from './txn/committer.ts';
import type {Head} from './txn/head.ts';
import {recover} from './txn/recovery.ts';
import {RowCache} from './txn/row-cache.ts';
import {RowWrites} from './txn/row-writes.ts';
import {Sequences} from './txn/sequences.ts';
import {TableStore} from './txn/table-store.ts';
import {TableStores} from './txn/table-stores.ts';
import {UniqueSlots} from './txn/unique-slots.ts';
import {StalePlan} from './txn/waits.ts';

/** LevelDB's block cache: the row cache above it holds the hottest rows decoded. */
const HOT_CACHE_BYTES = 32 * 1024 * 1024;

export class Database {
    readonly name: string;
    readonly settings: Settings;
    readonly logger: Logger;
    readonly catalog: Catalog;
    readonly hot: HotStore;
    readonly log: CommitLog;
    readonly objects: ObjectStore;
    readonly cache: RowCache;
    readonly slots: UniqueSlots;
    readonly committer: Committer;
    readonly writes: RowWrites;
    readonly sequences: Sequences;
    readonly advisoryLocks = new AdvisoryLocks();
    readonly hotRows: HotRows;
    readonly planner: Planner;
    readonly twin: Twin;
    readonly ddl: DdlExecutor;
    readonly reference: ReferencePath;
    readonly jobs: JobRunner;
    readonly live: LiveService;
    readonly notifications: NotificationHub;
    readonly sessions = new Map<number, Session>();
    readonly typeCodec: TypeCodec;
    readonly startedAtMs = Date.now();
    readonly #directory: DataDirectory;
    readonly stores = new TableStores({
        make: (table, types) =>
            new TableStore(table, types ?? this.catalog.types, this.hot, this.cache, this.tiers(table.tableId)),
        committed: (tableId) => this.catalog.tableById(tableId),
    });
    readonly #tiers = new Map<number, TableTiers>();
    readonly #writers = new WeakMap<TableStore, {readonly catalogVersion: number; readonly writer: TableWriter}>();
    #vector: Promise<VectorExecutor> | undefined;
    #vectorReady: VectorExecutor | undefined;

    private constructor(parts: OpenParts) {
        this.settings = parts.settings;
        this.logger = parts.logger;
        this.name = parts.settings.database;
        this.#directory = parts.directory;
        this.hot = parts.hot;
        this.log = parts.log;
        this.catalog = parts.catalog;
        this.objects = parts.objects;
        this.#tiers = parts.tiers;
        this.cache = new RowCache(parts.settings.rowCacheBytes);
        this.slots = new UniqueSlots((key) => parts.hot.getSync(key));
        this.committer = new Committer({
            log: parts.log,
            hot: parts.hot,
            cache: this.cache,
            slots: this.slots,
            state: parts.state,
            clockNs: wallClockNs,
            fatal: parts.fatal,
        });
        this.writes = new RowWrites(this.slots, () => this.committer.allocateRowid());
        this.sequences = new Sequences(this.committer);
        for (const [id, state] of parts.sequences) this.sequences.restore(id, state.value, state.isCalled);
        this.hotRows = new HotRows(this.committer, this.hot, (table) => this.store(table));
        this.typeCodec = typeCodec({
            get: (oid) => this.catalog.types.get(oid) ?? this.stores.tentativeType(oid),
            require: (oid) =>
                this.catalog.types.get(oid) ?? this.stores.tentativeType(oid) ?? this.catalog.types.require(oid),
        });
        this.planner = new Planner(this);
        this.ddl = new DdlExecutor(this);
        this.reference = new ReferencePath(this);
        this.twin = this.ddl.makeTwin(parts.directory.paths.twin);
        this.jobs = new JobRunner(this);
        this.live = new LiveService(this);
        this.notifications = new NotificationHub(parts.settings.liveQueueBytesMax);
        this.committer.subscribe((transaction) => {
            if (transaction.notifications.length > 0) this.notifications.publish(transaction.notifications);
            this.#vectorReady?.mirror.onCommitted(transaction);
        });
    }

    static async open(settings: Settings, logger: Logger, fatal: (error: unknown) => void): Promise<Database> {
        const directory = DataDirectory.open(settings.data);
        const faults = logFaults(settings.faultPoint);
        const hot = await HotStore.open(directory.paths.hot, {
            cacheBytes: HOT_CACHE_BYTES,
            writeBufferBytes: 16 * 1024 * 1024,
            faults,
        });
        const log = await CommitLog.open(directory.paths.log, {
            fileBytes: settings.logFileBytes,
            onFatal: fatal,
            faults,
        });
        const {state, replayed} = await recover(hot, log);
        if (replayed > 0) logger.info({replayed, seq: state.seq}, 'replayed the commit log');
        const catalog = new Catalog();
        catalog.restore(await readCatalog(hot));
        const objects = await FsObjectStore.open(directory.paths.segments);
        const tiers = await readTiers(hot);
        const sequences = await readSequences(hot);
        const database = new Database({
            settings,
            logger,
            directory,
            hot,
            log,
            state,
            catalog,
            objects,
            tiers,
            sequences,
            fatal,
        });
        provideSystemRelations(database);
        await database.ddl.initialise();
        database.jobs.start();
        return database;
    }

    /** Names the version of PostgreSQL that is spoken, and our own. */
    get serverVersion(): string {
        return SERVER_VERSION;
    }

    get serverVersionNumber(): string {
        return '180006';
    }

    store(table: TableDescriptor): TableStore {
        return this.stores.get(table);
    }

    /** Forgets a table that is gone. */
    forgetTable(tableId: number): void {
        this.stores.forget(tableId);
        this.#tiers.delete(tableId);
        this.#vectorReady?.mirror.invalidate(tableId);
    }

    tiers(tableId: number): TableTiers {
        let tiers = this.#tiers.get(tableId);
        if (tiers === undefined) {
            tiers = new TableTiers(tableId);
            this.#tiers.set(tableId, tiers);
        }
        return tiers;
    }

    tableWriter(table: TableDescriptor, context: StatementContext): TableWriter {
        const store = this.store(table);
        const {version} = context.catalog;
        const known = this.#writers.get(store);
        if (known !== undefined && known.catalogVersion === version) return known.writer;
        const writer = new TableWriter(
            store,
            this.bindContext(context, []),
            {sources: [{table}], types: context.catalog.types},
            {
                of: (oid) =>
                    [...context.catalog.userTypes()].find((type) => type.kind === 'domain' && type.oid === oid),
                isChecked: (oid) => this.ddl.hasCheckedDomain(oid, context.catalog),
            },
        );
        this.#writers.set(store, {catalogVersion: version, writer});
        return writer;
    }

    bindContext(context: StatementContext, parameterTypes: readonly number[]): BindContext {
        const {catalog, searchPath} = context;
        return {
            catalog: {
                table: (schema, name) => catalog.table(schema, name, searchPath),
                view: (schema, name) => catalog.view(schema, name, searchPath),
            },
            types: catalog.types,
            parameterTypes,
            settings: context.output,
        };
    }

    /** Dies here when a crash test asked for it. */
    fault(point: FaultPoint): void {
        dieAt(this.settings.faultPoint)(point);
    }

    /** What the vectorised path reads of a table now. Called under its lock. */
    tableInput(
        context: StatementContext,
        table: TableDescriptor,
        predicates: readonly PruningPredicate[] = [],
        withExpired = false,
    ): TableInput {
        // The rows of a table that DDL has replaced meanwhile are not to be trusted.
        if (this.store(table).retired) throw new StalePlan();
        return tableInput(this, context, table, predicates, withExpired);
    }

    /** The vectorised engine, started when first needed. */
    vector(): Promise<VectorExecutor> {
        this.#vector ??= VectorExecutor.open(this.hotRows, this.typeCodec, {
            directory: this.#directory.paths.mirror,
            memoryBytesMax: this.settings.duckdbMemory,
            threads: this.settings.duckdbThreads,
            readersMax: 16,
            bufferedChangesMax: 500_000,
        }).then((executor) => {
            this.#vectorReady = executor;
            return executor;
        });
        return this.#vector;
    }

    /** Undefined until something needed it. */
    get startedVector(): VectorExecutor | undefined {
        return this.#vectorReady;
    }

    /** A column that the mirror keeps as text because a value did not fit its DuckDB type. */
    isDemoted(tableId: number, attnum: number): boolean {
        return this.#vectorReady?.mirror.isDemoted(tableId, attnum) ?? false;
    }

    async fetchColdRow(head: Head): Promise<void> {
        await fetchColdRow(this, head);
    }

    lockNotAvailable(table: string): PgError {
        return new PgError('55P03', `could not obtain lock on row in relation "${table}"`);
    }

    async sessionClosed(session: Session): Promise<void> {
        this.sessions.delete(session.processId);
        this.notifications.endSession(session.processId);
        this.live.endSession(session.processId);
    }

    /** Everything acknowledged is durable already; this brings LevelDB up to date and closes what is open. */
    async close(): Promise<void> {
        await this.jobs.stop();
        this.live.close();
        await this.ddl.close();
        this.sequences.settle();
        await this.committer.drain();
        await this.twin.close();
        if (this.#vector !== undefined) (await this.#vector).close();
        await this.log.close();
        await this.hot.close();
        await this.objects.close();
        this.#directory.close();
    }
}

export const TIDEWIRE_VERSION = '0.1.0';
export const SERVER_VERSION = `18.6 (Tidewire ${TIDEWIRE_VERSION})`;

interface OpenParts {
    readonly settings: Settings;
    readonly logger: Logger;
    readonly directory: DataDirectory;
    readonly hot: HotStore;
    readonly log: CommitLog;
    readonly state: {readonly seq: number; readonly nextRowid: number; readonly updatedNs: bigint};
    readonly catalog: Catalog;
    readonly objects: ObjectStore;
    readonly tiers: Map<number, TableTiers>;
    readonly sequences: ReadonlyMap<number, {readonly value: bigint; readonly isCalled: boolean}>;
    readonly fatal: (error: unknown) => void;
}

function wallClockNs(): bigint {
    return BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** The storage layer's own points, under the names that tests know. */
const LOG_FAULTS: Readonly<Record<string, FaultPoint>> = {
    'log.3.afterWrite': 'commit.log-written',
    'log.4.afterSync': 'commit.log-synced',
};

function logFaults(chosen: FaultPoint | ''): ((point: string) => void) | undefined {
    if (chosen === '') return undefined;
    const reached = dieAt(chosen);
    return (point) => {
        const named = LOG_FAULTS[point];
        if (named !== undefined) reached(named);
    };
}

async function readCatalog(hot: HotStore): Promise<CatalogRecord[]> {
    const records: CatalogRecord[] = [];
    for await (const page of hot.pages(catalogRange('other'), 1000)) {
        for (const [key, value] of page) records.push({key: parseCatalogKey(key).name, value: value.toString('utf8')});
    }
    return records;
}

async function readTiers(hot: HotStore): Promise<Map<number, TableTiers>> {
    const tiers = new Map<number, TableTiers>();
    for await (const page of hot.pages(MANIFEST_RANGE, 1000)) {
        for (const [, value] of page) {
            const manifest = decodeManifest(value.toString('utf8'));
            const table = new TableTiers(manifest.tableId, manifest);
            for (const segment of manifest.segments) {
                for await (const dead of hot.pages(deletionRange(segment.segmentId), 10_000)) {
                    for (const [key] of dead) table.restoreDead(segment.segmentId, parseDeletionKey(key).rowid, 0);
                }
            }
            tiers.set(manifest.tableId, table);
        }
    }
    return tiers;
}

async function readSequences(hot: HotStore): Promise<Map<number, {value: bigint; isCalled: boolean}>> {
    const states = new Map<number, {value: bigint; isCalled: boolean}>();
    for await (const page of hot.pages(SEQUENCE_RANGE, 1000)) {
        for (const [key, value] of page) states.set(parseIdKey(key), Sequences.decode(value));
    }
    return states;
}
