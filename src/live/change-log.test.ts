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

    it('tells which table it was at a sequence, also through TRUNCATE and ALTER TABLE, and whether it was there', () => {
        const database = new FakeDatabase();
        const log = new ChangeLog(database, 1000, () => 0);
        log.begin();
        const first = database.table;
        database.commit([], {truncate: true});
        const second = database.table;
        database.alter({...second, tableId: 900, version: 3, name: 'u'});
        const third = database.table;
        expect(log.tableAt(third, 0)).toBe(first);
        expect(log.tableAt(third, 1)).toBe(second);
        expect(log.tableAt(third, 2)).toBe(third);
        expect(log.tableAt({...third, tableId: 7}, 0)).toMatchObject({tableId: 7});
        const created = {...third, tableId: 8};
        database.create(created);
        expect(log.tableAt(created, 2)).toBeUndefined();
        expect(log.tableAt(created, 3)).toBe(created);
    });

    it('keeps nothing when changes are not retained', async () => {
        const database = new FakeDatabase();
        const log = new ChangeLog(database, 0, () => 0);
        log.begin();
        expect(database.listenerCount).toBe(0);
        expect(await seqsOf(log.since(0))).toBeUndefined();
    });
});
