/**
 * Starts a statement and sees it through the waits of synchronous code: locks, cold rows, commits that are not durable
 * yet. After a wait the statement's effects are undone and it runs again from the start on the newest state.
 *
 * What must stay true: a statement that meets no wait allocates nothing here. A retry sees a snapshot not older than
 * the wait that caused it.
 */
import type {Awaitable} from '../../wire/handler.ts';
import type {Parameters, Plan, StartedStatement} from '../exec/plan.ts';
import {LockWait, waitForLock} from '../txn/locks.ts';
import {ColdRow} from '../txn/row-writes.ts';
import type {TransactionMark} from '../txn/transaction.ts';
import {VisibilityWait} from '../txn/waits.ts';
import type {Session} from './session.ts';
import type {SessionContextState} from './statement-context.ts';

const NOTHING_WRITTEN: TransactionMark = {undo: 0, notifications: 0, operations: 0, onVisible: 0, gone: 0, altered: 0};

export function runWithWaits(
    session: Session,
    context: SessionContextState,
    plan: Plan,
    parameters: Parameters,
): Awaitable<StartedStatement> {
    const mark = session.transaction.current?.mark() ?? NOTHING_WRITTEN;
    try {
        const started = plan.start(context, parameters);
        if (started instanceof Promise) {
            return started.catch((error: unknown) => retry(session, context, plan, parameters, mark, error));
        }
        return started;
    } catch (error) {
        if (isWait(error)) return retry(session, context, plan, parameters, mark, error);
        throw error;
    }
}

function isWait(error: unknown): error is LockWait | ColdRow | VisibilityWait {
    return error instanceof LockWait || error instanceof ColdRow || error instanceof VisibilityWait;
}

async function retry(
    session: Session,
    context: SessionContextState,
    plan: Plan,
    parameters: Parameters,
    mark: TransactionMark,
    first: unknown,
): Promise<StartedStatement> {
    let error = first;
    // Bounded by what it waits for: every turn ends another transaction's lock, or brings a row or a commit nearer.
    for (;;) {
        if (!isWait(error)) throw error;
        session.transaction.current?.rollbackTo(mark);
        if (error instanceof LockWait) {
            const transaction = session.transaction.write();
            await waitForLock(transaction, error.lock, session.settings.milliseconds('lock_timeout'));
        } else if (error instanceof ColdRow) await session.database.fetchColdRow(error.head);
        else await session.database.committer.whenVisible(error.seq);
        context.checkCancelled();
        context.beginStatement();
        try {
            return await plan.start(context, parameters);
        } catch (next) {
            error = next;
        }
    }
}
