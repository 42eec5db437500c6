/**
 * Type names of the parse tree to TypeRefs, with their modifiers as the typmodin functions encode them.
 */
import type {TypeRef} from '../../../catalog/descriptor.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {builtinTypeNamed} from '../builtins/catalog.ts';
import {Unsupported} from '../bound.ts';
import type {TypeName} from '../nodes.ts';
import {as, strings} from '../nodes.ts';
import type {StatementState} from './context.ts';
import {arrayOid, isDomain, isSupported} from './types.ts';

const VARHDRSZ = 4;
const NUMERIC_PRECISION_MAX = 1000;
const CHARACTERS_MAX = 10_485_760;

export function bindTypeName(state: StatementState, name: TypeName): TypeRef {
    if (name.setof === true || name.pct_type === true) throw new Unsupported('type name');
    const parts = strings(name.names) ?? [];
    const last = parts.at(-1);
    if (last === undefined || parts.length > 2) throw new Unsupported('type name');
    const schema = parts.length === 2 ? parts[0] : undefined;
    const builtin = schema === undefined || schema === 'pg_catalog' ? builtinTypeNamed(last) : undefined;
    const oid = builtin?.oid ?? state.context.types.byName(schema === undefined ? last : `${schema}.${last}`)?.oid;
    if (oid === undefined) throw new Unsupported(`type ${last}`);
    const modifiers = (name.typmods ?? []).map((node) => as(node, 'A_Const')?.ival?.ival ?? zero(node));
    const typmod = modifiers.length === 0 ? -1 : typmodOf(oid, modifiers);
    if (isDomain(state, oid)) throw new Unsupported('cast to a domain');
    const target = name.arrayBounds === undefined || name.arrayBounds.length === 0 ? oid : arrayOid(state, oid);
    if (!isSupported(state, target)) throw new Unsupported(`type ${last}`);
    return {oid: target, typmod};
}

/** A zero is left out of the JSON: `{"A_Const": {"ival": {}}}`. */
function zero(node: Parameters<typeof as>[0]): number {
    if (as(node, 'A_Const')?.ival === undefined) throw new Unsupported('type modifier');
    return 0;
}

function typmodOf(oid: number, modifiers: readonly number[]): number {
    const [first = 0, second] = modifiers;
    if (modifiers.length > 2) throw new Unsupported('type modifier');
    if (oid === OID.interval) {
        const INTERVAL_FULL_RANGE = 0x7fff;
        if (second === undefined && first === INTERVAL_FULL_RANGE) return -1;
        if (second !== undefined && (second < 0 || second > 6)) throw new Unsupported('interval precision');
        return ((first & 0x7fff) << 16) | (second ?? 0xffff);
    }
    if (oid === OID.numeric) {
        const scale = second ?? 0;
        if (first < 1 || first > NUMERIC_PRECISION_MAX || scale < -1000 || scale > 1000) {
            throw new Unsupported('numeric precision');
        }
        return ((first << 16) | (scale & 0x7ff)) + VARHDRSZ;
    }
    if (second !== undefined) throw new Unsupported('type modifier');
    if (oid === OID.varchar || oid === OID.bpchar) {
        if (first < 1 || first > CHARACTERS_MAX) throw new Unsupported('length');
        return first + VARHDRSZ;
    }
    if (oid === OID.timestamp || oid === OID.timestamptz || oid === OID.time || oid === OID.timetz) {
        // Above 6 PostgreSQL warns and takes 6: leave the warning to it.
        if (first < 0 || first > 6) throw new Unsupported('time precision');
        return first;
    }
    throw new Unsupported('type modifier');
}
