/**
 * Advisory locks: locks on numbers whose meaning is the application's, held by a session or by its transaction.
 * Source: PostgreSQL documentation, 13.3.5 "Advisory Locks" and 9.28.10 "Advisory Lock Functions".
 *
 * What must stay true: a session never conflicts with itself; each acquisition is given back by one release; those of a
 * transaction are given back at its end, or when a savepoint from before them is rolled back to. A lock that nobody
 * holds or waits for is forgotten. Waits are part of the graph that deadlocks are found in (locks.ts): `owner` stands
 * for the session there.
 */
import {PgError} from '../../catalog/errors.ts';
import {type Lockable, SharedHolders, type Waiter} from './locks.ts';
import {Transaction} from './transaction.ts';

/** As pg_locks shows it. One bigint: its halves, with `objsubid` 1; two integers: those, with 2. */
export interface AdvisoryKey {
    readonly classid: number;
    readonly objid: number;
    readonly objsubid: 1 | 2;
}

export type AdvisoryMode = 'exclusive' | 'shared';
export type AdvisoryScope = 'session' | 'transaction';

/** Of all sessions. */
const LOCKS_MAX = 1_000_000;

interface Held {
    exclusive: number;
    shared: number;
}

export class AdvisoryLock implements Lockable {
    readonly key: AdvisoryKey;
    lockedBy: SharedHolders | null = null;
    waiters: Waiter[] | null = null;
    /** By holder, over both scopes. */
    readonly held = new Map<SessionAdvisoryLocks, Held>();

    constructor(key: AdvisoryKey) {
        this.key = key;
    }

    isFree(session: SessionAdvisoryLocks, mode: AdvisoryMode): boolean {
        for (const [holder, {exclusive}] of this.held) {
            if (holder !== session && (mode === 'exclusive' || exclusive > 0)) return false;
        }
        return true;
    }
}

/** All advisory locks of the database. */
export class AdvisoryLocks {
    readonly #locks = new Map<string, AdvisoryLock>();

    find(key: AdvisoryKey): AdvisoryLock | undefined {
        return this.#locks.get(textOf(key));
    }

    get(key: AdvisoryKey): AdvisoryLock {
        const text = textOf(key);
        let lock = this.#locks.get(text);
        if (lock === undefined) {
            if (this.#locks.size >= LOCKS_MAX) {
                throw new PgError('53200', 'out of shared memory', {
                    hint: `At most ${LOCKS_MAX} advisory locks are held at once.`,
                });
            }
            lock = new AdvisoryLock(key);
            this.#locks.set(text, lock);
        }
        return lock;
    }

    forgetIfUnused(lock: AdvisoryLock): void {
        if (lock.held.size === 0 && lock.waiters === null) this.#locks.delete(textOf(lock.key));
    }

    list(): Iterable<AdvisoryLock> {
        return this.#locks.values();
    }
}

function textOf({classid, objid, objsubid}: AdvisoryKey): string {
    return `${classid}/${objid}/${objsubid}`;
}

interface Acquisition {
    readonly lock: AdvisoryLock;
    readonly mode: AdvisoryMode;
}

/** What one session holds. */
export class SessionAdvisoryLocks {
    /** The session in the graph of waits. */
    readonly owner: Transaction;
    readonly #locks: AdvisoryLocks;
    /** By lock: how often the session scope has it. */
    readonly #ofSession = new Map<AdvisoryLock, Held>();
    readonly #ofTransaction: Acquisition[] = [];

    constructor(locks: AdvisoryLocks, processId: number) {
        this.#locks = locks;
        this.owner = new Transaction(processId);
    }

    /** The lock when others stand in the way, undefined when it was taken. */
    acquire(key: AdvisoryKey, mode: AdvisoryMode, scope: AdvisoryScope): AdvisoryLock | undefined {
        const lock = this.#locks.get(key);
        if (!lock.isFree(this, mode)) return lock;
        count(lock.held, this, mode, 1);
        (lock.lockedBy ??= new SharedHolders()).transactions.add(this.owner);
        if (scope === 'session') count(this.#ofSession, lock, mode, 1);
        else this.#ofTransaction.push({lock, mode});
        return undefined;
    }

    /** Gives back one acquisition of the session scope; false when there is none. */
    release(key: AdvisoryKey, mode: AdvisoryMode): boolean {
        const lock = this.#locks.find(key);
        if (lock === undefined || (this.#ofSession.get(lock)?.[mode] ?? 0) === 0) return false;
        count(this.#ofSession, lock, mode, -1);
        this.#giveBack(lock, mode);
        return true;
    }

    /** Every acquisition of the session scope. */
    releaseAll(): void {
        for (const [lock, held] of this.#ofSession) {
            for (const mode of ['exclusive', 'shared'] as const) {
                for (let times = held[mode]; times > 0; times--) this.#giveBack(lock, mode);
            }
        }
        this.#ofSession.clear();
    }

    get transactionCount(): number {
        return this.#ofTransaction.length;
    }

    /** The transaction has ended, or came back to where it had `kept` acquisitions. */
    releaseOfTransaction(kept = 0): void {
        while (this.#ofTransaction.length > kept) {
            const last = this.#ofTransaction.pop();
            if (last !== undefined) this.#giveBack(last.lock, last.mode);
        }
    }

    #giveBack(lock: AdvisoryLock, mode: AdvisoryMode): void {
        count(lock.held, this, mode, -1);
        if (!lock.held.has(this)) {
            lock.lockedBy?.transactions.delete(this.owner);
            if (lock.lockedBy?.transactions.size === 0) lock.lockedBy = null;
        }
        // All try again: the first to run takes it.
        if (lock.waiters !== null) for (const waiter of [...lock.waiters]) waiter.wake();
        this.#locks.forgetIfUnused(lock);
    }
}

function count<K>(counts: Map<K, Held>, key: K, mode: AdvisoryMode, change: 1 | -1): void {
    const held = counts.get(key) ?? {exclusive: 0, shared: 0};
    held[mode] += change;
    if (held.exclusive === 0 && held.shared === 0) counts.delete(key);
    else counts.set(key, held);
}
