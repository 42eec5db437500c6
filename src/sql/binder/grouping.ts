/**
 * GROUP BY with grouping sets, and the rule that an ungrouped column may not be used outside of aggregates
 * (transformGroupClause and parseCheckAggregates of PostgreSQL's parse_clause.c and parse_agg.c).
 */
import type {Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Node} from '../nodes.ts';
import {as} from '../nodes.ts';
import type {StatementState} from './context.ts';
import type {QueryScope} from './scope.ts';
import type {TargetEntry} from './sorting.ts';
import {findTarget, settleTarget} from './sorting.ts';
import {isSortable} from './types.ts';
import {children, contains, sameExpr, walkQuery} from './walk.ts';

/** PostgreSQL allows 4096; more than these are left to it. */
const GROUPING_SETS_MAX = 64;

type GroupingSet = readonly TargetEntry[];

export function bindGrouping(
    state: StatementState,
    scope: QueryScope,
    targets: TargetEntry[],
    nodes: readonly Node[],
): GroupingSet[] {
    let sets: GroupingSet[] = [[]];
    for (const node of nodes) {
        const next = setsOf(state, scope, targets, node);
        sets = sets.flatMap((set) => next.map((other) => [...set, ...other]));
        if (sets.length > GROUPING_SETS_MAX) throw new Unsupported('too many grouping sets');
    }
    return sets.map((set) => [...new Set(set)]);
}

function setsOf(state: StatementState, scope: QueryScope, targets: TargetEntry[], node: Node): GroupingSet[] {
    const grouping = as(node, 'GroupingSet');
    if (grouping === undefined) return [columnsOf(state, scope, targets, node)];
    const content = grouping.content ?? [];
    const parts = (): GroupingSet[] => content.map((each) => columnsOf(state, scope, targets, each));
    switch (grouping.kind) {
        case 'GROUPING_SET_EMPTY':
            return [[]];
        case 'GROUPING_SET_ROLLUP': {
            const columns = parts();
            return Array.from({length: columns.length + 1}, (_, i) => columns.slice(0, columns.length - i).flat());
        }
        case 'GROUPING_SET_CUBE': {
            const columns = parts();
            if (2 ** columns.length > GROUPING_SETS_MAX) throw new Unsupported('too many grouping sets');
            const count = 2 ** columns.length;
            return Array.from({length: count}, (_, i) => columns.filter((_c, bit) => ((i >> bit) & 1) === 0).flat());
        }
        case 'GROUPING_SET_SETS':
            return content.flatMap((each) => setsOf(state, scope, targets, each));
        default:
            throw new Unsupported(grouping.kind);
    }
}

/** One expression, or a parenthesised list. */
function columnsOf(state: StatementState, scope: QueryScope, targets: TargetEntry[], node: Node): GroupingSet {
    const row = as(node, 'RowExpr');
    const nodes = row?.row_format === 'COERCE_IMPLICIT_CAST' ? (row.args ?? []) : [node];
    return nodes.map((each) => {
        const target = findTarget(state, scope, targets, each, 'group');
        settleTarget(state, target);
        if (contains(target.expr, (e) => e.kind === 'aggregate' || e.kind === 'window')) {
            throw new Unsupported('aggregate in GROUP BY');
        }
        if (!isSortable(state, target.expr.type.oid)) throw new Unsupported('GROUP BY a type without order');
        return target;
    });
}

/**
 * Checks every expression, and returns the grouping with functionally dependent columns added: where a table's whole
 * primary key is grouped, its other columns are one value a group, so grouping by them too changes nothing.
 */
export function checkGrouping(
    scope: QueryScope,
    groupBy: readonly (readonly Expr[])[] | null,
    exprs: readonly Expr[],
): readonly (readonly Expr[])[] | null {
    const grouped = groupBy?.flat() ?? [];
    const dependent: Expr[] = [];
    const isGrouped = (expr: Expr): boolean => grouped.some((each) => sameExpr(each, expr));
    const requireColumn = (expr: Expr): void => {
        if (expr.kind !== 'column' || isGrouped(expr) || isGroupedIn(dependent, expr)) return;
        const source = scope.sources[expr.source];
        const key = source?.kind === 'table' ? source.table.primaryKey : undefined;
        const dependsOnKey =
            groupBy?.length === 1 &&
            key !== undefined &&
            key.columns.every((attnum) =>
                grouped.some(
                    (each) =>
                        each.kind === 'column' &&
                        each.level === 0 &&
                        each.source === expr.source &&
                        each.column === attnum,
                ),
            );
        if (!dependsOnKey) throw new Unsupported(`column ${expr.name} must appear in GROUP BY`);
        dependent.push(expr);
    };
    const visit = (expr: Expr): void => {
        if (isGrouped(expr) || expr.kind === 'aggregate') return;
        if (expr.kind === 'function' && expr.name === 'grouping') {
            if (!expr.args.every(isGrouped)) throw new Unsupported('GROUPING of something not grouped');
            return;
        }
        if (expr.kind === 'column' && expr.level === 0) requireColumn(expr);
        if (expr.kind === 'subquery') {
            walkQuery(
                expr.query,
                (inner, depth) => {
                    if (inner.kind === 'column' && inner.level === depth) requireColumn({...inner, level: 0});
                    return true;
                },
                1,
            );
        }
        for (const child of children(expr)) visit(child);
    };
    for (const expr of exprs) visit(expr);
    if (groupBy === null || dependent.length === 0) return groupBy;
    return groupBy.map((set) => [...set, ...dependent]);
}

function isGroupedIn(list: readonly Expr[], expr: Expr): boolean {
    return list.some((each) => sameExpr(each, expr));
}
