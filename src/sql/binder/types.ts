/**
 * Facts about types that resolution needs: category, base type, element and array type, coercion pathways, and which
 * pairs can be coerced. Follows PostgreSQL's parse_coerce.c (documentation, chapter 10 "Type Conversion").
 *
 * What must stay true: built-in types answer from the table of built-ins, so that candidates of types that we have no
 * codec for still take part in resolution; only the final choice must be a supported type.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {TypeRef} from '../../../catalog/descriptor.ts';
import {builtinType, builtinTypeNamed, castBetween} from '../builtins/catalog.ts';
import {Unsupported} from '../bound.ts';
import type {StatementState} from './context.ts';

export type CoercionContext = 'implicit' | 'assignment' | 'explicit';

const CONTEXT_RANK = {implicit: 0, assignment: 1, explicit: 2} as const;

function pseudo(name: string): number {
    const type = builtinTypeNamed(name);
    if (type === undefined) throw new Error(`no pseudo-type ${name}`);
    return type.oid;
}

export const ANY = pseudo('any');
export const ANYELEMENT = pseudo('anyelement');
export const ANYARRAY = pseudo('anyarray');
export const ANYNONARRAY = pseudo('anynonarray');
export const ANYENUM = pseudo('anyenum');
export const ANYCOMPATIBLE = pseudo('anycompatible');
export const ANYCOMPATIBLEARRAY = pseudo('anycompatiblearray');
export const ANYCOMPATIBLENONARRAY = pseudo('anycompatiblenonarray');
const POLYMORPHIC = new Set(
    [
        'anyelement anyarray anynonarray anyenum anyrange anymultirange',
        'anycompatible anycompatiblearray anycompatiblenonarray anycompatiblerange anycompatiblemultirange',
    ]
        .join(' ')
        .split(' ')
        .map(pseudo),
);

export function isPolymorphic(oid: number): boolean {
    return POLYMORPHIC.has(oid);
}

export function plain(oid: number): TypeRef {
    return {oid, typmod: -1};
}

export const BOOL: TypeRef = plain(OID.bool);
export const UNKNOWN: TypeRef = plain(OID.unknown);

/** The type beneath all domains. */
export function baseOid(state: StatementState, oid: number): number {
    if (builtinType(oid) !== undefined) return oid;
    return state.context.types.get(oid)?.baseOid ?? oid;
}

export function categoryOf(state: StatementState, oid: number): {category: string; preferred: boolean} {
    const builtin = builtinType(oid);
    if (builtin !== undefined) return builtin;
    const type = state.context.types.get(oid);
    if (type === undefined) throw new Unsupported(`type ${oid}`);
    return type;
}

/** Element type of a true array (of a domain over one, too), else 0. */
export function elementOid(state: StatementState, oid: number): number {
    const base = baseOid(state, oid);
    return builtinType(base)?.element ?? state.context.types.get(base)?.elementOid ?? 0;
}

/** Array type over an element type, else 0. */
export function arrayOid(state: StatementState, oid: number): number {
    return builtinType(oid)?.array ?? state.context.types.get(oid)?.arrayOid ?? 0;
}

export function isEnum(state: StatementState, oid: number): boolean {
    return state.context.types.get(oid)?.kind === 'enum';
}

export function isDomain(state: StatementState, oid: number): boolean {
    return baseOid(state, oid) !== oid;
}

/** Types we can hold a value of. */
export function isSupported(state: StatementState, oid: number): boolean {
    return state.context.types.get(oid) !== undefined && !builtinTypeIsRange(oid);
}

function builtinTypeIsRange(oid: number): boolean {
    const kind = builtinType(oid)?.kind;
    return kind === 'r' || kind === 'm';
}

/** `json` and its arrays have no equality and no order: no GROUP BY, DISTINCT, ORDER BY. */
export function isSortable(state: StatementState, oid: number): boolean {
    const base = baseOid(state, oid);
    if (!isSupported(state, base)) return false;
    const element = elementOid(state, base);
    if (element !== 0) return isSortable(state, element);
    return base !== OID.json && base !== OID.xid && base !== OID.cid;
}

export type Pathway = 'relabel' | 'convert' | undefined;

/** find_coercion_pathway: how a value of `source` becomes `target` within this context, if it may. */
export function coercionPathway(
    state: StatementState,
    sourceOid: number,
    targetOid: number,
    context: CoercionContext,
): Pathway {
    const source = baseOid(state, sourceOid);
    const target = baseOid(state, targetOid);
    if (source === target) return 'relabel';
    const cast = castBetween(source, target);
    if (cast !== undefined) {
        if (CONTEXT_RANK[context] < CONTEXT_RANK[cast.context]) return undefined;
        return cast.method === 'binary' ? 'relabel' : 'convert';
    }
    const sourceElement = elementOid(state, source);
    const targetElement = elementOid(state, target);
    if (sourceElement !== 0 && targetElement !== 0) {
        if (coercionPathway(state, sourceElement, targetElement, context) !== undefined) return 'convert';
    }
    if (context !== 'implicit' && categoryOf(state, target).category === 'S') return 'convert';
    if (context === 'explicit' && categoryOf(state, source).category === 'S') return 'convert';
    return undefined;
}

/** can_coerce_type for one pair. Polymorphic targets are accepted here and checked for consistency later. */
export function canCoerce(state: StatementState, source: number, target: number, context: CoercionContext): boolean {
    if (source === target || target === ANY || isPolymorphic(target) || source === OID.unknown) return true;
    return coercionPathway(state, source, target, context) !== undefined;
}

/** select_common_type: undefined when the types do not unify. Unknown only gives text. */
export function commonType(state: StatementState, oids: readonly number[]): number | undefined {
    const first = oids[0];
    if (first === undefined) return OID.text;
    if (first !== OID.unknown && oids.every((oid) => oid === first)) return first;
    let chosen = baseOid(state, first);
    let {category, preferred} = categoryOf(state, chosen);
    for (const oid of oids.slice(1)) {
        const next = baseOid(state, oid);
        if (next === OID.unknown || next === chosen) continue;
        const nextKind = categoryOf(state, next);
        if (chosen !== OID.unknown && nextKind.category !== category) return undefined;
        const better =
            chosen === OID.unknown ||
            (!preferred && canCoerce(state, chosen, next, 'implicit') && !canCoerce(state, next, chosen, 'implicit'));
        if (better) {
            chosen = next;
            ({category, preferred} = nextKind);
        }
    }
    return chosen === OID.unknown ? OID.text : chosen;
}
