import {describe, expect, test} from 'vitest';
import type {Plan, StartedStatement} from '../exec/plan.ts';
import {NO_PARAMETERS} from '../exec/plan.ts';
import type {Head} from '../txn/head.ts';
import {type Lockable, lock, LockWait, unlockSince} from '../txn/locks.ts';
import {ColdRow} from '../txn/row-writes.ts';
import {Transaction} from '../txn/transaction.ts';
import {VisibilityWait} from '../txn/waits.ts';
import type {Session} from './session.ts';
import {runWithWaits} from './statement-driver.ts';
import type {SessionContextState} from './statement-context.ts';

const DONE: StartedStatement = {rows: null, tag: () => 'DONE'};

/** As much of a session as the driver touches. */
function makeSession() {
    const released: (() => void)[] = [];
    const state = {
        abort: new AbortController(),
        begun: 0,
        fetched: [] as Head[],
        visible: [] as number[],
        mustWait: false,
        /** Ends what the driver waits for. */
        release: () => released.shift()?.(),
    };
    const wait = (): Promise<void> => new Promise((resolve) => released.push(resolve));
    const transaction = new Transaction(1);
    const session = {
        transaction: {current: transaction, write: () => transaction},
        settings: {milliseconds: () => 0},
        database: {
            fetchColdRow: (head: Head) => {
                state.fetched.push(head);
                return wait();
            },
            committer: {
                get mustWait() {
                    return state.mustWait;
                },
                visibleSeq: 7,
                whenVisible: (seq: number) => {
                    state.visible.push(seq);
                    return wait();
                },
                whenApplied: () => wait().then(() => (state.mustWait = false)),
            },
        },
    } as unknown as Session;
    const context = {
        get signal() {
            return state.abort.signal;
        },
        beginStatement: () => state.begun++,
    } as unknown as SessionContextState;
    return {state, transaction, session, context};
}

/** Runs these in turn; the last one again and again. */
function planOf(...turns: readonly (() => StartedStatement | Promise<StartedStatement>)[]): Plan & {turns: number} {
    const plan = {
        writes: true,
        turns: 0,
        start: () => (turns[plan.turns++] ?? turns.at(-1) ?? (() => DONE))(),
    };
    return plan as unknown as Plan & {turns: number};
}

const throwing = (error: unknown) => (): never => {
    throw error;
};
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const head = (): Head => ({uses: 0, evicted: false}) as unknown as Head;

describe('a statement', () => {
    test('that meets no wait is started once, at once', () => {
        const {session, context} = makeSession();
        const plan = planOf(() => DONE);
        expect(runWithWaits(session, context, plan, NO_PARAMETERS)).toBe(DONE);
        expect(plan.turns).toBe(1);
    });

    test('that meets a lock runs again when the lock is given back', async () => {
        const {session, context, state} = makeSession();
        const target: Lockable = {lockedBy: null, waiters: null};
        const holder = new Transaction(2);
        lock(holder, target);
        const plan = planOf(throwing(new LockWait(target)), () => DONE);
        const done = runWithWaits(session, context, plan, NO_PARAMETERS);
        await settled();
        expect(plan.turns).toBe(1);
        unlockSince(holder, 0);
        expect(await done).toBe(DONE);
        expect(state.begun).toBe(1);
    });

    test('that needs a cold row keeps it until it has run', async () => {
        const {session, context, state} = makeSession();
        const cold = head();
        const plan = planOf(throwing(new ColdRow(cold)), () => {
            expect(cold.uses).toBe(1);
            return DONE;
        });
        const done = runWithWaits(session, context, plan, NO_PARAMETERS);
        await settled();
        expect(state.fetched).toEqual([cold]);
        state.release();
        expect(await done).toBe(DONE);
        expect(cold.uses).toBe(0);
    });

    test('whose start is asynchronous is started again too', async () => {
        const {session, context, state} = makeSession();
        const plan = planOf(
            () => Promise.reject(new VisibilityWait(5)),
            () => Promise.resolve(DONE),
        );
        const done = runWithWaits(session, context, plan, NO_PARAMETERS);
        await settled();
        expect(state.visible).toEqual([5]);
        state.release();
        expect(await done).toBe(DONE);
    });

    test('that was cancelled while it waited never runs again', async () => {
        const {session, context, state} = makeSession();
        const plan = planOf(throwing(new ColdRow(head())), () => DONE);
        const done = Promise.resolve(runWithWaits(session, context, plan, NO_PARAMETERS));
        const failed = expect(done).rejects.toThrow('cancelled');
        await settled();
        const {abort} = state;
        // The session is at its next statement already.
        state.abort = new AbortController();
        abort.abort(new Error('cancelled'));
        state.release();
        await failed;
        expect(plan.turns).toBe(1);
    });

    test('that writes waits first while LevelDB is far behind', async () => {
        const {session, context, state} = makeSession();
        state.mustWait = true;
        const plan = planOf(() => DONE);
        const done = runWithWaits(session, context, plan, NO_PARAMETERS);
        await settled();
        expect(plan.turns).toBe(0);
        state.release();
        expect(await done).toBe(DONE);
    });

    test('that fails otherwise fails', async () => {
        const {session, context, state} = makeSession();
        expect(() => runWithWaits(session, context, planOf(throwing(new Error('no'))), NO_PARAMETERS)).toThrow('no');
        const later = planOf(throwing(new VisibilityWait(5)), throwing(new Error('no')));
        const done = runWithWaits(session, context, later, NO_PARAMETERS);
        const failed = expect(done).rejects.toThrow('no');
        await settled();
        state.release();
        await failed;
    });
});
