/** Real drivers against a running server: node-postgres and postgres.js, as applications use them. */
import {Pool} from 'pg';
import postgres from 'postgres';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {startTidewire} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';
import type {Client, QueryResult} from 'pg';
import type {TidewireServer} from '../support/tidewire.ts';

let server: TidewireServer;

beforeAll(async () => {
    server = await startTidewire();
    const client = await server.connect();
    await client.execute(
        'create table notes (id serial primary key, title text not null, meta jsonb, made timestamptz)',
    );
}, 120_000);

afterAll(() => server?.remove());

describe('node-postgres', () => {
    let client: Client;

    beforeAll(async () => {
        client = await server.connectPg();
    });

    afterAll(() => client?.end());

    test('parameters get their types from the statement', async () => {
        const made = new Date('2024-01-02T03:04:05.678Z');
        const {rows} = await client.query('insert into notes (title, meta, made) values ($1, $2, $3) returning *', [
            'first',
            {tags: ['a', 1]},
            made,
        ]);
        expect(rows[0]).toMatchObject({title: 'first', meta: {tags: ['a', 1]}, made});
    });

    test('a named statement runs again and again', async () => {
        const find = (id: number): Promise<QueryResult> =>
            client.query({name: 'find', text: 'select title from notes where id = $1', values: [id]});
        expect((await find(1)).rows).toEqual([{title: 'first'}]);
        expect((await find(99)).rows).toEqual([]);
    });

    test('an error leaves the connection usable', async () => {
        await expect(client.query('select * from missing')).rejects.toMatchObject({code: '42P01'});
        expect((await client.query('select 1 as one')).rows).toEqual([{one: 1}]);
    });

    test('a transaction rolls back', async () => {
        await client.query('begin');
        await client.query("insert into notes (title) values ('gone')");
        await client.query('rollback');
        expect((await client.query("select count(*)::int as n from notes where title = 'gone'")).rows).toEqual([
            {n: 0},
        ]);
    });

    test('a pool serves many at once', async () => {
        const pool = new Pool({
            host: '127.0.0.1',
            port: server.port,
            user: 'tidewire',
            database: 'tidewire',
            max: 5,
        });
        const answers = await Promise.all(
            Array.from({length: 50}, (_, n) => pool.query('select $1::int + 1 as n', [n])),
        );
        expect(answers.map(({rows}) => (rows[0] as {n: number}).n)).toEqual(Array.from({length: 50}, (_, n) => n + 1));
        await pool.end();
    });

    test('notifications arrive in order', async () => {
        const received: string[] = [];
        client.on('notification', ({payload}) => received.push(payload ?? ''));
        await client.query('listen news');
        await client.query("begin; notify news, 'a'; notify news, 'b'; commit");
        await waitUntil('two notifications', 5000, () => received.length === 2);
        expect(received).toEqual(['a', 'b']);
    });
});

describe('postgres.js', () => {
    let sql: postgres.Sql;

    beforeAll(() => {
        sql = postgres({host: '127.0.0.1', port: server.port, user: 'tidewire', database: 'tidewire', max: 2});
    });

    afterAll(() => sql?.end());

    test('templates, arrays and transactions', async () => {
        const rows = await sql.begin(async (transaction) => {
            await transaction`insert into notes ${transaction([{title: 'p1'}, {title: 'p2'}])}`;
            return transaction`select title from notes where title in ${transaction(['p1', 'p2'])} order by title`;
        });
        expect([...rows]).toEqual([{title: 'p1'}, {title: 'p2'}]);
    });

    test('a cursor reads in portions', async () => {
        const portions: number[] = [];
        await sql`select g from generate_series(1, 25) g`.cursor(10, (rows) => {
            portions.push(rows.length);
        });
        expect(portions).toEqual([10, 10, 5]);
    });
});
