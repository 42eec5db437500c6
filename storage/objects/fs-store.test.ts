import {existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {describeObjectStore} from './conformance.ts';
import {FsObjectStore} from './fs-store.ts';

describeObjectStore('fs', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fs-store-'));
    return {
        store: await FsObjectStore.open(directory),
        dispose: () => {
            rmSync(directory, {recursive: true});
            return Promise.resolve();
        },
    };
});

describe('objects as files', () => {
    let directory: string;
    beforeAll(() => {
        directory = mkdtempSync(join(tmpdir(), 'fs-store-'));
    });
    afterAll(() => rmSync(directory, {recursive: true}));

    test('nothing temporary is left, whether a put succeeded or failed', async () => {
        const store = await FsObjectStore.open(directory);
        await store.put('t/a', Buffer.from('1'));
        await store.putIfAbsent('t/a', Buffer.from('2'));
        await expect(store.put('t/a/b', Buffer.from('3'))).rejects.toMatchObject({kind: 'invalid'});
        await expect(store.put('t', Buffer.from('3'))).rejects.toMatchObject({kind: 'invalid'});
        expect(readdirSync(join(directory, '.tmp'))).toEqual([]);
    });

    test('temporary files are no objects, and old ones are removed at the next start', async () => {
        const [old, fresh] = [join(directory, '.tmp/old'), join(directory, '.tmp/fresh')];
        writeFileSync(old, 'half');
        writeFileSync(fresh, 'half');
        utimesSync(old, 1_000_000_000, 1_000_000_000);
        const store = await FsObjectStore.open(directory);
        expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
        expect((await store.list('')).objects.map((object) => object.name)).toEqual(['t/a']);
    });

    test('a directory is no object', async () => {
        mkdirSync(join(directory, 'directory/inner'), {recursive: true});
        const store = await FsObjectStore.open(directory);
        expect(await store.get('directory')).toBeUndefined();
        expect(await store.head('directory')).toBeUndefined();
        expect(await store.getRange('directory', 0, 1)).toBeUndefined();
    });

    test('a failure of the file system is an error, not an absent object', async () => {
        await expect(FsObjectStore.open(join(directory, 't/a/below'))).rejects.toMatchObject({kind: 'io'});
    });
});
