/**
 * Constant folding, as PostgreSQL's planner does it (eval_const_expressions): it decides which errors are raised and
 * which operands are never evaluated, so it is part of the meaning and not only of the speed.
 *
 * What must stay true: only immutable operations on constants are folded, and none that reads a session setting. An
 * error while folding is an error of the whole statement: the expression is `Unsupported`, PostgreSQL reports it.
 */
import {PgError} from '../../../catalog/errors.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import type {BoolExpr, CaseExpr, CastExpr, CoalesceExpr, ConstExpr, Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {functionsNamed} from '../builtins/catalog.ts';
import type {EvaluationContext} from './evaluation.ts';
import type {CompileScope, Evaluate} from './scope.ts';

type Compile = (expr: Expr, scope: CompileScope) => Evaluate;

/** Functions that are called with NULL arguments. */
const NOT_STRICT = new Set(
    (
        'array_append array_cat array_position array_positions array_prepend array_remove array_replace array_to_string ' +
        'concat concat_ws enum_first enum_last enum_range format grouping json_build_array json_build_object ' +
        'jsonb_build_array jsonb_build_object num_nonnulls num_nulls overlaps pg_typeof quote_nullable string_to_array ' +
        'string_to_table'
    ).split(' '),
);
/** Types that are read and written by the session's settings, and those whose arithmetic is in its time zone. */
const PRINTED_BY_SETTINGS = new Set<number>([
    OID.date,
    OID.time,
    OID.timestamp,
    OID.interval,
    OID.float4,
    OID.float8,
    OID.bytea,
]);
const ZONED = new Set<number>([OID.timestamptz, OID.timetz]);
const TEXTS = new Set<number>([OID.text, OID.varchar, OID.bpchar, OID.name]);

export function fold(expr: Expr, scope: CompileScope, compile: Compile): Expr {
    const again = (child: Expr): Expr => fold(child, scope, compile);
    switch (expr.kind) {
        case 'operator': {
            const left = expr.left === null ? null : again(expr.left);
            const right = again(expr.right);
            // Of all operators only || over arrays takes NULL.
            const isStrict = expr.op !== '||' || TEXTS.has(expr.type.oid);
            if (isStrict && (isNull(right) || (left !== null && isNull(left)))) return nullOf(expr);
            const folded = {...expr, left, right};
            const isConstant = right.kind === 'const' && (left === null || left.kind === 'const');
            return isConstant && !touchesSettings([left, right]) ? evaluate(folded, scope, compile) : folded;
        }
        case 'function': {
            const args = expr.args.map(again);
            const folded = {...expr, args};
            const overloads = functionsNamed(expr.name);
            const isStrict = !NOT_STRICT.has(expr.name) && overloads.length > 0;
            if (isStrict && args.some(isNull)) return nullOf(expr);
            const own = overloads.find((f) => f.args.every((oid, i) => oid === args[i]?.type.oid));
            const isImmutable = own?.volatility === 'i';
            const isConstant = isImmutable && args.every((arg) => arg.kind === 'const') && !touchesSettings(args);
            return isConstant ? evaluate(folded, scope, compile) : folded;
        }
        case 'cast': {
            const arg = again(expr.arg);
            if (isNull(arg)) return nullOf(expr);
            const folded: CastExpr = {...expr, arg};
            const isConstant = arg.kind === 'const' && !touchesSettings([arg, expr]);
            return isConstant ? evaluate(folded, scope, compile) : folded;
        }
        case 'not': {
            const arg = again(expr.arg);
            return arg.kind === 'const' ? evaluate({...expr, arg}, scope, compile) : {...expr, arg};
        }
        case 'and':
        case 'or':
            return foldLogic(expr, expr.args.map(again));
        case 'case':
            return foldCase(expr, again);
        case 'coalesce':
            return foldCoalesce(expr, again);
        case 'greatest':
        case 'least': {
            const folded = {...expr, args: expr.args.map(again)};
            return evaluateWhen(folded.args, folded, scope, compile);
        }
        case 'isnull':
        case 'booltest': {
            const folded = {...expr, arg: again(expr.arg)};
            return evaluateWhen([folded.arg], folded, scope, compile);
        }
        case 'distinct':
        case 'nullif': {
            const folded = {...expr, left: again(expr.left), right: again(expr.right)};
            return evaluateWhen([folded.left, folded.right], folded, scope, compile);
        }
        case 'in': {
            const folded = {...expr, arg: again(expr.arg), list: expr.list.map(again)};
            return evaluateWhen([folded.arg, ...folded.list], folded, scope, compile);
        }
        case 'scalararray': {
            const folded = {...expr, left: again(expr.left), array: again(expr.array)};
            return evaluateWhen([folded.left, folded.array], folded, scope, compile);
        }
        case 'array': {
            const folded = {...expr, elements: expr.elements.map(again)};
            return evaluateWhen(folded.elements, folded, scope, compile);
        }
        case 'like': {
            const folded = {...expr, arg: again(expr.arg), pattern: again(expr.pattern)};
            if (isNull(folded.arg) || isNull(folded.pattern)) return nullOf(expr);
            return expr.escape === null ? evaluateWhen([folded.arg, folded.pattern], folded, scope, compile) : folded;
        }
        default:
            return expr;
    }
}

/** A constant that decides the whole takes the others with it. */
function foldLogic(expr: BoolExpr, args: readonly Expr[]): Expr {
    const decisive = expr.kind === 'or';
    const decided = args.find((arg) => arg.kind === 'const' && arg.value === decisive);
    return decided ?? {...expr, args};
}

/** Branches that can never be taken are not folded, so a division by zero in them raises nothing. */
function foldCase(expr: CaseExpr, again: (child: Expr) => Expr): Expr {
    const whens: {condition: Expr; result: Expr}[] = [];
    for (const when of expr.whens) {
        const condition = again(when.condition);
        if (condition.kind === 'const' && condition.value !== true) continue;
        const result = again(when.result);
        if (condition.kind === 'const') {
            return whens.length === 0 ? result : {...expr, whens, otherwise: result};
        }
        whens.push({condition, result});
    }
    const otherwise = expr.otherwise === null ? null : again(expr.otherwise);
    return whens.length === 0 ? (otherwise ?? nullOf(expr)) : {...expr, whens, otherwise};
}

function foldCoalesce(expr: CoalesceExpr, again: (child: Expr) => Expr): Expr {
    const args: Expr[] = [];
    for (const arg of expr.args) {
        const folded = again(arg);
        if (isNull(folded)) continue;
        args.push(folded);
        if (folded.kind === 'const') break;
    }
    const [first] = args;
    if (first === undefined) return nullOf(expr);
    return args.length === 1 ? first : {...expr, args};
}

function evaluateWhen(parts: readonly Expr[], folded: Expr, scope: CompileScope, compile: Compile): Expr {
    const isConstant = parts.every((part) => part.kind === 'const') && !touchesSettings(parts);
    return isConstant ? evaluate(folded, scope, compile) : folded;
}

function isNull(expr: Expr): boolean {
    return expr.kind === 'const' && expr.value === null;
}

function nullOf(expr: Expr): ConstExpr {
    return {kind: 'const', type: expr.type, value: null};
}

/** With text among the types, another one may be printed or read. */
function touchesSettings(exprs: readonly (Expr | null)[]): boolean {
    const oids = exprs.flatMap((expr) => (expr === null ? [] : [expr.type.oid]));
    if (oids.some((oid) => ZONED.has(oid))) return true;
    return oids.some((oid) => TEXTS.has(oid)) && oids.some((oid) => PRINTED_BY_SETTINGS.has(oid));
}

function evaluate(expr: Expr, scope: CompileScope, compile: Compile): Expr {
    const compiled = compile(expr, scope);
    try {
        const value = compiled({row0: null, row1: null, parameters: [], context: NO_SESSION});
        return {kind: 'const', type: expr.type, value};
    } catch (error) {
        if (error instanceof PgError) throw new Unsupported('a constant expression that raises an error');
        throw error;
    }
}

function noSession(): never {
    throw new Unsupported('session value in a constant');
}

const NO_SESSION: EvaluationContext = {
    settings: DEFAULT_OUTPUT_SETTINGS,
    get transactionMicros() {
        return noSession();
    },
    get statementMicros() {
        return noSession();
    },
    get user() {
        return noSession();
    },
    get sessionUser() {
        return noSession();
    },
    get schema() {
        return noSession();
    },
    get database() {
        return noSession();
    },
    nextval: noSession,
    currval: noSession,
    lastval: noSession,
    setval: noSession,
    random: noSession,
    clockMicros: noSession,
};
