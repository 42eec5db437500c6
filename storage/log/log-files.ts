/**
 * The writer's files: the one being written, the next one made ready ahead of time, those still needed, and spares.
 * Making ready, recycling and removing happen one after the other in the background, so that no commit waits for them
 * unless the log fills a file faster than the next one can be made ready.
 *
 * What must stay true: file numbers have no gaps, so files are put away oldest first; a failure to put a file away or
 * to make one ready in the background is not fatal until the next file is needed.
 */
import {closeSync, openSync} from 'node:fs';
import {rename, rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {ioError} from '../errors.ts';
import {FILE_HEADER_BYTES, prepareLogFile, spareName, type LogFile} from './log-file.ts';

/** More are removed: they would only hold disk space after a burst. */
const SPARES_MAX = 3;

export type LogFaultPoint =
    | 'log.1.beforeWrite'
    | 'log.2.betweenFrames'
    | 'log.3.afterWrite'
    | 'log.4.afterSync'
    | 'log.5.beforePrepare'
    | 'log.6.afterPrepare'
    | 'log.7.beforeRecycle'
    | 'log.8.afterRecycle';

interface OldFile {
    readonly file: LogFile;
    readonly lastSeq: number;
    readonly usedBytes: number;
}

export interface LogFilesStart {
    readonly current: LogFile;
    readonly offset: number;
    /** Before the current one, oldest first. */
    readonly old: readonly OldFile[];
    /** Ready and after the current one, at most one. */
    readonly next: LogFile | undefined;
    readonly spares: readonly string[];
}

export class LogFiles {
    /** Where the next frame goes. Moved by the writer. */
    offset: number;
    readonly #fileBytes: number;
    readonly #faults: (point: LogFaultPoint) => void;
    #current: LogFile;
    #descriptor: number;
    #next: LogFile | undefined;
    #old: OldFile[];
    #spares: string[];
    /** Background work, one piece after the other. Never rejects. */
    #work: Promise<void> = Promise.resolve();
    #preparing = false;
    #backgroundError: unknown;
    #recyclePaused = 0;

    constructor(start: LogFilesStart, fileBytes: number, faults: (point: LogFaultPoint) => void) {
        this.offset = start.offset;
        this.#fileBytes = fileBytes;
        this.#faults = faults;
        this.#current = start.current;
        this.#descriptor = openSync(start.current.path, 'r+');
        this.#next = start.next;
        this.#old = [...start.old];
        this.#spares = [...start.spares];
        if (start.next === undefined) this.#prepareNext();
    }

    get descriptor(): number {
        return this.#descriptor;
    }

    get number(): number {
        return this.#current.number;
    }

    /** Bytes left in the current file. */
    get remaining(): number {
        return this.#current.capacity - this.offset;
    }

    /** Bytes of frames in files that are still needed. */
    get liveBytes(): number {
        return this.#old.reduce((sum, old) => sum + old.usedBytes, this.offset - FILE_HEADER_BYTES);
    }

    /** All files with frames, oldest first. */
    get files(): readonly LogFile[] {
        return [...this.#old.map((old) => old.file), this.#current];
    }

    /** The error of the last background step, if it failed. */
    get backgroundError(): unknown {
        return this.#backgroundError;
    }

    /** Makes the next file the current one. Everything in the current one is durable, up to `lastSeq`. */
    async advance(lastSeq: number): Promise<void> {
        if (this.#next === undefined) {
            this.#prepareNext();
            await this.#work;
        }
        const next = this.#next;
        if (next === undefined) throw ioError('make the next commit log file ready', this.#backgroundError);
        const descriptor = openSync(next.path, 'r+');
        closeSync(this.#descriptor);
        this.#old.push({file: this.#current, lastSeq, usedBytes: this.offset - FILE_HEADER_BYTES});
        this.#descriptor = descriptor;
        this.#current = next;
        this.#next = undefined;
        this.offset = FILE_HEADER_BYTES;
        this.#prepareNext();
    }

    /** Puts away the files of which nothing after `upToSeq` is in. */
    recycle(upToSeq: number): void {
        this.#enqueue(async () => {
            for (;;) {
                const oldest = this.#old[0];
                if (oldest === undefined || oldest.lastSeq > upToSeq || this.#recyclePaused > 0) return;
                this.#faults('log.7.beforeRecycle');
                await this.#putAway(oldest.file);
                this.#old.shift();
                this.#faults('log.8.afterRecycle');
            }
        });
    }

    async #putAway(file: LogFile): Promise<void> {
        if (file.capacity !== this.#fileBytes || this.#spares.length >= SPARES_MAX) {
            await rm(file.path);
            return;
        }
        const spare = join(dirname(file.path), spareName(file.number));
        await rename(file.path, spare);
        this.#spares.push(spare);
    }

    /** While any reader holds a pause, no file is put away. */
    pauseRecycling(): () => void {
        this.#recyclePaused++;
        return () => {
            this.#recyclePaused--;
        };
    }

    #prepareNext(): void {
        if (this.#preparing || this.#next !== undefined) return;
        this.#preparing = true;
        const number = this.#current.number + 1;
        this.#enqueue(async () => {
            try {
                this.#faults('log.5.beforePrepare');
                const spare = this.#spares.shift();
                this.#next = await prepareLogFile(dirname(this.#current.path), number, this.#fileBytes, spare);
                this.#faults('log.6.afterPrepare');
            } finally {
                this.#preparing = false;
            }
        });
    }

    #enqueue(step: () => Promise<void>): void {
        this.#work = this.#work.then(step).then(
            () => {
                this.#backgroundError = undefined;
            },
            (error: unknown) => {
                this.#backgroundError = error;
            },
        );
    }

    /** Resolves when no background work is left. */
    async settled(): Promise<void> {
        await this.#work;
    }

    async close(): Promise<void> {
        await this.#work;
        closeSync(this.#descriptor);
    }
}
