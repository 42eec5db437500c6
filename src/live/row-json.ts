/**
 * Values as JSON text, by the rules of PostgreSQL's to_json (documentation, section 9.16): numbers unquoted with every
 * digit they have, NaN and Infinity quoted, date and time in ISO 8601 with a T, json and jsonb embedded, arrays as
 * arrays, anything else its text form as a string. The text is built by hand so that no digit passes through a float.
 *
 * What must stay true: the result has no line break (a line break in a json value can only stand between its tokens and
 * becomes a space); it does not depend on a session: timestamptz is in UTC, so that equal queries can share it.
 */
import type {Datum, PgArray} from '../../catalog/types/datum.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../catalog/types/settings.ts';

/** catalog/types/registry.ts, as much of it as is needed here. */
export interface TypeLookup {
    /** Throws PgError for a type that values cannot have. */
    require(oid: number): PgType;
}

export type EncodeJson = (value: Datum) => string;

/** No sign but minus, no leading zero, digits after the point: what JSON calls a number. */
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** The encoder of a type, made once per column. NULL is `null`. */
export function jsonEncoder(typeOid: number, types: TypeLookup): EncodeJson {
    const encode = notNullEncoder(types.require(typeOid), types);
    return (value) => (value === null ? 'null' : encode(value));
}

function notNullEncoder(type: PgType, types: TypeLookup): EncodeJson {
    if (type.elementOid !== 0 && type.kind === 'array') return arrayEncoder(jsonEncoder(type.elementOid, types));
    const base = types.require(type.baseOid);
    if (base.kind === 'array') return arrayEncoder(jsonEncoder(base.elementOid, types));
    const print = (value: Datum): string => base.print(value, DEFAULT_OUTPUT_SETTINGS);
    switch (base.name) {
        case 'bool':
            return (value) => (value === true ? 'true' : 'false');
        case 'int2':
        case 'int4':
        case 'int8':
            return String;
        case 'float4':
        case 'float8':
        case 'numeric':
            return (value) => numberOrString(print(value));
        case 'text':
        case 'varchar':
            return JSON.stringify;
        case 'json':
        case 'jsonb':
            return (value) => print(value).replace(/[\r\n]+/g, ' ');
        case 'timestamp':
            return (value) => `"${print(value).replace(' ', 'T')}"`;
        case 'timestamptz':
            return (value) => `"${isoWithZone(print(value))}"`;
        default:
            return (value) => JSON.stringify(print(value));
    }
}

function numberOrString(text: string): string {
    return JSON_NUMBER.test(text) ? text : JSON.stringify(text);
}

/** `2020-01-01 10:00:00+00` as `2020-01-01T10:00:00+00:00`; infinity stays. */
function isoWithZone(text: string): string {
    return text.replace(' ', 'T').replace('+00', '+00:00');
}

function arrayEncoder(encode: EncodeJson): EncodeJson {
    return (value) => {
        const {dims, elements} = value as PgArray;
        return dims.length === 0 ? '[]' : nested(dims, 0, elements, 0, elements.length, encode);
    };
}

/** The sub-array of elements [from, to) at dimension `depth`. */
function nested(
    dims: readonly number[],
    depth: number,
    elements: readonly Datum[],
    from: number,
    to: number,
    encode: EncodeJson,
): string {
    const parts: string[] = [];
    if (depth === dims.length - 1) {
        for (let index = from; index < to; index++) parts.push(encode(elements[index] ?? null));
    } else {
        const step = (to - from) / (dims[depth] ?? 1);
        for (let at = from; at < to; at += step) parts.push(nested(dims, depth + 1, elements, at, at + step, encode));
    }
    return `[${parts.join(',')}]`;
}

const NANOS_PER_SECOND = 1_000_000_000n;

/** `_updated`, nanoseconds since 1970, in ISO 8601 with nine digits, quoted. */
export function updatedJson(updatedNs: bigint): string {
    let seconds = updatedNs / NANOS_PER_SECOND;
    let nanos = updatedNs % NANOS_PER_SECOND;
    if (nanos < 0n) {
        seconds -= 1n;
        nanos += NANOS_PER_SECOND;
    }
    const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
    return `"${whole}.${String(nanos).padStart(9, '0')}+00:00"`;
}
