/**
 * The choice among overloaded operators and functions: func_match_argtypes, func_select_candidate and the checks of
 * polymorphic types, after PostgreSQL's parse_func.c, parse_oper.c and parse_coerce.c.
 *
 * What must stay true: given all candidates that PostgreSQL has, the same one is chosen, or none.
 */
import {OID} from '../../../catalog/types/oids.ts';
import {Unsupported} from '../bound.ts';
import type {StatementState} from './context.ts';
import {
    ANYARRAY,
    ANYCOMPATIBLE,
    ANYCOMPATIBLEARRAY,
    ANYCOMPATIBLENONARRAY,
    ANYELEMENT,
    ANYENUM,
    ANYNONARRAY,
    arrayOid,
    baseOid,
    canCoerce,
    categoryOf,
    commonType,
    elementOid,
    isEnum,
    isPolymorphic,
} from './types.ts';

export interface Candidate {
    readonly args: readonly number[];
}

/** Those that the actual types can be coerced to implicitly. */
export function matching<C extends Candidate>(
    state: StatementState,
    candidates: readonly C[],
    actual: readonly number[],
): readonly C[] {
    return candidates.filter(
        (candidate) =>
            candidate.args.length === actual.length &&
            candidate.args.every((declared, i) => canCoerce(state, actual[i] ?? 0, declared, 'implicit')) &&
            isConsistent(state, candidate.args, actual),
    );
}

/** check_generic_type_consistency */
function isConsistent(state: StatementState, declared: readonly number[], actual: readonly number[]): boolean {
    if (!declared.some(isPolymorphic)) return true;
    return resolvePolymorphic(state, declared, actual) !== undefined;
}

export interface Resolution {
    /** Declared types with the polymorphic ones replaced. */
    readonly args: readonly number[];
    readonly element: number;
    readonly compatible: number;
}

/**
 * Finds what the polymorphic types stand for. undefined = not consistent. All-unknown arguments of anyelement kind
 * cannot be determined: PostgreSQL raises an error later, we say inconsistent at once.
 */
export function resolvePolymorphic(
    state: StatementState,
    declared: readonly number[],
    actual: readonly number[],
): Resolution | undefined {
    let element = 0;
    let array = 0;
    let needsEnum = false;
    let needsNonArray = false;
    let compatibleNonArray = false;
    const compatible: number[] = [];
    for (const [i, type] of declared.entries()) {
        const given = actual[i] ?? 0;
        if (!isPolymorphic(type)) continue;
        if (type === ANYELEMENT || type === ANYNONARRAY || type === ANYENUM) {
            needsEnum ||= type === ANYENUM;
            needsNonArray ||= type === ANYNONARRAY;
            if (given === OID.unknown) continue;
            if (element !== 0 && element !== given) return undefined;
            element = given;
        } else if (type === ANYARRAY) {
            if (given === OID.unknown) continue;
            const base = baseOid(state, given);
            if (array !== 0 && array !== base) return undefined;
            array = base;
        } else if (type === ANYCOMPATIBLE || type === ANYCOMPATIBLENONARRAY) {
            compatibleNonArray ||= type === ANYCOMPATIBLENONARRAY;
            if (given !== OID.unknown) compatible.push(given);
        } else if (type === ANYCOMPATIBLEARRAY) {
            if (given === OID.unknown) continue;
            const of = elementOid(state, given);
            if (of === 0) return undefined;
            compatible.push(of);
        } else {
            // Ranges: not for values we hold. An unknown literal could be one only if nothing else fits.
            return undefined;
        }
    }
    if (array !== 0) {
        const of = elementOid(state, array);
        if (of === 0) return undefined;
        if (element === 0) element = of;
        else if (element !== of) return undefined;
    }
    const usesElement = declared.some(
        (type) => type === ANYELEMENT || type === ANYARRAY || type === ANYNONARRAY || type === ANYENUM,
    );
    if (usesElement && element === 0) return undefined;
    if (needsNonArray && elementOid(state, element) !== 0) return undefined;
    if (needsEnum && !isEnum(state, element)) return undefined;
    const usesCompatible = declared.some(
        (type) => type === ANYCOMPATIBLE || type === ANYCOMPATIBLEARRAY || type === ANYCOMPATIBLENONARRAY,
    );
    let chosen = 0;
    if (usesCompatible) {
        if (compatible.length === 0) chosen = OID.text;
        else {
            const common = commonType(state, compatible);
            if (common === undefined) return undefined;
            if (!compatible.every((type) => canCoerce(state, type, common, 'implicit'))) return undefined;
            chosen = common;
        }
        if (compatibleNonArray && elementOid(state, chosen) !== 0) return undefined;
    }
    const args = declared.map((type) => resultType(state, type, {element, compatible: chosen}));
    return args.includes(0) ? undefined : {args, element, compatible: chosen};
}

/** A declared (argument or result) type with the polymorphic ones replaced; 0 when there is none. */
export function resultType(
    state: StatementState,
    declared: number,
    {element, compatible}: {readonly element: number; readonly compatible: number},
): number {
    if (!isPolymorphic(declared)) return declared;
    if (declared === ANYELEMENT || declared === ANYNONARRAY || declared === ANYENUM) return element;
    if (declared === ANYARRAY) return arrayOid(state, element);
    if (declared === ANYCOMPATIBLE || declared === ANYCOMPATIBLENONARRAY) return compatible;
    if (declared === ANYCOMPATIBLEARRAY) return arrayOid(state, compatible);
    return 0;
}

/** func_select_candidate: the rules of documentation section 10.3, step 4 (10.2, step 3 for operators). */
export function select<C extends Candidate>(
    state: StatementState,
    candidates: readonly C[],
    actual: readonly number[],
): C {
    const [only] = candidates;
    if (only === undefined) throw new Unsupported('no candidate');
    if (candidates.length === 1) return only;
    const input = actual.map((oid) => (oid === OID.unknown ? oid : baseOid(state, oid)));

    // The most exact matches on known types.
    let left = best(candidates, (c) => count(c, (type, i) => input[i] !== OID.unknown && type === input[i]));
    if (left.length === 1 && left[0] !== undefined) return left[0];

    // The most exact matches or preferred types of the input's category.
    const categories = input.map((oid) => categoryOf(state, oid).category);
    left = best(left, (c) =>
        count(
            c,
            (type, i) =>
                input[i] !== OID.unknown && (type === input[i] || isPreferred(state, categories[i] ?? '', type)),
        ),
    );
    if (left.length === 1 && left[0] !== undefined) return left[0];

    const unknowns = [...input.keys()].filter((i) => input[i] === OID.unknown);
    if (unknowns.length === 0) throw new Unsupported('ambiguous candidates');
    left = byUnknownCategories(state, left, unknowns);
    if (left.length === 1 && left[0] !== undefined) return left[0];

    // All known inputs of one type: try the unknown ones as that type.
    const known = new Set(input.filter((oid) => oid !== OID.unknown));
    const [type] = known;
    if (known.size === 1 && type !== undefined) {
        const fitting = left.filter((c) => c.args.every((declared) => canCoerce(state, type, declared, 'implicit')));
        if (fitting.length === 1 && fitting[0] !== undefined) return fitting[0];
    }
    throw new Unsupported('ambiguous candidates');
}

/** Step 4e: unknown arguments take a category that the candidates agree on; string wins. */
function byUnknownCategories<C extends Candidate>(
    state: StatementState,
    candidates: readonly C[],
    unknowns: readonly number[],
): readonly C[] {
    const slots: {category: string; havePreferred: boolean}[] = [];
    for (const i of unknowns) {
        let category = '';
        let havePreferred = false;
        let conflict = false;
        for (const candidate of candidates) {
            const current = categoryOf(state, candidate.args[i] ?? 0);
            if (category === '') {
                category = current.category;
                havePreferred = current.preferred;
            } else if (current.category === category) {
                havePreferred ||= current.preferred;
            } else if (current.category === 'S') {
                category = 'S';
                havePreferred = current.preferred;
            } else {
                conflict ||= category !== 'S';
            }
        }
        if (conflict && category !== 'S') return candidates;
        slots.push({category, havePreferred});
    }
    const kept = candidates.filter((candidate) =>
        unknowns.every((i, slot) => {
            const {category, havePreferred} = slots[slot] ?? {category: '', havePreferred: false};
            const current = categoryOf(state, candidate.args[i] ?? 0);
            return current.category === category && (!havePreferred || current.preferred);
        }),
    );
    return kept.length > 0 ? kept : candidates;
}

function isPreferred(state: StatementState, category: string, type: number): boolean {
    const kind = categoryOf(state, type);
    return kind.category === category && kind.preferred;
}

function count(candidate: Candidate, test: (type: number, index: number) => boolean): number {
    let total = 0;
    for (const [i, type] of candidate.args.entries()) if (test(type, i)) total++;
    return total;
}

function best<C>(candidates: readonly C[], score: (candidate: C) => number): readonly C[] {
    const scores = candidates.map(score);
    const most = Math.max(...scores);
    return candidates.filter((_, i) => scores[i] === most);
}
