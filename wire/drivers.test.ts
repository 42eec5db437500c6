import {execFile} from 'node:child_process';
import {access} from 'node:fs/promises';
import {promisify} from 'node:util';
import {createSecureContext} from 'node:tls';
import {Client} from 'pg';
import postgres from 'postgres';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {scramVerifier} from './scram.ts';
import {WireServer} from './server.ts';
import {TEST_CERTIFICATE, TEST_KEY} from './testing/certificate.ts';
import {FakeAcceptor} from './testing/fake-handler.ts';
import {eventually} from './testing/raw-client.ts';

const PSQL = '/usr/bin/psql';
const run = promisify(execFile);

describe('real clients', () => {
    const acceptor = new FakeAcceptor();
    const tls = createSecureContext({key: TEST_KEY, cert: TEST_CERTIFICATE});
    const server = new WireServer({acceptor, tls});
    let port: number;

    beforeAll(async () => {
        acceptor.methods.set('bob', {method: 'scram-sha-256', verifier: await scramVerifier('pässword')});
        acceptor.methods.set('ghost', {method: 'scram-sha-256', verifier: undefined});
        ({port} = await server.listen('127.0.0.1', 0));
    });

    afterAll(async () => {
        await server.shutdown(0);
    });

    describe('node-postgres', () => {
        async function connected(user: string, password = '', ssl = false): Promise<Client> {
            const client = new Client({
                host: '127.0.0.1',
                port,
                user,
                database: 'd',
                password,
                ssl: ssl ? {ca: TEST_CERTIFICATE, servername: 'localhost'} : false,
            });
            await client.connect();
            return client;
        }

        test('runs simple, parametrised and named statements', async () => {
            const client = await connected('alice');
            expect((await client.query('hello')).rows).toEqual([{c1: 'hello'}]);
            expect((await client.query('$1 $2', ['é', null])).rows).toEqual([{c1: 'é', c2: null}]);
            const named = {name: 'n', text: '$1', values: ['7']};
            expect((await client.query(named)).rows).toEqual([{c1: '7'}]);
            expect((await client.query(named)).rows).toEqual([{c1: '7'}]);
            await expect(client.query('error')).rejects.toMatchObject({code: '42P01', constraint: 'n', position: '15'});
            await expect(client.query('error', ['x'])).rejects.toMatchObject({code: '42P01'});
            expect((await client.query('rows 5000')).rows).toHaveLength(5000);
            await client.end();
        });

        test('authenticates by SCRAM, in the clear and under TLS', async () => {
            for (const ssl of [false, true]) {
                const client = await connected('bob', 'pässword', ssl);
                expect((await client.query('in')).rows).toEqual([{c1: 'in'}]);
                await client.end();
                for (const user of ['bob', 'ghost']) {
                    await expect(connected(user, 'wrong', ssl)).rejects.toMatchObject({
                        code: '28P01',
                        message: `password authentication failed for user "${user}"`,
                    });
                }
            }
        });

        test('receives notifications while idle', async () => {
            const client = await connected('alice');
            const received = new Promise((resolve) => {
                client.once('notification', resolve);
            });
            const {writer, control} = acceptor.last;
            writer.notification(control.processId, 'news', 'payload');
            writer.flush();
            expect(await received).toMatchObject({channel: 'news', payload: 'payload', processId: control.processId});
            await client.end();
        });
    });

    describe('postgres.js', () => {
        test('describes, binds and pipelines', async () => {
            const sql = postgres({
                host: '127.0.0.1',
                port,
                user: 'bob',
                password: 'pässword',
                max: 1,
                fetch_types: false,
            });
            expect([...(await sql`${'a'} ${'b'}`)]).toEqual([{c1: 'a', c2: 'b'}]);
            const many = await Promise.all(Array.from({length: 50}, (_, index) => sql`${String(index)}`));
            expect(many.map((rows) => rows[0]?.['c1'])).toEqual(Array.from({length: 50}, (_, index) => String(index)));
            await expect(sql`error`).rejects.toMatchObject({code: '42P01', hint: 'a hint'});
            expect([...(await sql`${'still'}`)]).toEqual([{c1: 'still'}]);
            await sql.end();
        });

        test('cancels a statement', async () => {
            const sql = postgres({host: '127.0.0.1', port, user: 'alice', max: 1, fetch_types: false});
            const pending = sql`sleep`.simple();
            const outcome = expect(pending).rejects.toMatchObject({code: '57014'});
            await eventually(() => acceptor.last.calls.includes('query sleep'));
            pending.cancel();
            await outcome;
            await sql.end();
        });
    });

    describe('psql', () => {
        beforeAll(async () => {
            await access(PSQL).catch(() => {
                throw new Error(`${PSQL} is needed for this test: install the package postgresql-client`);
            });
        });

        async function psql(
            args: readonly string[],
            {user = 'alice', mode = 'prefer', input = ''} = {},
        ): Promise<{stdout: string; stderr: string}> {
            const running = run(
                PSQL,
                ['-X', '-A', '-t', '-h', '127.0.0.1', '-p', String(port), '-U', user, 'd', ...args],
                {
                    env: {...process.env, PGPASSWORD: 'pässword', PGSSLMODE: mode, LC_ALL: 'C.UTF-8'},
                    timeout: 20_000,
                },
            );
            running.child.stdin?.end(input);
            return running.catch((error: unknown) => error as {stdout: string; stderr: string});
        }

        test('runs statements with and without TLS', async () => {
            for (const mode of ['disable', 'prefer', 'require']) {
                expect((await psql(['-c', 'hello'], {mode})).stdout).toBe('hello\n');
            }
            const {stderr} = await psql(['-c', 'fatal']);
            expect(stderr).toContain('FATAL:  terminating connection');
        });

        test('authenticates by SCRAM and shows the refusal', async () => {
            expect((await psql(['-c', 'hello'], {user: 'bob'})).stdout).toBe('hello\n');
            expect((await psql(['-c', 'hello'], {user: 'ghost'})).stderr).toContain(
                'FATAL:  password authentication failed for user "ghost"',
            );
        });

        test('copies in and out', async () => {
            expect((await psql(['-c', 'copyout'])).stdout).toBe('one\ntwo\n');
            const input = Array.from({length: 20_000}, (_, index) => `line ${index}\n`).join('');
            await psql(['-c', 'copyin'], {input});
            expect(acceptor.last.copied.join('') === input).toBe(true);
            const {stderr} = await psql(['-c', 'copyfail'], {input});
            expect(stderr).toContain('ERROR:  invalid input syntax');
        });

        test('shows errors and goes on', async () => {
            const {stdout, stderr} = await psql(['-c', 'error', '-c', 'next']);
            expect(stdout).toBe('next\n');
            expect(stderr).toContain('ERROR:  relation "x" does not exist');
            expect(stderr).toContain('HINT:  a hint');
        });
    });
});
