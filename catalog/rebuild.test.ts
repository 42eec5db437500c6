/** Laws of the twin: it follows the DDL log, is rebuilt when it cannot, and never knows what the log does not. */
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {Catalog} from './catalog.ts';
import {PgError} from './errors.ts';
import {planStorage} from './storage-ddl.ts';
import {runStorageDdl} from './ddl/run.ts';
import {TestDatabase, sessionOf} from './test-database.ts';
import {markApplied} from './ddl/apply.ts';
import {systemContext} from './twin/session-context.ts';

let database: TestDatabase;

const STATEMENTS = [
    `CREATE ROLE writer LOGIN PASSWORD 'x'`,
    `CREATE SCHEMA app AUTHORIZATION writer`,
    `CREATE TYPE app.state AS ENUM ('new', 'done')`,
    `CREATE DOMAIN app.price AS numeric(10, 2) CHECK (VALUE >= 0)`,
    `CREATE TABLE app.orders (id bigserial PRIMARY KEY, s app.state DEFAULT 'new', p app.price, note text)
        WITH (type = 'user', flush_policy = 'rows:100')`,
    `ALTER TABLE app.orders ADD COLUMN made timestamptz NOT NULL DEFAULT now()`,
    `ALTER TABLE app.orders DROP COLUMN note`,
    `ALTER TABLE app.orders ADD COLUMN at text DEFAULT 'x'`,
    `CREATE INDEX orders_lower ON app.orders (lower(at)) WHERE p > 1`,
    `CREATE VIEW app.open AS SELECT id, s FROM app.orders WHERE s = 'new'`,
    `ALTER TABLE app.orders RENAME TO purchases`,
    `COMMENT ON TABLE app.purchases IS 'bought'`,
    `CREATE SEQUENCE tickets START 10 INCREMENT 5 CYCLE MAXVALUE 100`,
];

beforeAll(async () => {
    database = await TestDatabase.open();
    // A rolled-back table uses up oids, so that those of a rebuilt twin are others.
    await database.rows('CREATE TABLE public.gone (id serial PRIMARY KEY, t text)');
    for (const sql of STATEMENTS) await database.ddl(sql);
});

afterAll(async () => {
    await database.close();
});

/** All descriptors, without oids and versions. */
function content(catalog: Catalog): unknown {
    const all = [
        ...catalog.tables(),
        ...catalog.views(),
        ...catalog.sequences(),
        ...catalog.userTypes(),
        ...catalog.schemas(),
        ...catalog.roles(),
        ...catalog.storages(),
    ];
    return JSON.parse(
        JSON.stringify(all, (key, value: unknown) => {
            if (key === 'oid' || key === 'arrayOid' || key === 'version') return undefined;
            return typeof value === 'bigint' ? `${value}n` : value;
        }),
    );
}

async function oidsMatch(): Promise<void> {
    for (const {schema, name, oid} of [...database.catalog.tables(), ...database.catalog.views()]) {
        expect(await database.rows(`SELECT '${schema}.${name}'::regclass::oid`)).toEqual([[String(oid)]]);
    }
}

describe('the twin', () => {
    it('is found again after a restart, and nothing is replayed', async () => {
        const before = content(database.catalog);
        await database.reopen();
        expect(content(database.catalog)).toEqual(before);
        await oidsMatch();
        expect(database.reboundCount).toBe(0);
    });

    it('is rebuilt after it was wiped, with equal descriptors and its own oids', async () => {
        const before = content(database.catalog);
        await database.twin.close();
        await rm(join(database.directory, 'twin'), {recursive: true});
        await database.reopen();
        expect(await database.rows(`SELECT obj_description('app.purchases'::regclass)`)).toEqual([['bought']]);
        expect(database.reboundCount).toBe(1);
        expect(content(database.catalog)).toEqual(before);
        await oidsMatch();
        const purchases = database.catalog.table('app', 'purchases', []);
        const state = database.catalog.type('app', 'state', []);
        expect(purchases?.columns[1]?.type.oid).toBe(state?.oid);
        expect(database.catalog.types.get(state?.oid ?? 0)?.labels).toEqual(['new', 'done']);
    });

    it('keeps the value of old rows as it was decided, although now() is another time', async () => {
        const made = database.catalog.table('app', 'purchases', [])?.columns.find((column) => column.name === 'made');
        expect(typeof made?.missing).toBe('bigint');
        expect(made?.defaultSql).toBe('now()');
    });

    it('is not rebuilt twice: the new oids are in the records', async () => {
        await database.reopen();
        await database.rows('SELECT 1');
        expect(database.reboundCount).toBe(1);
    });

    it('rolls back when the record cannot be written', async () => {
        const before = content(database.catalog);
        database.failNextRecord = new PgError('53100', 'disk full');
        await expect(database.ddl('CREATE TABLE lost (a int)')).rejects.toMatchObject({code: '53100'});
        expect(await database.rows(`SELECT to_regclass('lost')`)).toEqual([[null]]);
        expect(content(database.catalog)).toEqual(before);
    });

    it('that missed a commit catches up', async () => {
        // The record was written, then the process died before the twin committed.
        const services = database.services;
        const record = services.record;
        const {runDdl} = await import('./ddl/run.ts');
        const {planDdl} = await import('./ddl/plan.ts');
        const plan = planDdl('CREATE TABLE late (a int)', {scramVerifier: (text) => text});
        if (plan === undefined) throw new Error('DDL');
        const dying = runDdl(
            {
                ...services,
                record: async (change, records) => {
                    await record(change, records);
                    database.twin.interrupt(new Error('the process died'));
                },
            },
            plan,
            sessionOf('tidewire'),
        );
        await dying;
        await database.reopen();
        expect(await database.rows(`SELECT to_regclass('late')`)).toEqual([['late']]);
        expect(database.catalog.table('public', 'late', [])).toBeDefined();
        await oidsMatch();
        expect(database.twin.rebuilds).toBe(0);
    });

    it('that is ahead of the log is rebuilt', async () => {
        await database.twin.transaction(
            systemContext('tidewire'),
            async (t) => {
                await t.simple('CREATE TABLE public.ghost (a int)');
                await markApplied(t, database.catalog.ddlSeq + 1);
            },
            {commit: true},
        );
        const before = content(database.catalog);
        await database.reopen();
        expect(await database.rows(`SELECT to_regclass('ghost')`)).toEqual([[null]]);
        expect(database.twin.rebuilds).toBe(1);
        expect(content(database.catalog)).toEqual(before);
    });

    it('that does not start is rebuilt', async () => {
        await database.twin.close();
        await rm(join(database.directory, 'twin', 'global', 'pg_control'));
        await database.reopen();
        expect(await database.rows(`SELECT to_regclass('late')`)).toEqual([['late']]);
        expect(database.twin.rebuilds).toBe(1);
    });

    it('shows storages as tablespaces without their secrets', async () => {
        const outcome = planStorage(
            {
                kind: 'create storage',
                name: 'cold',
                ifNotExists: false,
                type: 's3',
                options: new Map([
                    ['bucket', 'b'],
                    ['prefix', 'p'],
                    ['secret_access_key', 'hidden'],
                ]),
            },
            {
                known: database.catalog,
                user: 'tidewire',
                superuser: true,
                optionNames: () => ['bucket', 'prefix', 'secret_access_key'],
            },
        );
        await runStorageDdl(database.services, outcome, sessionOf('tidewire'));
        await database.ddl(`ALTER TABLE late SET (storage = 'cold')`);
        const locations = `SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace ORDER BY 1`;
        const expected = [
            ['cold', 's3://b/p'],
            ['local', '/data/segments'],
            ['pg_default', ''],
            ['pg_global', ''],
        ];
        expect(await database.rows(locations)).toEqual(expected);
        await database.reopen();
        expect(await database.rows(locations)).toEqual(expected);
        expect(database.catalog.table('public', 'late', [])?.options.storage).toBe('cold');
        expect(() =>
            planStorage(
                {kind: 'drop storage', name: 'cold', ifExists: false},
                {known: database.catalog, user: 'tidewire', superuser: true, optionNames: () => []},
            ),
        ).toThrow('cannot drop storage "cold" because tables use it');
    });

    it('serialises to the records that were written along the way', () => {
        const written = new Map(database.records);
        const serialised = new Map(database.catalog.serialise().map(({key, value}) => [key, value]));
        expect([...serialised.keys()].sort()).toEqual([...written.keys()].sort());
        const copy = new Catalog();
        copy.restore([...serialised].map(([key, value]) => ({key, value})));
        expect(content(copy)).toEqual(content(database.catalog));
    });
});
