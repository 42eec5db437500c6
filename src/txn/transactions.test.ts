import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {Datum} from '../../catalog/types/datum.ts';
import {Head, visibleVersion} from './head.ts';
import {lock, LockWait, waitForLock} from './locks.ts';
import {currentRow} from './row-writes.ts';
import type {CommittedTransaction} from './row-version.ts';
import type {TableStore} from './table-store.ts';
import {Transaction} from './transaction.ts';
import {describeTable, TestCore, TYPE} from './testing/fixture.ts';

const ITEMS = describeTable({
    tableId: 1,
    columns: {id: TYPE.int4, u: TYPE.int4, w: TYPE.int4},
    primaryKey: ['id'],
    indexes: [
        {columns: ['u'], unique: true},
        {columns: ['w'], unique: true},
    ],
});

let directory: string;
let core: TestCore;
let items: TableStore;
let processId = 0;

beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tidewire-txn-'));
    core = await TestCore.open(directory);
    items = core.store(ITEMS);
});
afterEach(async () => {
    await core.close();
    rmSync(directory, {recursive: true, force: true});
});

const begin = (): Transaction => new Transaction(++processId);

function insert(
    transaction: Transaction,
    values: readonly Datum[],
    conflict: 'error' | 'any' | 'primary' = 'error',
    store = items,
) {
    core.writes.enter(transaction, store);
    return core.writes.insert(transaction, store, 0, values, conflict);
}

function change(transaction: Transaction, id: Datum, values: readonly Datum[] | null, store = items): Head {
    const head = store.headOf(0, id);
    core.writes.enter(transaction, store);
    lock(transaction, head);
    const current = currentRow(transaction, head);
    if (current === null) throw new Error('no such row');
    if (values !== null) return core.writes.update(transaction, head, current, values);
    core.writes.delete(transaction, head, current);
    return head;
}

async function commit(transaction: Transaction): Promise<void> {
    await core.committer.whenVisible(core.committer.commit(transaction));
}

async function load(...rows: readonly (readonly Datum[])[]): Promise<void> {
    const transaction = begin();
    for (const row of rows) insert(transaction, row);
    await commit(transaction);
}

const violation = (constraint: string) => expect.objectContaining({code: '23505', constraint});

describe('unique keys', () => {
    test('an update that swaps two keys row by row fails at the first row', async () => {
        await load([1, 1, null], [2, 2, null]);
        const transaction = begin();
        expect(() => change(transaction, 1, [1, 2, null])).toThrow(violation('t1_u_key'));
        core.committer.rollback(transaction);
    });

    test('a swap over a third value leaves each entry with its row', async () => {
        await load([1, 1, null], [2, 2, null]);
        const transaction = begin();
        change(transaction, 1, [1, 9, null]);
        change(transaction, 2, [2, 1, null]);
        change(transaction, 1, [1, 2, null]);
        await commit(transaction);
        await core.settle();
        expect(await core.storedEntries(items)).toEqual(core.expectedEntries(items, await core.storedRows(items)));
        expect(core.slots.size).toBe(0);
    });

    test('a row that conflicts on its second index takes no key of the first', async () => {
        await load([1, 1, 1]);
        const transaction = begin();
        expect(insert(transaction, [2, 5, 1], 'any')).toMatchObject({constraint: 't1_w_key'});
        expect(transaction.locked).toEqual([]);
        await commit(transaction);
        await load([3, 5, null]);
        await core.settle();
        expect(core.slots.size).toBe(0);
    });

    test('the arbiter is asked before the primary key', async () => {
        await load([1, 1, null]);
        const transaction = begin();
        const index = items.indexes[0];
        if (index === undefined) throw new Error('no index');
        core.writes.enter(transaction, items);
        const outcome = core.writes.insert(transaction, items, 0, [1, 1, null], index);
        expect(outcome).toMatchObject({constraint: 't1_u_key'});
        expect(() => core.writes.insert(transaction, items, 0, [1, 7, null], index)).toThrow(violation('t1_pkey'));
        core.committer.rollback(transaction);
    });

    test('a row that another transaction has merely locked is in the way at once', async () => {
        await load([1, 1, null]);
        const holder = begin();
        lock(holder, items.headOf(0, 1));
        const transaction = begin();
        expect(() => insert(transaction, [1, 2, null])).toThrow(violation('t1_pkey'));
        expect(() => insert(transaction, [2, 1, null])).toThrow(violation('t1_u_key'));
        core.committer.rollback(transaction);
        core.committer.rollback(holder);
    });

    test('a key that another transaction is giving up is waited for', async () => {
        await load([1, 1, null]);
        const holder = begin();
        change(holder, 1, null);
        const transaction = begin();
        expect(() => insert(transaction, [2, 1, null])).toThrow(LockWait);
        core.committer.commit(holder);
        // Ordered before, so it may build on it though it is not durable yet.
        expect(insert(transaction, [2, 1, null])).toBeInstanceOf(Head);
        await commit(transaction);
    });

    test.each([
        ['numeric', TYPE.numeric, '1.0', '1.00'],
        ['bpchar', TYPE.bpchar, 'a', 'a  '],
        ['float8', TYPE.float8, -0, 0],
        ['float8', TYPE.float8, NaN, NaN],
        ['int8', TYPE.int8, 2n ** 60n, 2n ** 60n],
        ['int4', TYPE.int4, -0, 0],
    ])('%s keys that are equal are one key', async (_name, oid, first, second) => {
        const table = describeTable({
            tableId: 2,
            columns: {k: oid},
            primaryKey: ['k'],
            indexes: [{columns: ['k'], unique: true}],
        });
        const store = core.store(table);
        const transaction = begin();
        insert(transaction, [first], 'error', store);
        expect(() => insert(transaction, [second], 'error', store)).toThrow(violation('t2_pkey'));
        expect(store.headOf(0, first)).toBe(store.headOf(0, second));
        core.committer.rollback(transaction);
    });

    test('text and varchar keys with trailing blanks are different keys', () => {
        const store = core.store(describeTable({tableId: 2, columns: {k: TYPE.varchar}, primaryKey: ['k']}));
        const transaction = begin();
        insert(transaction, ['a'], 'error', store);
        expect(insert(transaction, ['a '], 'error', store)).toBeInstanceOf(Head);
        core.committer.rollback(transaction);
    });

    test('NULLs conflict only where they are not distinct', () => {
        const transaction = begin();
        for (const [tableId, nullsNotDistinct] of [
            [2, false],
            [3, true],
        ] as const) {
            const store = core.store(
                describeTable({
                    tableId,
                    columns: {a: TYPE.int4, b: TYPE.int4},
                    indexes: [{columns: ['a', 'b'], unique: true, nullsNotDistinct}],
                }),
            );
            insert(transaction, [1, null], 'error', store);
            if (nullsNotDistinct)
                expect(() => insert(transaction, [1, null], 'error', store)).toThrow(violation('t3_a_b_key'));
            else expect(insert(transaction, [1, null], 'error', store)).toBeInstanceOf(Head);
        }
        core.committer.rollback(transaction);
    });

    test('each user has keys of their own', async () => {
        const store = core.store(
            describeTable({
                tableId: 2,
                kind: 'user',
                columns: {id: TYPE.int4, u: TYPE.int4},
                primaryKey: ['id'],
                indexes: [{columns: ['u'], unique: true}],
            }),
        );
        const transaction = begin();
        core.writes.enter(transaction, store);
        for (const owner of [7, 8]) core.writes.insert(transaction, store, owner, [1, 1], 'error');
        await commit(transaction);
        await core.settle();
        expect((await core.storedRows(store)).map((row) => row.owner)).toEqual([7, 8]);
        expect(await core.storedEntries(store)).toEqual(core.expectedEntries(store, await core.storedRows(store)));
    });

    test('an expired row makes room', async () => {
        const store = core.store(
            describeTable({
                tableId: 2,
                kind: 'stream',
                ttlMs: 20,
                columns: {id: TYPE.int4, u: TYPE.int4},
                primaryKey: ['id'],
                indexes: [{columns: ['u'], unique: true}],
            }),
        );
        const first = begin();
        insert(first, [1, 1], 'error', store);
        insert(first, [2, 2], 'error', store);
        await commit(first);
        await new Promise((resolve) => setTimeout(resolve, 40));
        const second = begin();
        expect(insert(second, [1, 2], 'any', store)).toBeInstanceOf(Head);
        await commit(second);
        await core.settle();
        const rows = await core.storedRows(store);
        expect(rows.map((row) => row.values)).toEqual([[1, 2]]);
        expect(await core.storedEntries(store)).toEqual(core.expectedEntries(store, rows));
    });
});

describe('commits', () => {
    test('a row put in the place of a deleted one is two changes with two sequences', async () => {
        await load([1, 1, null]);
        const told: CommittedTransaction[] = [];
        core.committer.subscribe((committed) => told.push(committed));
        const transaction = begin();
        change(transaction, 1, null);
        insert(transaction, [1, 2, null]);
        await commit(transaction);
        const [gone, came] = told[0]?.changes ?? [];
        expect(gone).toMatchObject({after: null, before: {values: [1, 1, null]}});
        expect(came).toMatchObject({before: null, after: {values: [1, 2, null], seq: came?.seq}});
        expect(came?.seq).toBeGreaterThan(gone?.seq ?? 0);
    });

    test('a changed primary key is one change of one row', async () => {
        await load([1, 1, null], [2, 2, null]);
        const told: CommittedTransaction[] = [];
        core.committer.subscribe((committed) => told.push(committed));
        const transaction = begin();
        // The new place is written first: its row goes, then the other comes.
        change(transaction, 2, null);
        expect(change(transaction, 1, [2, 1, null]).key).toBe(2);
        await commit(transaction);
        await core.settle();
        expect(told[0]?.changes.map(({before, after}) => [before?.values, after?.values])).toEqual([
            [[2, 2, null], undefined],
            [
                [1, 1, null],
                [2, 1, null],
            ],
        ]);
        expect(await core.storedEntries(items)).toEqual(core.expectedEntries(items, await core.storedRows(items)));
    });

    test('a row that comes and goes within a transaction leaves nothing, and nothing is logged', async () => {
        const before = core.committer.enqueuedSeq;
        const transaction = begin();
        insert(transaction, [1, 1, null]);
        change(transaction, 1, null);
        expect(core.committer.commit(transaction)).toBe(0);
        expect(core.committer.enqueuedSeq).toBe(before);
        expect(core.slots.size).toBe(0);
        expect(items.headOf(0, 1).lockedBy).toBeNull();
    });

    test('an answer that rests on a commit waits for it', async () => {
        const first = begin();
        insert(first, [1, 1, null]);
        const seq = core.committer.commit(first);
        const second = begin();
        expect(insert(second, [1, 1, null], 'any')).not.toBeInstanceOf(Head);
        expect(core.committer.commit(second)).toBe(seq);
        await core.settle();
    });

    test('a listener that begins a scan sees the commit it was told of', async () => {
        let rows: Promise<Datum[][]> | undefined;
        core.committer.subscribe(() => {
            const {batches} = core.hotRows.scan(ITEMS);
            rows = (async () => {
                const all: Datum[][] = [];
                for await (const batch of batches) for (const row of batch) all.push([...row.values]);
                return all;
            })();
        });
        await load([1, 1, null]);
        expect(await rows).toEqual([[1, 1, null]]);
    });

    test('older versions are kept for a snapshot, and go with it', async () => {
        await load([1, 0, null]);
        const hold = core.committer.holdSnapshot(core.committer.visibleSeq);
        for (let i = 1; i <= 10; i++) {
            const transaction = begin();
            change(transaction, 1, [1, i, null]);
            await commit(transaction);
        }
        await core.settle();
        const head = items.headOf(0, 1);
        expect(visibleVersion(head.newest, hold.seq)?.values).toEqual([1, 0, null]);
        hold.release();
        expect(head.newest?.values).toEqual([1, 10, null]);
        expect(head.newest?.previous).toBeNull();
    });

    test('a row changed again and again before it is durable keeps few versions', async () => {
        await load([1, 0, null]);
        for (let i = 1; i <= 2000; i++) {
            const transaction = begin();
            change(transaction, 1, [1, i, null]);
            core.committer.commit(transaction);
            if (i % 50 === 0) await core.committer.whenVisible(core.committer.enqueuedSeq);
        }
        let versions = 0;
        for (let version = items.headOf(0, 1).newest; version !== null; version = version.previous) versions++;
        expect(versions).toBeLessThan(60);
        await core.settle();
        expect(items.headOf(0, 1).newest?.previous).toBeNull();
    });

    test('memory is as it was after many transactions', async () => {
        for (let i = 0; i < 500; i++) {
            const transaction = begin();
            insert(transaction, [i, i, i]);
            if (i % 3 === 0) core.committer.rollback(transaction);
            else core.committer.commit(transaction);
        }
        await core.settle();
        for (let i = 0; i < 500; i++) {
            if (i % 3 === 0) continue;
            const transaction = begin();
            change(transaction, i, null);
            core.committer.commit(transaction);
        }
        await core.settle();
        expect(core.slots.size).toBe(0);
        for (const head of items.headsInMemory()) {
            expect(head.newest).toBeNull();
            expect(head.lockedBy).toBeNull();
        }
        expect(await core.storedRows(items)).toEqual([]);
        expect(await core.storedEntries(items)).toEqual(new Map());
    });
});

describe('locks', () => {
    test('a wait that would close a circle is refused with 40P01', async () => {
        await load([1, 1, null], [2, 2, null]);
        const [a, b] = [begin(), begin()];
        change(a, 1, null);
        change(b, 2, null);
        const waits = waitForLock(a, items.headOf(0, 2), 0);
        expect(() => waitForLock(b, items.headOf(0, 1), 0)).toThrow(expect.objectContaining({code: '40P01'}));
        core.committer.rollback(b);
        await waits;
        expect(a.waitingFor).toBeNull();
        core.committer.rollback(a);
    });

    test('a circle of three is found', async () => {
        await load([1, 1, null], [2, 2, null], [3, 3, null]);
        const transactions = [begin(), begin(), begin()];
        for (const [i, transaction] of transactions.entries()) change(transaction, i + 1, null);
        const [a, b, c] = transactions as [Transaction, Transaction, Transaction];
        const waits = [waitForLock(a, items.headOf(0, 2), 0), waitForLock(b, items.headOf(0, 3), 0)];
        expect(() => waitForLock(c, items.headOf(0, 1), 0)).toThrow(expect.objectContaining({code: '40P01'}));
        core.committer.rollback(c);
        await waits[1];
        core.committer.rollback(b);
        await waits[0];
        core.committer.rollback(a);
    });

    test('lock_timeout ends a wait with 55P03 and leaves no waiter', async () => {
        await load([1, 1, null]);
        const [a, b] = [begin(), begin()];
        change(a, 1, null);
        await expect(waitForLock(b, items.headOf(0, 1), 5)).rejects.toMatchObject({code: '55P03'});
        expect(items.headOf(0, 1).waiters).toBeNull();
        expect(b.waitingFor).toBeNull();
        core.committer.rollback(b);
        core.committer.rollback(a);
    });

    test('a waiter whose session ends leaves the queue', async () => {
        await load([1, 1, null]);
        const [a, b, c] = [begin(), begin(), begin()];
        change(a, 1, null);
        const head = items.headOf(0, 1);
        const failed = expect(waitForLock(b, head, 0)).rejects.toThrow('gone');
        const woken = waitForLock(c, head, 0);
        b.cancelWait?.(new Error('gone'));
        core.committer.rollback(b);
        await failed;
        expect(head.waiters?.length).toBe(1);
        core.committer.rollback(a);
        await woken;
        core.committer.rollback(c);
    });

    test('a savepoint gives back the locks taken after it, and what others then do is theirs', async () => {
        await load([1, 1, null]);
        const [a, b] = [begin(), begin()];
        insert(a, [5, 5, null]);
        const mark = a.mark();
        change(a, 1, [1, 7, null]);
        a.rollbackToSavepoint(mark);
        change(b, 1, [1, 8, null]);
        core.committer.commit(a);
        expect(items.headOf(0, 1).newest?.values).toEqual([1, 1, null]);
        await commit(b);
        expect(items.headOf(0, 1).newest?.values).toEqual([1, 8, null]);
        await core.settle();
        expect(core.slots.size).toBe(0);
    });

    test('who has written to a table goes on while DDL waits for the table', () => {
        const [writer, ddl, late] = [begin(), begin(), begin()];
        insert(writer, [1, 1, null]);
        lock(ddl, items);
        expect(insert(writer, [2, 2, null])).toBeInstanceOf(Head);
        expect(() => insert(late, [3, 3, null])).toThrow(LockWait);
        for (const transaction of [writer, ddl, late]) core.committer.rollback(transaction);
    });
});

describe('the row cache', () => {
    test('stays within its bound, and evicts nothing that is needed', async () => {
        await core.close();
        core = await TestCore.open(directory, {cacheBytes: 20_000});
        items = core.store(ITEMS);
        for (let from = 0; from < 1000; from += 100) {
            const transaction = begin();
            for (let i = from; i < from + 100; i++) insert(transaction, [i, i, null]);
            await commit(transaction);
        }
        await core.settle();
        for (let i = 0; i < 1000; i++) {
            expect(items.headOf(0, i).newest?.values).toEqual([i, i, null]);
            if (i % 10 === 0) await Promise.resolve();
        }
        await Promise.resolve();
        expect(core.cache.bytes).toBeLessThanOrEqual(20_000);
        const locked = begin();
        const head = change(locked, 3, [3, -3, null]);
        for (let i = 0; i < 1000; i++) {
            items.headOf(0, i);
            if (i % 10 === 0) await Promise.resolve();
        }
        expect(items.headOf(0, 3)).toBe(head);
        await commit(locked);
        expect(items.headOf(0, 3).newest?.values).toEqual([3, -3, null]);
    });

    test('counts large values', async () => {
        const store = core.store(
            describeTable({tableId: 2, columns: {id: TYPE.int4, s: TYPE.text}, primaryKey: ['id']}),
        );
        const transaction = begin();
        insert(transaction, [1, 'x'.repeat(1_000_000)], 'error', store);
        await commit(transaction);
        expect(core.cache.bytes).toBeGreaterThan(1_000_000);
    });
});
