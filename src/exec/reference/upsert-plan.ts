/**
 * INSERT … ON CONFLICT that only PostgreSQL can evaluate: functions that no other path has, queries in SET. The rows of
 * the table are copied with its unique indexes in force, the statement runs verbatim, and `RETURNING old.ctid, new.*`
 * says which rows are new and which copied row becomes what.
 *
 * What must stay true: all rows that change are claimed before the first is written (row-claims.ts). A key that is taken
 * here and was free there belongs to another transaction: the statement runs again, as PostgreSQL looks again.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {InsertStmt} from '../../sql/nodes.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {type InsertPlan, insertRows, updateOfStream} from '../write/insert.ts';
import {returningChanges} from './change-plan.ts';
import {RawRows, readCtid, readDatums} from './data-rows.ts';
import {withDefaults, withTables} from './dependencies.ts';
import {basePlan, dependencySource, type Described} from './described.ts';
import {executeOnTwin} from './reference-path.ts';
import {claimRow, WAIT_FOR_LOCK} from './row-claims.ts';
import {rowsByCtid} from './rows-by-ctid.ts';
import type {LoadedRow} from './table-rows.ts';
import {checkRights, columnTypes} from './write-target.ts';

interface UpsertedRow {
    /** undefined = new. */
    readonly loaded: LoadedRow | undefined;
    readonly values: readonly Datum[];
}

/** Turns in which others may take keys that were free a moment ago. */
const TURNS_MAX = 20;

/** @param plan Writes whole rows, without ON CONFLICT. */
export function planReferenceUpsert(
    described: Described,
    statement: InsertStmt,
    plan: InsertPlan,
    context: StatementContext,
): Plan {
    const {table} = plan.store;
    const {parameterTypes, systemColumns, fields} = described;
    const columns = fields?.length ?? 0;
    const types = columnTypes(table, context);
    const ours = 1 + types.length;
    const spliced = returningChanges(described.sql, statement.returningClause, table).apply();
    const dependencies = withTables(withDefaults(described.dependencies, table.columns, dependencySource(context)), [
        table,
    ]);
    return {
        ...basePlan({...described, dependencies}),
        writes: true,
        async start(executing, parameters): Promise<StartedStatement> {
            const {signal} = executing;
            const mark = executing.write().mark();
            try {
                for (let turn = 1; ; turn++) {
                    const {rows, upserted} = await executing.database.reference.run(
                        executing,
                        {
                            dependencies,
                            systemColumns,
                            rowsRequest: (request) => ({...request, keep: request.table.tableId === table.tableId}),
                        },
                        async (run) => {
                            await checkRights(run, executing, described, table, parameters);
                            const byCtid = await rowsByCtid(run, table);
                            const text = {sql: spliced.sql, parameterTypes, ours, columns};
                            const result = await executeOnTwin(run.t, executing, text, parameters);
                            return {
                                rows: result.rows,
                                upserted: result.rows.map((row): UpsertedRow => {
                                    const ctid = readCtid(row, 0);
                                    const loaded = ctid === undefined ? undefined : byCtid.get(ctid);
                                    return {loaded, values: readDatums(row, 1, types)};
                                }),
                            };
                        },
                    );
                    signal.throwIfAborted();
                    try {
                        applyUpserts(executing, plan, upserted);
                    } catch (error) {
                        if (!isUniqueViolation(error) || turn === TURNS_MAX) throw error;
                        executing.write().rollbackTo(mark);
                        continue;
                    }
                    return {
                        rows: fields === null ? null : new RawRows(rows, ours, columns),
                        tag: () => `INSERT 0 ${upserted.length}`,
                    };
                }
            } catch (error) {
                throw described.relocate(error, spliced);
            }
        },
    };
}

/** Synchronous; throws LockWait, ColdRow and VisibilityWait. */
function applyUpserts(context: StatementContext, plan: InsertPlan, upserted: readonly UpsertedRow[]): void {
    if (upserted.length === 0) return;
    const {database} = context;
    const {store} = plan;
    const transaction = context.write();
    database.writes.enter(transaction, store);
    const claimed = upserted.map(({loaded}) => {
        if (loaded === undefined) return undefined;
        if (store.table.options.kind === 'stream') throw updateOfStream(store.table.name);
        return claimRow(context, transaction, store, loaded, WAIT_FOR_LOCK);
    });
    for (const [index, {values}] of upserted.entries()) {
        const row = claimed[index];
        if (row === undefined) insertRows(plan, context, [values], []);
        else database.writes.update(transaction, row.head, row.current, values);
    }
}

function isUniqueViolation(error: unknown): boolean {
    return error instanceof PgError && error.code === '23505';
}
