/**
 * Starts a statement and sees it through the waits of synchronous code: locks, cold rows, commits that are not durable
 * yet. After a wait the statement's effects are undone and it runs again from the start on the newest state.
 *
 * What must stay true:
 * - A statement outside of a block that meets no wait allocates nothing here.
 * - A retry sees a snapshot not older than the wait that caused it.
 * - A statement that was cancelled never runs again: by then the session may be at another one.
 * - Rows fetched for a statement stay in memory until it has run, so that each turn gets further than the one before.
 */
import type {Awaitable} from '../../wire/handler.ts';
import type {Parameters, Plan, StartedStatement} from '../exec/plan.ts';
import type {Head} from '../txn/head.ts';
import {LockWait, waitForLock} from '../txn/locks.ts';
import {ColdRow} from '../txn/row-writes.ts';
import {BEGINNING, type TransactionMark} from '../txn/transaction.ts';
import {VisibilityWait} from '../txn/waits.ts';
import type {Session} from './session.ts';
import type {SessionContextState} from './statement-context.ts';

type Wait = LockWait | ColdRow | VisibilityWait;

export function runWithWaits(
    session: Session,
    context: SessionContextState,
    plan: Plan,
    parameters: Parameters,
): Awaitable<StartedStatement> {
    const mark = session.transaction.current?.mark() ?? BEGINNING;
    const turn: Turn = {session, context, plan, parameters, mark};
    // LevelDB is far behind: writers let it catch up.
    if (plan.writes && session.database.committer.mustWait) return runInTurns(turn, undefined, context.signal);
    try {
        const started = plan.start(context, parameters);
        if (!(started instanceof Promise)) return started;
        const {signal} = context;
        return started.catch((error: unknown) => runInTurns(turn, error, signal));
    } catch (error) {
        if (isWait(error)) return runInTurns(turn, error, context.signal);
        throw error;
    }
}

interface Turn {
    readonly session: Session;
    readonly context: SessionContextState;
    readonly plan: Plan;
    readonly parameters: Parameters;
    readonly mark: TransactionMark;
}

function isWait(error: unknown): error is Wait {
    return error instanceof LockWait || error instanceof ColdRow || error instanceof VisibilityWait;
}

/** @param first Why the first turn ended; undefined when there was none. */
async function runInTurns(turn: Turn, first: unknown, signal: AbortSignal): Promise<StartedStatement> {
    const {session, context, plan, parameters, mark} = turn;
    const fetched: Head[] = [];
    let error = first;
    try {
        // Bounded by what it waits for: every turn ends another transaction's lock, or brings a row or a commit nearer.
        for (;;) {
            signal.throwIfAborted();
            if (error !== undefined && !isWait(error)) throw error;
            session.transaction.current?.rollbackTo(mark);
            await settle(session, error, fetched);
            signal.throwIfAborted();
            context.beginStatement();
            try {
                return await plan.start(context, parameters);
            } catch (next) {
                error = next;
            }
        }
    } finally {
        for (const head of fetched) head.uses--;
    }
}

async function settle(session: Session, wait: Wait | undefined, fetched: Head[]): Promise<void> {
    const {database} = session;
    const {committer} = database;
    if (wait instanceof LockWait) {
        await waitForLock(session.transaction.write(), wait.lock, session.settings.milliseconds('lock_timeout'));
    } else if (wait instanceof ColdRow) {
        wait.head.uses++;
        fetched.push(wait.head);
        await database.fetchColdRow(wait.head);
    } else if (wait instanceof VisibilityWait) await committer.whenVisible(wait.seq);
    if (committer.mustWait) await committer.whenApplied(committer.visibleSeq);
}
