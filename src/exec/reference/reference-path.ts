/**
 * The reference path: whatever no other path can carry runs on real PostgreSQL. The rows it needs are copied into the
 * twin inside a transaction that is always rolled back. See README.md.
 *
 * What must stay true: nothing of a statement stays on the twin; its effects on rows and sequences are applied here,
 * after the twin has answered. The copied rows are bounded by `reference_rows_max`.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {SystemRelations} from '../../../catalog/system/relations.ts';
import {quoteLiteral, quoteQualified} from '../../../catalog/quoting.ts';
import type {SessionContext} from '../../../catalog/twin/session-context.ts';
import type {TwinParameter, TwinResult, TwinTransaction} from '../../../catalog/twin/twin-transaction.ts';
import type {Database} from '../../database.ts';
import type {Parameters} from '../plan.ts';
import {formatOf} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';
import type {Dependencies} from './dependencies.ts';
import {withSequences} from './sequence-sync.ts';
import {asServer} from './server-rights.ts';
import {addSystemColumnsSql} from './system-columns.ts';
import {readTables, type RowsRequest, type TableRows} from './table-rows.ts';

export interface ReferenceRequest {
    readonly dependencies: Dependencies;
    /** The copies have `_seq` and `_updated` as columns. */
    readonly systemColumns: boolean;
    /** How the rows of a table are wanted; default: plainly. */
    readonly rowsRequest?: (request: RowsRequest) => RowsRequest;
    /** Run with the server's rights before the statement. */
    readonly prepareSql?: readonly string[];
}

export interface ReferenceRun {
    readonly t: TwinTransaction;
    readonly session: SessionContext;
    /** One for each table of the dependencies, by tableId. */
    readonly tables: ReadonlyMap<number, TableRows>;
}

export class ReferencePath {
    /** Providers of the relations that show the server's state are given to this. */
    readonly systemRelations = new SystemRelations();
    readonly #database: Database;
    #statements = 0;
    #rowsCopied = 0;

    constructor(database: Database) {
        this.#database = database;
    }

    /** Statements run so far. */
    get statements(): number {
        return this.#statements;
    }

    get rowsCopied(): number {
        return this.#rowsCopied;
    }

    /** Copies what the statement needs into the twin and runs `work` there. `work` may run more than once. */
    async run<T>(
        context: StatementContext,
        request: ReferenceRequest,
        work: (run: ReferenceRun) => Promise<T>,
    ): Promise<T> {
        this.#statements++;
        const {dependencies, systemColumns} = request;
        // The statement's own signal: the session may go on with another statement after a cancel.
        const {signal, twinContext} = context;
        const requests = dependencies.tables.map((table) => {
            const plain: RowsRequest = {table, keep: false, systemColumns};
            return request.rowsRequest?.(plain) ?? plain;
        });
        const tables = await readTables(context, requests);
        for (const {rowCount} of tables) this.#rowsCopied += rowCount;
        const byId = new Map(tables.map((rows) => [rows.table.tableId, rows]));
        return await withSequences(context, dependencies, async (sequences) => {
            const result = await this.#database.twin.transaction(
                twinContext,
                async (t) => {
                    const prepare = systemColumns ? addSystemColumnsSql(dependencies.tables) : [];
                    const shared = context.allUsers ? dependencies.tables.flatMap(keysOfAllUsersSql) : [];
                    await asServer(t, twinContext, [...prepare, ...shared, ...(request.prepareSql ?? [])]);
                    for (const rows of tables) await load(t, context, rows);
                    await this.systemRelations.load(t, dependencies.systemRelations, twinContext);
                    await sequences.before(t, twinContext);
                    const answer = await work({t, session: twinContext, tables: byId});
                    await sequences.after(t, twinContext);
                    return answer;
                },
                {commit: false, signal},
            );
            signal.throwIfAborted();
            return result;
        });
    }
}

/** Two users may have a row of the same key. */
function keysOfAllUsersSql({schema, name, options}: TableDescriptor): string[] {
    if (options.kind !== 'user') return [];
    const relation = `${quoteLiteral(quoteQualified(schema, name))}::pg_catalog.regclass`;
    return [`UPDATE pg_catalog.pg_index SET indisunique = false WHERE indrelid = ${relation} AND indisunique`];
}

async function load(t: TwinTransaction, context: StatementContext, rows: TableRows): Promise<void> {
    if (rows.rowCount === 0) return;
    const name = quoteQualified(rows.table.schema, rows.table.name);
    if (rows.columns.length > 0) {
        await t.copyIn(name, rows.columns, rows.chunks);
        return;
    }
    // COPY has no form for a table without columns.
    const insert = `INSERT INTO ${name} SELECT FROM pg_catalog.generate_series(1, ${rows.rowCount})`;
    await asServer(t, context.twinContext, [insert]);
}

/** Runs the user's statement: its own parameters, and its own formats after `ours` columns in binary. */
export async function executeOnTwin(
    t: TwinTransaction,
    context: StatementContext,
    statement: {
        readonly sql: string;
        readonly parameterTypes: readonly number[];
        /** Binary columns before those of the user. */
        readonly ours: number;
        readonly columns: number;
    },
    parameters: Parameters,
): Promise<TwinResult> {
    const {sql, parameterTypes, ours, columns} = statement;
    const formats: number[] = [];
    for (let i = 0; i < ours; i++) formats.push(1);
    for (let i = 0; i < columns; i++) formats.push(formatOf(parameters.resultFormats, i));
    const result = await t.execute({
        sql,
        parameterTypes,
        parameters: twinParameters(context, parameterTypes, parameters),
        resultFormats: formats,
    });
    for (const notice of result.notices) context.notice(notice);
    return result;
}

/** As the client sent them; those that did not come from a Bind message are sent in binary. */
export function twinParameters(
    context: StatementContext,
    parameterTypes: readonly number[],
    parameters: Parameters,
): (TwinParameter | null)[] {
    if (parameters.raw.length === parameterTypes.length) return [...parameters.raw];
    return parameterTypes.map((oid, index) => {
        const value = parameters.values[index] ?? null;
        return value === null ? null : {bytes: context.catalog.types.require(oid).send(value), format: 1};
    });
}
