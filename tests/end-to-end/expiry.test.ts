/**
 * Rows of a stream vanish when their time is over, from every path and from disk, and never come back: not by a longer
 * time to live, not by a restart.
 */
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {startTidewire} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {WireClient} from '../support/wire-client.ts';

let server: TidewireServer;
let client: WireClient;

beforeAll(async () => {
    server = await startTidewire();
    client = await server.connect();
    await client.execute(
        `create table st (id integer primary key, v text unique) with (type = 'stream', ttl = '2 seconds')`,
    );
}, 60_000);

afterAll(() => server?.remove());

const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1000));

/** By key, by a unique index, by DuckDB and by PostgreSQL. */
async function found(): Promise<unknown[]> {
    const all: unknown[] = [];
    for (const sql of [
        'select id from st where id = 1',
        `select id from st where v = 'v1'`,
        'select id from st order by id',
        `select format('%s', id) from st order by id`,
    ]) {
        all.push(...(await client.rows(sql)));
    }
    return all;
}

test('expired rows are gone from every path, hot and cold, and their keys are free', async () => {
    await client.execute(`insert into st select g, 'v' || g from generate_series(1, 3) g`);
    await client.execute(`call system.flush('st')`);
    await client.execute(`insert into st values (4, 'v4')`);
    expect(await client.rows('select id from st order by id')).toEqual([['1'], ['2'], ['3'], ['4']]);
    await seconds(2.1);
    expect(await found()).toEqual([]);
    await client.execute(`insert into st values (1, 'v1'), (5, 'v4')`);
    expect(await found()).toEqual([['1'], ['1'], ['1'], ['5'], ['1'], ['5']]);
});

test('more time to live brings nothing back', async () => {
    await seconds(2.1);
    await client.execute(`alter table st set (ttl = '1 hour')`);
    expect(await found()).toEqual([]);
    await client.execute(`insert into st values (7, 'v7')`);
    await client.close();
    await server.restart();
    client = await server.connect();
    expect(await client.rows('select id from st')).toEqual([['7']]);
}, 60_000);

test('less time to live counts at once, and the files go soon', async () => {
    await client.execute(`call system.flush('st')`);
    await client.execute(`alter table st set (ttl = '1 second')`);
    await seconds(1.1);
    expect(await found()).toEqual([]);
    const segments = join(server.dataDirectory, 'segments');
    await waitUntil('files of expired rows are gone', 20_000, () =>
        readdirSync(segments, {recursive: true}).every((name) => !String(name).endsWith('.parquet')),
    );
}, 60_000);
