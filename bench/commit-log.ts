/**
 * Microseconds per commit of the commit log, with 1, 8 and 32 appenders that each wait for their commit before the next
 * one, and the bare device beside it. Run: node bench/commit-log.ts [directory] [payload bytes]
 */
import {closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {CommitLog} from '../storage/log/commit-log.ts';

const RUN_MS = 1500;
const base = process.argv[2] ?? tmpdir();
const payload = Buffer.alloc(Number(process.argv[3] ?? 200), 1);

for (const mayBlock of [true, false]) {
    for (const appenders of [1, 2, 8, 32]) await measure(appenders, mayBlock);
}
bareDevice();

async function measure(appenders: number, mayBlock: boolean): Promise<void> {
    const directory = mkdtempSync(join(base, 'bench-log-'));
    const log = await CommitLog.open(directory, {
        onFatal: (error) => {
            throw error;
        },
        mayBlock: () => mayBlock,
    });
    await log.replay(0, () => undefined);
    let seq = 0;
    let commits = 0;
    let latencyMs = 0;
    const end = performance.now() + RUN_MS;
    const before = process.cpuUsage();
    const started = performance.now();
    await Promise.all(
        Array.from({length: appenders}, async () => {
            while (performance.now() < end) {
                const appended = performance.now();
                await new Promise<void>((resolve) => log.append(++seq, payload, resolve));
                latencyMs += performance.now() - appended;
                commits++;
                // The client's next statement comes with a later turn of the event loop.
                await new Promise((resolve) => setImmediate(resolve));
            }
        }),
    );
    const elapsedMs = performance.now() - started;
    const cpu = process.cpuUsage(before);
    const figures = [
        `appenders ${appenders}`.padEnd(13),
        mayBlock ? 'on the spot' : 'pool only  ',
        `${((elapsedMs * 1000) / commits).toFixed(1).padStart(7)} µs/commit`,
        `${((latencyMs * 1000) / commits).toFixed(0).padStart(5)} µs latency`,
        `${(commits / log.syncs).toFixed(1).padStart(5)} commits/sync`,
        `${((cpu.user + cpu.system) / commits).toFixed(1).padStart(6)} µs cpu`,
    ];
    console.log(figures.join('  '));
    log.recycle(log.durableSeq);
    await log.close();
    rmSync(directory, {recursive: true});
}

function bareDevice(): void {
    const directory = mkdtempSync(join(base, 'bench-log-'));
    const descriptor = openSync(join(directory, 'file'), 'w');
    writeSync(descriptor, Buffer.alloc(1024 * 1024));
    fdatasyncSync(descriptor);
    const started = performance.now();
    for (let i = 0; i < 1000; i++) {
        writeSync(descriptor, payload, 0, payload.length, i * 512);
        fdatasyncSync(descriptor);
    }
    console.log(`bare write and fdatasync: ${(performance.now() - started).toFixed(1)} µs`);
    closeSync(descriptor);
    rmSync(directory, {recursive: true});
}
