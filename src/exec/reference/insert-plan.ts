/**
 * INSERT whose rows, defaults or checks only PostgreSQL can evaluate: the twin makes the rows, this server writes them.
 *
 * What must stay true: ON CONFLICT is decided here, on the newest rows; RETURNING tells of the rows that were written,
 * as they were written.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {type BoundInsert, Unsupported} from '../../sql/bound.ts';
import type {InsertStmt, OnConflictClause} from '../../sql/nodes.ts';
import type {Parameters, Plan, StartedStatement} from '../plan.ts';
import {columnEncoders, DatumRows} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';
import {compileInsert, type InsertPlan, insertRows} from '../write/insert.ts';
import type {TableWriter} from '../write/table-writer.ts';
import {RawRows, readDatums} from './data-rows.ts';
import {withDefaults, withTables} from './dependencies.ts';
import {basePlan, dependencySource, type Described, treeOf} from './described.ts';
import {lockPoliciesWithin} from './lock-policies.ts';
import {executeOnTwin} from './reference-path.ts';
import {returningText} from './splice-points.ts';
import {planReferenceUpsert} from './upsert-plan.ts';
import {Splices} from './splices.ts';
import {
    checkRights,
    columnTypes,
    prepareTargetSql,
    refuseSystemColumnsIn,
    targetTable,
    twinUniqueIndexes,
} from './write-target.ts';

/** Where ON CONFLICT and RETURNING stand. */
interface Clauses {
    /** Byte offset of the first of them, or of the end of the text. */
    readonly start: number;
    readonly conflict: string;
    readonly returning: {readonly options: string; readonly list: string} | undefined;
}

export function planReferenceInsert(described: Described, statement: InsertStmt, context: StatementContext): Plan {
    const table = targetTable(statement.relation, 'INSERT', context);
    refuseSystemColumnsIn(statement.returningClause, table);
    lockPoliciesWithin(described.mentions, context, []);
    const writer = context.database.tableWriter(table, context);
    const clauses = clausesOf(described.sql, statement);
    const updates = statement.onConflictClause?.action === 'ONCONFLICT_UPDATE';
    const plan = insertPlan(described, statement, clauses, writer, context);
    if (plan === undefined) {
        return planReferenceUpsert(
            described,
            statement,
            compileInsert(wholeRows(plainInsert(table), table), writer),
            context,
        );
    }
    // With DO UPDATE, what RETURNING tells is not what the twin made: it is computed here.
    const forwarded = !updates && clauses.returning !== undefined;
    const {parameterTypes, systemColumns, fields} = described;
    const columns = forwarded ? (fields?.length ?? 0) : 0;
    const ours = table.columns.length;
    const spliced = rewritten(described.sql, clauses, table, forwarded).apply();
    const dependencies = withTables(
        withDefaults(described.dependencies, table.columns, dependencySource(context)),
        twinUniqueIndexes(table).length > 0 ? [table] : [],
    );
    const types = columnTypes(table, context);
    const returningTypes = (fields ?? []).map((field) => context.catalog.types.get(field.typeOid));
    return {
        ...basePlan({...described, dependencies}),
        writes: true,
        async start(executing, parameters): Promise<StartedStatement> {
            const {signal} = executing;
            try {
                const result = await executing.database.reference.run(
                    executing,
                    {dependencies, systemColumns, prepareSql: prepareTargetSql(table)},
                    async (run) => {
                        await checkRights(run, executing, described, table, parameters);
                        return await executeOnTwin(
                            run.t,
                            executing,
                            {sql: spliced.sql, parameterTypes, ours, columns},
                            parameters,
                        );
                    },
                );
                signal.throwIfAborted();
                const rows = result.rows.map((row) => readDatums(row, 0, types));
                if (updates) {
                    const {inserted, rows: returned} = insertRows(plan, executing, rows, parameters.values);
                    const encoders = columnEncoders(
                        returningTypes.flatMap((type) => type ?? []),
                        parameters.resultFormats,
                    );
                    return {
                        rows: returned === null ? null : new DatumRows(returned, encoders, executing.output),
                        tag: () => `INSERT 0 ${inserted}`,
                    };
                }
                const written = writeRows(plan, executing, rows, result.rows, parameters);
                return {
                    rows: forwarded ? new RawRows(written.raw, ours, columns) : null,
                    tag: () => `INSERT 0 ${written.inserted}`,
                };
            } catch (error) {
                throw described.relocate(error, spliced);
            }
        },
    };
}

/** Writes row by row when some may be left out, to know which were written. */
function writeRows(
    plan: InsertPlan,
    context: StatementContext,
    rows: readonly (readonly Datum[])[],
    raw: readonly Buffer[],
    parameters: Parameters,
): {readonly inserted: number; readonly raw: readonly Buffer[]} {
    if (plan.conflict === null) return {inserted: insertRows(plan, context, rows, parameters.values).inserted, raw};
    const written: Buffer[] = [];
    for (const [index, row] of rows.entries()) {
        const body = raw[index];
        const {inserted} = insertRows(plan, context, [row], parameters.values);
        if (inserted > 0 && body !== undefined) written.push(body);
    }
    return {inserted: written.length, raw: written};
}

function clausesOf(sql: string, statement: InsertStmt): Clauses {
    const splices = new Splices(sql);
    const {onConflictClause, returningClause} = statement;
    const returning = returningClause === undefined ? undefined : returningText(sql, returningClause);
    const end = splices.byteLength;
    const conflictStart = locationOf(onConflictClause);
    return {
        start: conflictStart ?? returning?.start ?? end,
        conflict: conflictStart === undefined ? '' : splices.slice(conflictStart, returning?.start ?? end),
        returning:
            returning === undefined
                ? undefined
                : {options: returning.options, list: splices.slice(returning.listStart, end)},
    };
}

/** Byte offset of the keyword. */
function locationOf(clause: OnConflictClause | undefined): number | undefined {
    return (clause as {readonly location?: number} | undefined)?.location;
}

/** Without ON CONFLICT; every column of the new row is returned, then what the user asks for. */
function rewritten(sql: string, clauses: Clauses, table: TableDescriptor, forwarded: boolean): Splices {
    const splices = new Splices(sql);
    const list = table.columns.map((column) => quoteIdentifier(column.name));
    const {returning} = clauses;
    if (forwarded && returning !== undefined) list.push(returning.list);
    const options = forwarded && returning !== undefined ? ` ${returning.options}` : '';
    // A comment may stand at the end of the text: the clause begins a line.
    const text = list.length === 0 ? '' : `\nRETURNING${options} ${list.join(', ')}`;
    return splices.replace(clauses.start, splices.byteLength, text);
}

/**
 * The plan that writes whole rows, with the user's ON CONFLICT and, for DO UPDATE, RETURNING; undefined when only
 * PostgreSQL can evaluate those.
 */
function insertPlan(
    described: Described,
    statement: InsertStmt,
    clauses: Clauses,
    writer: TableWriter,
    context: StatementContext,
): InsertPlan | undefined {
    const {table} = writer.store;
    const {onConflictClause: conflict} = statement;
    const updates = conflict?.action === 'ONCONFLICT_UPDATE';
    if (conflict === undefined) return compileInsert(wholeRows(plainInsert(table), table), writer);
    if (updates && writer.needsTwin !== undefined) return undefined;
    const alias = statement.relation.alias?.aliasname ?? statement.relation.relname;
    const sql =
        `INSERT INTO ${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)} AS ${quoteIdentifier(alias)} ` +
        `DEFAULT VALUES ${clauses.conflict}${updates ? returningOf(clauses) : ''}`;
    try {
        const {statement: bound} = context.database.planner.bind(
            treeOf(sql, context),
            described.parameterTypes,
            context,
        );
        if (bound.kind !== 'insert') throw new Unsupported('INSERT');
        return compileInsert(wholeRows(bound, table), writer);
    } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        return undefined;
    }
}

function returningOf({returning}: Clauses): string {
    return returning === undefined ? '' : `\nRETURNING ${returning.options} ${returning.list}`;
}

function wholeRows(bound: BoundInsert, table: TableDescriptor): BoundInsert {
    return {...bound, columns: table.columns.map((column) => column.attnum)};
}

function plainInsert(table: TableDescriptor): BoundInsert {
    return {
        kind: 'insert',
        table,
        columns: [],
        source: {kind: 'default'},
        overriding: 'system',
        onConflict: null,
        returning: null,
        returningColumns: [],
    };
}
