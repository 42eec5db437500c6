/**
 * Expressions of the parse tree to bound expressions: transformExprRecurse of PostgreSQL's parse_expr.c.
 *
 * What must stay true: sub-expressions are bound in PostgreSQL's order, because the first context that a parameter of
 * unknown type meets decides its type.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {BoundQuery, Expr, SqlValueExpr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {AConst, AExpr, CaseExprNode, ColumnRef, Node, SqlValueFunction, SubLink, TypeCast} from '../nodes.ts';
import {as, strings, tagOf} from '../nodes.ts';
import {bindCall} from './calls.ts';
import {coerce, coerceToBoolean, coerceToTarget, unify} from './coerce.ts';
import type {StatementState} from './context.ts';
import {makeOperator, makeScalarArray} from './operators.ts';
import {castColumns} from './query-columns.ts';
import type {QueryScope} from './scope.ts';
import {bindSubquery} from './select.ts';
import {bindTypeName} from './type-names.ts';
import {arrayOid, BOOL, commonType, elementOid, plain, UNKNOWN} from './types.ts';
import {contains} from './walk.ts';

/** Depth of the expression tree; deeper ones would exhaust the stack of some later pass. */
const DEPTH_MAX = 500;
let depth = 0;

export function bindExpression(state: StatementState, scope: QueryScope, node: Node): Expr {
    if (depth >= DEPTH_MAX) throw new Unsupported('expression nested too deeply');
    depth++;
    try {
        return dispatch(state, scope, node);
    } finally {
        depth--;
    }
}

export function bindBoolean(state: StatementState, scope: QueryScope, node: Node): Expr {
    return coerceToBoolean(state, bindExpression(state, scope, node));
}

function dispatch(state: StatementState, scope: QueryScope, node: Node): Expr {
    const bind = (child: Node): Expr => bindExpression(state, scope, child);
    switch (tagOf(node)) {
        case 'ColumnRef':
            return bindColumnRef(scope, node.ColumnRef as ColumnRef);
        case 'A_Const':
            return bindConst(state, node.A_Const as AConst);
        case 'ParamRef': {
            const index = (as(node, 'ParamRef')?.number ?? 0) - 1;
            return {kind: 'param', index, type: plain(state.parameterType(index))};
        }
        case 'A_Expr':
            return bindOperatorForm(state, scope, node.A_Expr as AExpr);
        case 'BoolExpr': {
            const {boolop, args} = as(node, 'BoolExpr') ?? {boolop: 'AND_EXPR', args: []};
            const bound = args.map((arg) => bindBoolean(state, scope, arg));
            const [first] = bound;
            if (boolop === 'NOT_EXPR' && first !== undefined) return {kind: 'not', arg: first, type: BOOL};
            return {kind: boolop === 'AND_EXPR' ? 'and' : 'or', args: bound, type: BOOL};
        }
        case 'TypeCast':
            return bindTypeCast(state, scope, node.TypeCast as TypeCast);
        case 'FuncCall': {
            const call = as(node, 'FuncCall');
            if (call === undefined) throw new Unsupported('call');
            return bindCall(state, scope, call);
        }
        case 'SubLink':
            return bindSubLink(state, scope, node.SubLink as SubLink);
        case 'CaseExpr':
            return bindCase(state, scope, node.CaseExpr as CaseExprNode);
        case 'CoalesceExpr': {
            const {type, exprs} = unify(state, (as(node, 'CoalesceExpr')?.args ?? []).map(bind));
            return {kind: 'coalesce', args: exprs, type};
        }
        case 'MinMaxExpr': {
            const minMax = as(node, 'MinMaxExpr');
            const {type, exprs} = unify(state, (minMax?.args ?? []).map(bind));
            return {kind: minMax?.op === 'IS_LEAST' ? 'least' : 'greatest', args: exprs, type};
        }
        case 'NullTest': {
            const test = as(node, 'NullTest');
            if (test === undefined) throw new Unsupported('null test');
            const arg = bind(test.arg);
            return {kind: 'isnull', arg, negated: test.nulltesttype === 'IS_NOT_NULL', type: BOOL};
        }
        case 'BooleanTest': {
            const test = as(node, 'BooleanTest');
            const [kind, negated] = BOOLEAN_TESTS[test?.booltesttype ?? ''] ?? [];
            if (test === undefined || kind === undefined) throw new Unsupported('boolean test');
            const arg = bindBoolean(state, scope, test.arg);
            return {kind: 'booltest', arg, test: kind, negated: negated === true, type: BOOL};
        }
        case 'A_ArrayExpr':
            return bindArray(state, scope, as(node, 'A_ArrayExpr')?.elements ?? [], undefined);
        case 'SQLValueFunction':
            return bindSqlValue(node.SQLValueFunction as SqlValueFunction);
        case 'GroupingFunc': {
            scope.hasAggregates = true;
            const args = (as(node, 'GroupingFunc')?.args ?? []).map(bind);
            return {kind: 'function', name: 'grouping', args, type: plain(OID.int4)};
        }
        default:
            throw new Unsupported(tagOf(node));
    }
}

const BOOLEAN_TESTS: Readonly<Record<string, readonly ['true' | 'false' | 'unknown', boolean]>> = {
    IS_TRUE: ['true', false],
    IS_NOT_TRUE: ['true', true],
    IS_FALSE: ['false', false],
    IS_NOT_FALSE: ['false', true],
    IS_UNKNOWN: ['unknown', false],
    IS_NOT_UNKNOWN: ['unknown', true],
};

function bindColumnRef(scope: QueryScope, {fields}: ColumnRef): Expr {
    const names = strings(fields);
    if (names === undefined) throw new Unsupported('* in an expression');
    const [first = '', second, third, ...rest] = names;
    if (rest.length > 0) throw new Unsupported('qualified name');
    if (second === undefined) return scope.findColumn(first) ?? scope.functionValue(first);
    if (third === undefined) return scope.qualifiedColumn(undefined, first, second);
    return scope.qualifiedColumn(first, second, third);
}

const INT8_MAX = 2n ** 63n - 1n;

function bindConst(state: StatementState, node: AConst): Expr {
    if (node.isnull === true) return {kind: 'const', type: UNKNOWN, value: null};
    if (node.ival !== undefined) return {kind: 'const', type: plain(OID.int4), value: node.ival.ival ?? 0};
    if (node.sval !== undefined) return {kind: 'const', type: UNKNOWN, value: node.sval.sval ?? ''};
    if (node.boolval !== undefined) return {kind: 'const', type: BOOL, value: node.boolval.boolval ?? false};
    if (node.fval !== undefined) return bindNumber(state, node.fval.fval ?? '');
    throw new Unsupported('bit string');
}

/** make_const: digits that fit are int8 (those that fit int4 came as ival), all else is numeric. */
function bindNumber(state: StatementState, text: string): Expr {
    const digits = text.replaceAll('_', '');
    if (/^[+-]?(\d+|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(digits)) {
        const negative = digits.startsWith('-');
        const magnitude = BigInt(/^[+-]/.test(digits) ? digits.slice(1) : digits);
        const value = negative ? -magnitude : magnitude;
        if (value <= INT8_MAX && value >= -INT8_MAX - 1n) return {kind: 'const', type: plain(OID.int8), value};
        if (!/^[+-]?\d+$/.test(digits)) throw new Unsupported('number');
    }
    const numeric = state.context.types.get(OID.numeric);
    if (numeric === undefined) throw new Unsupported('numeric');
    return {kind: 'const', type: plain(OID.numeric), value: numeric.parse(digits)};
}

function operatorName(name: readonly Node[]): string {
    const parts = strings(name) ?? [];
    const last = parts.at(-1);
    if (last === undefined || parts.length > 2 || (parts.length === 2 && parts[0] !== 'pg_catalog')) {
        throw new Unsupported('operator name');
    }
    return last;
}

function bindOperatorForm(state: StatementState, scope: QueryScope, node: AExpr): Expr {
    const {lexpr, rexpr} = node;
    if (rexpr === undefined) throw new Unsupported('postfix operator');
    if (lexpr === undefined) {
        return makeOperator(state, operatorName(node.name), null, bindExpression(state, scope, rexpr));
    }
    switch (node.kind) {
        case 'AEXPR_OP':
            return bindComparison(state, scope, operatorName(node.name), lexpr, rexpr);
        case 'AEXPR_OP_ANY':
        case 'AEXPR_OP_ALL': {
            const left = bindExpression(state, scope, lexpr);
            const right = bindExpression(state, scope, rexpr);
            return makeScalarArray(state, operatorName(node.name), node.kind === 'AEXPR_OP_ANY', left, right);
        }
        case 'AEXPR_DISTINCT':
        case 'AEXPR_NOT_DISTINCT': {
            const equal = bindComparison(state, scope, '=', lexpr, rexpr);
            if (equal.kind !== 'operator' || equal.left === null) throw new Unsupported('IS DISTINCT FROM of rows');
            const negated = node.kind === 'AEXPR_NOT_DISTINCT';
            return {kind: 'distinct', left: equal.left, right: equal.right, negated, type: BOOL};
        }
        case 'AEXPR_NULLIF': {
            const equal = bindComparison(state, scope, '=', lexpr, rexpr);
            if (equal.kind !== 'operator' || equal.left === null) throw new Unsupported('NULLIF of rows');
            return {kind: 'nullif', left: equal.left, right: equal.right, type: equal.left.type};
        }
        case 'AEXPR_IN':
            return bindInList(state, scope, node, lexpr, as(rexpr, 'List')?.items ?? []);
        case 'AEXPR_LIKE':
        case 'AEXPR_ILIKE':
            return bindLike(state, scope, node, lexpr, rexpr);
        case 'AEXPR_BETWEEN':
        case 'AEXPR_NOT_BETWEEN':
        case 'AEXPR_BETWEEN_SYM':
        case 'AEXPR_NOT_BETWEEN_SYM':
            return bindBetween(state, scope, node.kind, lexpr, as(rexpr, 'List')?.items ?? []);
        default:
            throw new Unsupported(node.kind);
    }
}

/** An operator, or a comparison of two rows column by column. */
function bindComparison(state: StatementState, scope: QueryScope, op: string, left: Node, right: Node): Expr {
    const leftRow = as(left, 'RowExpr');
    const rightRow = as(right, 'RowExpr');
    if (leftRow === undefined && rightRow === undefined) {
        const boundLeft = bindExpression(state, scope, left);
        return makeOperator(state, op, boundLeft, bindExpression(state, scope, right));
    }
    const lefts = leftRow?.args ?? [];
    const rights = rightRow?.args ?? [];
    if (lefts.length === 0 || lefts.length !== rights.length) throw new Unsupported('row comparison');
    const boundLefts = lefts.map((node) => bindExpression(state, scope, node));
    const boundRights = rights.map((node) => bindExpression(state, scope, node));
    return compareRows(state, op, boundLefts, boundRights);
}

/** Lexicographic order as PostgreSQL's RowCompareExpr: a NULL that is reached makes the result NULL. */
function compareRows(state: StatementState, op: string, lefts: readonly Expr[], rights: readonly Expr[]): Expr {
    const compare = (operator: string, i: number): Expr => {
        const [left, right] = [lefts[i], rights[i]];
        if (left === undefined || right === undefined) throw new Unsupported('row comparison');
        return makeOperator(state, operator, left, right);
    };
    const all = (operator: string): Expr[] => lefts.map((_, i) => compare(operator, i));
    if (op === '=') return lefts.length === 1 ? compare('=', 0) : {kind: 'and', args: all('='), type: BOOL};
    if (op === '<>') return lefts.length === 1 ? compare('<>', 0) : {kind: 'or', args: all('<>'), type: BOOL};
    if (!['<', '<=', '>', '>='].includes(op)) throw new Unsupported('row comparison');
    // Parameters of unknown type must be settled by one operator family, which each single operator here belongs to.
    const strict = op.charAt(0);
    let result = compare(op, lefts.length - 1);
    for (let i = lefts.length - 2; i >= 0; i--) {
        const less = compare(strict, i);
        result = {
            kind: 'or',
            args: [less, {kind: 'and', args: [compare('=', i), result], type: BOOL}],
            type: BOOL,
        };
    }
    return result;
}

/** transformAExprIn: one array comparison over the items without columns, ORed with the others one by one. */
function bindInList(state: StatementState, scope: QueryScope, node: AExpr, lexpr: Node, items: readonly Node[]): Expr {
    const negated = operatorName(node.name) === '<>';
    const op = negated ? '<>' : '=';
    if (as(lexpr, 'RowExpr') !== undefined) {
        const tests = items.map((item) => bindComparison(state, scope, op, lexpr, item));
        return {kind: negated ? 'and' : 'or', args: tests, type: BOOL};
    }
    const left = bindExpression(state, scope, lexpr);
    const bound = items.map((item) => bindExpression(state, scope, item));
    const isVariable = (expr: Expr): boolean => contains(expr, (e) => e.kind === 'column' || e.kind === 'subquery');
    const fixed = bound.filter((expr) => !isVariable(expr));
    const tests: Expr[] = [];
    let single = bound;
    if (fixed.length > 1) {
        const scalar = commonType(
            state,
            [left, ...fixed].map((expr) => expr.type.oid),
        );
        if (scalar !== undefined && arrayOid(state, scalar) !== 0) {
            const elements = fixed.map((expr) => coerce(state, expr, scalar, 'implicit'));
            const array: Expr = {kind: 'array', elements, type: plain(arrayOid(state, scalar))};
            tests.push(inListOf(state, op, left, array, elements));
            single = bound.filter(isVariable);
        }
    }
    for (const expr of single) tests.push(makeOperator(state, op, left, expr));
    const [only] = tests;
    if (tests.length === 1 && only !== undefined) return only;
    return {kind: negated ? 'and' : 'or', args: tests, type: BOOL};
}

function inListOf(state: StatementState, op: string, left: Expr, array: Expr, elements: readonly Expr[]): Expr {
    const test = makeScalarArray(state, op, op === '=', left, array);
    if (test.kind !== 'scalararray') throw new Unsupported('IN');
    const element = elementOid(state, test.array.type.oid);
    const leftOid = test.left.type.oid;
    // Integers of different width, and dates with timestamps, have operators of their own: one common type says the same.
    const common = leftOid === element ? element : commonType(state, [leftOid, element]);
    if (common === undefined) throw new Unsupported('IN');
    return {
        kind: 'in',
        arg: coerce(state, test.left, common, 'implicit'),
        list: elements.map((expr) => coerce(state, expr, common, 'implicit')),
        negated: op === '<>',
        type: BOOL,
    };
}

function bindLike(state: StatementState, scope: QueryScope, node: AExpr, lexpr: Node, rexpr: Node): Expr {
    const op = operatorName(node.name);
    const left = bindExpression(state, scope, lexpr);
    const call = as(rexpr, 'FuncCall');
    const isEscape = call !== undefined && strings(call.funcname)?.at(-1) === 'like_escape';
    const [patternNode, escapeNode] = isEscape ? (call.args ?? []) : [rexpr, undefined];
    if (patternNode === undefined) throw new Unsupported('LIKE');
    if (escapeNode === undefined) {
        const bound = makeOperator(state, op, left, bindExpression(state, scope, patternNode));
        if (bound.kind !== 'like') throw new Unsupported('LIKE of this type');
        return bound;
    }
    const pattern = coerce(state, bindExpression(state, scope, patternNode), OID.text, 'implicit');
    const escape = coerce(state, bindExpression(state, scope, escapeNode), OID.text, 'implicit');
    const bound = makeOperator(state, op, left, pattern);
    if (bound.kind !== 'like') throw new Unsupported('LIKE of this type');
    return {...bound, escape};
}

function bindBetween(state: StatementState, scope: QueryScope, kind: string, arg: Node, bounds: readonly Node[]): Expr {
    const [low, high] = bounds;
    if (low === undefined || high === undefined) throw new Unsupported('BETWEEN');
    const compare = (op: string, bound: Node): Expr => bindComparison(state, scope, op, arg, bound);
    const inside = (from: Node, to: Node): Expr => ({
        kind: 'and',
        args: [compare('>=', from), compare('<=', to)],
        type: BOOL,
    });
    const outside = (from: Node, to: Node): Expr => ({
        kind: 'or',
        args: [compare('<', from), compare('>', to)],
        type: BOOL,
    });
    if (kind === 'AEXPR_BETWEEN') return inside(low, high);
    if (kind === 'AEXPR_NOT_BETWEEN') return outside(low, high);
    if (kind === 'AEXPR_BETWEEN_SYM') return {kind: 'or', args: [inside(low, high), inside(high, low)], type: BOOL};
    return {kind: 'and', args: [outside(low, high), outside(high, low)], type: BOOL};
}

function bindTypeCast(state: StatementState, scope: QueryScope, node: TypeCast): Expr {
    const target = bindTypeName(state, node.typeName);
    const array = as(node.arg, 'A_ArrayExpr');
    if (array !== undefined) {
        const element = elementOid(state, target.oid);
        if (element !== 0) {
            const bound = bindArray(state, scope, array.elements ?? [], {oid: element, typmod: target.typmod});
            return coerceToTarget(state, bound, target, 'explicit');
        }
    }
    return coerceToTarget(state, bindExpression(state, scope, node.arg), target, 'explicit');
}

function bindArray(
    state: StatementState,
    scope: QueryScope,
    elements: readonly Node[],
    target: {readonly oid: number; readonly typmod: number} | undefined,
): Expr {
    if (elements.some((element) => as(element, 'A_ArrayExpr') !== undefined)) {
        throw new Unsupported('array of several dimensions');
    }
    const bound = elements.map((element) => bindExpression(state, scope, element));
    if (target !== undefined) {
        const type = {oid: arrayOid(state, target.oid), typmod: target.typmod};
        return {kind: 'array', elements: bound.map((e) => coerceToTarget(state, e, target, 'explicit')), type};
    }
    if (bound.length === 0) throw new Unsupported('empty array');
    const {type, exprs} = unify(state, bound);
    const oid = arrayOid(state, type.oid);
    if (oid === 0 || elementOid(state, type.oid) !== 0) throw new Unsupported('array of arrays');
    return {kind: 'array', elements: exprs, type: {oid, typmod: type.typmod}};
}

function bindCase(state: StatementState, scope: QueryScope, node: CaseExprNode): Expr {
    let arg = node.arg === undefined ? undefined : bindExpression(state, scope, node.arg);
    if (arg !== undefined && arg.type.oid === OID.unknown) arg = coerce(state, arg, OID.text, 'implicit');
    if (arg !== undefined && contains(arg, (e) => e.kind === 'function' || e.kind === 'subquery')) {
        // The operand is repeated in every WHEN: only what is cheap and the same each time.
        throw new Unsupported('CASE on a function');
    }
    const conditions: Expr[] = [];
    const results: Expr[] = [];
    for (const item of node.args) {
        const when = as(item, 'CaseWhen');
        if (when === undefined) throw new Unsupported('CASE');
        const condition = bindExpression(state, scope, when.expr);
        const test = arg === undefined ? condition : makeOperator(state, '=', arg, condition);
        conditions.push(coerceToBoolean(state, test));
        results.push(bindExpression(state, scope, when.result));
    }
    const otherwise: Expr =
        node.defresult === undefined
            ? {kind: 'const', type: UNKNOWN, value: null}
            : bindExpression(state, scope, node.defresult);
    // PostgreSQL puts the ELSE first when it looks for the common type.
    const {type, exprs} = unify(state, [otherwise, ...results]);
    const [first, ...rest] = exprs;
    const whens = rest.map((result, i) => {
        const condition = conditions[i];
        if (condition === undefined) throw new Unsupported('CASE');
        return {condition, result};
    });
    return {kind: 'case', whens, otherwise: node.defresult === undefined ? null : (first ?? null), type};
}

const SQL_VALUES: Readonly<Record<string, readonly [SqlValueExpr['name'], number]>> = {
    SVFOP_CURRENT_DATE: ['current_date', OID.date],
    SVFOP_CURRENT_TIME: ['current_time', OID.timetz],
    SVFOP_CURRENT_TIMESTAMP: ['current_timestamp', OID.timestamptz],
    SVFOP_LOCALTIME: ['localtime', OID.time],
    SVFOP_LOCALTIMESTAMP: ['localtimestamp', OID.timestamp],
    SVFOP_CURRENT_ROLE: ['current_user', OID.name],
    SVFOP_CURRENT_USER: ['current_user', OID.name],
    SVFOP_USER: ['current_user', OID.name],
    SVFOP_SESSION_USER: ['session_user', OID.name],
    SVFOP_CURRENT_CATALOG: ['current_catalog', OID.name],
    SVFOP_CURRENT_SCHEMA: ['current_schema', OID.name],
};

function bindSqlValue(node: SqlValueFunction): Expr {
    const [name, oid] = SQL_VALUES[node.op] ?? [];
    if (name === undefined || oid === undefined) throw new Unsupported(node.op);
    return {kind: 'sqlvalue', name, type: plain(oid)};
}

function bindSubLink(state: StatementState, scope: QueryScope, node: SubLink): Expr {
    if (node.subLinkType === 'EXISTS_SUBLINK') {
        const query = bindSubquery(state, scope, node.subselect);
        return {kind: 'subquery', form: 'exists', query, test: null, op: null, type: BOOL};
    }
    if (node.subLinkType === 'EXPR_SUBLINK' || node.subLinkType === 'ARRAY_SUBLINK') {
        const query = bindSubquery(state, scope, node.subselect);
        const column = onlyColumn(query);
        state.subqueryNames.set(node, column.name);
        if (node.subLinkType === 'EXPR_SUBLINK') {
            return {kind: 'subquery', form: 'scalar', query, test: null, op: null, type: column.type};
        }
        const oid = elementOid(state, column.type.oid) === 0 ? arrayOid(state, column.type.oid) : 0;
        if (oid === 0) throw new Unsupported('ARRAY of arrays');
        const type = {oid, typmod: column.type.typmod};
        return {kind: 'subquery', form: 'array', query, test: null, op: null, type};
    }
    if (node.subLinkType !== 'ANY_SUBLINK' && node.subLinkType !== 'ALL_SUBLINK') {
        throw new Unsupported(node.subLinkType);
    }
    if (node.testexpr === undefined || as(node.testexpr, 'RowExpr') !== undefined) throw new Unsupported('row IN');
    // The subquery is bound first, as transformSubLink does.
    const query = bindSubquery(state, scope, node.subselect);
    const left = bindExpression(state, scope, node.testexpr);
    const op = node.operName === undefined || node.operName.length === 0 ? '=' : operatorName(node.operName);
    const column = onlyColumn(query);
    const output: Expr = {kind: 'column', level: 0, source: -1, column: 1, name: column.name, type: column.type};
    const test = makeOperator(state, op, left, output);
    if (test.kind !== 'operator' || test.left === null || test.type.oid !== OID.bool) {
        throw new Unsupported('ANY/ALL operator');
    }
    const form = node.subLinkType === 'ANY_SUBLINK' ? 'any' : 'all';
    const cast = castColumns(query, [test.right.type]);
    return {kind: 'subquery', form, query: cast, test: test.left, op, type: BOOL};
}

function onlyColumn(query: BoundQuery): BoundQuery['columns'][number] {
    const [column, ...others] = query.columns;
    if (column === undefined || others.length > 0) throw new Unsupported('subquery of several columns');
    return column;
}
