/**
 * The real server in a process of its own, on a free loopback port and a temp directory, for tests and benches. It can
 * be stopped, killed and started again on the same data and port; `remove` (or `await using`) leaves nothing behind.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Client} from 'pg';
import {Child} from './child.ts';
import {freePort} from './free-port.ts';
import {runPsql} from './postgres.ts';
import {WireClient} from './wire-client.ts';
import type {ClientConfig} from 'pg';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 30_000;
const USER = 'tidewire';
const DATABASE = 'tidewire';

export interface TidewireOptions {
    /** Settings by name, as in the configuration file: `{hot_bytes_max: '64MB'}`. */
    readonly settings?: Readonly<Record<string, string>>;
}

export class TidewireServer implements AsyncDisposable {
    readonly user = USER;
    readonly database = DATABASE;
    readonly port: number;
    readonly dataDirectory: string;
    readonly #directory: string;
    #settings: Readonly<Record<string, string>>;
    #child: Child | undefined;
    #earlierLog = '';
    readonly #clients = new Set<WireClient>();

    constructor(port: number, settings: Readonly<Record<string, string>>) {
        this.port = port;
        this.#settings = settings;
        this.#directory = mkdtempSync(join(tmpdir(), 'tidewire-test-'));
        this.dataDirectory = join(this.#directory, 'data');
    }

    get pid(): number {
        return this.#child?.pid ?? -1;
    }

    get running(): boolean {
        return this.#child?.running ?? false;
    }

    /** Resolves at the ready line. `settings` replaces those given before. */
    async start(settings = this.#settings): Promise<void> {
        if (this.running) throw new Error('the server runs already');
        this.#settings = settings;
        this.#earlierLog += this.#child?.stderr ?? '';
        const given = {port: String(this.port), data: this.dataDirectory, log_level: 'debug', ...settings};
        const flags = Object.entries(given).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`);
        // The settings of whoever runs the tests must not reach the server.
        const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEWIRE_')));
        const child = new Child(process.execPath, [MAIN, 'serve', ...flags], {cwd: this.#directory, env});
        this.#child = child;
        await child.waitFor('ready line', START_TIMEOUT_MS, () =>
            / is ready\. /.test(child.stdout) ? true : undefined,
        );
    }

    /** As an operator does: SIGTERM, and the exit code must be 0. */
    async stop(): Promise<void> {
        const child = this.#child;
        if (child === undefined || !child.running) return;
        await child.end('SIGTERM', STOP_GRACE_MS);
        const {code, signal} = await child.exited;
        if (code !== 0) throw new Error(`the server stopped with ${code ?? signal}:\n${this.log().slice(-4000)}`);
    }

    async kill9(): Promise<void> {
        await this.#child?.end('SIGKILL', 0);
    }

    async restart(settings = this.#settings): Promise<void> {
        await this.stop();
        await this.start(settings);
    }

    /** Resolves when the process has ended by itself, as it does at a fault point. */
    async exited(timeoutMs: number): Promise<void> {
        const timeout = new Promise<never>((_, reject) => {
            setTimeout(() => reject(new Error(`the server still runs after ${timeoutMs} ms`)), timeoutMs).unref();
        });
        await Promise.race([this.#child?.exited, timeout]);
    }

    async connect(parameters: Readonly<Record<string, string>> = {}, user = USER): Promise<WireClient> {
        const client = await WireClient.connect({port: this.port, user, database: DATABASE, parameters});
        this.#clients.add(client);
        return client;
    }

    /** A connected node-postgres client; the caller ends it. */
    async connectPg(config: ClientConfig = {}): Promise<Client> {
        const client = new Client({host: '127.0.0.1', port: this.port, user: USER, database: DATABASE, ...config});
        await client.connect();
        return client;
    }

    /** One statement text, or psql's own arguments. Gives stdout with stderr after it. */
    psql(request: string | readonly string[]): Promise<string> {
        const args = typeof request === 'string' ? ['-v', 'ON_ERROR_STOP=1', '-At', '-c', request] : request;
        return runPsql(this.port, USER, DATABASE, args);
    }

    /** The server's log of all its runs. */
    log(): string {
        return this.#earlierLog + (this.#child?.stderr ?? '');
    }

    async remove(): Promise<void> {
        await Promise.all([...this.#clients].map((client) => client.close().catch(() => undefined)));
        await this.#child?.end('SIGTERM', STOP_GRACE_MS);
        rmSync(this.#directory, {recursive: true, force: true});
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.remove();
    }
}

export async function startTidewire({settings = {}}: TidewireOptions = {}): Promise<TidewireServer> {
    const server = new TidewireServer(await freePort(), settings);
    try {
        await server.start();
    } catch (error) {
        await server.remove();
        throw error;
    }
    return server;
}
