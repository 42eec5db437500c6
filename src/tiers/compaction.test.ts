import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {collectOrphans, removeSegments} from './cleanup.ts';
import {evictHotRows, evictSegmentRows} from './eviction.ts';
import {makeTable, TiersFixture, type TiersFixtureOptions} from './testing/tiers-fixture.ts';

const INT4 = 23;
const TEXT = 25;
const COLUMNS = [
    {name: 'id', oid: INT4},
    {name: 'value', oid: INT4},
];
const LEDGER = makeTable({tableId: 1, name: 'ledger', columns: COLUMNS, primaryKey: [1]});
const PLAIN = makeTable({tableId: 2, name: 'plain', columns: COLUMNS});
const EVENTS = makeTable({
    tableId: 3,
    name: 'events',
    columns: [...COLUMNS, {name: 'code', oid: TEXT}],
    primaryKey: [1],
    indexes: [{unique: true, columns: [3]}],
    options: {kind: 'stream', ttlMs: 1000},
});
const TABLES = [LEDGER, PLAIN, EVENTS];

let directory: string;
let db: TiersFixture;

async function open(options: Partial<TiersFixtureOptions> = {}): Promise<void> {
    db = await TiersFixture.open({directory, tables: TABLES, ...options});
}

beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidewire-compaction-'));
    await open();
});

afterEach(async () => {
    await db.close();
    await rm(directory, {recursive: true, force: true});
});

async function fill(table: typeof LEDGER, from: number, rows: number): Promise<void> {
    await db.write(table, (write) => {
        for (let id = from; id < from + rows; id++) write.insert([id, id, `code ${id}`]);
    });
}

const names = async (): Promise<string[]> => (await db.objects.list('')).objects.map(({name}) => name);

describe('a compaction', () => {
    test('makes one clean segment of several, and everything is found where it is now', async () => {
        for (const from of [1, 101, 201]) {
            await fill(LEDGER, from, 100);
            await db.flush(LEDGER);
        }
        await db.write(LEDGER, (write) => {
            for (let id = 10; id <= 300; id += 10) write.delete([id]);
            write.update([5], () => [5, 500]);
        });
        const sum = 'select count(*), sum(id), sum(value) from ledger';
        const before = await db.query(sum);
        const old = db.tiers(1).manifest.segments;
        await db.compact(LEDGER);
        expect(await db.query(sum)).toEqual(before);
        expect(db.tiers(1).manifest.segments).toMatchObject([{rows: 269}]);
        expect(db.tiers(1).liveRows).toBe(269);
        await removeSegments(db, db.tiers(1), old);
        expect(await names()).toHaveLength(1);
        // Heads still name segments that are gone.
        await db.write(LEDGER, (write) => {
            write.delete([1]);
            write.update([2], () => [2, 22]);
        });
        const after = [[String(269), String(Number(before[0]?.[1]) - 1), String(Number(before[0]?.[2]) - 1 + 20)]];
        expect(await db.query(sum)).toEqual(after);
        await db.close();
        await open();
        expect(await db.query(sum)).toEqual(after);
        await db.write(LEDGER, (write) => write.update([201], () => [201, 0]));
        expect((await db.query(sum))[0]?.[2]).toBe(String(Number(after[0]?.[2]) - 201));
    });

    test('keeps what is changed meanwhile', async () => {
        for (const table of [LEDGER, PLAIN]) {
            await db.close();
            let begun: Promise<unknown> = Promise.resolve();
            const heads = {changed: (): unknown => undefined};
            await open({
                reached: (point) => {
                    if (point === 'compact.segment-written') begun = Promise.resolve(heads.changed());
                },
            });
            await fill(table, 1, 1000);
            await db.flush(table);
            const store = db.store(table);
            const [first, second] = [...store.headsInMemory()];
            if (first === undefined || second === undefined) throw new Error('no heads');
            heads.changed = () =>
                db.write(table, (write) => {
                    write.updateHead(first, ([id]) => [id ?? null, 10_000]);
                    write.updateHead(second, ([id]) => [id ?? null, 20_000]);
                });
            await db.compact(table);
            await begun;
            const expected = [['1000', String(500_500 - 1 - 2 + 30_000)]];
            expect(await db.query(`select count(*), sum(value) from ${table.name}`)).toEqual(expected);
            await db.close();
            await open();
            expect(await db.query(`select count(*), sum(value) from ${table.name}`)).toEqual(expected);
        }
    });

    test('a write that is open over the switch finds the row in its new place', async () => {
        await fill(LEDGER, 1, 100);
        await db.flush(LEDGER);
        const opened = db.begin(LEDGER);
        opened.write.update([7], () => [7, 700]);
        await db.compact(LEDGER);
        await db.committer.whenVisible(db.committer.commit(opened.transaction));
        expect(await db.query('select count(*), sum(value) from ledger')).toEqual([['100', String(5050 + 693)]]);
    });

    test('takes out a segment whose rows are all dead', async () => {
        await fill(LEDGER, 1, 10);
        await db.flush(LEDGER);
        await db.write(LEDGER, (write) => {
            for (let id = 1; id <= 10; id++) write.delete([id]);
        });
        await db.compact(LEDGER);
        expect(db.tiers(1).hasSegments).toBe(false);
        expect(await db.query('select count(*) from ledger')).toEqual([['0']]);
        await fill(LEDGER, 1, 10);
        expect(await db.query('select count(*) from ledger')).toEqual([['10']]);
    });
});

describe('removing what nothing names', () => {
    test('deletes orphans and leaves segments and the objects of others', async () => {
        await fill(LEDGER, 1, 10);
        await db.flush(LEDGER);
        const [kept] = await names();
        await db.objects.put('public/ledger/1/99.parquet', Buffer.from('orphan'));
        await db.objects.put('public/gone/77/5.parquet', Buffer.from('orphan'));
        await db.objects.put('readme.txt', Buffer.from('of somebody else'));
        expect(await collectOrphans(db, new AbortController().signal)).toBe(2);
        expect(await names()).toEqual([kept, 'readme.txt']);
        expect(await db.query('select count(*) from ledger')).toEqual([['10']]);
    });

    test('waits for snapshots that can name the segment', async () => {
        await fill(LEDGER, 1, 10);
        await db.flush(LEDGER);
        const executor = await db.vector();
        const snapshot = await executor.snapshot([LEDGER], () => ({seq: db.committer.visibleSeq, inputs: new Map()}));
        const segments = db.tiers(1).manifest.segments;
        await db.compact(LEDGER);
        let removed = false;
        const removing = removeSegments(db, db.tiers(1), segments).then(() => (removed = true));
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect([removed, (await names()).length]).toEqual([false, 2]);
        await snapshot.close();
        await removing;
        expect(await names()).toEqual([db.tiers(1).manifest.segments[0]?.objectName]);
    });
});

describe('rows past their time to live', () => {
    const options = (): Parameters<typeof evictHotRows>[2] & {deleted: number} => {
        const made = {
            cutoffNs: BigInt(Date.now() - 1000) * 1_000_000n,
            signal: new AbortController().signal,
            deleted: 0,
            onDeleted: (rows: number) => {
                made.deleted += rows;
            },
        };
        return made;
    };

    test('vanish from reads at once, then from the hot store, as expired deletes', async () => {
        await fill(EVENTS, 1, 2500);
        await new Promise((resolve) => setTimeout(resolve, 1050));
        await fill(EVENTS, 5001, 10);
        expect(await db.query('select count(*) from events')).toEqual([['10']]);
        let expired = 0;
        db.committer.subscribe((transaction) => {
            if (transaction.expired) expired += transaction.changes.length;
        });
        const held = db.begin(EVENTS);
        held.write.read([7]);
        const first = options();
        await evictHotRows(db, db.store(EVENTS), first, undefined);
        expect([first.deleted, expired]).toEqual([2499, 2499]);
        db.committer.rollback(held.transaction);
        const second = {...options(), cutoffNs: first.cutoffNs};
        second.onDeleted = (rows) => (second.deleted += rows);
        const {oldestNs} = await evictHotRows(db, db.store(EVENTS), second, undefined);
        expect([second.deleted, expired]).toEqual([1, 2500]);
        expect(oldestNs).toBeGreaterThanOrEqual(second.cutoffNs);
        await fill(EVENTS, 1, 10);
    });

    test('a scan of a table keyed by row id begins where the last one ended', async () => {
        await fill(PLAIN, 1, 3000);
        const {from} = await evictHotRows(
            db,
            db.store(PLAIN),
            {...options(), cutoffNs: BigInt(Date.now() + 1000) * 1_000_000n},
            undefined,
        );
        expect(from).toBeUndefined();
        await fill(PLAIN, 1, 5);
        const next = await evictHotRows(db, db.store(PLAIN), options(), undefined);
        expect(next.from?.readUInt32BE(13)).toBe(3001);
    });

    test('are not flushed, and a segment with nothing else is dropped with its keys', async () => {
        await fill(EVENTS, 1, 100);
        await db.flush(EVENTS);
        expect(db.tiers(3).manifest.segments).toHaveLength(1);
        await fill(EVENTS, 201, 5);
        await new Promise((resolve) => setTimeout(resolve, 1050));
        expect(await db.query('select count(*) from events')).toEqual([['0']]);
        expect(await db.flush(EVENTS)).toMatchObject({rows: 0});
        const [segment] = db.tiers(3).manifest.segments;
        if (segment === undefined) throw new Error('no segment');
        const connection = await (await db.vector()).engine.connect();
        const evicting = options();
        expect(await evictSegmentRows(db, db.store(EVENTS), segment, evicting, connection)).toBe(0);
        connection.closeSync();
        expect(evicting.deleted).toBe(100);
        await db.compact(EVENTS);
        expect(db.tiers(3).hasSegments).toBe(false);
        await fill(EVENTS, 1, 100);
        expect(await db.query('select count(*) from events')).toEqual([['100']]);
    });
});
