/**
 * Operators: oper(), left_oper(), make_op() and make_scalar_array_op() of PostgreSQL's parse_oper.c.
 */
import {OID} from '../../../catalog/types/oids.ts';
import {operatorsNamed} from '../builtins/catalog.ts';
import type {Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Resolution} from './candidates.ts';
import {matching, resolvePolymorphic, resultType, select} from './candidates.ts';
import {coerce} from './coerce.ts';
import type {StatementState} from './context.ts';
import {arrayOid, baseOid, BOOL, elementOid, isPolymorphic, isSupported, plain} from './types.ts';

export interface ResolvedOperator {
    /** Empty at the left for a prefix operator. */
    readonly args: readonly number[];
    readonly result: number;
}

/** `actual` has one type for a prefix operator, else two. */
export function resolveOperator(state: StatementState, name: string, actual: readonly number[]): ResolvedOperator {
    const candidates = operatorsNamed(name)
        .filter((o) => (o.left === 0) === (actual.length === 1))
        .map((o) => ({args: o.left === 0 ? [o.right] : [o.left, o.right], result: o.result}));
    const chosen = exact(state, candidates, actual) ?? select(state, matching(state, candidates, actual), actual);
    return settle(state, chosen, actual);
}

/** binary_oper_exact: an unknown side is taken as the other's type; then its base type is tried. */
function exact<C extends {readonly args: readonly number[]}>(
    state: StatementState,
    candidates: readonly C[],
    actual: readonly number[],
): C | undefined {
    const find = (types: readonly number[]): C | undefined =>
        candidates.find((c) => c.args.every((type, i) => type === types[i]));
    const [left, right] = actual;
    if (left === undefined || right === undefined) return find(actual);
    if (left !== OID.unknown && right !== OID.unknown) return find(actual);
    if (left === right) return find(actual);
    const known = left === OID.unknown ? right : left;
    const base = baseOid(state, known);
    return find([known, known]) ?? (base === known ? undefined : find([base, base]));
}

function settle(
    state: StatementState,
    chosen: {readonly args: readonly number[]; readonly result: number},
    actual: readonly number[],
): ResolvedOperator {
    let {args, result} = chosen;
    if (args.some(isPolymorphic) || isPolymorphic(result)) {
        const resolution: Resolution | undefined = resolvePolymorphic(state, args, actual);
        if (resolution === undefined) throw new Unsupported('polymorphic operator');
        result = resultType(state, result, resolution);
        args = resolution.args;
    }
    if (!args.every((oid) => isSupported(state, oid)) || !isSupported(state, result)) {
        throw new Unsupported('operator on types without a codec');
    }
    return {args, result};
}

export function makeOperator(state: StatementState, op: string, left: Expr | null, right: Expr): Expr {
    const actual = left === null ? [right.type.oid] : [left.type.oid, right.type.oid];
    const resolved = resolveOperator(state, op, actual);
    const type = plain(resolved.result);
    if (left === null) {
        return {kind: 'operator', op, left: null, right: coerce(state, right, resolved.args[0] ?? 0, 'implicit'), type};
    }
    const boundLeft = coerce(state, left, resolved.args[0] ?? 0, 'implicit');
    const boundRight = coerce(state, right, resolved.args[1] ?? 0, 'implicit');
    const like = LIKE_OPERATORS.get(op);
    if (like !== undefined && boundRight.type.oid === OID.text) {
        return {kind: 'like', arg: boundLeft, pattern: boundRight, ...like, escape: null, type};
    }
    return {kind: 'operator', op, left: boundLeft, right: boundRight, type};
}

const LIKE_OPERATORS = new Map([
    ['~~', {caseInsensitive: false, negated: false}],
    ['!~~', {caseInsensitive: false, negated: true}],
    ['~~*', {caseInsensitive: true, negated: false}],
    ['!~~*', {caseInsensitive: true, negated: true}],
]);

/** `left op ANY|ALL (array)` */
export function makeScalarArray(state: StatementState, op: string, any: boolean, left: Expr, array: Expr): Expr {
    const given = array.type.oid;
    const element = given === OID.unknown ? OID.unknown : elementOid(state, given);
    if (element === 0) throw new Unsupported('ANY/ALL of something that is no array');
    const resolved = resolveOperator(state, op, [left.type.oid, element]);
    if (resolved.result !== OID.bool) throw new Unsupported('ANY/ALL needs a boolean operator');
    const wanted = arrayOid(state, resolved.args[1] ?? 0);
    if (wanted === 0) throw new Unsupported('no array type');
    return {
        kind: 'scalararray',
        op,
        any,
        left: coerce(state, left, resolved.args[0] ?? 0, 'implicit'),
        array: coerce(state, array, wanted, 'implicit'),
        type: BOOL,
    };
}
