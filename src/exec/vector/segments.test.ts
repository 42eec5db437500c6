import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {ParquetReader} from '@dsnp/parquetjs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {checksumOf, writeSegment} from '../../../storage/parquet/segment-writer.ts';
import type {WrittenSegment} from '../../../storage/parquet/segment-writer.ts';
import {pruneSegments} from '../../../storage/parquet/pruning.ts';
import {pruningPredicates} from './pruning.ts';
import {segmentColumnSpecs, sqlEngine} from './segments.ts';
import {Fixture, tableDescriptor} from './testing/fixture.ts';
import type {SegmentInput, TableInput} from './table-input.ts';

const T = tableDescriptor(1, 't', [
    {name: 'id', oid: 23},
    {name: 'b', oid: 20},
    {name: 'f', oid: 701},
    {name: 'n', oid: 1700, typmod: ((38 << 16) | 5) + 4},
    {name: 'Text', oid: 25},
    {name: 'text', oid: 25},
    {name: 'd', oid: 1082},
    {name: 'ts', oid: 1114},
    {name: 'tz', oid: 1184},
    {name: 'ok', oid: 16},
    {name: 'u', oid: 2950},
    {name: 'iv', oid: 1186},
    {name: 'y', oid: 17},
    {name: 'tm', oid: 1083},
    {name: 'nn', oid: 1700},
    {name: 'j', oid: 3802},
    {name: 'a', oid: 1007},
    {name: 's', oid: 21},
    {name: 'r', oid: 700},
    {name: 'ttz', oid: 1266},
]);

const ROWS: readonly (readonly (string | null)[])[] = [
    [
        '1',
        '9223372036854775807',
        '1.5',
        '123456789012345678901234567890123.45678',
        'a longer text than twelve bytes',
        'é',
        '2024-01-31',
        '2024-01-31 10:11:12.123456',
        '2024-01-31 10:11:12.123456+00',
        't',
        '00000000-0000-0000-0000-000000000001',
        '1 year 2 mons -3 days +04:05:06.789012',
        '\\x00ff',
        '24:00:00',
        '1.50',
        '{"a": 1}',
        '{{1,2},{3,4}}',
        '-32768',
        '1.5',
        '10:11:12+02',
    ],
    [
        '2',
        '-9223372036854775808',
        '-Infinity',
        '-0.00001',
        '',
        'x',
        'infinity',
        '-infinity',
        'infinity',
        'f',
        'ffffffff-ffff-ffff-ffff-ffffffffffff',
        '-00:00:01.5',
        '\\x',
        '00:00:00',
        'NaN',
        '[]',
        '{}',
        '32767',
        'NaN',
        '00:00:00-15:59',
    ],
    [
        '3',
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
    ],
];

let fixture: Fixture;
let written: WrittenSegment;
let path: string;

beforeAll(async () => {
    fixture = await Fixture.open();
    fixture.tables.push(T);
    fixture.store.commit(
        T,
        ROWS.map((row, index) => ({rowid: index + 1, values: fixture.row(T, row)})),
    );
    path = join(fixture.directory, 'one.parquet');
    await fixture.executor.exclusively(async () => {
        await fixture.executor.mirror.sync([T], fixture.store.seq);
    });
    written = await write('zstd', path, '_rowid > 0');
});

afterAll(async () => {
    await fixture?.close();
});

async function write(compression: 'zstd' | 'snappy', to: string, condition: string): Promise<WrittenSegment> {
    const connection = await fixture.executor.engine.connect();
    const {mirror} = fixture.executor;
    try {
        const source = `SELECT * FROM ${mirror.nameOf(1)} WHERE ${condition}`;
        const specs = segmentColumnSpecs(T, mirror, fixture.codec);
        return await writeSegment(sqlEngine(connection), source, specs, to, {
            compression,
            rowGroupRows: 100_000,
            sortBy: [1],
        });
    } finally {
        connection.closeSync();
    }
}

function cold(segments: readonly SegmentInput[], table = T): TableInput {
    const overlay = () => ({hiddenRowids: new BigInt64Array(0), rows: []});
    return {table, segments, owner: undefined, updatedNsMin: undefined, overlay};
}

function segment(deadRowids = new BigInt64Array(0)): SegmentInput {
    return {segmentId: 7, path, columns: written.columns, deadRowids};
}

describe('a segment', () => {
    test('gives every value of every type back as it was', async () => {
        const columns = T.columns.map(({name}) => `"${name}"`).join(', ');
        const sql = `select ${columns}, _seq from t order by id`;
        const hot = await fixture.texts(sql);
        expect(hot.map((row) => row.slice(0, -1))).toEqual(ROWS);
        const rows = fixture.store.rows.get(1);
        fixture.store.rows.delete(1);
        fixture.executor.mirror.invalidate(1);
        expect(await fixture.texts(sql, [cold([segment()])])).toEqual(hot);
        if (rows !== undefined) fixture.store.rows.set(1, rows);
        fixture.executor.mirror.invalidate(1);
    });

    test('is measured: rows, bytes, checksum, bounds', async () => {
        expect(written).toMatchObject({rows: 3, minSeq: 1, maxSeq: 3, minRowid: 1, maxRowid: 3});
        expect(written.checksum).toBe(await checksumOf(path));
        expect(written.columns[0]).toMatchObject({name: 'id', min: '1', max: '3', nullCount: 0});
        expect(written.columns[1]).toMatchObject({
            min: '-9223372036854775808',
            max: '9223372036854775807',
            nullCount: 1,
        });
        // Infinity bounds would mislead; jsonb has another order than its text.
        expect(written.columns[6]).toMatchObject({name: 'd', min: undefined});
        expect(written.columns[15]).toMatchObject({name: 'j', min: undefined});
        expect(written.columns[5]?.name).toBe('text_6');
    });

    test('dead rows are not read', async () => {
        fixture.executor.mirror.invalidate(1);
        const dead = cold([segment(BigInt64Array.of(2n, 3n))]);
        expect(await fixture.texts('select id from t order by id', [dead])).toEqual([['1'], ['1'], ['2'], ['3']]);
        const many = BigInt64Array.from({length: 5000}, (_, index) => BigInt(index + 2));
        expect(await fixture.texts('select count(*) from t', [cold([segment(many)])])).toEqual([['4']]);
    });

    test('survives renamed, added, dropped and widened columns', async () => {
        const columns = T.columns
            .filter((column) => column.name !== 'b')
            .map((column) =>
                column.name === 'id' ? {...column, name: 'renamed', type: {oid: 20, typmod: -1}} : column,
            );
        const last = T.columns.at(-1);
        if (last === undefined) throw new Error('no columns');
        const now = {
            ...T,
            version: 2,
            columns: [...columns, {...last, attnum: 21, name: 'added', type: {oid: 25, typmod: -1}, missing: 'before'}],
        };
        fixture.tables[0] = now;
        fixture.store.rows.delete(1);
        fixture.executor.mirror.invalidate(1);
        const sql = 'select renamed, "Text", added from t where renamed < 3 order by 1';
        expect(await fixture.texts(sql, [cold([segment()], now)])).toEqual([
            ['1', 'a longer text than twelve bytes', 'before'],
            ['2', '', 'before'],
        ]);
        fixture.tables[0] = T;
    });

    test('is read by another Parquet reader, nanoseconds included', async () => {
        fixture.store.commit(
            T,
            ROWS.map((row, index) => ({rowid: index + 1, values: fixture.row(T, row)})),
        );
        await fixture.texts('select 1 from t');
        const file = join(fixture.directory, 'interop.parquet');
        const simple = await fixture.executor.engine.connect();
        const specs = segmentColumnSpecs(T, fixture.executor.mirror, fixture.codec);
        await writeSegment(sqlEngine(simple), `SELECT * FROM ${fixture.executor.mirror.nameOf(1)}`, specs, file, {
            compression: 'snappy',
            rowGroupRows: 1000,
            sortBy: [1],
        });
        simple.closeSync();
        const reader = await ParquetReader.openFile(file);
        const fields = reader.metadata?.schema.map((element) => [element.name, element.field_id]);
        expect(fields).toContainEqual(['id', 1]);
        expect(fields).toContainEqual(['Text', 5]);
        expect(
            reader.metadata?.schema.find((element) => element.name === '_updated')?.logicalType?.TIMESTAMP?.unit.NANOS,
        ).toBeTruthy();
        const cursor = reader.getCursor();
        const row = (await cursor.next()) as Record<string, unknown>;
        await reader.close();
        expect(row).toMatchObject({
            id: 1,
            f: 1.5,
            Text: 'a longer text than twelve bytes',
            text_6: 'é',
            ok: true,
            j: '{"a": 1}',
            a: '{{1,2},{3,4}}',
            nn: '1.50',
            s: -32768,
        });
        expect(BigInt(String(row['_updated'])) % 1000n).not.toBe(0n);
        expect(row['b']).toBe(9223372036854775807n);
    });

    test('a file that is not what was written fails to open', async () => {
        const bad = join(fixture.directory, 'bad.parquet');
        await writeFile(bad, 'PAR1 nonsense PAR1');
        const broken = cold([{...segment(), path: bad}]);
        await expect(fixture.texts('select id from t', [broken])).rejects.toMatchObject({name: 'RetryOnReferencePath'});
    });
});

test('predicates of the query choose the segments', () => {
    const query = fixture.bind(
        "select * from t where id > 2 and $1 >= b and ts < '2024-01-01' and (f > 1 or id = 1)",
        [20],
    );
    const predicates = pruningPredicates(query, [5n], fixture.codec).get(1);
    expect(predicates).toEqual([
        {attnum: 1, op: '>', value: '2', order: 'integer'},
        {attnum: 2, op: '<=', value: '5', order: 'integer'},
        {attnum: 8, op: '<', value: '1704067200000000', order: 'integer'},
    ]);
    expect(pruneSegments([written], [{attnum: 1, op: '>', value: '3', order: 'integer'}]).prunedCount).toBe(1);
    const outer = fixture.bind('select * from t a left join (select 1 as k) b on true where a.id = 1');
    expect(pruningPredicates(outer, [], fixture.codec).size).toBe(0);
});
