/** pg_dump gives a schema that PostgreSQL takes back. It refuses servers newer than itself, hence the version check. */
import {execFileSync} from 'node:child_process';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {runToEnd} from '../support/child.ts';
import {requirePostgresProgram} from '../support/debian-programs.ts';
import {PgliteOracle} from '../support/pglite.ts';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';

/** The version that the server reports, which is that of its catalog. */
const SERVER_MAJOR = 18;

let server: TidewireServer;
let dumpMajor = 0;

beforeAll(async () => {
    dumpMajor = Number(
        /\d+/.exec(execFileSync(requirePostgresProgram('pg_dump'), ['--version'], {encoding: 'utf8'}))?.[0],
    );
    server = await startTidewire();
}, 120_000);

afterAll(() => server?.remove());

test('pg_dump --schema-only gives statements that PostgreSQL runs, or says that it is older than the server', async () => {
    const client = await server.connect();
    await client.execute(`create table parts (id serial primary key, name text not null unique, price numeric(8, 2) check (price > 0));
        create index parts_price on parts (price); create view cheap as select * from parts where price < 1`);
    const connection = ['-h', '127.0.0.1', '-p', String(server.port), '-U', server.user, '-d', server.database];
    const dump = [...connection, '--schema-only', '--no-owner'];
    if (dumpMajor < SERVER_MAJOR) {
        // The one stated reason: an older pg_dump refuses before it asks for anything.
        const refused = runToEnd(requirePostgresProgram('pg_dump'), dump);
        await expect(refused).rejects.toThrow('server version mismatch');
        return;
    }
    const {stdout} = await runToEnd(requirePostgresProgram('pg_dump'), dump);
    expect(stdout).toContain('CREATE TABLE public.parts');
    const oracle = await PgliteOracle.start();
    await oracle.execute(stdout.replaceAll(/^\\(un)?restrict .*$/gm, ''));
    await oracle.close();
});
