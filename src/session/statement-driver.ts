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
import {StalePlan, VisibilityWait} from '../txn/waits.ts';
import type {Session} from './session.ts';
import type {SessionContextState} from './statement-context.ts';

type Wait = LockWait | ColdRow | VisibilityWait | StalePlan;

export function runWithWaits(
    session: Session,
    context: SessionContextState,
    plan: Plan,
    parameters: Parameters,
): Awaitable<StartedStatement> {
    const mark = session.transaction.current?.mark() ?? BEGINNING;
    // LevelDB is far behind: writers let it catch up.
    if (plan.writes && session.database.committer.mustWait) {
        return runInTurns({session, context, plan, parameters, mark}, undefined, context.signal);
    }
    try {
        const started = plan.start(context, parameters);
        if (!(started instanceof Promise)) return started;
        const {signal} = context;
        return started.catch((error: unknown) => runInTurns({session, context, plan, parameters, mark}, error, signal));
    } catch (error) {
        if (!isWait(error)) throw error;
        return runInTurns({session, context, plan, parameters, mark}, error, context.signal);
    }
}

interface Turns {
    readonly session: Session;
    readonly context: SessionContextState;
    readonly plan: Plan;
    readonly parameters: Parameters;
    readonly mark: TransactionMark;
}

function isWait(error: unknown): error is Wait {
    return (
        error instanceof LockWait ||
        error instanceof ColdRow ||
        error instanceof VisibilityWait ||
        error instanceof StalePlan
    );
}

/** @param first Why the first turn ended; undefined when there was none. */
async function runInTurns(turns: Turns, first: unknown, signal: AbortSignal): Promise<StartedStatement> {
    const {session, context, mark} = turns;
    let {plan, parameters} = turns;
    const fetched: Head[] = [];
    let error = first;
    try {
        // Bounded by what it waits for: every turn ends another transaction's lock, or brings a row or a commit nearer.
        for (;;) {
            signal.throwIfAborted();
            if (error !== undefined && !isWait(error)) throw error;
            session.transaction.current?.rollbackTo(mark);
            await settle(session, error, fetched);
            if (error instanceof StalePlan) {
                const again = await session.replanRunning(plan);
                plan = again.plan;
                parameters = again.parameters ?? parameters;
            }
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
        const {store, owner, key, keyBytes, evicted} = wait.head;
        const head = evicted ? store.head(owner, key, keyBytes) : wait.head;
        head.uses++;
        fetched.push(head);
        await database.fetchColdRow(head);
    } else if (wait instanceof VisibilityWait) await committer.whenVisible(wait.seq);
    if (committer.mustWait) await committer.whenApplied(committer.visibleSeq);
}
