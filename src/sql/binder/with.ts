/**
 * WITH: common table expressions, plain and recursive; PostgreSQL's parse_cte.c. Data-modifying ones are refused.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {BoundCte, BoundQuery, OutputColumn} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {CommonTableExpr, Node, SelectStmt, WithClause} from '../nodes.ts';
import {as, strings} from '../nodes.ts';
import type {StatementState} from './context.ts';
import {QueryScope} from './scope.ts';
import {bindQuery, bindQueryNode} from './select.ts';
import {combine} from './set-operations.ts';

export function bindWith(state: StatementState, scope: QueryScope, clause: WithClause): BoundCte[] {
    const bound: BoundCte[] = [];
    const ctes = clause.ctes.map((node) => {
        const cte = as(node, 'CommonTableExpr');
        if (cte === undefined || cte.search_clause !== undefined || cte.cycle_clause !== undefined) {
            throw new Unsupported('WITH');
        }
        return cte;
    });
    for (const cte of ctes) {
        if (scope.ctes.has(cte.ctename)) throw new Unsupported('WITH name specified more than once');
        // Under RECURSIVE a query may name one that comes later: only backward and self references are bound here.
        const later = ctes.slice(ctes.indexOf(cte) + 1);
        if (clause.recursive === true && later.some((other) => mentions(cte.ctequery, other.ctename) > 0)) {
            throw new Unsupported('forward reference in WITH RECURSIVE');
        }
        const isRecursive = clause.recursive === true && mentions(cte.ctequery, cte.ctename) > 0;
        const one = isRecursive ? bindRecursive(state, scope, cte) : bindPlain(state, scope, cte);
        scope.ctes.set(cte.ctename, one);
        bound.push(one);
    }
    return bound;
}

const MATERIALIZED: Readonly<Record<string, boolean>> = {CTEMaterializeAlways: true, CTEMaterializeNever: false};

function bindPlain(state: StatementState, scope: QueryScope, cte: CommonTableExpr): BoundCte {
    const query = bindQueryNode(state, scope, cte.ctequery);
    return describe(cte, query, query.columns, false);
}

function describe(
    cte: CommonTableExpr,
    query: BoundQuery,
    columns: readonly OutputColumn[],
    recursive: boolean,
): BoundCte {
    const names = strings(cte.aliascolnames) ?? [];
    if (names.length > columns.length) throw new Unsupported('too many column names in WITH');
    return {
        name: cte.ctename,
        query,
        columns: columns.map((column, i) => ({...column, name: names[i] ?? column.name})),
        recursive,
        materialized: MATERIALIZED[cte.ctematerialized ?? ''],
    };
}

/** How often a relation of this name is read within. */
function mentions(tree: unknown, name: string): number {
    return JSON.stringify(tree).split(`"relname":${JSON.stringify(name)}`).length - 1;
}

function bindRecursive(state: StatementState, scope: QueryScope, cte: CommonTableExpr): BoundCte {
    const stmt = as(cte.ctequery, 'SelectStmt');
    const {larg, rarg} = stmt ?? {};
    if (stmt?.op !== 'SETOP_UNION' || larg === undefined || rarg === undefined) throw new Unsupported('recursion');
    const extras = [stmt.sortClause, stmt.limitCount, stmt.limitOffset, stmt.lockingClause, stmt.withClause];
    if (extras.some((extra) => extra !== undefined)) throw new Unsupported('recursion with other clauses');
    if (mentions(larg, cte.ctename) > 0 || !isPlainRecursion(rarg, cte.ctename)) throw new Unsupported('recursion');
    const arms = new QueryScope(scope, true);
    const left = bindQuery(state, arms, larg, {resolveUnknowns: false});
    if (left.columns.some((column) => column.type.oid === OID.unknown)) throw new Unsupported('recursion on unknown');
    const columns = left.columns.map(({name, type}) => ({name, type, tableOid: 0, attnum: 0}));
    arms.ctes.set(cte.ctename, describe(cte, left, columns, true));
    const right = bindQuery(state, arms, rarg, {resolveUnknowns: false});
    const all = stmt.all === true;
    const combined = combine(state, left, right, 'union', all);
    const agree = combined.columns.every((column, i) => {
        const own = columns[i]?.type;
        return own !== undefined && own.oid === column.type.oid && own.typmod === column.type.typmod;
    });
    if (!agree) throw new Unsupported('recursion changes a column type');
    const query: BoundQuery = {
        kind: 'setop',
        ctes: [],
        op: 'union',
        all,
        ...combined,
        orderBy: [],
        limit: null,
        offset: null,
    };
    return describe(cte, query, columns, true);
}

/** The recursive term as PostgreSQL allows it, and no more than is plainly so: one reference, in inner joins, no groups. */
function isPlainRecursion(stmt: SelectStmt, name: string): boolean {
    const forbidden = [
        stmt.sortClause,
        stmt.limitCount,
        stmt.limitOffset,
        stmt.lockingClause,
        stmt.withClause,
        stmt.groupClause,
        stmt.havingClause,
        stmt.distinctClause,
        stmt.valuesLists,
    ];
    if (stmt.op !== undefined && stmt.op !== 'SETOP_NONE') return false;
    if (forbidden.some((clause) => clause !== undefined)) return false;
    if (/"(agg_star|agg_filter|agg_order|over)":/.test(JSON.stringify(stmt.targetList ?? []))) return false;
    if (mentions(stmt, name) !== 1) return false;
    return (stmt.fromClause ?? []).some((node) => readsDirectly(node, name));
}

function readsDirectly(node: Node, name: string): boolean {
    const range = as(node, 'RangeVar');
    if (range !== undefined) return range.relname === name && range.schemaname === undefined;
    const join = as(node, 'JoinExpr');
    if (join?.jointype !== 'JOIN_INNER') return false;
    return readsDirectly(join.larg, name) || readsDirectly(join.rarg, name);
}
