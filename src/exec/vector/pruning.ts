/**
 * Simple predicates of a query's WHERE that choose segments: `column op constant` on one of its tables.
 *
 * What must stay true: every predicate returned must hold for a row to be in the result, so only terms of the top-level
 * AND count, and only for a table that no outer join can extend with NULLs. Values are in the encoding of segment bounds.
 */
import type {Datum} from '../../../catalog/types/datum.ts';
import type {BoundQuery, BoundSelect, ColumnExpr, Expr, FromItem} from '../../sql/bound.ts';
import type {BoundOrder, PruningOperator, PruningPredicate} from '../../../storage/parquet/pruning.ts';
import {EPOCH_DAYS, EPOCH_MICROS, INT64_MAX, INT64_MIN} from './chunk-writer.ts';
import type {TypeCodec} from './type-map.ts';
import {OID} from './type-map.ts';

const MIRRORED: Readonly<Record<string, PruningOperator>> = {'=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<='};

/** Predicates per tableId, for tables that the top query names once. */
export function pruningPredicates(
    query: BoundQuery,
    parameters: readonly Datum[],
    codec: TypeCodec,
): ReadonlyMap<number, readonly PruningPredicate[]> {
    const found = new Map<number, PruningPredicate[]>();
    if (query.kind !== 'select' || query.where === null || query.ctes.length > 0) return found;
    const strict = strictSources(query);
    for (const term of conjuncts(query.where)) {
        const comparison = comparisonOf(term);
        if (comparison === undefined || !strict.has(comparison.column.source)) continue;
        const source = query.sources[comparison.column.source];
        if (source?.kind !== 'table' || timesNamed(query, source.table.tableId) > 1) continue;
        const value =
            comparison.value.kind === 'const' ? comparison.value.value : (parameters[comparison.value.index] ?? null);
        const base = codec.baseType(comparison.column.type);
        const encoded = encode(value, base.oid);
        if (encoded === undefined || codec.baseType(comparison.value.type).oid !== base.oid) continue;
        const list = found.get(source.table.tableId) ?? [];
        list.push({attnum: comparison.column.column, op: comparison.op, ...encoded});
        found.set(source.table.tableId, list);
    }
    return found;
}

/** Sources whose rows a WHERE term certainly filters: those in no outer join. */
function strictSources(query: BoundSelect): Set<number> {
    const strict = new Set<number>();
    const visit = (item: FromItem): void => {
        if (item.kind === 'source') strict.add(item.source);
        else if (item.join === 'inner' || item.join === 'cross') {
            visit(item.left);
            visit(item.right);
        }
    };
    for (const item of query.from) visit(item);
    return strict;
}

/** A table named twice, in a subquery say, is read with one input: its segments must serve both. */
function timesNamed(query: BoundSelect, tableId: number): number {
    const text = JSON.stringify(query, (key, value: unknown) => {
        if (key === 'table') return {tableId: (value as {tableId: number}).tableId};
        return typeof value === 'bigint' ? String(value) : value;
    });
    return text.split(`{"tableId":${tableId}}`).length - 1;
}

function conjuncts(expr: Expr): readonly Expr[] {
    return expr.kind === 'and' ? expr.args.flatMap(conjuncts) : [expr];
}

type Value = Extract<Expr, {kind: 'const' | 'param'}>;

function comparisonOf(expr: Expr): {column: ColumnExpr; op: PruningOperator; value: Value} | undefined {
    if (expr.kind !== 'operator' || expr.left === null) return undefined;
    const {left, right} = expr;
    const op = MIRRORED[expr.op] === undefined ? undefined : (expr.op as PruningOperator);
    if (op === undefined) return undefined;
    if (isColumn(left) && isValue(right)) return {column: left, op, value: right};
    const mirrored = MIRRORED[expr.op];
    if (isColumn(right) && isValue(left) && mirrored !== undefined) return {column: right, op: mirrored, value: left};
    return undefined;
}

function isColumn(expr: Expr): expr is ColumnExpr {
    return expr.kind === 'column' && expr.level === 0 && expr.column > 0;
}

function isValue(expr: Expr): expr is Value {
    return expr.kind === 'const' || expr.kind === 'param';
}

function encode(value: Datum, oid: number): {value: string; order: BoundOrder} | undefined {
    if (typeof value === 'string') {
        if (oid === OID.numeric) return /^-?[\d.]+$/.test(value) ? {value, order: 'number'} : undefined;
        return oid === OID.text || oid === OID.varchar || oid === OID.uuid ? {value, order: 'text'} : undefined;
    }
    if (typeof value === 'bigint') {
        if (oid === OID.int8) return {value: value.toString(), order: 'integer'};
        if (oid !== OID.timestamp && oid !== OID.timestamptz) return undefined;
        if (value === INT64_MAX || value === INT64_MIN) return undefined;
        return {value: (value + EPOCH_MICROS).toString(), order: 'integer'};
    }
    if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
    if (oid === OID.int2 || oid === OID.int4 || oid === OID.oid) return {value: value.toString(), order: 'integer'};
    if (oid === OID.float4 || oid === OID.float8) return {value: value.toString(), order: 'number'};
    return oid === OID.date ? {value: (value + EPOCH_DAYS).toString(), order: 'integer'} : undefined;
}
