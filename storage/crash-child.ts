/**
 * The process that crash.test.ts kills: appends to a commit log, applies to a hot store what is durable, checkpoints
 * and recycles, for ever. Arguments: directory, fault point, how many times the point is passed before the end there.
 *
 * Every sequence is one more than the one before, so what is missing or doubled shows. Acknowledgements go to a file
 * with plain writes: they survive the end of the process.
 */
import {openSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {DataDirectory} from './data-directory.ts';
import {HotBatch, HotStore} from './hot/hot-store.ts';
import {rowKey} from './hot/keys.ts';
import {CommitLog, FILE_BYTES_MIN} from './log/commit-log.ts';
import {crashPayload} from './crash-payload.ts';

const [directory = '', wantedPoint = '', timesText = '1'] = process.argv.slice(2);
let timesLeft = Number(timesText);

function faults(point: string): void {
    if (point === wantedPoint && --timesLeft < 0) process.kill(process.pid, 'SIGKILL');
}

function fail(error: unknown): never {
    console.error(error);
    process.exit(3);
}

const {paths} = DataDirectory.open(directory);
const hot = await HotStore.open(paths.hot, {cacheBytes: 1 << 20, writeBufferBytes: 1 << 20, faults});
const log = await CommitLog.open(paths.log, {fileBytes: FILE_BYTES_MIN, groupBytesMax: 32_000, onFatal: fail, faults});

function apply(seq: number, payload: Buffer): void {
    const key = rowKey(1, 0, Buffer.from(String(seq)));
    if (hot.getSync(key) !== undefined) fail(new Error(`sequence ${seq} is applied twice`));
    const batch = new HotBatch();
    batch.put(key, payload);
    hot.write(batch, seq).catch(fail);
}

let seq = hot.appliedSeq;
await log.replay(seq, (entry) => {
    if (entry.seq !== seq + 1) fail(new Error(`replay goes from ${seq} to ${entry.seq}`));
    seq = entry.seq;
    apply(entry.seq, Buffer.from(entry.payload));
});

const acknowledged = openSync(join(directory, '..', 'acknowledged'), 'a');
console.log('ready');
for (let round = 1; ; round++) {
    const count = 1 + ((round * 7) % 5);
    for (let i = 0; i < count; i++) {
        const own = ++seq;
        const payload = crashPayload(own);
        log.append(own, payload, () => {
            writeSync(acknowledged, `${own}\n`);
            apply(own, payload);
        });
    }
    await new Promise((resolve) => setImmediate(resolve));
    if (round % 3 === 0) await log.flush();
    if (round % 10 === 0) log.recycle(await hot.checkpoint());
}
