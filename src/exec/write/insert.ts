/**
 * INSERT of rows that are already evaluated: defaults, constraints, conflicts, RETURNING. All sources (VALUES, a query,
 * COPY) end here.
 *
 * What must stay true: a row is checked whole before it is written; ON CONFLICT decides on the newest committed row,
 * locked; RETURNING sees the row as written.
 */
import assert from 'node:assert/strict';
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {BoundInsert, BoundOnConflict} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {
    compileExpression,
    compilePredicate,
    type CompileScope,
    type Evaluate,
    type Frame,
} from '../../sql/compile/compile-expression.ts';
import {Head} from '../../txn/head.ts';
import type {IndexWriter} from '../../txn/index-writer.ts';
import {lock} from '../../txn/locks.ts';
import {currentRow} from '../../txn/row-writes.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {Transaction} from '../../txn/transaction.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import {pendingVersion} from '../point/read.ts';
import type {StatementContext} from '../statement-context.ts';
import {ownerOf} from '../statement-context.ts';
import type {TableWriter} from './table-writer.ts';

export type ReturningTargets = readonly Evaluate[] | null;

interface ConflictAction {
    readonly arbiter: 'any' | 'primary' | IndexWriter;
    readonly update: {
        readonly set: readonly {readonly position: number; readonly evaluate: Evaluate | null}[];
        readonly where: ((frame: Frame) => boolean) | undefined;
    } | null;
}

export interface InsertPlan {
    readonly store: TableStore;
    readonly writer: TableWriter;
    /** For each input column, its position in the row. */
    readonly positions: readonly number[];
    /** Positions that take their default. */
    readonly defaulted: readonly number[];
    readonly conflict: ConflictAction | null;
    readonly returning: ReturningTargets;
}

export interface InsertResult {
    readonly inserted: number;
    readonly rows: (readonly Datum[])[] | null;
}

/** A value left to its default in one VALUES row. */
export const DEFAULT = Symbol('DEFAULT');

export function compileInsert(bound: BoundInsert, writer: TableWriter): InsertPlan {
    const {store} = writer;
    const {table} = store;
    const scope = {sources: [{table}, {table}], types: writer.types};
    const positionOf = (attnum: number): number => table.columns.findIndex((column) => column.attnum === attnum);
    const positions = bound.columns.map((attnum) => positionOf(attnum));
    const fed = new Set(positions);
    const returning =
        bound.returning === null ? null : bound.returning.map((target) => compileReturning(target.expr, table, scope));
    return {
        store,
        writer,
        positions,
        defaulted: table.columns.map((_, i) => i).filter((i) => !fed.has(i)),
        conflict: bound.onConflict === null ? null : compileConflict(bound.onConflict, scope, store, positionOf),
        returning,
    };
}

export function compileReturning(
    expr: Parameters<typeof compileExpression>[0],
    table: TableStore['table'],
    scope: Parameters<typeof compileExpression>[1],
): Evaluate {
    if (mentionsSystemColumn(expr)) {
        throw new PgError('0A000', `RETURNING of _seq and _updated of table "${table.name}" is not supported`, {
            hint: 'They are known when the transaction commits: select them afterwards.',
        });
    }
    return compileExpression(expr, scope);
}

function mentionsSystemColumn(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (
        'kind' in value &&
        value.kind === 'column' &&
        'column' in value &&
        typeof value.column === 'number' &&
        value.column < 0
    ) {
        return true;
    }
    return Object.values(value).some((child) => mentionsSystemColumn(child));
}

function compileConflict(
    conflict: BoundOnConflict,
    scope: CompileScope,
    store: TableStore,
    positionOf: (attnum: number) => number,
): ConflictAction {
    let arbiter: ConflictAction['arbiter'] = 'any';
    if (conflict.index !== null) {
        const {indexId} = conflict.index;
        const index = store.indexes.find((candidate) => candidate.index.indexId === indexId);
        if (index !== undefined) arbiter = index;
        else if (store.table.primaryKey?.indexId === indexId) arbiter = 'primary';
        else throw new Unsupported('an arbiter that is not maintained');
    }
    if (conflict.action === 'nothing') return {arbiter, update: null};
    const {where} = conflict;
    return {
        arbiter,
        update: {
            set: conflict.set.map(({attnum, expr}) => ({
                position: positionOf(attnum),
                evaluate: expr === null ? null : compileExpression(expr, scope),
            })),
            where: where === null ? undefined : compilePredicate(where, scope),
        },
    };
}

/** Writes rows given in the order of `plan.positions`. Synchronous; throws LockWait and ColdRow. */
export function insertRows(
    plan: InsertPlan,
    context: StatementContext,
    source: Iterable<readonly (Datum | typeof DEFAULT)[]>,
    parameters: readonly Datum[],
): InsertResult {
    const {store, writer, conflict, returning} = plan;
    const transaction = context.write();
    const {writes} = context.database;
    writes.enter(transaction, store);
    const owner = ownerOf(context, store.table.options.kind);
    const frame: Frame = {row0: null, row1: null, parameters, context: context.evaluation};
    const rows: (readonly Datum[])[] | null = returning === null ? null : [];
    const affected = conflict?.update ? new Set<Head>() : null;
    let inserted = 0;
    for (const input of source) {
        const values = fullRow(plan, context, input);
        frame.row0 = writer.hasChecks || returning !== null ? pendingVersion(owner, 0, values) : null;
        writer.check(values, frame);
        const outcome = writes.insert(transaction, store, owner, values, conflict?.arbiter ?? 'error');
        if (outcome instanceof Head) {
            inserted++;
            affected?.add(outcome);
            if (rows !== null && returning !== null) rows.push(returning.map((evaluate) => evaluate(frame)));
            continue;
        }
        const {update} = conflict ?? {update: null};
        if (update === null || update === undefined) continue;
        if (affected?.has(outcome.head) === true) {
            throw new PgError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', {
                hint: 'Ensure that no rows proposed for insertion within the same command have duplicate constrained values.',
            });
        }
        const updated = updateConflicting(plan, context, transaction, outcome.head, values, update, parameters);
        if (updated === null) continue;
        inserted++;
        affected?.add(updated.head);
        frame.row0 = pendingVersion(owner, 0, updated.values);
        if (rows !== null && returning !== null) rows.push(returning.map((evaluate) => evaluate(frame)));
    }
    return {inserted, rows};
}

function fullRow(plan: InsertPlan, context: StatementContext, input: readonly (Datum | typeof DEFAULT)[]): Datum[] {
    const {writer, positions, defaulted} = plan;
    const values = new Array<Datum>(positions.length + defaulted.length).fill(null);
    for (let i = 0; i < positions.length; i++) {
        const position = positions[i] as number;
        const value = input[i];
        values[position] = value === DEFAULT ? writer.defaultOf(position, context.evaluation) : (value ?? null);
    }
    for (const position of defaulted) values[position] = writer.defaultOf(position, context.evaluation);
    return values;
}

function updateConflicting(
    plan: InsertPlan,
    context: StatementContext,
    transaction: Transaction,
    head: Head,
    excluded: readonly Datum[],
    update: NonNullable<ConflictAction['update']>,
    parameters: readonly Datum[],
): {readonly head: Head; readonly values: readonly Datum[]} | null {
    lock(transaction, head);
    const current = currentRow(transaction, head);
    assert(current !== null, 'a row that is in the way is there');
    const {committer} = context.database;
    if (plan.returning !== null && head.pinnedSeq > committer.visibleSeq) throw new VisibilityWait(head.pinnedSeq);
    if (plan.store.table.options.kind === 'stream') throw updateOfStream(plan.store.table.name);
    const frame: Frame = {
        row0: pendingVersion(head.owner, current.rowid, current.values),
        row1: pendingVersion(head.owner, 0, excluded),
        parameters,
        context: context.evaluation,
    };
    if (update.where !== undefined && !update.where(frame)) return null;
    const values = [...current.values];
    for (const {position, evaluate} of update.set) {
        values[position] = evaluate === null ? plan.writer.defaultOf(position, context.evaluation) : evaluate(frame);
    }
    plan.writer.check(values, {...frame, row0: pendingVersion(head.owner, current.rowid, values)});
    return {head: context.database.writes.update(transaction, head, current, values), values};
}

export function updateOfStream(table: string): PgError {
    return new PgError('0A000', `cannot update stream table "${table}"`, {
        hint: 'Rows of a stream are only inserted and expire: insert a new row, or use a shared table.',
    });
}
