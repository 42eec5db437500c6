/**
 * The rows of tables as one statement sees them, made ready for the twin: hot, cold and the session's own uncommitted
 * ones, through one snapshot of the vectorised engine.
 *
 * What must stay true: the rows of all tables belong to one snapshot; their number and bytes are bounded over all
 * tables together; the snapshot is closed before the twin is waited for.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {SEGMENT_ATTNUM, SYSTEM_COLUMNS} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import {openSnapshot} from '../vector-plan.ts';
import {RetryOnReferencePath} from '../vector/failures.ts';
import type {VectorSnapshot} from '../vector/executor.ts';
import type {OutputPlan, PrintedQuery} from '../vector/printer/queries.ts';
import {chunkDatums} from '../vector/results.ts';
import {duckTypeOf, PRINTED_TYPE} from '../vector/type-map.ts';
import type {StatementContext} from '../statement-context.ts';
import {copyLine} from './copy-text.ts';

/** A row that the statement may change or lock. */
export interface LoadedRow {
    readonly rowid: number;
    readonly seq: number;
    readonly updatedNs: bigint;
    readonly owner: number;
    /** 0 = hot. */
    readonly segmentId: number;
    /** In the order of `table.columns`. */
    readonly values: readonly Datum[];
}

export interface TableRows {
    readonly table: TableDescriptor;
    /** Quoted names, in the order of the lines. */
    readonly columns: readonly string[];
    /** COPY data. */
    readonly chunks: readonly Buffer[];
    readonly rowCount: number;
    /** In the order of the lines; empty unless asked for. */
    readonly rows: readonly LoadedRow[];
}

export interface RowsRequest {
    readonly table: TableDescriptor;
    /** Keep the rows: the statement changes or locks them. */
    readonly keep: boolean;
    /** Leave out rows for which this is false. */
    readonly include?: (row: LoadedRow) => boolean;
    readonly systemColumns: boolean;
}

/** Bytes of COPY data for one statement. */
const LOAD_BYTES_MAX = 256 * 1024 * 1024;
const CHUNK_CHARACTERS = 256 * 1024;
/** A snapshot can come too late for the mirror; the next one does not. */
const SNAPSHOT_ATTEMPTS_MAX = 5;

const INT8 = 20;
const TIMESTAMPTZ = 1184;
const EPOCH_2000_MICROS = 946_684_800_000_000n;
const HIDDEN = ['_rowid', '_seq', '_updated', '_owner', '_segment'] as const;

export async function readTables(context: StatementContext, requests: readonly RowsRequest[]): Promise<TableRows[]> {
    if (requests.length === 0) return [];
    for (let attempt = 1; ; attempt++) {
        try {
            return await readSnapshot(context, requests);
        } catch (error) {
            if (!(error instanceof RetryOnReferencePath)) throw error;
            if (attempt < SNAPSHOT_ATTEMPTS_MAX) continue;
            throw error.likely ?? new PgError('XX000', 'rows could not be read', {detail: error.message, cause: error});
        }
    }
}

async function readSnapshot(context: StatementContext, requests: readonly RowsRequest[]): Promise<TableRows[]> {
    const budget = new Budget(context.database.settings.referenceRowsMax);
    const snapshot = await openSnapshot(
        context,
        requests.map((request) => request.table),
    );
    try {
        const result: TableRows[] = [];
        for (const request of requests) result.push(await readTable(context, snapshot, request, budget));
        return result;
    } finally {
        context.onCancel(undefined);
        await snapshot.close();
    }
}

async function readTable(
    context: StatementContext,
    snapshot: VectorSnapshot,
    request: RowsRequest,
    budget: Budget,
): Promise<TableRows> {
    const {table} = request;
    const {types} = context.catalog;
    const printed = printScan(context, table, budget.rowsLeft + 1);
    const result = await snapshot.run(printed, 'UTC');
    const rows: LoadedRow[] = [];
    for (;;) {
        const chunk = await result.fetch();
        if (chunk === null) break;
        for (const values of chunkDatums(chunk, printed.columns, types)) {
            budget.takeRow(table);
            const row = loadedRow(values, table.columns.length);
            if (request.include === undefined || request.include(row)) rows.push(row);
        }
    }
    // The order of a heap that was written in commit order: what applications see on PostgreSQL.
    rows.sort((a, b) => placeOf(a) - placeOf(b) || a.rowid - b.rowid);
    const columnTypes = table.columns.map((column) => types.require(column.type.oid));
    return {
        table,
        columns: columnNames(table, request.systemColumns).map(quoteIdentifier),
        chunks: copyChunks(rows, columnTypes, systemTypes(context, request), table, budget),
        rowCount: rows.length,
        rows: request.keep ? rows : [],
    };
}

/** Every column and the hidden ones, in this order. */
function printScan(context: StatementContext, table: TableDescriptor, rowsMax: number): PrintedQuery {
    const {database} = context;
    const codec = database.typeCodec;
    const attnums = new Set([...table.columns.map((column) => column.attnum), SEGMENT_ATTNUM]);
    const texts = new Set(
        table.columns.map(({attnum}) => attnum).filter((attnum) => database.isDemoted(table.tableId, attnum)),
    );
    const columns: OutputPlan[] = table.columns.map((column, index) => {
        const duck = texts.has(column.attnum) ? PRINTED_TYPE : duckTypeOf(column.type, codec);
        return {kind: 'plain', column: index, duck, typeOid: column.type.oid};
    });
    const bigint = duckTypeOf({oid: INT8, typmod: -1}, codec);
    const list = table.columns.map((column) => `s.c${column.attnum}`);
    for (const name of HIDDEN) {
        columns.push({kind: 'plain', column: list.length, duck: bigint, typeOid: INT8});
        list.push(`CAST(s.${name} AS BIGINT)`);
    }
    return {
        parts: [`SELECT ${list.join(', ')} FROM `, ` AS s LIMIT ${rowsMax}`],
        references: [0],
        tables: [{table, attnums, texts}],
        columns,
    };
}

function loadedRow(values: readonly Datum[], width: number): LoadedRow {
    const hidden = (index: number): bigint => (values[width + index] ?? 0n) as bigint;
    return {
        rowid: Number(hidden(0)),
        seq: Number(hidden(1)),
        updatedNs: hidden(2),
        owner: Number(hidden(3)),
        segmentId: Number(hidden(4)),
        values: values.slice(0, width),
    };
}

/** The transaction's own rows have no place in the order of commits yet: they come last. */
function placeOf(row: LoadedRow): number {
    return row.seq > 0 ? row.seq : Number.MAX_SAFE_INTEGER;
}

function columnNames(table: TableDescriptor, systemColumns: boolean): string[] {
    const names = table.columns.map((column) => column.name);
    return systemColumns ? [...names, ...addedSystemColumns(table)] : names;
}

/** The system columns that are not hidden by columns of the table's own. */
export function addedSystemColumns(table: TableDescriptor): (keyof typeof SYSTEM_COLUMNS)[] {
    const own = new Set(table.columns.map((column) => column.name));
    return (Object.keys(SYSTEM_COLUMNS) as (keyof typeof SYSTEM_COLUMNS)[]).filter((name) => !own.has(name));
}

interface SystemType {
    readonly type: PgType;
    readonly value: (row: LoadedRow) => Datum;
}

function systemTypes(context: StatementContext, request: RowsRequest): readonly SystemType[] {
    if (!request.systemColumns) return [];
    const {types} = context.catalog;
    return addedSystemColumns(request.table).map((name) =>
        name === '_seq'
            ? {type: types.require(INT8), value: (row) => BigInt(row.seq)}
            : // PostgreSQL's timestamps end at microseconds.
              {type: types.require(TIMESTAMPTZ), value: (row) => row.updatedNs / 1000n - EPOCH_2000_MICROS},
    );
}

function copyChunks(
    rows: readonly LoadedRow[],
    types: readonly PgType[],
    system: readonly SystemType[],
    table: TableDescriptor,
    budget: Budget,
): Buffer[] {
    const allTypes = [...types, ...system.map(({type}) => type)];
    const chunks: Buffer[] = [];
    let text = '';
    const cut = (): void => {
        const chunk = Buffer.from(text);
        budget.takeBytes(table, chunk.length);
        chunks.push(chunk);
        text = '';
    };
    for (const row of rows) {
        text += copyLine(
            system.length === 0 ? row.values : [...row.values, ...system.map(({value}) => value(row))],
            allTypes,
        );
        if (text.length >= CHUNK_CHARACTERS) cut();
    }
    if (text !== '') cut();
    return chunks;
}

class Budget {
    readonly #rowsMax: number;
    #rows = 0;
    #bytes = 0;

    constructor(rowsMax: number) {
        this.#rowsMax = rowsMax;
    }

    get rowsLeft(): number {
        return this.#rowsMax - this.#rows;
    }

    takeRow(table: TableDescriptor): void {
        if (++this.#rows <= this.#rowsMax) return;
        throw new PgError('54000', 'the statement needs more rows on the reference path than reference_rows_max', {
            detail: `More than ${this.#rowsMax} rows; the last table read is "${table.schema}"."${table.name}".`,
            hint: 'EXPLAIN says why the statement needs this path. Simplify it, or start the server with a larger reference_rows_max.',
        });
    }

    takeBytes(table: TableDescriptor, bytes: number): void {
        this.#bytes += bytes;
        if (this.#bytes <= LOAD_BYTES_MAX) return;
        throw new PgError('54000', 'the rows that the statement needs on the reference path are too large', {
            detail: `More than ${LOAD_BYTES_MAX / 1024 / 1024} MB; the last table read is "${table.schema}"."${table.name}".`,
            hint: 'EXPLAIN says why the statement needs this path. Simplify it.',
        });
    }
}
