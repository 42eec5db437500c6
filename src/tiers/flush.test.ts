import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {isStub, indexRange, rowKey} from '../../storage/hot/keys.ts';
import {RetryOnReferencePath} from '../exec/vector/failures.ts';
import {fetchColdRow} from './cold-rows.ts';
import {makeTable, TiersFixture, type TiersFixtureOptions} from './testing/tiers-fixture.ts';

const INT4 = 23;
const TEXT = 25;

const LEDGER = makeTable({
    tableId: 1,
    name: 'ledger',
    columns: [
        {name: 'id', oid: INT4},
        {name: 'value', oid: INT4},
        {name: 'code', oid: TEXT},
    ],
    primaryKey: [1],
    indexes: [
        {unique: false, columns: [2]},
        {unique: true, columns: [3]},
    ],
});
const PLAIN = makeTable({
    tableId: 2,
    name: 'plain',
    columns: [
        {name: 'a', oid: INT4},
        {name: 'b', oid: TEXT},
    ],
});
const USERS = makeTable({
    tableId: 3,
    name: 'notes',
    columns: [
        {name: 'id', oid: INT4},
        {name: 'note', oid: TEXT},
    ],
    primaryKey: [1],
    options: {kind: 'user'},
});
const TABLES = [LEDGER, PLAIN, USERS];

let directory: string;
let db: TiersFixture;

async function open(options: Partial<TiersFixtureOptions> = {}): Promise<void> {
    db = await TiersFixture.open({directory, tables: TABLES, ...options});
}

async function restart(): Promise<void> {
    await db.close();
    await open();
}

beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidewire-flush-'));
    await open();
});

afterEach(async () => {
    await db.close();
    await rm(directory, {recursive: true, force: true});
});

async function fill(rows: number, from = 1): Promise<void> {
    await db.write(LEDGER, (write) => {
        for (let id = from; id < from + rows; id++) write.insert([id, id * 10, `code ${id}`]);
    });
}

async function indexEntries(indexId: number): Promise<number> {
    await db.committer.whenApplied(db.committer.visibleSeq);
    let entries = 0;
    for await (const page of db.hot.pages(indexRange(indexId), 1000)) entries += page.length;
    return entries;
}

const SUM = 'select count(*), sum(id), sum(value), min(code), max(code) from ledger';
const TOTALS = 'select count(*), sum(id), sum(value) from ledger';

describe('a flush', () => {
    test('moves every row to a segment, and every query sees the same as before', async () => {
        await fill(3000);
        const before = await db.query(SUM);
        expect(await db.flush(LEDGER)).toMatchObject({rows: 3000});
        expect(await db.query(SUM)).toEqual(before);
        expect(db.tiers(1).manifest.segments).toMatchObject([{rows: 3000, minRowid: 1, maxRowid: 3000}]);
        expect((await db.vector()).mirror.statistics().bufferedChanges).toBe(0);
        await restart();
        expect(await db.query(SUM)).toEqual(before);
        expect(await db.flush(LEDGER)).toEqual({rows: 0, bytes: 0});
    });

    test('leaves stubs under the keys, unique entries, and no other entries', async () => {
        await fill(1000);
        expect([await indexEntries(102), await indexEntries(103)]).toEqual([1000, 1000]);
        await db.flush(LEDGER);
        expect([await indexEntries(102), await indexEntries(103)]).toEqual([0, 1000]);
        const {bytes} = db.store(LEDGER).keyOf([7]);
        const stored = db.hot.getSync(rowKey(1, 0, bytes));
        expect(stored !== undefined && isStub(stored)).toBe(true);
        await expect(db.write(LEDGER, (write) => write.insert([7, 0, 'new']))).rejects.toMatchObject({code: '23505'});
        await expect(db.write(LEDGER, (write) => write.insert([5000, 0, 'code 9']))).rejects.toMatchObject({
            code: '23505',
        });
    });

    test('leaves nothing under the keys of a table without unique keys', async () => {
        await db.write(PLAIN, (write) => {
            for (let a = 0; a < 100; a++) write.insert([a, 'x']);
        });
        await db.flush(PLAIN);
        const pages = [];
        for await (const page of db.hot.pages(
            {gte: rowKey(2, 0, Buffer.alloc(0)), lt: rowKey(3, 0, Buffer.alloc(0))},
            10,
        )) {
            pages.push(page);
        }
        expect(pages).toEqual([]);
        expect(await db.query('select count(*), sum(a) from plain')).toEqual([['100', '4950']]);
    });

    test('a cold row is read by its key, from memory and after a restart', async () => {
        await fill(100);
        await db.flush(LEDGER);
        expect(db.store(LEDGER).headOf(0, 5)).toMatchObject({coldSegment: 1, newest: {values: [5, 50, 'code 5']}});
        await restart();
        const head = db.store(LEDGER).headOf(0, 5);
        expect(head).toMatchObject({coldSegment: 1, newest: null});
        await fetchColdRow(db, head);
        expect(head.newest).toMatchObject({rowid: 5, seq: 5, owner: 0, values: [5, 50, 'code 5']});
        expect(head.newest?.updatedNs).toBeGreaterThan(1_600_000_000_000_000_000n);
    });

    test('a changed or deleted cold row is seen once, also after a restart and the next flush', async () => {
        await fill(100);
        await db.flush(LEDGER);
        await restart();
        await db.write(LEDGER, (write) => {
            write.update([1], ([id, , code]) => [id ?? null, 0, code ?? null]);
            write.delete([2]);
            write.update([3], ([, value, code]) => [1003, value ?? null, code ?? null]);
        });
        const expected = [['99', String(5050 - 2 + 1000), String(50500 - 10 - 20), 'code 1', 'code 99']];
        expect(await db.query(SUM)).toEqual(expected);
        expect(db.tiers(1).liveRows).toBe(97);
        await restart();
        expect(await db.query(SUM)).toEqual(expected);
        expect(await db.flush(LEDGER)).toMatchObject({rows: 2});
        expect(await db.query(SUM)).toEqual(expected);
        expect(await indexEntries(103)).toBe(99);
        await db.write(LEDGER, (write) => write.insert([2, 2, 'code 2']));
        await restart();
        expect((await db.query(SUM))[0]?.[0]).toBe('100');
    });

    test('large tables go in parts, each with its own segment, oldest rows first', async () => {
        await db.close();
        await open({mover: {partRowsMax: 1000}});
        await fill(2500);
        await db.flush(LEDGER);
        expect(db.tiers(1).manifest.segments.map(({rows, maxSeq}) => [rows, maxSeq])).toEqual([
            [1000, 1000],
            [1000, 2000],
            [500, 2500],
        ]);
        expect((await db.query(SUM))[0]?.slice(0, 2)).toEqual(['2500', String((2500 * 2501) / 2)]);
    });

    test('rows of a user table stand by owner, and segments know their owners', async () => {
        await db.write(USERS, (write) => {
            for (let id = 0; id < 300; id++) write.insert([id, `note ${id}`], 11 + (id % 3));
        });
        await db.flush(USERS);
        expect(db.tiers(3).manifest.segments[0]?.owners).toEqual([11, 12, 13]);
        expect(await db.query('select count(*), min(id) from notes', null, 12)).toEqual([['100', '1']]);
        expect(await db.query('select count(*) from notes', null, 14)).toEqual([['0']]);
    });

    test('sees own uncommitted changes of cold rows, and nobody else does', async () => {
        await fill(10);
        await db.flush(LEDGER);
        const {transaction, write} = db.begin(LEDGER);
        write.delete([1]);
        write.update([2], ([id, , code]) => [id ?? null, 1, code ?? null]);
        write.insert([11, 2, 'eleven']);
        expect(await db.query('select count(*), sum(value) from ledger', transaction)).toEqual([
            ['10', String(550 - 10 - 20 + 3)],
        ]);
        expect(await db.query('select count(*), sum(value) from ledger')).toEqual([['10', '550']]);
        db.committer.rollback(transaction);
    });

    test('a cancelled flush leaves the table as it was', async () => {
        const controller = new AbortController();
        await db.close();
        await open({reached: (point) => point === 'flush.segment-verified' && controller.abort()});
        await fill(100);
        await expect(db.flush(LEDGER, controller.signal)).rejects.toThrow(/abort/);
        expect(db.tiers(1).hasSegments).toBe(false);
        expect((await db.objects.list('')).objects).toEqual([]);
        expect(db.store(LEDGER).headOf(0, 5).coldSegment).toBe(0);
        expect((await db.query(SUM))[0]?.[0]).toBe('100');
        expect(await db.flush(LEDGER)).toMatchObject({rows: 100});
    });
});

describe('rows that are written while they are flushed', () => {
    /** Runs `change` when the segment is written, before the switch. */
    async function flushDuring(change: () => unknown): Promise<void> {
        let begun: Promise<unknown> = Promise.resolve();
        await db.close();
        await open({
            reached: (point) => {
                if (point === 'flush.segment-written') begun = Promise.resolve(change());
            },
        });
        await db.flush(LEDGER);
        await begun;
    }

    test('changed and deleted ones stay hot, their copies are dead', async () => {
        await fill(1000);
        await flushDuring(() =>
            db.write(LEDGER, (write) => {
                write.update([5], () => [5, 0, 'changed']);
                write.delete([6]);
                write.insert([2000, 1, 'inserted']);
            }),
        );
        const expected = [['1000', String(500500 - 6 + 2000), String(5005000 - 50 - 60 + 1), 'changed', 'inserted']];
        expect(await db.query(SUM)).toEqual(expected);
        await restart();
        expect(await db.query(SUM)).toEqual(expected);
        expect(db.tiers(1).deadCount(db.tiers(1).manifest.segments[0]?.segmentId ?? 0)).toBe(2);
    });

    test.each(['commit', 'rollback'] as const)('a write that is open over the switch may %s', async (end) => {
        await fill(1000);
        let open: ReturnType<TiersFixture['begin']> | undefined;
        await flushDuring(() => {
            open = db.begin(LEDGER);
            open.write.update([5], () => [5, 0, 'changed']);
            open.write.delete([6]);
        });
        if (open === undefined) throw new Error('no transaction');
        expect(await db.query(TOTALS)).toEqual([['1000', '500500', '5005000']]);
        if (end === 'commit') await db.committer.whenVisible(db.committer.commit(open.transaction));
        else db.committer.rollback(open.transaction);
        const expected = end === 'commit' ? ['999', '500494', String(5005000 - 110)] : ['1000', '500500', '5005000'];
        expect(await db.query(TOTALS)).toEqual([expected]);
        await restart();
        expect(await db.query(TOTALS)).toEqual([expected]);
        await db.flush(LEDGER);
        expect(await db.query(TOTALS)).toEqual([expected]);
    });

    test('totals hold for every reader while writers move value and flushes and compactions run', async () => {
        await db.close();
        await open({cacheBytes: 200_000});
        await fill(2000);
        const stop = new AbortController();
        let moves = 0;
        let random = 7;
        const next = (): number => {
            random = (random * 1103515245 + 12345) % 2147483648;
            return 1 + (random % 2000);
        };
        const writer = async (): Promise<void> => {
            while (!stop.signal.aborted) {
                const [from, to] = [next(), next()];
                if (from === to) continue;
                try {
                    await db.write(LEDGER, (write) => {
                        const move = (key: number, by: number): void => {
                            write.update([key], ([id, value, code]) => [
                                id ?? null,
                                (value as number) + by,
                                code ?? null,
                            ]);
                        };
                        if (write.read([from]) === undefined || write.read([to]) === undefined)
                            throw new Error('a row is lost');
                        move(from, -1);
                        move(to, 1);
                    });
                    moves++;
                } catch (error) {
                    if (!(error instanceof Error) || error.name !== 'LockWait') throw error;
                    await new Promise((resolve) => setImmediate(resolve));
                }
            }
        };
        const expected = [['2000', String(2001 * 1000), String(20010 * 1000)]];
        let reads = 0;
        const reader = async (): Promise<void> => {
            while (!stop.signal.aborted) {
                // The disturber may win the race for the mirror: sessions take the reference path then.
                const rows = await db.query(TOTALS).catch((error: unknown) => {
                    if (error instanceof RetryOnReferencePath) return undefined;
                    throw error;
                });
                if (rows === undefined) continue;
                expect(rows).toEqual(expected);
                reads++;
            }
        };
        const disturber = async (): Promise<void> => {
            while (!stop.signal.aborted) {
                (await db.vector()).mirror.invalidate(1);
                await new Promise((resolve) => setTimeout(resolve, 60));
            }
        };
        const running = [writer(), writer(), writer(), reader(), reader(), disturber()];
        const failed = Promise.race(running);
        const flushes = (async () => {
            for (let i = 0; i < 8; i++) {
                await db.flush(LEDGER);
                if (i % 3 === 2) await db.compact(LEDGER);
            }
        })();
        try {
            await Promise.race([flushes, failed]);
        } finally {
            stop.abort();
            await Promise.allSettled([...running, flushes]);
        }
        await Promise.all([...running, flushes]);
        expect(reads).toBeGreaterThan(3);
        expect(moves).toBeGreaterThan(20);
        expect(await db.query(TOTALS)).toEqual(expected);
        await restart();
        expect(await db.query(TOTALS)).toEqual(expected);
    }, 60_000);
});
