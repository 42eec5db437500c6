/**
 * Names in scope while a query is bound: the namespace of PostgreSQL's parse_relation.c.
 *
 * What must stay true: `sources` is append-only, an index into it is a source's identity; a name that matches twice on
 * one level is refused, never resolved to the first.
 */
import type {TypeRef} from '../../../catalog/descriptor.ts';
import type {BoundCte, Expr, OutputColumn, Source} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {WindowDef} from '../nodes.ts';
import {shiftLevels} from './walk.ts';

/** Where in a query an expression stands: decides whether aggregates and window functions may be in it. */
export type Clause =
    | 'target'
    | 'where'
    | 'having'
    | 'order'
    | 'group'
    | 'on'
    | 'from'
    | 'limit'
    | 'values'
    | 'set'
    | 'returning'
    | 'check';

export interface ScopeColumn {
    readonly name: string;
    /** At level 0. */
    readonly expr: Expr;
    readonly tableOid: number;
    readonly attnum: number;
}

export interface NamespaceItem {
    /** undefined for the columns of a join without alias. */
    readonly alias: string | undefined;
    readonly schema: string | undefined;
    readonly columns: readonly ScopeColumn[];
    /** Reachable by name only, never by `*`. */
    readonly systemColumns: readonly ScopeColumn[];
    readonly columnsVisible: boolean;
    /** Sibling FROM items are seen only from inside LATERAL until the FROM clause is complete. */
    lateralOnly: boolean;
    /** False while it is on the nullable side of a join that may not refer to it. */
    lateralAllowed: boolean;
}

export class QueryScope {
    readonly parent: QueryScope | undefined;
    /** Holds WITH of a set operation only: it has no sources and counts as no level. */
    readonly transparent: boolean;
    readonly sources: Source[] = [];
    items: NamespaceItem[] = [];
    readonly ctes = new Map<string, BoundCte>();
    clause: Clause = 'target';
    lateralActive = false;
    insideAggregate = false;
    insideWindow = false;
    hasAggregates = false;
    hasWindows = false;
    readonly windows = new Map<string, WindowDef>();

    constructor(parent?: QueryScope, transparent = false) {
        this.parent = parent;
        this.transparent = transparent;
    }

    addSource(source: Source): number {
        this.sources.push(source);
        return this.sources.length - 1;
    }

    cte(name: string): BoundCte | undefined {
        return this.ctes.get(name) ?? this.parent?.cte(name);
    }

    /** This scope and those around it. */
    #outward(): readonly QueryScope[] {
        const scopes: QueryScope[] = [this];
        for (let {parent} = this; parent !== undefined; parent = parent.parent) scopes.push(parent);
        return scopes;
    }

    #visible(): readonly NamespaceItem[] {
        return this.items.filter((item) => {
            if (!item.lateralOnly) return true;
            if (!this.lateralActive) return false;
            if (!item.lateralAllowed) throw new Unsupported('lateral reference');
            return true;
        });
    }

    /** An unqualified name. */
    findColumn(name: string): Expr | undefined {
        let level = 0;
        for (const scope of this.#outward()) {
            const column = scope.#columnHere(name);
            if (column !== undefined) return shiftLevels(column.expr, level);
            if (!scope.transparent) level++;
        }
        return undefined;
    }

    /** On this level alone; for GROUP BY, which prefers an input column to an output name. */
    hasColumnHere(name: string): boolean {
        return this.#columnHere(name) !== undefined;
    }

    #columnHere(name: string): ScopeColumn | undefined {
        let found: ScopeColumn | undefined;
        for (const item of this.#visible()) {
            if (!item.columnsVisible) continue;
            const column = columnOf(item, name);
            if (column === undefined) continue;
            if (found !== undefined) throw new Unsupported(`column ${name} is ambiguous`);
            found = column;
        }
        return found;
    }

    qualifiedColumn(schema: string | undefined, relation: string, name: string): Expr {
        const {item, level} = this.relation(schema, relation);
        const column = columnOf(item, name);
        if (column === undefined) throw new Unsupported(`column ${relation}.${name}`);
        return shiftLevels(column.expr, level);
    }

    relation(schema: string | undefined, name: string): {item: NamespaceItem; level: number} {
        let level = 0;
        for (const scope of this.#outward()) {
            const matches = scope
                .#visible()
                .filter((item) => item.alias === name && (schema === undefined || item.schema === schema));
            if (matches.length > 1) throw new Unsupported(`relation ${name} is ambiguous`);
            if (matches[0] !== undefined) return {item: matches[0], level};
            if (!scope.transparent) level++;
        }
        throw new Unsupported(`relation ${name}`);
    }

    /** The alias of a function in FROM, used as a value: its one column. Whole rows of other sources are refused. */
    functionValue(alias: string): Expr {
        const {item, level} = this.relation(undefined, alias);
        const [column, ...others] = item.columns;
        if (column?.expr.kind !== 'column' || others.length > 0) throw new Unsupported('whole-row reference');
        const source = this.#sourceOf(shiftLevels(column.expr, level));
        if (source?.kind !== 'function' || source.ordinality) throw new Unsupported('whole-row reference');
        return shiftLevels(column.expr, level);
    }

    /** All that `*` stands for. */
    starColumns(): readonly ScopeColumn[] {
        return this.items.filter((item) => item.columnsVisible).flatMap((item) => item.columns);
    }

    /** What a plain reference to a source's column comes from, for the RowDescription. */
    originOf(expr: Expr): {readonly tableOid: number; readonly attnum: number} {
        if (expr.kind !== 'column') return NO_ORIGIN;
        const source = this.#sourceOf(expr);
        if (source === undefined) return NO_ORIGIN;
        if (source.kind === 'table') return {tableOid: source.table.oid, attnum: expr.column};
        const column: OutputColumn | undefined = source.columns[expr.column - 1];
        return column ?? NO_ORIGIN;
    }

    #sourceOf(expr: Expr): Source | undefined {
        if (expr.kind !== 'column') return undefined;
        let level = expr.level;
        for (const scope of this.#outward()) {
            if (scope.transparent) continue;
            if (level === 0) return scope.sources[expr.source];
            level--;
        }
        return undefined;
    }
}

const NO_ORIGIN = {tableOid: 0, attnum: 0} as const;

function columnOf(item: NamespaceItem, name: string): ScopeColumn | undefined {
    const matches = item.columns.filter((column) => column.name === name);
    if (matches.length > 1) throw new Unsupported(`column ${name} is ambiguous`);
    return matches[0] ?? item.systemColumns.find((column) => column.name === name);
}

/** Columns of a source that is not a table, with the names that an alias list may change. */
export function sourceColumns(
    source: number,
    columns: readonly {
        readonly name: string;
        readonly type: TypeRef;
        readonly tableOid: number;
        readonly attnum: number;
    }[],
    names: readonly string[],
): ScopeColumn[] {
    if (names.length > columns.length) throw new Unsupported('too many column aliases');
    return columns.map((column, i) => {
        const name = names[i] ?? column.name;
        return {
            name,
            expr: {kind: 'column', level: 0, source, column: i + 1, name, type: column.type},
            tableOid: column.tableOid,
            attnum: column.attnum,
        };
    });
}
