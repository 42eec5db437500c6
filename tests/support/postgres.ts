/**
 * A PostgreSQL cluster of our own: temp directory, loopback port, trust. It is the other side of comparisons and
 * benches. initdb and postgres refuse to run as root, so root starts them as the user `postgres`.
 */
import {execFileSync} from 'node:child_process';
import {appendFileSync, chownSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Child, runToEnd} from './child.ts';
import {requirePostgresProgram} from './debian-programs.ts';
import {freePort} from './free-port.ts';
import {WireClient} from './wire-client.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 15_000;

export interface PostgresOptions {
    /** Off makes tests faster; benches leave it on. */
    readonly fsync?: boolean;
    /** Lines of postgresql.conf. */
    readonly settings?: readonly string[];
}

export interface PostgresServer {
    readonly port: number;
    readonly pid: number;
    readonly user: 'postgres';
    readonly database: 'postgres';
    connect(): Promise<WireClient>;
    /** Runs psql; gives its stdout, with stderr after it. */
    psql(args: readonly string[]): Promise<string>;
    stop(): Promise<void>;
}

export async function startPostgres({fsync = false, settings = []}: PostgresOptions = {}): Promise<PostgresServer> {
    const initdb = requirePostgresProgram('initdb');
    const postgres = requirePostgresProgram('postgres');
    const identity = unprivilegedIdentity();
    const directory = mkdtempSync(join(tmpdir(), 'tidewire-postgres-'));
    if (identity !== undefined) chownSync(directory, identity.uid, identity.gid);
    const data = join(directory, 'data');
    const options = {cwd: directory, env: {...process.env, HOME: directory}, ...identity};
    try {
        const initArgs = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
        await runToEnd(initdb, initArgs, options);
        const port = await freePort();
        const lines = [
            `port = ${port}`,
            "listen_addresses = '127.0.0.1'",
            `unix_socket_directories = '${directory}'`,
            `fsync = ${fsync ? 'on' : 'off'}`,
            "timezone = 'UTC'",
            ...settings,
        ];
        appendFileSync(join(data, 'postgresql.conf'), `${lines.join('\n')}\n`);
        const child = new Child(postgres, ['-D', data], options);
        const connect = (): Promise<WireClient> => WireClient.connect({port, user: 'postgres', database: 'postgres'});
        await child.waitFor('connection to PostgreSQL', START_TIMEOUT_MS, async () => {
            const client = await connect().catch(() => undefined);
            await client?.close();
            return client;
        });
        return {
            port,
            pid: child.pid,
            user: 'postgres',
            database: 'postgres',
            connect,
            psql: (args) => runPsql(port, 'postgres', 'postgres', args),
            stop: async () => {
                // SIGINT is PostgreSQL's fast shutdown (documentation, 19.5).
                await child.end('SIGINT', STOP_GRACE_MS);
                rmSync(directory, {recursive: true, force: true});
            },
        };
    } catch (error) {
        rmSync(directory, {recursive: true, force: true});
        throw error;
    }
}

/** psql without anyone's ~/.psqlrc. Fails on a nonzero exit code. */
export async function runPsql(port: number, user: string, database: string, args: readonly string[]): Promise<string> {
    const psql = requirePostgresProgram('psql');
    const connection = ['-X', '-h', '127.0.0.1', '-p', String(port), '-U', user, '-d', database];
    const {stdout, stderr} = await runToEnd(psql, [...connection, ...args], {env: {...process.env, PAGER: 'cat'}});
    return stdout + stderr;
}

function unprivilegedIdentity(): {uid: number; gid: number} | undefined {
    if (process.getuid?.() !== 0) return undefined;
    const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], {encoding: 'utf8'}));
    return {uid: id('-u'), gid: id('-g')};
}
