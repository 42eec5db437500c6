/**
 * Bound expressions to closures, for the point path, live queries, CHECK constraints and defaults.
 *
 * What must stay true: a closure gives exactly what PostgreSQL gives, errors included, or compiling throws
 * `Unsupported`; logic is three-valued, NULL is null; nothing is evaluated that PostgreSQL would not evaluate in CASE,
 * COALESCE, AND and OR.
 */
import {castFunction} from '../../../catalog/types/cast.ts';
import {applyTypmod} from '../../../catalog/types/typmod.ts';
import type {Datum, PgArray} from '../../../catalog/types/datum.ts';
import {makeArray} from '../../../catalog/types/array.ts';
import {SYSTEM_COLUMNS} from '../../../catalog/descriptor.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {baseCallOf} from './calls.ts';
import type {CastExpr, ColumnExpr, Expr, FunctionExpr, InListExpr, LikeExpr, OperatorExpr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {functionsNamed} from '../builtins/catalog.ts';
import {walk} from '../binder/walk.ts';
import {accepts, compareOf, comparesByValue, isComparison} from './comparisons.ts';
import {fold} from './fold.ts';
import {fastOperator} from './fast-leaves.ts';
import type {Matcher} from './like.ts';
import {compileLike} from './like.ts';
import {compileRegularExpression} from './regular-expression.ts';
import {binaryOf, unaryOf} from './registry.ts';
import type {CompileScope, Evaluate, Frame} from './scope.ts';
import {typesOf} from './scope.ts';
import {compileSqlValue} from './sql-values.ts';

export type {CompileScope, Evaluate, Frame} from './scope.ts';

export function compileExpression(expr: Expr, scope: CompileScope): Evaluate {
    return compileNode(fold(expr, scope, compileNode), scope);
}

/** Without folding: for parts of an expression that was folded as a whole. */
export function compileNode(expr: Expr, scope: CompileScope): Evaluate {
    switch (expr.kind) {
        case 'const': {
            const {value} = expr;
            return () => value;
        }
        case 'param': {
            const {index} = expr;
            return (frame) => frame.parameters[index] ?? null;
        }
        case 'column':
            return compileColumn(expr, scope);
        case 'operator':
            return fastOperator(expr, scope) ?? compileOperator(expr, scope);
        case 'function':
            return compileFunction(expr, scope);
        case 'cast':
            return compileCast(expr, scope);
        case 'and':
        case 'or':
            return compileLogic(expr.args, expr.kind === 'or', scope);
        case 'not': {
            const arg = compileNode(expr.arg, scope);
            return (frame) => {
                const value = arg(frame);
                return value === null ? null : value === false;
            };
        }
        case 'isnull': {
            const arg = compileNode(expr.arg, scope);
            const {negated} = expr;
            return (frame) => (arg(frame) === null) !== negated;
        }
        case 'booltest': {
            const arg = compileNode(expr.arg, scope);
            const wanted = expr.test === 'unknown' ? null : expr.test === 'true';
            const {negated} = expr;
            return (frame) => (arg(frame) === wanted) !== negated;
        }
        case 'distinct':
            return compileDistinct(expr.left, expr.right, expr.negated, scope);
        case 'case':
            return compileCase(expr, scope);
        case 'coalesce':
            return compileCoalesce(expr.args.map((arg) => compileNode(arg, scope)));
        case 'greatest':
        case 'least':
            return compileGreatest(expr.args, expr.kind === 'least', scope);
        case 'nullif': {
            const equal = compileNode(
                {kind: 'operator', op: '=', left: expr.left, right: expr.right, type: {oid: OID.bool, typmod: -1}},
                scope,
            );
            const left = compileNode(expr.left, scope);
            if (isVolatile(expr.left)) throw new Unsupported('NULLIF of a volatile value');
            return (frame) => (equal(frame) === true ? null : left(frame));
        }
        case 'in':
            return compileInList(expr, scope);
        case 'scalararray':
            return compileScalarArray(expr.op, expr.any, expr.left, expr.array, scope);
        case 'like':
            return compileLikeExpr(expr, scope);
        case 'array': {
            const elements = expr.elements.map((element) => compileNode(element, scope));
            return (frame) => makeArray(elements.map((element) => element(frame)));
        }
        case 'sqlvalue':
            return compileSqlValue(expr.name, scope);
        case 'aggregate':
        case 'window':
        case 'subquery':
        case 'row':
            throw new Unsupported(`${expr.kind} in a compiled expression`);
        default:
            return expr satisfies never;
    }
}

/** NULL counts as false. */
export function compilePredicate(expr: Expr, scope: CompileScope): (frame: Frame) => boolean {
    return isTrue(compileExpression(expr, scope));
}

export function isTrue(evaluate: Evaluate): (frame: Frame) => boolean {
    return (frame) => evaluate(frame) === true;
}

/** True when two evaluations within one statement may differ, or when evaluating changes something. */
export function isVolatile(expr: Expr): boolean {
    let found = false;
    walk(expr, (each) => {
        if (each.kind === 'function' && functionsNamed(each.name).some((f) => f.volatility === 'v')) found = true;
        return !found;
    });
    return found;
}

const NANOS_PER_MICRO = 1000n;
/** Microseconds from 1970-01-01 to 2000-01-01. */
const EPOCH_2000_MICROS = 946_684_800_000_000n;

/** `_seq`. NULL for a row that the transaction itself has written: its place is given at commit. */
function placeOf(row: Frame['row0']): Datum {
    return row === null || Number.isNaN(row.seq) ? null : BigInt(row.seq);
}

/** `_updated` to the microsecond; NULL as for `_seq`. */
function timeOf(row: Frame['row0']): Datum {
    return row === null || Number.isNaN(row.seq) ? null : row.updatedNs / NANOS_PER_MICRO - EPOCH_2000_MICROS;
}

function compileColumn(expr: ColumnExpr, scope: CompileScope): Evaluate {
    if (expr.level !== 0) throw new Unsupported('outer column');
    if (expr.source !== 0 && expr.source !== 1) throw new Unsupported('more than two sources');
    const second = expr.source === 1;
    const {column} = expr;
    if (column === SYSTEM_COLUMNS['_seq'].attnum) {
        return second ? (frame) => placeOf(frame.row1) : (frame) => placeOf(frame.row0);
    }
    if (column === SYSTEM_COLUMNS['_updated'].attnum) {
        return second ? (frame) => timeOf(frame.row1) : (frame) => timeOf(frame.row0);
    }
    const index = columnIndex(expr, scope);
    return second ? (frame) => frame.row1?.values[index] ?? null : (frame) => frame.row0?.values[index] ?? null;
}

/** Place of a column in RowVersion.values. */
export function columnIndex(expr: ColumnExpr, scope: CompileScope): number {
    const index = scope.sources[expr.source]?.table.columns.findIndex((column) => column.attnum === expr.column) ?? -1;
    if (index < 0) throw new Unsupported(`column ${expr.name}`);
    return index;
}

function compileOperator(expr: OperatorExpr, scope: CompileScope): Evaluate {
    const right = compileNode(expr.right, scope);
    if (expr.left === null) {
        const unary = unaryOf(expr.op, expr.right.type.oid);
        if (unary === undefined) throw new Unsupported(`operator ${expr.op}`);
        return (frame) => {
            const value = right(frame);
            return value === null ? null : unary(value, frame.context);
        };
    }
    if (expr.op === '~' || expr.op === '!~')
        return compileRegularExpression(expr.op === '!~', expr.left, expr.right, scope);
    const left = compileNode(expr.left, scope);
    const apply = binaryOperator(expr.op, expr.left, expr.right, scope);
    return (frame) => {
        // Both sides are evaluated before either is tested for NULL, as PostgreSQL does: the right one may raise.
        const a = left(frame);
        const b = right(frame);
        return a === null || b === null ? null : apply(a, b, frame);
    };
}

type Apply = (left: Datum, right: Datum, frame: Frame) => Datum;

function binaryOperator(op: string, left: Expr, right: Expr, scope: CompileScope): Apply {
    const types = typesOf(scope);
    const leftOid = left.type.oid;
    const rightOid = right.type.oid;
    const base = (oid: number): number => types.get(oid)?.baseOid ?? oid;
    const binary = binaryOf(op, base(leftOid), base(rightOid));
    if (binary !== undefined) return (a, b, frame) => binary(a, b, frame.context);
    // Beside an array, a text is an element.
    const isArray = types.get(base(leftOid))?.kind === 'array' || types.get(base(rightOid))?.kind === 'array';
    if (op === '||' && !isArray && (leftOid === OID.text || rightOid === OID.text)) {
        return concatenate(leftOid, rightOid, scope);
    }
    if (!isComparison(op)) throw new Unsupported(`operator ${op}`);
    const compare = compareOf(types, leftOid, rightOid);
    if (compare === undefined) throw new Unsupported(`comparison of ${leftOid} and ${rightOid}`);
    const accept = accepts(op);
    return (a, b, frame) => accept(compare(a, b, frame.context.settings));
}

/** text || anynonarray: the other side is cast to text. */
function concatenate(leftOid: number, rightOid: number, scope: CompileScope): Apply {
    const types = typesOf(scope);
    const castLeft = castFunction(leftOid, OID.text, types);
    const castRight = castFunction(rightOid, OID.text, types);
    if (castLeft === undefined || castRight === undefined) throw new Unsupported('||');
    return (a, b, {context}) => {
        const one = castLeft(a, context.settings);
        const two = castRight(b, context.settings);
        return one === null || two === null ? null : (one as string) + (two as string);
    };
}

function compileFunction(expr: FunctionExpr, scope: CompileScope): Evaluate {
    const special = baseCallOf(expr, scope);
    if (special === undefined) throw new Unsupported(`function ${expr.name}`);
    return special;
}

function compileCast(expr: CastExpr, scope: CompileScope): Evaluate {
    const types = typesOf(scope);
    const arg = compileNode(expr.arg, scope);
    const from = types.get(expr.arg.type.oid);
    const to = types.get(expr.type.oid);
    if (from === undefined || to === undefined || to.kind === 'domain') throw new Unsupported('cast');
    const {typmod} = expr.type;
    const {context} = expr;
    const isSame = from.baseOid === to.baseOid || (isText(from.baseOid) && isText(to.baseOid));
    if (isSame && typmod < 0) return arg;
    const cast = isSame ? undefined : castFunction(from.oid, to.oid, types);
    if (!isSame && cast === undefined) throw new Unsupported(`cast from ${from.name} to ${to.name}`);
    return (frame) => {
        const value = arg(frame);
        if (value === null) return null;
        const converted = cast === undefined ? value : cast(value, frame.context.settings);
        return typmod < 0 ? converted : applyTypmod(to, typmod, converted, context);
    };
}

function isText(oid: number): boolean {
    return oid === OID.text || oid === OID.varchar;
}

function compileLogic(args: readonly Expr[], decisive: boolean, scope: CompileScope): Evaluate {
    const compiled = args.map((arg) => compileNode(arg, scope));
    const [first, second] = compiled;
    if (compiled.length === 2 && first !== undefined && second !== undefined) {
        return (frame) => {
            const a = first(frame);
            if (a === decisive) return decisive;
            const b = second(frame);
            if (b === decisive) return decisive;
            return a === null || b === null ? null : !decisive;
        };
    }
    return (frame) => {
        let unknown = false;
        for (const arg of compiled) {
            const value = arg(frame);
            if (value === decisive) return decisive;
            if (value === null) unknown = true;
        }
        return unknown ? null : !decisive;
    };
}

function compileDistinct(left: Expr, right: Expr, negated: boolean, scope: CompileScope): Evaluate {
    const compare = compareOf(typesOf(scope), left.type.oid, right.type.oid);
    if (compare === undefined) throw new Unsupported('IS DISTINCT FROM');
    const a = compileNode(left, scope);
    const b = compileNode(right, scope);
    return (frame) => {
        const x = a(frame);
        const y = b(frame);
        const isSame = x === null || y === null ? x === y : compare(x, y, frame.context.settings) === 0;
        return isSame === negated;
    };
}

function compileCase(expr: Extract<Expr, {kind: 'case'}>, scope: CompileScope): Evaluate {
    const whens = expr.whens.map(({condition, result}) => ({
        condition: compileNode(condition, scope),
        result: compileNode(result, scope),
    }));
    const otherwise = expr.otherwise === null ? undefined : compileNode(expr.otherwise, scope);
    return (frame) => {
        for (const when of whens) if (when.condition(frame) === true) return when.result(frame);
        return otherwise === undefined ? null : otherwise(frame);
    };
}

function compileCoalesce(args: readonly Evaluate[]): Evaluate {
    return (frame) => {
        for (const arg of args) {
            const value = arg(frame);
            if (value !== null) return value;
        }
        return null;
    };
}

function compileGreatest(args: readonly Expr[], least: boolean, scope: CompileScope): Evaluate {
    const oid = args[0]?.type.oid ?? 0;
    const compare = compareOf(typesOf(scope), oid, oid);
    if (compare === undefined) throw new Unsupported('GREATEST');
    const compiled = args.map((arg) => compileNode(arg, scope));
    return (frame) => {
        let chosen: Datum = null;
        for (const arg of compiled) {
            const value = arg(frame);
            if (value === null) continue;
            if (chosen === null) chosen = value;
            else {
                const order = compare(value, chosen, frame.context.settings);
                if (least ? order < 0 : order > 0) chosen = value;
            }
        }
        return chosen;
    };
}

/** Longer constant lists are looked up in a set. */
const SET_SIZE_MIN = 4;

function compileInList(expr: InListExpr, scope: CompileScope): Evaluate {
    const types = typesOf(scope);
    const {oid} = expr.arg.type;
    const compare = compareOf(types, oid, oid);
    if (compare === undefined) throw new Unsupported('IN');
    const arg = compileNode(expr.arg, scope);
    const found = !expr.negated;
    const constants = expr.list.flatMap((item) => (item.kind === 'const' ? [item.value] : []));
    if (constants.length === expr.list.length && constants.length >= SET_SIZE_MIN && comparesByValue(types, oid)) {
        const set = new Set(constants);
        const missing = set.has(null) ? null : expr.negated;
        return (frame) => {
            const value = arg(frame);
            if (value === null) return null;
            return set.has(value) ? found : missing;
        };
    }
    const list = expr.list.map((item) => compileNode(item, scope));
    return (frame) => {
        const value = arg(frame);
        let unknown = value === null;
        for (const item of list) {
            const other = item(frame);
            if (value === null || other === null) unknown = true;
            else if (compare(value, other, frame.context.settings) === 0) return found;
        }
        return unknown && list.length > 0 ? null : expr.negated;
    };
}

function compileScalarArray(op: string, any: boolean, left: Expr, array: Expr, scope: CompileScope): Evaluate {
    const element = typesOf(scope).get(array.type.oid)?.elementOid ?? 0;
    if (element === 0) throw new Unsupported('ANY');
    const item: Expr = {kind: 'const', value: null, type: {oid: element, typmod: -1}};
    const apply = binaryOperator(op, left, item, scope);
    const a = compileNode(left, scope);
    const b = compileNode(array, scope);
    return (frame) => {
        const value = a(frame);
        const list = b(frame) as PgArray | null;
        if (list === null) return null;
        if (list.elements.length === 0) return !any;
        if (value === null) return null;
        let unknown = false;
        for (const each of list.elements) {
            const result = each === null ? null : apply(value, each, frame);
            if (result === any) return any;
            if (result === null) unknown = true;
        }
        return unknown ? null : !any;
    };
}

function compileLikeExpr(expr: LikeExpr, scope: CompileScope): Evaluate {
    if (expr.arg.type.oid === OID.bytea) throw new Unsupported('LIKE of bytea');
    const arg = compileNode(expr.arg, scope);
    const pattern = compileNode(expr.pattern, scope);
    const escape = expr.escape === null ? undefined : compileNode(expr.escape, scope);
    const {caseInsensitive, negated} = expr;
    // A pattern is nearly always the same from row to row.
    let lastPattern: Datum = null;
    let lastEscape: Datum | undefined;
    let matches: Matcher = () => false;
    return (frame) => {
        const text = arg(frame);
        const wanted = pattern(frame);
        const escaped = escape === undefined ? undefined : escape(frame);
        if (text === null || wanted === null || escaped === null) return null;
        if (wanted !== lastPattern || escaped !== lastEscape) {
            matches = compileLike(wanted as string, escaped as string | undefined, caseInsensitive);
            lastPattern = wanted;
            lastEscape = escaped;
        }
        return matches(text as string) !== negated;
    };
}
