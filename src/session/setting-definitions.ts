/**
 * The run-time settings that the server itself reads or reports. All other settings of PostgreSQL are known to the
 * twin, which validates them; names with a dot are free.
 *
 * What must stay true: a value that is accepted is in the form that SHOW prints.
 */
import {PgError} from '../../catalog/errors.ts';
import {parseSearchPath} from './qualified-name.ts';
import {parseDateStyle, parseExtraFloatDigits, parseTimeZone} from './setting-parsers.ts';

export interface SettingDefinition {
    /** As SHOW and ParameterStatus spell it. */
    readonly name: string;
    readonly default: string;
    /** Sent as ParameterStatus at start and when it changes. */
    readonly reported?: boolean;
    /** Cannot be SET. */
    readonly readOnly?: boolean;
    /** Normalises or refuses. undefined: the twin validates. */
    readonly parse?: (value: string, name: string) => string;
    /** The twin must know its value too. */
    readonly inTwin?: boolean;
}

function invalid(name: string, value: string, hint?: string): PgError {
    return new PgError('22023', `invalid value for parameter "${name}": "${value}"`, {hint});
}

function boolean(value: string, name: string): string {
    const text = value.toLowerCase();
    if (['on', 'true', 'yes', '1', 't', 'y', 'tr', 'tru', 'ye'].includes(text)) return 'on';
    if (['off', 'false', 'no', '0', 'f', 'n', 'of', 'fa', 'fal', 'fals'].includes(text)) return 'off';
    throw new PgError('22023', `parameter "${name}" requires a Boolean value`);
}

const TIME_UNITS: Readonly<Record<string, number>> = {
    us: 0.001,
    ms: 1,
    s: 1000,
    min: 60_000,
    h: 3_600_000,
    d: 86_400_000,
};

/** Milliseconds of a time setting; a bare number is in milliseconds. */
export function parseMilliseconds(value: string, name: string): number {
    const match = /^\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value);
    const unit = match?.[2] === undefined || match[2] === '' ? 1 : TIME_UNITS[match[2]];
    if (match === null || unit === undefined) {
        throw invalid(name, value, 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".');
    }
    const ms = Math.round(Number(match[1]) * unit);
    if (ms < 0 || ms > 2_147_483_647) {
        throw new PgError(
            '22023',
            `${ms} ms is outside the valid range for parameter "${name}" (0 ms .. 2147483647 ms)`,
        );
    }
    return ms;
}

function time(value: string, name: string): string {
    const ms = parseMilliseconds(value, name);
    if (ms === 0) return '0';
    for (const unit of ['d', 'h', 'min', 's'] as const) {
        const size = TIME_UNITS[unit] ?? 1;
        if (ms % size === 0) return `${ms / size}${unit}`;
    }
    return `${ms}ms`;
}

function oneOf(...values: readonly string[]): (value: string, name: string) => string {
    return (value, name) => {
        const found = values.find((candidate) => candidate === value.toLowerCase());
        if (found === undefined) throw invalid(name, value, `Available values: ${values.join(', ')}.`);
        return found;
    };
}

/** An encoding that PostgreSQL has and this server has not. */
export function isOtherEncoding(name: string): boolean {
    const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
    return /^(latin\d+|win\d+|iso8859\d+|euc\w+|sjis|big5|gbk|gb18030|koi8[ru]?|uhc|johab|mule\w*)$/.test(plain);
}

function encoding(value: string, name: string): string {
    const plain = value.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
    if (plain === 'utf8' || plain === 'unicode') return 'UTF8';
    // No conversion: the bytes of the server, which are UTF-8.
    if (plain === 'sqlascii') return 'SQL_ASCII';
    if (isOtherEncoding(value)) {
        throw new PgError('0A000', `client_encoding ${value} is not supported`, {
            hint: 'The server speaks UTF8 only: set client_encoding to UTF8.',
        });
    }
    throw invalid(name, value);
}

function applicationName(value: string): string {
    // As PostgreSQL: cut at 63 bytes, other than printable ASCII shown as hexadecimal escapes.
    let text = '';
    for (const byte of Buffer.from(value, 'utf8').subarray(0, 63)) {
        text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`;
    }
    return text;
}

function refuseOn(reason: string): (value: string, name: string) => string {
    return (value, name) => {
        if (boolean(value, name) === 'on') throw new PgError('0A000', reason);
        return 'off';
    };
}

const isolation = (value: string, name: string): string => {
    const level = oneOf('read committed', 'read uncommitted', 'repeatable read', 'serializable')(value, name);
    if (level === 'read committed' || level === 'read uncommitted') return level;
    throw new PgError('0A000', `isolation level ${level} is not supported`, {
        hint: 'Use READ COMMITTED, the default.',
    });
};

function searchPath(value: string): string {
    parseSearchPath(value, '');
    return value;
}

export const SETTING_DEFINITIONS: readonly SettingDefinition[] = [
    {name: 'application_name', default: '', reported: true, parse: applicationName, inTwin: true},
    {name: 'client_encoding', default: 'UTF8', reported: true, parse: encoding},
    {
        name: 'DateStyle',
        default: 'ISO, MDY',
        reported: true,
        inTwin: true,
        parse: (value) => parseDateStyle(value, 'ISO, MDY'),
    },
    {
        name: 'IntervalStyle',
        default: 'postgres',
        reported: true,
        inTwin: true,
        parse: oneOf('postgres', 'postgres_verbose', 'sql_standard', 'iso_8601'),
    },
    {name: 'TimeZone', default: 'UTC', reported: true, inTwin: true, parse: parseTimeZone},
    {name: 'search_path', default: '"$user", public', reported: true, inTwin: true, parse: searchPath},
    {
        name: 'standard_conforming_strings',
        default: 'on',
        reported: true,
        parse: (value, name) => {
            if (boolean(value, name) === 'off')
                throw new PgError('0A000', 'standard_conforming_strings = off is not supported');
            return 'on';
        },
    },
    {name: 'default_transaction_read_only', default: 'off', reported: true, parse: boolean},
    {name: 'is_superuser', default: 'off', reported: true, readOnly: true},
    {name: 'session_authorization', default: '', reported: true, readOnly: true},
    {name: 'server_version', default: '', reported: true, readOnly: true},
    {name: 'server_version_num', default: '', readOnly: true},
    {name: 'server_encoding', default: 'UTF8', reported: true, readOnly: true},
    {name: 'integer_datetimes', default: 'on', reported: true, readOnly: true},
    {name: 'in_hot_standby', default: 'off', reported: true, readOnly: true},
    {name: 'scram_iterations', default: '4096', reported: true, readOnly: true},
    {name: 'max_connections', default: '', readOnly: true},
    {name: 'port', default: '', readOnly: true},
    {name: 'data_directory', default: '', readOnly: true},
    {name: 'fsync', default: 'on', readOnly: true},
    {name: 'extra_float_digits', default: '1', inTwin: true, parse: parseExtraFloatDigits},
    {name: 'bytea_output', default: 'hex', inTwin: true, parse: oneOf('hex', 'escape')},
    {
        name: 'client_min_messages',
        default: 'notice',
        parse: oneOf('debug5', 'debug4', 'debug3', 'debug2', 'debug1', 'debug', 'log', 'notice', 'warning', 'error'),
    },
    {name: 'statement_timeout', default: '0', parse: time},
    {name: 'lock_timeout', default: '0', parse: time},
    {
        name: 'idle_in_transaction_session_timeout',
        default: '0',
        parse: (value, name) => {
            if (parseMilliseconds(value, name) !== 0)
                throw new PgError('0A000', `${name} is not supported yet`, {hint: 'Use 0.'});
            return '0';
        },
    },
    {name: 'transaction_isolation', default: 'read committed', parse: isolation},
    {name: 'default_transaction_isolation', default: 'read committed', parse: isolation},
    {name: 'transaction_read_only', default: 'off', parse: boolean},
    {name: 'transaction_deferrable', default: 'off', parse: boolean},
    {
        name: 'synchronous_commit',
        default: 'on',
        parse: (value, name) => {
            const level = ['local', 'remote_write', 'remote_apply'].includes(value.toLowerCase())
                ? value.toLowerCase()
                : boolean(value, name);
            if (level === 'off')
                throw new PgError('0A000', 'synchronous_commit = off is not supported', {
                    hint: 'Every commit is durable before it is acknowledged.',
                });
            return level;
        },
    },
    {name: 'row_security', default: 'on', parse: boolean},
    {name: 'zero_damaged_pages', default: 'off', parse: refuseOn('zero_damaged_pages is not supported')},
    {name: 'tidewire.all_users', default: 'off', parse: boolean},
];

const BY_NAME = new Map(SETTING_DEFINITIONS.map((definition) => [definition.name.toLowerCase(), definition]));

export function settingDefinition(name: string): SettingDefinition | undefined {
    return BY_NAME.get(name.toLowerCase());
}
