/**
 * Test support: commit log, hot store, transactions, DuckDB and tiers of a few tables in a directory, without SQL
 * sessions or a catalog. Opening it again is a restart: it recovers as the database does.
 */
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {pino} from 'pino';
import type {CatalogView} from '../../../catalog/catalog.ts';
import type {ColumnDescriptor, IndexDescriptor, TableDescriptor, TableOptions} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {TypeRegistry} from '../../../catalog/types/registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import {HotBatch, HotStore} from '../../../storage/hot/hot-store.ts';
import {deletionRange, manifestKey, parseDeletionKey} from '../../../storage/hot/keys.ts';
import {CommitLog} from '../../../storage/log/commit-log.ts';
import {FsObjectStore} from '../../../storage/objects/fs-store.ts';
import {decodeManifest} from '../../../storage/segments/manifest.ts';
import {dieAt, type FaultPoint, type FaultPointReached} from '../../config/fault-points.ts';
import type {Database} from '../../database.ts';
import type {StatementContext} from '../../exec/statement-context.ts';
import {VectorExecutor} from '../../exec/vector/executor.ts';
import {printQuery} from '../../exec/vector/printer/queries.ts';
import {chunkDatums} from '../../exec/vector/results.ts';
import {typeCodec} from '../../exec/vector/type-codec.ts';
import {bindStatement} from '../../sql/binder/bind.ts';
import {loadParser, parseStatements} from '../../sql/parse.ts';
import {decodeCommitRecord} from '../../txn/commit-record.ts';
import {Committer, decodeMeta, META_KEY} from '../../txn/committer.ts';
import type {Head} from '../../txn/head.ts';
import {lock} from '../../txn/locks.ts';
import {RowCache} from '../../txn/row-cache.ts';
import {ColdRow, currentRow, RowWrites} from '../../txn/row-writes.ts';
import {TableStore} from '../../txn/table-store.ts';
import {Transaction} from '../../txn/transaction.ts';
import {UniqueSlots} from '../../txn/unique-slots.ts';
import {fetchColdRow} from '../cold-rows.ts';
import {Mover, type MoverDatabase, type MoverOptions} from '../mover.ts';
import {HotRows} from '../hot-source.ts';
import {SegmentIds} from '../segment-ids.ts';
import {tableInput} from '../table-inputs.ts';
import {TableTiers} from '../table-tiers.ts';

export interface ColumnSpec {
    readonly name: string;
    readonly oid: number;
    readonly typmod?: number;
    readonly missing?: Datum;
}

export interface TableSpec {
    readonly tableId: number;
    readonly name: string;
    readonly columns: readonly ColumnSpec[];
    /** attnums. */
    readonly primaryKey?: readonly number[];
    readonly indexes?: readonly {readonly unique: boolean; readonly columns: readonly number[]}[];
    readonly options?: Partial<TableOptions>;
}

export function makeTable(spec: TableSpec): TableDescriptor {
    const columns: ColumnDescriptor[] = spec.columns.map((column, i) => ({
        attnum: i + 1,
        name: column.name,
        type: {oid: column.oid, typmod: column.typmod ?? -1},
        notNull: false,
        defaultSql: undefined,
        identity: undefined,
        sequence: undefined,
        missing: column.missing ?? null,
    }));
    const index = (
        indexId: number,
        unique: boolean,
        primary: boolean,
        attnums: readonly number[],
    ): IndexDescriptor => ({
        indexId: spec.tableId * 100 + indexId,
        oid: 30_000 + indexId,
        name: `${spec.name}_${indexId}`,
        unique,
        primary,
        nullsNotDistinct: false,
        columns: attnums,
        descending: attnums.map(() => false),
        constraint: undefined,
        plain: true,
        definition: '',
        predicateSql: undefined,
        expressionsSql: attnums.map(() => undefined),
    });
    const primaryKey = spec.primaryKey === undefined ? undefined : index(1, true, true, spec.primaryKey);
    const others = (spec.indexes ?? []).map(({unique, columns: attnums}, i) => index(i + 2, unique, false, attnums));
    return {
        tableId: spec.tableId,
        version: 1,
        oid: 20_000 + spec.tableId,
        schema: 'public',
        name: spec.name,
        owner: 'postgres',
        columns,
        primaryKey,
        indexes: [...(primaryKey === undefined ? [] : [primaryKey]), ...others],
        checks: [],
        options: {
            kind: 'shared',
            storage: 'local',
            ttlMs: undefined,
            flushPolicy: undefined,
            compression: 'zstd',
            ...spec.options,
        },
    };
}

export interface TiersFixtureOptions {
    readonly directory: string;
    readonly tables: readonly TableDescriptor[];
    readonly faultPoint?: FaultPoint;
    /** Called at every fault point. */
    readonly reached?: FaultPointReached;
    readonly mover?: Pick<MoverOptions, 'partRowsMax'>;
    readonly cacheBytes?: number;
}

export class TiersFixture implements MoverDatabase {
    readonly types = new TypeRegistry();
    readonly typeCodec = typeCodec(this.types);
    readonly logger = pino({level: 'silent'});
    readonly hot: HotStore;
    readonly log: CommitLog;
    readonly objects: FsObjectStore;
    readonly cache: RowCache;
    readonly committer: Committer;
    readonly writes: RowWrites;
    readonly hotRows: HotRows;
    readonly mover: Mover;
    readonly #stores = new Map<number, TableStore>();
    readonly #tiers: ReadonlyMap<number, TableTiers>;
    readonly #tables: readonly TableDescriptor[];
    readonly #directory: string;
    readonly #reached: FaultPointReached;
    readonly #die: FaultPointReached;
    #vector: VectorExecutor | undefined;
    #opening: Promise<VectorExecutor> | undefined;

    private constructor(
        options: TiersFixtureOptions,
        hot: HotStore,
        log: CommitLog,
        objects: FsObjectStore,
        tiers: ReadonlyMap<number, TableTiers>,
        state: {seq: number; nextRowid: number; updatedNs: bigint},
    ) {
        this.hot = hot;
        this.log = log;
        this.objects = objects;
        this.#tiers = tiers;
        this.#tables = options.tables;
        this.#directory = options.directory;
        this.#die = dieAt(options.faultPoint ?? '');
        this.#reached = options.reached ?? (() => undefined);
        this.cache = new RowCache(options.cacheBytes ?? 64 << 20);
        const slots = new UniqueSlots((key) => hot.getSync(key));
        this.committer = new Committer({
            log,
            hot,
            cache: this.cache,
            slots,
            state,
            clockNs: () => BigInt(Date.now()) * 1_000_000n,
            fatal: fail,
        });
        this.writes = new RowWrites(slots, () => this.committer.allocateRowid());
        this.hotRows = new HotRows(this.committer, hot, (table) => this.store(table));
        this.mover = new Mover(this, {
            ...options.mover,
            segmentIds: new SegmentIds(this.committer, hot),
            scratchDirectory: join(options.directory, 'scratch'),
        });
        this.committer.subscribe((transaction) => this.#vector?.mirror.onCommitted(transaction));
    }

    static async open(options: TiersFixtureOptions): Promise<TiersFixture> {
        await loadParser();
        const {directory} = options;
        const parts = ['hot', 'log', 'segments'].map((part) => join(directory, part));
        for (const part of parts) await mkdir(part, {recursive: true});
        const [hotPath = '', logPath = '', segmentsPath = ''] = parts;
        const hot = await HotStore.open(hotPath, {cacheBytes: 8 << 20, writeBufferBytes: 4 << 20});
        const log = await CommitLog.open(logPath, {fileBytes: 4 << 20, onFatal: fail});
        const state = await recover(hot, log);
        const objects = await FsObjectStore.open(segmentsPath);
        const tiers = new Map<number, TableTiers>();
        for (const {tableId} of options.tables) tiers.set(tableId, await readTiers(hot, tableId));
        return new TiersFixture(options, hot, log, objects, tiers, state);
    }

    fault(point: FaultPoint): void {
        this.#reached(point);
        this.#die(point);
    }

    store(table: TableDescriptor): TableStore {
        let store = this.#stores.get(table.tableId);
        if (store === undefined) {
            store = new TableStore(table, this.types, this.hot, this.cache, this.tiers(table.tableId));
            this.#stores.set(table.tableId, store);
        }
        return store;
    }

    tiers(tableId: number): TableTiers {
        const tiers = this.#tiers.get(tableId);
        if (tiers === undefined) throw new Error(`no table ${tableId}`);
        return tiers;
    }

    async vector(): Promise<VectorExecutor> {
        this.#opening ??= VectorExecutor.open(this.hotRows, this.typeCodec, {
            directory: join(this.#directory, 'mirror'),
            memoryBytesMax: 512 << 20,
            threads: 2,
            readersMax: 4,
            bufferedChangesMax: 100_000,
        }).then((executor) => (this.#vector = executor));
        return await this.#opening;
    }

    async flush(table: TableDescriptor, signal = new AbortController().signal): Promise<{rows: number; bytes: number}> {
        const moved = {rows: 0, bytes: 0};
        const progress = {
            total: () => undefined,
            done: (rows: number, bytes: number) => {
                moved.rows += rows;
                moved.bytes += bytes;
            },
        };
        await this.mover.flush(table, {signal, progress});
        return moved;
    }

    async compact(table: TableDescriptor, segments = this.tiers(table.tableId).manifest.segments): Promise<void> {
        const progress = {total: () => undefined, done: () => undefined};
        await this.mover.compact(table, segments, {signal: new AbortController().signal, progress});
    }

    get startedVector(): VectorExecutor | undefined {
        return this.#vector;
    }

    /** As much of a catalog as removing what nothing names needs. */
    get catalog(): CatalogView {
        const tables = this.#tables;
        return {
            tables: () => tables,
            tableById: (id: number) => tables.find((table) => table.tableId === id),
        } as unknown as CatalogView;
    }

    /** Runs `work` in a transaction again and again until it has met no cold row, and commits. */
    async write(table: TableDescriptor, work: (write: TableWrites) => void): Promise<number> {
        for (;;) {
            const transaction = new Transaction(1);
            try {
                work(new TableWrites(this, transaction, this.store(table)));
                const seq = this.committer.commit(transaction);
                await this.committer.whenVisible(seq);
                return seq;
            } catch (error) {
                this.committer.rollback(transaction);
                if (!(error instanceof ColdRow)) throw error;
                await fetchColdRow(this, error.head);
            }
        }
    }

    begin(table: TableDescriptor): {transaction: Transaction; write: TableWrites} {
        const transaction = new Transaction(1);
        return {transaction, write: new TableWrites(this, transaction, this.store(table))};
    }

    /** Rows of a SELECT on the vectorised path, as text. */
    async query(sql: string, transaction: Transaction | null = null, roleId = 0): Promise<(string | null)[][]> {
        const [statement] = parseStatements(sql);
        if (statement === undefined) throw new Error('no statement');
        const bound = bindStatement(statement.tree, {
            catalog: {table: (_, name) => this.#tables.find((table) => table.name === name), view: () => undefined},
            types: this.types,
            parameterTypes: [],
            settings: DEFAULT_OUTPUT_SETTINGS,
        });
        const select = bound.statement;
        if (select.kind !== 'select') throw new Error('not a SELECT');
        const executor = await this.vector();
        const printed = printQuery(select, {
            codec: this.typeCodec,
            values: {parameters: [], value: () => 0n},
            isDemoted: (tableId, attnum) => executor.mirror.isDemoted(tableId, attnum),
        });
        const tables = [...new Set(printed.tables.map((reference) => reference.table))];
        const context = {transaction, allUsers: roleId === 0, identity: {roleId}} as unknown as StatementContext;
        const snapshot = await executor.snapshot(tables, () => ({
            seq: this.committer.visibleSeq,
            inputs: new Map(
                tables.map((table) => [table.tableId, tableInput(this as unknown as Database, context, table)]),
            ),
        }));
        try {
            const result = await snapshot.run(printed, 'UTC');
            const rows: Datum[][] = [];
            for (let chunk = await result.fetch(); chunk !== null; chunk = await result.fetch()) {
                rows.push(...chunkDatums(chunk, printed.columns, this.types));
            }
            const oids = select.columns.map((column) => column.type.oid);
            return rows.map((row) =>
                row.map((value, i) =>
                    value === null ? null : this.types.require(oids[i] ?? 25).print(value, DEFAULT_OUTPUT_SETTINGS),
                ),
            );
        } finally {
            await snapshot.close();
        }
    }

    async close(): Promise<void> {
        await this.committer.drain();
        this.#vector?.close();
        await this.log.close();
        await this.hot.close();
        await this.objects.close();
    }
}

/** Changes of one table in one transaction, by primary key. */
export class TableWrites {
    readonly #fixture: TiersFixture;
    readonly #transaction: Transaction;
    readonly #store: TableStore;

    constructor(fixture: TiersFixture, transaction: Transaction, store: TableStore) {
        this.#fixture = fixture;
        this.#transaction = transaction;
        this.#store = store;
        fixture.writes.enter(transaction, store);
    }

    insert(values: readonly Datum[], owner = 0): Head {
        const inserted = this.#fixture.writes.insert(this.#transaction, this.#store, owner, values, 'error');
        if ('constraint' in inserted) throw new Error('a conflict');
        return inserted;
    }

    read(key: readonly Datum[], owner = 0): readonly Datum[] | undefined {
        return currentRow(this.#transaction, this.#lock(this.#store.headOfKey(owner, key)))?.values;
    }

    update(key: readonly Datum[], change: (values: readonly Datum[]) => readonly Datum[], owner = 0): boolean {
        return this.updateHead(this.#store.headOfKey(owner, key), change);
    }

    updateHead(head: Head, change: (values: readonly Datum[]) => readonly Datum[]): boolean {
        const current = currentRow(this.#transaction, this.#lock(head));
        if (current === null) return false;
        this.#fixture.writes.update(this.#transaction, head, current, change(current.values));
        return true;
    }

    delete(key: readonly Datum[], owner = 0): boolean {
        const head = this.#lock(this.#store.headOfKey(owner, key));
        const current = currentRow(this.#transaction, head);
        if (current === null) return false;
        this.#fixture.writes.delete(this.#transaction, head, current);
        return true;
    }

    #lock(head: Head): Head {
        lock(this.#transaction, head);
        return head;
    }
}

function fail(error: unknown): never {
    console.error(error);
    process.exit(3);
}

async function recover(hot: HotStore, log: CommitLog): Promise<{seq: number; nextRowid: number; updatedNs: bigint}> {
    const meta = hot.getSync(META_KEY);
    let {nextRowid, updatedNs} = meta === undefined ? {nextRowid: 1, updatedNs: 0n} : decodeMeta(meta);
    let seq = hot.appliedSeq;
    const batch = new HotBatch();
    await log.replay(hot.appliedSeq, (entry) => {
        const record = decodeCommitRecord(Buffer.from(entry.payload));
        for (const {key, value} of record.operations) {
            if (value === null) batch.delete(key);
            else batch.put(key, value);
        }
        ({seq} = entry);
        nextRowid = Math.max(nextRowid, record.nextRowid);
        updatedNs = record.updatedNs > updatedNs ? record.updatedNs : updatedNs;
    });
    await hot.write(batch, seq);
    return {seq, nextRowid, updatedNs};
}

async function readTiers(hot: HotStore, tableId: number): Promise<TableTiers> {
    const bytes = hot.getSync(manifestKey(tableId));
    if (bytes === undefined) return new TableTiers(tableId);
    const manifest = decodeManifest(bytes.toString('utf8'));
    const tiers = new TableTiers(tableId, manifest);
    for (const {segmentId} of manifest.segments) {
        for await (const page of hot.pages(deletionRange(segmentId), 1000)) {
            for (const [key] of page) tiers.restoreDead(segmentId, parseDeletionKey(key).rowid, 0);
        }
    }
    return tiers;
}
