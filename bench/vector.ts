/**
 * The vectorised path by itself: feeding a mirror, a large result, an aggregate over hot rows.
 * Run with `node bench/vector.ts`.
 */
import {DEFAULT_OUTPUT_SETTINGS} from '../catalog/types/settings.ts';
import {writeRows} from '../src/exec/vector/results.ts';
import {Fixture, tableDescriptor} from '../src/exec/vector/testing/fixture.ts';
import {NullWriter} from '../src/exec/vector/testing/row-writers.ts';

const T = tableDescriptor(1, 't', [
    {name: 'id', oid: 23},
    {name: 'b', oid: 20},
    {name: 'x', oid: 25},
    {name: 'f', oid: 701},
]);
const ROWS = Number(process.argv[2] ?? 1_000_000);

const fixture = await Fixture.open(10_000_000);
fixture.tables.push(T);
fixture.store.commit(T, makeRows(0, ROWS));

await measure(`build a mirror of ${ROWS} rows`, ROWS, async () => {
    await fixture.texts('select 1 from t limit 1');
});
const changed = 100_000;
fixture.store.commit(T, makeRows(0, changed));
await measure(`apply ${changed} updates`, changed, async () => {
    await fixture.texts('select 1 from t limit 1');
});
fixture.store.commit(T, makeRows(ROWS, changed));
await measure(`apply ${changed} inserts`, changed, async () => {
    await fixture.texts('select 1 from t limit 1');
});
fixture.store.commit(T, makeRows(5, 1));
await measure('apply one update and read one row', 1, async () => {
    await fixture.texts('select 1 from t limit 1');
});
for (let warm = 0; warm < 3; warm++) await fixture.texts('select x from t where id = 77');
await measure('one row, mirror current', 1, async () => {
    await fixture.texts('select x from t where id = 77');
});
for (const format of [0, 1]) {
    await measure(`${ROWS} rows of 4 columns to a null writer, ${format === 0 ? 'text' : 'binary'}`, ROWS, async () => {
        await drain('select id, b, x, id + 1 from t where id >= 0', format);
    });
}
await measure(`aggregate over ${ROWS} rows`, ROWS, async () => {
    await fixture.texts('select id % 100, count(*), sum(b), avg(f), max(x) from t group by id % 100 order by 1');
});
await fixture.close();

async function drain(sql: string, format: number): Promise<void> {
    const {printed} = fixture.print(sql);
    const snapshot = await fixture.executor.snapshot([T], () => fixture.pinned());
    const result = await snapshot.run(printed, 'UTC');
    const options = {
        plans: printed.columns,
        formats: [format],
        types: fixture.registry,
        settings: DEFAULT_OUTPUT_SETTINGS,
    };
    await writeRows(async () => await result.fetch(), options, new NullWriter().asWriter());
    await snapshot.close();
}

async function measure(name: string, rows: number, work: () => Promise<void>): Promise<void> {
    const start = performance.now();
    await work();
    const ms = performance.now() - start;
    console.log(`${name}: ${ms.toFixed(1)} ms, ${((ms * 1000) / rows).toFixed(3)} µs a row`);
}

function makeRows(first: number, count: number) {
    return Array.from({length: count}, (_, index) => {
        const id = first + index;
        return {rowid: id, values: [id, BigInt(id) * 3n, `value number ${id}`, id / 3]};
    });
}
