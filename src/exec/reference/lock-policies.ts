/**
 * What row locks within a statement ask for. `UPDATE … WHERE id = (SELECT … FOR UPDATE SKIP LOCKED LIMIT 1)` is how
 * queues are written: the rows that the statement changes are locked by changing them, and those that others have locked
 * are not copied, so that the query within cannot choose them.
 *
 * What must stay true: a lock that would not be taken is refused.
 */
import {notSupported} from '../../../catalog/errors.ts';
import type {StatementContext} from '../statement-context.ts';
import type {LockingClause} from '../../sql/nodes.ts';
import type {Mentions} from './mentions.ts';
import {isLockedByOther, type LockPolicy} from './row-claims.ts';
import type {RowsRequest} from './table-rows.ts';

/** By tableId. */
export type LockPolicies = Map<number, LockPolicy>;

/** Of the clauses within the statement, which may only lock the tables in `locking`: those whose rows it changes. */
export function lockPoliciesWithin(
    mentions: Mentions,
    context: StatementContext,
    locking: readonly number[],
): LockPolicies {
    const policies: LockPolicies = new Map();
    for (const lock of mentions.locks) {
        if (lock.top) continue;
        for (const relation of lock.from) {
            const table = context.catalog.table(relation.schemaname, relation.relname, context.searchPath);
            if (table === undefined) continue;
            if (!locking.includes(table.tableId)) {
                throw notSupported(
                    `FOR UPDATE of "${table.name}" in a query within this statement`,
                    'Lock the rows in a statement of their own first.',
                );
            }
            // They are going to be changed: a shared lock would not do.
            policies.set(table.tableId, {...policyOf(lock.clause), shared: false});
        }
    }
    return policies;
}

export function policyOf({strength, waitPolicy}: LockingClause): LockPolicy {
    return {
        wait: waitPolicy === 'LockWaitSkip' ? 'skip locked' : waitPolicy === 'LockWaitError' ? 'nowait' : 'wait',
        shared: strength === 'LCS_FORSHARE' || strength === 'LCS_FORKEYSHARE',
    };
}

/** With SKIP LOCKED, rows of others stay out of the copy. */
export function withoutLocked(context: StatementContext, request: RowsRequest, policies: LockPolicies): RowsRequest {
    const policy = policies.get(request.table.tableId);
    if (policy?.wait !== 'skip locked') return request;
    const store = context.database.store(request.table);
    return {...request, include: (row) => !isLockedByOther(context, store, row, policy.shared)};
}
