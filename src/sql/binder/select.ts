/**
 * Queries: SELECT, VALUES and the dispatch to set operations; transformSelectStmt and transformValuesClause of
 * PostgreSQL's analyze.c.
 *
 * What must stay true: clauses are bound in PostgreSQL's order (FROM, targets, WHERE, HAVING, ORDER BY, GROUP BY,
 * DISTINCT, LIMIT), which decides the types of parameters.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {BoundQuery, BoundSelect, BoundValues, Expr, OutputColumn, SortKey, Target} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Node, SelectStmt, SortBy} from '../nodes.ts';
import {as, strings, tagOf} from '../nodes.ts';
import {coerceToTarget, unify} from './coerce.ts';
import {columnName} from './column-names.ts';
import type {StatementState} from './context.ts';
import {bindBoolean, bindExpression} from './expressions.ts';
import {bindFrom} from './from.ts';
import {bindGrouping, checkGrouping} from './grouping.ts';
import {bindRowLock} from './row-lock.ts';
import type {ScopeColumn} from './scope.ts';
import {QueryScope} from './scope.ts';
import {bindSetOperation} from './set-operations.ts';
import type {TargetEntry} from './sorting.ts';
import {findTarget, settleTarget, sortKey} from './sorting.ts';
import {isSortable, plain} from './types.ts';
import {contains, shiftLevels} from './walk.ts';
import {bindWindow} from './windows.ts';
import {bindWith} from './with.ts';

export interface QueryOptions {
    /** False for the arms of a set operation and INSERT … SELECT: their context gives unknown columns a type. */
    readonly resolveUnknowns: boolean;
    /** Row locks are for the statement's own query alone. */
    readonly isTop?: boolean;
}

const RESOLVED: QueryOptions = {resolveUnknowns: true};

export function bindSubquery(state: StatementState, scope: QueryScope, node: Node): BoundQuery {
    return bindQueryNode(state, scope, node);
}

export function bindQueryNode(
    state: StatementState,
    parent: QueryScope | undefined,
    node: Node,
    options: QueryOptions = RESOLVED,
): BoundQuery {
    const select = as(node, 'SelectStmt');
    if (select === undefined) throw new Unsupported(tagOf(node));
    return bindQuery(state, parent, select, options);
}

export function bindQuery(
    state: StatementState,
    parent: QueryScope | undefined,
    stmt: SelectStmt,
    options: QueryOptions,
): BoundQuery {
    if (stmt.intoClause !== undefined) throw new Unsupported('SELECT INTO');
    const isSetOperation = stmt.op !== undefined && stmt.op !== 'SETOP_NONE';
    const scope = new QueryScope(parent, isSetOperation);
    const ctes = stmt.withClause === undefined ? [] : bindWith(state, scope, stmt.withClause);
    if (isSetOperation) return bindSetOperation(state, scope, stmt, ctes, options);
    if (stmt.valuesLists !== undefined) return bindValues(state, scope, stmt, ctes, options);
    return bindSelect(state, scope, stmt, ctes, options);
}

function bindSelect(
    state: StatementState,
    scope: QueryScope,
    stmt: SelectStmt,
    ctes: BoundSelect['ctes'],
    options: QueryOptions,
): BoundSelect {
    for (const node of stmt.windowClause ?? []) {
        const definition = as(node, 'WindowDef');
        if (definition?.name === undefined || scope.windows.has(definition.name)) throw new Unsupported('WINDOW');
        scope.windows.set(definition.name, definition);
    }
    const from = bindFrom(state, scope, stmt.fromClause ?? []);
    scope.clause = 'target';
    const targets = bindTargets(state, scope, stmt.targetList ?? []);
    const where = clause(scope, 'where', stmt.whereClause, (node) => bindBoolean(state, scope, node));
    const having = clause(scope, 'having', stmt.havingClause, (node) => bindBoolean(state, scope, node));
    scope.clause = 'order';
    const sorts = (stmt.sortClause ?? []).map((node) => bindSort(state, scope, targets, node));
    scope.clause = 'group';
    if (stmt.groupDistinct === true) throw new Unsupported('GROUP BY DISTINCT');
    const grouping = stmt.groupClause === undefined ? null : bindGrouping(state, scope, targets, stmt.groupClause);
    scope.clause = 'target';
    const distinct = bindDistinct(state, scope, targets, stmt, sorts);
    const {limit, offset, withTies} = bindLimit(state, scope, stmt);
    if (withTies && sorts.length === 0) throw new Unsupported('WITH TIES without ORDER BY');
    checkWindows(state, scope, stmt);
    if (options.resolveUnknowns) for (const target of targets) settleTarget(state, target);

    const orderBy = sorts.map(({sort, target}) => sortKey(state, sort, target.expr));
    const hasAggregates = scope.hasAggregates || grouping !== null || having !== null;
    const groupBy = grouping?.map((set) => set.map((target) => target.expr)) ?? null;
    const visible = targets.filter((target) => !target.junk);
    const outputs: Target[] = visible.map(({expr, name}) => ({expr, name}));
    const distinctExprs = typeof distinct === 'string' ? distinct : distinct.map((target) => target.expr);
    const grouped = hasAggregates
        ? checkGrouping(scope, groupBy, [
              ...outputs.map((target) => target.expr),
              ...(having === null ? [] : [having]),
              ...orderBy.map((key) => key.expr),
              ...(typeof distinctExprs === 'string' ? [] : distinctExprs),
          ])
        : groupBy;
    if (distinct !== 'none' && typeof distinct === 'string') {
        if (!visible.every((target) => isSortable(state, target.expr.type.oid))) throw new Unsupported('DISTINCT');
    }
    const select: BoundSelect = {
        kind: 'select',
        ctes,
        sources: scope.sources,
        from,
        where,
        groupBy: grouped,
        having,
        targets: outputs,
        distinct: distinctExprs,
        orderBy,
        limit,
        limitWithTies: withTies,
        offset,
        columns: outputColumns(scope, outputs),
        hasAggregates,
    };
    if (stmt.lockingClause !== undefined) {
        if (options.isTop !== true || scope.hasWindows) throw new Unsupported('FOR UPDATE here');
        bindRowLock(state, select, stmt.lockingClause);
    }
    return select;
}

function clause(
    scope: QueryScope,
    name: 'where' | 'having',
    node: Node | undefined,
    bind: (node: Node) => Expr,
): Expr | null {
    if (node === undefined) return null;
    scope.clause = name;
    return bind(node);
}

/** Windows that no call uses are checked all the same. */
function checkWindows(state: StatementState, scope: QueryScope, stmt: SelectStmt): void {
    const had = scope.hasWindows;
    const call = {name: 'row_number', args: [], star: false, filter: null, isAggregate: false};
    for (const node of stmt.windowClause ?? []) {
        const definition = as(node, 'WindowDef');
        if (definition?.name === undefined) continue;
        bindWindow(state, scope, {name: definition.name}, call, plain(OID.int8));
    }
    scope.hasWindows = had;
}

export function outputColumns(scope: QueryScope, targets: readonly Target[]): OutputColumn[] {
    return targets.map(({expr, name}) => {
        const {tableOid, attnum} = scope.originOf(expr);
        return {name, type: expr.type, tableOid, attnum};
    });
}

/** The select list, or RETURNING's: with stars expanded and columns named. */
export function bindTargets(state: StatementState, scope: QueryScope, nodes: readonly Node[]): TargetEntry[] {
    const targets: TargetEntry[] = [];
    const add = (columns: readonly ScopeColumn[], level: number): void => {
        for (const {name, expr} of columns) targets.push({expr: shiftLevels(expr, level), name, junk: false});
    };
    for (const node of nodes) {
        const target = as(node, 'ResTarget');
        if (target?.val === undefined) throw new Unsupported('target');
        const star = starOf(target.val);
        if (star === undefined) {
            const expr = bindExpression(state, scope, target.val);
            targets.push({expr, name: target.name ?? columnName(state, target.val), junk: false});
        } else if (star.length === 0) {
            const columns = scope.starColumns();
            if (scope.items.length === 0) throw new Unsupported('SELECT * with no tables specified');
            add(columns, 0);
        } else {
            const [schema, relation] = star.length === 2 ? star : [undefined, star[0]];
            if (relation === undefined || star.length > 2) throw new Unsupported('qualified star');
            const {item, level} = scope.relation(schema, relation);
            add(item.columns, level);
        }
    }
    return targets;
}

/** The qualification of `a.b.*`; undefined when it is no star. */
function starOf(node: Node): readonly string[] | undefined {
    const fields = as(node, 'ColumnRef')?.fields;
    const last = fields?.at(-1);
    if (fields === undefined || last === undefined || tagOf(last) !== 'A_Star') return undefined;
    return strings(fields.slice(0, -1));
}

interface BoundSort {
    readonly sort: SortBy;
    readonly target: TargetEntry;
}

function bindSort(state: StatementState, scope: QueryScope, targets: TargetEntry[], node: Node): BoundSort {
    const sort = as(node, 'SortBy');
    if (sort === undefined) throw new Unsupported('ORDER BY');
    const target = findTarget(state, scope, targets, sort.node, 'order');
    settleTarget(state, target);
    return {sort, target};
}

function bindDistinct(
    state: StatementState,
    scope: QueryScope,
    targets: TargetEntry[],
    stmt: SelectStmt,
    sorts: readonly BoundSort[],
): 'none' | 'all' | readonly TargetEntry[] {
    const nodes = stmt.distinctClause;
    if (nodes === undefined) return 'none';
    const isPlain = nodes.every((node) => tagOf(node) === '');
    if (isPlain) {
        if (sorts.some(({target}) => target.junk)) throw new Unsupported('ORDER BY outside of SELECT DISTINCT');
        for (const target of targets) settleTarget(state, target);
        return 'all';
    }
    const chosen = nodes.map((node) => {
        const target = findTarget(state, scope, targets, node, 'distinct on');
        settleTarget(state, target);
        if (!isSortable(state, target.expr.type.oid)) throw new Unsupported('DISTINCT ON');
        return target;
    });
    // The leading ORDER BY items must be the DISTINCT ON expressions, in any order.
    const waiting = new Set(chosen);
    for (const {target} of sorts) {
        if (waiting.size === 0) break;
        if (!chosen.includes(target)) throw new Unsupported('DISTINCT ON does not match ORDER BY');
        waiting.delete(target);
    }
    return chosen;
}

export function bindLimit(
    state: StatementState,
    scope: QueryScope,
    stmt: SelectStmt,
): {limit: Expr | null; offset: Expr | null; withTies: boolean} {
    const wasClause = scope.clause;
    scope.clause = 'limit';
    const count = (node: Node | undefined): Expr | null => {
        if (node === undefined) return null;
        const bound = coerceToTarget(state, bindExpression(state, scope, node), plain(OID.int8), 'assignment');
        if (contains(bound, (e) => e.kind === 'column' && e.level === 0)) throw new Unsupported('LIMIT with columns');
        return bound;
    };
    const offset = count(stmt.limitOffset);
    const limit = count(stmt.limitCount);
    scope.clause = wasClause;
    return {limit, offset, withTies: stmt.limitOption === 'LIMIT_OPTION_WITH_TIES'};
}

/** VALUES: the columns are unified over the rows. */
function bindValues(
    state: StatementState,
    scope: QueryScope,
    stmt: SelectStmt,
    ctes: BoundValues['ctes'],
    options: QueryOptions,
): BoundValues {
    scope.clause = 'values';
    if (stmt.lockingClause !== undefined) throw new Unsupported('FOR UPDATE of VALUES');
    const rows = (stmt.valuesLists ?? []).map((row) =>
        (as(row, 'List')?.items ?? []).map((node) => bindExpression(state, scope, node)),
    );
    const width = rows[0]?.length ?? 0;
    if (rows.some((row) => row.length !== width)) throw new Unsupported('VALUES of different lengths');
    const columns: OutputColumn[] = [];
    const unified: Expr[][] = rows.map(() => []);
    for (let i = 0; i < width; i++) {
        const column = rows.flatMap((row) => row[i] ?? []);
        const {type, exprs} = unify(state, column);
        exprs.forEach((expr, r) => unified[r]?.push(expr));
        columns.push({name: `column${i + 1}`, type, tableOid: 0, attnum: 0});
    }
    const orderBy = sortByOutput(state, columns, stmt.sortClause ?? []);
    const {limit, offset, withTies} = bindLimit(state, scope, stmt);
    if (withTies || !options.resolveUnknowns) {
        // unify has made unknown columns text already; an arm of a UNION or an INSERT would have wanted them as they are.
        if (withTies || rows.some((row) => row.some((expr) => expr.type.oid === OID.unknown))) {
            throw new Unsupported('VALUES here');
        }
    }
    return {kind: 'values', ctes, rows: unified, orderBy, limit, offset, columns};
}

/** ORDER BY of VALUES and set operations: output names and positions only. */
export function sortByOutput(
    state: StatementState,
    columns: readonly OutputColumn[],
    nodes: readonly Node[],
): SortKey[] {
    return nodes.map((node) => {
        const sort = as(node, 'SortBy');
        if (sort === undefined) throw new Unsupported('ORDER BY');
        const name = strings(as(sort.node, 'ColumnRef')?.fields)?.join('.');
        const position = as(sort.node, 'A_Const')?.ival?.ival;
        const matches = [...columns.keys()].filter((i) =>
            position === undefined ? columns[i]?.name === name : i === position - 1,
        );
        const [index, ...others] = matches;
        const column = index === undefined ? undefined : columns[index];
        if (index === undefined || column === undefined || others.length > 0) throw new Unsupported('ORDER BY');
        const expr: Expr = {
            kind: 'column',
            level: 0,
            source: -1,
            column: index + 1,
            name: column.name,
            type: column.type,
        };
        return sortKey(state, sort, expr);
    });
}
