/**
 * The expression compiler of live queries: the one of the point path, over a row that stands alone.
 *
 * What must stay true: what an expression may ask of its session is fixed when the query is opened: settings and names.
 * Clocks, chance and sequences are refused before anything is compiled (row-wise.ts).
 */
import {strict as assert} from 'node:assert';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {StatementContext} from '../exec/statement-context.ts';
import type {Expr} from '../sql/bound.ts';
import {compileExpression, type Frame} from '../sql/compile/compile-expression.ts';
import type {EvaluationContext} from '../sql/compile/evaluation.ts';
import type {RowVersion} from '../txn/row-version.ts';
import type {EvaluateRow, ExpressionCompiler} from './live-plan.ts';

export class LiveCompiler implements ExpressionCompiler {
    readonly #context: EvaluationContext;
    readonly #types: StatementContext['catalog']['types'];

    constructor(context: StatementContext) {
        this.#context = fixedEvaluation(context);
        this.#types = context.catalog.types;
    }

    compile(expr: Expr, table: TableDescriptor, parameters: readonly Datum[]): EvaluateRow {
        const evaluate = compileExpression(expr, {sources: [{table}], types: this.#types});
        const frame: Frame = {row0: null, row1: null, parameters, context: this.#context};
        return (row) => {
            // Expressions read values, `_seq` and `_updated`: a LiveRow has them.
            frame.row0 = row as RowVersion;
            return evaluate(frame);
        };
    }
}

function fixedEvaluation(context: StatementContext): EvaluationContext {
    const {evaluation, output} = context;
    const {user, sessionUser, schema, database} = evaluation;
    const refuse = (): never => assert.fail('an expression of a live query asks for what changes');
    return {
        settings: {...output},
        get transactionMicros(): bigint {
            return refuse();
        },
        get statementMicros(): bigint {
            return refuse();
        },
        user,
        sessionUser,
        schema,
        database,
        nextval: refuse,
        currval: refuse,
        lastval: refuse,
        setval: refuse,
        random: refuse,
        clockMicros: refuse,
    };
}
