import {mkdtempSync, readdirSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {HotBatch, HotStore} from './hot-store.ts';
import {indexKey, rowKey, tableRange} from './keys.ts';

const OPTIONS = {cacheBytes: 1 << 20, writeBufferBytes: 1 << 20};
let directory: string;
let store: HotStore;

beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hot-store-'));
    store = await HotStore.open(directory, OPTIONS);
});

afterEach(async () => {
    await store.close();
    rmSync(directory, {recursive: true});
});

const key = (n: number) => rowKey(1, 0, Buffer.from(String(n).padStart(6, '0')));

function batchOf(from: number, to: number, value = 'v'): HotBatch {
    const batch = new HotBatch();
    for (let n = from; n <= to; n++) batch.put(key(n), Buffer.from(`${value}${n}`));
    return batch;
}

async function readAll(pages: AsyncIterable<[Buffer, Buffer][]>): Promise<string[]> {
    const values: string[] = [];
    for await (const page of pages) for (const [, value] of page) values.push(value.toString());
    return values;
}

describe('writing', () => {
    test('a batch is applied as one, with the sequence that it reaches', async () => {
        const batch = batchOf(1, 3);
        batch.delete(key(2));
        expect(batch.size).toBe(4);
        await store.write(batch, 17);
        expect(store.getSync(key(1))?.toString()).toBe('v1');
        expect(store.getSync(key(2))).toBeUndefined();
        expect((await store.get(key(3)))?.toString()).toBe('v3');
        expect((await store.getMany([key(3), key(9)])).map(String)).toEqual(['v3', 'undefined']);
        expect(store.appliedSeq).toBe(17);
    });

    test('batches handed over without waiting keep their order', async () => {
        const written: Promise<void>[] = [];
        for (let seq = 1; seq <= 500; seq++) {
            const batch = new HotBatch();
            batch.put(key(seq % 7), Buffer.from(String(seq)));
            written.push(store.write(batch, seq));
        }
        await Promise.all(written);
        expect(store.appliedSeq).toBe(500);
        for (let last = 494; last <= 500; last++) expect(store.getSync(key(last % 7))?.toString()).toBe(String(last));
    });

    test('the sequence may stay, but not go back', async () => {
        await store.write(new HotBatch(), 5);
        await store.write(new HotBatch(), 5);
        expect(() => store.write(new HotBatch(), 4)).toThrow(/commit order/);
    });

    test('a reopened store knows what it has reached', async () => {
        await store.write(batchOf(1, 2), 9007199254740991);
        await store.close();
        store = await HotStore.open(directory, OPTIONS);
        expect(store.appliedSeq).toBe(9007199254740991);
        expect(store.getSync(key(2))?.toString()).toBe('v2');
    });

    test('a checkpoint leaves nothing in the unsynced log of LevelDB', async () => {
        await store.write(batchOf(1, 5000), 40);
        const unsynced = () =>
            readdirSync(directory)
                .filter((name) => name.endsWith('.log'))
                .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
        expect(unsynced()).toBeGreaterThan(50_000);
        expect(await store.checkpoint()).toBe(40);
        expect(unsynced()).toBe(0);
        expect(store.getSync(key(5000))?.toString()).toBe('v5000');
    });
});

describe('reading pages', () => {
    test('pages hold what was there at the call, in order, whatever is written meanwhile', async () => {
        await store.write(batchOf(1, 25), 1);
        const pages = store.pages(tableRange(1), 10);
        const later = batchOf(20, 40, 'later');
        later.delete(key(3));
        await store.write(later, 2);
        const sizes: number[] = [];
        const values: string[] = [];
        for await (const page of pages) {
            sizes.push(page.length);
            values.push(...page.map(([, value]) => value.toString()));
        }
        expect(sizes).toEqual([10, 10, 5]);
        expect(values).toEqual(Array.from({length: 25}, (_, i) => `v${i + 1}`));
    });

    test('a range can be read backwards and limited, and holds nothing of its neighbours', async () => {
        const batch = batchOf(1, 9);
        batch.put(rowKey(2, 0, Buffer.from('other')), Buffer.from('other table'));
        batch.put(indexKey(1, 0, Buffer.from('other')), Buffer.from('index'));
        await store.write(batch, 1);
        expect(await readAll(store.pages({...tableRange(1), reverse: true, limit: 3}, 2))).toEqual(['v9', 'v8', 'v7']);
        expect(await readAll(store.pages({gte: key(2), lt: key(5)}, 100))).toEqual(['v2', 'v3', 'v4']);
        expect(await readAll(store.pages(tableRange(3), 100))).toEqual([]);
    });

    test('a reader that stops early, or never starts, gives its snapshot back', async () => {
        await store.write(batchOf(1, 20), 1);
        for await (const page of store.pages(tableRange(1), 5)) {
            expect(page).toHaveLength(5);
            break;
        }
        const unused = store.pages(tableRange(1), 5);
        expect(await unused.return?.()).toEqual({done: true, value: undefined});
    });

    test('deleteRange deletes more keys than one step takes, and only those of the range', async () => {
        await store.write(batchOf(1, 3500), 1);
        await store.deleteRange(key(2), key(3400));
        expect(await readAll(store.pages({...tableRange(1), limit: 3}, 10))).toEqual(['v1', 'v3400', 'v3401']);
        expect(store.appliedSeq).toBe(1);
    });

    test('bytes on disk are estimated', async () => {
        await store.write(batchOf(1, 5000, 'x'.repeat(100)), 1);
        await store.checkpoint();
        expect(await store.approximateBytes(tableRange(1))).toBeGreaterThan(10_000);
        expect(await store.approximateBytes(tableRange(2))).toBe(0);
    });
});

describe('opening', () => {
    test('a store that is open already is locked', async () => {
        await expect(HotStore.open(directory, OPTIONS)).rejects.toMatchObject({kind: 'locked'});
    });

    test('a directory that cannot be made is an error of the system', async () => {
        await expect(HotStore.open('/dev/null/store', OPTIONS)).rejects.toMatchObject({kind: 'io'});
    });
});
