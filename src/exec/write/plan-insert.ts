/**
 * INSERT: rows of constants on the point path, rows of a query after the query ran on whatever path carries it.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {BoundInsert} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import {compileInsert, DEFAULT, insertRows} from './insert.ts';
import {finished, writingPlan, type PlanShape} from './plan-shape.ts';
import type {TableWriter} from './table-writer.ts';

/** Throws Unsupported when the reference path has to evaluate the rows. */
export function planInsertValues(shape: PlanShape, insert: BoundInsert, writer: TableWriter): Plan {
    if (writer.needsTwin !== undefined) throw new Unsupported(writer.needsTwin);
    if (insert.source.kind === 'query') throw new Unsupported('INSERT of a query');
    refuseGeneratedAlways(insert, writer);
    const plan = compileInsert(insert, writer);
    const scope = {sources: [], types: shape.registry};
    const rows: readonly (readonly (Evaluate | null)[])[] =
        insert.source.kind === 'default'
            ? [[]]
            : insert.source.rows.map((row) =>
                  row.map((expr) => (expr === null ? null : compileExpression(expr, scope))),
              );
    return {
        ...writingPlan(shape, 'point', 'rows of constants'),
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
    for (const [i, attnum] of insert.columns.entries()) {
        const column = writer.store.table.columns.find((candidate) => candidate.attnum === attnum);
        if (column?.identity !== 'a') continue;
        if (insert.overriding === 'user') throw new Unsupported('OVERRIDING USER VALUE');
        const {source} = insert;
        if (source.kind === 'values' && source.rows.every((row) => row[i] === null)) continue;
        throw new PgError('428C9', `cannot insert a non-DEFAULT value into column "${column.name}"`, {
            detail: `Column "${column.name}" is an identity column defined as GENERATED ALWAYS.`,
            hint: 'Use OVERRIDING SYSTEM VALUE to override.',
        });
    }
}
