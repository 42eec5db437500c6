/**
 * The condition `column = constant` of a query, by which changes find it: with ten thousand queries on one table, each
 * on its own key, a write looks at the one or two that its old and new row can concern.
 *
 * What must stay true: a row that the query has meets the condition, whatever else the query asks; two values that
 * PostgreSQL's `=` calls equal have the same key. Whatever is not certain gives no key, and the query is asked about
 * every change of its table.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import type {ColumnExpr, Expr} from '../sql/bound.ts';
import type {EvaluateRow, LiveRow} from './live-plan.ts';
import type {TypeLookup} from './row-json.ts';

export interface EqualityKey {
    readonly attnum: number;
    /** One key for `=`, several for IN; none when the constant is NULL: then no row can match. */
    readonly keys: readonly string[];
    readonly toKey: (value: Datum) => string;
}

/** An IN list with more values is not indexed by them. */
const KEYS_MAX = 64;
const NO_ROW: LiveRow = {seq: 0, updatedNs: 0n, values: []};
const INTEGERS: ReadonlySet<string> = new Set(['int2', 'int4', 'int8']);
const STRINGS: ReadonlySet<string> = new Set(['text', 'varchar']);

/** The first usable conjunct of `where`. */
export function equalityKey(
    where: Expr,
    compile: (expr: Expr) => EvaluateRow,
    types: TypeLookup,
): EqualityKey | undefined {
    if (where.kind === 'and') {
        for (const arg of where.args) {
            const found = equalityKey(arg, compile, types);
            if (found !== undefined) return found;
        }
        return undefined;
    }
    if (where.kind === 'operator' && where.op === '=' && where.left !== null) {
        return (
            fromPair(where.left, [where.right], compile, types) ?? fromPair(where.right, [where.left], compile, types)
        );
    }
    if (where.kind === 'in' && !where.negated && where.list.length <= KEYS_MAX) {
        return fromPair(where.arg, where.list, compile, types);
    }
    return undefined;
}

function fromPair(
    left: Expr,
    constants: readonly Expr[],
    compile: (expr: Expr) => EvaluateRow,
    types: TypeLookup,
): EqualityKey | undefined {
    const column = plainColumn(left, types);
    if (column === undefined || !constants.every(isConstant)) return undefined;
    const family = familyOf(column.type.oid, types);
    if (!constants.every((constant) => familyOf(constant.type.oid, types) === family)) return undefined;
    const type = types.require(column.type.oid);
    // Integers of different width compare as numbers.
    const toKey = family === 'integer' ? String : (value: Datum): string => String(type.hashKey(value));
    const keys = new Set<string>();
    for (const constant of constants) {
        const value = compile(constant)(NO_ROW);
        if (value !== null) keys.add(toKey(value));
    }
    return {attnum: column.column, keys: [...keys], toKey};
}

/** A user column, also behind the relabelling of varchar as text. */
function plainColumn(expr: Expr, types: TypeLookup): ColumnExpr | undefined {
    if (expr.kind === 'cast' && expr.context === 'implicit' && expr.type.typmod === -1) {
        const isString = (oid: number): boolean => STRINGS.has(types.require(oid).name);
        return isString(expr.type.oid) && isString(expr.arg.type.oid) ? plainColumn(expr.arg, types) : undefined;
    }
    return expr.kind === 'column' && expr.level === 0 && expr.source === 0 && expr.column > 0 ? expr : undefined;
}

/** Types whose values compare with each other without loss; otherwise the type itself. */
function familyOf(oid: number, types: TypeLookup): string {
    const {name} = types.require(oid);
    if (INTEGERS.has(name)) return 'integer';
    if (STRINGS.has(name)) return 'string';
    return String(oid);
}

function isConstant(expr: Expr): boolean {
    if (expr.kind === 'const' || expr.kind === 'param') return true;
    return expr.kind === 'cast' && isConstant(expr.arg);
}
