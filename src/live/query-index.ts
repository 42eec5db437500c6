/**
 * Finds the live queries that a change can concern: by table, by owner, and within these by the value of a column that
 * a query compares with a constant. A write costs what it touches, not how many queries there are.
 *
 * What must stay true: every query that would give an event for a change is visited for it.
 */
import {strict as assert} from 'node:assert';
import type {RowChange} from '../txn/row-version.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {SharedQuery} from './shared-query.ts';

/** Queries over one column, by key. Those of one column may differ in `toKey` only by type, which a column has one of. */
interface KeyedColumn {
    readonly attnum: number;
    readonly toKey: (value: Datum) => string;
    readonly byKey: Map<string, Set<SharedQuery>>;
    count: number;
}

/** The queries of one table and one owner. */
class OwnerQueries {
    readonly all = new Set<SharedQuery>();
    readonly unkeyed = new Set<SharedQuery>();
    readonly columns: KeyedColumn[] = [];
}

type Visit = (query: SharedQuery, change: RowChange) => void;

export class QueryIndex {
    readonly #tables = new Map<number, Map<number, OwnerQueries>>();

    has(tableId: number): boolean {
        return this.#tables.has(tableId);
    }

    add(query: SharedQuery): void {
        const {table} = query;
        const {owner, equality} = query.plan;
        let owners = this.#tables.get(table.tableId);
        if (owners === undefined) this.#tables.set(table.tableId, (owners = new Map()));
        let queries = owners.get(owner);
        if (queries === undefined) owners.set(owner, (queries = new OwnerQueries()));
        queries.all.add(query);
        if (equality === undefined) {
            queries.unkeyed.add(query);
            return;
        }
        let column = queries.columns.find((candidate) => candidate.attnum === equality.attnum);
        if (column === undefined) {
            column = {attnum: equality.attnum, toKey: equality.toKey, byKey: new Map(), count: 0};
            queries.columns.push(column);
        }
        column.count++;
        for (const key of equality.keys) {
            const sharers = column.byKey.get(key);
            if (sharers === undefined) column.byKey.set(key, new Set([query]));
            else sharers.add(query);
        }
    }

    /** Of the table that it was added for. */
    remove(query: SharedQuery): void {
        const {table} = query;
        const {owner, equality} = query.plan;
        const owners = this.#tables.get(table.tableId);
        const queries = owners?.get(owner);
        assert(owners !== undefined && queries !== undefined && queries.all.delete(query), 'query is not in the index');
        if (equality === undefined) {
            queries.unkeyed.delete(query);
        } else {
            const at = queries.columns.findIndex((candidate) => candidate.attnum === equality.attnum);
            const column = queries.columns[at];
            assert(column !== undefined, 'keyed query without its column');
            for (const key of equality.keys) {
                const sharers = column.byKey.get(key);
                sharers?.delete(query);
                if (sharers?.size === 0) column.byKey.delete(key);
            }
            if (--column.count === 0) queries.columns.splice(at, 1);
        }
        if (queries.all.size === 0) owners.delete(owner);
        if (owners.size === 0) this.#tables.delete(table.tableId);
    }

    /** All queries over a table, whoever's rows they see. */
    *ofTable(tableId: number): Iterable<SharedQuery> {
        for (const queries of this.#tables.get(tableId)?.values() ?? []) yield* queries.all;
    }

    /** Calls `visit` for each query that the change may concern; for some twice. */
    visit(change: RowChange, visit: Visit): void {
        const queries = this.#tables.get(change.table.tableId)?.get(change.owner);
        if (queries === undefined) return;
        for (const query of queries.unkeyed) visit(query, change);
        for (const column of queries.columns) visitColumn(column, change, visit);
    }
}

function visitColumn(column: KeyedColumn, change: RowChange, visit: Visit): void {
    const at = positionOf(change, column.attnum);
    if (at < 0) {
        // The column is gone: its queries learn it from the change.
        for (const sharers of column.byKey.values()) for (const query of sharers) visit(query, change);
        return;
    }
    const before = change.before === null ? null : (change.before.values[at] ?? null);
    const after = change.after === null ? null : (change.after.values[at] ?? null);
    const beforeKey = before === null ? undefined : column.toKey(before);
    const afterKey = after === null ? undefined : column.toKey(after);
    if (beforeKey !== undefined) visitKey(column, beforeKey, change, visit);
    if (afterKey !== undefined && afterKey !== beforeKey) visitKey(column, afterKey, change, visit);
}

function visitKey(column: KeyedColumn, key: string, change: RowChange, visit: Visit): void {
    const sharers = column.byKey.get(key);
    if (sharers !== undefined) for (const query of sharers) visit(query, change);
}

/** Live columns are in attnum order; without dropped ones a column stands at attnum - 1. */
function positionOf(change: RowChange, attnum: number): number {
    const {columns} = change.table;
    if (columns[attnum - 1]?.attnum === attnum) return attnum - 1;
    return columns.findIndex((column) => column.attnum === attnum);
}
