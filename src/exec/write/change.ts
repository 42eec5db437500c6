/**
 * UPDATE and DELETE of rows that were found: lock each, look at its newest state, check the predicate again, write.
 *
 * What must stay true: the predicate is decided on the newest committed version of a locked row, as READ COMMITTED asks;
 * a row found twice is changed once; what RETURNING tells rests on nothing that is not durable.
 */
import assert from 'node:assert/strict';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {BoundDelete, BoundUpdate, Expr} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, compilePredicate, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import type {Head} from '../../txn/head.ts';
import {lock} from '../../txn/locks.ts';
import {currentRow} from '../../txn/row-writes.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import {expiryCutoffNs, pendingVersion} from '../point/read.ts';
import type {StatementContext} from '../statement-context.ts';
import {compileReturning, updateOfStream} from './insert.ts';
import type {TableWriter} from './table-writer.ts';

export interface ChangePlan {
    readonly store: TableStore;
    readonly writer: TableWriter;
    /** null = DELETE. `evaluate` null = DEFAULT. */
    readonly set: readonly {readonly position: number; readonly evaluate: Evaluate | null}[] | null;
    readonly returning: readonly Evaluate[] | null;
    /** The whole predicate on one row; undefined when it cannot be compiled. */
    readonly predicate: ((frame: Frame) => boolean) | undefined;
}

export interface FoundRow {
    readonly head: Head;
    /** The version that satisfied the predicate; null = not looked at yet. */
    readonly seen: SeenVersion | null;
}

export interface SeenVersion {
    readonly rowid: number;
    /** `_seq`; 0 for a row that the transaction itself has written. */
    readonly seq: number;
}

export interface ChangeResult {
    readonly changed: number;
    readonly rows: (readonly Datum[])[] | null;
}

export function compileChange(
    bound: BoundUpdate | BoundDelete,
    writer: TableWriter,
    predicate: Expr | null,
): ChangePlan {
    const {store} = writer;
    const {table} = store;
    if (bound.kind === 'update' && table.options.kind === 'stream') throw updateOfStream(table.name);
    const scope = {sources: [{table}], types: writer.types};
    return {
        store,
        writer,
        set:
            bound.kind === 'delete'
                ? null
                : bound.set.map(({attnum, expr}) => ({
                      position: table.columns.findIndex((column) => column.attnum === attnum),
                      evaluate: expr === null ? null : compileExpression(expr, scope),
                  })),
        returning:
            bound.returning === null
                ? null
                : bound.returning.map((target) => compileReturning(target.expr, table, scope)),
        predicate: predicate === null ? () => true : compileOptional(predicate, scope),
    };
}

function compileOptional(
    predicate: Expr,
    scope: Parameters<typeof compileExpression>[1],
): ((frame: Frame) => boolean) | undefined {
    try {
        return compilePredicate(predicate, scope);
    } catch (error) {
        if (error instanceof Unsupported) return undefined;
        throw error;
    }
}

/**
 * Synchronous; throws LockWait, ColdRow and VisibilityWait. Each head is looked up just before it is used: `found` is
 * best a generator.
 */
export function changeRows(
    plan: ChangePlan,
    context: StatementContext,
    found: Iterable<FoundRow>,
    parameters: readonly Datum[],
): ChangeResult {
    const {store, writer, returning} = plan;
    const transaction = context.write();
    const {writes} = context.database;
    writes.enter(transaction, store);
    const cutoff = expiryCutoffNs(store);
    const frame: Frame = {row0: null, row1: null, parameters, context: context.evaluation};
    const rows: (readonly Datum[])[] | null = returning === null ? null : [];
    const done = new Set<Head>();
    let changed = 0;
    for (const {head, seen} of found) {
        if (done.has(head)) continue;
        done.add(head);
        lock(transaction, head);
        const current = currentRow(transaction, head);
        if (current === null || (seen !== null && seen.rowid !== current.rowid)) continue;
        const {committed} = current;
        if (returning !== null && committed !== null && committed.seq > context.database.committer.visibleSeq) {
            throw new VisibilityWait(committed.seq);
        }
        const unchanged = committed !== null && committed.values === current.values;
        if (cutoff !== undefined && unchanged && committed.updatedNs < cutoff) continue;
        frame.row0 = unchanged ? committed : pendingVersion(head.owner, current.rowid, current.values);
        if (seen === null || seen.seq !== (unchanged ? committed.seq : 0)) {
            // Changed since it was found: decide again, here or by running the search on the newest state.
            if (plan.predicate === undefined) {
                assert(seen !== null, 'rows by key have a compiled predicate');
                throw new VisibilityWait(context.database.committer.enqueuedSeq);
            }
            if (!plan.predicate(frame)) continue;
        }
        if (plan.set === null) {
            if (rows !== null && returning !== null) rows.push(returning.map((evaluate) => evaluate(frame)));
            writes.delete(transaction, head, current);
            changed++;
            continue;
        }
        const values = [...current.values];
        for (const {position, evaluate} of plan.set) {
            values[position] = evaluate === null ? writer.defaultOf(position, context.evaluation) : evaluate(frame);
        }
        const after: Frame = {...frame, row0: pendingVersion(head.owner, current.rowid, values)};
        writer.check(values, after);
        writes.update(transaction, head, current, values);
        changed++;
        if (rows !== null && returning !== null) rows.push(returning.map((evaluate) => evaluate(after)));
    }
    return {changed, rows};
}
