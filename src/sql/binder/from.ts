/**
 * The FROM clause: tables, views, subqueries, CTEs, functions and joins, and the names each brings into scope
 * (transformFromClauseItem of PostgreSQL's parse_clause.c).
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {SYSTEM_COLUMNS} from '../../../catalog/descriptor.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {BoundCte, Expr, FromItem, OutputColumn} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Alias, JoinExpr, Node, RangeFunction, RangeVar} from '../nodes.ts';
import {as, strings, tagOf} from '../nodes.ts';
import {parseStatements} from '../parse.ts';
import {bindTableCall} from './calls.ts';
import {coerce} from './coerce.ts';
import type {StatementState, ViewDefinition} from './context.ts';
import {bindBoolean} from './expressions.ts';
import {makeOperator} from './operators.ts';
import type {NamespaceItem, ScopeColumn} from './scope.ts';
import {QueryScope, sourceColumns} from './scope.ts';
import {bindQueryNode, bindSubquery} from './select.ts';
import {BOOL, commonType, plain} from './types.ts';

interface BoundFrom {
    readonly from: FromItem;
    readonly items: readonly NamespaceItem[];
}

/** Binds the whole list and leaves its names visible in `scope`. */
export function bindFrom(state: StatementState, scope: QueryScope, nodes: readonly Node[]): FromItem[] {
    const wasClause = scope.clause;
    scope.clause = 'from';
    const result: FromItem[] = [];
    for (const node of nodes) {
        const {from, items} = bindItem(state, scope, node);
        checkAliases([...scope.items, ...items]);
        for (const item of items) {
            item.lateralOnly = true;
            item.lateralAllowed = true;
        }
        scope.items = [...scope.items, ...items];
        result.push(from);
    }
    for (const item of scope.items) {
        item.lateralOnly = false;
        item.lateralAllowed = true;
    }
    scope.clause = wasClause;
    return result;
}

function checkAliases(items: readonly NamespaceItem[]): void {
    const seen = new Set<string>();
    for (const item of items) {
        if (item.alias === undefined) continue;
        if (seen.has(item.alias)) throw new Unsupported('table name specified more than once');
        seen.add(item.alias);
    }
}

function bindItem(state: StatementState, scope: QueryScope, node: Node): BoundFrom {
    const range = as(node, 'RangeVar');
    if (range !== undefined) return bindRelation(state, scope, range);
    const subselect = as(node, 'RangeSubselect');
    if (subselect !== undefined) {
        const lateral = subselect.lateral === true;
        const wasActive = scope.lateralActive;
        scope.lateralActive = lateral;
        const query = bindSubquery(state, scope, subselect.subquery);
        scope.lateralActive = wasActive;
        const alias = subselect.alias?.aliasname ?? 'unnamed_subquery';
        const source = scope.addSource({kind: 'query', alias, query, columns: query.columns, lateral});
        return single(scope, source, subselect.alias?.aliasname, query.columns, subselect.alias);
    }
    const join = as(node, 'JoinExpr');
    if (join !== undefined) return bindJoin(state, scope, join);
    const call = as(node, 'RangeFunction');
    if (call !== undefined) return bindFunction(state, scope, call);
    throw new Unsupported(tagOf(node));
}

function aliasNames(alias: Alias | undefined): readonly string[] {
    return strings(alias?.colnames) ?? [];
}

function single(
    _scope: QueryScope,
    source: number,
    name: string | undefined,
    columns: readonly OutputColumn[],
    alias: Alias | undefined,
): BoundFrom {
    return {
        from: {kind: 'source', source},
        items: [item(name, undefined, sourceColumns(source, columns, aliasNames(alias)), [])],
    };
}

function item(
    alias: string | undefined,
    schema: string | undefined,
    columns: readonly ScopeColumn[],
    systemColumns: readonly ScopeColumn[],
    columnsVisible = true,
): NamespaceItem {
    return {alias, schema, columns, systemColumns, columnsVisible, lateralOnly: false, lateralAllowed: true};
}

function bindRelation(state: StatementState, scope: QueryScope, range: RangeVar): BoundFrom {
    if (range.catalogname !== undefined) throw new Unsupported('catalog name');
    const alias = range.alias?.aliasname ?? range.relname;
    if (range.schemaname === undefined) {
        const cte = scope.cte(range.relname);
        if (cte !== undefined) return bindCteReference(scope, cte, alias, range.alias);
    }
    const table = state.context.catalog.table(range.schemaname, range.relname);
    if (table !== undefined) {
        state.addTable(table);
        const source = scope.addSource({kind: 'table', alias, table});
        return {
            from: {kind: 'source', source},
            items: [tableItem(table, source, alias, range.alias?.aliasname === undefined, aliasNames(range.alias))],
        };
    }
    const view = state.context.catalog.view(range.schemaname, range.relname);
    if (view !== undefined) return bindView(state, scope, view, alias, range.alias);
    throw new Unsupported(`relation ${range.relname}`);
}

function bindCteReference(scope: QueryScope, cte: BoundCte, alias: string, names: Alias | undefined): BoundFrom {
    const source = scope.addSource({kind: 'cte', alias, cte: cte.name, columns: cte.columns});
    return single(scope, source, alias, cte.columns, names);
}

function bindView(
    state: StatementState,
    scope: QueryScope,
    view: ViewDefinition,
    alias: string,
    names: Alias | undefined,
): BoundFrom {
    const [statement, ...others] = parseStatements(view.definitionSql);
    if (statement === undefined || others.length > 0) throw new Unsupported('view definition');
    const query = state.withView(() => bindQueryNode(state, undefined, statement.tree));
    if (query.columns.length !== view.columns.length) throw new Unsupported('view columns');
    const columns = view.columns.map(({name, type}, i): OutputColumn => {
        const bound = query.columns[i];
        if (bound?.type.oid !== type.oid || bound.type.typmod !== type.typmod) throw new Unsupported('view columns');
        return {name, type, tableOid: view.oid, attnum: i + 1};
    });
    const source = scope.addSource({kind: 'query', alias, query, columns, lateral: false});
    return single(scope, source, alias, columns, names);
}

/** Also for the target of INSERT, UPDATE and DELETE. */
export function tableItem(
    table: TableDescriptor,
    source: number,
    alias: string,
    schemaVisible: boolean,
    names: readonly string[] = [],
): NamespaceItem {
    if (names.length > table.columns.length) throw new Unsupported('too many column aliases');
    const columns = table.columns.map((column, i): ScopeColumn => {
        const name = names[i] ?? column.name;
        const {attnum, type} = column;
        return {
            name,
            expr: {kind: 'column', level: 0, source, column: attnum, name, type},
            tableOid: table.oid,
            attnum,
        };
    });
    const systemColumns = Object.entries(SYSTEM_COLUMNS).map(([name, {attnum, typeOid}]): ScopeColumn => ({
        name,
        expr: {kind: 'column', level: 0, source, column: attnum, name, type: plain(typeOid)},
        tableOid: table.oid,
        attnum,
    }));
    return item(alias, schemaVisible ? table.schema : undefined, columns, systemColumns);
}

function bindFunction(state: StatementState, scope: QueryScope, range: RangeFunction): BoundFrom {
    const [list, ...others] = range.functions;
    if (list === undefined || others.length > 0 || range.is_rowsfrom === true) throw new Unsupported('ROWS FROM');
    if ((range.coldeflist?.length ?? 0) > 0) throw new Unsupported('column definition list');
    const [callNode] = as(list, 'List')?.items ?? [];
    const call = as(callNode, 'FuncCall');
    if (call === undefined) throw new Unsupported('function in FROM');
    const wasActive = scope.lateralActive;
    // Functions in FROM are lateral by nature.
    scope.lateralActive = true;
    const {call: bound, columnName} = bindTableCall(state, scope, call);
    scope.lateralActive = wasActive;
    const alias = range.alias?.aliasname ?? bound.name;
    // A column without a name of its own is called as the table alias, or as the function.
    const columns: OutputColumn[] = [{name: columnName ?? alias, type: bound.type, tableOid: 0, attnum: 0}];
    const ordinality = range.ordinality === true;
    if (ordinality) columns.push({name: 'ordinality', type: plain(OID.int8), tableOid: 0, attnum: 0});
    const lateral = true;
    const source = scope.addSource({kind: 'function', alias, call: bound, columns, ordinality, lateral});
    return single(scope, source, alias, columns, range.alias);
}

const JOIN_KINDS: Readonly<Record<string, 'inner' | 'left' | 'right' | 'full'>> = {
    JOIN_INNER: 'inner',
    JOIN_LEFT: 'left',
    JOIN_RIGHT: 'right',
    JOIN_FULL: 'full',
};

function bindJoin(state: StatementState, scope: QueryScope, join: JoinExpr): BoundFrom {
    const kind = JOIN_KINDS[join.jointype];
    if (kind === undefined || join.join_using_alias !== undefined) throw new Unsupported('join');
    const left = bindItem(state, scope, join.larg);
    const outerItems = scope.items;
    for (const each of left.items) {
        each.lateralOnly = true;
        each.lateralAllowed = kind === 'inner' || kind === 'left';
    }
    scope.items = [...outerItems, ...left.items];
    const right = bindItem(state, scope, join.rarg);
    scope.items = outerItems;
    const both = [...left.items, ...right.items];
    checkAliases(both);
    for (const each of both) {
        each.lateralOnly = false;
        each.lateralAllowed = true;
    }
    const leftColumns = visibleColumns(left.items);
    const rightColumns = visibleColumns(right.items);
    const using =
        join.isNatural === true
            ? leftColumns.map((column) => column.name).filter((name) => rightColumns.some((c) => c.name === name))
            : (strings(join.usingClause) ?? []);
    const merged = using.map((name) => mergeColumn(state, kind, name, leftColumns, rightColumns));
    let on: Expr | null = null;
    if (merged.length > 0) on = conjunction(merged.map(({equal}) => equal));
    else if (join.quals !== undefined) on = bindOn(state, scope, both, join.quals);
    const from: FromItem = {
        kind: 'join',
        join: kind === 'inner' && on === null ? 'cross' : kind,
        left: left.from,
        right: right.from,
        on: on === null && kind !== 'inner' ? {kind: 'const', type: BOOL, value: true} : on,
    };
    const rest = (columns: readonly ScopeColumn[]): ScopeColumn[] => columns.filter((c) => !using.includes(c.name));
    const columns = [...merged.map(({column}) => column), ...rest(leftColumns), ...rest(rightColumns)];
    if (join.alias !== undefined) {
        const names = aliasNames(join.alias);
        const renamed = columns.map((column, i) => ({...column, name: names[i] ?? column.name}));
        return {from, items: [item(join.alias.aliasname, undefined, renamed, [])]};
    }
    const hidden = both
        .filter((each) => each.alias !== undefined)
        .map((each): NamespaceItem => ({...each, columnsVisible: false}));
    return {from, items: [...hidden, item(undefined, undefined, columns, systemColumnsOf(both))]};
}

/** A system column is reached by its bare name through a join too, as long as only one side has it. */
function systemColumnsOf(items: readonly NamespaceItem[]): readonly ScopeColumn[] {
    const all = items.flatMap((each) => each.systemColumns);
    return all.filter((column) => all.filter((other) => other.name === column.name).length === 1);
}

function visibleColumns(items: readonly NamespaceItem[]): readonly ScopeColumn[] {
    return items.filter((each) => each.columnsVisible).flatMap((each) => each.columns);
}

function conjunction(tests: readonly Expr[]): Expr | null {
    const [only] = tests;
    return tests.length === 1 && only !== undefined ? only : {kind: 'and', args: tests, type: BOOL};
}

/** ON sees the two sides of its join and outer queries, not its siblings. */
function bindOn(state: StatementState, scope: QueryScope, items: readonly NamespaceItem[], quals: Node): Expr {
    const [wasItems, wasClause] = [scope.items, scope.clause];
    scope.items = [...items];
    scope.clause = 'on';
    const on = bindBoolean(state, scope, quals);
    scope.items = wasItems;
    scope.clause = wasClause;
    return on;
}

/** A column of USING or NATURAL: from the side that is never null-extended, or both sides' COALESCE for FULL. */
function mergeColumn(
    state: StatementState,
    kind: 'inner' | 'left' | 'right' | 'full',
    name: string,
    leftColumns: readonly ScopeColumn[],
    rightColumns: readonly ScopeColumn[],
): {readonly column: ScopeColumn; readonly equal: Expr} {
    const left = onlyNamed(leftColumns, name);
    const right = onlyNamed(rightColumns, name);
    const equal = makeOperator(state, '=', left.expr, right.expr);
    const oid = commonType(state, [left.expr.type.oid, right.expr.type.oid]);
    if (oid === undefined) throw new Unsupported('USING');
    const typmod =
        left.expr.type.oid === right.expr.type.oid && left.expr.type.typmod === right.expr.type.typmod
            ? left.expr.type.typmod
            : -1;
    const ofCommonType = (expr: Expr): Expr => {
        const cast = coerce(state, expr, oid, 'implicit');
        return cast.type.typmod === typmod ? cast : {kind: 'cast', type: {oid, typmod}, arg: cast, context: 'implicit'};
    };
    const chosen = kind === 'right' ? right : left;
    if (kind !== 'full') {
        const expr = ofCommonType(chosen.expr);
        const origin = expr === chosen.expr ? chosen : {tableOid: 0, attnum: 0};
        return {equal, column: {name, expr, tableOid: origin.tableOid, attnum: origin.attnum}};
    }
    const args = [ofCommonType(left.expr), ofCommonType(right.expr)];
    return {
        equal,
        column: {name, expr: {kind: 'coalesce', args, type: {oid, typmod}}, tableOid: 0, attnum: 0},
    };
}

function onlyNamed(columns: readonly ScopeColumn[], name: string): ScopeColumn {
    const [first, ...others] = columns.filter((column) => column.name === name);
    if (first === undefined || others.length > 0) throw new Unsupported(`USING (${name})`);
    return first;
}

/** A scope over one table, for the target of UPDATE and DELETE, CHECK constraints and the like. */
export function tableScope(table: TableDescriptor, alias: string, schemaVisible: boolean): QueryScope {
    const scope = new QueryScope();
    const source = scope.addSource({kind: 'table', alias, table});
    scope.items = [tableItem(table, source, alias, schemaVisible)];
    return scope;
}
