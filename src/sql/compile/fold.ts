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
import type {BoolExpr, CastExpr, ConstExpr, Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {functionsNamed} from '../builtins/catalog.ts';
import type {EvaluationContext} from './evaluation.ts';
import type {CompileScope, Evaluate} from './scope.ts';

type Compile = (expr: Expr, scope: CompileScope) => Evaluate;

/** Functions that are called with NULL arguments. */
const NOT_STRICT = new Set(['concat', 'concat_ws', 'num_nulls', 'num_nonnulls', 'quote_nullable', 'grouping']);
/** Types whose conversion reads the session's settings. */
const SETTINGS_TYPES = new Set<number>([
    OID.date,
    OID.time,
    OID.timetz,
    OID.timestamp,
    OID.timestamptz,
    OID.interval,
    OID.float4,
    OID.float8,
    OID.bytea,
]);

export function fold(expr: Expr, scope: CompileScope, compile: Compile): Expr {
    const again = (child: Expr): Expr => fold(child, scope, compile);
    switch (expr.kind) {
        case 'operator': {
            const left = expr.left === null ? null : again(expr.left);
            const right = again(expr.right);
            if (isNull(right) || (left !== null && isNull(left))) return nullOf(expr);
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
            const isImmutable = overloads.length > 0 && overloads.every((f) => f.volatility === 'i');
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
            return {
                ...expr,
                whens: expr.whens.map(({condition, result}) => ({condition: again(condition), result: again(result)})),
                otherwise: expr.otherwise === null ? null : again(expr.otherwise),
            };
        case 'coalesce':
        case 'greatest':
        case 'least':
            return {...expr, args: expr.args.map(again)};
        case 'isnull':
        case 'booltest':
            return {...expr, arg: again(expr.arg)};
        case 'distinct':
        case 'nullif':
            return {...expr, left: again(expr.left), right: again(expr.right)};
        case 'in':
            return {...expr, arg: again(expr.arg), list: expr.list.map(again)};
        case 'like':
            return {...expr, arg: again(expr.arg), pattern: again(expr.pattern)};
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

function isNull(expr: Expr): boolean {
    return expr.kind === 'const' && expr.value === null;
}

function nullOf(expr: Expr): ConstExpr {
    return {kind: 'const', type: expr.type, value: null};
}

function touchesSettings(exprs: readonly (Expr | null)[]): boolean {
    return exprs.some((expr) => expr !== null && SETTINGS_TYPES.has(expr.type.oid));
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
