/**
 * The table of settings: the one place that says which settings exist, their types, defaults, bounds and help texts.
 * Flags (`--hot-bytes-max`), variables (`TIDEWIRE_HOT_BYTES_MAX`), keys of the configuration file (`hot_bytes_max`),
 * `--help` and docs/settings.md all come from it, so they cannot disagree.
 *
 * What must stay true: every setting here is read by the server. A setting that nothing reads is removed, because
 * nothing may be accepted and silently ignored.
 */
import {FAULT_POINTS} from './fault-points.ts';
import type {CamelCase} from './camel-case.ts';

interface Described {
    readonly help: string;
    /** Left out of --help and the documentation: for tests only. */
    readonly hidden?: true;
}

interface Bounded {
    /** As written by a user: '64MB', '30s', '5433'. */
    readonly default: string;
    readonly min: string;
    readonly max: string;
}

export type SettingDefinition =
    | (Described & {readonly type: 'text'; readonly default: string})
    | (Described & {readonly type: 'path'; readonly default: string})
    | (Described & {readonly type: 'choice'; readonly default: string; readonly choices: readonly string[]})
    | (Described & Bounded & {readonly type: 'integer'})
    | (Described & Bounded & {readonly type: 'bytes'})
    | (Described & Bounded & {readonly type: 'duration'});

export const SETTINGS = {
    host: {
        type: 'text',
        default: '127.0.0.1',
        help: 'Address to listen on. Anything but a loopback address needs a superuser_password.',
    },
    port: {
        type: 'integer',
        default: '5433',
        min: '0',
        max: '65535',
        help: 'TCP port to listen on; 0 takes any free port.',
    },
    data: {
        type: 'path',
        default: './tidewire-data',
        help: 'Directory of everything the server keeps. Made when missing; one server at a time.',
    },
    database: {type: 'text', default: 'tidewire', help: 'Name of the database.'},
    superuser_password: {
        type: 'text',
        default: '',
        help: 'Password of the role tidewire, set at every start; empty leaves it as it is. Better given as a variable.',
    },
    tls_cert_file: {type: 'path', default: '', help: 'PEM certificate chain. With tls_key_file it turns TLS on.'},
    tls_key_file: {type: 'path', default: '', help: 'PEM private key of the certificate.'},
    max_connections: {
        type: 'integer',
        default: '500',
        min: '1',
        max: '10000',
        help: 'Most sessions at a time; one more gets error 53300.',
    },
    log_level: {
        type: 'choice',
        default: 'info',
        choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        help: "Least severe message of the server's own log, written to stderr as JSON lines.",
    },
    message_bytes_max: {
        type: 'bytes',
        default: '256MB',
        min: '64kB',
        max: '1GB',
        help: 'Largest message taken from a client: one statement with its parameters.',
    },
    authentication_timeout: {
        type: 'duration',
        default: '60s',
        min: '1s',
        max: '10min',
        help: 'Time a client has to finish connecting.',
    },
    statement_timeout: {
        type: 'duration',
        default: '0',
        min: '0',
        max: '24d',
        help: 'Default of statement_timeout for new sessions; 0 turns it off.',
    },
    hot_bytes_max: {
        type: 'bytes',
        default: '4GB',
        min: '16MB',
        max: '1PB',
        help: 'Size of the hot store past which the rows longest unchanged are flushed.',
    },
    row_cache_bytes: {
        type: 'bytes',
        default: '256MB',
        min: '1MB',
        max: '1TB',
        help: 'Memory for decoded rows of the point path.',
    },
    log_file_bytes: {
        type: 'bytes',
        default: '16MB',
        min: '1MB',
        max: '1GB',
        help: 'Size of one preallocated file of the commit log.',
    },
    duckdb_memory: {
        type: 'bytes',
        default: '1GB',
        min: '64MB',
        max: '1TB',
        help: 'Memory for the vectorised path; larger work spills to the data directory.',
    },
    duckdb_threads: {
        type: 'integer',
        default: '2',
        min: '1',
        max: '1024',
        help: 'Threads of the vectorised path.',
    },
    reference_rows_max: {
        type: 'integer',
        default: '100000',
        min: '0',
        max: '10000000',
        help: 'Most rows copied for one statement of the reference path; past it the statement gets error 54000.',
    },
    live_queue_bytes_max: {
        type: 'bytes',
        default: '16MB',
        min: '64kB',
        max: '1GB',
        help: 'Events kept for one slow live query before it is cut off with an error it can resume from.',
    },
    live_retention: {
        type: 'duration',
        default: '1h',
        min: '0',
        max: '30d',
        help: 'How long changes are kept for live queries that resume.',
    },
    shutdown_grace: {
        type: 'duration',
        default: '10s',
        min: '0',
        max: '10min',
        help: 'Time that running statements get to end when the server stops.',
    },
    fault_point: {
        type: 'choice',
        default: '',
        choices: ['', ...FAULT_POINTS],
        hidden: true,
        help: 'For crash tests: the process kills itself when it reaches this named point.',
    },
} as const satisfies Record<string, SettingDefinition>;

type Table = typeof SETTINGS;

export type SettingName = keyof Table;

/** Durations carry their unit: `shutdown_grace` is `shutdownGraceMs`. */
type PropertyName<N extends SettingName> = Table[N]['type'] extends 'duration' ? `${CamelCase<N>}Ms` : CamelCase<N>;

type PropertyValue<D extends SettingDefinition> = D extends {readonly choices: readonly (infer C)[]}
    ? C
    : D['type'] extends 'text' | 'path'
      ? string
      : number;

/** What the server is started with. Bytes are numbers of bytes, durations milliseconds, paths absolute or ''. */
export type Settings = {readonly [N in SettingName as PropertyName<N>]: PropertyValue<Table[N]>};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

export function definitionOf(name: SettingName): SettingDefinition {
    return SETTINGS[name];
}

export function isSettingName(name: string): name is SettingName {
    return Object.hasOwn(SETTINGS, name);
}

export function flagOf(name: SettingName): string {
    return `--${name.replaceAll('_', '-')}`;
}

export function variableOf(name: SettingName): string {
    return `TIDEWIRE_${name.toUpperCase()}`;
}
