/**
 * Whole queries of the bound tree as DuckDB SQL, with the plan to read their results.
 *
 * What must stay true:
 * - Output columns are named r1, r2, … in every query, table columns c<attnum>; sources have aliases unique in the
 *   statement. So no name of a user can capture another.
 * - Every ORDER BY says NULLS FIRST or LAST; set operations and recursive terms have equal column types.
 * - A construct that is not proven throws `Unsupported`.
 */
import type {
    BoundCte,
    BoundQuery,
    BoundSelect,
    BoundSetOperation,
    BoundValues,
    Expr,
    FromItem,
    SortKey,
    Source,
    Target,
} from '../../../sql/bound.ts';
import {Unsupported} from '../../../sql/bound.ts';
import {
    SYSTEM_COLUMNS,
    ROWID_ATTNUM,
    OWNER_ATTNUM,
    SEGMENT_ATTNUM,
    UPDATED_NS_ATTNUM,
} from '../../../../catalog/descriptor.ts';
import {UPDATED_TIME_OID} from '../../../../catalog/types/updated-time.ts';
import {quoteIdentifier} from '../engine.ts';
import type {DuckType, TypeCodec} from '../type-map.ts';
import {duckTypeOf, OID, PRINTED_TYPE} from '../type-map.ts';
import {groupable, sortable, unify} from './comparison.ts';
import type {ColumnInfo, PrintContext, Scope, StatementValues, TableReference, Typed} from './context.ts';
import {MARK, provenName} from './context.ts';
import {printExpression, sortKey} from './expressions.ts';

/** How one output column is made of the columns that DuckDB returns. */
export type OutputPlan =
    | {readonly kind: 'plain'; readonly column: number; readonly duck: DuckType; readonly typeOid: number}
    /** avg of exact numbers: the division is PostgreSQL's, done on the exact sum and count. */
    | {
          readonly kind: 'average';
          readonly sum: number;
          readonly count: number;
          readonly scale: number;
          readonly typeOid: number;
      };

export interface PrintedQuery {
    /** Text between tables: part, table 0, part, table 1, … part. */
    readonly parts: readonly string[];
    /** The table after each part but the last: an index into `tables`. */
    readonly references: readonly number[];
    readonly tables: readonly TableReference[];
    readonly columns: readonly OutputPlan[];
}

export interface PrintOptions {
    readonly codec: TypeCodec;
    readonly values: StatementValues;
    /** True for columns that the mirror keeps as text. */
    readonly isDemoted: (tableId: number, attnum: number) => boolean;
}

/** Throws `Unsupported` when the query is not certain to get PostgreSQL's answer. */
export function printQuery(query: BoundQuery, options: PrintOptions): PrintedQuery {
    const printer = new QueryPrinter(options);
    const {sql, outputs} = printer.top(query);
    const pieces = sql.split(MARK);
    return {
        parts: pieces.filter((_, index) => index % 2 === 0),
        references: pieces.filter((_, index) => index % 2 === 1).map(Number),
        tables: printer.tables,
        columns: outputs,
    };
}

/** `_updated` itself as a target of the top query: clients are shown its nanoseconds. */
function updatedNanos(expr: Expr): Expr | undefined {
    if (expr.kind !== 'column' || expr.column !== UPDATED_COLUMN.attnum) return undefined;
    return {...expr, column: UPDATED_NS_ATTNUM, type: {oid: OID.int8, typmod: -1}};
}

interface Printed {
    readonly sql: string;
    readonly columns: readonly ColumnInfo[];
}

// The names are PostgreSQL's way of hiding columns; only these two are visible to users.
const {_seq: SEQ_COLUMN, _updated: UPDATED_COLUMN} = SYSTEM_COLUMNS;

const SYSTEM_SQL: ReadonlyMap<number, {readonly sql: string; readonly oid: number}> = new Map([
    [SEQ_COLUMN.attnum, {sql: '_seq', oid: OID.int8}],
    [ROWID_ATTNUM, {sql: '_rowid', oid: OID.int8}],
    [OWNER_ATTNUM, {sql: '_owner', oid: OID.int4}],
    [SEGMENT_ATTNUM, {sql: '_segment', oid: OID.int4}],
    [UPDATED_NS_ATTNUM, {sql: '_updated', oid: OID.int8}],
]);

class QueryPrinter implements PrintContext {
    readonly codec: TypeCodec;
    readonly values: StatementValues;
    readonly tables: TableReference[] = [];
    readonly scopes: Scope[] = [];
    readonly #options: PrintOptions;
    readonly #ctes = new Map<string, readonly ColumnInfo[]>();
    #aliases = 0;

    constructor(options: PrintOptions) {
        this.codec = options.codec;
        this.values = options.values;
        this.#options = options;
    }

    expression(expr: Expr): Typed {
        return printExpression(this, expr);
    }

    subquery(query: BoundQuery): Printed {
        return this.#query(query);
    }

    top(query: BoundQuery): {sql: string; outputs: OutputPlan[]} {
        const outputs: OutputPlan[] = [];
        const averages = query.kind === 'select' && query.distinct === 'none';
        const {sql, columns} = averages ? this.#select(query, outputs) : this.#query(query);
        if (!averages) {
            for (const [index, column] of columns.entries()) {
                outputs.push({
                    kind: 'plain',
                    column: index,
                    duck: column.duck,
                    typeOid: query.columns[index]?.type.oid ?? column.oid,
                });
            }
        }
        return {sql, outputs};
    }

    #query(query: BoundQuery): Printed {
        switch (query.kind) {
            case 'select':
                return this.#select(query, undefined);
            case 'setop':
                return this.#setOperation(query);
            case 'values':
                return this.#values(query);
            default:
                return query satisfies never;
        }
    }

    /** Prints the CTEs of a query and returns what takes them out of scope again. */
    #with(ctes: readonly BoundCte[]): {sql: string; leave: () => void} {
        const before = new Map(this.#ctes);
        const texts: string[] = [];
        for (const cte of ctes) {
            const name = quoteIdentifier(cte.name);
            const names = cte.columns.map((_, index) => `r${index + 1}`).join(', ');
            const printed = cte.recursive ? this.#recursive(cte) : this.#query(cte.query);
            this.#ctes.set(cte.name, printed.columns);
            const materialized =
                cte.recursive || cte.materialized === undefined
                    ? ''
                    : cte.materialized
                      ? 'MATERIALIZED '
                      : 'NOT MATERIALIZED ';
            texts.push(`${name}(${names}) AS ${materialized}(${printed.sql})`);
        }
        const recursive = ctes.some((cte) => cte.recursive) ? 'RECURSIVE ' : '';
        return {
            sql: texts.length === 0 ? '' : `WITH ${recursive}${texts.join(', ')} `,
            leave: () => {
                this.#ctes.clear();
                for (const [name, columns] of before) this.#ctes.set(name, columns);
            },
        };
    }

    #recursive(cte: BoundCte): Printed {
        const {query} = cte;
        if (query.kind !== 'setop' || query.op !== 'union') return this.#query(query);
        if (query.ctes.length > 0 || query.orderBy.length > 0 || query.limit !== null || query.offset !== null) {
            throw new Unsupported('a recursive query of this form');
        }
        const start = this.#query(query.left);
        // The working table has the types of the first term, exactly.
        this.#ctes.set(cte.name, start.columns);
        const step = this.#query(query.right);
        requireEqualTypes(start.columns, step.columns);
        if (!query.all) for (const column of start.columns) groupable(column, this.codec);
        return {sql: `(${start.sql}) UNION ${query.all ? 'ALL ' : ''}(${step.sql})`, columns: start.columns};
    }

    #setOperation(query: BoundSetOperation): Printed {
        const {sql: ctes, leave} = this.#with(query.ctes);
        const left = this.#query(query.left);
        const right = this.#query(query.right);
        requireEqualTypes(left.columns, right.columns);
        if (!query.all || query.op !== 'union') for (const column of left.columns) groupable(column, this.codec);
        const op = `${query.op.toUpperCase()}${query.all ? ' ALL' : ''}`;
        const order = this.#outputOrder(query.orderBy, left.columns);
        const sql = `${ctes}(${left.sql}) ${op} (${right.sql})${order}${this.#limit(query)}`;
        leave();
        return {sql, columns: left.columns};
    }

    #values(query: BoundValues): Printed {
        const {sql: ctes, leave} = this.#with(query.ctes);
        const width = query.columns.length;
        const columns: ColumnInfo[] = [];
        // A level of its own in the numbering of columns, without sources.
        this.scopes.push(emptyScope());
        const rows: string[][] = query.rows.map(() => []);
        for (let index = 0; index < width; index++) {
            const cells = query.rows.map((row) => {
                const cell = row[index];
                if (cell === undefined) throw new Unsupported('rows of different length');
                return this.expression(cell);
            });
            const {texts, duck} = unify(cells, (row) => {
                const cell = query.rows[row]?.[index];
                return cell?.kind === 'const' && cell.value === null;
            });
            for (const [row, text] of texts.entries()) rows[row]?.push(text);
            columns.push({sql: `r${index + 1}`, duck, oid: cells[0]?.oid ?? 0});
        }
        const alias = this.#alias();
        const names = columns.map((column) => column.sql).join(', ');
        const lists = rows.map((row) => `(${row.join(', ')})`).join(', ');
        const order = this.#outputOrder(query.orderBy, columns);
        const sql = `${ctes}SELECT ${names} FROM (VALUES ${lists}) AS ${alias}(${names})${order}${this.#limit(query)}`;
        this.scopes.pop();
        leave();
        return {sql, columns};
    }

    /** Keys of ORDER BY over the output of a set operation or VALUES. */
    #outputOrder(keys: readonly SortKey[], columns: readonly ColumnInfo[]): string {
        if (keys.length === 0) return '';
        const texts = keys.map((key) => {
            if (key.expr.kind !== 'column' || key.expr.source !== -1)
                throw new Unsupported('ORDER BY an expression here');
            const column = columns[key.expr.column - 1];
            if (column === undefined) throw new Unsupported('ORDER BY a column that is not there');
            return sortKey(sortable({...column, sql: `r${key.expr.column}`}), key);
        });
        return ` ORDER BY ${texts.join(', ')}`;
    }

    #limit(query: {readonly limit: Expr | null; readonly offset: Expr | null}): string {
        const limit = query.limit === null ? '' : ` LIMIT ${this.expression(query.limit).sql}`;
        return limit + (query.offset === null ? '' : ` OFFSET ${this.expression(query.offset).sql}`);
    }

    /** With `outputs`, the top query: averages of exact numbers are allowed as targets. */
    #select(query: BoundSelect, outputs: OutputPlan[] | undefined): Printed {
        if (query.limitWithTies) throw new Unsupported('FETCH … WITH TIES');
        const {sql: ctes, leave} = this.#with(query.ctes);
        const infos: ((column: number) => ColumnInfo)[] = [];
        const scope: Scope = {
            column: (source, column) => {
                const info = infos[source];
                if (info === undefined) throw new Unsupported('a column of a source that is not in scope');
                return info(column);
            },
            grouped: undefined,
            dependent: false,
        };
        this.scopes.push(scope);
        const texts = query.sources.map((source) => this.#source(source, infos));
        const from = query.from.map((item) => this.#fromItem(item, texts)).join(', ');
        const where = query.where === null ? '' : ` WHERE ${this.#condition(query.where)}`;
        const group = this.#groupBy(query, scope);
        const having = query.having === null ? '' : ` HAVING ${this.#condition(query.having)}`;
        const {list, columns, texts: targetTexts} = this.#targets(query, outputs);
        const distinct = this.#distinct(query, columns, targetTexts);
        const order = this.#orderBy(query, targetTexts, columns);
        const sql =
            `${ctes}SELECT ${distinct}${list.join(', ')}${from === '' ? '' : ` FROM ${from}`}${where}${group}${having}` +
            `${order}${this.#limit(query)}`;
        this.scopes.pop();
        leave();
        return {sql, columns};
    }

    #condition(expr: Expr): string {
        const {sql, duck} = this.expression(expr);
        if (duck.kind !== 'bool') throw new Unsupported('a condition that is not boolean');
        return sql;
    }

    #groupBy(query: BoundSelect, scope: Scope): string {
        if (query.groupBy === null) {
            if (query.hasAggregates) scope.grouped = new Set();
            return '';
        }
        const sets = query.groupBy.map((set) => set.map((key) => groupable(this.expression(key), this.codec).sql));
        scope.grouped = new Set(sets.flat());
        const [only] = sets;
        if (sets.length !== 1 || only === undefined) {
            return ` GROUP BY GROUPING SETS (${sets.map((set) => `(${set.join(', ')})`).join(', ')})`;
        }
        scope.dependent = true;
        return only.length === 0 ? ' GROUP BY GROUPING SETS (())' : ` GROUP BY ${only.join(', ')}`;
    }

    #targets(
        query: BoundSelect,
        outputs: OutputPlan[] | undefined,
    ): {list: string[]; columns: ColumnInfo[]; texts: string[]} {
        const list: string[] = [];
        const columns: ColumnInfo[] = [];
        const texts: string[] = [];
        for (const [index, target] of query.targets.entries()) {
            const name = `r${index + 1}`;
            const typeOid = query.columns[index]?.type.oid ?? target.expr.type.oid;
            const average = outputs === undefined ? undefined : this.#average(target);
            if (average !== undefined && outputs !== undefined) {
                outputs.push({
                    kind: 'average',
                    sum: list.length,
                    count: list.length + 1,
                    scale: average.scale,
                    typeOid,
                });
                list.push(`${average.sum} AS ${name}`, `${average.count} AS ${name}n`);
                texts.push(average.key);
                columns.push({sql: name, duck: PRINTED_TYPE, oid: 0});
                continue;
            }
            const plainRows = query.groupBy === null && !query.hasAggregates && query.distinct === 'none';
            const nanos = outputs !== undefined && plainRows ? updatedNanos(target.expr) : undefined;
            const printed = this.expression(nanos ?? target.expr);
            const shownOid = nanos === undefined ? typeOid : UPDATED_TIME_OID;
            outputs?.push({kind: 'plain', column: list.length, duck: printed.duck, typeOid: shownOid});
            list.push(`${printed.sql} AS ${name}`);
            texts.push(printed.sql);
            columns.push({sql: name, duck: printed.duck, oid: printed.oid});
        }
        if (list.length === 0) list.push('1 AS r0');
        return {list, columns, texts};
    }

    /** `avg` of integers or numerics as exact sum and count, or undefined for any other target. */
    #average(target: Target): {sum: string; count: string; key: string; scale: number} | undefined {
        const {expr} = target;
        if (expr.kind !== 'aggregate' || expr.name !== 'avg' || expr.args.length !== 1) return undefined;
        const [arg] = expr.args;
        if (arg === undefined || this.codec.baseType(expr.type).oid !== OID.numeric) return undefined;
        const numeric = {oid: OID.numeric, typmod: -1};
        const sum = this.expression({
            ...expr,
            name: 'sum',
            type: arg.type.oid === OID.int2 || arg.type.oid === OID.int4 ? {oid: OID.int8, typmod: -1} : numeric,
        });
        const count = this.expression({...expr, name: 'count', type: {oid: OID.int8, typmod: -1}});
        const {scale} = sum.duck;
        // For ORDER BY: finer than PostgreSQL's rounded quotient, never contrary to it.
        const key = `(CAST(${sum.sql} AS DECIMAL(38,${scale})) * 10000000000) / ${count.sql}`;
        const wide = `CAST(${sum.sql} AS DECIMAL(38,${scale}))`;
        return {sum: wide, count: count.sql, key, scale};
    }

    #distinct(query: BoundSelect, columns: readonly ColumnInfo[], texts: readonly string[]): string {
        if (query.distinct === 'none') return '';
        if (query.distinct === 'all') {
            for (const column of columns) groupable(column, this.codec);
            return 'DISTINCT ';
        }
        const keys = query.distinct.map((expr) => {
            const key = groupable(this.expression(expr), this.codec);
            return this.#outputName(key.sql, texts) ?? key.sql;
        });
        return `DISTINCT ON (${keys.join(', ')}) `;
    }

    #outputName(sql: string, texts: readonly string[]): string | undefined {
        const position = texts.indexOf(sql);
        return position < 0 ? undefined : `r${position + 1}`;
    }

    #orderBy(query: BoundSelect, texts: readonly string[], columns: readonly ColumnInfo[]): string {
        if (query.orderBy.length === 0) return '';
        const keys = query.orderBy.map((key) => {
            if (key.expr.kind === 'aggregate' && key.expr.name === 'avg' && key.expr.type.oid === OID.numeric) {
                throw new Unsupported('ORDER BY an exact average');
            }
            const printed = this.expression(key.expr);
            const name = this.#outputName(printed.sql, texts);
            const column = name === undefined ? undefined : columns[texts.indexOf(printed.sql)];
            const sql = name !== undefined && column?.duck.sql === printed.duck.sql ? name : printed.sql;
            if (query.distinct === 'all' && name === undefined) throw new Unsupported('ORDER BY beyond DISTINCT');
            return sortKey(sortable({...printed, sql}), key);
        });
        return ` ORDER BY ${keys.join(', ')}`;
    }

    #source(source: Source, infos: ((column: number) => ColumnInfo)[]): string {
        const alias = this.#alias();
        switch (source.kind) {
            case 'table': {
                const reference: TableReference = {table: source.table, attnums: new Set()};
                const index = this.tables.push(reference) - 1;
                infos.push((column) => this.#tableColumn(reference, alias, column));
                return `${MARK}${index}${MARK} AS ${alias}`;
            }
            case 'query': {
                const {sql, columns} = this.#nested(source.lateral, source.query);
                infos.push(outputColumns(alias, columns));
                return `${source.lateral ? 'LATERAL ' : ''}(${sql}) AS ${alias}`;
            }
            case 'cte': {
                const columns = this.#ctes.get(source.cte);
                if (columns === undefined) throw new Unsupported(`a reference to ${source.cte} out of its scope`);
                infos.push(outputColumns(alias, columns));
                return `${quoteIdentifier(source.cte)} AS ${alias}`;
            }
            case 'function': {
                const {sql, column} = this.#tableFunction(source);
                infos.push(outputColumns(alias, [column]));
                return `${source.lateral ? 'LATERAL ' : ''}(SELECT ${sql} AS r1) AS ${alias}`;
            }
            default:
                return source satisfies never;
        }
    }

    /** A query in FROM does not see its neighbours unless it is LATERAL; levels count the query around it. */
    #nested(lateral: boolean, query: BoundQuery): Printed {
        if (lateral) return this.#query(query);
        const scope = this.scopes.pop();
        if (scope === undefined) return this.#query(query);
        this.scopes.push(emptyScope());
        try {
            return this.#query(query);
        } finally {
            this.scopes.pop();
            this.scopes.push(scope);
        }
    }

    #tableFunction(source: Extract<Source, {kind: 'function'}>): {sql: string; column: ColumnInfo} {
        const {call} = source;
        if (source.ordinality || call.name !== 'generate_series' || source.columns.length !== 1) {
            throw new Unsupported(`function ${call.name} in FROM`);
        }
        const args = call.args.map((arg) => this.expression(arg));
        const types = args.map(provenName).join(',');
        const [start, stop, step] = args;
        const duck = duckTypeOf(call.type, this.codec);
        if (start === undefined || stop === undefined || !/^int(4|8),int(4|8)(,int(4|8))?$/.test(types)) {
            throw new Unsupported(`generate_series(${types})`);
        }
        // A step of zero is an error in PostgreSQL and an empty list in DuckDB.
        const by = step === undefined ? '1' : `(CASE WHEN ${step.sql} = 0 THEN error('TW_RETRY') ELSE ${step.sql} END)`;
        const sql = `CAST(unnest(generate_series(${start.sql}, ${stop.sql}, ${by})) AS ${duck.sql})`;
        return {sql, column: {sql: 'r1', duck, oid: this.codec.baseType(call.type).oid}};
    }

    #tableColumn(reference: TableReference, alias: string, attnum: number): ColumnInfo {
        const {table} = reference;
        if (attnum === UPDATED_COLUMN.attnum) {
            // Nanoseconds are kept; a timestamptz of PostgreSQL has microseconds.
            const type = duckTypeOf({oid: OID.timestamptz, typmod: -1}, this.codec);
            return {sql: `make_timestamptz(${alias}._updated // 1000)`, duck: type, oid: OID.timestamptz};
        }
        if (attnum === SEGMENT_ATTNUM) reference.attnums.add(attnum);
        const system = SYSTEM_SQL.get(attnum);
        if (system !== undefined) {
            return {
                sql: `${alias}.${system.sql}`,
                duck: duckTypeOf({oid: system.oid, typmod: -1}, this.codec),
                oid: system.oid,
            };
        }
        const column = table.columns.find((candidate) => candidate.attnum === attnum);
        if (column === undefined) throw new Unsupported(`a column ${attnum} of ${table.name}`);
        if (this.#options.isDemoted(table.tableId, attnum))
            throw new Unsupported(`column ${column.name}, kept as text`);
        reference.attnums.add(attnum);
        const base = this.codec.baseType(column.type);
        return {sql: `${alias}.c${attnum}`, duck: duckTypeOf(base, this.codec), oid: base.oid};
    }

    #fromItem(item: FromItem, texts: readonly string[]): string {
        if (item.kind === 'source') {
            const text = texts[item.source];
            if (text === undefined) throw new Unsupported('a source that is not there');
            return text;
        }
        const left = this.#fromItem(item.left, texts);
        const right = this.#fromItem(item.right, texts);
        if (item.join === 'cross' || item.on === null) {
            if (item.join !== 'cross' && item.join !== 'inner')
                throw new Unsupported('an outer join without condition');
            return `(${left} CROSS JOIN ${right})`;
        }
        return `(${left} ${item.join.toUpperCase()} JOIN ${right} ON ${this.#condition(item.on)})`;
    }

    #alias(): string {
        return `s${++this.#aliases}`;
    }
}

function emptyScope(): Scope {
    return {
        column: () => {
            throw new Unsupported('a reference to a neighbour in FROM');
        },
        grouped: undefined,
        dependent: false,
    };
}

function outputColumns(alias: string, columns: readonly ColumnInfo[]): (column: number) => ColumnInfo {
    return (column) => {
        const info = columns[column - 1];
        if (info === undefined) throw new Unsupported('an output column that is not there');
        return {...info, sql: `${alias}.r${column}`};
    };
}

function requireEqualTypes(left: readonly ColumnInfo[], right: readonly ColumnInfo[]): void {
    const equal =
        left.length === right.length && left.every((column, index) => column.duck.sql === right[index]?.duck.sql);
    const sameKinds = left.every(
        (column, index) => column.duck.kind === right[index]?.duck.kind && column.oid === right[index]?.oid,
    );
    if (!equal || !sameKinds) throw new Unsupported('a set operation of different column types');
}
