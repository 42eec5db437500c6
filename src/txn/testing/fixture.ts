/**
 * The transaction core on a real hot store and commit log in a directory, without the rest of the database: what its
 * tests and its bench run on.
 */
import type {ColumnDescriptor, IndexDescriptor, TableDescriptor, TableKind} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {TypeRegistry} from '../../../catalog/types/registry.ts';
import {HotStore} from '../../../storage/hot/hot-store.ts';
import {indexRange, tableRange} from '../../../storage/hot/keys.ts';
import {CommitLog} from '../../../storage/log/commit-log.ts';
import {HotRows} from '../../tiers/hot-source.ts';
import {TableTiers} from '../../tiers/table-tiers.ts';
import {Committer} from '../committer.ts';
import {recover} from '../recovery.ts';
import {RowCache} from '../row-cache.ts';
import {RowWrites} from '../row-writes.ts';
import type {RowVersion} from '../row-version.ts';
import {Sequences} from '../sequences.ts';
import {decodeStoredRow} from '../stored-row.ts';
import {TableStore} from '../table-store.ts';
import {UniqueSlots} from '../unique-slots.ts';

export const TYPE = {
    bool: 16,
    int8: 20,
    int2: 21,
    int4: 23,
    text: 25,
    float8: 701,
    bpchar: 1042,
    varchar: 1043,
    numeric: 1700,
} as const;

export interface TableSpec {
    readonly tableId: number;
    readonly kind?: TableKind;
    readonly ttlMs?: number;
    /** Name and type of each column. */
    readonly columns: Readonly<Record<string, number>>;
    readonly primaryKey?: readonly string[];
    readonly indexes?: readonly {
        readonly columns: readonly string[];
        readonly unique?: boolean;
        readonly nullsNotDistinct?: boolean;
        readonly descending?: boolean;
    }[];
}

export function describeTable(spec: TableSpec): TableDescriptor {
    const names = Object.keys(spec.columns);
    const columns = Object.entries(spec.columns).map(([name, oid], i): ColumnDescriptor => ({
        attnum: i + 1,
        name,
        type: {oid, typmod: -1},
        notNull: spec.primaryKey?.includes(name) === true,
        defaultSql: undefined,
        identity: undefined,
        sequence: undefined,
        missing: null,
    }));
    const name = `t${spec.tableId}`;
    let next = spec.tableId * 100;
    const index = (columnNames: readonly string[], options: Partial<IndexDescriptor>): IndexDescriptor => ({
        indexId: ++next,
        oid: next,
        name: `${name}_${columnNames.join('_')}_key`,
        unique: false,
        primary: false,
        nullsNotDistinct: false,
        columns: columnNames.map((column) => names.indexOf(column) + 1),
        descending: columnNames.map(() => false),
        constraint: undefined,
        plain: true,
        definition: '',
        predicateSql: undefined,
        expressionsSql: columnNames.map(() => undefined),
        ...options,
    });
    const primaryKey =
        spec.primaryKey === undefined
            ? undefined
            : index(spec.primaryKey, {unique: true, primary: true, name: `${name}_pkey`});
    const others = (spec.indexes ?? []).map((one) =>
        index(one.columns, {
            unique: one.unique === true,
            nullsNotDistinct: one.nullsNotDistinct === true,
            descending: one.columns.map(() => one.descending === true),
        }),
    );
    return {
        tableId: spec.tableId,
        version: 1,
        oid: spec.tableId,
        schema: 'public',
        name,
        owner: 'postgres',
        columns,
        primaryKey,
        indexes: primaryKey === undefined ? others : [primaryKey, ...others],
        checks: [],
        options: {
            kind: spec.kind ?? 'shared',
            storage: 'local',
            ttlMs: spec.ttlMs,
            flushPolicy: undefined,
            compression: 'zstd',
        },
    };
}

export interface CoreOptions {
    readonly cacheBytes?: number;
    readonly clockNs?: () => bigint;
}

export class TestCore {
    readonly types = new TypeRegistry();
    readonly hot: HotStore;
    readonly log: CommitLog;
    readonly cache: RowCache;
    readonly slots: UniqueSlots;
    readonly committer: Committer;
    readonly writes: RowWrites;
    readonly sequences: Sequences;
    readonly hotRows: HotRows;
    readonly replayed: number;
    readonly #stores = new Map<number, TableStore>();
    failure: unknown;

    private constructor(
        hot: HotStore,
        log: CommitLog,
        recovered: Awaited<ReturnType<typeof recover>>,
        options: CoreOptions,
    ) {
        this.hot = hot;
        this.log = log;
        this.replayed = recovered.replayed;
        this.cache = new RowCache(options.cacheBytes ?? 64 * 1024 * 1024);
        this.slots = new UniqueSlots((key) => hot.getSync(key));
        this.committer = new Committer({
            log,
            hot,
            cache: this.cache,
            slots: this.slots,
            state: recovered.state,
            clockNs: options.clockNs ?? (() => BigInt(Date.now()) * 1_000_000n),
            fatal: (error) => {
                this.failure = error;
            },
        });
        this.writes = new RowWrites(this.slots, () => this.committer.allocateRowid());
        this.sequences = new Sequences(this.committer);
        this.hotRows = new HotRows(this.committer, hot, (table) => this.store(table));
    }

    static async open(directory: string, options: CoreOptions = {}): Promise<TestCore> {
        const hot = await HotStore.open(`${directory}/hot`, {
            cacheBytes: 8 * 1024 * 1024,
            writeBufferBytes: 4 * 1024 * 1024,
        });
        const log = await CommitLog.open(`${directory}/log`, {
            fileBytes: 4 * 1024 * 1024,
            onFatal: (error) => {
                throw error;
            },
        });
        return new TestCore(hot, log, await recover(hot, log), options);
    }

    store(table: TableDescriptor): TableStore {
        let store = this.#stores.get(table.tableId);
        if (store === undefined) {
            store = new TableStore(table, this.types, this.hot, this.cache, new TableTiers(table.tableId));
            this.#stores.set(table.tableId, store);
        }
        return store;
    }

    /** Everything enqueued is durable, visible and in LevelDB. */
    async settle(): Promise<void> {
        await this.committer.whenVisible(this.committer.enqueuedSeq);
        await this.committer.whenApplied(this.committer.enqueuedSeq);
    }

    /** The table's rows as LevelDB alone has them. */
    async storedRows(store: TableStore): Promise<RowVersion[]> {
        const rows: RowVersion[] = [];
        for await (const page of this.hot.pages(tableRange(store.table.tableId), 100)) {
            for (const [, value] of page) rows.push(decodeStoredRow(value, store.codec) as RowVersion);
        }
        return rows;
    }

    /** Every entry of the table's indexes in LevelDB: key and value in hexadecimal. */
    async storedEntries(store: TableStore): Promise<Map<string, string>> {
        const entries = new Map<string, string>();
        for (const {index} of store.indexes) {
            for await (const page of this.hot.pages(indexRange(index.indexId), 100)) {
                for (const [key, value] of page) entries.set(key.toString('hex'), value.toString('hex'));
            }
        }
        return entries;
    }

    /** The entries that these rows should have. */
    expectedEntries(
        store: TableStore,
        rows: readonly {readonly owner: number; readonly rowid: number; readonly values: readonly Datum[]}[],
    ): Map<string, string> {
        const entries = new Map<string, string>();
        for (const {owner, rowid, values} of rows) {
            const {bytes} = store.keyOfRow(values, rowid);
            for (const index of store.indexes)
                entries.set(index.entryKey(owner, values, bytes).toString('hex'), bytes.toString('hex'));
        }
        return entries;
    }

    /** Closes without bringing LevelDB up to date: the next start has to replay the log. */
    async abandon(): Promise<void> {
        const hold = this.committer.holdApply();
        await hold.settled;
        await this.committer.whenVisible(this.committer.enqueuedSeq);
        await this.log.close();
        await this.hot.close();
    }

    async close(): Promise<void> {
        await this.committer.drain();
        await this.log.close();
        await this.hot.close();
    }
}
