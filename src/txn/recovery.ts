/**
 * What happens before anything else at start: the commits that the log has and LevelDB has not are brought to LevelDB.
 *
 * What must stay true: each batch carries the counters (next row id, newest `_updated`) of the last commit in it: the
 * next start may find nothing left to replay, and must not give a row id twice.
 */
import {HotBatch, type HotStore} from '../../storage/hot/hot-store.ts';
import type {CommitLog} from '../../storage/log/commit-log.ts';
import {decodeCommitRecord} from './commit-record.ts';
import {type CommitterState, decodeMeta, encodeMeta, META_KEY} from './committer.ts';

/** Log entries replayed into LevelDB at a time. */
const BATCH_BYTES = 8 * 1024 * 1024;

export interface Recovered {
    readonly state: CommitterState;
    /** Commits that LevelDB did not have. */
    readonly replayed: number;
}

/** Opens the log for appending. To be called once, before the committer is made. */
export async function recover(hot: HotStore, log: CommitLog): Promise<Recovered> {
    const meta = hot.getSync(META_KEY);
    let {nextRowid, updatedNs} = meta === undefined ? {nextRowid: 1, updatedNs: 0n} : decodeMeta(meta);
    let seq = hot.appliedSeq;
    let replayed = 0;
    let batch = new HotBatch();
    const writes: Promise<void>[] = [];
    const write = (): void => {
        batch.put(META_KEY, encodeMeta(nextRowid, updatedNs));
        writes.push(hot.write(batch, seq));
        batch = new HotBatch();
    };
    await log.replay(hot.appliedSeq, (entry) => {
        const record = decodeCommitRecord(entry.payload);
        for (const {key, value} of record.operations) {
            // The payload's memory is the log reader's: what is kept is copied.
            if (value === null) batch.delete(Buffer.from(key));
            else batch.put(Buffer.from(key), Buffer.from(value));
        }
        seq = entry.seq;
        nextRowid = Math.max(nextRowid, record.nextRowid);
        updatedNs = record.updatedNs > updatedNs ? record.updatedNs : updatedNs;
        replayed++;
        if (batch.bytes > BATCH_BYTES) write();
    });
    if (batch.size > 0) write();
    await Promise.all(writes);
    return {state: {seq, nextRowid, updatedNs}, replayed};
}
