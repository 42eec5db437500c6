/**
 * UPDATE and DELETE: rows found by key on the point path, or by a search of the vectorised engine.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {
    OWNER_ATTNUM,
    ROWID_ATTNUM,
    SEGMENT_ATTNUM,
    SYSTEM_COLUMNS,
    UPDATED_NS_ATTNUM,
} from '../../../catalog/descriptor.ts';
import type {BoundDelete, BoundSelect, BoundUpdate, ColumnExpr} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import type {Frame} from '../../sql/compile/compile-expression.ts';
import {hasStubs} from '../../tiers/row-moves.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import {chooseAccess} from '../point/access.ts';
import {headsOf} from '../point/read.ts';
import type {Parameters, Plan, StartedStatement} from '../plan.ts';
import {ownerOf, type StatementContext} from '../statement-context.ts';
import {openSnapshot, print} from '../vector-plan.ts';
import {RetryOnReferencePath} from '../vector/failures.ts';
import {chunkDatums} from '../vector/results.ts';
import {changeRows, compileChange, type FoundRow} from './change.ts';
import {finished, writingPlan, type PlanShape} from './plan-shape.ts';
import type {TableWriter} from './table-writer.ts';

type Change = BoundUpdate | BoundDelete;

export function planChangeByKey(shape: PlanShape, change: Change, writer: TableWriter): Plan {
    refuse(change, writer);
    const {store} = writer;
    const choice = chooseAccess(store, change.where, 0, {sources: [{table: store.table}], types: shape.registry});
    if (choice === undefined) throw new Unsupported('no key is bound by the predicate');
    const plan = compileChange(change, writer, change.where);
    if (plan.predicate === undefined) throw new Unsupported('a predicate that is not compiled');
    return {
        ...writingPlan(shape, 'point', `rows by ${choice.description}`),
        start(context, parameters): StartedStatement {
            const frame: Frame = {row0: null, row1: null, parameters: parameters.values, context: context.evaluation};
            const owner = ownerOf(context, store.table.options.kind);
            const found: FoundRow[] = [];
            for (const head of headsOf(context, store, owner, choice.access, frame)) {
                found.push({head, seen: null});
            }
            const result = changeRows(plan, context, found, parameters.values);
            return finished(
                shape,
                context,
                `${verbOf(change)} ${result.changed}`,
                result.rows,
                parameters.resultFormats,
            );
        },
    };
}

/** Throws Unsupported when the search or the new values need the reference path. */
export function planChangeBySearch(
    shape: PlanShape,
    change: Change,
    writer: TableWriter,
    reason: string,
    context: StatementContext,
    reference: Plan,
): Plan {
    refuse(change, writer);
    const plan = compileChange(change, writer, change.where);
    const search = searchOf(change);
    print(
        search,
        context,
        shape.bound.parameterTypes.map(() => null),
    );
    return {
        ...writingPlan(shape, 'vectorised', reason),
        async start(executing, parameters): Promise<StartedStatement> {
            const {signal} = executing;
            let rows: Datum[][];
            try {
                rows = await findRows(shape.bound.tables, search, executing, parameters);
            } catch (error) {
                if (!(error instanceof RetryOnReferencePath) && !(error instanceof Unsupported)) throw error;
                return await reference.start(executing, parameters);
            }
            // A statement that was cancelled meanwhile must not write in what the session does next.
            signal.throwIfAborted();
            const result = changeRows(plan, executing, foundRows(writer.store, rows), parameters.values);
            return finished(
                shape,
                executing,
                `${verbOf(change)} ${result.changed}`,
                result.rows,
                parameters.resultFormats,
            );
        },
    };
}

function verbOf(change: Change): string {
    return change.kind === 'update' ? 'UPDATE' : 'DELETE';
}

function refuse(change: Change, writer: TableWriter): void {
    if (change.kind === 'delete') return;
    if (writer.needsTwin !== undefined) throw new Unsupported(writer.needsTwin);
    for (const {attnum, expr} of change.set) {
        const column = change.table.columns.find((candidate) => candidate.attnum === attnum);
        if (column?.identity !== 'a' || expr === null) continue;
        throw new PgError('428C9', `column "${column.name}" can only be updated to DEFAULT`, {
            detail: `Column "${column.name}" is an identity column defined as GENERATED ALWAYS.`,
        });
    }
}

/** The hidden columns of a row and all of its own, for the rows that satisfy the predicate. */
function searchOf(change: Change): BoundSelect {
    const {table} = change;
    const hidden: [number, string, number][] = [
        [ROWID_ATTNUM, '_rowid', 20],
        [SYSTEM_COLUMNS._seq.attnum, '_seq', 20],
        [OWNER_ATTNUM, '_owner', 23],
        [SEGMENT_ATTNUM, '_segment', 23],
        [UPDATED_NS_ATTNUM, '_updated', 20],
    ];
    const targets = [
        ...hidden.map(([column, name, oid]) => target(column, name, {oid, typmod: -1})),
        ...table.columns.map((column) => target(column.attnum, column.name, column.type)),
    ];
    return {
        kind: 'select',
        ctes: [],
        sources: [{kind: 'table', alias: change.alias, table}],
        from: [{kind: 'source', source: 0}],
        where: change.where,
        groupBy: null,
        having: null,
        targets,
        distinct: 'none',
        orderBy: [],
        limit: null,
        limitWithTies: false,
        offset: null,
        columns: targets.map((entry) => ({name: entry.name, type: entry.expr.type, tableOid: 0, attnum: 0})),
        hasAggregates: false,
    };
}

function target(column: number, name: string, type: ColumnExpr['type']): {expr: ColumnExpr; name: string} {
    return {expr: {kind: 'column', level: 0, source: 0, column, name, type}, name};
}

const HIDDEN_COLUMNS = 5;
/** Rows of one statement: they are in memory until it commits. */
const ROWS_MAX = 5_000_000;

async function findRows(
    tables: readonly TableDescriptor[],
    search: BoundSelect,
    context: StatementContext,
    parameters: Parameters,
): Promise<Datum[][]> {
    const snapshot = await openSnapshot(context, tables);
    try {
        const printed = print(search, context, parameters.values);
        const result = await snapshot.run(printed, context.output.timeZone);
        const rows: Datum[][] = [];
        for (;;) {
            const chunk = await result.fetch();
            if (chunk === null) return rows;
            for (const row of chunkDatums(chunk, printed.columns, context.catalog.types)) rows.push(row);
            if (rows.length > ROWS_MAX) throw tooManyRows();
        }
    } finally {
        await snapshot.close();
    }
}

function tooManyRows(): PgError {
    return new PgError('54000', `more than ${ROWS_MAX} rows changed in one statement`, {
        hint: 'Change them in several statements.',
    });
}

/** Heads are looked up as they are used: kept for long they would cease to be the heads of their keys. */
function* foundRows(store: TableStore, rows: Iterable<readonly Datum[]>): Iterable<FoundRow> {
    for (const row of rows) {
        const found = foundRow(store, row);
        if (found !== undefined) yield found;
    }
}

/** undefined when the row has gone since the snapshot. */
function foundRow(store: TableStore, row: readonly Datum[]): FoundRow | undefined {
    const [rowid, seq, owner, segment, updatedNs] = row.map((value) => value as bigint | number);
    const values = row.slice(HIDDEN_COLUMNS);
    const {key, bytes} = store.keyOfRow(values, Number(rowid));
    const head = store.head(Number(owner), key, bytes);
    if (Number(segment) > 0 && head.newest === null && head.pending === null) {
        if (store.tiers.isDead(Number(segment), Number(rowid))) return undefined;
        // Tables without unique keys have no stubs: the head does not know of the cold row.
        head.coldSegment = Number(segment);
        head.coldRowid = Number(rowid);
        head.newest = {
            rowid: Number(rowid),
            seq: Number(seq),
            updatedNs: BigInt(updatedNs ?? 0),
            owner: Number(owner),
            values,
            deleted: false,
            previous: null,
        };
        store.grown(head);
    }
    // Deleted since, or flushed: without unique keys nothing leads from a row id to its segment. The next search knows.
    const vanished = head.newest === null && head.coldSegment === 0 && head.pending === null;
    if (vanished && Number(segment) === 0 && !hasStubs(store)) throw new VisibilityWait(0);
    return {head, seen: {rowid: Number(rowid), seq: Number(seq)}};
}
