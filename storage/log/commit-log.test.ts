import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {StorageError} from '../errors.ts';
import {CommitLog, FILE_BYTES_MIN, PAYLOAD_BYTES_MAX, type CommitLogOptions} from './commit-log.ts';
import {parseFrame} from './frame.ts';
import {FILE_HEADER_BYTES} from './log-file.ts';

let directory: string;
const open: CommitLog[] = [];

beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'commit-log-'));
});

afterEach(async () => {
    for (const log of open.splice(0)) await log.close().catch(() => undefined);
    rmSync(directory, {recursive: true, force: true});
});

interface Opened {
    readonly log: CommitLog;
    readonly entries: {readonly seq: number; readonly text: string}[];
    readonly fatal: StorageError[];
}

async function openLog(fromSeq = 0, options: Partial<CommitLogOptions> = {}): Promise<Opened> {
    const fatal: StorageError[] = [];
    const log = await CommitLog.open(directory, {fileBytes: FILE_BYTES_MIN, onFatal: (e) => fatal.push(e), ...options});
    const entries: {seq: number; text: string}[] = [];
    await log.replay(fromSeq, ({seq, payload}) => entries.push({seq, text: payload.toString('latin1')}));
    open.push(log);
    return {log, entries, fatal};
}

/** Each in a group of its own. */
async function appendSingly(log: CommitLog, from: number, to: number, bytes = 20): Promise<void> {
    for (let seq = from; seq <= to; seq++) {
        log.append(seq, payloadOf(seq, bytes), () => undefined);
        await log.flush();
    }
}

function payloadOf(seq: number, bytes: number): Buffer {
    return Buffer.from(`${seq}:`.padEnd(bytes, 'x'), 'latin1');
}

function sequences(opened: Opened): number[] {
    return opened.entries.map((entry) => entry.seq);
}

function range(from: number, to: number): number[] {
    return Array.from({length: to - from + 1}, (_, i) => from + i);
}

function logFiles(): string[] {
    return readdirSync(directory).filter((name) => name.endsWith('.log'));
}

function firstFile(): string {
    return join(directory, logFiles()[0] ?? '');
}

/** Offsets of the frames in the first file, and where they end. */
function frameOffsets(content: Buffer, file = 1): number[] {
    const offsets = [FILE_HEADER_BYTES];
    for (;;) {
        const frame = parseFrame(content, offsets.at(-1) ?? 0, file);
        if (frame === undefined) return offsets;
        offsets.push(frame.end);
    }
}

describe('appending and replaying', () => {
    test('a new log is empty', async () => {
        const opened = await openLog();
        expect(opened.entries).toEqual([]);
        expect(opened.log.durableSeq).toBe(0);
        expect(opened.log.liveBytes).toBe(0);
    });

    test('what was appended is replayed in order, from the sequence asked for', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 10);
        await log.close();
        expect(sequences(await openLog(0))).toEqual(range(1, 10));
        await open.at(-1)?.close();
        expect(sequences(await openLog(7))).toEqual([8, 9, 10]);
    });

    test('callbacks run once, in order, only after the sync, and all of a turn share a group', async () => {
        const {log} = await openLog();
        const called: number[] = [];
        for (const seq of range(1, 50)) {
            log.append(seq, payloadOf(seq, 10), () => {
                expect(log.durableSeq).toBe(50);
                called.push(seq);
            });
        }
        expect(called).toEqual([]);
        expect(log.pendingBytes).toBeGreaterThan(500);
        await log.flush();
        expect(called).toEqual(range(1, 50));
        expect(log.syncs).toBe(1);
        expect(log.pendingBytes).toBe(0);
    });

    test('what comes during a sync is the next group', async () => {
        const {log} = await openLog();
        log.append(1, payloadOf(1, 10), () => {
            for (const seq of [2, 3, 4]) log.append(seq, payloadOf(seq, 10), () => undefined);
        });
        await log.flush();
        await log.flush();
        expect(log.durableSeq).toBe(4);
        expect(log.syncs).toBe(2);
    });

    test('the payload may be changed by the caller after append', async () => {
        const {log} = await openLog();
        const payload = Buffer.from('before');
        log.append(1, payload, () => undefined);
        payload.write('after!');
        await log.close();
        expect((await openLog()).entries).toEqual([{seq: 1, text: 'before'}]);
    });

    test('sequences may have gaps and payloads may be empty', async () => {
        const {log} = await openLog();
        log.append(5, Buffer.alloc(0), () => undefined);
        log.append(900719925474099, Buffer.from('big'), () => undefined);
        await log.close();
        expect((await openLog()).entries).toEqual([
            {seq: 5, text: ''},
            {seq: 900719925474099, text: 'big'},
        ]);
    });

    test('a reopened log goes on where it ended, several times over', async () => {
        for (const start of [1, 11, 21, 31]) {
            const opened = await openLog();
            expect(sequences(opened)).toEqual(range(1, start - 1));
            await appendSingly(opened.log, start, start + 9, 3000);
            await opened.log.close();
        }
        const opened = await openLog();
        expect(sequences(opened)).toEqual(range(1, 40));
        expect(opened.entries.every((entry) => entry.text === payloadOf(entry.seq, 3000).toString('latin1'))).toBe(
            true,
        );
        expect(logFiles().length).toBeGreaterThan(2);
    });

    test('a group larger than a file spans files, and is whole again', async () => {
        const {log} = await openLog(0, {groupBytesMax: 1024 * 1024});
        for (const seq of range(1, 40)) log.append(seq, payloadOf(seq, 9000), () => undefined);
        await log.close();
        expect(log.syncs).toBe(1);
        expect(logFiles().length).toBeGreaterThan(4);
        expect(sequences(await openLog())).toEqual(range(1, 40));
    });

    test('a payload of many megabytes is delivered whole', async () => {
        const {log} = await openLog(0, {fileBytes: 1024 * 1024});
        const large = Buffer.alloc(5_000_001);
        for (let i = 0; i < large.length; i++) large[i] = (i * 31) & 127;
        const called: number[] = [];
        log.append(1, payloadOf(1, 10), () => called.push(1));
        log.append(2, large, () => called.push(2));
        log.append(3, payloadOf(3, 10), () => called.push(3));
        await log.close();
        expect(called).toEqual([1, 2, 3]);
        const opened = await openLog(0, {fileBytes: 1024 * 1024});
        expect(sequences(opened)).toEqual([1, 2, 3]);
        expect(Buffer.from(opened.entries[1]?.text ?? '', 'latin1').equals(large)).toBe(true);
    });

    test('groups are closed at groupBytesMax', async () => {
        const {log} = await openLog(0, {groupBytesMax: 2000});
        for (const seq of range(1, 10)) log.append(seq, payloadOf(seq, 900), () => undefined);
        await log.flush();
        expect(log.syncs).toBe(5);
    });

    test('durable entries can be read while others are appended', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 60, 3000);
        const read: number[] = [];
        const reading = log.read(20, ({seq}) => read.push(seq));
        await appendSingly(log, 61, 80, 3000);
        await reading;
        expect(read).toEqual(range(21, 60));
    });
});

describe('recycling', () => {
    test('files that are not needed any more are used again, and the rest is still replayed', async () => {
        const {log} = await openLog();
        for (let start = 1; start <= 901; start += 100) {
            await appendSingly(log, start, start + 99, 2000);
            log.recycle(start + 49);
            await log.settled();
        }
        await log.close();
        const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
        expect(bytes).toBeLessThan(FILE_BYTES_MIN * 14);
        const opened = await openLog(950);
        expect(sequences(opened)).toEqual(range(951, 1000));
        expect(opened.log.durableSeq).toBe(1000);
    });

    test('a log that does not reach back to what was applied refuses to be replayed', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 200, 2000);
        log.recycle(150);
        await log.close();
        await expect(openLog(20)).rejects.toMatchObject({
            kind: 'corrupt',
            message: expect.stringContaining('begins after'),
        });
    });

    test('a missing file in the middle is corruption', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 200, 2000);
        await log.close();
        rmSync(join(directory, logFiles()[2] ?? ''));
        await expect(openLog(0)).rejects.toMatchObject({kind: 'corrupt'});
    });

    test('a group that spans files is kept until all of it may go', async () => {
        const {log} = await openLog(0, {groupBytesMax: 1024 * 1024});
        for (const seq of range(1, 40)) log.append(seq, payloadOf(seq, 9000), () => undefined);
        await log.flush();
        await appendSingly(log, 41, 45);
        log.recycle(39);
        await log.settled();
        await log.close();
        expect(sequences(await openLog(39))).toEqual(range(40, 45));
        await open.at(-1)?.close();
        const again = await openLog(40);
        again.log.recycle(40);
        await again.log.settled();
        await again.log.close();
        const last = await openLog(40);
        expect(sequences(last)).toEqual(range(41, 45));
        await appendSingly(last.log, 46, 50);
        await last.log.close();
        expect(sequences(await openLog(40))).toEqual(range(41, 50));
    });
});

describe('damage', () => {
    test('a last record torn at any byte is dropped, nothing else is, and the log goes on', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 3, 40);
        await log.close();
        const path = firstFile();
        const whole = readFileSync(path);
        const offsets = frameOffsets(whole);
        const [start, end] = [offsets[2] ?? 0, offsets[3] ?? 0];
        const payloadEnd = end - (end - start - 64 - 12 - 40);
        for (let cut = start; cut < payloadEnd; cut++) {
            const torn = Buffer.from(whole);
            torn.fill(0xee, cut, payloadEnd);
            writeFileSync(path, torn);
            const opened = await openLog();
            expect(sequences(opened)).toEqual([1, 2]);
            if (cut % 16 === 0) {
                await appendSingly(opened.log, 3, 4, 10);
                await opened.log.close();
                expect(sequences(await openLog())).toEqual([1, 2, 3, 4]);
            }
            await open.at(-1)?.close();
        }
    });

    test('a flipped bit before the last group is refused, wherever it is', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 4, 24);
        await log.close();
        const path = firstFile();
        const whole = readFileSync(path);
        const offsets = frameOffsets(whole);
        const lastStart = offsets[3] ?? 0;
        for (let at = FILE_HEADER_BYTES; at < lastStart; at++) {
            const damaged = Buffer.from(whole);
            damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
            writeFileSync(path, damaged);
            const start = offsets.findLast((offset) => offset <= at) ?? 0;
            const isPadding = at >= start + 64 + 12 + 24;
            if (isPadding) expect(sequences(await openLog())).toEqual([1, 2, 3, 4]);
            else await expect(openLog()).rejects.toMatchObject({kind: 'corrupt'});
            await open.pop()?.close();
        }
    });

    test('damage in a file that others follow is refused', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 100, 2000);
        await log.close();
        const names = logFiles();
        const path = join(directory, names[1] ?? '');
        const damaged = readFileSync(path);
        const offsets = frameOffsets(damaged, 2);
        const at = (offsets.at(-2) ?? 0) + 70;
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        writeFileSync(path, damaged);
        await expect(openLog()).rejects.toMatchObject({kind: 'corrupt'});
    });

    test('a damaged file header is refused', async () => {
        const {log} = await openLog();
        await appendSingly(log, 1, 3);
        await log.close();
        const damaged = readFileSync(firstFile());
        damaged[17] = 9;
        writeFileSync(firstFile(), damaged);
        await expect(openLog()).rejects.toMatchObject({kind: 'corrupt'});
    });

    test('frames of a group torn over files are never joined with those of a later one', async () => {
        const {log} = await openLog(0, {groupBytesMax: 1024 * 1024});
        for (const seq of range(1, 40)) log.append(seq, payloadOf(seq, 9000), () => undefined);
        await log.close();
        const lost = readFileSync(firstFile());
        lost[FILE_HEADER_BYTES + 100] = (lost[FILE_HEADER_BYTES + 100] ?? 0) ^ 1;
        writeFileSync(firstFile(), lost);
        const second = await openLog(0, {groupBytesMax: 1024 * 1024});
        expect(second.entries).toEqual([]);
        for (const seq of range(1, 30)) second.log.append(seq, payloadOf(seq, 9000), () => undefined);
        await second.log.close();
        expect(sequences(await openLog())).toEqual(range(1, 30));
    });
});

describe('failure', () => {
    test('after a failed write nothing is reported durable, and the server is told once', async () => {
        let failing = false;
        const {log, fatal} = await openLog(0, {
            faults: (point) => {
                if (failing && point === 'log.1.beforeWrite') throw new Error('the device is gone');
            },
        });
        await appendSingly(log, 1, 2);
        failing = true;
        let called = false;
        log.append(3, payloadOf(3, 10), () => {
            called = true;
        });
        await expect(log.flush()).rejects.toThrow(/the device is gone/);
        expect(called).toBe(false);
        expect(fatal).toHaveLength(1);
        expect(() => log.append(4, payloadOf(4, 10), () => undefined)).toThrow(StorageError);
        await expect(log.flush()).rejects.toMatchObject({kind: 'closed'});
        expect(log.durableSeq).toBe(2);
    });

    test('a transaction above the bound is refused, and the log goes on', async () => {
        const {log} = await openLog();
        const tooLarge = Buffer.allocUnsafeSlow(PAYLOAD_BYTES_MAX + 1);
        expect(() => log.append(1, tooLarge, () => undefined)).toThrow(/too large for the commit log/);
        await appendSingly(log, 1, 2);
        expect(log.durableSeq).toBe(2);
    });

    test('sequences that do not ascend are a bug', async () => {
        const {log} = await openLog();
        log.append(5, Buffer.alloc(1), () => undefined);
        expect(() => log.append(5, Buffer.alloc(1), () => undefined)).toThrow(/ascend/);
    });
});
