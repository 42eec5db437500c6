/** The change log in memory: what it gives, and that it is bounded. */
import {describe, expect, it} from 'vitest';
import type {CommittedTransaction} from '../txn/row-version.ts';
import {ChangeLog} from './change-log.ts';
import {FakeDatabase} from './test-support.ts';

const values = [1, 2, 3, 4, 'text'];

async function seqsOf(transactions: AsyncIterable<CommittedTransaction> | undefined): Promise<number[] | undefined> {
    if (transactions === undefined) return undefined;
    const seqs: number[] = [];
    for await (const {seq} of transactions) seqs.push(seq);
    return seqs;
}

describe('ChangeLog', () => {
    it('gives every transaction after a sequence, and refuses what was before its begin', async () => {
        const database = new FakeDatabase();
        database.commit([{do: 'insert', values}]);
        const log = new ChangeLog(database, 1000, () => 0);
        log.begin();
        for (let i = 0; i < 3; i++) database.commit([{do: 'insert', values}]);
        expect(await seqsOf(log.since(0))).toBeUndefined();
        expect(await seqsOf(log.since(1))).toEqual([2, 3, 4]);
        expect(await seqsOf(log.since(3))).toEqual([4]);
        expect(await seqsOf(log.since(4))).toEqual([]);
    });

    it('forgets what is older than the retention', async () => {
        const database = new FakeDatabase();
        let nowMs = 0;
        const log = new ChangeLog(database, 1000, () => nowMs);
        log.begin();
        database.commit([{do: 'insert', values}]);
        nowMs = 900;
        database.commit([{do: 'insert', values}]);
        nowMs = 1500;
        expect(await seqsOf(log.since(0))).toBeUndefined();
        expect(await seqsOf(log.since(1))).toEqual([2]);
    });

    it('holds no more than its bytes', async () => {
        const database = new FakeDatabase();
        const log = new ChangeLog(database, 1_000_000, () => 0, 20_000);
        log.begin();
        for (let i = 0; i < 10_000; i++) database.commit([{do: 'insert', values}]);
        expect(log.bytes).toBeLessThanOrEqual(20_000);
        expect(await seqsOf(log.since(1))).toBeUndefined();
        expect(await seqsOf(log.since(9_998))).toEqual([9_999, 10_000]);
    });

    it('keeps nothing when changes are not retained', async () => {
        const database = new FakeDatabase();
        const log = new ChangeLog(database, 0, () => 0);
        log.begin();
        expect(database.listenerCount).toBe(0);
        expect(await seqsOf(log.since(0))).toBeUndefined();
    });
});
