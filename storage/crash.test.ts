/** Kills a process that appends, applies and checkpoints, at every numbered step, and looks at what is left. */
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {crashPayload} from './crash-payload.ts';
import {HotStore} from './hot/hot-store.ts';
import {rowKey} from './hot/keys.ts';
import {CommitLog, FILE_BYTES_MIN} from './log/commit-log.ts';

const directories: string[] = [];
afterAll(() => {
    for (const directory of directories) rmSync(directory, {recursive: true, force: true});
});

function newDirectory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'crash-'));
    directories.push(directory);
    return directory;
}

/** Runs until the point is reached, or for `killAfterMs`, and resolves with the signal that ended it. */
async function runUntilKilled(directory: string, point: string, times: number, killAfterMs = 20_000): Promise<void> {
    const script = join(import.meta.dirname, 'crash-child.ts');
    const child = spawn(process.execPath, [script, join(directory, 'data'), point, String(times)], {
        stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
        errors += chunk.toString();
    });
    child.stdout.once('data', () => {
        if (point === 'none') setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    });
    const guard = setTimeout(() => child.kill('SIGTERM'), 20_000);
    const signal = await new Promise<string | null>((resolve) => child.once('exit', (_, by) => resolve(by)));
    clearTimeout(guard);
    expect(errors).toBe('');
    expect(signal).toBe('SIGKILL');
}

/** Every acknowledged sequence is there, exactly once, in order, with its content; returns the last one. */
async function verify(directory: string): Promise<number> {
    const path = join(directory, 'acknowledged');
    const acknowledged = existsSync(path) ? readFileSync(path, 'latin1').split('\n').filter(Boolean).map(Number) : [];
    expect(acknowledged.every((seq, i) => i === 0 || seq > (acknowledged[i - 1] ?? 0))).toBe(true);
    const hot = await HotStore.open(join(directory, 'data/hot'), {cacheBytes: 1 << 20, writeBufferBytes: 1 << 20});
    const log = await CommitLog.open(join(directory, 'data/log'), {
        fileBytes: FILE_BYTES_MIN,
        onFatal: (error) => {
            throw error;
        },
    });
    try {
        const replayed = new Map<number, Buffer>();
        let last = hot.appliedSeq;
        await log.replay(last, ({seq, payload}) => {
            expect(seq).toBe(last + 1);
            replayed.set(seq, Buffer.from(payload));
            last = seq;
        });
        expect(last).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? 0);
        for (let seq = 1; seq <= last; seq++) {
            const stored = hot.getSync(rowKey(1, 0, Buffer.from(String(seq))));
            expect(stored === undefined).toBe(replayed.has(seq));
            if (!(stored ?? replayed.get(seq))?.equals(crashPayload(seq)))
                throw new Error(`sequence ${seq} is damaged`);
        }
        return last;
    } finally {
        await log.close();
        await hot.close();
    }
}

describe('a process killed at any step loses nothing that it acknowledged', () => {
    const points = [
        'log.1.beforeWrite',
        'log.2.betweenFrames',
        'log.3.afterWrite',
        'log.4.afterSync',
        'log.5.beforePrepare',
        'log.6.afterPrepare',
        'log.7.beforeRecycle',
        'log.8.afterRecycle',
        'hot.1.beforeWrite',
        'hot.2.afterWrite',
        'hot.3.beforeCheckpoint',
        'hot.4.afterCheckpoint',
    ];
    test.each(points)('killed at %s, and again later, on the same directory', async (point) => {
        const directory = newDirectory();
        let last = 0;
        for (const times of [0, 9]) {
            await runUntilKilled(directory, point, times);
            const now = await verify(directory);
            expect(now).toBeGreaterThanOrEqual(last);
            last = now;
        }
    });

    test('killed at any time, over and over', async () => {
        const directory = newDirectory();
        let last = 0;
        for (let round = 0; round < 5; round++) {
            await runUntilKilled(directory, 'none', 0, 40 + round * 37);
            const now = await verify(directory);
            expect(now).toBeGreaterThan(last);
            last = now;
        }
    });
});
