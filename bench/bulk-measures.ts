/** Much data in one statement: COPY in, a large result to psql, aggregates, and the memory left in use at the end. */
import {readFileSync} from 'node:fs';
import {runToEnd} from '../tests/support/child.ts';
import {chunksOf, DATASETS} from '../tests/support/datasets.ts';
import {requirePostgresProgram} from '../tests/support/debian-programs.ts';
import type {Measure} from './measure.ts';
import type {Target} from './target.ts';

const RESULT_ROWS = 1_000_000;
const AGGREGATE_ROWS = 3_000_000;
const COPY_TIMES = 5;

export const BULK_MEASURES: readonly Measure[] = [
    {
        name: 'copy-in',
        unit: 'rows/s',
        better: 'higher',
        prepare: (target) => execute(target, `drop table if exists flights; ${DATASETS.flights.createTable}`),
        run: async (target) => {
            const client = await target.connect();
            await client.execute('truncate flights');
            const csv = DATASETS.flights.csv();
            const startMs = performance.now();
            for (let time = 0; time < COPY_TIMES; time++) {
                const {sqlstate, message} = await client.copyIn(DATASETS.flights.copy, chunksOf(csv));
                if (sqlstate !== undefined) throw new Error(`${sqlstate} ${message}`);
            }
            const seconds = (performance.now() - startMs) / 1000;
            await client.close();
            return (COPY_TIMES * DATASETS.flights.rowCount) / seconds;
        },
    },
    {
        name: 'result-1M',
        unit: 's',
        better: 'lower',
        prepare: (target) => makeNumbers(target, 'bench_result', RESULT_ROWS),
        run: (target) => psqlSeconds(target, 'select * from bench_result'),
    },
    {
        name: 'aggregate-3M',
        unit: 's',
        better: 'lower',
        prepare: (target) => makeNumbers(target, 'bench_aggregate', AGGREGATE_ROWS),
        run: (target) =>
            psqlSeconds(
                target,
                'select bucket, count(*), sum(value), avg(value), max(note) from bench_aggregate group by bucket',
            ),
    },
    {
        name: 'memory-at-rest',
        unit: 'MB',
        better: 'lower',
        prepare: async () => {},
        run: async ({pid}) => proportionalBytes(pid) / 2 ** 20,
    },
];

async function execute(target: Target, sql: string): Promise<void> {
    const client = await target.connect();
    await client.execute(sql);
    await client.close();
}

async function makeNumbers(target: Target, table: string, rows: number): Promise<void> {
    const client = await target.connect();
    await client.execute(`drop table if exists ${table};
        create table ${table} (id bigint primary key, bucket integer, value integer, note text)`);
    const {sqlstate, message} = await client.copyIn(`copy ${table} from stdin`, numberChunks(rows));
    await client.close();
    if (sqlstate !== undefined) throw new Error(`${sqlstate} ${message}`);
}

/** COPY's text format, some thousand rows a chunk. */
function* numberChunks(rows: number): Generator<Buffer> {
    let text = '';
    for (let id = 1; id <= rows; id++) {
        text += `${id}\t${id % 100}\t${(id * 7919) % 1_000_003}\tnote ${id % 1000}\n`;
        if (text.length > 60_000) {
            yield Buffer.from(text);
            text = '';
        }
    }
    yield Buffer.from(text);
}

/** One psql from start to end, its output thrown away. */
async function psqlSeconds(target: Target, sql: string): Promise<number> {
    const psql = requirePostgresProgram('psql');
    const connection = ['-h', '127.0.0.1', '-p', String(target.port), '-U', target.user, '-d', target.database];
    const startMs = performance.now();
    await runToEnd(psql, ['-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...connection, '-o', '/dev/null', '-c', sql]);
    return (performance.now() - startMs) / 1000;
}

/** Memory of a process and its children, shared pages counted once (Pss of /proc, Linux only). */
function proportionalBytes(pid: number): number {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const kilobytes = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return kilobytes * 1024 + children.map(Number).reduce((sum, child) => sum + proportionalBytes(child), 0);
}
