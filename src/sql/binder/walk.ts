/**
 * Walks over bound expressions and queries, and their structural comparison.
 *
 * What must stay true: every kind of expression is listed in `children`, so that a new kind fails to compile here
 * rather than being skipped by the checks that stand on these walks.
 */
import type {BoundQuery, Expr, FrameBound, FromItem, SortKey} from '../bound.ts';
import {Unsupported} from '../bound.ts';

/** Direct sub-expressions in the same query; the queries of subqueries are not entered. */
export function children(expr: Expr): readonly Expr[] {
    switch (expr.kind) {
        case 'const':
        case 'param':
        case 'column':
        case 'sqlvalue':
            return [];
        case 'operator':
            return expr.left === null ? [expr.right] : [expr.left, expr.right];
        case 'function':
            return expr.args;
        case 'aggregate':
            return [...expr.args, ...(expr.filter === null ? [] : [expr.filter]), ...keys(expr.orderBy)];
        case 'window':
            return [
                ...expr.call.args,
                ...(expr.call.filter === null ? [] : [expr.call.filter]),
                ...expr.partitionBy,
                ...keys(expr.orderBy),
                ...(expr.frame === null ? [] : [...offset(expr.frame.start), ...offset(expr.frame.end)]),
            ];
        case 'cast':
        case 'not':
        case 'isnull':
        case 'booltest':
            return [expr.arg];
        case 'and':
        case 'or':
        case 'coalesce':
        case 'greatest':
        case 'least':
            return expr.args;
        case 'distinct':
        case 'nullif':
            return [expr.left, expr.right];
        case 'case':
            return [
                ...expr.whens.flatMap((when) => [when.condition, when.result]),
                ...(expr.otherwise === null ? [] : [expr.otherwise]),
            ];
        case 'in':
            return [expr.arg, ...expr.list];
        case 'scalararray':
            return [expr.left, expr.array];
        case 'like':
            return [expr.arg, expr.pattern, ...(expr.escape === null ? [] : [expr.escape])];
        case 'subquery':
            return expr.test === null ? [] : [expr.test];
        case 'array':
            return expr.elements;
        case 'row':
            return expr.fields;
        default:
            return expr satisfies never;
    }
}

function keys(orderBy: readonly SortKey[]): readonly Expr[] {
    return orderBy.map((key) => key.expr);
}

function offset(bound: FrameBound): readonly Expr[] {
    return 'offset' in bound ? [bound.offset] : [];
}

/** Visits an expression, its parts, and everything in its subqueries. `depth` = queries entered so far. */
export function walk(expr: Expr, visit: (expr: Expr, depth: number) => boolean, depth = 0): void {
    if (!visit(expr, depth)) return;
    for (const child of children(expr)) walk(child, visit, depth);
    if (expr.kind === 'subquery') walkQuery(expr.query, visit, depth + 1);
}

/** Visits every expression of a query. A visitor that returns false is not led into that expression's parts. */
export function walkQuery(query: BoundQuery, visit: (expr: Expr, depth: number) => boolean, depth: number): void {
    const all = (exprs: Iterable<Expr | null>): void => {
        for (const expr of exprs) if (expr !== null) walk(expr, visit, depth);
    };
    for (const cte of query.ctes) walkQuery(cte.query, visit, query.kind === 'setop' ? depth : depth + 1);
    all(keys(query.orderBy));
    all([query.limit, query.offset]);
    if (query.kind === 'values') {
        for (const row of query.rows) all(row);
        return;
    }
    if (query.kind === 'setop') {
        walkQuery(query.left, visit, depth);
        walkQuery(query.right, visit, depth);
        return;
    }
    for (const source of query.sources) {
        if (source.kind === 'query') walkQuery(source.query, visit, depth + 1);
        if (source.kind === 'function') walk(source.call, visit, depth);
    }
    for (const item of query.from) walkFrom(item, all);
    all([query.where, query.having]);
    for (const set of query.groupBy ?? []) all(set);
    all(query.targets.map((target) => target.expr));
    if (typeof query.distinct !== 'string') all(query.distinct);
}

function walkFrom(item: FromItem, all: (exprs: Iterable<Expr | null>) => void): void {
    if (item.kind === 'source') return;
    all([item.on]);
    walkFrom(item.left, all);
    walkFrom(item.right, all);
}

export function contains(expr: Expr, test: (expr: Expr) => boolean): boolean {
    return test(expr) || children(expr).some((child) => contains(child, test));
}

/** equal(): the same tree. Subqueries are never the same. */
export function sameExpr(a: Expr, b: Expr): boolean {
    if (a === b) return true;
    if (a.kind !== b.kind || a.type.oid !== b.type.oid || a.type.typmod !== b.type.typmod) return false;
    if (a.kind === 'subquery' || a.kind === 'window') return false;
    const ownA = ownFields(a);
    if (ownA !== ownFields(b)) return false;
    const childrenA = children(a);
    const childrenB = children(b);
    return (
        childrenA.length === childrenB.length &&
        childrenA.every((child, i) => {
            const other = childrenB[i];
            return other !== undefined && sameExpr(child, other);
        })
    );
}

/** What a node holds besides its type and children, as text. */
function ownFields(expr: Expr): string {
    return JSON.stringify(expr, (key, value: unknown) => {
        if (value === expr) return value;
        if (key === 'type') return undefined;
        if (typeof value === 'bigint') return `${value}n`;
        if (typeof value === 'number' && !Number.isFinite(value)) return `${value}f`;
        if (isExpr(value)) return 'expr';
        return value;
    });
}

function isExpr(value: unknown): boolean {
    return typeof value === 'object' && value !== null && 'kind' in value && 'type' in value;
}

/** The same expression, seen from `by` queries further in. Only what a FROM item's columns can be made of. */
export function shiftLevels(expr: Expr, by: number): Expr {
    if (by === 0) return expr;
    switch (expr.kind) {
        case 'column':
            return {...expr, level: expr.level + by};
        case 'coalesce':
            return {...expr, args: expr.args.map((arg) => shiftLevels(arg, by))};
        case 'cast':
            return {...expr, arg: shiftLevels(expr.arg, by)};
        case 'const':
            return expr;
        default:
            throw new Unsupported('outer reference to a computed column');
    }
}
