/** Options of tables: spellings, values and errors. */
import {loadModule} from 'libpg-query';
import {beforeAll, describe, expect, it} from 'vitest';
import {nativeSpelling} from './native-spelling.ts';
import {planDdl} from './plan.ts';
import {parseBytes, parseDurationMs} from './quantities.ts';
import {parseFlushPolicy, tableOptions} from './table-options.ts';

beforeAll(async () => {
    await loadModule();
});

describe('quantities', () => {
    it.each([
        ['30 seconds', 30_000],
        ['1 hour 30 minutes', 5_400_000],
        ['1.5s', 1500],
        ['250ms', 250],
        ['2 days', 172_800_000],
        ['1 month', undefined],
        ['soon', undefined],
        ['10', undefined],
    ])('%s', (text, ms) => {
        expect(parseDurationMs(text)).toBe(ms);
    });

    it('sizes are powers of 1024', () => {
        expect([parseBytes('64MB'), parseBytes('10'), parseBytes('1 kB'), parseBytes('x')]).toEqual([
            67_108_864,
            10,
            1024,
            undefined,
        ]);
    });

    it('flush policies join their parts', () => {
        expect(parseFlushPolicy('rows:10000, interval:60,bytes:1GB')).toEqual({
            rows: 10_000,
            intervalMs: 60_000,
            bytes: 1_073_741_824,
        });
        expect(() => parseFlushPolicy('rows:0')).toThrow('invalid value for option "flush_policy"');
        expect(tableOptions(['flush_policy=none', 'fillfactor=70']).flushPolicy).toBeUndefined();
    });
});

describe('spellings', () => {
    const twinSql = (sql: string): string[] =>
        planDdl(sql, {scramVerifier: (text) => text})?.statements.flatMap(({sql, system}) => (system ? [] : [sql])) ??
        [];

    it('leave ordinary statements alone', () => {
        for (const sql of [
            'CREATE TABLE t (a int) WITH (fillfactor=70)',
            'create user table_owner',
            'ALTER TABLE t ADD b int',
        ]) {
            expect(nativeSpelling(sql).sql).toBe(sql);
            expect(twinSql(sql)).toEqual([sql]);
        }
    });

    it('take our options out and keep the rest in its place', () => {
        const sql = `CREATE TABLE t (é int) WITH (type = 'user', fillfactor = 70, compression=zstd) TABLESPACE pg_default`;
        const [edited = ''] = twinSql(sql);
        expect(edited.replaceAll(/ +/gu, ' ').trim()).toBe('CREATE TABLE t (é int) WITH ( fillfactor = 70 )');
        expect(edited.indexOf('fillfactor')).toBe(sql.indexOf('fillfactor'));
        expect(twinSql(`CREATE TABLE t (a int) WITH (type=user, ttl='1s')`)[0]?.trim()).toBe('CREATE TABLE t (a int)');
    });

    it('keep the other commands of an ALTER TABLE', () => {
        const sql = `ALTER TABLE t ADD a int, SET (ttl = '1s'), DROP b`;
        expect(twinSql(sql).at(-1)?.replaceAll(/ +/gu, ' ')).toBe(
            'ALTER TABLE t ADD a int, RESET (user_catalog_table), DROP b',
        );
    });

    it('replace passwords in all texts', () => {
        const plan = planDdl(`ALTER USER u WITH PASSWORD 'clear' VALID UNTIL '2030-01-01'`, {
            scramVerifier: () => 'V$1',
        });
        expect(plan?.logSql).not.toContain('clear');
        expect(plan?.logSql).toContain(`PASSWORD 'V$1'`);
        expect(JSON.stringify(plan)).not.toContain('clear');
    });

    it('refuse contradictions', () => {
        expect(() => twinSql(`CREATE USER TABLE t (a int) WITH (type = 'shared')`)).toThrow('more than once');
    });
});
