/**
 * psql's own commands print on Tidewire what they print on PostgreSQL. Both have the same roles and tables; only what
 * names the server itself is left out.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {runPsql, startPostgres} from '../support/postgres.ts';
import {startTidewire} from '../support/tidewire.ts';
import type {PostgresServer} from '../support/postgres.ts';
import type {TidewireServer} from '../support/tidewire.ts';

const SCHEMA = `
    create schema sales;
    create type mood as enum ('sad', 'ok', 'happy');
    create domain email as text check (value like '%@%');
    create table people (id integer primary key, name text not null, email email unique, salary numeric(10, 2) default 0
        check (salary >= 0), mood mood, born date, tags text[] default '{}');
    create index people_name on people (name, born desc);
    create index people_lower on people (lower(name)) where salary > 0;
    create table sales.orders (id bigint generated always as identity primary key, person integer, item varchar(20),
        placed timestamptz default now());
    create view rich as select id, name from people where salary > 1000;
    create sequence counter start 5 increment 2;
    comment on table people is 'who';
    comment on column people.name is 'what they are called';
    insert into people (id, name, email, salary, mood, born) values (1, 'Ada', 'a@x', 2000.50, 'happy', '1990-01-01'),
        (2, 'Bob', null, 10, null, null);
    insert into sales.orders (person, item, placed) values (1, 'pen', '2024-01-01 10:00:00+00');
`;

const COMMANDS: readonly (readonly string[])[] = [
    ['\\d'],
    ['\\dt'],
    ['\\dt *.orders'],
    ['\\d people'],
    ['\\d+ people_name'],
    ['\\d sales.orders'],
    ['\\d rich'],
    ['\\d+ rich'],
    ['\\d counter'],
    ['\\di'],
    ['\\ds'],
    ['\\dv'],
    ['\\dn'],
    ['\\dT'],
    ['\\dT+ mood'],
    ['\\dD'],
    ['\\df'],
    ['\\dd'],
    ['\\dp people'],
    ['\\du tidewire'],
    ['\\dt missing'],
    ['\\d missing'],
    ['\\sv rich'],
    ['\\encoding'],
    ['\\x', 'select * from people order by id;'],
    ['\\pset null NULL', '\\pset format csv', 'select * from people order by id;'],
    ['\\pset format html', 'select id, name from people order by id;'],
    ['\\t', '\\a', 'select id, name from people order by id;'],
    ['select id, name as who from people where id = 1 \\gset', '\\echo :who :id'],
    ['select id, name, salary, tags, mood from people \\gdesc'],
    ["select 'select ' || id from people order by id \\gexec"],
    ['select id, name, count(*) from people group by id, name order by id \\crosstabview'],
    ['select name from people order by id \\g (format=unaligned)'],
    ['\\copy people (id, name) to stdout with (format csv, header)'],
    ['copy (select id, name from people order by id) to stdout;'],
    ['\\set ON_ERROR_ROLLBACK on', 'begin; select 1/0; select 2; commit;'],
    ['begin; select 1; commit; select 2;'],
    ['\\set FETCH_COUNT 1', 'select id, name from people order by id;'],
    [
        '\\set VERBOSITY verbose',
        '\\set SHOW_CONTEXT never',
        "insert into people (id, name) values (3, 'x') returning id;",
    ],
    ["insert into people (id, name) values (1, 'x');"],
    ['select missing from people;'],
    ['selec 1;'],
    ['select 1 +', '\\r', 'select 2;'],
];

/** Where the output is meant to differ: what becomes of PostgreSQL's, and why. */
const NAMED_DIFFERENCES: ReadonlyMap<string, (output: string) => string> = new Map([
    // PostgreSQL 18 leaves out the table's name where there is one table only; 15 to 17 may be the ones to compare with.
    ['\\d+ rich', withoutQualifiers],
    ['\\sv rich', withoutQualifiers],
    // The schema of Tidewire's own relations and procedures.
    ['\\dn', (output) => output.replace('(2 rows)', ' system | tidewire\n(3 rows)')],
]);

function withoutQualifiers(output: string): string {
    return output.replaceAll('people.', '');
}

let directory: string;
let postgres: PostgresServer;
let tidewire: TidewireServer;

beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tidewire-psql-'));
    [postgres, tidewire] = await Promise.all([startPostgres(), startTidewire()]);
    await postgres.psql([
        '-c',
        'create role tidewire superuser createrole createdb replication bypassrls login',
        '-c',
        'create database tidewire owner tidewire',
    ]);
    await run(postgres.port, [SCHEMA]);
    await run(tidewire.port, [SCHEMA]);
}, 120_000);

afterAll(async () => {
    await postgres?.stop();
    await tidewire?.remove();
    rmSync(directory, {recursive: true, force: true});
});

test.each(COMMANDS.map((commands) => ({title: commands.join(' ; '), commands})))('$title', async ({commands}) => {
    const expected = await run(postgres.port, commands);
    const rewrite = NAMED_DIFFERENCES.get(commands.join());
    expect(await run(tidewire.port, commands)).toBe(rewrite?.(expected) ?? expected);
});

test.each([['\\l'], ['\\conninfo'], ['\\db+'], ['\\dx'], ['\\dconfig work_mem'], ['\\dt+'], ['\\di+'], ['\\du']])(
    '%s answers without an error',
    async (command) => {
        expect(await run(tidewire.port, [command])).not.toMatch(/ERROR|error:/);
    },
);

/** Runs a script of psql commands, one a line. All of them run, and errors are part of the output. */
async function run(port: number, commands: readonly string[]): Promise<string> {
    const script = join(directory, 'script.sql');
    writeFileSync(script, `${commands.join('\n')}\n`);
    return runPsql(port, 'tidewire', 'tidewire', ['-f', script]);
}
