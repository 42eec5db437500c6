/**
 * SELECT on the point path: a few hot rows by key, or no table at all. Synchronous from Bind to DataRow.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import type {FieldDescription} from '../../../wire/handler.ts';
import type {BoundSelect, BoundStatement} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, compilePredicate, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import {lock} from '../../txn/locks.ts';
import type {Head} from '../../txn/head.ts';
import {currentRow} from '../../txn/row-writes.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {Parameters, Plan, StartedStatement} from '../plan.ts';
import {columnEncoders, type ColumnEncoder, DatumRows} from '../row-writer.ts';
import {ownerOf, type StatementContext} from '../statement-context.ts';
import {type AccessChoice, chooseAccess, conjuncts} from './access.ts';
import {expiryCutoffNs, headsOf, pendingVersion, visibleRow} from './read.ts';

interface PointSelect {
    readonly select: BoundSelect;
    readonly store: TableStore | undefined;
    readonly choice: AccessChoice | undefined;
    readonly filter: ((frame: Frame) => boolean) | undefined;
    readonly targets: readonly Evaluate[];
    readonly limit: Evaluate | undefined;
    readonly offset: Evaluate | undefined;
    readonly locks: BoundStatement['rowLock'];
}

/** Throws Unsupported when the statement needs more than a few rows by key. */
export function planPointSelect(
    bound: BoundStatement,
    select: BoundSelect,
    fields: readonly FieldDescription[],
    types: readonly PgType[],
    store: TableStore | undefined,
    catalogVersion: number,
): Plan {
    const compiled = compile(bound, select, store);
    const textEncoders = columnEncoders(types, []);
    const binaryEncoders = columnEncoders(types, [1]);
    const encodersFor = (formats: readonly number[]): readonly ColumnEncoder[] => {
        if (formats.length === 0) return textEncoders;
        if (formats.length === 1) return formats[0] === 1 ? binaryEncoders : textEncoders;
        return columnEncoders(types, formats);
    };
    return {
        path: 'point',
        reason: compiled.choice === undefined ? 'no table' : `rows by ${compiled.choice.description}`,
        parameterTypes: bound.parameterTypes,
        fields,
        catalogVersion,
        writes: bound.rowLock !== null,
        endsTransaction: false,
        start(context, parameters): StartedStatement {
            const rows = run(compiled, context, parameters);
            return {
                rows: new DatumRows(rows, encodersFor(parameters.resultFormats), context.output),
                tag: selectTag,
            };
        },
    };
}

export function selectTag(rows: number): string {
    return `SELECT ${rows}`;
}

function compile(bound: BoundStatement, select: BoundSelect, store: TableStore | undefined): PointSelect {
    if (
        select.ctes.length > 0 ||
        select.groupBy !== null ||
        select.having !== null ||
        select.hasAggregates ||
        select.distinct !== 'none' ||
        select.limitWithTies
    ) {
        throw new Unsupported('more than rows by key');
    }
    const scope = {sources: store === undefined ? [] : [{table: store.table}]};
    const choice = store === undefined ? undefined : chooseAccess(store, select.where, 0, scope);
    if (store !== undefined && choice === undefined) throw new Unsupported('no key is bound by the predicate');
    const manyRows = choice?.access.kind === 'primary list';
    if (select.orderBy.length > 0 && manyRows) throw new Unsupported('sorted rows');
    const rest = choice === undefined ? conjuncts(select.where) : choice.rest;
    const predicates = rest.map((expr) => compilePredicate(expr, scope));
    return {
        select,
        store,
        choice,
        filter: predicates.length === 0 ? undefined : (frame) => predicates.every((predicate) => predicate(frame)),
        targets: select.targets.map((target) => compileExpression(target.expr, scope)),
        limit: select.limit === null ? undefined : compileExpression(select.limit, scope),
        offset: select.offset === null ? undefined : compileExpression(select.offset, scope),
        locks: bound.rowLock,
    };
}

function run(plan: PointSelect, context: StatementContext, parameters: Parameters): readonly (readonly Datum[])[] {
    const frame: Frame = {row0: null, row1: null, parameters: parameters.values, context: context.evaluation};
    const {store, choice} = plan;
    let limit = rowCount(plan.limit, frame, 'LIMIT') ?? Number.MAX_SAFE_INTEGER;
    let offset = rowCount(plan.offset, frame, 'OFFSET') ?? 0;
    const rows: Datum[][] = [];
    if (store === undefined || choice === undefined) {
        if (limit > 0 && offset === 0 && (plan.filter === undefined || plan.filter(frame))) rows.push(project(plan, frame));
        return rows;
    }
    const owner = ownerOf(context, store.table.options.kind);
    const cutoff = expiryCutoffNs(store);
    for (const head of headsOf(context, store, owner, choice.access, frame)) {
        const version = plan.locks === null ? visibleRow(context, head, cutoff) : lockedRow(plan, context, head, cutoff);
        if (version === null) continue;
        frame.row0 = version;
        if (plan.filter !== undefined && !plan.filter(frame)) continue;
        if (offset > 0) offset--;
        else if (limit-- > 0) rows.push(project(plan, frame));
        else break;
    }
    return rows;
}

function project(plan: PointSelect, frame: Frame): Datum[] {
    const {targets} = plan;
    const row = new Array<Datum>(targets.length);
    for (let i = 0; i < targets.length; i++) row[i] = (targets[i] as Evaluate)(frame);
    return row;
}

/** FOR UPDATE and its kin: the newest committed row, locked. */
function lockedRow(plan: PointSelect, context: StatementContext, head: Head, cutoff: bigint | undefined): RowVersion | null {
    const transaction = context.write();
    const locks = plan.locks;
    if (head.lockedBy !== null && head.lockedBy !== transaction && locks !== null && locks.wait !== 'wait') {
        if (locks.wait === 'skip locked') return null;
        throw context.database.lockNotAvailable(head.store.table.name);
    }
    lock(transaction, head);
    const current = currentRow(transaction, head);
    if (current === null) return null;
    if (current.committed !== null && current.values === current.committed.values) {
        return cutoff !== undefined && current.committed.updatedNs < cutoff ? null : current.committed;
    }
    return pendingVersion(head.owner, current.rowid, current.values);
}

/** The value of LIMIT or OFFSET; undefined for NULL, which is no limit. */
function rowCount(evaluate: Evaluate | undefined, frame: Frame, clause: 'LIMIT' | 'OFFSET'): number | undefined {
    if (evaluate === undefined) return undefined;
    const value = evaluate(frame);
    if (value === null) return undefined;
    const count = Number(value as bigint | number);
    if (count < 0) throw negativeCount(clause);
    return count;
}

function negativeCount(clause: 'LIMIT' | 'OFFSET'): PgError {
    return new PgError(clause === 'LIMIT' ? '2201W' : '2201X', `${clause} must not be negative`);
}
