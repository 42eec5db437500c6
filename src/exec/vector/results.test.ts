import {afterAll, beforeAll, expect, test} from 'vitest';
import type {Datum} from '../../../catalog/types/datum.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import {writeRows} from './results.ts';
import {Fixture, tableDescriptor} from './testing/fixture.ts';
import {RecordingWriter} from './testing/row-writers.ts';

const OIDS = [16, 21, 23, 20, 700, 701, 25, 17, 2950, 1082, 1083, 1114, 1184, 1186, 3802, 1007, 1266, 1042, 26];
const T = tableDescriptor(1, 't', [
    {name: 'id', oid: 23},
    ...OIDS.map((oid, index) => ({name: `v${index}`, oid})),
    ...[4, 9, 18, 38].map((precision) => ({name: `n${precision}`, oid: 1700, typmod: ((precision << 16) | 2) + 4})),
]);

let fixture: Fixture;
const rowCount = 5000;

beforeAll(async () => {
    fixture = await Fixture.open();
    fixture.tables.push(T);
    const rows = Array.from({length: rowCount}, (_, index) => ({
        rowid: index,
        values: [index, ...randomValues(index)],
    }));
    fixture.store.commit(T, rows);
});

afterAll(async () => {
    await fixture?.close();
});

/** Deterministic values of every column, with NULLs, strings on both sides of DuckDB's inline length, and extremes. */
function randomValues(index: number): Datum[] {
    const word = 'x'.repeat((index * 7) % 40) + (index % 5 === 0 ? 'é漢😀' : '');
    const int64 =
        index % 3 === 0
            ? 9223372036854775807n - BigInt(index)
            : BigInt(index * 1_000_003) * (index % 2 === 0 ? 1n : -1n);
    const values: Datum[] = [
        index % 2 === 0,
        (index % 65536) - 32768,
        index * 400_009 - 2_000_000_000,
        int64,
        Math.fround(index / 7),
        index === 3 ? Number.NaN : index / 7,
        word,
        Buffer.from(word),
        `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
        index === 5 ? Infinity : index - 3000,
        index * 17_279_999,
        index === 6 ? -9223372036854775808n : int64 / 1000n,
        int64 / 10_000n,
        {months: index - 100, days: -index, micros: BigInt(index) * 1_000_001n},
        `{"k": "${word}"}`,
        {dims: [2], lowerBounds: [1], elements: [index, null]},
        {micros: index * 1000, zone: (index % 24) * 3600 - 43200},
        word.slice(0, 5).padEnd(5),
        4_294_967_295 - index,
        `${(index % 99) - 49}.05`,
        `-${index}.10`,
        `1${index}2345678901.99`,
        `${index % 2 === 0 ? '-' : ''}1234567890123456789012345${index}.01`,
    ];
    return values.map((value, column) => ((index + column) % 11 === 0 ? null : value));
}

for (const format of [0, 1]) {
    test(`rows go to the wire in ${format === 0 ? 'text' : 'binary'} as each type prints its values`, async () => {
        const {printed, query} = fixture.print('select * from t order by id');
        const snapshot = await fixture.executor.snapshot([T], () => fixture.pinned());
        const result = await snapshot.run(printed, 'UTC');
        const writer = new RecordingWriter();
        writer.congestedEvery = 512;
        const written = await writeRows(
            async () => await result.fetch(),
            {plans: printed.columns, formats: [format], types: fixture.registry, settings: DEFAULT_OUTPUT_SETTINGS},
            writer.asWriter(),
        );
        await snapshot.close();
        expect(written).toBe(rowCount);
        expect(writer.drains).toBeGreaterThan(5);
        const wrong: string[] = [];
        for (const [index, row] of writer.rows.entries()) {
            const values: Datum[] = [index, ...randomValues(index)];
            for (const [column, value] of values.entries()) {
                const type = fixture.registry.require(query.columns[column]?.type.oid ?? 0);
                const expected =
                    value === null
                        ? null
                        : format === 1
                          ? Buffer.from(type.send(value))
                          : Buffer.from(type.print(value, DEFAULT_OUTPUT_SETTINGS));
                const got = row[column] ?? null;
                const same = got === null || expected === null ? got === expected : got.equals(expected);
                if (!same && wrong.length < 5)
                    wrong.push(
                        `row ${index} column ${column} (${type.name}): ${got?.toString()} for ${expected?.toString()}`,
                    );
            }
        }
        expect(wrong).toEqual([]);
    });
}
