/**
 * Plans of the reference path: the statement is described by the twin, and runs there when the plan is started.
 *
 * What must stay true: every statement that another path refuses gets a plan here or an error with a hint; nothing is
 * run while planning.
 */
import {notSupported} from '../../../catalog/errors.ts';
import type {DeleteStmt, InsertStmt, SelectStmt, UpdateStmt} from '../../sql/nodes.ts';
import {tagOf} from '../../sql/nodes.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {planReferenceChange} from './change-plan.ts';
import {describeStatement, type ReferenceStatement} from './described.ts';
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
            return planReferenceInsert(described, node as InsertStmt, context);
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
