/**
 * Sessions that meet: every scenario goes on Tidewire as it goes on PostgreSQL. What this release has not is refused and
 * leaves no transaction behind that is less than was asked for.
 */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {startPostgres} from '../support/postgres.ts';
import {startTidewire} from '../support/tidewire.ts';
import {play} from './play.ts';
import {SCENARIOS} from './scenarios.ts';
import type {PostgresServer} from '../support/postgres.ts';
import type {TidewireServer} from '../support/tidewire.ts';

let postgres: PostgresServer;
let tidewire: TidewireServer;

beforeAll(async () => {
    [postgres, tidewire] = await Promise.all([
        startPostgres({settings: ["deadlock_timeout = '50ms'"]}),
        startTidewire(),
    ]);
}, 120_000);

afterAll(async () => {
    await postgres?.stop();
    await tidewire?.remove();
});

test.each(SCENARIOS)('$name', async (scenario) => {
    const [expected, actual] = await Promise.all([
        play(scenario, () => postgres.connect()),
        play(scenario, () => tidewire.connect()),
    ]);
    expect(actual).toEqual(expected);
});

describe.each(['repeatable read', 'serializable'])('isolation level %s is refused in this release', (level) => {
    const refused = {sqlstate: '0A000', hint: expect.any(String)};

    test.each([
        `begin isolation level ${level}`,
        `start transaction isolation level ${level}, read only`,
        `set default_transaction_isolation = '${level}'`,
        `set session characteristics as transaction isolation level ${level}`,
    ])('%s', async (sql) => {
        const client = await tidewire.connect();
        expect(await client.run(sql)).toMatchObject(refused);
        expect(await client.rows('show transaction_isolation')).toEqual([['read committed']]);
        // No transaction was begun.
        expect(await client.run('savepoint s')).toMatchObject({sqlstate: '25P01'});
        await client.close();
    });

    test.each([`set transaction isolation level ${level}`, `set local transaction_isolation = '${level}'`])(
        'in a block: %s',
        async (sql) => {
            const client = await tidewire.connect();
            await client.execute('begin');
            expect(await client.run(sql)).toMatchObject(refused);
            expect(await client.run('select 1')).toMatchObject({sqlstate: '25P02'});
            expect(await client.run('commit')).toMatchObject({tag: 'ROLLBACK'});
            await client.close();
        },
    );
});
