/** The twin as a PostgreSQL that many sessions share one at a time. */
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {PgError} from '../errors.ts';
import {SystemRelations} from '../system/relations.ts';
import {TestDatabase, sessionOf} from '../test-database.ts';
import {textsOfRow} from './backend-messages.ts';
import {withPresentNames} from './compatibility.ts';

let database: TestDatabase;

beforeAll(async () => {
    database = await TestDatabase.open();
    await database.ddl('CREATE ROLE alice LOGIN');
    await database.ddl('CREATE ROLE boss');
    await database.ddl('GRANT boss TO alice');
    await database.ddl('CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, n numeric)');
});

afterAll(async () => {
    await database.close();
});

describe('a session', () => {
    it('has its own user, role, search path and time zone', async () => {
        const sql = `SELECT current_user, session_user, current_setting('search_path'), extract(timezone FROM '2024-01-01'::timestamptz)::text, current_database()`;
        const alice = {...sessionOf('alice', {search_path: 'x, public', TimeZone: 'Europe/Berlin'}), user: 'boss'};
        expect(await database.rows(sql, alice)).toEqual([['boss', 'alice', 'x, public', '3600', 'tide']]);
        expect(await database.rows(sql)).toEqual([['tidewire', 'tidewire', '"$user", public', '0', 'tide']]);
    });

    it('cannot become another user through set_config', async () => {
        await expect(
            database.rows(`SELECT set_config('session_authorization', 'tidewire', true)`, sessionOf('alice')),
        ).rejects.toMatchObject({code: '42501'});
        await expect(
            database.rows(`SELECT tidewire_set_config('role', 'tidewire', true)`, sessionOf('alice')),
        ).rejects.toMatchObject({code: '42501'});
        expect(await database.rows(`SELECT set_config('app.user', 'x', true)`, sessionOf('alice'))).toEqual([['x']]);
    });

    it('leaves nothing behind for the next', async () => {
        await database.rows(`SET search_path TO nowhere; SET LOCAL TimeZone TO 'Asia/Tokyo'`, sessionOf('alice'));
        expect(await database.rows(`SHOW search_path`)).toEqual([['"$user", public']]);
    });

    it('is told who answers', async () => {
        expect((await database.rows('SELECT version()'))[0]?.[0]).toMatch(/^PostgreSQL 18\.\d+ \(Tidewire 0\.1\.0\) /u);
    });
});

describe('describe', () => {
    it('types parameters and columns', async () => {
        const {parameterTypes, fields} = await database.twin.describe(
            sessionOf('tidewire'),
            'SELECT id, n * $1 AS x FROM t WHERE name = $2 LIMIT $3',
            [],
        );
        expect(parameterTypes).toEqual([1700, 25, 20]);
        const oid = database.catalog.table('public', 't', [])?.oid;
        expect(fields).toEqual([
            {name: 'id', tableOid: oid, attnum: 1, typeOid: 23, typeLength: 4, typmod: -1},
            {name: 'x', tableOid: 0, attnum: 0, typeOid: 1700, typeLength: -1, typmod: -1},
        ]);
    });

    it('gives errors with code, position and hint, and works on after them', async () => {
        const error = await database.twin
            .describe(sessionOf('tidewire'), 'SELECT nam FROM t', [])
            .catch((e: unknown) => e);
        expect(error).toBeInstanceOf(PgError);
        expect(error).toMatchObject({
            code: '42703',
            position: 8,
            hint: 'Perhaps you meant to reference the column "t.name".',
        });
        expect((await database.twin.describe(sessionOf('tidewire'), 'DELETE FROM t', [])).fields).toBeNull();
    });
});

describe('a transaction', () => {
    it('runs statements with parameters in both formats and rolls back', async () => {
        const session = sessionOf('tidewire');
        const result = await database.twin.transaction(
            session,
            async (t) => {
                await t.copyIn('public.t', ['id', 'name'], [Buffer.from('1\ta\n2\tb\n'), Buffer.from('3\tc\n')]);
                await t.copyIn('public.t', ['id', 'name'], [Buffer.from('4\td\n')]);
                return t.execute({
                    sql: 'SELECT id, name, current_user FROM t WHERE id > $1 AND name <> $2 ORDER BY id',
                    parameterTypes: [23, 25],
                    parameters: [
                        {bytes: Buffer.from([0, 0, 0, 1]), format: 1},
                        {bytes: Buffer.from('c'), format: 0},
                    ],
                });
            },
            {commit: false},
        );
        expect(result.rows.map(textsOfRow)).toEqual([
            ['2', 'b', 'tidewire'],
            ['4', 'd', 'tidewire'],
        ]);
        expect(result.tag).toBe('SELECT 2');
        expect(await database.rows('SELECT count(*) FROM t')).toEqual([['0']]);
    });

    it('loads rows for a user who may read but not write', async () => {
        await database.ddl('GRANT SELECT ON t TO alice');
        const rows = await database.twin.transaction(
            sessionOf('alice'),
            async (t) => {
                await t.copyIn('public.t', ['id', 'name'], [Buffer.from('1\ta\n')]);
                return (await t.simple('SELECT name, current_user FROM t')).at(-1)?.rows.map(textsOfRow);
            },
            {commit: false},
        );
        expect(rows).toEqual([['a', 'alice']]);
    });

    it('reports errors of loading and ends cleanly', async () => {
        const load = database.twin.transaction(
            sessionOf('tidewire'),
            (t) => t.copyIn('t', ['id', 'name'], [Buffer.from('1\ta\n1\tb\n')]),
            {commit: false},
        );
        await expect(load).rejects.toMatchObject({
            code: '23505',
            constraint: 't_pkey',
            detail: 'Key (id)=(1) already exists.',
        });
        expect(await database.rows('SELECT 1')).toEqual([['1']]);
    });

    it('is cancelled by its signal; the twin starts again for the next', async () => {
        const controller = new AbortController();
        const reason = new PgError('57014', 'canceling statement due to statement timeout');
        const endless = database.twin.transaction(
            sessionOf('tidewire'),
            (t) => t.simple('SELECT count(*) FROM generate_series(1, 100000000000)'),
            {commit: false, signal: controller.signal},
        );
        endless.catch(() => undefined);
        const behind = database.twin.describe(sessionOf('tidewire'), 'SELECT 1', []);
        const withdrawn = database.twin.describe(sessionOf('tidewire'), 'SELECT 1', [], AbortSignal.abort(reason));
        await expect(withdrawn).rejects.toBe(reason);
        setTimeout(() => controller.abort(reason), 50);
        await expect(endless).rejects.toBe(reason);
        expect((await behind).fields).toHaveLength(1);
        expect(database.twin.restarts).toBe(1);
    });
});

describe('system relations', () => {
    it('show what their providers give, to the statement they were loaded for', async () => {
        const relations = new SystemRelations();
        relations.provide('system.sessions', () => [['7', 'alice', null, '::1', 'idle', null, null, 'SELECT 1', '0']]);
        relations.provide('pg_catalog.pg_stat_activity', (context) => [
            ['5', 'tide', '7', null, '10', context.user, 'psql', '127.0.0.1', ...Array.from({length: 14}, () => null)],
        ]);
        const names = relations.named([
            {schema: 'system', name: 'sessions'},
            {schema: undefined, name: 'pg_stat_activity'},
            {schema: undefined, name: 'sessions'},
        ]);
        expect(names).toEqual(['system.sessions', 'pg_catalog.pg_stat_activity']);
        const alice = sessionOf('alice');
        const rows = await database.twin.transaction(
            alice,
            async (t) => {
                await relations.load(t, names, alice);
                return (
                    await t.simple(`SELECT s.process_id + 1, a.usename, host(client_addr), current_user
                    FROM system.sessions s JOIN pg_stat_activity a ON a.pid = s.process_id`)
                )
                    .at(-1)
                    ?.rows.map(textsOfRow);
            },
            {commit: false},
        );
        expect(rows).toEqual([['8', 'alice', '127.0.0.1', 'alice']]);
        expect(await database.rows('SELECT count(*) FROM system.sessions')).toEqual([['0']]);
    });
});

describe('old names of catalog columns', () => {
    it('are mapped outside of strings and quoted names', () => {
        expect(
            withPresentNames(`SELECT d.daticulocale AS "daticulocale", 'colliculocale' FROM x -- daticulocale`),
        ).toBe(`SELECT d.datlocale AS "daticulocale", 'colliculocale' FROM x -- daticulocale`);
    });
});
