/**
 * How each row of a table becomes a row of its new version, and what the new version asks of it: compiled once per DDL
 * statement.
 *
 * What must stay true: a new type takes the USING expression or the assignment cast, on the values before the
 * statement; conditions are decided on the new row. What cannot be compiled throws Unsupported, and PostgreSQL itself
 * converts the rows (twin-conversion.ts).
 */
import type {CatalogView} from '../../../catalog/catalog.ts';
import type {ColumnDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {bindCheck, bindConversion, bindDefault} from '../../sql/binder/bind.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compileExpression, type Evaluate, type Frame} from '../../sql/compile/compile-expression.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {StatementContext} from '../statement-context.ts';
import {type ConvertRow, containsNull, violatedBySomeRow} from './rebuild-table.ts';
import {placesOf, relayValues} from './row-scan.ts';
import type {TableEffects} from './table-effects.ts';

export interface Conversion {
    readonly convert: ConvertRow;
    readonly check: (row: RowVersion) => void;
    /** attnums of the old version that either looks at, besides those that index entries need. */
    readonly reads: ReadonlySet<number> | undefined;
}

export interface ConversionInputs {
    readonly context: StatementContext;
    readonly before: TableDescriptor;
    readonly after: TableDescriptor;
    readonly effects: TableEffects;
    /** USING expressions by attnum. */
    readonly usingSql: ReadonlyMap<number, string>;
}

/** @throws Unsupported */
export function compileConversion(inputs: ConversionInputs): Conversion {
    const {before, after, effects} = inputs;
    const computed = [
        ...effects.retyped.map((column) => ({column, evaluate: compileRetype(inputs, column)})),
        ...effects.filled.map((column) => ({column, evaluate: compileFill(inputs, column)})),
    ].map(({column, evaluate}) => ({position: positionOf(after, column.attnum), evaluate}));
    const places = placesOf(before, after);
    const frame = newFrame(inputs.context);
    const convert = (row: RowVersion): readonly Datum[] => {
        const values = relayValues(row.values, places, after);
        if (computed.length === 0) return values;
        frame.row0 = row;
        for (const {position, evaluate} of computed) values[position] = evaluate(frame);
        return values;
    };
    const mayReadAll = computed.length > 0 || effects.checks.length > 0 || effects.rekeyed;
    return {
        convert,
        check: compileRowCheck(inputs),
        reads: mayReadAll ? undefined : new Set(effects.notNull.map((column) => column.attnum)),
    };
}

/** @throws Unsupported */
function compileRowCheck({context, after, effects}: ConversionInputs): (row: RowVersion) => void {
    const bindContext = context.database.bindContext(context, []);
    const scope = {sources: [{table: after}], types: context.catalog.types};
    const checks = effects.checks.map((check) => ({
        name: check.name,
        evaluate: compileExpression(bindCheck(check.sql, after, bindContext), scope),
    }));
    return rowCheck(context, after, effects, checks);
}

/** NULL counts as satisfied. */
export function rowCheck(
    context: StatementContext,
    after: TableDescriptor,
    effects: TableEffects,
    checks: readonly {readonly name: string; readonly evaluate: Evaluate}[],
): (row: RowVersion) => void {
    const frame = newFrame(context);
    const notNull = effects.notNull.map((column) => ({name: column.name, position: positionOf(after, column.attnum)}));
    return (row) => {
        for (const {name, position} of notNull) {
            if ((row.values[position] ?? null) === null) throw containsNull(after, name);
        }
        frame.row0 = row;
        for (const {name, evaluate} of checks) {
            if (evaluate(frame) === false) throw violatedBySomeRow(after, name);
        }
    };
}

function compileRetype({context, before, usingSql}: ConversionInputs, column: ColumnDescriptor): Evaluate {
    const old = before.columns.find((candidate) => candidate.attnum === column.attnum);
    if (old === undefined) throw new Unsupported('a column that was not there');
    if (hasDomain(context.catalog, column.type.oid)) throw new Unsupported('a domain');
    const sql = usingSql.get(column.attnum) ?? quoteIdentifier(old.name);
    const expr = bindConversion(sql, before, column.type, context.database.bindContext(context, []));
    return compileExpression(expr, {sources: [{table: before}], types: context.catalog.types});
}

function compileFill({context, after}: ConversionInputs, column: ColumnDescriptor): Evaluate {
    if (hasDomain(context.catalog, column.type.oid)) throw new Unsupported('a domain');
    if (column.identity !== undefined && column.sequence !== undefined) {
        const name = column.sequence;
        const wide = column.type.oid === OID.int8;
        return (frame) => (wide ? frame.context.nextval(name) : Number(frame.context.nextval(name)));
    }
    const expr = bindDefault(
        column.defaultSql ?? 'NULL',
        after,
        column.attnum,
        context.database.bindContext(context, []),
    );
    return compileExpression(expr, {sources: [], types: context.catalog.types});
}

/** Domains have conditions of their own. */
function hasDomain(catalog: CatalogView, oid: number): boolean {
    return catalog.types.get(oid)?.kind === 'domain';
}

export function positionOf(table: TableDescriptor, attnum: number): number {
    return table.columns.findIndex((column) => column.attnum === attnum);
}

function newFrame(context: StatementContext): Frame {
    return {row0: null, row1: null, parameters: [], context: context.evaluation};
}
