/**
 * Plans of INSERT … VALUES, UPDATE and DELETE whose rows are found by key: the writing half of the point path.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import type {FieldDescription} from '../../../wire/handler.ts';
import type {BoundDelete, BoundInsert, BoundStatement, BoundUpdate} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import {chooseAccess} from '../point/access.ts';
import {headsOf} from '../point/read.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import {columnEncoders, DatumRows} from '../row-writer.ts';
import {ownerOf, type StatementContext} from '../statement-context.ts';
import {changeRows, compileChange} from './change.ts';
import {compileInsert, DEFAULT, insertRows} from './insert.ts';
import type {TableWriter} from './table-writer.ts';

export interface PlanShape {
    readonly bound: BoundStatement;
    readonly fields: readonly FieldDescription[] | null;
    readonly types: readonly PgType[];
    readonly catalogVersion: number;
}

export function planInsertValues(shape: PlanShape, insert: BoundInsert, writer: TableWriter): Plan {
    if (writer.needsTwin !== undefined) throw new Unsupported(writer.needsTwin);
    if (insert.source.kind === 'query') throw new Unsupported('INSERT of a query');
    refuseGeneratedAlways(insert, writer);
    const plan = compileInsert(insert, writer);
    const rows: readonly (readonly (Evaluate | null)[])[] =
        insert.source.kind === 'default'
            ? [[]]
            : insert.source.rows.map((row) => row.map((expr) => (expr === null ? null : compileExpression(expr, {sources: []}))));
    return {
        ...base(shape, 'rows of constants'),
        start(context, parameters): StartedStatement {
            const frame: Frame = {row0: null, row1: null, parameters: parameters.values, context: context.evaluation};
            const result = insertRows(plan, context, evaluateRows(rows, frame), parameters.values);
            return finished(shape, context, `INSERT 0 ${result.inserted}`, result.rows, parameters.resultFormats);
        },
    };
}

function* evaluateRows(
    rows: readonly (readonly (Evaluate | null)[])[],
    frame: Frame,
): Iterable<readonly (Datum | typeof DEFAULT)[]> {
    for (const row of rows) yield row.map((evaluate) => (evaluate === null ? DEFAULT : evaluate(frame)));
}

/** GENERATED ALWAYS AS IDENTITY takes no value from the user, unless OVERRIDING SYSTEM VALUE. */
export function refuseGeneratedAlways(insert: BoundInsert, writer: TableWriter): void {
    if (insert.overriding === 'system') return;
    insert.columns.forEach((attnum, i) => {
        const column = writer.store.table.columns.find((candidate) => candidate.attnum === attnum);
        if (column?.identity !== 'a') return;
        if (insert.overriding === 'user') throw new Unsupported('OVERRIDING USER VALUE');
        const {source} = insert;
        if (source.kind === 'values' && source.rows.every((row) => row[i] === null)) return;
        throw new PgError('428C9', `cannot insert a non-DEFAULT value into column "${column.name}"`, {
            detail: `Column "${column.name}" is an identity column defined as GENERATED ALWAYS.`,
            hint: 'Use OVERRIDING SYSTEM VALUE to override.',
        });
    });
}

export function refuseUpdateOfGenerated(update: BoundUpdate | BoundDelete): void {
    if (update.kind === 'delete') return;
    for (const {attnum, expr} of update.set) {
        const column = update.table.columns.find((candidate) => candidate.attnum === attnum);
        if (column?.identity === 'a' && expr !== null) {
            throw new PgError('428C9', `column "${column.name}" can only be updated to DEFAULT`, {
                detail: `Column "${column.name}" is an identity column defined as GENERATED ALWAYS.`,
            });
        }
    }
}

export function planChangeByKey(shape: PlanShape, change: BoundUpdate | BoundDelete, writer: TableWriter): Plan {
    if (change.kind === 'update' && writer.needsTwin !== undefined) throw new Unsupported(writer.needsTwin);
    refuseUpdateOfGenerated(change);
    const {store} = writer;
    const scope = {sources: [{table: store.table}]};
    const choice = chooseAccess(store, change.where, 0, scope);
    if (choice === undefined) throw new Unsupported('no key is bound by the predicate');
    const plan = compileChange(change, writer, change.where);
    if (plan.predicate === undefined) throw new Unsupported('a predicate that is not compiled');
    const verb = change.kind === 'update' ? 'UPDATE' : 'DELETE';
    return {
        ...base(shape, `rows by ${choice.description}`),
        start(context, parameters): StartedStatement {
            const frame: Frame = {row0: null, row1: null, parameters: parameters.values, context: context.evaluation};
            const owner = ownerOf(context, store.table.options.kind);
            const heads = headsOf(context, store, owner, choice.access, frame);
            const found = heads.map((head) => ({head, seenSeq: undefined}));
            const result = changeRows(plan, context, found, parameters.values);
            return finished(shape, context, `${verb} ${result.changed}`, result.rows, parameters.resultFormats);
        },
    };
}

function base(shape: PlanShape, reason: string): Omit<Plan, 'start'> {
    return {
        path: 'point',
        reason,
        parameterTypes: shape.bound.parameterTypes,
        fields: shape.fields,
        catalogVersion: shape.catalogVersion,
        writes: true,
        endsTransaction: false,
    };
}

export function finished(
    shape: Pick<PlanShape, 'types'>,
    context: StatementContext,
    tag: string,
    rows: (readonly Datum[])[] | null,
    formats: readonly number[],
): StartedStatement {
    return {
        rows: rows === null ? null : new DatumRows(rows, columnEncoders(shape.types, formats), context.output),
        tag: () => tag,
    };
}
