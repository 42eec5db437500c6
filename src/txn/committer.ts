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
 * - A version that no snapshot can need is cut off: when the next one is put in front of it, when LevelDB has it, or
 *   when the snapshot that needed it is released.
 * - A commit that throws has changed nothing but has rolled back.
 * - Memory between log and LevelDB is bounded: `mustWait` tells writers to let LevelDB catch up.
 */
import {PgError} from '../../catalog/errors.ts';
import {HotBatch, type HotStore} from '../../storage/hot/hot-store.ts';
import {metaKey, rowKey} from '../../storage/hot/keys.ts';
import {type CommitLog, PAYLOAD_BYTES_MAX} from '../../storage/log/commit-log.ts';
import type {TableTiers} from '../tiers/table-tiers.ts';
import {encodeCommitRecord} from './commit-record.ts';
import {cutVersions, type Head, type PendingWrite} from './head.ts';
import {unlockSince} from './locks.ts';
import type {RowCache} from './row-cache.ts';
import type {ChangeFeed, CommittedTransaction, RowChange, RowVersion} from './row-version.ts';
import {type SnapshotHold, Snapshots} from './snapshots.ts';
import {BEGINNING, type PreparedOperations, type StoreOperation, type Transaction} from './transaction.ts';
import type {UniqueSlot, UniqueSlots} from './unique-slots.ts';

/** Bytes between log and LevelDB at which writers wait. */
const UNAPPLIED_BYTES_MAX = 256 * 1024 * 1024;
/** Log bytes after which LevelDB is synced and log files are recycled. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

/** What one record of the log takes, with room for marks of dead rows. */
const TRANSACTION_BYTES_MAX = PAYLOAD_BYTES_MAX - 64 * 1024 * 1024;
/** Key length and value length. */
const RECORD_OPERATION_BYTES = 8;

/** LevelDB follows at the latest after this time, so that many small commits share one of its batches … */
const APPLY_DELAY_MS = 4;
/** … or when this much waits for it, or somebody does. */
const APPLY_BYTES = 256 * 1024;

interface Unapplied {
    readonly seq: number;
    readonly operations: readonly StoreOperation[];
    readonly prepared: readonly PreparedOperations[];
    readonly bytes: number;
    readonly slots: readonly UniqueSlot[];
    readonly heads: readonly Head[];
}

/** A transaction's rows on their way from pending writes to versions. Nothing of it shows before `#publish`. */
interface BuiltCommit {
    readonly heads: Head[];
    /** The new version of each head. */
    readonly versions: RowVersion[];
    readonly written: StoreOperation[];
    /** Index entries that go. They go before others come: a unique key may pass from one row to another. */
    readonly removed: StoreOperation[];
    readonly changes: RowChange[];
    /** Rows in segments that do not count any more. */
    readonly dead: {
        readonly tiers: TableTiers;
        readonly segmentId: number;
        readonly rowid: number;
        readonly seq: number;
    }[];
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
    readonly #snapshots = new Snapshots(() => this.#snapshotsChanged());
    /** Heads whose older versions a snapshot held back when LevelDB had reached them. */
    readonly #uncut = new Set<Head>();
    #seq: number;
    #visibleSeq: number;
    #appliedSeq: number;
    #nextRowid: number;
    #updatedNs: bigint;
    #unapplied: Unapplied[] = [];
    #unappliedBytes = 0;
    #bytesSinceCheckpoint = 0;
    #applying = false;
    #applyTimer: NodeJS.Timeout | undefined;
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
        this.#cache.setEvictable(this.#appliedSeq);
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

    /** Keeps what a reader at `seq` sees until it is released. To be called in the step in which `seq` is chosen. */
    holdSnapshot(seq: number): SnapshotHold {
        return this.#snapshots.hold(seq);
    }

    /**
     * Orders the transaction, makes its writes the newest committed state and releases its locks. Returns the sequence
     * to wait for; the transaction object is finished, also when this throws: then it has rolled back.
     */
    commit(transaction: Transaction, expired = false): number {
        const {dependsOnSeq} = transaction;
        if (transaction.heads.size === 0 && !transaction.hasOtherEffects) {
            this.#end(transaction);
            return dependsOnSeq;
        }
        const seqBefore = this.#seq;
        const updatedNsBefore = this.#updatedNs;
        try {
            const built: BuiltCommit = {heads: [], versions: [], written: [], removed: [], changes: [], dead: []};
            const emptied = transaction.gone.length > 0;
            if (emptied) this.#seq++;
            for (const head of transaction.heads) this.#build(head, built);
            if (transaction.rewritten.length > 0) this.#tellRewritten(transaction, built.changes);
            if (built.changes.length === 0 && !transaction.hasOtherEffects) {
                this.rollback(transaction);
                return dependsOnSeq;
            }
            // A commit without row changes still has its own place in the order.
            if (built.changes.length === 0 && !emptied) this.#seq++;
            this.#enqueue(transaction, built, expired);
            return this.#seq;
        } catch (error) {
            this.#seq = seqBefore;
            this.#updatedNs = updatedNsBefore;
            this.rollback(transaction);
            throw error;
        }
    }

    /** To the log, then to the heads: from here on the transaction is the newest committed state. */
    #enqueue(transaction: Transaction, built: BuiltCommit, expired: boolean): void {
        const seq = this.#seq;
        refuseTooLarge(transaction, built);
        for (const dead of built.dead) dead.tiers.markDead(dead.segmentId, dead.rowid, dead.seq, built.written);
        const operations = operationsOf(transaction, built);
        const record = {nextRowid: this.#nextRowid, updatedNs: this.#updatedNs, operations};
        const payload = encodeCommitRecord(record, transaction.prepared);
        const slots = [...transaction.slots];
        const committed: CommittedTransaction = {
            seq,
            changes: transaction.movedRows ? mergeMoves(built.changes) : built.changes,
            truncated: transaction.gone,
            altered: transaction.altered,
            notifications: transaction.notifications,
            expired,
        };
        const {prepared, onVisible} = transaction;
        const unapplied: Unapplied = {seq, operations, prepared, bytes: payload.length, slots, heads: built.heads};
        this.#log.append(seq, payload, () => this.#durable(committed, unapplied, onVisible));
        this.#unappliedBytes += payload.length;
        this.#publish(built, seq);
        for (const slot of slots) {
            // What a savepoint gave back may be another transaction's by now.
            if (slot.pendingHolder === undefined || slot.lockedBy !== transaction) continue;
            slot.holder = slot.pendingHolder;
            slot.pendingHolder = undefined;
            slot.pinnedSeq = seq;
        }
        for (const head of transaction.heads) head.pending = null;
        this.#end(transaction);
    }

    #publish(built: BuiltCommit, seq: number): void {
        const oldestSeq = this.#oldestReadSeq();
        for (let i = 0; i < built.heads.length; i++) {
            const head = built.heads[i];
            const version = built.versions[i];
            if (head === undefined || version === undefined) continue;
            cutVersions(head, oldestSeq);
            head.newest = version;
            head.coldSegment = 0;
            head.coldRowid = 0;
            head.pinnedSeq = seq;
            head.store.changedSeq = version.seq;
            head.store.grown(head);
        }
    }

    /** Gives up: undoes every pending write and releases the locks. */
    rollback(transaction: Transaction): void {
        transaction.rollbackTo(BEGINNING);
        this.#end(transaction);
        for (const slot of transaction.slots) this.#slots.release(slot, this.#appliedSeq);
    }

    #end(transaction: Transaction): void {
        unlockSince(transaction, 0);
        const {writing, slots, heads} = transaction;
        if (heads.size === 0) for (const slot of slots) this.#slots.release(slot, this.#appliedSeq);
        if (writing.size === 0) return;
        for (const store of writing) {
            store.writers.delete(transaction);
            if (store.writers.size === 0 && store.waiters !== null)
                for (const waiter of [...store.waiters]) waiter.wake();
        }
        writing.clear();
    }

    /** Resolves when everything up to `seq` is durable and visible. */
    whenVisible(seq: number): Promise<void> {
        if (this.#visibleSeq >= seq) return Promise.resolve();
        return new Promise((resolve) => this.#visibleWaiters.push({seq, resolve}));
    }

    /** Resolves when LevelDB holds everything up to `seq`. */
    whenApplied(seq: number): Promise<void> {
        if (this.#appliedSeq >= seq) return Promise.resolve();
        return new Promise((resolve) => {
            this.#appliedWaiters.push({seq, resolve});
            this.#startApplying();
        });
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

    /** Heads changed by transactions up to `seq` that are visible but not in LevelDB yet. */
    *unappliedHeads(seq = Number.MAX_SAFE_INTEGER): Iterable<Head> {
        for (const entry of this.#unapplied) {
            if (entry.seq > seq) return;
            yield* entry.heads;
        }
    }

    #nextUpdatedNs(): bigint {
        const now = this.#clockNs();
        this.#updatedNs = now > this.#updatedNs ? now : this.#updatedNs + 1n;
        return this.#updatedNs;
    }

    #build(head: Head, built: BuiltCommit): void {
        const {pending, store, owner} = head;
        if (pending === null) return;
        const {before, values} = pending;
        if (before === null && values === null) return;
        const {changes} = built;
        const {table} = store;
        if (before !== null && values !== null && before.rowid !== pending.rowid) {
            // Another row took the place: the old one goes first.
            changes.push({table, owner, rowid: before.rowid, seq: ++this.#seq, before, after: null});
            this.#buildVersion(head, pending, null, built);
        } else this.#buildVersion(head, pending, before, built);
        if (before === null) return;
        store.tiers.noteReplaced(before);
        if (pending.beforeSegment === 0) return;
        built.dead.push({tiers: store.tiers, segmentId: pending.beforeSegment, rowid: before.rowid, seq: this.#seq});
    }

    /** Of rows written anew the feed is told what the transaction itself had done to them before. */
    #tellRewritten(transaction: Transaction, changes: RowChange[]): void {
        const places = new Map(changes.map(({table, rowid}, i) => [`${table.tableId}/${rowid}`, i]));
        for (const {table, owner, row} of transaction.rewritten) {
            const place = places.get(`${table.tableId}/${row.rowid}`);
            const change = place === undefined ? undefined : changes[place];
            if (place === undefined || change === undefined) {
                changes.push({table, owner, rowid: row.rowid, seq: ++this.#seq, before: row, after: null});
            } else changes[place] = {...change, before: row};
        }
    }

    #buildVersion(head: Head, pending: PendingWrite, replaced: RowVersion | null, built: BuiltCommit): void {
        const {store, owner} = head;
        const {values} = pending;
        const seq = ++this.#seq;
        // What is deleted is the committed row, even where the transaction had put another in its place before.
        const rowid = values === null && replaced !== null ? replaced.rowid : pending.rowid;
        const version: RowVersion = {
            rowid,
            seq,
            updatedNs: this.#nextUpdatedNs(),
            owner,
            values: values ?? pending.before?.values ?? [],
            deleted: values === null,
            previous: head.newest,
        };
        built.heads.push(head);
        built.versions.push(version);
        if (store.indexes.length > 0) buildEntries(head, pending, built);
        const key = rowKey(store.table.tableId, owner, head.keyBytes);
        built.written.push({key, value: values === null ? null : store.codec.encode(version)});
        built.changes.push({
            table: store.table,
            owner,
            rowid,
            seq,
            before: replaced,
            after: values === null ? null : version,
        });
    }

    #durable(
        committed: CommittedTransaction,
        unapplied: Unapplied,
        onVisible: readonly ((seq: number) => void)[],
    ): void {
        this.#visibleSeq = committed.seq;
        // First of all: a listener may begin a scan.
        this.#unapplied.push(unapplied);
        for (const publish of onVisible) publish(committed.seq);
        for (const listener of this.#listeners) listener(committed);
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
        if (!this.#mustApplyNow) {
            this.#applyTimer ??= setTimeout(this.#applyNow, APPLY_DELAY_MS);
            return;
        }
        clearTimeout(this.#applyTimer);
        this.#applyTimer = undefined;
        this.#applying = true;
        setImmediate(this.#applyNow);
    }

    readonly #applyNow = (): void => {
        this.#applyTimer = undefined;
        this.#applying = true;
        this.#inFlight = this.#apply().catch(this.#fatal);
    };

    get #mustApplyNow(): boolean {
        return this.#unappliedBytes >= APPLY_BYTES || this.#appliedWaiters.length > 0;
    }

    /** Writes everything visible to LevelDB, and again while there is much of it, unless a scan holds it. */
    async #apply(): Promise<void> {
        do {
            if (this.#holds > 0) break;
            await this.#applyBatch();
            if (this.#bytesSinceCheckpoint > CHECKPOINT_BYTES) await this.#checkpoint();
        } while (this.#unapplied.length > 0 && this.#mustApplyNow);
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
            addTo(write, entry.operations);
            for (const {operations} of entry.prepared) addTo(write, operations);
        }
        write.put(META_KEY, encodeMeta(this.#nextRowid, this.#updatedNs));
        await this.#hot.write(write, last.seq);
        this.#unapplied.splice(0, batch.length);
        this.#appliedSeq = last.seq;
        this.#unappliedBytes -= bytes;
        this.#bytesSinceCheckpoint += bytes;
        const oldestSeq = this.#oldestReadSeq();
        for (const entry of batch) {
            for (const slot of entry.slots) this.#slots.release(slot, last.seq);
            for (const head of entry.heads) this.#settle(head, oldestSeq);
        }
        this.#cache.setEvictable(Math.min(last.seq, this.#snapshots.oldest));
        this.#appliedWaiters = settle(this.#appliedWaiters, last.seq);
    }

    /** Frees what only memory had to know of the head while LevelDB followed. */
    #settle(head: Head, oldestSeq: number): void {
        if (!cutVersions(head, oldestSeq)) {
            // Newer commits come here again by themselves; what a snapshot holds back does not.
            if (this.#snapshots.oldest !== Infinity) this.#uncut.add(head);
            return;
        }
        // A deleted row is none, once nobody can see what was before.
        const {newest} = head;
        if (newest !== null && newest.deleted && newest.seq <= this.#appliedSeq && head.pending === null)
            head.newest = null;
    }

    /** No reader looks, or will look, at an older sequence. */
    #oldestReadSeq(): number {
        return Math.min(this.#visibleSeq, this.#snapshots.oldest);
    }

    #snapshotsChanged(): void {
        this.#cache.setEvictable(Math.min(this.#appliedSeq, this.#snapshots.oldest));
        if (this.#uncut.size === 0) return;
        const heads = [...this.#uncut];
        this.#uncut.clear();
        const oldestSeq = this.#oldestReadSeq();
        for (const head of heads) this.#settle(head, oldestSeq);
    }

    async #checkpoint(): Promise<void> {
        this.#bytesSinceCheckpoint = 0;
        const seq = await this.#hot.checkpoint();
        this.#log.recycle(seq);
    }
}

function addTo(batch: HotBatch, operations: readonly StoreOperation[]): void {
    for (const {key, value} of operations) {
        if (value === null) batch.delete(key);
        else batch.put(key, value);
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

function refuseTooLarge(transaction: Transaction, built: BuiltCommit): void {
    let bytes = 0;
    for (const {encoded} of transaction.prepared) bytes += encoded.length;
    for (const list of [transaction.operations, built.removed, built.written]) {
        for (const {key, value} of list)
            bytes += key.length + (value === null ? 0 : value.length) + RECORD_OPERATION_BYTES;
    }
    if (bytes <= TRANSACTION_BYTES_MAX) return;
    throw new PgError('54000', `transaction is too large: ${bytes} bytes, at most ${TRANSACTION_BYTES_MAX}`, {
        hint: 'Split it into several transactions.',
    });
}

/** The transaction's own operations, then entries that go, then rows and entries that come. */
function operationsOf(transaction: Transaction, built: BuiltCommit): readonly StoreOperation[] {
    const {operations} = transaction;
    const {removed, written} = built;
    if (removed.length === 0 && operations.length === 0) return written;
    return operations.concat(removed, written);
}

/** Index entries of the head's row: of the version that goes, and of the one that comes. */
function buildEntries(head: Head, pending: PendingWrite, built: BuiltCommit): void {
    const {before, values, beforeSegment} = pending;
    for (const index of head.store.indexes) {
        if (!index.maintained) continue;
        const same = before !== null && values !== null && index.sameKey(before.values, values);
        if (before !== null && !same) {
            built.removed.push({key: index.entryKey(head.owner, before.values, head.keyBytes), value: null});
        }
        // A cold row has no entry in non-unique indexes: its hot successor needs one even where the key is the same.
        if (values !== null && (!same || beforeSegment !== 0)) {
            built.written.push({key: index.entryKey(head.owner, values, head.keyBytes), value: head.keyBytes});
        }
    }
}

/**
 * A changed primary key is a delete under one head and an insert under another: one change of one row, at the place of
 * its new version.
 */
function mergeMoves(changes: RowChange[]): RowChange[] {
    const byRow = new Map<string, RowChange>();
    for (const change of changes) {
        const id = `${change.table.tableId}/${change.rowid}`;
        const other = byRow.get(id);
        if (other === undefined) byRow.set(id, change);
        else {
            const before = change.before ?? other.before;
            const after = change.after ?? other.after;
            byRow.set(id, {...change, seq: after?.seq ?? Math.max(change.seq, other.seq), before, after});
        }
    }
    return byRow.size === changes.length ? changes : [...byRow.values()].sort((a, b) => a.seq - b.seq);
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
