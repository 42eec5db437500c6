/**
 * Function calls: plain functions, aggregates and window functions. ParseFuncOrColumn and func_get_detail of
 * PostgreSQL's parse_func.c, transformAggregateCall and transformWindowFuncCall of parse_agg.c.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {BuiltinFunction} from '../builtins/catalog.ts';
import {builtinTypeNamed, castBetween, functionsNamed} from '../builtins/catalog.ts';
import type {AggregateExpr, Expr, FunctionExpr, SortKey} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {FuncCall, Node} from '../nodes.ts';
import {as, strings, tagOf} from '../nodes.ts';
import {matching, resolvePolymorphic, resultType, select} from './candidates.ts';
import {coerce, coerceToTarget, resolveUnknown} from './coerce.ts';
import type {StatementState} from './context.ts';
import {bindBoolean, bindExpression} from './expressions.ts';
import type {QueryScope} from './scope.ts';
import {sortKey} from './sorting.ts';
import {ANY, baseOid, coercionPathway, elementOid, isPolymorphic, isSupported, plain} from './types.ts';
import {sameExpr, walk} from './walk.ts';
import {bindWindow} from './windows.ts';

const SEQUENCE_FUNCTIONS = new Set(['nextval', 'currval', 'setval']);

export function bindCall(state: StatementState, scope: QueryScope, call: FuncCall): Expr {
    const name = functionName(state, call);
    if (call.func_variadic === true) throw new Unsupported('VARIADIC');
    if (call.args?.some((arg) => tagOf(arg) === 'NamedArgExpr') === true) throw new Unsupported('named arguments');
    if (SEQUENCE_FUNCTIONS.has(name)) return bindSequenceCall(state, scope, name, call);
    // rank() is a window function, and with WITHIN GROUP a hypothetical-set aggregate, which is not bound.
    const isAggregate = functionsNamed(name).some((f) => f.kind === 'aggregate' || f.kind === 'ordered-set');
    if (isAggregate) return bindAggregate(state, scope, name, call);
    if (hasAggregateSyntax(call)) throw new Unsupported('aggregate syntax on a function');
    if (call.over !== undefined) return bindWindowFunction(state, scope, name, call);
    const args = (call.args ?? []).map((arg) => bindExpression(state, scope, arg));
    const bound = resolveCall(state, name, args);
    if ('cast' in bound) return bound.cast;
    if (bound.chosen.kind !== 'function') throw new Unsupported('window function without OVER');
    if (bound.chosen.returnsSet) throw new Unsupported('set-returning function');
    return {kind: 'function', name, args: bound.args, type: plain(bound.result)};
}

/** For FROM: may return a set. */
export function bindTableCall(
    state: StatementState,
    scope: QueryScope,
    call: FuncCall,
): {readonly call: FunctionExpr; readonly columnName: string | undefined} {
    const name = functionName(state, call);
    if (call.func_variadic === true || call.over !== undefined || hasAggregateSyntax(call)) {
        throw new Unsupported('function in FROM');
    }
    const args = (call.args ?? []).map((arg) => bindExpression(state, scope, arg));
    const bound = resolveCall(state, name, args);
    if ('cast' in bound || bound.chosen.kind !== 'function') throw new Unsupported('function in FROM');
    const columnName = bound.chosen.hasOutParameters ? OUT_PARAMETERS[name] : undefined;
    if (bound.chosen.hasOutParameters && columnName === undefined) throw new Unsupported('OUT parameters');
    return {call: {kind: 'function', name, args: bound.args, type: plain(bound.result)}, columnName};
}

/** Functions of one OUT parameter, which names the column. */
const OUT_PARAMETERS: Readonly<Record<string, string>> = {
    json_array_elements: 'value',
    json_array_elements_text: 'value',
    jsonb_array_elements: 'value',
    jsonb_array_elements_text: 'value',
};

function functionName(state: StatementState, call: FuncCall): string {
    const parts = strings(call.funcname) ?? [];
    const name = parts.at(-1);
    if (name === undefined || parts.length > 2) throw new Unsupported('function name');
    if (parts.length === 2 && parts[0] !== 'pg_catalog') throw new Unsupported('function outside of pg_catalog');
    if (parts.length === 1 && state.context.hasUserFunction?.(name) === true) throw new Unsupported('user function');
    if (functionsNamed(name).length === 0) throw new Unsupported(`function ${name}`);
    return name;
}

function hasAggregateSyntax(call: FuncCall): boolean {
    return (
        call.agg_star === true ||
        call.agg_distinct === true ||
        call.agg_filter !== undefined ||
        call.agg_within_group === true ||
        (call.agg_order?.length ?? 0) > 0
    );
}

interface ResolvedCall {
    readonly chosen: BuiltinFunction;
    /** Coerced to the declared types. */
    readonly args: readonly Expr[];
    readonly result: number;
}

/** func_get_detail: an exact match, then a cast written as a call, then the best candidate. */
function resolveCall(state: StatementState, name: string, given: readonly Expr[]): ResolvedCall | {cast: Expr} {
    const actual = given.map((arg) => arg.type.oid);
    const candidates = expand(name, actual.length);
    const exact = candidates.find((c) => c.args.every((type, i) => type === actual[i]));
    if (exact !== undefined) return settle(state, exact, given);
    const cast = given.length === 1 && given[0] !== undefined ? castCall(state, name, given[0]) : undefined;
    if (cast !== undefined) return {cast};
    return settle(state, select(state, matching(state, candidates, actual), actual), given);
}

interface Expanded {
    readonly chosen: BuiltinFunction;
    readonly args: readonly number[];
}

/** Overloads of this many arguments, variadic ones drawn out. Left-out defaults are filled in by `settle`. */
function expand(name: string, count: number): readonly Expanded[] {
    const fitting: Expanded[] = [];
    for (const chosen of functionsNamed(name)) {
        const {args} = chosen;
        if (chosen.variadic) {
            const last = args.at(-1);
            if (last === undefined || count < args.length) continue;
            const element = last === ANY ? ANY : elementOfVariadic(last);
            const extra = Array.from({length: count - args.length + 1}, () => element);
            fitting.push({chosen, args: [...args.slice(0, -1), ...extra]});
        } else if (args.length === count) {
            fitting.push({chosen, args});
        } else if (args.length > count && chosen.hasDefaults) {
            const missing = args.length - count;
            if ((DEFAULT_ARGUMENTS[name]?.length ?? 0) < missing) throw new Unsupported('default arguments');
            fitting.push({chosen, args: args.slice(0, count)});
        }
    }
    return fitting;
}

function elementOfVariadic(array: number): number {
    if (array !== TEXT_ARRAY) throw new Unsupported('variadic function');
    return OID.text;
}

const TEXT_ARRAY = builtinTypeNamed('_text')?.oid ?? 0;

/** Trailing defaults of pg_proc.proargdefaults, as literals of the declared types. */
const DEFAULT_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
    jsonb_set: ['true'],
    jsonb_insert: ['false'],
    json_strip_nulls: ['false'],
    jsonb_strip_nulls: ['false'],
    make_interval: ['0', '0', '0', '0', '0', '0', '0.0'],
    normalize: ['NFC'],
};

/** `date(x)`, `text(x)`: a call with one argument and the name of a type may be a cast. */
function castCall(state: StatementState, name: string, arg: Expr): Expr | undefined {
    const type = builtinTypeNamed(name);
    if (type === undefined) return undefined;
    const isCast =
        arg.type.oid === OID.unknown ||
        coercionPathway(state, arg.type.oid, type.oid, 'explicit') === 'relabel' ||
        isThroughText(state, arg.type.oid, type.oid);
    return isCast ? coerceToTarget(state, arg, plain(type.oid), 'explicit') : undefined;
}

/** COERCEVIAIO: no cast is declared, but one side is a string. */
function isThroughText(state: StatementState, source: number, target: number): boolean {
    if (castBetween(baseOid(state, source), target) !== undefined || elementOid(state, source) !== 0) return false;
    return coercionPathway(state, source, target, 'explicit') === 'convert';
}

function settle(state: StatementState, {chosen, args: declared}: Expanded, given: readonly Expr[]): ResolvedCall {
    let args = declared;
    let result = chosen.result;
    if (declared.some(isPolymorphic)) {
        const resolution = resolvePolymorphic(
            state,
            declared,
            given.map((arg) => arg.type.oid),
        );
        if (resolution === undefined) throw new Unsupported('polymorphic function');
        args = resolution.args;
        result = resultType(state, result, resolution);
    }
    if (!isSupported(state, result)) throw new Unsupported('result type without a codec');
    const coerced = given.map((arg, i) => coerce(state, arg, args[i] ?? 0, 'implicit'));
    if (!coerced.every((arg) => isSupported(state, arg.type.oid))) throw new Unsupported('argument type');
    const missing = chosen.args.length - given.length;
    if (!chosen.variadic && missing > 0) {
        const defaults = DEFAULT_ARGUMENTS[chosen.name]?.slice(-missing) ?? [];
        for (const [i, text] of defaults.entries()) {
            const literal: Expr = {kind: 'const', type: plain(OID.unknown), value: text};
            coerced.push(coerce(state, literal, chosen.args[given.length + i] ?? 0, 'implicit'));
        }
    }
    return {chosen, args: coerced, result};
}

/** nextval('name'): the sequence's name stays text under the type regclass. */
function bindSequenceCall(state: StatementState, scope: QueryScope, name: string, call: FuncCall): Expr {
    const [first, ...others] = call.args ?? [];
    if (first === undefined || hasAggregateSyntax(call) || call.over !== undefined) throw new Unsupported(name);
    const sequence = sequenceName(first);
    const args = others.map((arg) => bindExpression(state, scope, arg));
    const wanted = [OID.int8, OID.bool];
    const countIsRight = name === 'setval' ? args.length === 1 || args.length === 2 : args.length === 0;
    if (!countIsRight) throw new Unsupported(name);
    const coerced = args.map((arg, i) => coerce(state, arg, wanted[i] ?? 0, 'implicit'));
    const literal: Expr = {kind: 'const', type: plain(OID.regclass), value: sequence};
    return {kind: 'function', name, args: [literal, ...coerced], type: plain(OID.int8)};
}

function sequenceName(node: Node): string {
    const cast = as(node, 'TypeCast');
    if (cast !== undefined) {
        const type = strings(cast.typeName.names)?.at(-1);
        if (type !== 'regclass' && type !== 'text') throw new Unsupported('sequence name');
        return sequenceName(cast.arg);
    }
    const text = as(node, 'A_Const')?.sval;
    if (text === undefined) throw new Unsupported('sequence name');
    return text.sval ?? '';
}

function bindAggregate(state: StatementState, scope: QueryScope, name: string, call: FuncCall): Expr {
    if (scope.insideAggregate) throw new Unsupported('nested aggregate');
    if (scope.clause !== 'target' && scope.clause !== 'having' && scope.clause !== 'order') {
        throw new Unsupported(`aggregate in ${scope.clause}`);
    }
    const isWindow = call.over !== undefined;
    if (isWindow && scope.insideWindow) throw new Unsupported('nested window function');
    const wasInsideAggregate = scope.insideAggregate;
    const wasInsideWindow = scope.insideWindow;
    if (isWindow) scope.insideWindow = true;
    else scope.insideAggregate = true;
    let parts: AggregateParts;
    try {
        parts = bindAggregateParts(state, scope, name, call);
    } finally {
        scope.insideAggregate = wasInsideAggregate;
        scope.insideWindow = wasInsideWindow;
    }
    const {args, orderBy, filter, result, withinGroup} = parts;
    const star = call.agg_star === true;
    const type = plain(result);
    if (call.over !== undefined) {
        if (call.agg_distinct === true || orderBy.length > 0 || withinGroup) throw new Unsupported('window aggregate');
        return bindWindow(state, scope, call.over, {name, args, star, filter, isAggregate: true}, type);
    }
    requireOwnLevel([...args, ...orderBy.map((key) => key.expr)]);
    scope.hasAggregates = true;
    const distinct = call.agg_distinct === true;
    return {kind: 'aggregate', name, star, args, distinct, filter, orderBy, withinGroup, type} satisfies AggregateExpr;
}

interface AggregateParts {
    readonly args: readonly Expr[];
    readonly orderBy: readonly SortKey[];
    readonly filter: Expr | null;
    readonly result: number;
    readonly withinGroup: boolean;
}

function bindAggregateParts(state: StatementState, scope: QueryScope, name: string, call: FuncCall): AggregateParts {
    const given = (call.args ?? []).map((arg) => bindExpression(state, scope, arg));
    // PostgreSQL binds the filter right after the arguments.
    const filter = call.agg_filter === undefined ? null : bindBoolean(state, scope, call.agg_filter);
    const withinGroup = call.agg_within_group === true;
    const sorts = (call.agg_order ?? []).map((node) => {
        const sort = as(node, 'SortBy');
        if (sort === undefined) throw new Unsupported('ORDER BY');
        return {sort, expr: bindExpression(state, scope, sort.node)};
    });
    const all = withinGroup ? [...given, ...sorts.map(({expr}) => expr)] : given;
    const resolved = resolveCall(state, name, all);
    if ('cast' in resolved) throw new Unsupported('aggregate');
    const {chosen, args, result} = resolved;
    if (withinGroup ? chosen.kind !== 'ordered-set' : chosen.kind !== 'aggregate') throw new Unsupported('aggregate');
    if (withinGroup && chosen.directArgs !== given.length) throw new Unsupported('WITHIN GROUP');
    if (call.agg_star === true ? given.length > 0 || name !== 'count' : given.length === 0 && !withinGroup) {
        throw new Unsupported('aggregate without arguments');
    }
    const orderBy = sorts.map(({sort, expr}, i) => {
        const key = withinGroup ? args[given.length + i] : resolveUnknown(state, expr);
        if (key === undefined) throw new Unsupported('WITHIN GROUP');
        return sortKey(state, sort, key);
    });
    const direct = withinGroup ? args.slice(0, given.length) : args;
    if (call.agg_distinct === true) {
        if (withinGroup) throw new Unsupported('DISTINCT');
        if (orderBy.some((key) => !direct.some((arg) => sameExpr(arg, key.expr)))) throw new Unsupported('DISTINCT');
    }
    return {args: direct, orderBy, filter, result, withinGroup};
}

/** An aggregate over columns of an outer query alone belongs to that query: not ours to decide. */
function requireOwnLevel(exprs: readonly Expr[]): void {
    let own = false;
    let outer = false;
    for (const expr of exprs) {
        walk(expr, (e, depth) => {
            if (e.kind === 'column' && e.source >= 0) {
                if (e.level === depth) own = true;
                else if (e.level > depth) outer = true;
            }
            return true;
        });
    }
    if (outer && !own) throw new Unsupported('aggregate of an outer query');
}

function bindWindowFunction(state: StatementState, scope: QueryScope, name: string, call: FuncCall): Expr {
    if (call.over === undefined) throw new Unsupported('window function without OVER');
    if (scope.insideWindow || scope.insideAggregate) throw new Unsupported('nested window function');
    scope.insideWindow = true;
    let resolved: ReturnType<typeof resolveCall>;
    try {
        const args = (call.args ?? []).map((arg) => bindExpression(state, scope, arg));
        resolved = resolveCall(state, name, args);
    } finally {
        scope.insideWindow = false;
    }
    if ('cast' in resolved || resolved.chosen.kind !== 'window') throw new Unsupported('OVER');
    const {args, result} = resolved;
    return bindWindow(
        state,
        scope,
        call.over,
        {name, args, star: false, filter: null, isAggregate: false},
        plain(result),
    );
}
