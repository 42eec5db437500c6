/**
 * The process dies while DDL commits. After the restart the statement, or the whole transaction, has happened or it has
 * not: catalog, rows and the twin tell the same story, and the server goes on as PostgreSQL would.
 */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {PgliteOracle} from '../support/pglite.ts';
import {startTidewire} from '../support/tidewire.ts';
import type {FaultPoint} from '../../src/config/fault-points.ts';
import type {Answerer, Row} from '../support/outcome.ts';
import type {TidewireServer} from '../support/tidewire.ts';

interface CrashCase {
    readonly name: string;
    /** One statement, or one transaction. `t` is a table that nobody else uses. */
    readonly sql: (t: string) => string;
}

const CREATE: CrashCase = {
    name: 'CREATE TABLE',
    sql: (t) =>
        `create table ${t}_new (id integer generated always as identity primary key, v text unique check (v <> ''))`,
};
const ADD_COLUMN: CrashCase = {
    name: 'ALTER TABLE … ADD COLUMN',
    sql: (t) => `alter table ${t} add column more integer not null default 7`,
};
const REWRITE: CrashCase = {
    name: 'ALTER TABLE that rewrites rows',
    sql: (t) => `alter table ${t} alter column v type text using 'v' || v`,
};
const CREATE_INDEX: CrashCase = {name: 'CREATE INDEX', sql: (t) => `create unique index ${t}_w on ${t} (w)`};
const DROP: CrashCase = {name: 'DROP TABLE', sql: (t) => `drop table ${t}`};
const TRUNCATE: CrashCase = {name: 'TRUNCATE', sql: (t) => `truncate ${t}`};
const TRANSACTION: CrashCase = {
    name: 'a transaction of DDL and rows',
    sql: (t) => `begin;
        insert into ${t} values (1001, 1001, 'in');
        alter table ${t} rename column w to renamed;
        alter table ${t} alter column v type bigint;
        create table ${t}_copy as select id, renamed from ${t} where id > 98;
        truncate ${t};
        insert into ${t} values (2000, 5000000000, 'after');
        create view ${t}_view as select id, v from ${t};
        alter table ${t}_copy add primary key (id);
        commit`,
};

/** `happens`: what is left when the process dies there. */
const DEATHS: readonly {readonly point: FaultPoint; readonly happens: boolean; readonly cases: readonly CrashCase[]}[] =
    [
        {
            point: 'ddl.before-record',
            happens: false,
            cases: [CREATE, ADD_COLUMN, REWRITE, CREATE_INDEX, DROP, TRANSACTION],
        },
        {point: 'ddl.recorded', happens: true, cases: [CREATE, ADD_COLUMN, REWRITE, CREATE_INDEX, DROP, TRANSACTION]},
        // TRUNCATE does not ask the twin, so it has only the points of every commit.
        {point: 'commit.log-synced', happens: true, cases: [TRUNCATE, DROP]},
    ];

/** What PostgreSQL's catalogs say of the tables whose names begin with `t`. */
const CATALOG_QUERIES: readonly ((t: string) => string)[] = [
    (t) => `select relname, relkind, relnatts from pg_class where relname ~ '^${t}' order by 1`,
    (t) => `select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
        where table_name ~ '^${t}' order by table_name, ordinal_position`,
    (t) => `select indexname, indexdef from pg_indexes where tablename ~ '^${t}' order by 1`,
    (t) => `select conname, contype, pg_get_constraintdef(oid) from pg_constraint where conname ~ '^${t}' order by 1`,
    (t) => `select viewname, definition from pg_views where viewname ~ '^${t}' order by 1`,
];

let server: TidewireServer;
let pglite: PgliteOracle;
let tables = 0;

beforeAll(async () => {
    [server, pglite] = await Promise.all([startTidewire(), PgliteOracle.start()]);
}, 120_000);

afterAll(async () => {
    await server?.remove();
    await pglite?.close();
});

describe.each([...DEATHS])('death at $point', ({point, happens, cases}) => {
    test.each([...cases])(
        `$name has ${happens ? 'happened' : 'not happened'}, and the server goes on`,
        async ({sql}) => {
            const t = `t${++tables}_`;
            const setup = `create table ${t} (id integer primary key, v integer not null, w text);
                insert into ${t} select g, g * 2, 'w' || g from generate_series(1, 100) g`;
            await pglite.execute(setup);
            const client = await server.connect();
            await client.execute(setup);
            await client.close();

            await server.restart({fault_point: point});
            const doomed = await server.connect();
            await expect(doomed.execute(sql(t))).rejects.toThrow();
            await server.exited(10_000);
            await server.start({});

            if (happens) await pglite.execute(sql(t));
            const revived = await server.connect();
            expect(await story(revived, t)).toEqual(await story(pglite, t));
            expect(await server.psql(['-c', `\\d ${t}*`, '-c', '\\d'])).not.toMatch(/ERROR|error:/);
            if (!happens) {
                await pglite.execute(sql(t));
                await revived.execute(sql(t));
                expect(await story(revived, t)).toEqual(await story(pglite, t));
            }
            await revived.close();
        },
        60_000,
    );
});

/** The catalog, and the rows of each table that it names. */
async function story(answerer: Answerer, t: string): Promise<Record<string, readonly Row[]>> {
    const told: Record<string, readonly Row[]> = {};
    const ask = async (sql: string): Promise<readonly Row[]> => {
        const {rows, sqlstate, message} = await answerer.run(sql);
        if (sqlstate !== undefined) throw new Error(`${sqlstate} ${message} in: ${sql}`);
        return rows;
    };
    for (const query of CATALOG_QUERIES) told[query('…')] = await ask(query(t));
    const relations = await ask(
        `select relname from pg_class where relname ~ '^${t}' and relkind in ('r', 'v') order by 1`,
    );
    for (const [name] of relations) told[name ?? ''] = await ask(`select * from ${name} order by id`);
    return told;
}
