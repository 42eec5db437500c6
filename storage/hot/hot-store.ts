/**
 * The hot store: LevelDB under the commit log. Batches are written unsynced and in commit order; each carries the
 * commit sequence that it reaches, in the same atomic write, so that after a crash the log is replayed from there.
 *
 * What must stay true: `appliedSeq` never runs ahead of what is in the store; only after `checkpoint` may the log
 * forget what the store has; whoever writes keeps the order (a batch is handed over before the next one is begun).
 */
import {ClassicLevel, type Iterator as LevelIterator} from 'classic-level';
import assert from 'node:assert/strict';
import {errorCode, ioError, StorageError} from '../errors.ts';
import {APPLIED_SEQ_KEY, type KeyRange} from './keys.ts';

export interface HotStoreOptions {
    /** LevelDB's block cache. */
    readonly cacheBytes: number;
    /** LevelDB's memtable; up to two are in memory at a time. */
    readonly writeBufferBytes: number;
    /** Called at numbered points, so that crash tests can end the process there. */
    readonly faults?: ((point: HotFaultPoint) => void) | undefined;
}

export type HotFaultPoint =
    'hot.1.beforeWrite' | 'hot.2.afterWrite' | 'hot.3.beforeCheckpoint' | 'hot.4.afterCheckpoint';

export interface PageRange extends KeyRange {
    readonly reverse?: boolean | undefined;
    /** At most this many entries in all. */
    readonly limit?: number | undefined;
}

export type HotEntry = [key: Buffer, value: Buffer];
type Level = ClassicLevel<Buffer, Buffer>;

/** Changes that are applied as one. Later ones win over earlier ones of the same key. */
export class HotBatch {
    /** For the store alone: keys, and the value of each or undefined for a delete. */
    readonly keys: Buffer[] = [];
    readonly values: (Buffer | undefined)[] = [];
    #bytes = 0;

    put(key: Buffer, value: Buffer): void {
        this.keys.push(key);
        this.values.push(value);
        this.#bytes += key.length + value.length;
    }

    delete(key: Buffer): void {
        this.keys.push(key);
        this.values.push(undefined);
        this.#bytes += key.length;
    }

    /** Adds all of another one. */
    join(other: HotBatch): void {
        for (const key of other.keys) this.keys.push(key);
        for (const value of other.values) this.values.push(value);
        this.#bytes += other.#bytes;
    }

    get size(): number {
        return this.keys.length;
    }

    /** Key and value bytes. */
    get bytes(): number {
        return this.#bytes;
    }
}

interface JoinedBatch {
    readonly batch: HotBatch;
    seq: number;
    done: Promise<void>;
}

/** Waiting batches are joined up to this size. */
const JOINED_BYTES_MAX = 4 * 1024 * 1024;
const DELETE_STEP_KEYS = 1000;
/** Entries put into a batch in one turn of the event loop. */
const TURN_ENTRIES = 8192;
/** After a key comes the same key with this behind it. */
const KEY_STEP = Buffer.from([0]);
/** Above every key in use: an empty range. */
const EDGE_KEY = Buffer.from([0xff, 0xff]);

export class HotStore {
    readonly #level: Level;
    readonly #faults: (point: HotFaultPoint) => void;
    #appliedSeq: number;
    /** Highest sequence handed over; equals appliedSeq when nothing is under way. */
    #handedSeq: number;
    /** The last batch handed over; once it fails, all later ones fail. */
    #writing: Promise<void> = Promise.resolve();
    /** Waits for #writing, and others may still join it. */
    #pending: JoinedBatch | undefined;

    private constructor(level: Level, appliedSeq: number, options: HotStoreOptions) {
        this.#level = level;
        this.#faults = options.faults ?? (() => undefined);
        this.#appliedSeq = appliedSeq;
        this.#handedSeq = appliedSeq;
    }

    /** Throws StorageError `locked` when another process has it open, `corrupt` when LevelDB cannot read it. */
    static async open(directory: string, options: HotStoreOptions): Promise<HotStore> {
        const level: Level = new ClassicLevel<Buffer, Buffer>(directory, {
            keyEncoding: 'buffer',
            valueEncoding: 'buffer',
            cacheSize: options.cacheBytes,
            writeBufferSize: options.writeBufferBytes,
        });
        try {
            await level.open();
        } catch (error) {
            throw openError(directory, error);
        }
        const marker = level.getSync(APPLIED_SEQ_KEY);
        if (marker !== undefined && marker.length !== 8) {
            await level.close();
            throw new StorageError('corrupt', 'the hot store has a damaged applied-sequence marker');
        }
        return new HotStore(level, marker === undefined ? 0 : Number(marker.readBigUInt64BE()), options);
    }

    /** The commit sequence up to which everything is in the store. */
    get appliedSeq(): number {
        return this.#appliedSeq;
    }

    getSync(key: Buffer): Buffer | undefined {
        return this.#level.getSync(key);
    }

    /** As getSync, off the main thread: for keys that are probably not in memory. */
    async get(key: Buffer): Promise<Buffer | undefined> {
        return await this.#level.get(key);
    }

    async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
        return await this.#level.getMany(keys);
    }

    /**
     * Unsynced; visible to getSync and pages when the promise resolves. `seq` is the commit sequence that the store has
     * then reached: not below that of the batch before. Batches may be handed over without waiting for the one before:
     * they are kept in order, and those that wait are written as one. The batch belongs to the store from then on.
     */
    write(batch: HotBatch, seq: number): Promise<void> {
        assert(Number.isSafeInteger(seq) && seq >= this.#handedSeq, 'batches are written in commit order');
        this.#handedSeq = seq;
        const pending = this.#pending;
        if (pending !== undefined && pending.batch.bytes + batch.bytes <= JOINED_BYTES_MAX) {
            pending.batch.join(batch);
            pending.seq = seq;
            return pending.done;
        }
        const joined: JoinedBatch = {batch, seq, done: Promise.resolve()};
        // LevelDB's own order is that of its worker threads, so only one batch is with it at a time.
        joined.done = this.#writing.then(() => this.#apply(joined));
        this.#pending = joined;
        this.#writing = joined.done;
        // Every caller has `done`; the chain itself must not count as an unhandled rejection.
        joined.done.catch(() => undefined);
        return joined.done;
    }

    /**
     * As `write`, for what is not in the commit log: data that nothing refers to yet. It survives a power loss only
     * after a `checkpoint`, and the store's sequence does not move by it.
     */
    writeAside(batch: HotBatch): Promise<void> {
        return this.write(batch, this.#handedSeq);
    }

    async #apply(joined: JoinedBatch): Promise<void> {
        if (this.#pending === joined) this.#pending = undefined;
        const {keys, values} = joined.batch;
        const marker = Buffer.allocUnsafe(8);
        marker.writeBigUInt64BE(BigInt(joined.seq));
        this.#faults('hot.1.beforeWrite');
        try {
            // Entries of a chained batch go to native memory one by one: half the time of a batch given as a list.
            const chained = this.#level.batch();
            for (let i = 0; i < keys.length; i++) {
                const key = keys[i];
                const value = values[i];
                if (key === undefined) continue;
                if (value === undefined) chained.del(key);
                else chained.put(key, value);
                // A flush moves hundreds of thousands of rows at once: others go on meanwhile.
                if (i % TURN_ENTRIES === TURN_ENTRIES - 1) await new Promise((resolve) => setImmediate(resolve));
            }
            chained.put(APPLIED_SEQ_KEY, marker);
            await chained.write();
        } catch (error) {
            throw ioError('write to the hot store', error);
        }
        this.#faults('hot.2.afterWrite');
        this.#appliedSeq = joined.seq;
    }

    /**
     * After it, everything up to the returned sequence survives a power loss, so the log may forget it. A synced write
     * would not be enough: LevelDB changes its own log file without syncing the one before. A compaction of an empty
     * range writes the memtable out as a table file, synced.
     */
    async checkpoint(): Promise<number> {
        const seq = this.#appliedSeq;
        this.#faults('hot.3.beforeCheckpoint');
        try {
            await this.#level.compactRange(EDGE_KEY, EDGE_KEY);
        } catch (error) {
            throw ioError('checkpoint the hot store', error);
        }
        this.#faults('hot.4.afterCheckpoint');
        return seq;
    }

    /**
     * Entries in key order, in pages of at most `pageSize`, as they are at the moment of this call. Read to the end or
     * call `return`: until then the store keeps the snapshot.
     */
    pages(range: PageRange, pageSize: number): AsyncIterableIterator<HotEntry[]> {
        // The iterator takes LevelDB's implicit snapshot here, before the first page is asked for.
        const iterator = this.#level.iterator({
            gte: range.gte,
            lt: range.lt,
            reverse: range.reverse ?? false,
            limit: range.limit ?? -1,
            highWaterMarkBytes: 256 * 1024,
        });
        return new PageReader(iterator, pageSize);
    }

    /** Deletes in bounded steps, each atomic, the whole not. Not in the commit log: the caller's record says why. */
    async deleteRange(gte: Buffer, lt: Buffer): Promise<void> {
        let from = gte;
        for (;;) {
            const keys = await this.#level.keys({gte: from, lt, limit: DELETE_STEP_KEYS}).all();
            const last = keys.at(-1);
            if (last === undefined) return;
            await this.#level.clear({gte: from, lte: last});
            // Not from the beginning again: what is deleted there still has to be passed over.
            from = Buffer.concat([last, KEY_STEP]);
        }
    }

    /** Bytes on disk; what is still in the memtable does not count. */
    async approximateBytes(range: KeyRange): Promise<number> {
        return await this.#level.approximateSize(range.gte, range.lt);
    }

    /** Waits for what was handed over. Open page readers end. */
    async close(): Promise<void> {
        await this.#writing.catch(() => undefined);
        await this.#level.close();
    }
}

/** Not a generator: one that was never started would not close its snapshot on `return`. */
class PageReader implements AsyncIterableIterator<HotEntry[]> {
    readonly #iterator: LevelIterator<Level, Buffer, Buffer>;
    readonly #pageSize: number;

    constructor(iterator: LevelIterator<Level, Buffer, Buffer>, pageSize: number) {
        assert(Number.isInteger(pageSize) && pageSize > 0, 'a page has entries');
        this.#iterator = iterator;
        this.#pageSize = pageSize;
    }

    async next(): Promise<IteratorResult<HotEntry[]>> {
        const page = await this.#iterator.nextv(this.#pageSize);
        if (page.length > 0) return {done: false, value: page};
        return await this.return();
    }

    async return(): Promise<IteratorResult<HotEntry[]>> {
        await this.#iterator.close();
        return {done: true, value: undefined};
    }

    [Symbol.asyncIterator](): this {
        return this;
    }
}

function openError(directory: string, error: unknown): StorageError {
    const cause = error instanceof Error ? error.cause : undefined;
    const code = errorCode(cause) ?? errorCode(error);
    if (code === 'LEVEL_LOCKED') {
        return new StorageError('locked', `the hot store "${directory}" is in use by another process`, error);
    }
    if (code === 'LEVEL_CORRUPTION') {
        return new StorageError('corrupt', `the hot store "${directory}" is damaged`, error);
    }
    return ioError(`open the hot store "${directory}"`, cause ?? error);
}
