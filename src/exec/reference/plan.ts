/**
 * Plans of the reference path: the statement is described by the twin, and runs there when the plan is started.
 *
 * What must stay true: every statement that another path refuses gets a plan here or an error with a hint; nothing is
 * run while planning.
 */
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {DeleteStmt, InsertStmt, SelectStmt, UpdateStmt} from '../../sql/nodes.ts';
import {tagOf} from '../../sql/nodes.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {planReferenceChange} from './change-plan.ts';
import {describeStatement, type Described, type ReferenceStatement} from './described.ts';
import {effectCalls} from './effect-calls.ts';
import {planReferenceEffects} from './effect-plan.ts';
import {planReferenceInsert} from './insert-plan.ts';
import {planReferenceLock} from './lock-plan.ts';
import {planReferenceRead} from './read-plan.ts';

export async function planReference(
    statement: ReferenceStatement,
    parameterTypes: readonly number[],
    reason: string,
    context: StatementContext,
): Promise<Plan> {
    const tag = tagOf(statement.tree);
    if (tag === 'MergeStmt')
        throw notSupported('MERGE', 'Use INSERT … ON CONFLICT, or UPDATE and INSERT in one transaction.');
    const described = await describeStatement(statement, parameterTypes, reason, context);
    const node: unknown = described.tree[tag];
    switch (tag) {
        case 'InsertStmt':
            return await planInsert(described, node as InsertStmt, context);
        case 'UpdateStmt':
        case 'DeleteStmt':
            return planReferenceChange(described, node as UpdateStmt | DeleteStmt, context);
        case 'SelectStmt':
            if (effectCalls(described.tree).length > 0) return planReferenceEffects(described);
            return described.mentions.locks.length > 0
                ? planReferenceLock(described, node as SelectStmt, context)
                : planReferenceRead(described);
        default:
            throw notSupported(`this kind of statement (${tag})`);
    }
}

/** Whether an ON CONFLICT target has an index PostgreSQL finds out when it plans, not when it describes. */
async function planInsert(described: Described, statement: InsertStmt, context: StatementContext): Promise<Plan> {
    try {
        return planReferenceInsert(described, statement, context);
    } catch (error) {
        if (statement.onConflictClause?.infer !== undefined && !described.systemColumns) {
            await refuseMissingArbiter(described.sql, context);
        }
        throw error;
    }
}

/** Throws PostgreSQL's 42P10, and nothing else. */
async function refuseMissingArbiter(sql: string, context: StatementContext): Promise<void> {
    const {database, signal, twinContext} = context;
    const planning = database.twin.transaction(twinContext, (t) => t.simple(`EXPLAIN (GENERIC_PLAN) ${sql}`), {
        commit: false,
        signal,
    });
    await planning.catch((error: unknown) => {
        if (error instanceof PgError && error.code === '42P10') throw error;
    });
}
