/**
 * INSERT … SELECT: the query runs on the vectorised path, its rows are cast and written by TypeScript.
 *
 * What must stay true: the query sees the state before the statement: all of its rows are read before the first is
 * written.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {BoundInsert, OutputColumn} from '../../sql/bound.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression} from '../../sql/compile/compile-expression.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {RetryOnReferencePath} from '../vector/failures.ts';
import {chunkDatums} from '../vector/results.ts';
import {openSnapshot, print} from '../vector-plan.ts';
import {compileInsert, insertRows} from './insert.ts';
import {refuseGeneratedAlways} from './plan-insert.ts';
import {finished, writingPlan, type PlanShape} from './plan-shape.ts';
import type {TableWriter} from './table-writer.ts';

/** Rows of one statement: they are in memory until it commits. */
const ROWS_MAX = 5_000_000;

export function planInsertQuery(
    shape: PlanShape,
    insert: BoundInsert,
    writer: TableWriter,
    reason: string,
    context: StatementContext,
    reference: Plan,
): Plan {
    if (writer.needsTwin !== undefined) throw new Unsupported(writer.needsTwin);
    const {source} = insert;
    if (source.kind !== 'query') throw new Unsupported(reason);
    refuseGeneratedAlways(insert, writer);
    const plan = compileInsert(insert, writer);
    const scope = {sources: [{table: outputTable(source.query.columns, insert.table)}], types: shape.registry};
    const casts = source.casts.map((cast) => compileExpression(cast, scope));
    print(
        source.query,
        context,
        shape.bound.parameterTypes.map(() => null),
    );
    return {
        ...writingPlan(shape, 'vectorised', 'rows of a query'),
        async start(executing, parameters): Promise<StartedStatement> {
            const {signal} = executing;
            let rows: Datum[][];
            try {
                rows = await queryRows(source.query, shape, executing, parameters.values);
            } catch (error) {
                if (!(error instanceof RetryOnReferencePath) && !(error instanceof Unsupported)) throw error;
                return await reference.start(executing, parameters);
            }
            // A statement that was cancelled meanwhile must not write in what the session does next.
            signal.throwIfAborted();
            const frame = {row1: null, parameters: parameters.values, context: executing.evaluation};
            const cast = function* (): Iterable<Datum[]> {
                for (const values of rows) {
                    const row0 = {rowid: 0, seq: 0, updatedNs: 0n, owner: 0, values, deleted: false, previous: null};
                    yield casts.map((evaluate) => evaluate({...frame, row0}));
                }
            };
            const result = insertRows(plan, executing, cast(), parameters.values);
            return finished(shape, executing, `INSERT 0 ${result.inserted}`, result.rows, parameters.resultFormats);
        },
    };
}

/** The query's output as a table, so that casts over its columns compile like any expression. */
function outputTable(columns: readonly OutputColumn[], like: TableDescriptor): TableDescriptor {
    return {
        ...like,
        columns: columns.map((column, i) => ({
            attnum: i + 1,
            name: column.name,
            type: column.type,
            notNull: false,
            defaultSql: undefined,
            identity: undefined,
            sequence: undefined,
            missing: null,
        })),
    };
}

async function queryRows(
    query: Parameters<typeof print>[0],
    shape: PlanShape,
    context: StatementContext,
    parameters: readonly Datum[],
): Promise<Datum[][]> {
    const snapshot = await openSnapshot(context, shape.bound.tables);
    try {
        const printed = print(query, context, parameters);
        const result = await snapshot.run(printed, context.output.timeZone);
        const rows: Datum[][] = [];
        for (;;) {
            const chunk = await result.fetch();
            if (chunk === null) return rows;
            for (const row of chunkDatums(chunk, printed.columns, context.catalog.types)) rows.push(row);
            if (rows.length > ROWS_MAX) {
                throw new PgError('54000', `INSERT of more than ${ROWS_MAX} rows of a query in one statement`, {
                    hint: 'Insert them in several statements, or use COPY.',
                });
            }
        }
    } finally {
        await snapshot.close();
    }
}
