/**
 * kill -9 around the commit of DDL: after the next start rows, catalog and PostgreSQL's own view of it agree, and are
 * those from before the transaction or those from after it.
 */
import {afterAll, beforeAll, expect, test} from 'vitest';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';

let server: TidewireServer;

beforeAll(async () => {
    server = await startTidewire();
}, 120_000);

afterAll(() => server?.remove());

/** What PostgreSQL's catalog says of the table's columns, and its rows. */
async function stateOf(table: string): Promise<{columns: unknown; rows: unknown}> {
    const client = await server.connect();
    const columns = await client.rows(
        `select column_name, data_type from information_schema.columns where table_name = '${table}' order by 1`,
    );
    const rows = await client.rows(`select * from ${table} order by 1`);
    await client.close();
    return {columns, rows};
}

const DDL = [
    'begin',
    'alter table crashed alter column n type bigint using n * 10',
    'alter table crashed add column extra serial',
    'create table born (id int primary key)',
    'insert into born values (1)',
    'truncate emptied',
    `insert into emptied values (7)`,
    'update crashed set n = n + 1 where id = 2',
    'commit',
];

test.each(['ddl.before-record', 'some moment of the commit', 'ddl.recorded'] as const)(
    'a kill at %s leaves all of the transaction or nothing',
    async (point) => {
        const client = await server.connect();
        for (const name of ['crashed', 'emptied', 'born']) await client.execute(`drop table if exists ${name}`);
        await client.execute('create table crashed (id int primary key, n int)');
        await client.execute('insert into crashed values (1, 1), (2, 2)');
        await client.execute('create table emptied (id int)');
        await client.execute('insert into emptied values (1), (2)');
        await client.close();
        await server.restart({fault_point: point === 'some moment of the commit' ? '' : point});
        const dying = await server.connect();
        if (point === 'some moment of the commit') {
            for (const sql of DDL.slice(0, -1)) await dying.execute(sql);
            const committing = dying.execute('commit').catch(() => undefined);
            await new Promise((resolve) => setTimeout(resolve, 3));
            await server.kill9();
            await committing;
        } else {
            for (const sql of DDL) await dying.execute(sql).catch(() => undefined);
            await server.exited(10_000);
        }
        await server.start({});
        const crashed = await stateOf('crashed');
        const committed = JSON.stringify(crashed.columns).includes('bigint');
        if (point !== 'some moment of the commit') expect(committed).toBe(point === 'ddl.recorded');
        if (committed) {
            expect(crashed.rows).toEqual([
                ['1', '10', '1'],
                ['2', '21', '2'],
            ]);
            expect((await stateOf('born')).rows).toEqual([['1']]);
            expect((await stateOf('emptied')).rows).toEqual([['7']]);
        } else {
            expect(crashed.rows).toEqual([
                ['1', '1'],
                ['2', '2'],
            ]);
            await expect(stateOf('born')).rejects.toThrow('does not exist');
            expect((await stateOf('emptied')).rows).toEqual([['1'], ['2']]);
        }
        // The twin has caught up: more DDL works, and its results are the same after another start.
        const after = await server.connect();
        await after.execute('alter table crashed add column later text default $$x$$');
        await after.execute('insert into crashed (id, n) values (3, 3)');
        await after.close();
        const before = await stateOf('crashed');
        await server.restart({});
        expect(await stateOf('crashed')).toEqual(before);
    },
    120_000,
);
