/**
 * SELECT on the point path: a few hot rows by key, or no table at all. Synchronous from Bind to DataRow.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {SYSTEM_COLUMNS} from '../../../catalog/descriptor.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import {UPDATED_TIME} from '../../../catalog/types/updated-time.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {Awaitable, FieldDescription} from '../../../wire/handler.ts';
import type {BoundSelect, BoundStatement, RowLockStrength, Expr, SortKey} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {
    compileExpression,
    compilePredicate,
    type CompileScope,
    type Evaluate,
    type Frame,
} from '../../sql/compile/compile-expression.ts';
import {isLockedAgainst, lock, lockShared} from '../../txn/locks.ts';
import type {Head} from '../../txn/head.ts';
import {currentRow} from '../../txn/row-writes.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {VisibilityWait} from '../../txn/waits.ts';
import type {Parameters, Plan, StartedStatement} from '../plan.ts';
import {columnEncoders, type ColumnEncoder, DatumRows} from '../row-writer.ts';
import {ownerOf, type StatementContext} from '../statement-context.ts';
import {type AccessChoice, chooseAccess, conjuncts} from './access.ts';
import {chooseIndexScan, indexHeads, type IndexScan} from './index-scan.ts';
import {expiryCutoffNs, headsOf, pendingVersion, visibleRow} from './read.ts';

interface PointSelect {
    readonly store: TableStore | undefined;
    readonly choice: AccessChoice | undefined;
    /** When no key is bound but an index is. */
    readonly scan: IndexScan | undefined;
    readonly filter: ((frame: Frame) => boolean) | undefined;
    readonly targets: readonly Evaluate[];
    readonly order: readonly CompiledSortKey[];
    readonly limit: Evaluate | undefined;
    readonly offset: Evaluate | undefined;
    /** There is a LIMIT or an OFFSET. */
    readonly pages: boolean;
    readonly locks: BoundStatement['rowLock'];
}

interface CompiledSortKey {
    readonly evaluate: Evaluate;
    readonly compare: (a: Datum, b: Datum) => number;
    readonly descending: boolean;
    readonly nullsFirst: boolean;
}

interface SortedRow {
    readonly row: Datum[];
    readonly keys: readonly Datum[];
}

export interface PointSelectShape {
    readonly bound: BoundStatement;
    readonly select: BoundSelect;
    readonly fields: readonly FieldDescription[];
    readonly types: readonly PgType[];
    readonly registry: TypeRegistry;
    readonly store: TableStore | undefined;
    readonly catalogVersion: number;
    /** Takes over when an index leads to more rows than the point path is good for. */
    readonly wider: () => Promise<Plan>;
}

/** Entries of an index that the point path follows before it hands over. */
const SCANNED_ROWS_MAX = 5_000;

/** Throws Unsupported when the statement needs more than a few rows by key or index. */
export function planPointSelect(shape: PointSelectShape): Plan {
    const {bound} = shape;
    const types = shape.types.map((type, i) => {
        const expr = shape.select.targets[i]?.expr;
        return expr !== undefined && isUpdated(expr) ? UPDATED_TIME : type;
    });
    const compiled = compile(shape);
    const textEncoders = columnEncoders(types, []);
    const binaryEncoders = columnEncoders(types, [1]);
    const encodersFor = (formats: readonly number[]): readonly ColumnEncoder[] => {
        if (formats.length === 0) return textEncoders;
        if (formats.length === 1) return formats[0] === 1 ? binaryEncoders : textEncoders;
        return columnEncoders(types, formats);
    };
    const answer = (rows: readonly (readonly Datum[])[], context: StatementContext, formats: readonly number[]) => ({
        rows: new DatumRows(rows, encodersFor(formats), context.output),
        tag: selectTag,
    });
    const description = compiled.choice?.description ?? compiled.scan?.description;
    return {
        path: 'point',
        reason: description === undefined ? 'no table' : `rows by ${description}`,
        parameterTypes: bound.parameterTypes,
        fields: shape.fields,
        catalogVersion: shape.catalogVersion,
        writes: bound.rowLock !== null,
        endsTransaction: false,
        needsRaw: compiled.scan !== undefined,
        start(context, parameters): Awaitable<StartedStatement> {
            const {scan, store} = compiled;
            if (scan === undefined || store === undefined) {
                return answer(run(compiled, context, parameters), context, parameters.resultFormats);
            }
            return runScan(compiled, scan, store, context, parameters).then(async (rows) =>
                rows === undefined
                    ? await (await shape.wider()).start(context, parameters)
                    : answer(rows, context, parameters.resultFormats),
            );
        },
    };
}

/** `_updated` itself as a target: clients are shown its nanoseconds. */
function isUpdated(expr: Expr): boolean {
    return expr.kind === 'column' && expr.column === SYSTEM_COLUMNS._updated.attnum;
}

/** NULL for a row that the transaction itself has written: its time is that of the commit. */
function updatedNanos(frame: Frame): Datum {
    const row = frame.row0;
    return row === null || row.updatedNs === 0n ? null : row.updatedNs;
}

export function selectTag(rows: number): string {
    return `SELECT ${rows}`;
}

function compile(shape: PointSelectShape): PointSelect {
    const {bound, select, store, registry} = shape;
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
    const scope = {sources: store === undefined ? [] : [{table: store.table}], types: registry};
    const choice = store === undefined ? undefined : chooseAccess(store, select.where, 0, scope);
    let scan: IndexScan | undefined;
    if (store !== undefined && choice === undefined) {
        if (store.tiers.hasSegments || bound.rowLock !== null)
            throw new Unsupported('no key is bound by the predicate');
        scan = chooseIndexScan(store, select.where, scope);
        if (scan === undefined) throw new Unsupported('no key or index is bound by the predicate');
    }
    const rest = choice === undefined ? conjuncts(select.where) : choice.rest;
    const predicates = rest.map((expr) => compilePredicate(expr, scope));
    const manyRows = scan !== undefined || choice?.access.kind === 'primary list';
    return {
        store,
        choice,
        scan,
        filter: allOf(predicates),
        targets: select.targets.map((target) =>
            isUpdated(target.expr) ? updatedNanos : compileExpression(target.expr, scope),
        ),
        order: manyRows ? select.orderBy.map((key) => compileSortKey(key, scope)) : [],
        limit: select.limit === null ? undefined : compileExpression(select.limit, scope),
        offset: select.offset === null ? undefined : compileExpression(select.offset, scope),
        pages: select.limit !== null || select.offset !== null,
        locks: bound.rowLock,
    };
}

function allOf(predicates: readonly ((frame: Frame) => boolean)[]): ((frame: Frame) => boolean) | undefined {
    return predicates.length < 2 ? predicates[0] : (frame) => predicates.every((predicate) => predicate(frame));
}

function compileSortKey(key: SortKey, scope: CompileScope): CompiledSortKey {
    const type = scope.types?.get(key.expr.type.oid);
    if (type === undefined) throw new Unsupported('a sort key of this type');
    return {
        evaluate: compileExpression(key.expr, scope),
        compare: (a, b) => type.compare(a, b),
        descending: key.descending,
        nullsFirst: key.nullsFirst,
    };
}

function run(plan: PointSelect, context: StatementContext, parameters: Parameters): readonly (readonly Datum[])[] {
    const frame: Frame = {row0: null, row1: null, parameters: parameters.values, context: context.evaluation};
    const {store, choice} = plan;
    const rows: SortedRow[] = [];
    if (store === undefined || choice === undefined) {
        if (plan.filter === undefined || plan.filter(frame)) rows.push(project(plan, frame));
        return page(plan, rows, frame);
    }
    const owner = ownerOf(context, store.table.options.kind);
    const cutoff = expiryCutoffNs(store);
    const {access} = choice;
    if (access.kind === 'primary' && access.only !== undefined && !plan.pages && plan.locks === null) {
        // The hottest path of all: one row by one value.
        const key = access.only(frame);
        frame.row0 = key === undefined ? null : visibleRow(context, store.headOf(owner, key), cutoff);
        if (frame.row0 === null || (plan.filter !== undefined && !plan.filter(frame))) return NO_ROWS;
        return [projectRow(plan, frame)];
    }
    for (const head of headsOf(context, store, owner, choice.access, frame)) {
        const version =
            plan.locks === null ? visibleRow(context, head, cutoff) : lockedRow(plan, context, head, cutoff);
        if (version === null) continue;
        frame.row0 = version;
        if (plan.filter === undefined || plan.filter(frame)) rows.push(project(plan, frame));
    }
    return page(plan, rows, frame);
}

/** undefined: there are too many. */
async function runScan(
    plan: PointSelect,
    scan: IndexScan,
    store: TableStore,
    context: StatementContext,
    parameters: Parameters,
): Promise<readonly (readonly Datum[])[] | undefined> {
    const frame: Frame = {row0: null, row1: null, parameters: parameters.values, context: context.evaluation};
    // Segments may have come since the plan was made.
    if (store.tiers.hasSegments) return undefined;
    const owner = ownerOf(context, store.table.options.kind);
    const cutoff = expiryCutoffNs(store);
    const rows: SortedRow[] = [];
    let scanned = 0;
    for await (const head of indexHeads(context, store, owner, scan, frame)) {
        if (++scanned > SCANNED_ROWS_MAX) return undefined;
        if (head.newest === null && head.coldSegment !== 0) return undefined;
        const version = visibleRow(context, head, cutoff);
        if (version === null) continue;
        frame.row0 = version;
        if (plan.filter === undefined || plan.filter(frame)) rows.push(project(plan, frame));
    }
    // Rows that a flush has moved meanwhile were not found.
    if (store.tiers.hasSegments) return undefined;
    return page(plan, rows, frame);
}

function project(plan: PointSelect, frame: Frame): SortedRow {
    const {order} = plan;
    return {row: projectRow(plan, frame), keys: order.length === 0 ? NO_KEYS : order.map((key) => key.evaluate(frame))};
}

function projectRow(plan: PointSelect, frame: Frame): Datum[] {
    const {targets} = plan;
    const row = new Array<Datum>(targets.length);
    for (let i = 0; i < targets.length; i++) row[i] = (targets[i] as Evaluate)(frame);
    return row;
}

const NO_KEYS: readonly Datum[] = [];
const NO_ROWS: readonly (readonly Datum[])[] = [];

/** ORDER BY, OFFSET, LIMIT. */
function page(plan: PointSelect, rows: SortedRow[], frame: Frame): readonly (readonly Datum[])[] {
    if (rows.length > 1 && plan.order.length > 0) rows.sort((a, b) => compareKeys(plan.order, a.keys, b.keys));
    let all = rows.map((entry) => entry.row);
    if (plan.limit !== undefined || plan.offset !== undefined) {
        const offset = rowCount(plan.offset, frame, 'OFFSET') ?? 0;
        const limit = rowCount(plan.limit, frame, 'LIMIT') ?? Number.MAX_SAFE_INTEGER;
        all = all.slice(offset, offset + limit);
    }
    return all;
}

function compareKeys(order: readonly CompiledSortKey[], a: readonly Datum[], b: readonly Datum[]): number {
    for (const [i, key] of order.entries()) {
        const left = a[i] ?? null;
        const right = b[i] ?? null;
        if (left === null || right === null) {
            if (left === right) continue;
            return (left === null) === key.nullsFirst ? -1 : 1;
        }
        const compared = key.compare(left, right);
        if (compared !== 0) return key.descending ? -compared : compared;
    }
    return 0;
}

/** FOR KEY SHARE is FOR SHARE here, and FOR NO KEY UPDATE is FOR UPDATE. */
function isShared(strength: RowLockStrength): boolean {
    return strength === 'share' || strength === 'key share';
}

/** FOR UPDATE and its kin: the newest committed row, locked. */
function lockedRow(
    plan: PointSelect,
    context: StatementContext,
    head: Head,
    cutoff: bigint | undefined,
): RowVersion | null {
    const transaction = context.write();
    const wait = plan.locks?.wait ?? 'wait';
    const shared = plan.locks !== null && isShared(plan.locks.strength);
    if (wait !== 'wait' && isLockedAgainst(head, transaction, shared)) {
        if (wait === 'skip locked') return null;
        throw context.database.lockNotAvailable(head.store.table.name);
    }
    if (shared) lockShared(transaction, head);
    else lock(transaction, head);
    const current = currentRow(transaction, head);
    // The lock stays while the newest version becomes durable; nobody may be told of it before.
    if (head.pinnedSeq > context.snapshotSeq) throw new VisibilityWait(head.pinnedSeq);
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
    const count = Number(value);
    if (count < 0) throw negativeCount(clause);
    return count;
}

function negativeCount(clause: 'LIMIT' | 'OFFSET'): PgError {
    return new PgError(clause === 'LIMIT' ? '2201W' : '2201X', `${clause} must not be negative`);
}
