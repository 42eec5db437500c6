/**
 * ORDER BY, GROUP BY and DISTINCT: which target or expression an item means (findTargetlistEntrySQL92 and SQL99 of
 * PostgreSQL's parse_clause.c), and how it is sorted.
 *
 * What must stay true: an item that equals a target is that target, so that coercing an unknown literal changes both.
 */
import type {Expr, SortKey} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Node, SortBy} from '../nodes.ts';
import {as, strings} from '../nodes.ts';
import {resolveUnknown} from './coerce.ts';
import type {StatementState} from './context.ts';
import {bindExpression} from './expressions.ts';
import type {QueryScope} from './scope.ts';
import {isSortable} from './types.ts';
import {sameExpr} from './walk.ts';

/** One entry of the target list. `junk` ones were added by ORDER BY or GROUP BY and are not put out. */
export interface TargetEntry {
    expr: Expr;
    readonly name: string;
    readonly junk: boolean;
}

export function sortKey(state: StatementState, sort: SortBy, expr: Expr): SortKey {
    if (sort.useOp !== undefined || sort.sortby_dir === 'SORTBY_USING') throw new Unsupported('ORDER BY USING');
    if (!isSortable(state, expr.type.oid)) throw new Unsupported('ORDER BY a type without order');
    const descending = sort.sortby_dir === 'SORTBY_DESC';
    const nulls = sort.sortby_nulls;
    const nullsFirst = nulls === 'SORTBY_NULLS_FIRST' ? true : nulls === 'SORTBY_NULLS_LAST' ? false : descending;
    return {expr, descending, nullsFirst};
}

/** SQL92 rules: a bare name is an output column first, an integer is a position, the rest are expressions. */
export function findTarget(
    state: StatementState,
    scope: QueryScope,
    targets: TargetEntry[],
    node: Node,
    clause: 'order' | 'group' | 'distinct on',
): TargetEntry {
    const name = bareName(node);
    // GROUP BY prefers a column of the FROM clause to an output name.
    if (name !== undefined && !(clause === 'group' && scope.hasColumnHere(name))) {
        const named = targets.filter((target) => !target.junk && target.name === name);
        const [first] = named;
        if (first !== undefined) {
            if (named.some((target) => !sameExpr(target.expr, first.expr))) throw new Unsupported('ambiguous name');
            return first;
        }
    }
    const constant = as(node, 'A_Const');
    if (constant !== undefined) {
        if (constant.ival === undefined) throw new Unsupported('constant in ORDER BY or GROUP BY');
        const position = constant.ival.ival ?? 0;
        const target = targets.filter((entry) => !entry.junk)[position - 1];
        if (target === undefined) throw new Unsupported('position is not in select list');
        return target;
    }
    return findExpression(targets, bindExpression(state, scope, node));
}

function findExpression(targets: TargetEntry[], expr: Expr): TargetEntry {
    const same = targets.find((target) => sameExpr(target.expr, expr));
    if (same !== undefined) return same;
    const added: TargetEntry = {expr, name: '', junk: true};
    targets.push(added);
    return added;
}

function bareName(node: Node): string | undefined {
    const fields = as(node, 'ColumnRef')?.fields;
    return fields?.length === 1 ? strings(fields)?.[0] : undefined;
}

/** Makes an unknown literal or parameter text, in the target list itself. */
export function settleTarget(state: StatementState, target: TargetEntry): void {
    target.expr = resolveUnknown(state, target.expr);
}
