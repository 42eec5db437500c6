/**
 * The whole story on one server: load, flush, change hot and cold rows, query both together, follow the changes live,
 * restart. After each step the tables equal those of PostgreSQL after the same statements.
 */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {chunksOf, DATASETS} from '../support/datasets.ts';
import {compareOutcomes} from '../support/outcome.ts';
import {PgliteOracle} from '../support/pglite.ts';
import {startTidewire} from '../support/tidewire.ts';
import {liveRowsOf, replay} from '../support/live-replay.ts';
import {waitUntil} from '../support/wait.ts';
import type {LiveEvent, LiveRows} from '../support/live-replay.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {WireClient} from '../support/wire-client.ts';

const AGGREGATES = [
    'select count(*), sum(delay), sum(distance), min(id), max(id), avg(delay) from flights',
    'select distance / 250 as band, count(*), min(delay), max(delay), sum(delay) from flights group by band order by band',
    'select delay > 30 as late, count(*), sum(distance) from flights group by late order by late',
    'select id, delay, distance from flights order by delay desc, distance, id limit 20',
    'select count(*), count(county), min(city), max(city), sum(latitude), avg(longitude) from zipcodes',
    'select state, count(*), min(zip_code), max(latitude) from zipcodes group by state order by state',
    "select zip_code, city, county from zipcodes where city like 'San %' order by zip_code limit 50",
    'select z.state, count(*) from zipcodes z join airports a on a.state = z.state and a.city = z.city group by z.state order by 1',
    'select state, rank() over (order by count(*) desc, state) as r from zipcodes group by state order by r limit 10',
];

/** 1,000 changes of rows that were flushed, and of rows inserted since; ids of the data set go to 200,000. */
const CHANGES: readonly string[] = Array.from({length: 1000}, (_, index) => changeOf(index));

let server: TidewireServer;
let client: WireClient;
let pglite: PgliteOracle;

beforeAll(async () => {
    [server, pglite] = await Promise.all([startTidewire(), PgliteOracle.start()]);
    client = await server.connect({timezone: 'UTC'});
}, 120_000);

afterAll(async () => {
    await server?.remove();
    await pglite?.close();
});

describe('load', () => {
    test('200,000 flights go in by COPY from a driver', async () => {
        const {createTable, copy, csv} = DATASETS.flights;
        await client.execute(createTable);
        const outcome = await client.copyIn(copy, chunksOf(csv()));
        expect(outcome).toMatchObject({tag: 'COPY 200000', sqlstate: undefined});
        await loadOracle('flights');
    }, 120_000);

    test("all zip codes go in by psql's \\copy", async () => {
        const {createTable, csv, name} = DATASETS.zipcodes;
        const path = join(server.dataDirectory, '..', 'zipcodes.csv');
        writeFileSync(path, csv());
        const script = ['-v', 'ON_ERROR_STOP=1', '-c', createTable];
        const output = await server.psql([
            ...script,
            '-c',
            `\\copy ${name} from '${path}' with (format csv, header true)`,
        ]);
        expect(output).toContain('COPY 42049');
        await loadOracle('zipcodes');
    }, 120_000);

    test('the airports go in by a driver', async () => {
        await client.execute(DATASETS.airports.createTable);
        await client.copyIn(DATASETS.airports.copy, chunksOf(DATASETS.airports.csv()));
        await loadOracle('airports');
    });

    test.each(AGGREGATES)('hot: %s', expectSame);
});

describe('flush', () => {
    test.each(['flights', 'zipcodes'])('all rows of %s go to segments', async (table) => {
        await client.execute(`call system.flush('${table}')`);
    });

    test.each(AGGREGATES)('cold: %s', expectSame);
});

describe('change', () => {
    const WATCHED = 'SELECT id, delay FROM flights WHERE distance >= 1500';
    let listener: WireClient;
    let before: LiveRows;

    test('1,000 changes of flushed and of hot rows give the same tags and rows', async () => {
        listener = await server.connect();
        before = liveRowsOf(await client.rows(WATCHED));
        await listener.execute(`listen "${WATCHED}"`);
        for (const sql of CHANGES) {
            const [expected, actual] = [await pglite.run(sql), await client.run(sql)];
            expect(compareOutcomes(actual, expected, {ordered: false, approximate: false}), sql).toBeUndefined();
        }
    }, 120_000);

    test.each(AGGREGATES)('hot and cold: %s', expectSame);

    test('the live query told of every committed change once and in order', async () => {
        const after = liveRowsOf(await client.rows(WATCHED));
        const events = (): LiveEvent[] =>
            listener.notifications
                .filter(({channel}) => channel === WATCHED)
                .map(({payload}) => JSON.parse(payload) as LiveEvent);
        await waitUntil('the last event', 10_000, () => isDeepStrictEqual(replay(before, events()), after));
    });
});

describe('restart', () => {
    test('a clean stop and start keep everything', async () => {
        await client.close();
        await server.restart();
        client = await server.connect({timezone: 'UTC'});
    }, 60_000);

    test.each(AGGREGATES)('restarted: %s', expectSame);

    test('kill -9 and start keep everything', async () => {
        await server.kill9();
        await server.start();
        client = await server.connect({timezone: 'UTC'});
    }, 60_000);

    test.each(AGGREGATES)('after kill -9: %s', expectSame);
});

async function loadOracle(name: 'flights' | 'zipcodes' | 'airports'): Promise<void> {
    const {createTable, copy, csv} = DATASETS[name];
    await pglite.execute(createTable);
    await pglite.copyIn(copy.replace('from stdin', "from '/dev/blob'"), csv());
}

async function expectSame(sql: string): Promise<void> {
    const [expected, actual] = [await pglite.run(sql), await client.run(sql)];
    const options = {ordered: sql.includes('order by'), approximate: false};
    expect(compareOutcomes(actual, expected, options)).toBeUndefined();
}

function changeOf(index: number): string {
    const id = (index * 7919) % 200_000;
    const inserted = 200_001 + index;
    switch (index % 5) {
        case 0:
            return `insert into flights (delay, distance, "time") values (${index}, ${index * 3}, ${index % 24}.25) returning id`;
        case 1:
            return `update flights set delay = delay + 1 where id = ${id} returning id, delay, distance`;
        case 2:
            return `delete from flights where id = ${id} returning *`;
        case 3:
            return `update flights set distance = distance + 10 where id between ${inserted - 600} and ${inserted - 590}`;
        default:
            return `delete from flights where id = ${200_000 + Math.floor(index / 10)}`;
    }
}
