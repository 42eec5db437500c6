/**
 * INSERT, UPDATE and DELETE of one table: PostgreSQL's analyze.c and parse_target.c. FROM, USING and WITH are refused.
 *
 * What must stay true: values are cast to the column's type in assignment context; in UPDATE the WHERE clause is bound
 * before SET, as PostgreSQL does, because that decides parameter types.
 */
import type {ColumnDescriptor, IndexDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {
    BoundDelete,
    BoundInsert,
    BoundOnConflict,
    BoundQuery,
    BoundUpdate,
    Expr,
    OutputColumn,
    Target,
} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {
    DeleteStmt,
    InsertStmt,
    Node,
    OnConflictClause,
    RangeVar,
    ReturningClause,
    SelectStmt,
    UpdateStmt,
} from '../nodes.ts';
import {as, tagOf} from '../nodes.ts';
import {coerceToTarget, resolveUnknown} from './coerce.ts';
import type {StatementState} from './context.ts';
import {bindBoolean, bindExpression} from './expressions.ts';
import {tableItem, tableScope} from './from.ts';
import {QueryScope} from './scope.ts';
import {bindQuery, bindTargets, outputColumns} from './select.ts';

interface Assignment {
    readonly attnum: number;
    readonly expr: Expr | null;
}

function targetTable(state: StatementState, range: RangeVar): TableDescriptor {
    const table =
        range.catalogname === undefined ? state.context.catalog.table(range.schemaname, range.relname) : undefined;
    if (table === undefined) throw new Unsupported(`relation ${range.relname}`);
    state.addTable(table);
    return table;
}

function columnNamed(table: TableDescriptor, name: string | undefined): ColumnDescriptor {
    const column = table.columns.find((each) => each.name === name);
    if (column === undefined) throw new Unsupported(`column ${name}`);
    return column;
}

/** The column that an INSERT list or SET names. */
function assignedColumn(table: TableDescriptor, node: Node): ColumnDescriptor {
    const target = as(node, 'ResTarget');
    if (target === undefined || (target.indirection?.length ?? 0) > 0) throw new Unsupported('assignment target');
    return columnNamed(table, target.name);
}

function requireDistinct(columns: readonly ColumnDescriptor[]): void {
    if (new Set(columns).size !== columns.length) throw new Unsupported('column assigned more than once');
}

function assign(state: StatementState, scope: QueryScope, column: ColumnDescriptor, node: Node): Expr | null {
    if (tagOf(node) === 'SetToDefault') return null;
    return coerceToTarget(state, bindExpression(state, scope, node), column.type, 'assignment');
}

export function bindInsert(state: StatementState, stmt: InsertStmt): BoundInsert {
    if (stmt.withClause !== undefined) throw new Unsupported('WITH of INSERT');
    const table = targetTable(state, stmt.relation);
    const named = stmt.cols?.map((node) => assignedColumn(table, node));
    const columns = named ?? table.columns;
    requireDistinct(columns);
    const {source, width} = bindInsertSource(state, columns, stmt.selectStmt);
    if (named !== undefined && source.kind !== 'default' && width !== columns.length) {
        throw new Unsupported('INSERT of another number of columns');
    }
    const overriding = OVERRIDING[stmt.override ?? ''];
    if (overriding === undefined) throw new Unsupported('OVERRIDING');
    const fed = columns.slice(0, width);
    checkIdentity(fed, source, overriding);
    const scope = tableScope(table, stmt.relation.alias?.aliasname ?? table.name, stmt.relation.alias === undefined);
    const onConflict =
        stmt.onConflictClause === undefined ? null : bindOnConflict(state, scope, table, stmt.onConflictClause);
    return {
        kind: 'insert',
        table,
        columns: source.kind === 'default' ? [] : fed.map((column) => column.attnum),
        source,
        overriding,
        onConflict,
        ...bindReturning(state, scope, stmt.returningClause),
    };
}

const OVERRIDING: Readonly<Record<string, BoundInsert['overriding']>> = {
    '': 'none',
    OVERRIDING_NOT_SET: 'none',
    OVERRIDING_USER_VALUE: 'user',
    OVERRIDING_SYSTEM_VALUE: 'system',
};

/** A value for GENERATED ALWAYS AS IDENTITY is an error of PostgreSQL's rewriter: let it say so. */
function checkIdentity(
    columns: readonly ColumnDescriptor[],
    source: BoundInsert['source'],
    overriding: BoundInsert['overriding'],
): void {
    if (overriding !== 'none') return;
    for (const [i, column] of columns.entries()) {
        if (column.identity !== 'a') continue;
        const onlyDefaults = source.kind === 'values' && source.rows.every((row) => row[i] === null);
        if (source.kind !== 'default' && !onlyDefaults) throw new Unsupported('value for a generated identity');
    }
}

function bindInsertSource(
    state: StatementState,
    columns: readonly ColumnDescriptor[],
    node: Node | undefined,
): {readonly source: BoundInsert['source']; readonly width: number} {
    if (node === undefined) return {source: {kind: 'default'}, width: 0};
    const select = as(node, 'SelectStmt');
    if (select === undefined) throw new Unsupported('INSERT source');
    if (isPlainValues(select)) {
        const scope = new QueryScope();
        scope.clause = 'values';
        const lists = (select.valuesLists ?? []).map((row) => as(row, 'List')?.items ?? []);
        const width = lists[0]?.length ?? 0;
        if (lists.some((row) => row.length !== width) || width > columns.length) throw new Unsupported('VALUES');
        const rows = lists.map((row) =>
            row.map((value, i) => {
                const column = columns[i];
                if (column === undefined) throw new Unsupported('VALUES');
                return assign(state, scope, column, value);
            }),
        );
        return {source: {kind: 'values', rows}, width};
    }
    const query = bindQuery(state, undefined, select, {resolveUnknowns: false});
    const width = query.columns.length;
    if (width > columns.length) throw new Unsupported('INSERT has more expressions than target columns');
    const fed = settleUnknownTargets(state, query, columns);
    const casts = fed.columns.map((column, i): Expr => {
        const target = columns[i];
        if (target === undefined) throw new Unsupported('INSERT');
        const {name, type} = column;
        return coerceToTarget(
            state,
            {kind: 'column', level: 0, source: 0, column: i + 1, name, type},
            target.type,
            'assignment',
        );
    });
    return {source: {kind: 'query', query: fed, casts}, width};
}

function isPlainValues(select: SelectStmt): boolean {
    return (
        select.valuesLists !== undefined &&
        select.sortClause === undefined &&
        select.limitCount === undefined &&
        select.limitOffset === undefined &&
        select.withClause === undefined &&
        select.lockingClause === undefined
    );
}

/** Unknown literals and parameters of INSERT … SELECT become the column's type directly. */
function settleUnknownTargets(
    state: StatementState,
    query: BoundQuery,
    columns: readonly ColumnDescriptor[],
): BoundQuery {
    if (!query.columns.some((column) => column.type.oid === OID.unknown)) return query;
    if (query.kind !== 'select' || query.distinct !== 'none') throw new Unsupported('INSERT of unknown columns');
    const targets = query.targets.map((target, i): Target => {
        const column = columns[i];
        if (column === undefined || target.expr.type.oid !== OID.unknown) return target;
        return {...target, expr: coerceToTarget(state, target.expr, column.type, 'assignment')};
    });
    const outputs = query.columns.map((column, i) => ({...column, type: targets[i]?.expr.type ?? column.type}));
    return {...query, targets, columns: outputs};
}

function bindOnConflict(
    state: StatementState,
    scope: QueryScope,
    table: TableDescriptor,
    clause: OnConflictClause,
): BoundOnConflict {
    const arbiter = clause.infer === undefined ? null : arbiterIndex(table, clause.infer);
    const index = arbiter === null ? null : {indexId: arbiter.indexId};
    if (clause.action === 'ONCONFLICT_NOTHING') return {index, action: 'nothing', set: [], where: null};
    if (clause.action !== 'ONCONFLICT_UPDATE' || index === null) throw new Unsupported('ON CONFLICT');
    const inner = new QueryScope();
    inner.addSource(scope.sources[0] ?? {kind: 'table', alias: table.name, table});
    inner.addSource({kind: 'table', alias: 'excluded', table});
    inner.items = [...scope.items, tableItem(table, 1, 'excluded', false)];
    inner.clause = 'set';
    const set = bindSet(state, inner, table, clause.targetList ?? []);
    inner.clause = 'where';
    const where = clause.whereClause === undefined ? null : bindBoolean(state, inner, clause.whereClause);
    return {index, action: 'update', set, where};
}

/** The unique index that ON CONFLICT (columns) or ON CONSTRAINT names. Partial and expression indexes are refused. */
function arbiterIndex(table: TableDescriptor, infer: NonNullable<OnConflictClause['infer']>): IndexDescriptor {
    const usable = (index: IndexDescriptor): boolean =>
        index.unique && index.predicateSql === undefined && index.columns.every((attnum) => attnum > 0);
    if (infer.conname !== undefined) {
        const named = table.indexes.find((index) => index.constraint === infer.conname && usable(index));
        if (named === undefined) throw new Unsupported('ON CONFLICT constraint');
        return named;
    }
    if (infer.whereClause !== undefined) throw new Unsupported('ON CONFLICT with a predicate');
    const wanted = new Set(
        (infer.indexElems ?? []).map((node) => {
            const elem = as(node, 'IndexElem');
            if (elem?.name === undefined || elem.collation !== undefined || elem.opclass !== undefined) {
                throw new Unsupported('ON CONFLICT target');
            }
            return columnNamed(table, elem.name).attnum;
        }),
    );
    const matching = table.indexes.filter(
        (index) =>
            usable(index) &&
            new Set(index.columns).size === wanted.size &&
            index.columns.every((attnum) => wanted.has(attnum)),
    );
    const [first] = matching;
    // Several indexes over the same columns: PostgreSQL takes them all as arbiters.
    if (first === undefined || matching.length > 1) throw new Unsupported('ON CONFLICT target');
    return first;
}

function bindSet(
    state: StatementState,
    scope: QueryScope,
    table: TableDescriptor,
    nodes: readonly Node[],
): readonly Assignment[] {
    const columns = nodes.map((node) => assignedColumn(table, node));
    requireDistinct(columns);
    return nodes.map((node, i) => {
        const column = columns[i];
        const value = as(node, 'ResTarget')?.val;
        if (column === undefined || value === undefined) throw new Unsupported('SET');
        const expr = assign(state, scope, column, multiAssignValue(value));
        if (column.identity === 'a' && expr !== null) throw new Unsupported('SET of a generated identity');
        return {attnum: column.attnum, expr};
    });
}

/** SET (a, b) = (x, y): each column has a reference into one shared row. */
function multiAssignValue(node: Node): Node {
    const reference = node.MultiAssignRef as {
        readonly source?: Node;
        readonly colno?: number;
        readonly ncolumns?: number;
    };
    if (tagOf(node) !== 'MultiAssignRef') return node;
    const values = as(reference.source, 'RowExpr')?.args;
    const value = values?.[(reference.colno ?? 0) - 1];
    if (value === undefined || values?.length !== reference.ncolumns) throw new Unsupported('SET of a row');
    return value;
}

function bindReturning(
    state: StatementState,
    scope: QueryScope,
    clause: ReturningClause | undefined,
): {readonly returning: readonly Target[] | null; readonly returningColumns: readonly OutputColumn[]} {
    if (clause === undefined) return {returning: null, returningColumns: []};
    if ((clause.options?.length ?? 0) > 0) throw new Unsupported('RETURNING WITH');
    scope.clause = 'returning';
    const returning = bindTargets(state, scope, clause.exprs ?? []).map(({expr, name}) => ({
        expr: resolveUnknown(state, expr),
        name,
    }));
    return {returning, returningColumns: outputColumns(scope, returning)};
}

function changeScope(table: TableDescriptor, range: RangeVar): {readonly scope: QueryScope; readonly alias: string} {
    if (range.alias?.colnames !== undefined) throw new Unsupported('column aliases');
    const alias = range.alias?.aliasname ?? table.name;
    return {scope: tableScope(table, alias, range.alias === undefined), alias};
}

export function bindUpdate(state: StatementState, stmt: UpdateStmt): BoundUpdate {
    if (stmt.withClause !== undefined || stmt.fromClause !== undefined) throw new Unsupported('UPDATE … FROM');
    const table = targetTable(state, stmt.relation);
    const {scope, alias} = changeScope(table, stmt.relation);
    scope.clause = 'where';
    const where = stmt.whereClause === undefined ? null : bindBoolean(state, scope, stmt.whereClause);
    const returning = bindReturning(state, scope, stmt.returningClause);
    scope.clause = 'set';
    const set = bindSet(state, scope, table, stmt.targetList);
    return {kind: 'update', table, alias, set, where, ...returning};
}

export function bindDelete(state: StatementState, stmt: DeleteStmt): BoundDelete {
    if (stmt.withClause !== undefined || stmt.usingClause !== undefined) throw new Unsupported('DELETE … USING');
    const table = targetTable(state, stmt.relation);
    const {scope, alias} = changeScope(table, stmt.relation);
    scope.clause = 'where';
    const where = stmt.whereClause === undefined ? null : bindBoolean(state, scope, stmt.whereClause);
    return {kind: 'delete', table, alias, where, ...bindReturning(state, scope, stmt.returningClause)};
}
