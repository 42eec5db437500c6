/** Settings: precedence of the sources, units, bounds, and errors that help. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {loadSettings} from './load-settings.ts';
import {SettingError} from './setting-error.ts';
import {definitionOf, SETTING_NAMES} from './settings.ts';

let directory = '';

beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'tidewire-settings-'));
});

afterAll(() => {
    rmSync(directory, {recursive: true});
});

function configFile(text: string): string {
    const path = join(directory, 'tidewire.conf');
    writeFileSync(path, text);
    return path;
}

function messageOf(argv: string[], env: NodeJS.ProcessEnv = {}): string {
    try {
        loadSettings(argv, env);
    } catch (error) {
        expect(error).toBeInstanceOf(SettingError);
        return (error as Error).message;
    }
    return 'no error';
}

describe('defaults', () => {
    test('a server without any setting listens on loopback port 5433', () => {
        const settings = loadSettings([], {});
        expect(settings).toMatchObject({host: '127.0.0.1', port: 5433, database: 'tidewire', maxConnections: 500});
        expect(settings.data).toBe(resolve('tidewire-data'));
    });

    test('sizes become bytes and durations milliseconds', () => {
        const settings = loadSettings([], {});
        expect(settings.logFileBytes).toBe(16 * 1024 * 1024);
        expect(settings.shutdownGraceMs).toBe(10_000);
    });

    test('every default is within its own bounds', () => {
        for (const name of SETTING_NAMES) {
            const {type, default: value} = definitionOf(name);
            const flag = `--${name.replaceAll('_', '-')}`;
            expect(messageOf([flag, value]), `${name} (${type})`).toBe('no error');
        }
    });
});

describe('sources', () => {
    test('flags beat variables and variables beat the file', () => {
        const config = configFile('port = 1001\nmax_connections = 11\nduckdb_threads = 5 # all of them\n');
        const settings = loadSettings(['--port', '1003', `--config=${config}`], {
            TIDEWIRE_PORT: '1002',
            TIDEWIRE_MAX_CONNECTIONS: '12',
        });
        expect(settings).toMatchObject({port: 1003, maxConnections: 12, duckdbThreads: 5});
    });

    test('the file may be named by a variable', () => {
        const config = configFile("database = 'it''s # mine'\nlog_level debug\n\n# nothing\n");
        expect(loadSettings([], {TIDEWIRE_CONFIG: config})).toMatchObject({
            database: "it's # mine",
            logLevel: 'debug',
        });
    });

    test('a flag takes its value after a blank or an equals sign', () => {
        expect(loadSettings(['--data=a=b'], {}).data).toBe(resolve('a=b'));
        expect(loadSettings(['--hot-bytes-max', '1.5GB'], {}).hotBytesMax).toBe(1.5 * 2 ** 30);
    });

    test('variables of others are left alone', () => {
        expect(messageOf([], {TIDEWIREX: '1', PORT: 'x'})).toBe('no error');
    });
});

describe('errors', () => {
    test('an unknown flag names the nearest one', () => {
        expect(messageOf(['--prot', '1'])).toBe('unknown flag --prot; did you mean --port?');
        expect(messageOf(['--hot_bytes_max', '1GB'])).toContain('did you mean --hot-bytes-max?');
        expect(messageOf(['--zzzzzz', '1'])).toBe('unknown flag --zzzzzz');
    });

    test('an unknown variable names the nearest one', () => {
        expect(messageOf([], {TIDEWIRE_DATABSE: 'x'})).toBe(
            'unknown variable TIDEWIRE_DATABSE; did you mean TIDEWIRE_DATABASE?',
        );
        expect(messageOf([], {TIDEWIRE_port: '1'})).toContain('did you mean TIDEWIRE_PORT?');
    });

    test('an unknown key names the file, the line and the nearest key', () => {
        const config = configFile('port = 1\nhots = x\n');
        expect(messageOf(['--config', config])).toBe(`unknown setting "hots" in ${config}, line 2; did you mean host?`);
    });

    test('hidden settings are never proposed', () => {
        expect(messageOf(['--fault-pint', '1'])).not.toContain('fault-point');
    });

    test.each([
        [['--port', '65536'], 'flag --port: 65536 is outside of 0 to 65535'],
        [['--port', 'http'], 'flag --port: "http" is not a whole number'],
        [['--port', '-1'], 'flag --port: "-1" is not a whole number'],
        [['--duckdb-memory', '64mb'], 'flag --duckdb-memory: "64mb" is not a size (units: B, kB, MB, GB, TB, PB)'],
        [['--duckdb-memory', '1B'], 'flag --duckdb-memory: 1B is outside of 64MB to 1TB'],
        [['--shutdown-grace', '10 parsecs'], '"10 parsecs" is not a duration (units: ms, s, min, h, d)'],
        [['--log-level', 'loud'], '"loud" is not one of trace, debug, info, warn, error, fatal, silent'],
        [['--port'], 'flag --port needs a value'],
        [['here'], 'unexpected argument "here"'],
        [['--config', 'missing.conf'], 'cannot read the configuration file missing.conf'],
    ])('%j is refused: %s', (argv, message) => {
        expect(messageOf(argv)).toContain(message);
    });

    test.each(['port =', 'port = 1 2', "port = 'unclosed", '= 5'])('the line "%s" of a file is refused', (line) => {
        expect(messageOf(['--config', configFile(`\n${line}\n`)])).toContain('line 2');
    });
});
