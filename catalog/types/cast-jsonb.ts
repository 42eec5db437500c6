/**
 * Casts from jsonb to booleans and numbers: only a scalar of that kind can be cast, and JSON null gives NULL.
 * Source: jsonb_bool, jsonb_numeric … in jsonb.c.
 */
import {PgError} from '../errors.ts';
import {readJson} from './json-reader.ts';

const SQL_NAMES = {
    bool: 'boolean',
    int2: 'smallint',
    int4: 'integer',
    int8: 'bigint',
    float4: 'real',
    float8: 'double precision',
    numeric: 'numeric',
} as const;

/** A boolean for bool, the canonical numeric for numbers, null for JSON null. */
export function jsonbToScalar(value: string, target: keyof typeof SQL_NAMES): boolean | string | null {
    const node = readJson(value);
    if (node.kind === 'null') return null;
    if (node.kind === 'boolean' && target === 'bool') return node.value;
    if (node.kind === 'number' && target !== 'bool') return node.value;
    const found = node.kind === 'number' ? 'numeric' : node.kind;
    throw new PgError('22023', `cannot cast jsonb ${found} to type ${SQL_NAMES[target]}`);
}
