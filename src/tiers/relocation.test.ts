import {describe, expect, test} from 'vitest';
import {segmentObjectName, parseSegmentObjectName} from './object-name.ts';
import {Relocation, SLICE_ROWS} from './relocation.ts';
import {TableTiers} from './table-tiers.ts';
import {makeTable} from './testing/tiers-fixture.ts';

describe('rows on their way into a segment', () => {
    test('stay where they are when they are replaced, before or after they are read back', () => {
        const relocation = new Relocation(1, 'hot');
        relocation.noteReplaced(1, 10);
        relocation.noteReplaced(2, 5);
        relocation.add(1, 10);
        // This version came after the one that was replaced.
        relocation.add(2, 11);
        relocation.add(3, 12);
        relocation.complete();
        relocation.noteReplaced(3, 12);
        relocation.noteReplaced(99, 1);
        expect([0, 1, 2].map((index) => relocation.leaves(index))).toEqual([false, true, false]);
        expect(relocation.leaving()).toEqual({rowids: BigInt64Array.of(2n), seqs: BigInt64Array.of(11n)});
        expect([relocation.has(2, 11), relocation.has(2, 10), relocation.has(3, 12)]).toEqual([true, false, false]);
    });

    test('say which slices must be prepared again, once', () => {
        const relocation = new Relocation(1, 'hot');
        for (let rowid = 0; rowid < 3 * SLICE_ROWS; rowid++) relocation.add(rowid, rowid);
        relocation.noteReplaced(SLICE_ROWS + 7, SLICE_ROWS + 7);
        relocation.noteReplaced(SLICE_ROWS + 8, SLICE_ROWS + 8);
        expect(relocation.takeDirtySlices()).toEqual([1]);
        expect(relocation.takeDirtySlices()).toEqual([]);
    });

    test('have left for good when the commit is enqueued', () => {
        const relocation = new Relocation(1, 'hot');
        for (let rowid = 0; rowid < 10_000; rowid++) relocation.add(rowid, rowid);
        relocation.seal();
        relocation.noteReplaced(9000, 9000);
        expect(relocation.has(9000, 9000)).toBe(true);
        expect([relocation.count, relocation.stayingCount]).toEqual([10_000, 0]);
    });
});

describe('dead rows', () => {
    test('are dead from their commit on, and ascending', () => {
        const tiers = new TableTiers(1);
        const operations: {key: Buffer; value: Buffer | null}[] = [];
        tiers.markDead(4, 300, 20, operations);
        tiers.markDead(4, 7, 10, operations);
        expect([...tiers.deadRowids(4, 9)]).toEqual([]);
        expect([...tiers.deadRowids(4, 19)]).toEqual([7n]);
        expect([...tiers.deadRowids(4, 20)]).toEqual([7n, 300n]);
        tiers.markDead(4, 8, 21, operations);
        expect([...tiers.deadRowids(4, 30)]).toEqual([7n, 8n, 300n]);
        expect(operations).toHaveLength(3);
    });

    test('follow their segment when it is compacted', () => {
        const tiers = new TableTiers(1);
        tiers.markDead(4, 1, 10, []);
        tiers.succeed(4, 6);
        tiers.succeed(6, 9);
        tiers.markDead(4, 2, 20, []);
        expect([...tiers.deadRowids(9, 20)]).toEqual([2n]);
        expect([tiers.isDead(4, 1), tiers.isDead(4, 2), tiers.isDead(6, 2), tiers.isDead(6, 1)]).toEqual([
            true,
            true,
            true,
            false,
        ]);
    });
});

test('names of objects hold any name of a table, and give the ids back', () => {
    const table = {...makeTable({tableId: 12, name: 'Größe/../x y', columns: []}), schema: 'my-schema'};
    const name = segmentObjectName(table, 34);
    expect(name).toBe('my=2dschema/Gr=c3=b6=c3=9fe=2f=2e=2e=2fx=20y/12/34.parquet');
    expect(parseSegmentObjectName(name)).toEqual({tableId: 12, segmentId: 34});
    expect(parseSegmentObjectName('a/b/c/d.parquet')).toBeUndefined();
    expect(segmentObjectName({...table, name: 'é'.repeat(31)}, 1).length).toBeLessThan(200);
});
