/**
 * Everything compiled that writing to a table needs: defaults and CHECK constraints. Made once per table version and
 * catalog version.
 *
 * What must stay true: where a default or a check cannot be compiled, `needsTwin` says so and the statement runs on the
 * reference path, whose PostgreSQL evaluates it: no constraint is ever skipped.
 */
import type {TableDescriptor, TypeRef} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import {bindCheck, bindDefault} from '../../sql/binder/bind.ts';
import type {BindContext} from '../../sql/binder/context.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import {type CompileScope, typesOf} from '../../sql/compile/scope.ts';
import type {EvaluationContext} from '../../sql/compile/evaluation.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {compileDomain, type DomainCheck, domainDefaultSql, type DomainLookup} from './domain-checks.ts';
import {checkRow, type CompiledCheck} from './row-checks.ts';

export interface Domains {
    readonly of: DomainLookup;
    /** True for a domain with constraints, at any depth. */
    readonly isChecked: (oid: number) => boolean;
}

export class TableWriter {
    readonly store: TableStore;
    /** With the declared types: for what else is compiled over the table's rows. */
    readonly types: TypeRegistry;
    /** Why PostgreSQL itself has to make or check rows of this table, or undefined. */
    readonly needsTwin: string | undefined;
    readonly #checks: readonly CompiledCheck[];
    readonly #defaults: readonly (Evaluate | undefined)[];
    readonly #domains: {readonly position: number; readonly check: DomainCheck}[] = [];

    constructor(store: TableStore, bindContext: BindContext, scope: CompileScope, domains: Domains) {
        this.store = store;
        this.types = typesOf(scope);
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
            return evaluate === undefined
                ? []
                : [{name: check.name, satisfied: (frame: Frame) => evaluate(frame) !== false}];
        });
        this.#defaults = table.columns.map((column) =>
            attempt(`default of ${column.name}`, () =>
                compileDefault(table, column.attnum, bindContext, scope, domains),
            ),
        );
        for (const [position, column] of table.columns.entries()) {
            const check = attempt(`domain of column ${column.name}`, () => {
                const found = compileDomain(column, table, domains.of, bindContext, scope);
                // Arrays of a domain are checked element by element: left to PostgreSQL.
                if (found === undefined && domains.isChecked(column.type.oid))
                    throw new Unsupported('not a plain domain');
                return found;
            });
            if (check !== undefined) this.#domains.push({position, check});
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
        for (const {position, check} of this.#domains) check(values[position] ?? null, frame);
        checkRow(this.store, values, this.#checks, frame);
    }

    get hasChecks(): boolean {
        return this.#checks.length > 0;
    }
}

const INT8 = 20;

function baseTypeOf(type: TypeRef, domains: Domains): TypeRef {
    const base = domains.of(type.oid)?.base;
    return base === undefined ? type : baseTypeOf(base, domains);
}

function compileDefault(
    table: TableDescriptor,
    attnum: number,
    bindContext: BindContext,
    scope: CompileScope,
    domains: Domains,
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
    const defaultSql = column.defaultSql ?? domainDefaultSql(column.type.oid, domains.of);
    if (defaultSql === undefined) return undefined;
    // The value is made for the type beneath the domain: the domain's own conditions are checked with the row.
    const columns = [{...column, type: baseTypeOf(column.type, domains)}];
    return compileExpression(bindDefault(defaultSql, {...table, columns}, attnum, bindContext), scope);
}
