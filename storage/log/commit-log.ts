/**
 * The commit log: what is in it after a sync has happened, whatever fails later. A transaction is appended to the open
 * group; a group is written and synced as one; while one sync runs, the next group fills.
 *
 * A sync begins at the end of the event-loop turn in which the first transaction of its group came, so that the
 * commits of all connections that were readable in that turn share it. It runs on the thread pool; only when
 * transactions come one at a time, and the device is fast, is it done on the spot, which saves the way through the pool.
 *
 * What must stay true: sequences ascend; callbacks run in order, each exactly once, only after the sync; after a failed
 * write or sync nothing more is reported durable (the state of the file is unknown then, so the server has to stop, as
 * PostgreSQL does with PANIC, and read the log anew).
 */
import assert from 'node:assert/strict';
import {fdatasync, fdatasyncSync, write as writeFile, writeSync} from 'node:fs';
import {mkdir, rm} from 'node:fs/promises';
import {randomInt} from 'node:crypto';
import {promisify} from 'node:util';
import {ioError, StorageError} from '../errors.ts';
import {FRAME_HEADER_BYTES, frameBytes, sealFrame} from './frame.ts';
import {Group, LARGE_PAYLOAD_BYTES} from './group.ts';
import {FILE_HEADER_BYTES, listLogFiles, prepareLogFile, type LogFile} from './log-file.ts';
import {LogFiles, type LogFaultPoint} from './log-files.ts';
import {readLog, type LogEnd} from './log-reader.ts';

export type {LogFaultPoint} from './log-files.ts';

export interface CommitLogOptions {
    /** Bytes of a file. Default 16 MiB; at least FILE_BYTES_MIN. */
    readonly fileBytes?: number | undefined;
    /** A group is closed at this size, and the next one begun. Default 4 MiB. */
    readonly groupBytesMax?: number | undefined;
    /** Called once, when a write or sync has failed or a callback has thrown. Nothing is durable from then on. */
    readonly onFatal: (error: StorageError) => void;
    /** False when other work is waiting for the main thread, which a sync on the spot would hold up. */
    readonly mayBlock?: (() => boolean) | undefined;
    /** Called at numbered points, so that crash tests can end the process there. */
    readonly faults?: ((point: LogFaultPoint) => void) | undefined;
}

export interface ReplayedEntry {
    readonly seq: number;
    /** Valid during the visit. */
    readonly payload: Buffer;
}

/** Of one transaction. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024 * 1024;
export const FILE_BYTES_MIN = 64 * 1024;
/** The first file of a new log is small, so that making it does not hold up the first start. */
const FIRST_FILE_BYTES_MAX = 1024 * 1024;
/** Larger groups are written as several frames of this size. */
const FRAME_BYTES_MAX = 1024 * 1024;
/** A slower device is never waited for on the main thread. */
const BLOCKING_SYNC_MS_MAX = 0.4;
const GROUPS_KEPT = 3;
const datasync = promisify(fdatasync);
const write = promisify(writeFile);

export class CommitLog {
    readonly #directory: string;
    readonly #fileBytes: number;
    readonly #groupBytesMax: number;
    readonly #onFatal: (error: StorageError) => void;
    readonly #mayBlock: () => boolean;
    readonly #faults: (point: LogFaultPoint) => void;
    readonly #nonce = randomInt(0xffffffff);
    #files: LogFiles | undefined;
    #failed: StorageError | undefined;
    #closed = false;

    /** Groups waiting for their write; the last one is open. */
    readonly #queue: Group[] = [];
    readonly #free: Group[] = [];
    #scheduled = false;
    #writing = false;
    #group = 1;
    #appendedSeq = 0;
    #durableSeq = 0;
    #pendingBytes = 0;
    #syncs = 0;
    #waiters: {seq: number; resolve: () => void; reject: (error: StorageError) => void}[] = [];

    /** What the choice between the two ways of syncing rests on. */
    #entriesBefore = 0;
    #appendedDuringSync = false;
    #syncMs = Infinity;

    private constructor(directory: string, options: CommitLogOptions) {
        this.#directory = directory;
        this.#fileBytes = options.fileBytes ?? 16 * 1024 * 1024;
        this.#groupBytesMax = options.groupBytesMax ?? 4 * 1024 * 1024;
        if (!Number.isInteger(this.#fileBytes) || this.#fileBytes < FILE_BYTES_MIN || this.#fileBytes % 512 !== 0) {
            throw new StorageError('invalid', `${this.#fileBytes} is not a size for commit log files`);
        }
        this.#onFatal = options.onFatal;
        this.#mayBlock = options.mayBlock ?? (() => true);
        this.#faults = options.faults ?? (() => undefined);
    }

    /** Opens or creates it. `replay` has to follow before the first append. */
    static async open(directory: string, options: CommitLogOptions): Promise<CommitLog> {
        const log = new CommitLog(directory, options);
        try {
            await mkdir(directory, {recursive: true});
            const {files} = await listLogFiles(directory);
            if (files.length === 0) {
                await prepareLogFile(directory, 1, Math.min(log.#fileBytes, FIRST_FILE_BYTES_MAX), undefined);
            }
        } catch (error) {
            throw ioError(`open the commit log in "${directory}"`, error);
        }
        return log;
    }

    /**
     * Visits, in order, every entry with a sequence above `fromSeq`; once, before the first append. Throws StorageError
     * `corrupt` when something durable is damaged or the log does not reach back to `fromSeq`. An unfinished group at
     * the end is none.
     */
    async replay(fromSeq: number, visit: (entry: ReplayedEntry) => void): Promise<void> {
        assert(this.#files === undefined && !this.#closed, 'the log is replayed once');
        try {
            const {files, spares} = await listLogFiles(this.#directory);
            const end = await readLog(files, fromSeq, (seq, payload) => visit({seq, payload}));
            this.#files = await this.#startWriting(files, spares, end);
            this.#group = end.nextGroup;
            this.#durableSeq = Math.max(fromSeq, end.lastSeq);
            this.#appendedSeq = this.#durableSeq;
        } catch (error) {
            throw ioError('replay the commit log', error);
        }
    }

    async #startWriting(files: readonly LogFile[], spares: readonly string[], end: LogEnd): Promise<LogFiles> {
        const current = end.file;
        assert(current !== undefined, 'an open log has a file');
        // What comes after the next file was begun by a group that was never finished.
        for (const file of files) if (file.number > current.number + 1) await rm(file.path);
        const old = files
            .filter((file) => file.number < current.number)
            .map((file) => ({
                file,
                lastSeq: end.lastSeqByFile.get(file.number) ?? 0,
                usedBytes: file.capacity - FILE_HEADER_BYTES,
            }));
        const next = files.find((file) => file.number === current.number + 1);
        return new LogFiles({current, offset: end.offset, old, next, spares}, this.#fileBytes, this.#faults);
    }

    /** Everything up to this sequence is durable. */
    get durableSeq(): number {
        return this.#durableSeq;
    }

    /** Bytes appended and not yet durable: callers take no more work while it is above their bound. */
    get pendingBytes(): number {
        return this.#pendingBytes;
    }

    /** Bytes of the log that recycling has not yet given back: what a replay would read. */
    get liveBytes(): number {
        return this.#files?.liveBytes ?? 0;
    }

    /** Syncs so far. */
    get syncs(): number {
        return this.#syncs;
    }

    /**
     * Joins the open group. `onDurable` is called after its sync, in order of the sequences. The payload is copied; from
     * LARGE_PAYLOAD_BYTES (1 MiB) on it is not, and must stay unchanged until then. Throws StorageError `closed` when
     * the log has failed, `invalid` above PAYLOAD_BYTES_MAX.
     */
    append(seq: number, payload: Uint8Array, onDurable: () => void): void {
        if (this.#failed !== undefined) throw new StorageError('closed', 'the commit log has failed', this.#failed);
        assert(this.#files !== undefined && !this.#closed, 'the log is open and replayed');
        assert(Number.isSafeInteger(seq) && seq > this.#appendedSeq, 'sequences ascend');
        if (payload.length > PAYLOAD_BYTES_MAX) {
            throw new StorageError(
                'invalid',
                `a transaction of ${payload.length} bytes is too large for the commit log`,
            );
        }
        this.#appendedSeq = seq;
        const group = this.#openGroup(payload.length);
        const before = group.payloadBytes;
        group.add(seq, payload, onDurable);
        this.#pendingBytes += group.payloadBytes - before;
        if (this.#writing) this.#appendedDuringSync = true;
        else this.#schedule();
    }

    #openGroup(payloadBytes: number): Group {
        const last = this.#queue.at(-1);
        const joins =
            last !== undefined &&
            !last.isLarge &&
            payloadBytes < LARGE_PAYLOAD_BYTES &&
            last.payloadBytes + payloadBytes <= this.#groupBytesMax;
        if (joins) return last;
        const group = this.#free.pop() ?? new Group();
        this.#queue.push(group);
        return group;
    }

    #schedule(): void {
        if (this.#scheduled) return;
        this.#scheduled = true;
        setImmediate(this.#turn);
    }

    readonly #turn = (): void => {
        this.#scheduled = false;
        if (!this.#writing) this.#next();
    };

    /** Writes the next group. */
    #next(): void {
        const files = this.#files;
        if (files === undefined || this.#failed !== undefined) return;
        const group = this.#queue.shift();
        if (group === undefined) return;
        const bytes = frameBytes(group.payloadBytes);
        if (group.isLarge || bytes > files.remaining || bytes > FRAME_BYTES_MAX) {
            this.#writing = true;
            this.#writeFrames(files, group).then(
                () => this.#synced(group),
                (error: unknown) => this.#fail(ioError('write the commit log', error)),
            );
            return;
        }
        try {
            this.#writeFrame(files, group, bytes);
        } catch (error) {
            this.#fail(ioError('write the commit log', error));
        }
    }

    /** The usual case: one frame, which fits. The write goes to the system's cache, so it does not wait for the device. */
    #writeFrame(files: LogFiles, group: Group, bytes: number): void {
        const blocks =
            group.entries === 1 &&
            this.#entriesBefore === 1 &&
            !this.#appendedDuringSync &&
            this.#syncMs < BLOCKING_SYNC_MS_MAX &&
            this.#queue.length === 0 &&
            this.#mayBlock();
        const frame = group.frame;
        sealFrame(frame, group.payloadBytes, this.#fields(files, group, 0, true));
        this.#faults('log.1.beforeWrite');
        writeAllSync(files.descriptor, frame, files.offset);
        files.offset += bytes;
        this.#faults('log.3.afterWrite');
        const started = performance.now();
        if (blocks) {
            fdatasyncSync(files.descriptor);
            this.#measure(started);
            this.#synced(group);
            return;
        }
        this.#writing = true;
        this.#appendedDuringSync = false;
        fdatasync(files.descriptor, (error) => {
            this.#measure(started);
            if (error === null) this.#synced(group);
            else this.#fail(ioError('sync the commit log', error));
        });
    }

    #measure(started: number): void {
        const elapsedMs = performance.now() - started;
        this.#syncMs = this.#syncMs === Infinity ? elapsedMs : this.#syncMs * 0.9 + elapsedMs * 0.1;
    }

    /** A group that does not fit in what is left of the file, or in one frame. */
    async #writeFrames(files: LogFiles, group: Group): Promise<void> {
        const whole = frameBytes(group.payloadBytes);
        if (whole > files.remaining && whole <= FRAME_BYTES_MAX && whole <= this.#fileBytes - FILE_HEADER_BYTES) {
            await files.advance(this.#durableSeq);
        }
        const scratch = Buffer.allocUnsafeSlow(Math.min(FRAME_BYTES_MAX, whole));
        let written = 0;
        let index = 0;
        while (written < group.payloadBytes) {
            if (files.remaining <= FRAME_HEADER_BYTES * 2) {
                await datasync(files.descriptor);
                // The file also holds the beginning of this group, so it is needed as long as the group is.
                await files.advance(group.lastSeq);
            }
            const room = Math.min(scratch.length, files.remaining) - FRAME_HEADER_BYTES;
            const payloadBytes = Math.min(room, group.payloadBytes - written);
            group.copyPayload(scratch, FRAME_HEADER_BYTES, written, written + payloadBytes);
            written += payloadBytes;
            const last = written === group.payloadBytes;
            sealFrame(scratch, payloadBytes, this.#fields(files, group, index, last));
            this.#faults(index === 0 ? 'log.1.beforeWrite' : 'log.2.betweenFrames');
            await writeAll(files.descriptor, scratch.subarray(0, FRAME_HEADER_BYTES + payloadBytes), files.offset);
            files.offset += frameBytes(payloadBytes);
            index++;
        }
        this.#faults('log.3.afterWrite');
        await datasync(files.descriptor);
    }

    #fields(files: LogFiles, group: Group, index: number, last: boolean) {
        return {
            last,
            index,
            nonce: this.#nonce,
            group: this.#group,
            file: files.number,
            previousSeq: this.#durableSeq,
            firstSeq: group.firstSeq,
            lastSeq: group.lastSeq,
        };
    }

    #synced(group: Group): void {
        this.#syncs++;
        this.#group++;
        this.#durableSeq = group.lastSeq;
        this.#pendingBytes -= group.payloadBytes;
        this.#entriesBefore = group.entries;
        try {
            this.#faults('log.4.afterSync');
            for (const onDurable of group.callbacks) onDurable();
        } catch (error) {
            this.#fail(new StorageError('io', 'a commit callback of the log has thrown', error));
            return;
        }
        if (group.reset() && this.#free.length < GROUPS_KEPT) this.#free.push(group);
        this.#wake();
        // After a sync on the spot the event loop has its turn first: others may be waiting to join.
        const onTheSpot = !this.#writing;
        this.#writing = false;
        if (this.#queue.length === 0) return;
        if (onTheSpot) this.#schedule();
        else this.#next();
    }

    #wake(): void {
        if (this.#waiters.length === 0) return;
        const waiters = this.#waiters;
        this.#waiters = waiters.filter((waiter) => waiter.seq > this.#durableSeq);
        for (const waiter of waiters) if (waiter.seq <= this.#durableSeq) waiter.resolve();
    }

    #fail(error: StorageError): void {
        if (this.#failed !== undefined) return;
        this.#failed = error;
        this.#writing = true;
        this.#queue.length = 0;
        for (const waiter of this.#waiters) waiter.reject(error);
        this.#waiters = [];
        this.#onFatal(error);
    }

    /** Resolves when everything appended so far is durable. */
    async flush(): Promise<void> {
        if (this.#failed !== undefined) throw new StorageError('closed', 'the commit log has failed', this.#failed);
        const seq = this.#appendedSeq;
        if (seq <= this.#durableSeq) return;
        await new Promise<void>((resolve, reject) => this.#waiters.push({seq, resolve, reject}));
    }

    /**
     * Visits the durable entries with a sequence above `fromSeq`, at any time after replay, while appends go on. Throws
     * StorageError `corrupt` when the log does not reach back so far.
     */
    async read(fromSeq: number, visit: (entry: ReplayedEntry) => void): Promise<void> {
        const files = this.#files;
        assert(files !== undefined && !this.#closed, 'the log is open and replayed');
        const resume = files.pauseRecycling();
        const upToSeq = this.#durableSeq;
        try {
            if (upToSeq <= fromSeq) return;
            await files.settled();
            const visitDurable = (seq: number, payload: Buffer) => {
                if (seq <= upToSeq) visit({seq, payload});
            };
            await readLog(files.files, fromSeq, visitDurable, upToSeq);
        } catch (error) {
            throw ioError('read the commit log', error);
        } finally {
            resume();
        }
    }

    /** Entries up to `upToSeq` are not needed any more: their files are put away in the background, at the
     *  latest with the first call after the last `read`. */
    recycle(upToSeq: number): void {
        if (this.#failed !== undefined || this.#closed) return;
        assert(upToSeq <= this.#durableSeq, 'only what is durable can be given up');
        this.#files?.recycle(upToSeq);
    }

    /** Resolves when files put away or made ready in the background are so. */
    async settled(): Promise<void> {
        await this.#files?.settled();
    }

    /** Makes everything durable and closes the files. */
    async close(): Promise<void> {
        if (this.#closed) return;
        if (this.#failed === undefined) await this.flush();
        this.#closed = true;
        await this.#files?.close();
    }
}

function writeAllSync(descriptor: number, bytes: Buffer, position: number): void {
    let written = 0;
    while (written < bytes.length) {
        written += writeSync(descriptor, bytes, written, bytes.length - written, position + written);
    }
}

async function writeAll(descriptor: number, bytes: Buffer, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
        const {bytesWritten} = await write(descriptor, bytes, written, bytes.length - written, position + written);
        written += bytesWritten;
    }
}
