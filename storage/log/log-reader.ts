/**
 * Reads the commit log from its oldest file to its end, in order, and finds the end.
 *
 * Reading stops at the first place where the expected frame is not. That is the end of the log, or damage before it.
 * Which one it is can be told: a group is written only after the group before it is durable, so a whole frame of a
 * later group proves that something durable is lost. A damaged last group looks like one that was never finished.
 *
 * What must stay true: a group is delivered whole or not at all; nothing damaged is delivered; memory is bounded by two
 * files and the largest group.
 */
import {open} from 'node:fs/promises';
import {StorageError} from '../errors.ts';
import {findFrame, parseFrame, visitEntries, type Frame} from './frame.ts';
import {FILE_HEADER_BYTES, type LogFile} from './log-file.ts';

export interface LogEnd {
    /** The file that the next frame goes to; undefined when there is no file. */
    readonly file: LogFile | undefined;
    readonly offset: number;
    readonly nextGroup: number;
    /** Last sequence in the log; 0 when it is empty. */
    readonly lastSeq: number;
    /** Last sequence that begins in or before each file, by file number. */
    readonly lastSeqByFile: ReadonlyMap<number, number>;
}

export type EntryVisitor = (seq: number, payload: Buffer) => void;

/**
 * Visits the entries with a sequence above `fromSeq` and returns where the log ends. To read a log that is being
 * written, give `upToSeq`, which is durable: nothing after the group that has it is looked at.
 */
export async function readLog(
    files: readonly LogFile[],
    fromSeq: number,
    visit: EntryVisitor,
    upToSeq = Infinity,
): Promise<LogEnd> {
    const scan = new LogScan(fromSeq, upToSeq, visit);
    for (const [i, file] of files.entries()) {
        const previous = files[i - 1];
        if (previous !== undefined && previous.number + 1 !== file.number) scan.gap(previous);
        if (!scan.file(file, await readWhole(file))) {
            for (const later of files.slice(i + 1))
                scan.refuseLaterGroup(later, await readWhole(later), FILE_HEADER_BYTES);
            break;
        }
        if (scan.reached) break;
    }
    return scan.end();
}

/** Read and made durable: after a crash of the process alone, the last group may be in the system's cache only. */
async function readWhole(file: LogFile): Promise<Buffer> {
    const handle = await open(file.path, 'r+');
    try {
        const buffer = Buffer.allocUnsafeSlow(file.capacity);
        let length = 0;
        while (length < buffer.length) {
            const {bytesRead} = await handle.read(buffer, length, buffer.length - length, length);
            if (bytesRead === 0) throw new StorageError('corrupt', `commit log file "${file.path}" is cut short`);
            length += bytesRead;
        }
        await handle.datasync();
        return buffer;
    } finally {
        await handle.close();
    }
}

class LogScan {
    readonly #fromSeq: number;
    readonly #upToSeq: number;
    readonly #visit: EntryVisitor;
    readonly #lastSeqByFile = new Map<number, number>();
    /** Number of the group that must come next; undefined until the first whole group is found. */
    #group: number | undefined;
    /** Parts of a group of which the last frame is still to come. */
    #parts: Frame[] = [];
    #endFile: LogFile | undefined;
    #endOffset = FILE_HEADER_BYTES;
    #lastSeq = 0;
    /** Last frame of a group whose beginning was recycled away. */
    #headless: Frame | undefined;
    #atOldest = true;

    constructor(fromSeq: number, upToSeq: number, visit: EntryVisitor) {
        this.#fromSeq = fromSeq;
        this.#upToSeq = upToSeq;
        this.#visit = visit;
    }

    get reached(): boolean {
        return this.#lastSeq >= this.#upToSeq;
    }

    /** Files that are missing may be missing only where nothing in or before them is needed any more. */
    gap(before: LogFile): void {
        if (this.#parts.length > 0 || this.#lastSeq > this.#fromSeq) {
            throw new StorageError('corrupt', `the commit log misses the file after "${before.path}"`);
        }
        this.#group = undefined;
        this.#headless = undefined;
        this.#atOldest = true;
    }

    /** False when the log ends in this file or before it. */
    file(file: LogFile, buffer: Buffer): boolean {
        let offset = FILE_HEADER_BYTES;
        let frame = parseFrame(buffer, offset, file.number);
        const begins = frame !== undefined && this.#accepts(frame);
        if (!begins && this.#endFile !== undefined) {
            this.refuseLaterGroup(file, buffer, offset);
            return false;
        }
        if (this.#parts.length === 0) this.#mark(file, offset);
        this.#lastSeqByFile.set(file.number, this.#lastSeq);
        while (frame !== undefined && !this.reached && this.#accepts(frame)) {
            offset = frame.end;
            this.#take(frame, file, offset);
            frame = parseFrame(buffer, offset, file.number);
        }
        this.#atOldest = false;
        // Whole files end like this too: the next file shows whether something follows.
        if (!this.reached) this.refuseLaterGroup(file, buffer, offset);
        return true;
    }

    #mark(file: LogFile, offset: number): void {
        this.#endFile = file;
        this.#endOffset = offset;
    }

    #accepts(frame: Frame): boolean {
        if (this.#group === undefined) return frame.index === 0 || this.#continuesHeadless(frame);
        const first = this.#parts[0];
        return (
            frame.group === this.#group &&
            frame.index === this.#parts.length &&
            (first === undefined || first.nonce === frame.nonce)
        );
    }

    /** Only the oldest file may begin inside a group: the rest of one whose beginning was recycled. */
    #continuesHeadless(frame: Frame): boolean {
        const headless = this.#headless;
        if (headless === undefined) return this.#atOldest;
        return frame.group === headless.group && frame.index === headless.index + 1 && frame.nonce === headless.nonce;
    }

    #take(frame: Frame, file: LogFile, end: number): void {
        if (this.#group === undefined) {
            if (frame.index !== 0) {
                this.#headless = frame;
                this.#lastSeq = frame.lastSeq;
                this.#lastSeqByFile.set(file.number, frame.lastSeq);
                this.#mark(file, end);
                return;
            }
            this.#group = frame.group;
            if (frame.previousSeq > this.#fromSeq) {
                throw new StorageError(
                    'corrupt',
                    `the commit log begins after sequence ${frame.previousSeq}, but what follows ${this.#fromSeq} is asked for`,
                );
            }
        }
        this.#parts.push(frame);
        this.#lastSeqByFile.set(file.number, frame.lastSeq);
        if (!frame.last) return;
        this.#deliver();
        this.#group++;
        this.#parts = [];
        this.#lastSeq = frame.lastSeq;
        this.#mark(file, end);
    }

    #deliver(): void {
        const [first] = this.#parts;
        if (first === undefined || first.lastSeq <= this.#fromSeq) return;
        const payload =
            this.#parts.length === 1 ? first.payload : Buffer.concat(this.#parts.map((part) => part.payload));
        visitEntries(payload, (seq, entry) => {
            if (seq > this.#fromSeq) this.#visit(seq, entry);
        });
    }

    /** A whole frame of a group after the expected one means that the log is damaged before it. */
    refuseLaterGroup(file: LogFile, buffer: Buffer, offset: number): void {
        const group = this.#group;
        const later = findFrame(buffer, offset, file.number, (frame) =>
            group === undefined ? frame.index === 0 : frame.group > group,
        );
        if (later === undefined) return;
        throw new StorageError(
            'corrupt',
            `the commit log is damaged in or before file "${file.path}": group ${group ?? 'before'} is missing, ` +
                `but ${later.group} is there`,
        );
    }

    end(): LogEnd {
        return {
            file: this.#endFile,
            offset: this.#endOffset,
            nextGroup: this.#group ?? (this.#headless?.group ?? 0) + 1,
            lastSeq: this.#lastSeq,
            lastSeqByFile: this.#lastSeqByFile,
        };
    }
}
