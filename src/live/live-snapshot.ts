/**
 * The rows that a live query begins with: those of its table and owner at one commit sequence.
 *
 * What must stay true: the sequence and the rows belong together exactly. A table without segments is read from the hot
 * store, whose scan fixes its sequence in the same synchronous step as the look at the segments; one with segments goes
 * through a snapshot of the vectorised executor, which pins sequence and manifest together. Rows that have expired and
 * are not removed yet are in it, because their delete is still to come. When the table gets another
 * set of rows (TRUNCATE, a rewrite) before its old ones are pinned, the new ones are read.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {UPDATED_NS_ATTNUM, SYSTEM_COLUMNS} from '../../catalog/descriptor.ts';
import {OID} from '../../catalog/types/oids.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {Database} from '../database.ts';
import type {StatementContext} from '../exec/statement-context.ts';
import {chunkDatums} from '../exec/vector/results.ts';
import {RetryOnReferencePath} from '../exec/vector/failures.ts';
import {print} from '../exec/vector-plan.ts';
import {type BoundSelect, type ColumnExpr, type Expr, Unsupported} from '../sql/bound.ts';
import {StalePlan} from '../txn/waits.ts';
import {PgError} from '../../catalog/errors.ts';
import {strict as assert} from 'node:assert';
import type {LivePlan, LiveRow} from './live-plan.ts';
import type {LiveSnapshot} from './open-subscription.ts';

const {_seq: seqColumn} = SYSTEM_COLUMNS;

/** Times that the table's rows may be replaced while a snapshot of them is begun. */
const ATTEMPTS_MAX = 20;

export async function takeSnapshot(
    database: Database,
    plan: LivePlan,
    tableNow: () => TableDescriptor,
    context: StatementContext | undefined,
): Promise<LiveSnapshot> {
    assert(context !== undefined, 'a live query without its session');
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const {tableId, name} = tableNow();
        const table = database.catalog.tableById(tableId);
        if (table === undefined) throw new PgError('42P01', `relation "${name}" does not exist`);
        if (!database.store(table).tiers.hasSegments) {
            const snapshot = await throughScan(database, plan, table);
            if (snapshot !== undefined) return snapshot;
            continue;
        }
        try {
            return await throughVector(database, plan, table, context);
        } catch (error) {
            if (!(error instanceof StalePlan)) throw error;
            // What replaces the table may be ordered and not visible yet.
            await database.committer.whenVisible(database.committer.enqueuedSeq);
        }
    }
    throw new PgError('55000', `relation "${plan.table.name}" is being replaced again and again`, {
        hint: 'Subscribe again later.',
    });
}

/** undefined: the rows were replaced before they were pinned, and may be removed already. */
async function throughScan(
    database: Database,
    plan: LivePlan,
    table: TableDescriptor,
): Promise<LiveSnapshot | undefined> {
    const {seq, batches} = database.hotRows.scan(table);
    const iterator = batches[Symbol.asyncIterator]();
    // With the first batch the store's own snapshot is open: what is removed from then on is still read.
    let next = await iterator.next();
    if (database.catalog.tableById(table.tableId) === undefined) {
        await iterator.return?.();
        return undefined;
    }
    async function* rows(): AsyncIterable<LiveRow> {
        try {
            for (; next.done !== true; next = await iterator.next()) {
                for (const row of next.value) {
                    if (row.owner === plan.owner && !row.deleted) yield row;
                }
            }
        } finally {
            await iterator.return?.();
        }
    }
    return {seq, table, rows: rows()};
}

async function throughVector(
    database: Database,
    plan: LivePlan,
    table: TableDescriptor,
    context: StatementContext,
): Promise<LiveSnapshot> {
    const executor = await database.vector();
    let seq = 0;
    const snapshot = await executor.snapshot([table], () => {
        seq = database.committer.visibleSeq;
        // Committed rows alone: what the session's own transaction has written is not for the subscription yet.
        const input = {...database.tableInput(context, table, [], true), overlay: undefined};
        return {seq, inputs: new Map([[table.tableId, input]])};
    });
    try {
        const {query, columns} = snapshotQuery(plan, table, context);
        const result = await snapshot.run(query, context.output.timeZone);
        const {types} = database.catalog;
        async function* rows(): AsyncIterable<LiveRow> {
            try {
                for (let chunk = await result.fetch(); chunk !== null; chunk = await result.fetch()) {
                    for (const values of chunkDatums(chunk, query.columns, types))
                        yield liveRow(values, columns, table);
                }
            } catch (error) {
                throw unreadable(error);
            } finally {
                await snapshot.close();
            }
        }
        return {seq, table, rows: rows()};
    } catch (error) {
        await snapshot.close();
        throw unreadable(error);
    }
}

/** The plan's columns, then `_seq` and `_updated`; with the plan's condition where DuckDB is certain of it. */
function snapshotQuery(
    plan: LivePlan,
    table: TableDescriptor,
    context: StatementContext,
): {query: ReturnType<typeof print>; columns: readonly number[]} {
    const columns = plan.attnums.map((attnum) => table.columns.findIndex((column) => column.attnum === attnum));
    const exprs: ColumnExpr[] = columns.map((position) => {
        const column = table.columns[position];
        assert(column !== undefined, 'a column of the plan is in the table');
        return columnExpr(column.attnum, column.name, column.type.oid, column.type.typmod);
    });
    exprs.push(columnExpr(seqColumn.attnum, '_seq', OID.int8));
    exprs.push(columnExpr(UPDATED_NS_ATTNUM, '_updated', OID.int8));
    const select = (where: Expr | null): BoundSelect => ({
        kind: 'select',
        ctes: [],
        sources: [{kind: 'table', alias: 't', table}],
        from: [{kind: 'source', source: 0}],
        where,
        groupBy: null,
        having: null,
        targets: exprs.map((expr, i) => ({expr, name: `c${i}`})),
        distinct: 'none',
        orderBy: [],
        limit: null,
        limitWithTies: false,
        offset: null,
        columns: exprs.map((expr, i) => ({name: `c${i}`, type: expr.type, tableOid: 0, attnum: 0})),
        hasAggregates: false,
    });
    const parameters = plan.parameters;
    try {
        return {query: print(select(plan.select.where), context, parameters), columns};
    } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        // More rows than the plan matches may be given: it looks at each.
        return {query: print(select(null), context, parameters), columns};
    }
}

function columnExpr(attnum: number, name: string, oid: number, typmod = -1): ColumnExpr {
    return {kind: 'column', level: 0, source: 0, column: attnum, name, type: {oid, typmod}};
}

function liveRow(cells: readonly Datum[], columns: readonly number[], table: TableDescriptor): LiveRow {
    const values = table.columns.map((): Datum => null);
    columns.forEach((position, i) => {
        values[position] = cells[i] ?? null;
    });
    return {seq: Number(cells[columns.length]), updatedNs: cells[columns.length + 1] as bigint, values};
}

function unreadable(error: unknown): unknown {
    if (!(error instanceof RetryOnReferencePath) && !(error instanceof Unsupported)) return error;
    return new PgError('0A000', 'the snapshot of this live query cannot be read', {
        detail: error.message,
        hint: 'Select fewer columns, or subscribe WITH (snapshot = false) and query the rows yourself.',
        cause: error,
    });
}
