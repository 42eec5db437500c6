/** The command line with a fake server: output, exit codes, signals and failures at start. */
import {pino} from 'pino';
import {expect, test} from 'vitest';
import {runCommandLine} from './command-line.ts';
import type {RunningServer, StartServer, StopSignal, World} from './command-line.ts';
import type {Settings} from '../config/settings.ts';

class FakeWorld implements World {
    readonly env: NodeJS.ProcessEnv = {};
    readonly version = '1.2.3';
    readonly exits: number[] = [];
    readonly settings: Settings[] = [];
    out = '';
    errors = '';
    stops = 0;
    clockMs = 0;
    stopping: Promise<void> = Promise.resolve();
    failure: unknown;
    readonly #listeners = new Map<StopSignal, () => void>();

    readonly startServer: StartServer = async (settings): Promise<RunningServer> => {
        this.settings.push(settings);
        if (this.failure !== undefined) throw this.failure;
        return {
            host: settings.host,
            port: settings.port === 0 ? 40_000 : settings.port,
            stop: async () => {
                this.stops++;
                await this.stopping;
            },
        };
    };

    createLogger(): pino.Logger {
        return pino({level: 'silent'});
    }

    writeOut(text: string): void {
        this.out += text;
    }

    writeError(text: string): void {
        this.errors += text;
    }

    onSignal(signal: StopSignal, listener: () => void): void {
        this.#listeners.set(signal, listener);
    }

    exit(code: number): void {
        this.exits.push(code);
    }

    nowMs(): number {
        return this.clockMs;
    }

    async signal(signal: StopSignal): Promise<void> {
        this.#listeners.get(signal)?.();
        await new Promise(setImmediate);
    }
}

test('serve prints one ready line that says how to connect', async () => {
    const world = new FakeWorld();
    await runCommandLine(['serve', '--port', '0', '--database', 'shop'], world);
    expect(world.out).toBe('Tidewire 1.2.3 is ready. Connect with: psql -h 127.0.0.1 -p 40000 -U tidewire shop\n');
    expect(world.errors).toBe('');
    expect(world.exits).toEqual([]);
});

test.each([['SIGTERM'], ['SIGINT']] as const)('%s stops the server and exits with 0', async (signal) => {
    const world = new FakeWorld();
    await runCommandLine(['serve'], world);
    await world.signal(signal);
    expect(world.stops).toBe(1);
    expect(world.exits).toEqual([0]);
});

test('a second signal exits at once with 1', async () => {
    const world = new FakeWorld();
    world.stopping = new Promise(() => {});
    await runCommandLine(['serve'], world);
    await world.signal('SIGTERM');
    world.clockMs = 1000;
    await world.signal('SIGINT');
    expect(world.stops).toBe(1);
    expect(world.exits).toEqual([1]);
});

test('the copies of one Ctrl-C count as one signal', async () => {
    const world = new FakeWorld();
    world.stopping = new Promise(() => {});
    await runCommandLine(['serve'], world);
    await world.signal('SIGINT');
    world.clockMs = 3;
    await world.signal('SIGINT');
    expect(world.exits).toEqual([]);
});

test('a stop that fails exits with 1', async () => {
    const world = new FakeWorld();
    world.stopping = Promise.reject(new Error('disk is gone'));
    await runCommandLine(['serve'], world);
    await world.signal('SIGTERM');
    expect(world.exits).toEqual([1]);
});

test.each([
    [
        Object.assign(new Error('listen EADDRINUSE: address already in use'), {code: 'EADDRINUSE'}),
        'tidewire: cannot listen on 127.0.0.1:5433: the port is in use (choose another with --port)\n',
    ],
    [
        new Error('the data directory is in use\nby process 7'),
        'tidewire: cannot start: the data directory is in use by process 7\n',
    ],
    [Object.assign(new Error('mkdir /x'), {code: 'EACCES'}), 'tidewire: no permission: mkdir /x\n'],
])('a failed start gives one line and exit code 1: %s', async (failure, line) => {
    const world = new FakeWorld();
    world.failure = failure;
    await runCommandLine(['serve'], world);
    expect(world.errors).toBe(line);
    expect(world.exits).toEqual([1]);
    expect(world.out).toBe('');
});

test('a bad setting gives one line and never reaches the server', async () => {
    const world = new FakeWorld();
    await runCommandLine(['serve', '--prot', '1'], world);
    expect(world.errors).toBe('tidewire: unknown flag --prot; did you mean --port?\n');
    expect(world.exits).toEqual([1]);
    expect(world.settings).toEqual([]);
});

test('variables reach the server', async () => {
    const world = new FakeWorld();
    world.env['TIDEWIRE_MAX_CONNECTIONS'] = '7';
    await runCommandLine(['serve'], world);
    expect(world.settings[0]?.maxConnections).toBe(7);
});

test('help and version start nothing', async () => {
    const world = new FakeWorld();
    await runCommandLine(['serve', '--help'], world);
    await runCommandLine([], world);
    expect(world.out).toContain('--hot-bytes-max');
    world.out = '';
    await runCommandLine(['--version'], world);
    expect(world.out).toBe('tidewire 1.2.3\n');
    expect(world.settings).toEqual([]);
});

test('an unknown command names the nearest one', async () => {
    const world = new FakeWorld();
    await runCommandLine(['server'], world);
    expect(world.errors).toBe('tidewire: unknown command "server"; did you mean serve?\n');
    expect(world.exits).toEqual([1]);
});
