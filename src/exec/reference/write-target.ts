/**
 * What all statements that write through the twin share: finding the table, letting our own rules of uniqueness decide
 * instead of the twin's indexes, and the right to read back what was written.
 *
 * What must stay true: the twin evaluates (values, casts, defaults, NOT NULL, CHECK, domains), this server writes.
 * Unique indexes that are kept here are not enforced there; those that only PostgreSQL can compute are.
 */
import type {IndexDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier, quoteLiteral, quoteQualified} from '../../../catalog/quoting.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import {as, type Node, type RangeVar, type ReturningClause, strings} from '../../sql/nodes.ts';
import type {Parameters} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import type {Described} from './described.ts';
import {namesSystemColumn} from './mentions.ts';
import {type ReferenceRun, twinParameters} from './reference-path.ts';
import {asServer} from './server-rights.ts';

export function targetTable(relation: RangeVar, verb: string, context: StatementContext): TableDescriptor {
    const {catalog, searchPath} = context;
    const table = catalog.table(relation.schemaname, relation.relname, searchPath);
    if (table !== undefined) return table;
    const view = catalog.view(relation.schemaname, relation.relname, searchPath);
    if (view !== undefined) throw notSupported(`${verb} of view "${view.name}"`, `Write to its table.`);
    throw new PgError('42809', `cannot change relation "${relation.relname}"`);
}

/** Unique indexes whose entries this server does not keep: on expressions, or of a part of the table. */
export function twinUniqueIndexes(table: TableDescriptor): readonly IndexDescriptor[] {
    return table.indexes.filter((index) => index.unique && !index.plain);
}

/** SQL for the server: before a statement that writes to the table. */
export function prepareTargetSql(table: TableDescriptor): string[] {
    const name = quoteLiteral(quoteQualified(table.schema, table.name));
    const kept = twinUniqueIndexes(table).map((index) => quoteLiteral(quoteQualified(table.schema, index.name)));
    const except =
        kept.length === 0
            ? ''
            : ` AND indexrelid NOT IN (${kept.map((text) => `${text}::pg_catalog.regclass`).join(', ')})`;
    return [
        `UPDATE pg_catalog.pg_index SET indisunique = false WHERE indrelid = ${name}::pg_catalog.regclass AND indisunique${except}`,
    ];
}

/**
 * Our columns in RETURNING need the right to read; the user's statement may not. So its own text is checked with the
 * user's own rights first: EXPLAIN does, and runs nothing.
 */
export async function checkRights(
    run: ReferenceRun,
    context: StatementContext,
    described: Described,
    table: TableDescriptor,
    parameters: Parameters,
): Promise<void> {
    const {user, superuser} = context.identity;
    if (superuser) return;
    const {sql, parameterTypes} = described;
    await run.t.execute({
        sql: `EXPLAIN ${sql}`,
        parameterTypes,
        parameters: twinParameters(context, parameterTypes, parameters),
    });
    const grant = `GRANT SELECT ON ${quoteQualified(table.schema, table.name)} TO ${quoteIdentifier(user)}`;
    await asServer(run.t, run.session, [grant]);
}

export function columnTypes(table: TableDescriptor, context: StatementContext): readonly PgType[] {
    return table.columns.map((column) => context.catalog.types.require(column.type.oid));
}

/** Hidden columns of a new row are known when it commits. */
export function refuseSystemColumnsIn(returning: ReturningClause | undefined, table: TableDescriptor): void {
    if (!mentionsSystemColumn(returning?.exprs)) return;
    throw new PgError('0A000', `RETURNING of _seq and _updated of table "${table.name}" is not supported`, {
        hint: 'They are known when the transaction commits: select them afterwards.',
    });
}

function mentionsSystemColumn(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (Array.isArray(value)) return value.some((item) => mentionsSystemColumn(item));
    return Object.entries(value).some(([tag, content]) =>
        tag === 'ColumnRef'
            ? namesSystemColumn((content as {readonly fields?: readonly Node[]}).fields)
            : mentionsSystemColumn(content),
    );
}

/** Whether `old` or `new` qualifies a column in the list. */
export function mentionsOldOrNew(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (Array.isArray(value)) return value.some((item) => mentionsOldOrNew(item));
    return Object.entries(value).some(([tag, content]) => {
        if (tag !== 'ColumnRef') return mentionsOldOrNew(content);
        const {fields} = content as {readonly fields: readonly Node[]};
        const first = as(fields[0], 'String')?.sval;
        return first === 'old' || first === 'new';
    });
}

export function namesOf(nodes: readonly Node[] | undefined): readonly string[] {
    return strings(nodes) ?? [];
}
