import {describe, expect, test} from 'vitest';
import * as manifests from './manifest.ts';

function segment(segmentId: number, rows = 100): manifests.SegmentMeta {
    return {
        segmentId,
        objectName: `t1/${segmentId}.parquet`,
        rows,
        bytes: 5000,
        checksum: 'ab'.repeat(32),
        minSeq: 1,
        maxSeq: 10,
        minRowid: 1,
        maxRowid: 100,
        columns: [
            {attnum: 1, name: 'id', sqlType: 'INTEGER', min: '1', max: '100', nullCount: 0},
            {attnum: 2, name: 'note', sqlType: 'VARCHAR', min: undefined, max: undefined, nullCount: 100},
        ],
        createdNs: 1_760_000_000_000_000_001n,
        maxUpdatedNs: 1_750_000_000_000_000_001n,
        tableVersion: 3,
        owners: segmentId % 2 === 0 ? [5, 9] : undefined,
    };
}

describe('changing a manifest', () => {
    test('makes the next version and leaves the old one as it was', () => {
        const empty = manifests.emptyManifest(1);
        const two = manifests.addSegments(empty, [segment(1), segment(2)]);
        const dirty = manifests.addDeadRows(two, 1, 30);
        const replaced = manifests.replaceSegments(dirty, [1], [segment(3, 70)]);
        const removed = manifests.removeSegments(replaced, [2]);
        expect([empty, two, dirty, replaced, removed].map((m) => m.version)).toEqual([0, 1, 2, 3, 4]);
        expect(replaced.segments.map((s) => s.segmentId)).toEqual([2, 3]);
        expect([...replaced.deadRows]).toEqual([]);
        expect(removed.segments.map((s) => s.segmentId)).toEqual([3]);
        expect([empty, two, dirty, replaced].map(manifests.liveRows)).toEqual([0, 200, 170, 170]);
        expect(manifests.findSegment(two, 2)?.rows).toBe(100);
        expect(manifests.findSegment(two, 3)).toBeUndefined();
    });

    test('refuses what does not fit', () => {
        const one = manifests.addSegments(manifests.emptyManifest(1), [segment(1)]);
        expect(() => manifests.addSegments(one, [segment(1)])).toThrow(/already/);
        expect(() => manifests.addSegments(one, [segment(2), segment(2)])).toThrow(/already/);
        expect(() => manifests.removeSegments(one, [2])).toThrow(/not in table/);
        expect(() => manifests.addDeadRows(one, 2, 1)).toThrow(/not in table/);
        expect(() => manifests.addDeadRows(one, 1, 101)).toThrow(/cannot have 101 dead/);
        expect(() => manifests.addDeadRows(one, 1, -1)).toThrow(/cannot have/);
    });
});

describe('a manifest as JSON', () => {
    const manifest = manifests.addDeadRows(
        manifests.addSegments(manifests.emptyManifest(7), [segment(1), segment(2)]),
        2,
        40,
    );

    test('comes back as it was', () => {
        expect(manifests.decodeManifest(manifests.encodeManifest(manifest))).toEqual(manifest);
    });

    test('is held by a golden text', () => {
        const one = manifests.addSegments(manifests.emptyManifest(7), [segment(2)]);
        expect(manifests.encodeManifest(manifests.addDeadRows(one, 2, 4))).toBe(
            '{"format":2,"tableId":7,"version":2,"segments":[{"segmentId":2,"objectName":"t1/2.parquet","rows":100,' +
                `"bytes":5000,"checksum":"${'ab'.repeat(32)}","minSeq":1,"maxSeq":10,"minRowid":1,"maxRowid":100,` +
                '"columns":[{"attnum":1,"name":"id","sqlType":"INTEGER","min":"1","max":"100","nullCount":0},' +
                '{"attnum":2,"name":"note","sqlType":"VARCHAR","nullCount":100}],' +
                '"createdNs":"1760000000000000001","maxUpdatedNs":"1750000000000000001","tableVersion":3,"owners":[5,9]}],"deadRows":[[2,4]]}',
        );
    });

    test('is refused when anything in it is damaged', () => {
        const text = manifests.encodeManifest(manifest);
        const damages: [string, string][] = [
            ['"rows":100', '"rows":-1'],
            ['"rows":100', '"rows":"100"'],
            ['"checksum":"ab', '"checksum":"XX'],
            ['"segmentId":2', '"segmentId":1'],
            ['"deadRows":[[2,40]]', '"deadRows":[[2,101]]'],
            ['"deadRows":[[2,40]]', '"deadRows":[[3,1]]'],
            ['"deadRows":[[2,40]]', '"deadRows":{}'],
            ['"createdNs":"1', '"createdNs":"x'],
            ['"maxUpdatedNs":"1', '"maxUpdatedNs":"-1'],
            ['"sqlType":"INTEGER"', '"sqlType":4'],
            ['"columns":[', '"columns":[1,'],
            ['"tableId":7', '"tableId":null'],
            ['"owners":[5', '"owners":[null'],
        ];
        for (const [from, to] of damages) {
            const damaged = text.replace(from, to);
            expect(damaged).not.toBe(text);
            expect(() => manifests.decodeManifest(damaged)).toThrow(/damaged manifest/);
        }
        expect(() => manifests.decodeManifest('{')).toThrow(/no JSON/);
        expect(() => manifests.decodeManifest('[]')).toThrow(/no object/);
        expect(() => manifests.decodeManifest(text.replace('"format":2', '"format":3'))).toThrow(/format 3/);
    });
});
