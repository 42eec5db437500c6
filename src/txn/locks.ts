/**
 * Row and key locks with waiting. A lock is a field on the thing it protects (a row's head, a unique key's slot, a
 * table), so an uncontended lock costs one comparison and one store.
 *
 * Writers are synchronous code. When one meets a lock of another transaction it throws `LockWait`; the statement's
 * driver undoes the statement's effects, awaits the lock and runs the statement again on the then newest rows. That is
 * PostgreSQL's wait and re-check of READ COMMITTED, and it cannot starve: locks taken so far are kept.
 *
 * A lock is held by one transaction, or shared by several (FOR SHARE, FOR KEY SHARE); who shares it may make it its own
 * when nobody else does.
 *
 * What must stay true: a transaction waits for at most one lock; the wait-for graph is checked before each wait, so a
 * cycle never forms (40P01 goes to the one who would close it). A lock stands once in `locked` of each holder.
 */
import assert from 'node:assert/strict';
import {PgError} from '../../catalog/errors.ts';
import type {Transaction} from './transaction.ts';

/** Those who share a lock; never empty. */
export class SharedHolders {
    readonly transactions = new Set<Transaction>();
}

export type LockHolder = Transaction | SharedHolders;

export interface Lockable {
    lockedBy: LockHolder | null;
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
    const holder = target.lockedBy;
    if (holder === transaction) return;
    if (holder === null) {
        target.lockedBy = transaction;
        transaction.locked.push(target);
        return;
    }
    if (!isHeldOnlyBy(holder, transaction)) throw new LockWait(target);
    // It was shared with nobody. It stays the transaction's own even if a savepoint from before is rolled back to.
    target.lockedBy = transaction;
}

/** Shares the lock with others that share it, or throws LockWait. */
export function lockShared(transaction: Transaction, target: Lockable): void {
    let holder = target.lockedBy;
    if (holder === transaction) return;
    if (holder === null) {
        holder = new SharedHolders();
        target.lockedBy = holder;
    }
    if (!(holder instanceof SharedHolders)) throw new LockWait(target);
    if (holder.transactions.has(transaction)) return;
    holder.transactions.add(transaction);
    transaction.locked.push(target);
}

/** Whether others stand in the way of taking the lock. */
export function isLockedAgainst(target: Lockable, transaction: Transaction | null, shared: boolean): boolean {
    const holder = target.lockedBy;
    if (holder === null) return false;
    if (shared && holder instanceof SharedHolders) return false;
    return !isHeldOnlyBy(holder, transaction);
}

function isHeldOnlyBy(holder: LockHolder, transaction: Transaction | null): boolean {
    if (transaction === null) return false;
    if (holder instanceof SharedHolders) return holder.transactions.size === 1 && holder.transactions.has(transaction);
    return holder === transaction;
}

/** Resolves when the lock may be tried again. Rejects with 40P01, 55P03 (lock_timeout) or 57014 (cancel). */
export function waitForLock(transaction: Transaction, target: Lockable, timeoutMs: number): Promise<void> {
    if (!isLockedAgainst(target, transaction, false)) return Promise.resolve();
    assertNoCycle(transaction, target);
    return new Promise<void>((resolve, reject) => {
        let timer: NodeJS.Timeout | undefined;
        const leave = (): void => {
            transaction.waitingFor = null;
            if (transaction.companion !== null) transaction.companion.waitingFor = null;
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
        if (transaction.companion !== null) transaction.companion.waitingFor = target;
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
    const seen = new Set<Transaction>();
    const {companion} = transaction;
    const ahead = holdersOf(target).filter((holder) => holder !== transaction && holder !== companion);
    const blockers = [...ahead];
    // Bounded by the transactions there are: each is looked at once.
    for (let blocker = blockers.pop(); blocker !== undefined; blocker = blockers.pop()) {
        if (blocker === transaction || blocker === companion) {
            throw new PgError('40P01', 'deadlock detected', {
                detail: `Process ${transaction.processId} waits for a lock held by process ${ahead[0]?.processId ?? 0}, which waits for process ${transaction.processId}.`,
                hint: 'See server log for query details.',
            });
        }
        if (seen.has(blocker) || blocker.waitingFor === null) continue;
        seen.add(blocker);
        const waiting = blocker;
        blockers.push(...holdersOf(blocker.waitingFor).filter((holder) => holder !== waiting));
    }
}

export function holdersOf({lockedBy}: Lockable): readonly Transaction[] {
    if (lockedBy === null) return [];
    return lockedBy instanceof SharedHolders ? [...lockedBy.transactions] : [lockedBy];
}

/** Gives back the locks taken since there were `kept` of them. */
export function unlockSince(transaction: Transaction, kept: number): void {
    const {locked} = transaction;
    for (let i = kept; i < locked.length; i++) {
        const target = locked[i];
        if (target === undefined) continue;
        const holder = target.lockedBy;
        if (holder instanceof SharedHolders) {
            holder.transactions.delete(transaction);
            if (holder.transactions.size === 0) target.lockedBy = null;
        } else {
            assert(holder === transaction, 'who gives back a lock has it');
            target.lockedBy = null;
        }
        // All waiters try again: the first to run takes the lock, the others wait anew behind it.
        if (target.waiters !== null) for (const waiter of [...target.waiters]) waiter.wake();
    }
    locked.length = kept;
}
