/**
 * Casts of a whole query's output columns, for set operations, recursive queries and IN (subquery).
 */
import type {TypeRef} from '../../../catalog/descriptor.ts';
import type {BoundQuery, BoundSelect, Expr, OutputColumn} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {walkQuery} from './walk.ts';

/** The query with its columns of these types. Only where the cast cannot change the query is it put inside. */
export function castColumns(query: BoundQuery, types: readonly TypeRef[]): BoundQuery {
    const same = query.columns.every((column, i) => column.type.oid === types[i]?.oid);
    if (same) return query;
    if (isPlainSelect(query)) return castTargets(query, types);
    // The wrapper is one more level between the query and what is around it.
    if (refersOutside(query)) throw new Unsupported('cast of a correlated query');
    const targets = query.columns.map((column, i) => {
        const {name, type} = column;
        return {expr: castTo({kind: 'column', level: 0, source: 0, column: i + 1, name, type}, types[i] ?? type), name};
    });
    return {
        kind: 'select',
        ctes: [],
        sources: [{kind: 'query', alias: 'unnamed_subquery', query, columns: query.columns, lateral: false}],
        from: [{kind: 'source', source: 0}],
        where: null,
        groupBy: null,
        having: null,
        targets,
        distinct: 'none',
        orderBy: [],
        limit: null,
        limitWithTies: false,
        offset: null,
        columns: castOutput(query.columns, types),
        hasAggregates: false,
    };
}

function refersOutside(query: BoundQuery): boolean {
    let found = false;
    const visit = (expr: Expr, depth: number): boolean => {
        if (expr.kind === 'column' && expr.level > depth) found = true;
        return !found;
    };
    walkQuery(query, visit, 0);
    return found;
}

function isPlainSelect(query: BoundQuery): query is BoundSelect {
    return query.kind === 'select' && query.distinct === 'none' && query.orderBy.length === 0;
}

function castTargets(query: BoundSelect, types: readonly TypeRef[]): BoundSelect {
    return {
        ...query,
        targets: query.targets.map((target, i) => ({
            ...target,
            expr: castTo(target.expr, types[i] ?? target.expr.type),
        })),
        columns: castOutput(query.columns, types),
    };
}

function castTo(expr: Expr, type: TypeRef): Expr {
    if (expr.type.oid === type.oid) return expr;
    return {kind: 'cast', type, arg: expr, context: 'implicit'};
}

function castOutput(columns: readonly OutputColumn[], types: readonly TypeRef[]): OutputColumn[] {
    return columns.map((column, i) => {
        const type = types[i] ?? column.type;
        return type.oid === column.type.oid ? column : {name: column.name, type, tableOid: 0, attnum: 0};
    });
}
