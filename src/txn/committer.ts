/**
 * The commit pipeline: one order for everything.
 *
 *   enqueue (synchronous) → commit log group → durable → visible → change feed → LevelDB, unsynced, in order
 *
 * What must stay true:
 * - A transaction takes its sequence numbers, puts its versions in front of the heads' chains and releases its locks in
 *   one synchronous step. Later writers may build on it before it is durable; they can only become durable after it.
 * - Readers see it only once durable (`visibleSeq`). Clients are answered, the feed is told, and LevelDB follows only
 *   after that, in order.
 * - What LevelDB does not have yet is in memory: heads and slots are pinned until `appliedSeq` has passed them.
 * - Memory between log and LevelDB is bounded: `mustWait` tells writers to let LevelDB catch up.
 */
import {HotBatch, type HotStore} from '../../storage/hot/hot-store.ts';
import {metaKey, rowKey} from '../../storage/hot/keys.ts';
import type {CommitLog} from '../../storage/log/commit-log.ts';
import {encodeCommitRecord} from './commit-record.ts';
import type {Head} from './head.ts';
import {unlockAll} from './locks.ts';
import type {RowCache} from './row-cache.ts';
import type {ChangeFeed, CommittedTransaction, RowChange, RowVersion} from './row-version.ts';
import type {StoreOperation, Transaction} from './transaction.ts';
import type {UniqueSlot, UniqueSlots} from './unique-slots.ts';

/** Bytes between log and LevelDB at which writers wait. */
const UNAPPLIED_BYTES_MAX = 256 * 1024 * 1024;
/** Log bytes after which LevelDB is synced and log files are recycled. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

interface Unapplied {
    readonly seq: number;
    readonly operations: readonly StoreOperation[];
    readonly bytes: number;
    readonly slots: readonly UniqueSlot[];
    readonly heads: readonly Head[];
}

/** LevelDB stands still at `committer.appliedSeq` from `settled` until `release`. */
export interface ApplyHold {
    readonly settled: Promise<void>;
    release(): void;
}

export interface CommitterState {
    readonly seq: number;
    readonly nextRowid: number;
    readonly updatedNs: bigint;
}

export class Committer implements ChangeFeed {
    readonly #log: CommitLog;
    readonly #hot: HotStore;
    readonly #cache: RowCache;
    readonly #slots: UniqueSlots;
    readonly #clockNs: () => bigint;
    readonly #listeners = new Set<(transaction: CommittedTransaction) => void>();
    readonly #fatal: (error: unknown) => void;
    #seq: number;
    #visibleSeq: number;
    #appliedSeq: number;
    #nextRowid: number;
    #updatedNs: bigint;
    #unapplied: Unapplied[] = [];
    #unappliedBytes = 0;
    #bytesSinceCheckpoint = 0;
    #applying = false;
    #holds = 0;
    #inFlight: Promise<void> = Promise.resolve();
    #visibleWaiters: {readonly seq: number; readonly resolve: () => void}[] = [];
    #appliedWaiters: {readonly seq: number; readonly resolve: () => void}[] = [];

    constructor(options: {
        readonly log: CommitLog;
        readonly hot: HotStore;
        readonly cache: RowCache;
        readonly slots: UniqueSlots;
        readonly state: CommitterState;
        readonly clockNs: () => bigint;
        readonly fatal: (error: unknown) => void;
    }) {
        this.#log = options.log;
        this.#hot = options.hot;
        this.#cache = options.cache;
        this.#slots = options.slots;
        this.#clockNs = options.clockNs;
        this.#fatal = options.fatal;
        this.#seq = options.state.seq;
        this.#visibleSeq = options.state.seq;
        this.#appliedSeq = options.state.seq;
        this.#nextRowid = options.state.nextRowid;
        this.#updatedNs = options.state.updatedNs;
        this.#cache.applied(this.#appliedSeq);
    }

    get visibleSeq(): number {
        return this.#visibleSeq;
    }

    get appliedSeq(): number {
        return this.#appliedSeq;
    }

    /** Newest sequence given out; everything up to it is ordered, not all of it durable. */
    get enqueuedSeq(): number {
        return this.#seq;
    }

    get mustWait(): boolean {
        return this.#unappliedBytes > UNAPPLIED_BYTES_MAX;
    }

    allocateRowid(): number {
        return this.#nextRowid++;
    }

    subscribe(listener: (transaction: CommittedTransaction) => void): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /**
     * Orders the transaction, makes its writes the newest committed state and releases its locks. Returns the sequence
     * to wait for; the transaction object is finished.
     */
    commit(transaction: Transaction, expired = false): number {
        if (!transaction.hasEffects) {
            this.release(transaction);
            return this.#visibleSeq;
        }
        const operations: StoreOperation[] = [...transaction.operations];
        const changes: RowChange[] = [];
        const pinned: Head[] = [];
        let bytes = 0;
        for (const head of transaction.heads) this.#applyHead(head, operations, changes, pinned);
        // A commit without row changes still has its own place in the order.
        if (changes.length === 0) this.#seq++;
        const seq = this.#seq;
        const slots: UniqueSlot[] = [];
        for (const slot of transaction.slots) {
            if (slot.pendingHolder !== undefined) {
                slot.holder = slot.pendingHolder;
                slot.pendingHolder = undefined;
                slot.pinnedSeq = seq;
            }
            slots.push(slot);
        }
        for (const head of pinned) head.pinnedSeq = seq;
        const payload = encodeCommitRecord({nextRowid: this.#nextRowid, updatedNs: this.#updatedNs, operations});
        bytes = payload.length;
        this.#unappliedBytes += bytes;
        const committed: CommittedTransaction = {
            seq,
            changes: mergeMoves(changes),
            truncated: transaction.gone,
            altered: transaction.altered,
            notifications: transaction.notifications,
            expired,
        };
        const unapplied: Unapplied = {seq, operations, bytes, slots, heads: pinned};
        const onVisible = transaction.onVisible;
        this.#log.append(seq, payload, () => this.#durable(committed, unapplied, onVisible));
        this.release(transaction);
        return seq;
    }

    /** Gives up: undoes every pending write and releases the locks. */
    rollback(transaction: Transaction): void {
        transaction.rollbackTo({undo: 0, notifications: 0, operations: 0, onVisible: 0, gone: 0, altered: 0});
        const slots = [...transaction.slots];
        this.release(transaction);
        for (const slot of slots) this.#slots.release(slot, this.#appliedSeq);
    }

    release(transaction: Transaction): void {
        for (const store of transaction.writing) store.writers.delete(transaction);
        const stores = [...transaction.writing];
        transaction.writing.clear();
        unlockAll(transaction);
        for (const store of stores) {
            if (store.writers.size === 0 && store.waiters !== null) {
                for (const waiter of [...store.waiters]) waiter.wake();
            }
        }
    }

    /** Resolves when everything up to `seq` is durable and visible. */
    whenVisible(seq: number): Promise<void> {
        if (this.#visibleSeq >= seq) return Promise.resolve();
        return new Promise((resolve) => this.#visibleWaiters.push({seq, resolve}));
    }

    /** Resolves when LevelDB holds everything up to `seq`. */
    whenApplied(seq: number): Promise<void> {
        if (this.#appliedSeq >= seq) return Promise.resolve();
        return new Promise((resolve) => this.#appliedWaiters.push({seq, resolve}));
    }

    /** Waits for all commits to be durable and in LevelDB, synced. For shutdown. */
    async drain(): Promise<void> {
        await this.whenVisible(this.#seq);
        await this.whenApplied(this.#visibleSeq);
        await this.#checkpoint();
    }

    /**
     * Stops LevelDB from following, so that a scan can combine its state with what is newer and only in memory. The
     * batch under way, if any, ends first; it holds nothing that is not visible at this call.
     */
    holdApply(): ApplyHold {
        this.#holds++;
        let released = false;
        return {
            settled: this.#inFlight,
            release: () => {
                if (released) return;
                released = true;
                this.#holds--;
                this.#startApplying();
            },
        };
    }

    /** Heads changed by transactions that are visible but not in LevelDB yet. */
    *unappliedHeads(): Iterable<Head> {
        for (const entry of this.#unapplied) yield* entry.heads;
    }

    #nextUpdatedNs(): bigint {
        const now = this.#clockNs();
        this.#updatedNs = now > this.#updatedNs ? now : this.#updatedNs + 1n;
        return this.#updatedNs;
    }

    #applyHead(head: Head, operations: StoreOperation[], changes: RowChange[], pinned: Head[]): void {
        const pending = head.pending;
        if (pending === null) return;
        head.pending = null;
        const before = pending.before;
        if (before === null && pending.values === null) return;
        const store = head.store;
        const seq = ++this.#seq;
        const updatedNs = this.#nextUpdatedNs();
        const version: RowVersion = {
            rowid: pending.rowid,
            seq,
            updatedNs,
            owner: head.owner,
            values: pending.values ?? before?.values ?? [],
            deleted: pending.values === null,
            previous: head.newest,
        };
        for (const index of store.indexes) {
            if (!index.maintained) continue;
            const oldKey = before === null ? null : index.entryKey(head.owner, before.values, head.keyBytes);
            const newKey = version.deleted ? null : index.entryKey(head.owner, version.values, head.keyBytes);
            const same = oldKey !== null && newKey !== null && oldKey.equals(newKey);
            // A cold row has no entry in non-unique indexes: its hot successor needs one even where the key is the same.
            if (oldKey !== null && !same) operations.push({key: oldKey, value: null});
            if (newKey !== null && (!same || pending.beforeSegment !== 0)) {
                operations.push({key: newKey, value: head.keyBytes});
            }
        }
        const key = rowKey(store.table.tableId, head.owner, head.keyBytes);
        operations.push({key, value: version.deleted ? null : store.codec.encode(version)});
        if (pending.beforeSegment !== 0 && before !== null) {
            store.tiers.markDead(pending.beforeSegment, before.rowid, seq, operations);
        }
        head.newest = version;
        head.coldSegment = 0;
        head.coldRowid = 0;
        store.changedSeq = seq;
        store.grown(head);
        pinned.push(head);
        const after = version.deleted ? null : version;
        if (before !== null && after !== null && before.rowid !== after.rowid) {
            changes.push({table: store.table, owner: head.owner, rowid: before.rowid, seq, before, after: null});
            changes.push({table: store.table, owner: head.owner, rowid: after.rowid, seq, before: null, after});
        } else {
            changes.push({table: store.table, owner: head.owner, rowid: version.rowid, seq, before, after});
        }
    }

    #durable(committed: CommittedTransaction, unapplied: Unapplied, onVisible: readonly ((seq: number) => void)[]): void {
        this.#visibleSeq = committed.seq;
        for (const publish of onVisible) publish(committed.seq);
        for (const listener of this.#listeners) listener(committed);
        this.#unapplied.push(unapplied);
        const waiters = this.#visibleWaiters;
        if (waiters.length > 0) {
            let kept = 0;
            for (const waiter of waiters) {
                if (waiter.seq <= committed.seq) waiter.resolve();
                else waiters[kept++] = waiter;
            }
            waiters.length = kept;
        }
        this.#startApplying();
    }

    #startApplying(): void {
        if (this.#applying || this.#holds > 0 || this.#unapplied.length === 0) return;
        this.#applying = true;
        setImmediate(() => {
            this.#inFlight = this.#apply().catch(this.#fatal);
        });
    }

    /** Writes everything visible to LevelDB, batch after batch, until there is no more or a scan holds it. */
    async #apply(): Promise<void> {
        while (this.#unapplied.length > 0 && this.#holds === 0) {
            await this.#applyBatch();
            if (this.#bytesSinceCheckpoint > CHECKPOINT_BYTES) await this.#checkpoint();
        }
        this.#applying = false;
        this.#startApplying();
    }

    async #applyBatch(): Promise<void> {
        // Entries stay in the list until LevelDB has them: a scan that begins meanwhile finds them in one of the two.
        const batch = this.#unapplied.slice();
        const last = batch[batch.length - 1];
        if (last === undefined) return;
        const write = new HotBatch();
        let bytes = 0;
        for (const entry of batch) {
            bytes += entry.bytes;
            for (const {key, value} of entry.operations) {
                if (value === null) write.delete(key);
                else write.put(key, value);
            }
        }
        write.put(META_KEY, encodeMeta(this.#nextRowid, this.#updatedNs));
        await this.#hot.write(write, last.seq);
        this.#unapplied.splice(0, batch.length);
        this.#appliedSeq = last.seq;
        this.#cache.applied(last.seq);
        this.#unappliedBytes -= bytes;
        this.#bytesSinceCheckpoint += bytes;
        for (const entry of batch) for (const slot of entry.slots) this.#slots.release(slot, last.seq);
        this.#appliedWaiters = settle(this.#appliedWaiters, last.seq);
    }

    async #checkpoint(): Promise<void> {
        this.#bytesSinceCheckpoint = 0;
        const seq = await this.#hot.checkpoint();
        this.#log.recycle(seq);
    }
}

function settle(
    waiters: {readonly seq: number; readonly resolve: () => void}[],
    seq: number,
): {readonly seq: number; readonly resolve: () => void}[] {
    const rest = [];
    for (const waiter of waiters) {
        if (waiter.seq <= seq) waiter.resolve();
        else rest.push(waiter);
    }
    return rest;
}

/** A changed primary key is a delete under one head and an insert under another: one change of one row. */
function mergeMoves(changes: RowChange[]): RowChange[] {
    if (changes.length < 2) return changes;
    const byRow = new Map<string, RowChange>();
    let merged = false;
    for (const change of changes) {
        const id = `${change.table.tableId}/${change.rowid}`;
        const other = byRow.get(id);
        if (other === undefined) byRow.set(id, change);
        else {
            merged = true;
            byRow.set(id, {
                ...change,
                seq: Math.max(change.seq, other.seq),
                before: change.before ?? other.before,
                after: change.after ?? other.after,
            });
        }
    }
    return merged ? [...byRow.values()] : changes;
}

export const META_KEY: Buffer = metaKey('committer');

export function encodeMeta(nextRowid: number, updatedNs: bigint): Buffer {
    const bytes = Buffer.allocUnsafe(16);
    bytes.writeDoubleLE(nextRowid, 0);
    bytes.writeBigInt64LE(updatedNs, 8);
    return bytes;
}

export function decodeMeta(bytes: Buffer): {nextRowid: number; updatedNs: bigint} {
    return {nextRowid: bytes.readDoubleLE(0), updatedNs: bytes.readBigInt64LE(8)};
}
