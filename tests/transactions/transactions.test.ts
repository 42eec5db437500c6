/** Sessions that meet: every scenario goes on Tidewire as it goes on PostgreSQL. */
import {afterAll, beforeAll, expect, test} from 'vitest';
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
