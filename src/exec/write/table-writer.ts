/**
 * Everything compiled that writing to a table needs: defaults, CHECK constraints, which columns a statement may not
 * set. Made once per table version and kept with its store.
 *
 * What must stay true: where a default or a check cannot be compiled, `needsTwin` says so and the statement runs on the
 * reference path, whose PostgreSQL evaluates it: no constraint is ever skipped.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {quoteIdentifier, quoteQualified} from '../../../catalog/quoting.ts';
import {type Expr, Unsupported} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import type {EvaluationContext} from '../../sql/compile/evaluation.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {checkRow, type CompiledCheck} from './row-checks.ts';

/** Binds `SELECT <expressions> FROM table`. */
export type ExpressionBinder = (sql: string) => readonly Expr[];

export class TableWriter {
    readonly store: TableStore;
    /** Why PostgreSQL itself has to check rows of this table, or undefined. */
    readonly needsTwin: string | undefined;
    readonly #checks: readonly CompiledCheck[];
    readonly #defaults: readonly (Evaluate | undefined)[];

    constructor(store: TableStore, bind: ExpressionBinder, hasCheckedDomain: (oid: number) => boolean) {
        this.store = store;
        const {table} = store;
        const scope = {sources: [{table}]};
        const reasons: string[] = [];
        const attempt = <T>(what: string, compile: () => T): T | undefined => {
            try {
                return compile();
            } catch (error) {
                if (!(error instanceof Unsupported)) throw error;
                reasons.push(`${what}: ${error.message}`);
                return undefined;
            }
        };
        const from = quoteQualified(table.schema, table.name);
        this.#checks = table.checks.flatMap((check) => {
            const evaluate = attempt(`check ${check.name}`, () => {
                const [expr] = bind(`SELECT (${check.sql}) FROM ${from}`);
                if (expr === undefined) throw new Unsupported('empty check');
                return compileExpression(expr, scope);
            });
            return evaluate === undefined ? [] : [{name: check.name, satisfied: (frame: Frame) => evaluate(frame) !== false}];
        });
        this.#defaults = table.columns.map((column) =>
            attempt(`default of ${column.name}`, () => compileDefault(table, column.attnum, bind)),
        );
        for (const column of table.columns) {
            if (hasCheckedDomain(column.type.oid)) reasons.push(`domain of column ${column.name}`);
        }
        this.needsTwin = reasons[0];
    }

    /** The default of a column; NULL where there is none. Draws from its sequence. */
    defaultOf(position: number, context: EvaluationContext): Datum {
        const evaluate = this.#defaults[position];
        return evaluate === undefined ? null : evaluate({row0: null, row1: null, parameters: [], context});
    }

    hasDefault(position: number): boolean {
        return this.#defaults[position] !== undefined;
    }

    /** Raises 23502 or 23514. */
    check(values: readonly Datum[], frame: Frame): void {
        checkRow(this.store, values, this.#checks, frame);
    }

    get hasChecks(): boolean {
        return this.#checks.length > 0;
    }
}

function compileDefault(table: TableDescriptor, attnum: number, bind: ExpressionBinder): Evaluate | undefined {
    const column = table.columns.find((candidate) => candidate.attnum === attnum);
    if (column === undefined) return undefined;
    if (column.identity !== undefined && column.sequence !== undefined) {
        const name = column.sequence;
        const wide = column.type.oid === 20;
        return (frame) => {
            const value = frame.context.nextval(name);
            return wide ? value : Number(value);
        };
    }
    if (column.defaultSql === undefined) return undefined;
    const [expr] = bind(
        `INSERT INTO ${quoteQualified(table.schema, table.name)} (${quoteIdentifier(column.name)}) VALUES (${column.defaultSql})`,
    );
    if (expr === undefined) throw new Unsupported('empty default');
    return compileExpression(expr, {sources: []});
}
