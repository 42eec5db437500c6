/**
 * INSERT … ON CONFLICT DO UPDATE from many sessions at a time: no update is lost and no key is refused, whether the SET
 * is compiled or evaluated by PostgreSQL, on hot rows and on cold ones.
 */
import {afterAll, beforeAll, expect, test} from 'vitest';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';

const SESSIONS = 6;
const ROUNDS = 25;
const KEYS = 4;

let server: TidewireServer;

beforeAll(async () => {
    server = await startTidewire();
}, 60_000);

afterAll(() => server?.remove());

test.each([
    {how: 'compiled', add: 'tally.n + excluded.n'},
    {how: 'evaluated by PostgreSQL', add: 'tally.n + (select count(*)::int from one) * excluded.n'},
])(
    'counts by an upsert that is $how lose nothing',
    async ({add}) => {
        const admin = await server.connect();
        await admin.execute('drop table if exists tally, one');
        await admin.execute(
            'create table tally (k text primary key, n integer not null); create table one (x integer)',
        );
        await admin.execute('insert into one values (1)');
        const errors: (string | undefined)[] = [];
        const count = async (session: number): Promise<void> => {
            const client = await server.connect();
            for (let round = 0; round < ROUNDS; round++) {
                const key = `k${(session + round) % KEYS}`;
                const sql = `insert into tally values ('${key}', 1) on conflict (k) do update set n = ${add} returning n`;
                const {sqlstate, message, rows} = await client.run(sql);
                if (sqlstate !== undefined || rows.length !== 1) errors.push(message ?? `${rows.length} rows`);
            }
            await client.close();
        };
        let done = false;
        const flush = async (): Promise<void> => {
            while (!done) {
                await admin.run(`call system.flush('tally')`);
                await new Promise((resolve) => setTimeout(resolve, 20));
            }
        };
        const flushing = flush();
        await Promise.all(Array.from({length: SESSIONS}, (_, session) => count(session)));
        done = true;
        await flushing;
        expect(errors).toEqual([]);
        expect(await admin.rows('select sum(n), count(*) from tally')).toEqual([
            [String(SESSIONS * ROUNDS), String(KEYS)],
        ]);
        await admin.close();
    },
    60_000,
);
