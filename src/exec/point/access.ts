/**
 * Which rows a predicate can touch, found without looking at rows: the primary key or a unique index bound by equality,
 * or a list of primary keys. Whatever the access does not decide is left as a filter.
 *
 * What must stay true: the access and the filter together decide exactly what the predicate decides; a key that the
 * column's type cannot hold (a bigint too large for an integer column) matches nothing.
 */
import type {ColumnDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum, PgArray} from '../../../catalog/types/datum.ts';
import type {ColumnExpr, Expr} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import type {CompileScope} from '../../sql/compile/scope.ts';
import type {IndexWriter} from '../../txn/index-writer.ts';
import type {TableStore} from '../../txn/table-store.ts';

/** Values of the key columns, or undefined when no row can have them. */
export type KeyValues = (frame: Frame) => Datum[] | undefined;

/** The value of a key of one column, or undefined when no row can have it. */
export type KeyValue = (frame: Frame) => Datum | undefined;

export type Access =
    | {readonly kind: 'primary'; readonly values: KeyValues; readonly only: KeyValue | undefined}
    | {readonly kind: 'primary list'; readonly keys: (frame: Frame) => readonly (readonly Datum[])[]}
    | {readonly kind: 'unique'; readonly index: IndexWriter; readonly values: KeyValues};

export interface AccessChoice {
    readonly access: Access;
    /** Conjuncts that still have to be checked on the row. */
    readonly rest: readonly Expr[];
    readonly description: string;
}

const INT_OIDS = new Set([20, 21, 23]);
/** Types whose values are the same datum: a cast between them changes nothing that a key depends on. */
const TEXT_OIDS = new Set([25, 1043]);

export function conjuncts(where: Expr | null): Expr[] {
    if (where === null) return [];
    return where.kind === 'and' ? where.args.flatMap((arg) => conjuncts(arg)) : [where];
}

export function chooseAccess(
    store: TableStore,
    where: Expr | null,
    source: number,
    scope: CompileScope,
): AccessChoice | undefined {
    const all = conjuncts(where);
    const equalities = equalitiesOf(all, source, store.table);
    const primary = store.table.primaryKey;
    if (primary !== undefined) {
        const values = keyValues(store.table, primary.columns, equalities, scope);
        if (values !== undefined) {
            return {
                access: {kind: 'primary', values, only: onlyValue(store.table, primary.columns, equalities, scope)},
                rest: restOf(all, primary.columns, equalities),
                description: `primary key ${primary.name}`,
            };
        }
    }
    for (const index of store.indexes) {
        if (!index.maintained || !index.index.unique) continue;
        const values = keyValues(store.table, index.index.columns, equalities, scope);
        if (values === undefined) continue;
        return {
            access: {kind: 'unique', index, values},
            rest: restOf(all, index.index.columns, equalities),
            description: `unique index ${index.index.name}`,
        };
    }
    return primaryList(store.table, all, source, scope);
}

type Equalities = ReadonlyMap<number, {readonly conjunct: Expr; readonly value: Expr}>;

function equalitiesOf(all: readonly Expr[], source: number, table: TableDescriptor): Equalities {
    const equalities = new Map<number, {readonly conjunct: Expr; readonly value: Expr}>();
    for (const conjunct of all) {
        const found = equality(conjunct, source, table);
        if (found !== undefined && !equalities.has(found.column)) {
            equalities.set(found.column, {conjunct, value: found.value});
        }
    }
    return equalities;
}

/** The values that conjuncts bind these columns of source 0 to; undefined when one is not bound. */
export function bindColumns(
    table: TableDescriptor,
    columns: readonly number[],
    all: readonly Expr[],
    scope: CompileScope,
): KeyValues | undefined {
    return keyValues(table, columns, equalitiesOf(all, 0, table), scope);
}

function restOf(
    all: readonly Expr[],
    columns: readonly number[],
    equalities: ReadonlyMap<number, {readonly conjunct: Expr}>,
): Expr[] {
    const used = new Set(columns.map((column) => equalities.get(column)?.conjunct));
    return all.filter((conjunct) => !used.has(conjunct));
}

function keyValues(
    table: TableDescriptor,
    columns: readonly number[],
    equalities: ReadonlyMap<number, {readonly value: Expr}>,
    scope: CompileScope,
): KeyValues | undefined {
    const evaluators: {readonly evaluate: Evaluate; readonly convert: KeyConverter}[] = [];
    for (const attnum of columns) {
        const found = equalities.get(attnum);
        const column = columnOf(table, attnum);
        if (found === undefined || column === undefined) return undefined;
        const convert = converter(found.value.type.oid, column.type.oid);
        if (convert === undefined) return undefined;
        evaluators.push({evaluate: compileExpression(found.value, scope), convert});
    }
    return (frame) => {
        const values: Datum[] = [];
        for (const {evaluate, convert} of evaluators) {
            const value = convert(evaluate(frame));
            // NULL equals nothing, and neither does a value outside of the column's type.
            if (value === undefined || value === null) return undefined;
            values.push(value);
        }
        return values;
    };
}

/** As `keyValues` for a key of one column, without the list; undefined for other keys. */
function onlyValue(
    table: TableDescriptor,
    columns: readonly number[],
    equalities: ReadonlyMap<number, {readonly value: Expr}>,
    scope: CompileScope,
): KeyValue | undefined {
    const [attnum, second] = columns;
    if (attnum === undefined || second !== undefined) return undefined;
    const found = equalities.get(attnum);
    const column = columnOf(table, attnum);
    if (found === undefined || column === undefined) return undefined;
    const convert = converter(found.value.type.oid, column.type.oid);
    if (convert === undefined) return undefined;
    const evaluate = compileExpression(found.value, scope);
    return (frame) => convert(evaluate(frame)) ?? undefined;
}

function primaryList(
    table: TableDescriptor,
    all: readonly Expr[],
    source: number,
    scope: CompileScope,
): AccessChoice | undefined {
    const attnum = table.primaryKey?.columns[0];
    if (attnum === undefined || table.primaryKey?.columns.length !== 1) return undefined;
    const column = columnOf(table, attnum);
    if (column === undefined) return undefined;
    for (const conjunct of all) {
        const keys = listKeys(conjunct, source, column, scope);
        if (keys === undefined) continue;
        return {
            access: {kind: 'primary list', keys},
            rest: all.filter((other) => other !== conjunct),
            description: `list of primary keys ${table.primaryKey.name}`,
        };
    }
    return undefined;
}

function listKeys(
    conjunct: Expr,
    source: number,
    column: ColumnDescriptor,
    scope: CompileScope,
): ((frame: Frame) => readonly (readonly Datum[])[]) | undefined {
    if (conjunct.kind === 'in' && !conjunct.negated && isColumn(conjunct.arg, source, column.attnum)) {
        if (!conjunct.list.every((item) => isIndependent(item))) return undefined;
        const items = conjunct.list.map((item) => ({
            evaluate: compileExpression(item, scope),
            convert: converter(item.type.oid, column.type.oid),
        }));
        if (items.some((item) => item.convert === undefined)) return undefined;
        return (frame) => distinctKeys(items.map((item) => item.convert?.(item.evaluate(frame))));
    }
    if (conjunct.kind === 'scalararray' && conjunct.any && conjunct.op === '=') {
        if (!isColumn(conjunct.left, source, column.attnum) || !isIndependent(conjunct.array)) return undefined;
        const element = ARRAY_ELEMENT[conjunct.array.type.oid];
        const convert = element === undefined ? undefined : converter(element, column.type.oid);
        if (convert === undefined) return undefined;
        const evaluate = compileExpression(conjunct.array, scope);
        return (frame) => {
            const array = evaluate(frame) as PgArray | null;
            return array === null ? [] : distinctKeys(array.elements.map((value) => convert(value)));
        };
    }
    return undefined;
}

const ARRAY_ELEMENT: Readonly<Record<number, number>> = {
    1005: 21,
    1007: 23,
    1016: 20,
    1009: 25,
    1015: 1043,
    2951: 2950,
};

function distinctKeys(values: readonly (Datum | undefined)[]): (readonly Datum[])[] {
    const keys: (readonly Datum[])[] = [];
    for (const value of new Set(values)) if (value !== undefined && value !== null) keys.push([value]);
    return keys;
}

/** `column = expression that depends on no row`, either way round. */
function equality(conjunct: Expr, source: number, table: TableDescriptor): {column: number; value: Expr} | undefined {
    if (conjunct.kind !== 'operator' || conjunct.op !== '=' || conjunct.left === null) return undefined;
    for (const [side, other] of [
        [conjunct.left, conjunct.right],
        [conjunct.right, conjunct.left],
    ] as const) {
        const column = plainColumn(side, source);
        if (
            column !== undefined &&
            column.column > 0 &&
            columnOf(table, column.column) !== undefined &&
            isIndependent(other)
        ) {
            return {column: column.column, value: other};
        }
    }
    return undefined;
}

function isColumn(expr: Expr, source: number, attnum: number): boolean {
    return plainColumn(expr, source)?.column === attnum;
}

/** The column itself, or a varchar column seen as text. */
function plainColumn(expr: Expr, source: number): ColumnExpr | undefined {
    if (expr.kind === 'column') return expr.level === 0 && expr.source === source ? expr : undefined;
    if (expr.kind === 'cast' && TEXT_OIDS.has(expr.type.oid) && TEXT_OIDS.has(expr.arg.type.oid)) {
        return expr.type.typmod === -1 ? plainColumn(expr.arg, source) : undefined;
    }
    return undefined;
}

type KeyConverter = (value: Datum) => Datum | undefined;

/** How a value of one type becomes a key of a column of another; undefined where keys cannot be compared that way. */
function converter(valueOid: number, columnOid: number): KeyConverter | undefined {
    if (valueOid === columnOid) return (value) => value;
    if (TEXT_OIDS.has(valueOid) && TEXT_OIDS.has(columnOid)) return (value) => value;
    if (INT_OIDS.has(valueOid) && INT_OIDS.has(columnOid)) {
        if (columnOid === 20) return (value) => (value === null ? null : BigInt(value as number | bigint));
        const limit = columnOid === 21 ? 32_768 : 2_147_483_648;
        return (value) => {
            if (value === null) return null;
            const number = Number(value);
            return number >= -limit && number < limit ? number : undefined;
        };
    }
    return undefined;
}

function columnOf(table: TableDescriptor, attnum: number): ColumnDescriptor | undefined {
    return table.columns.find((column) => column.attnum === attnum);
}

/** True when the expression has the same value for every row of a statement. */
export function isIndependent(expr: Expr): boolean {
    switch (expr.kind) {
        case 'const':
        case 'param':
        case 'sqlvalue':
            return true;
        case 'cast':
            return isIndependent(expr.arg);
        case 'operator':
            return (expr.left === null || isIndependent(expr.left)) && isIndependent(expr.right);
        case 'array':
            return expr.elements.every((element) => isIndependent(element));
        default:
            return false;
    }
}
