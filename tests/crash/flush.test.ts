/**
 * The process dies at each named point of a flush and of a compaction. After the restart the table is as it was: no
 * row lost, none twice, and the next flush succeeds.
 */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {FAULT_POINTS} from '../../src/config/fault-points.ts';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';

const ROWS = 5000;
const SUM = 'select count(*), count(distinct id), sum(id), sum(value), min(note), max(note) from ledger';

let server: TidewireServer;

beforeAll(async () => {
    server = await startTidewire();
    const client = await server.connect();
    await client.execute('create table ledger (id integer primary key, value integer not null, note text)');
    await client.execute(`insert into ledger select g, g * 2, 'note ' || g % 10 from generate_series(1, ${ROWS}) g`);
    await client.close();
}, 120_000);

afterAll(() => server?.remove());

const POINTS = FAULT_POINTS.filter((point) => point.startsWith('flush.') || point.startsWith('compact.'));

describe.each(POINTS)('death at %s', (point) => {
    test('leaves every row exactly once', async () => {
        const client = await server.connect();
        // Each round has changed cold rows, new hot rows and deleted rows to flush.
        await client.execute(`update ledger set value = value + 1 where id % 3 = 0`);
        await client.execute(`delete from ledger where id % 500 = ${FAULT_POINTS.indexOf(point)}`);
        await client.execute(`insert into ledger select max(id) + 1, 7, 'new' from ledger`);
        const before = await client.rows(SUM);
        await client.close();

        await server.restart({fault_point: point});
        const doomed = await server.connect();
        const command = point.startsWith('compact.')
            ? `call system.flush('ledger'); call system.compact('ledger')`
            : `call system.flush('ledger')`;
        await expect(doomed.execute(command)).rejects.toThrow();
        await server.exited(10_000);

        await server.start({});
        const revived = await server.connect();
        expect(await revived.rows(SUM)).toEqual(before);
        await revived.execute(`call system.flush('ledger')`);
        expect(await revived.rows(SUM)).toEqual(before);
        await revived.close();
    }, 60_000);
});
