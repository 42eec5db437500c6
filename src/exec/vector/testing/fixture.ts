/**
 * Test support: tables in memory as a hot store has them, the whole way of a query from text to rows on DuckDB, and
 * the same on PGlite for comparison.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {PGlite} from '@electric-sql/pglite';
import type {ColumnDescriptor, TableDescriptor} from '../../../../catalog/descriptor.ts';
import type {Datum} from '../../../../catalog/types/datum.ts';
import {TypeRegistry} from '../../../../catalog/types/registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../../catalog/types/settings.ts';
import {bindStatement} from '../../../sql/binder/bind.ts';
import type {BoundQuery} from '../../../sql/bound.ts';
import {loadParser, parseStatements} from '../../../sql/parse.ts';
import type {CommittedTransaction, RowChange, RowVersion} from '../../../txn/row-version.ts';
import {VectorExecutor} from '../executor.ts';
import type {Pinned} from '../executor.ts';
import type {HotScan, HotSource} from '../mirror.ts';
import {printQuery} from '../printer/queries.ts';
import type {PrintedQuery} from '../printer/queries.ts';
import {chunkDatums} from '../results.ts';
import type {TableInput} from '../table-input.ts';
import {typeCodec} from '../type-codec.ts';

export interface ColumnSpec {
    readonly name: string;
    readonly oid: number;
    readonly typmod?: number;
    readonly missing?: Datum;
}

export function tableDescriptor(tableId: number, name: string, specs: readonly ColumnSpec[]): TableDescriptor {
    const columns: ColumnDescriptor[] = specs.map((spec, index) => ({
        attnum: index + 1,
        name: spec.name,
        type: {oid: spec.oid, typmod: spec.typmod ?? -1},
        notNull: false,
        defaultSql: undefined,
        identity: undefined,
        sequence: undefined,
        missing: spec.missing ?? null,
    }));
    return {
        tableId,
        version: 1,
        oid: 20000 + tableId,
        schema: 'public',
        name,
        owner: 'postgres',
        columns,
        primaryKey: undefined,
        indexes: [],
        checks: [],
        options: {kind: 'shared', storage: 'local', ttlMs: undefined, flushPolicy: undefined, compression: 'zstd'},
    };
}

/** A hot store in memory with a change feed. */
export class MemoryStore implements HotSource {
    readonly rows = new Map<number, Map<number, RowVersion>>();
    seq = 0;
    listener: ((transaction: CommittedTransaction) => void) | undefined;
    scans = 0;

    scan(table: TableDescriptor): HotScan {
        this.scans++;
        const versions = [...(this.rows.get(table.tableId)?.values() ?? [])];
        return {
            seq: this.seq,
            batches: (async function* () {
                for (let start = 0; start < versions.length; start += 1000) {
                    await Promise.resolve();
                    yield versions.slice(start, start + 1000);
                }
            })(),
        };
    }

    /** One transaction; values undefined = delete. */
    commit(
        table: TableDescriptor,
        changes: readonly {rowid: number; values: readonly Datum[] | undefined; owner?: number}[],
    ): number {
        const rows = this.rows.get(table.tableId) ?? new Map<number, RowVersion>();
        this.rows.set(table.tableId, rows);
        const log: RowChange[] = [];
        for (const {rowid, values, owner} of changes) {
            this.seq++;
            const before = rows.get(rowid) ?? null;
            const after: RowVersion | null =
                values === undefined
                    ? null
                    : {
                          rowid,
                          seq: this.seq,
                          updatedNs: 1_700_000_000_000_000_000n + BigInt(this.seq),
                          owner: owner ?? 0,
                          values,
                          deleted: false,
                          previous: null,
                      };
            if (after === null) rows.delete(rowid);
            else rows.set(rowid, after);
            log.push({table, owner: owner ?? 0, rowid, seq: this.seq, before, after});
        }
        this.listener?.({seq: this.seq, changes: log, truncated: [], altered: [], notifications: [], expired: false});
        return this.seq;
    }
}

export class Fixture {
    readonly registry = new TypeRegistry();
    readonly codec = typeCodec(this.registry);
    readonly store = new MemoryStore();
    readonly tables: TableDescriptor[] = [];
    readonly executor: VectorExecutor;
    readonly directory: string;

    private constructor(executor: VectorExecutor, store: MemoryStore, directory: string) {
        this.executor = executor;
        this.store = store;
        this.directory = directory;
    }

    static async open(bufferedChangesMax = 100_000): Promise<Fixture> {
        await loadParser();
        const directory = await mkdtemp(join(tmpdir(), 'tidewire-vector-'));
        const store = new MemoryStore();
        const options = {
            directory: join(directory, 'scratch'),
            memoryBytesMax: 512 << 20,
            threads: 2,
            readersMax: 4,
            bufferedChangesMax,
        };
        const executor = await VectorExecutor.open(store, typeCodec(new TypeRegistry()), options);
        store.listener = (transaction) => executor.mirror.onCommitted(transaction);
        return new Fixture(executor, store, directory);
    }

    async close(): Promise<void> {
        this.executor.close();
        await rm(this.directory, {recursive: true, force: true});
    }

    bind(sql: string, parameterTypes: readonly number[] = []): BoundQuery {
        const [statement] = parseStatements(sql);
        if (statement === undefined) throw new Error('no statement');
        const bound = bindStatement(statement.tree, {
            catalog: {
                table: (_, name) => this.tables.find((table) => table.name === name),
                view: () => undefined,
            },
            types: this.registry,
            parameterTypes,
            settings: DEFAULT_OUTPUT_SETTINGS,
        });
        const query = bound.statement;
        if (query.kind !== 'select' && query.kind !== 'setop' && query.kind !== 'values')
            throw new Error('not a query');
        return query;
    }

    print(
        sql: string,
        parameters: readonly Datum[] = [],
        parameterTypes: readonly number[] = [],
    ): {printed: PrintedQuery; query: BoundQuery} {
        const query = this.bind(sql, parameterTypes);
        const printed = printQuery(query, {
            codec: this.codec,
            values: {parameters, value: () => 800_000_000_000_000n},
            isDemoted: (tableId, attnum) => this.executor.mirror.isDemoted(tableId, attnum),
        });
        return {printed, query};
    }

    pinned(inputs: readonly TableInput[] = []): Pinned {
        const all = new Map<number, TableInput>();
        for (const table of this.tables) {
            all.set(table.tableId, {
                table,
                segments: [],
                owner: undefined,
                updatedNsMin: undefined,
                overlay: undefined,
            });
        }
        for (const input of inputs) all.set(input.table.tableId, input);
        return {seq: this.store.seq, inputs: all};
    }

    async datums(
        sql: string,
        inputs: readonly TableInput[] = [],
        parameters: readonly Datum[] = [],
        parameterTypes: readonly number[] = [],
        timeZone = 'UTC',
    ): Promise<{rows: Datum[][]; oids: number[]}> {
        const {printed, query} = this.print(sql, parameters, parameterTypes);
        const tables = [...new Set(printed.tables.map((reference) => reference.table))];
        const snapshot = await this.executor.snapshot(tables, () => this.pinned(inputs));
        try {
            const result = await snapshot.run(printed, timeZone);
            const rows: Datum[][] = [];
            for (let chunk = await result.fetch(); chunk !== null; chunk = await result.fetch()) {
                rows.push(...chunkDatums(chunk, printed.columns, this.registry));
            }
            return {rows, oids: query.columns.map((column) => column.type.oid)};
        } finally {
            await snapshot.close();
        }
    }

    /** Rows as PostgreSQL's text, NULL as null. */
    async texts(
        sql: string,
        inputs: readonly TableInput[] = [],
        parameters: readonly Datum[] = [],
        parameterTypes: readonly number[] = [],
        timeZone = 'UTC',
    ): Promise<(string | null)[][]> {
        const {rows, oids} = await this.datums(sql, inputs, parameters, parameterTypes, timeZone);
        const settings = {...DEFAULT_OUTPUT_SETTINGS, timeZone};
        return rows.map((row) =>
            row.map((value, index) =>
                value === null ? null : this.registry.require(oids[index] ?? 25).print(value, settings),
            ),
        );
    }

    row(table: TableDescriptor, texts: readonly (string | null)[]): Datum[] {
        return table.columns.map((column, index) => {
            const text = texts[index] ?? null;
            return text === null ? null : this.registry.require(column.type.oid).parse(text);
        });
    }
}

/** PGlite's answer as text. */
export async function oracleTexts(pg: PGlite, sql: string): Promise<(string | null)[][]> {
    const identity = (text: string): string => text;
    const parsers = Object.fromEntries(
        [
            16, 17, 19, 20, 21, 23, 25, 26, 114, 700, 701, 869, 1000, 1005, 1007, 1016, 1009, 1022, 1042, 1043, 1082,
            1083, 1114, 1184, 1186, 1231, 1266, 1700, 2950, 3802, 1182, 1115, 705,
        ].map((oid) => [oid, identity]),
    );
    const result = await pg.query<(string | null)[]>(sql, [], {rowMode: 'array', parsers});
    return result.rows;
}
