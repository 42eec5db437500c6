/**
 * Everything compiled that writing to a table needs: defaults and CHECK constraints. Made once per table version and
 * catalog version.
 *
 * What must stay true: where a default or a check cannot be compiled, `needsTwin` says so and the statement runs on the
 * reference path, whose PostgreSQL evaluates it: no constraint is ever skipped.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {bindCheck, bindDefault} from '../../sql/binder/bind.ts';
import type {BindContext} from '../../sql/binder/context.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import type {CompileScope} from '../../sql/compile/scope.ts';
import type {EvaluationContext} from '../../sql/compile/evaluation.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {checkRow, type CompiledCheck} from './row-checks.ts';

export class TableWriter {
    readonly store: TableStore;
    /** Why PostgreSQL itself has to make or check rows of this table, or undefined. */
    readonly needsTwin: string | undefined;
    readonly #checks: readonly CompiledCheck[];
    readonly #defaults: readonly (Evaluate | undefined)[];

    constructor(store: TableStore, bindContext: BindContext, scope: CompileScope, hasCheckedDomain: (oid: number) => boolean) {
        this.store = store;
        const {table} = store;
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
        this.#checks = table.checks.flatMap((check) => {
            const evaluate = attempt(`check ${check.name}`, () =>
                compileExpression(bindCheck(check.sql, table, bindContext), scope),
            );
            return evaluate === undefined ? [] : [{name: check.name, satisfied: (frame: Frame) => evaluate(frame) !== false}];
        });
        this.#defaults = table.columns.map((column) =>
            attempt(`default of ${column.name}`, () => compileDefault(table, column.attnum, bindContext, scope)),
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

const INT8 = 20;

function compileDefault(
    table: TableDescriptor,
    attnum: number,
    bindContext: BindContext,
    scope: CompileScope,
): Evaluate | undefined {
    const column = table.columns.find((candidate) => candidate.attnum === attnum);
    if (column === undefined) return undefined;
    if (column.identity !== undefined && column.sequence !== undefined) {
        const name = column.sequence;
        const wide = column.type.oid === INT8;
        return (frame) => {
            const value = frame.context.nextval(name);
            return wide ? value : Number(value);
        };
    }
    if (column.defaultSql === undefined) return undefined;
    return compileExpression(bindDefault(column.defaultSql, table, attnum, bindContext), scope);
}
