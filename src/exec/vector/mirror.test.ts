import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {Datum} from '../../../catalog/types/datum.ts';
import {Fixture, tableDescriptor} from './testing/fixture.ts';
import type {TableInput} from './table-input.ts';

const T = tableDescriptor(1, 't', [
    {name: 'id', oid: 23},
    {name: 'v', oid: 25},
    {name: 'n', oid: 1700, typmod: ((10 << 16) | 2) + 4},
]);

let fixture: Fixture;

beforeEach(async () => {
    fixture = await Fixture.open(1000);
    fixture.tables.push(T);
});

afterEach(async () => {
    await fixture.close();
});

function input(part: Partial<TableInput>): TableInput {
    return {table: T, segments: [], owner: undefined, updatedNsMin: undefined, overlay: undefined, ...part};
}

function insert(rowid: number, value = `v${rowid}`, owner = 0): void {
    fixture.store.commit(T, [{rowid, values: [rowid, value, '1.50'], owner}]);
}

const ALL = 'select id, v from t order by id';

describe('the mirror', () => {
    test('a query sees every change committed before it, whether the mirror was built before or after', async () => {
        insert(1);
        expect(await fixture.texts(ALL)).toEqual([['1', 'v1']]);
        insert(2);
        fixture.store.commit(T, [
            {rowid: 1, values: [1, 'changed', null]},
            {rowid: 3, values: [3, 'x', null]},
        ]);
        fixture.store.commit(T, [{rowid: 3, values: undefined}]);
        expect(await fixture.texts(ALL)).toEqual([
            ['1', 'changed'],
            ['2', 'v2'],
        ]);
        expect(fixture.store.scans).toBe(1);
    });

    test('random histories leave the mirror equal to the store', async () => {
        let seed = 7;
        const random = (below: number): number => {
            seed = (seed * 1103515245 + 12345) & 0x7fffffff;
            return seed % below;
        };
        for (let round = 0; round < 12; round++) {
            for (let step = 0; step < 60; step++) {
                const rowid = random(40);
                const values: Datum[] | undefined = random(3) === 0 ? undefined : [rowid, `r${round}s${step}`, null];
                if (values !== undefined || fixture.store.rows.get(1)?.has(rowid) === true) {
                    fixture.store.commit(T, [{rowid, values}]);
                }
            }
            const expected = [...(fixture.store.rows.get(1)?.values() ?? [])]
                .map((version) => version.values.slice(0, 2).map(String))
                .sort((a, b) => Number(a[0]) - Number(b[0]));
            expect(await fixture.texts(ALL)).toEqual(expected);
        }
    });

    test('an open snapshot does not see later changes, flushes or rebuilds', async () => {
        insert(1);
        const {printed} = fixture.print('select count(*), max(v) from t');
        const snapshot = await fixture.executor.snapshot([T], () => fixture.pinned());
        insert(2);
        expect(await fixture.texts(ALL)).toHaveLength(2);
        await fixture.executor.exclusively(async () => {
            await fixture.executor.mirror.removeFlushed(1, {rowids: BigInt64Array.of(1n), seqs: BigInt64Array.of(1n)});
        });
        fixture.executor.mirror.invalidate(1);
        await fixture.texts(ALL);
        const chunk = await (await snapshot.run(printed, 'UTC')).fetch();
        expect(chunk?.getRows()).toEqual([[1n, 'v1']]);
        await snapshot.close();
    });

    test('a flush removes exactly the versions it holds', async () => {
        insert(1);
        insert(2);
        await fixture.texts(ALL);
        // Row 1 changed after the flush read it at sequence 1; row 2 is flushed while its insert still waits.
        insert(3);
        fixture.store.commit(T, [{rowid: 1, values: [1, 'newer', null]}]);
        await fixture.executor.exclusively(async () => {
            await fixture.executor.mirror.removeFlushed(1, {
                rowids: BigInt64Array.of(1n, 3n),
                seqs: BigInt64Array.of(1n, 3n),
            });
        });
        expect(await fixture.texts(ALL)).toEqual([
            ['1', 'newer'],
            ['2', 'v2'],
        ]);
    });

    test('changes past the bound drop the mirror, and the next query rebuilds it', async () => {
        insert(1);
        await fixture.texts(ALL);
        fixture.store.commit(
            T,
            Array.from({length: 1500}, (_, index) => ({rowid: index + 10, values: [index + 10, 'bulk', null]})),
        );
        expect(fixture.executor.mirror.statistics()).toEqual({tables: 0, bufferedChanges: 0});
        expect(await fixture.texts('select count(*) from t')).toEqual([['1501']]);
        expect(fixture.store.scans).toBe(2);
    });

    test('half of the bound is drained in the background', async () => {
        insert(1);
        await fixture.texts(ALL);
        fixture.store.commit(
            T,
            Array.from({length: 600}, (_, index) => ({rowid: index + 10, values: [index + 10, 'bulk', null]})),
        );
        await expect.poll(() => fixture.executor.mirror.statistics().bufferedChanges).toBe(0);
        expect(await fixture.texts('select count(*) from t')).toEqual([['601']]);
        expect(fixture.store.scans).toBe(1);
    });

    test('a NaN in a numeric(p,s) column makes queries on that column, and only those, take the reference path', async () => {
        insert(1);
        await fixture.texts(ALL);
        fixture.store.commit(T, [{rowid: 2, values: [2, 'b', 'NaN']}]);
        expect(await fixture.texts(ALL)).toHaveLength(2);
        await expect(fixture.texts('select sum(n) from t')).rejects.toMatchObject({name: 'Unsupported'});
    });

    test('an overlay replaces and hides rows, and the row filter applies to it too', async () => {
        insert(1, 'a', 5);
        insert(2, 'b', 6);
        insert(3, 'c', 5);
        const overlay = () => ({
            hiddenRowids: BigInt64Array.of(1n),
            rows: [
                {rowid: 9, seq: 99, updatedNs: 5n, owner: 5, values: [9, 'mine', null], deleted: false, previous: null},
            ],
        });
        expect(await fixture.texts(ALL, [input({overlay, owner: 5})])).toEqual([
            ['3', 'c'],
            ['9', 'mine'],
        ]);
        const updatedNsMin = 1_700_000_000_000_000_002n;
        expect(await fixture.texts(ALL, [input({updatedNsMin})])).toEqual([
            ['2', 'b'],
            ['3', 'c'],
        ]);
    });

    test('a snapshot older than the mirror asks for the changes to undo', async () => {
        insert(1);
        insert(2);
        await fixture.texts(ALL);
        const {printed} = fixture.print(ALL);
        const snapshot = await fixture.executor.snapshot([T], () => ({...fixture.pinned(), seq: 1}));
        await expect(snapshot.run(printed, 'UTC')).rejects.toMatchObject({name: 'RetryOnReferencePath'});
        await snapshot.close();
    });

    test('a canceled query fails with 57014 and its connection serves the next one', async () => {
        for (let rowid = 1; rowid <= 400; rowid++) insert(rowid);
        const {printed} = fixture.print('select count(*) from t a, t b, t c, t d where a.id + b.id + c.id + d.id = -1');
        const snapshot = await fixture.executor.snapshot([T], () => fixture.pinned());
        const running = snapshot.run(printed, 'UTC').then(async (result) => await result.fetch());
        setTimeout(() => snapshot.cancel(), 50);
        await expect(running).rejects.toMatchObject({code: '57014'});
        await snapshot.close();
        expect(await fixture.texts('select count(*) from t')).toEqual([['400']]);
    });

    test('an error of DuckDB sends the statement to the reference path with what PostgreSQL would likely say', async () => {
        insert(2147483647);
        await expect(fixture.texts('select id + 1 from t')).rejects.toMatchObject({
            name: 'RetryOnReferencePath',
            likely: {code: '22003', message: 'integer out of range'},
        });
        await expect(fixture.texts('select 1 / (id - id) from t')).rejects.toMatchObject({
            name: 'RetryOnReferencePath',
        });
    });
});
