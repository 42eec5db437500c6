/** The harness itself: PostgreSQL starts, takes the data sets and answers as PGlite does. */
import {afterAll, beforeAll, expect, test} from 'vitest';
import {chunksOf, DATASETS, firstRows} from './datasets.ts';
import {compareOutcomes} from './outcome.ts';
import {PgliteOracle} from './pglite.ts';
import {startPostgres} from './postgres.ts';
import type {PostgresServer} from './postgres.ts';
import type {WireClient} from './wire-client.ts';

let postgres: PostgresServer;
let client: WireClient;
let pglite: PgliteOracle;

beforeAll(async () => {
    [postgres, pglite] = await Promise.all([startPostgres(), PgliteOracle.start()]);
    client = await postgres.connect();
});

afterAll(async () => {
    await client?.close();
    await postgres?.stop();
    await pglite?.close();
});

test.each(Object.values(DATASETS))('the data set $name loads whole', async ({createTable, copy, csv, rowCount}) => {
    await client.execute(createTable);
    const outcome = await client.copyIn(copy, chunksOf(csv()));
    expect(outcome).toMatchObject({tag: `COPY ${rowCount}`, sqlstate: undefined});
});

test('firstRows cuts after the header and the rows asked for', () => {
    expect(firstRows(Buffer.from('a\n1\n2\n3\n'), 2).toString()).toBe('a\n1\n2\n');
    expect(firstRows(Buffer.from('a\n1\n'), 9).toString()).toBe('a\n1\n');
});

test('psql runs against the cluster', async () => {
    expect(await postgres.psql(['-Atc', 'select 1 + 1'])).toBe('2\n');
});

test.each([
    'select 1 as one, null::text',
    "select 'x'::int",
    'select 1/0',
    'create table t (id int)',
    'values (1), (2)',
])('PostgreSQL and PGlite give the same outcome of "%s"', async (sql) => {
    const difference = compareOutcomes(await client.run(sql), await pglite.run(sql), {
        ordered: true,
        approximate: false,
    });
    expect(difference).toBeUndefined();
});

test('differences are told in words', async () => {
    const compare = async (left: string, right: string): Promise<string | undefined> =>
        compareOutcomes(await client.run(left), await pglite.run(right), {ordered: false, approximate: false});
    expect(await compare('select 1 as a', 'select 2 as a')).toBe('row 1: ["1"] instead of ["2"]');
    expect(await compare('select 1 as a', 'select 1 as b')).toBe('columns a:23 instead of b:23');
    expect(await compare('select 1', 'select 1/0')).toContain('instead of 22012');
    expect(await compare('values (1), (2)', 'values (2), (1)')).toBeUndefined();
});
