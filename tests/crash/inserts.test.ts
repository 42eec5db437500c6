/**
 * kill -9 while clients insert: every acknowledged transaction is there exactly once and whole, and what was not
 * acknowledged is there whole or not at all.
 */
import {afterAll, beforeAll, expect, test} from 'vitest';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {WireClient} from '../support/wire-client.ts';

const CLIENTS = 8;
const ROUNDS = 5;
/** From the first insert to the kill. Different in each round, to hit the log in different states. */
const ROUND_MS = [150, 400, 40, 700, 250] as const;

let server: TidewireServer;
let nextId = 0;
const acknowledged = new Set<number>();

beforeAll(async () => {
    server = await startTidewire();
    const client = await server.connect();
    await client.execute('create table journal (id bigint primary key, client int not null, payload text not null)');
    await client.execute('create table mirror (id bigint primary key)');
}, 120_000);

afterAll(() => server?.remove());

test.each(Array.from({length: ROUNDS}, (_, round) => round))(
    'round %i: acknowledged rows survive a kill, transactions are whole',
    async (round) => {
        const clients = await Promise.all(Array.from({length: CLIENTS}, () => server.connect()));
        const inserting = clients.map((client, index) => insertUntilKilled(client, index));
        await new Promise((resolve) => setTimeout(resolve, ROUND_MS[round % ROUND_MS.length]));
        await server.kill9();
        await Promise.all(inserting);
        await server.start();

        const client = await server.connect();
        const present = (await client.rows('select id from journal order by id')).map(([id]) => Number(id));
        const mirrored = (await client.rows('select id from mirror order by id')).map(([id]) => Number(id));
        expect(new Set(present).size, 'no row is there twice').toBe(present.length);
        expect(mirrored, 'both tables of a transaction').toEqual(present);
        const presentIds = new Set(present);
        expect(
            [...acknowledged].filter((id) => !presentIds.has(id)),
            'acknowledged and lost',
        ).toEqual([]);
        expect(
            present.filter((id) => id >= nextId),
            'never sent',
        ).toEqual([]);
        expect(acknowledged.size).toBeGreaterThan(0);
        await client.close();
    },
    60_000,
);

async function insertUntilKilled(client: WireClient, index: number): Promise<void> {
    try {
        for (;;) {
            const id = nextId++;
            const sql = `insert into journal values (${id}, ${index}, repeat('x', ${id % 500})); insert into mirror values (${id})`;
            await client.execute(sql);
            acknowledged.add(id);
        }
    } catch {
        // The kill: the connection is gone, and what was under way stays unacknowledged.
    }
}
