/**
 * Waiting in place: for statements that cannot be started again because they have consumed input, as COPY FROM has.
 */
import {waitForLock, LockWait} from '../../txn/locks.ts';
import {ColdRow} from '../../txn/row-writes.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import {parseMilliseconds} from '../../session/setting-definitions.ts';
import type {StatementContext} from '../statement-context.ts';

export function isWait(error: unknown): error is LockWait | ColdRow | VisibilityWait {
    return error instanceof LockWait || error instanceof ColdRow || error instanceof VisibilityWait;
}

/** Resolves when the code that threw may try again. Rejects with 40P01, 55P03 or 57014. */
export async function settleWait(context: StatementContext, wait: LockWait | ColdRow | VisibilityWait): Promise<void> {
    const {database} = context;
    if (wait instanceof LockWait) {
        const timeoutMs = parseMilliseconds(context.setting('lock_timeout'), 'lock_timeout');
        await waitForLock(context.write(), wait.lock, timeoutMs);
    } else if (wait instanceof ColdRow) await database.fetchColdRow(wait.head);
    else await database.committer.whenVisible(wait.seq);
    context.checkCancelled();
}
