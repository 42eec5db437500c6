/**
 * What `tidewire …` does: help, version, or `serve` until a signal. Written against `World`, so that tests run it
 * without a process.
 *
 * What must stay true:
 * - stdout carries exactly one line per start, the ready line; the log goes to stderr.
 * - Exit code 0 after a clean stop; 1 with one clear line on stderr when the start fails or the stop is cut short.
 */
import {FIRST_SUPERUSER} from '../../catalog/roles.ts';
import {settingsHelp} from '../config/describe-settings.ts';
import {loadSettings} from '../config/load-settings.ts';
import {nearest} from '../config/nearest.ts';
import {SettingError} from '../config/setting-error.ts';
import type {Logger} from 'pino';
import type {Settings} from '../config/settings.ts';

/**
 * Signals this close together are one: on Ctrl-C a terminal signals the whole process group and npm passes its own
 * copy on.
 */
const SAME_SIGNAL_MS = 250;

export type StopSignal = 'SIGINT' | 'SIGTERM';

export interface RunningServer {
    readonly host: string;
    /** The port in use, also when port 0 was asked for. */
    readonly port: number;
    /** Lets running work end, closes the store. Called once. */
    stop(): Promise<void>;
}

export type StartServer = (settings: Settings, logger: Logger) => Promise<RunningServer>;

export interface World {
    readonly env: NodeJS.ProcessEnv;
    readonly version: string;
    readonly startServer: StartServer;
    createLogger(level: Settings['logLevel']): Logger;
    writeOut(text: string): void;
    writeError(text: string): void;
    onSignal(signal: StopSignal, listener: () => void): void;
    exit(code: number): void;
    /** A clock that never goes back. */
    nowMs(): number;
}

export async function runCommandLine(argv: readonly string[], world: World): Promise<void> {
    const [command = '--help', ...rest] = argv;
    if (argv.includes('--help') || argv.includes('-h') || command === 'help') {
        world.writeOut(helpText(world.version));
    } else if (argv.includes('--version') || command === 'version') {
        world.writeOut(`tidewire ${world.version}\n`);
    } else if (argv.length === 0) {
        world.writeOut(helpText(world.version));
    } else if (command === 'serve') {
        await serve(rest, world);
    } else {
        const meant = nearest(command, ['serve', '--help', '--version']);
        fail(world, `unknown command "${command}"${meant === undefined ? '' : `; did you mean ${meant}?`}`);
    }
}

async function serve(argv: readonly string[], world: World): Promise<void> {
    let settings: Settings;
    try {
        settings = loadSettings(argv, world.env);
    } catch (error) {
        if (!(error instanceof SettingError)) throw error;
        fail(world, error.message);
        return;
    }
    const logger = world.createLogger(settings.logLevel);
    // Signals count from the first moment: one that arrives while the server starts stops it as soon as it has.
    const starting = world.startServer(settings, logger);
    stopOnSignal(starting, logger, world);
    try {
        const server = await starting;
        world.writeOut(readyLine(world.version, server, settings));
    } catch (error) {
        logger.debug({err: error}, 'the server could not start');
        fail(world, startFailure(error, settings));
    }
}

function stopOnSignal(starting: Promise<RunningServer>, logger: Logger, world: World): void {
    let firstMs: number | undefined;
    const stop = async (): Promise<void> => {
        try {
            const server = await starting;
            await server.stop();
            logger.info('stopped');
            world.exit(0);
        } catch (error) {
            // A failed start is reported by `serve`; this covers a failed stop.
            logger.error({err: error}, 'the server could not stop cleanly');
            world.exit(1);
        }
    };
    const onSignal = (signal: StopSignal): void => {
        if (firstMs === undefined) {
            firstMs = world.nowMs();
            logger.info({signal}, 'stopping');
            void stop();
        } else if (world.nowMs() - firstMs >= SAME_SIGNAL_MS) {
            logger.warn({signal}, 'second signal: exiting without waiting');
            world.exit(1);
        }
    };
    world.onSignal('SIGINT', () => onSignal('SIGINT'));
    world.onSignal('SIGTERM', () => onSignal('SIGTERM'));
}

function readyLine(version: string, server: RunningServer, settings: Settings): string {
    const connect = `psql -h ${server.host} -p ${server.port} -U ${FIRST_SUPERUSER} ${settings.database}`;
    return `Tidewire ${version} is ready. Connect with: ${connect}\n`;
}

/** The causes that people meet, in their words; anything else by its own message. */
function startFailure(error: unknown, settings: Settings): string {
    const {code, message} = error as {code?: string; message?: string};
    const address = `${settings.host}:${settings.port}`;
    switch (code) {
        case 'EADDRINUSE':
            return `cannot listen on ${address}: the port is in use (choose another with --port)`;
        case 'EADDRNOTAVAIL':
        case 'ENOTFOUND':
            return `cannot listen on ${address}: this machine has no such address (choose another with --host)`;
        case 'EACCES':
        case 'EPERM':
        case 'EROFS':
            return `no permission: ${message ?? code}`;
        default:
            return `cannot start: ${message ?? String(error)}`;
    }
}

function fail(world: World, message: string): void {
    world.writeError(`tidewire: ${message.replaceAll(/\s*\n\s*/g, ' ')}\n`);
    world.exit(1);
}

function helpText(version: string): string {
    return `Tidewire ${version}: a realtime database that every PostgreSQL client can talk to

Usage:
  tidewire serve [settings]   run the server until SIGINT or SIGTERM
  tidewire --help             this text
  tidewire --version          the version

Settings (default in parentheses):
  --config <file>             read settings from a file of "key = value" lines
${settingsHelp()}

Each is also a variable (--hot-bytes-max is TIDEWIRE_HOT_BYTES_MAX) and a key of the file (hot_bytes_max).
Flags beat variables, variables beat the file.
`;
}
