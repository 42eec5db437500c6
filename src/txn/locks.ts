/**
 * Row and key locks with waiting. A lock is a field on the thing it protects (a row's head, a unique key's slot, a
 * table), so an uncontended lock costs one comparison and one store.
 *
 * Writers are synchronous code. When one meets a lock of another transaction it throws `LockWait`; the statement's
 * driver undoes the statement's effects, awaits the lock and runs the statement again on the then newest rows. That is
 * PostgreSQL's wait and re-check of READ COMMITTED, and it cannot starve: locks taken so far are kept.
 *
 * What must stay true: a transaction waits for at most one lock; the wait-for graph is checked before each wait, so a
 * cycle never forms (40P01 goes to the one who would close it).
 */
import {PgError} from '../../catalog/errors.ts';
import type {Transaction} from './transaction.ts';

export interface Lockable {
    lockedBy: Transaction | null;
    waiters: Waiter[] | null;
}

export interface Waiter {
    readonly transaction: Transaction;
    readonly wake: () => void;
    readonly fail: (error: unknown) => void;
}

/** Thrown by synchronous writers; caught by the statement's driver, never seen by clients. */
export class LockWait extends Error {
    override readonly name = 'LockWait';
    readonly lock: Lockable;
    constructor(lock: Lockable) {
        super('waiting for a lock');
        this.lock = lock;
    }
}

/** Takes the lock or throws LockWait. */
export function lock(transaction: Transaction, target: Lockable): void {
    if (target.lockedBy === transaction) return;
    if (target.lockedBy !== null) throw new LockWait(target);
    target.lockedBy = transaction;
    transaction.locked.push(target);
}

/** Resolves when the lock may be tried again. Rejects with 40P01, 55P03 (lock_timeout) or 57014 (cancel). */
export function waitForLock(transaction: Transaction, target: Lockable, timeoutMs: number): Promise<void> {
    if (target.lockedBy === null || target.lockedBy === transaction) return Promise.resolve();
    assertNoCycle(transaction, target);
    return new Promise<void>((resolve, reject) => {
        let timer: NodeJS.Timeout | undefined;
        const leave = (): void => {
            transaction.waitingFor = null;
            transaction.cancelWait = null;
            clearTimeout(timer);
            const waiters = target.waiters;
            if (waiters !== null) {
                const index = waiters.indexOf(waiter);
                if (index >= 0) waiters.splice(index, 1);
                if (waiters.length === 0) target.waiters = null;
            }
        };
        const waiter: Waiter = {
            transaction,
            wake: () => {
                leave();
                resolve();
            },
            fail: (error) => {
                leave();
                reject(error);
            },
        };
        transaction.waitingFor = target;
        transaction.cancelWait = waiter.fail;
        (target.waiters ??= []).push(waiter);
        if (timeoutMs > 0) {
            timer = setTimeout(
                () => waiter.fail(new PgError('55P03', 'canceling statement due to lock timeout')),
                timeoutMs,
            );
        }
    });
}

function assertNoCycle(transaction: Transaction, target: Lockable): void {
    let holder = target.lockedBy;
    // Bounded: each step goes to another waiting transaction, and no cycle exists before this wait.
    while (holder !== null) {
        if (holder === transaction) {
            throw new PgError('40P01', 'deadlock detected', {
                detail: `Process ${transaction.processId} waits for a lock held by process ${target.lockedBy?.processId ?? 0}, which waits for process ${transaction.processId}.`,
                hint: 'See server log for query details.',
            });
        }
        holder = holder.waitingFor === null ? null : holder.waitingFor.lockedBy;
    }
}

/** Gives back the locks taken since there were `kept` of them. */
export function unlockSince(transaction: Transaction, kept: number): void {
    const {locked} = transaction;
    for (let i = kept; i < locked.length; i++) {
        const target = locked[i];
        if (target === undefined) continue;
        target.lockedBy = null;
        // All waiters try again: the first to run takes the lock, the others wait anew behind it.
        if (target.waiters !== null) for (const waiter of [...target.waiters]) waiter.wake();
    }
    locked.length = kept;
}
