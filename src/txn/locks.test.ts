/** Locks that are shared: who joins, who waits, who is woken, and the deadlock of two who both want more. */
import {expect, test} from 'vitest';
import {isLockedAgainst, lock, type Lockable, lockShared, LockWait, unlockSince, waitForLock} from './locks.ts';
import {Transaction} from './transaction.ts';

const row = (): Lockable => ({lockedBy: null, waiters: null});

test('those who share a lock go together, and a writer waits for all of them', async () => {
    const [a, b, writer] = [new Transaction(1), new Transaction(2), new Transaction(3)];
    const target = row();
    lockShared(a, target);
    lockShared(b, target);
    expect(() => lock(writer, target)).toThrow(LockWait);
    let woken = 0;
    const wait = async (): Promise<void> => {
        await waitForLock(writer, target, 0);
        woken++;
    };
    const first = wait();
    unlockSince(a, 0);
    await first;
    // One is left: the writer tries, and waits again.
    expect(() => lock(writer, target)).toThrow(LockWait);
    const second = wait();
    unlockSince(b, 0);
    await second;
    expect(woken).toBe(2);
    lock(writer, target);
    expect(() => lockShared(a, target)).toThrow(LockWait);
});

test('a transaction takes a shared lock once, and gives it back once', () => {
    const a = new Transaction(1);
    const target = row();
    lockShared(a, target);
    lockShared(a, target);
    expect(a.locked).toHaveLength(1);
    lock(a, target);
    expect(a.locked).toHaveLength(1);
    expect(target.lockedBy).toBe(a);
    lockShared(a, target);
    expect(target.lockedBy).toBe(a);
    unlockSince(a, 0);
    expect(target.lockedBy).toBeNull();
});

test('two who share a lock and both want it alone are a deadlock', async () => {
    const [a, b] = [new Transaction(1), new Transaction(2)];
    const target = row();
    lockShared(a, target);
    lockShared(b, target);
    const waiting = waitForLock(a, target, 0);
    expect(() => waitForLock(b, target, 0)).toThrow(expect.objectContaining({code: '40P01'}));
    unlockSince(b, 0);
    await waiting;
    lock(a, target);
    expect(target.lockedBy).toBe(a);
});

test('a cycle through one of several holders is found', () => {
    const [a, b, c] = [new Transaction(1), new Transaction(2), new Transaction(3)];
    const [shared, other] = [row(), row()];
    lockShared(a, shared);
    lockShared(b, shared);
    lock(c, other);
    void waitForLock(b, other, 0);
    expect(() => waitForLock(c, shared, 0)).toThrow(expect.objectContaining({code: '40P01'}));
});

test('NOWAIT and SKIP LOCKED ask whether a lock stands in the way', () => {
    const [a, b] = [new Transaction(1), new Transaction(2)];
    const target = row();
    expect(isLockedAgainst(target, b, false)).toBe(false);
    lockShared(a, target);
    expect([isLockedAgainst(target, b, true), isLockedAgainst(target, b, false)]).toEqual([false, true]);
    expect([isLockedAgainst(target, a, false), isLockedAgainst(target, null, false)]).toEqual([false, true]);
    lock(a, target);
    expect(isLockedAgainst(target, b, true)).toBe(true);
});
