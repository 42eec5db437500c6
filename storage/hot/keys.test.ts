import {describe, expect, test} from 'vitest';
import * as keys from './keys.ts';

const hex = (bytes: Buffer) => bytes.toString('hex');

describe('the layout of keys', () => {
    test('is held by golden bytes', () => {
        expect({
            row: hex(keys.rowKey(0x01020304, 0xfffefdfc, Buffer.from('ab'))),
            index: hex(keys.indexKey(7, 0, Buffer.from([0, 255]))),
            stub: hex(keys.encodeStub({segmentId: 9, rowid: 2 ** 40 + 5})),
            deletion: hex(keys.deletionKey(9, 2 ** 40 + 5)),
            table: hex(keys.catalogKey('table', '42')),
            ddl: hex(keys.catalogKey('ddl', 'é')),
            manifest: hex(keys.manifestKey(258)),
            sequence: hex(keys.sequenceKey(258)),
            meta: hex(keys.APPLIED_SEQ_KEY),
        }).toEqual({
            row: '7201020304fffefdfc6162',
            index: '69000000070000000000ff',
            stub: '80000000090000010000000005',
            deletion: '64000000090000010000000005',
            table: '63743432',
            ddl: '6364c3a9',
            manifest: '6d00000102',
            sequence: '7300000102',
            meta: '786170706c696564536571',
        });
    });

    test('is taken apart as it was put together', () => {
        expect(keys.parseOwnedKey(keys.rowKey(5, 4294967295, Buffer.from('k')))).toEqual({
            space: 'row',
            id: 5,
            owner: 4294967295,
            key: Buffer.from('k'),
        });
        expect(keys.parseOwnedKey(keys.indexKey(6, 1, Buffer.alloc(0)))).toMatchObject({
            space: 'index',
            id: 6,
            owner: 1,
        });
        expect(keys.decodeStub(keys.encodeStub({segmentId: 1, rowid: Number.MAX_SAFE_INTEGER}))).toEqual({
            segmentId: 1,
            rowid: Number.MAX_SAFE_INTEGER,
        });
        expect(keys.parseDeletionKey(keys.deletionKey(3, 77))).toEqual({segmentId: 3, rowid: 77});
        expect(keys.parseCatalogKey(keys.catalogKey('role', 'Zoë'))).toEqual({kind: 'role', name: 'Zoë'});
        expect(keys.parseIdKey(keys.manifestKey(12))).toBe(12);
        expect(keys.parseIdKey(keys.sequenceKey(13))).toBe(13);
    });

    test('refuses keys of another kind', () => {
        expect(() => keys.parseOwnedKey(keys.manifestKey(1))).toThrow(/not a row or index key/);
        expect(() => keys.parseDeletionKey(keys.manifestKey(1))).toThrow(/not a deletion/);
        expect(() => keys.parseCatalogKey(keys.manifestKey(1))).toThrow(/not a catalog/);
        expect(() => keys.parseIdKey(keys.deletionKey(1, 1))).toThrow(/not a manifest/);
        expect(() => keys.decodeStub(Buffer.from([1, 2]))).toThrow(/not a cold stub/);
    });

    test('a stub is told from a row by its first byte', () => {
        expect(keys.isStub(keys.encodeStub({segmentId: 1, rowid: 1}))).toBe(true);
        expect(keys.isStub(Buffer.from([1, 7, 0]))).toBe(false);
    });
});

describe('ranges', () => {
    const inRange = ({gte, lt}: keys.KeyRange, key: Buffer) =>
        Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;

    test('hold exactly the keys of their table, index or owner, up to the largest ids', () => {
        const ids = [0, 1, 254, 255, 256, 65535, 65536, 0xfffffffe, 0xffffffff];
        const suffixes = [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0xff, 0xff, 0xff])];
        for (const id of ids) {
            for (const owner of ids) {
                const inside = suffixes.map((suffix) => keys.rowKey(id, owner, suffix));
                for (const otherId of ids) {
                    expect(inside.every((key) => inRange(keys.tableRange(otherId), key))).toBe(otherId === id);
                    expect(inside.some((key) => inRange(keys.indexRange(otherId), key))).toBe(false);
                }
                for (const otherOwner of ids) {
                    const range = keys.tableOwnerRange(id, otherOwner);
                    expect(inside.every((key) => inRange(range, key))).toBe(otherOwner === owner);
                    expect(inside.some((key) => inRange(range, key))).toBe(otherOwner === owner);
                }
            }
            expect(inRange(keys.deletionRange(id), keys.deletionKey(id, Number.MAX_SAFE_INTEGER))).toBe(true);
            expect(inRange(keys.MANIFEST_RANGE, keys.manifestKey(id))).toBe(true);
            expect(inRange(keys.SEQUENCE_RANGE, keys.sequenceKey(id))).toBe(true);
        }
        expect(inRange(keys.catalogRange('table'), keys.catalogKey('table', 'x'))).toBe(true);
        expect(inRange(keys.catalogRange('table'), keys.catalogKey('role', 'x'))).toBe(false);
        expect(inRange(keys.catalogRange(), keys.catalogKey('role', 'x'))).toBe(true);
    });

    test('rows sort by table, owner and key', () => {
        const sorted = [
            keys.rowKey(1, 2, Buffer.from('b')),
            keys.rowKey(1, 300, Buffer.from('a')),
            keys.rowKey(2, 0, Buffer.alloc(0)),
            keys.rowKey(256, 0, Buffer.alloc(0)),
        ];
        expect([...sorted].reverse().sort((a, b) => Buffer.compare(a, b))).toEqual(sorted);
    });
});
