/**
 * What every object store has to do, as a suite that each one runs with its own way of being made. A store is fit for
 * use when it passes; what it cannot do, its capabilities say, and the suite then expects.
 */
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {ObjectStore} from './object-store.ts';

export interface StoreUnderTest {
    readonly store: ObjectStore;
    /** Removes what the suite wrote. */
    readonly dispose: () => Promise<void>;
}

const INVALID_NAMES = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '..',
    '../a',
    'a/../b',
    '.',
    'a/./b',
    '.hidden',
    'a:b',
    'a\\b',
    'é',
];

export function describeObjectStore(name: string, make: () => Promise<StoreUnderTest>): void {
    describe(`${name} as an object store`, () => {
        let made: StoreUnderTest;
        let store: ObjectStore;
        beforeAll(async () => {
            made = await make();
            store = made.store;
        });
        afterAll(async () => {
            await store.close();
            await made.dispose();
        });

        test('an object that is not there is undefined everywhere', async () => {
            expect(await store.get('absent/object')).toBeUndefined();
            expect(await store.getRange('absent/object', 0, 10)).toBeUndefined();
            expect(await store.head('absent/object')).toBeUndefined();
            expect((await store.list('absent/')).objects).toEqual([]);
            await store.delete('absent/object');
        });

        test('what was put is got back byte for byte, also when empty', async () => {
            const every = Buffer.from(Array.from({length: 1024}, (_, i) => i & 255));
            await store.put('bytes/every', every);
            await store.put('bytes/empty', Buffer.alloc(0));
            expect((await store.get('bytes/every'))?.equals(every)).toBe(true);
            expect(await store.get('bytes/empty')).toHaveLength(0);
            expect(await store.head('bytes/every')).toMatchObject({bytes: 1024});
            expect((await store.head('bytes/every'))?.modifiedMs).toBeGreaterThan(Date.now() - 600_000);
        });

        test('an object of some megabytes is whole', async () => {
            const large = Buffer.alloc(6_000_000, 'large object ');
            await store.put('bytes/large', large);
            expect((await store.get('bytes/large'))?.equals(large)).toBe(true);
            expect((await store.getRange('bytes/large', 5_999_990, 100))?.equals(large.subarray(5_999_990))).toBe(true);
        });

        test('ranges end where the object ends', async () => {
            await store.put('ranges/digits', Buffer.from('0123456789'));
            const range = async (offset: number, length: number) =>
                (await store.getRange('ranges/digits', offset, length))?.toString();
            expect(await range(0, 4)).toBe('0123');
            expect(await range(3, 2)).toBe('34');
            expect(await range(8, 100)).toBe('89');
            expect(await range(10, 5)).toBe('');
            expect(await range(50, 5)).toBe('');
            expect(await range(4, 0)).toBe('');
            await expect(range(-1, 5)).rejects.toMatchObject({kind: 'invalid'});
            await expect(range(0, 1.5)).rejects.toMatchObject({kind: 'invalid'});
        });

        test('a put replaces, and readers at the same time see one or the other', async () => {
            const first = Buffer.alloc(300_000, 1);
            const second = Buffer.alloc(200_000, 2);
            await store.put('replace/object', first);
            const reads: Promise<Buffer | undefined>[] = [];
            const writing = store.put('replace/object', second);
            for (let i = 0; i < 20; i++) reads.push(store.get('replace/object'));
            await writing;
            for (const read of await Promise.all(reads)) {
                expect(read?.equals(first) === true || read?.equals(second) === true).toBe(true);
            }
            expect((await store.get('replace/object'))?.equals(second)).toBe(true);
        });

        test('nobody shares a buffer with the store', async () => {
            const given = Buffer.from('original');
            await store.put('alias/object', given);
            given.fill('x');
            const got = await store.get('alias/object');
            expect(got?.toString()).toBe('original');
            got?.fill('y');
            expect((await store.get('alias/object'))?.toString()).toBe('original');
        });

        test('of many puts that must find nothing, one wins', async () => {
            expect(await store.putIfAbsent('race/first', Buffer.from('1'))).toBe(true);
            expect(await store.putIfAbsent('race/first', Buffer.from('2'))).toBe(false);
            expect((await store.get('race/first'))?.toString()).toBe('1');
            const outcomes = await Promise.all(
                Array.from({length: 10}, (_, i) => store.putIfAbsent('race/many', Buffer.from(String(i)))),
            );
            expect(outcomes.filter(Boolean)).toHaveLength(1);
            expect((await store.get('race/many'))?.toString()).toBe(String(outcomes.indexOf(true)));
        });

        test('a local file can be put, and stays', async () => {
            const directory = mkdtempSync(join(tmpdir(), 'object-source-'));
            try {
                const path = join(directory, 'source');
                writeFileSync(path, 'content of a file');
                await store.putFile('files/copy', path);
                writeFileSync(path, 'CHANGED');
                expect((await store.get('files/copy'))?.toString()).toBe('content of a file');
                await expect(store.putFile('files/none', join(directory, 'none'))).rejects.toMatchObject({kind: 'io'});
                expect(await store.head('files/none')).toBeUndefined();
            } finally {
                rmSync(directory, {recursive: true});
            }
        });

        test('a list is in byte order, complete over its pages, and only of the prefix', async () => {
            const names = [
                'l/a',
                'l/a-b',
                'l/a.b',
                'l/ab/c',
                'l/ab/d/e',
                'l/ab-c',
                'l/B',
                'l/b0',
                'l/z/1',
                'l/z/2',
                'l/_',
            ];
            for (const name of names) await store.put(name, Buffer.from(name));
            const sorted = [...names].sort();
            for (const limit of [1, 2, 3, 1000]) {
                const listed: string[] = [];
                let cursor: string | undefined;
                do {
                    const page = await store.list('l/', cursor === undefined ? {limit} : {limit, cursor});
                    expect(page.objects.length).toBeLessThanOrEqual(limit);
                    for (const object of page.objects) {
                        listed.push(object.name);
                        expect(object.bytes).toBe(object.name.length);
                    }
                    cursor = page.cursor;
                } while (cursor !== undefined);
                expect(listed).toEqual(sorted);
            }
            const of = async (prefix: string) => (await store.list(prefix)).objects.map((object) => object.name);
            expect(await of('l/ab')).toEqual(['l/ab-c', 'l/ab/c', 'l/ab/d/e']);
            expect(await of('l/ab/')).toEqual(['l/ab/c', 'l/ab/d/e']);
            expect(await of('l/ab/d')).toEqual(['l/ab/d/e']);
            expect(await of('l/a')).toEqual(['l/a', 'l/a-b', 'l/a.b', 'l/ab-c', 'l/ab/c', 'l/ab/d/e']);
            await expect(store.list('', {limit: 0})).rejects.toMatchObject({kind: 'invalid'});
            await expect(store.list('', {limit: 1001})).rejects.toMatchObject({kind: 'invalid'});
        });

        test('objects deleted between pages are left out, and the rest comes', async () => {
            for (let i = 0; i < 9; i++) await store.put(`pages/${i}`, Buffer.from('x'));
            const first = await store.list('pages/', {limit: 4});
            expect(first.objects).toHaveLength(4);
            await store.delete('pages/3');
            await store.delete('pages/4');
            const rest = await store.list('pages/', {cursor: first.cursor ?? ''});
            expect(rest.objects.map((object) => object.name)).toEqual(['pages/5', 'pages/6', 'pages/7', 'pages/8']);
            expect(rest.cursor).toBeUndefined();
        });

        test('a deleted object is gone, and its name is free again', async () => {
            await store.put('gone/object', Buffer.from('1'));
            await store.delete('gone/object');
            expect(await store.get('gone/object')).toBeUndefined();
            expect((await store.list('gone/')).objects).toEqual([]);
            expect(await store.putIfAbsent('gone/object', Buffer.from('2'))).toBe(true);
        });

        test.each(INVALID_NAMES)('the name %j is refused by every operation', async (invalid) => {
            const refusal = {kind: 'invalid'};
            await expect(store.get(invalid)).rejects.toMatchObject(refusal);
            await expect(store.getRange(invalid, 0, 1)).rejects.toMatchObject(refusal);
            await expect(store.put(invalid, Buffer.alloc(1))).rejects.toMatchObject(refusal);
            await expect(store.putIfAbsent(invalid, Buffer.alloc(1))).rejects.toMatchObject(refusal);
            await expect(store.putFile(invalid, '/dev/null')).rejects.toMatchObject(refusal);
            await expect(store.head(invalid)).rejects.toMatchObject(refusal);
            await expect(store.delete(invalid)).rejects.toMatchObject(refusal);
        });

        test('names may be long, but not too long', async () => {
            const long = Array.from({length: 3}, () => 'n'.repeat(150)).join('/');
            await store.put(long, Buffer.from('long'));
            expect((await store.get(long))?.toString()).toBe('long');
            await expect(store.put('n'.repeat(201), Buffer.alloc(1))).rejects.toMatchObject({kind: 'invalid'});
            await expect(store.put(`${long}/${long}`, Buffer.alloc(1))).rejects.toMatchObject({kind: 'invalid'});
        });

        test('local paths are there exactly where the capabilities say so', async () => {
            await store.put('local/object', Buffer.from('local'));
            const path = store.localPath('local/object');
            expect(path !== undefined).toBe(store.capabilities.localFiles);
            if (path !== undefined) expect(readFileSync(path, 'utf8')).toBe('local');
        });
    });
}
