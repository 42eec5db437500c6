/**
 * The table and columns that a COPY names. Errors are those of PostgreSQL's CopyGetAttnums and BeginCopyFrom.
 */
import type {ColumnDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier, quoteQualified} from '../../../catalog/quoting.ts';
import type {StatementContext} from '../statement-context.ts';
import type {CopyStatement} from './copy-options.ts';

export interface CopyTarget {
    readonly table: TableDescriptor;
    /** In the order of the fields. */
    readonly columns: readonly ColumnDescriptor[];
}

/** @throws PgError 42P01, 42809, 42703, 42701. */
export function copyTarget(statement: CopyStatement, context: StatementContext): CopyTarget {
    const name = statement.table ?? '';
    const table = context.catalog.table(statement.schema, name, context.searchPath);
    if (table === undefined) throw noTable(statement, context);
    return {table, columns: columnsOf(table, statement.columns)};
}

function noTable(statement: CopyStatement, context: StatementContext): PgError {
    const {schema, isFrom} = statement;
    const name = statement.table ?? '';
    const {catalog, searchPath} = context;
    const direction = isFrom ? 'to' : 'from';
    if (catalog.view(schema, name, searchPath) !== undefined) {
        const hint = isFrom
            ? 'To enable copying to a view, provide an INSTEAD OF INSERT trigger.'
            : 'Try the COPY (SELECT ...) TO variant.';
        return new PgError('42809', `cannot copy ${direction} view "${name}"`, {hint});
    }
    if (catalog.sequence(schema, name, searchPath) !== undefined) {
        return new PgError('42809', `cannot copy ${direction} sequence "${name}"`);
    }
    const shown = schema === undefined ? name : `${schema}.${name}`;
    return new PgError('42P01', `relation "${shown}" does not exist`);
}

function columnsOf(table: TableDescriptor, names: readonly string[]): readonly ColumnDescriptor[] {
    if (names.length === 0) return table.columns;
    const columns: ColumnDescriptor[] = [];
    for (const name of names) {
        const column = table.columns.find((candidate) => candidate.name === name);
        if (column === undefined) {
            throw new PgError('42703', `column "${name}" of relation "${table.name}" does not exist`);
        }
        if (columns.includes(column)) throw new PgError('42701', `column "${name}" specified more than once`);
        columns.push(column);
    }
    return columns;
}

/** The query that COPY table TO is short for. */
export function selectOf({table, columns}: CopyTarget): string {
    const list = columns.map((column) => quoteIdentifier(column.name)).join(', ');
    return `SELECT ${list} FROM ${quoteQualified(table.schema, table.name)}`;
}

/** A statement that needs the privileges of COPY table FROM. */
export function insertOf({table, columns}: CopyTarget): string {
    const name = quoteQualified(table.schema, table.name);
    if (columns.length === 0) return `INSERT INTO ${name} DEFAULT VALUES`;
    const list = columns.map((column) => quoteIdentifier(column.name)).join(', ');
    return `INSERT INTO ${name} (${list}) VALUES (${columns.map(() => 'DEFAULT').join(', ')})`;
}
