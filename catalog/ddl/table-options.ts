/**
 * Our own table options: which exist, how they are written, and what they mean. The twin keeps them, normalised, in
 * pg_class.reloptions as `name=value`; the descriptor has them parsed.
 *
 * What must stay true: an option is either ours, PostgreSQL's, or an error 22023; a value is checked when it is given,
 * so what stands in reloptions always parses.
 */
import type {TableKind, TableOptions} from '../descriptor.ts';
import {PgError} from '../errors.ts';
import {LOCAL_STORAGE} from '../storages.ts';
import {parseBytes, parseDurationMs} from './quantities.ts';
import {nearestName} from './nearest.ts';

export const TABLE_OPTION_NAMES = ['type', 'storage', 'ttl', 'flush_policy', 'compression'] as const;
export type TableOptionName = (typeof TABLE_OPTION_NAMES)[number];

/** Other spellings, as KalamDB writes them. */
const ALIASES: ReadonlyMap<string, TableOptionName> = new Map([
    ['table_type', 'type'],
    ['storage_id', 'storage'],
    ['ttl_seconds', 'ttl'],
]);

/** Storage parameters of PostgreSQL's tables: kept in the twin as they are. */
const STANDARD = [
    'fillfactor',
    'toast_tuple_target',
    'parallel_workers',
    'autovacuum_enabled',
    'vacuum_index_cleanup',
    'vacuum_truncate',
    'autovacuum_vacuum_threshold',
    'autovacuum_vacuum_max_threshold',
    'autovacuum_vacuum_scale_factor',
    'autovacuum_vacuum_insert_threshold',
    'autovacuum_vacuum_insert_scale_factor',
    'autovacuum_analyze_threshold',
    'autovacuum_analyze_scale_factor',
    'autovacuum_vacuum_cost_delay',
    'autovacuum_vacuum_cost_limit',
    'autovacuum_freeze_min_age',
    'autovacuum_freeze_max_age',
    'autovacuum_freeze_table_age',
    'autovacuum_multixact_freeze_min_age',
    'autovacuum_multixact_freeze_max_age',
    'autovacuum_multixact_freeze_table_age',
    'log_autovacuum_min_duration',
    'user_catalog_table',
    'vacuum_max_eager_freeze_failure_rate',
];

const KINDS: readonly TableKind[] = ['shared', 'user', 'stream'];
const COMPRESSIONS: readonly TableOptions['compression'][] = ['zstd', 'snappy', 'gzip', 'none'];

/** The option's name when it is ours, undefined when it is PostgreSQL's. Throws 22023 for any other. */
export function ownOptionName(name: string, position: number | undefined): TableOptionName | undefined {
    const lower = name.toLowerCase();
    const own = TABLE_OPTION_NAMES.find((known) => known === lower) ?? ALIASES.get(lower);
    if (own !== undefined || STANDARD.includes(lower)) return own;
    const nearest = nearestName(lower, [...TABLE_OPTION_NAMES, ...ALIASES.keys(), ...STANDARD]);
    throw new PgError('22023', `unrecognized parameter "${name}"`, {
        position,
        hint:
            nearest === undefined
                ? `Options of tables are ${TABLE_OPTION_NAMES.join(', ')}.`
                : `Perhaps you meant the parameter "${nearest}".`,
    });
}

/** Checks a value and writes it as it is kept. `name` as the user wrote it. */
export function normaliseOption(own: TableOptionName, name: string, value: string | undefined): string {
    if (value === undefined || value === '') throw invalid(name, value ?? '', 'A value is needed.');
    switch (own) {
        case 'type': {
            const kind = value.toLowerCase();
            if (!KINDS.some((known) => known === kind)) throw invalid(name, value, `Types are ${KINDS.join(', ')}.`);
            return kind;
        }
        case 'storage':
            return value;
        case 'ttl': {
            const text = /^\d+$/u.test(value) ? `${value} seconds` : value;
            const ttlMs = parseDurationMs(text);
            if (ttlMs === undefined || ttlMs <= 0)
                throw invalid(name, value, 'Write a positive time such as 30 seconds.');
            return text;
        }
        case 'flush_policy':
            if (value.toLowerCase() !== 'none') parseFlushPolicy(value);
            return value.toLowerCase();
        default: {
            const compression = value.toLowerCase();
            if (!COMPRESSIONS.some((known) => known === compression)) {
                throw invalid(name, value, `Compressions are ${COMPRESSIONS.join(', ')}.`);
            }
            return compression;
        }
    }
}

/** From pg_class.reloptions. */
export function tableOptions(reloptions: readonly string[]): TableOptions {
    const values = new Map<string, string>();
    for (const option of reloptions) {
        const equals = option.indexOf('=');
        values.set(option.slice(0, equals), option.slice(equals + 1));
    }
    const ttl = values.get('ttl');
    const policy = values.get('flush_policy');
    return {
        kind: KINDS.find((kind) => kind === values.get('type')) ?? 'shared',
        storage: values.get('storage') ?? LOCAL_STORAGE,
        ttlMs: ttl === undefined ? undefined : parseDurationMs(ttl),
        flushPolicy: policy === undefined || policy === 'none' ? undefined : parseFlushPolicy(policy),
        compression: COMPRESSIONS.find((known) => known === values.get('compression')) ?? 'zstd',
    };
}

/** `rows:10000,interval:60`: rows, bytes (B, kB, MB, GB) and interval (seconds, or a time with its unit). */
export function parseFlushPolicy(text: string): NonNullable<TableOptions['flushPolicy']> {
    const policy: {rows?: number; bytes?: number; intervalMs?: number} = {};
    for (const part of text.split(',')) {
        const [key = '', value = ''] = part.split(':').map((side) => side.trim().toLowerCase());
        const quantity = flushQuantity(key, value);
        if (quantity === undefined || quantity <= 0 || !Number.isSafeInteger(quantity)) {
            throw invalid('flush_policy', text, 'Write for example rows:10000,bytes:64MB,interval:60.');
        }
        if (key === 'rows') policy.rows = quantity;
        else if (key === 'bytes') policy.bytes = quantity;
        else policy.intervalMs = quantity;
    }
    return policy;
}

function flushQuantity(key: string, value: string): number | undefined {
    if (key === 'rows') return /^\d+$/u.test(value) ? Number(value) : undefined;
    if (key === 'bytes') return parseBytes(value);
    if (key === 'interval') return /^\d+$/u.test(value) ? Number(value) * 1000 : parseDurationMs(value);
    return undefined;
}

function invalid(name: string, value: string, hint: string): PgError {
    return new PgError('22023', `invalid value for option "${name}": "${value}"`, {hint});
}
