/**
 * Conversion of rows by PostgreSQL itself, for expressions, types and conditions that are not compiled: the rows are
 * loaded into the twin, the DDL runs over them there, and what it made of them is read back.
 *
 * What must stay true: PostgreSQL's own errors are the user's; the number of rows is bounded (`reference_rows_max`).
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier, quoteQualified} from '../../../catalog/quoting.ts';
import type {DdlPlan} from '../../../catalog/ddl/plan.ts';
import {ddlSettings} from '../../../catalog/ddl/apply.ts';
import {READ_SETTINGS_SQL} from '../../../catalog/ddl/read-back-sql.ts';
import {FIRST_SUPERUSER} from '../../../catalog/roles.ts';
import {textsOfRow} from '../../../catalog/twin/backend-messages.ts';
import {actAs, runPending} from '../../../catalog/twin/pending-replay.ts';
import type {SessionContext} from '../../../catalog/twin/session-context.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {copyLine} from '../reference/copy-text.ts';
import type {StatementContext} from '../statement-context.ts';
import type {Conversion} from './conversion.ts';
import {pendingVersion} from '../point/read.ts';
import {ownWrites, scanRows} from './row-scan.ts';

const CHUNK_CHARACTERS = 256 * 1024;

/** `session`: the twin's context from before the statement. */
export async function convertOnTwin(
    context: StatementContext,
    session: SessionContext,
    plan: DdlPlan,
    before: TableStore,
    after: TableDescriptor,
): Promise<Conversion> {
    const {chunks, rowids} = await loadRows(context, before);
    const types = after.columns.map((column) => context.catalog.types.require(column.type.oid));
    const converted = await context.database.twin.transaction(
        session,
        async (t) => {
            const settings = ddlSettings(session.settings);
            const {table} = before;
            await t.copyIn(
                quoteQualified(table.schema, table.name),
                table.columns.map((column) => quoteIdentifier(column.name)),
                chunks,
            );
            await runPending(t, {statements: plan.statements, user: session.user, settings}, FIRST_SUPERUSER);
            await t.simple(
                `${actAs(FIRST_SUPERUSER, FIRST_SUPERUSER, new Map(), FIRST_SUPERUSER)}; ${READ_SETTINGS_SQL}`,
            );
            const list = after.columns.map((column) => quoteIdentifier(column.name)).join(', ');
            // A rewrite keeps the order of the rows.
            const [result] = await t.simple(
                `SELECT ${list} FROM ${quoteQualified(after.schema, after.name)} ORDER BY ctid`,
            );
            return (result?.rows ?? []).map((row) => parseRow(textsOfRow(row), types));
        },
        {commit: false, signal: context.signal},
    );
    if (converted.length !== rowids.length) throw new Error('the twin lost rows on the way');
    const byRowid = new Map(rowids.map((rowid, i) => [rowid, converted[i] ?? []]));
    return {
        convert: (row) => {
            const values = byRowid.get(row.rowid);
            if (values === undefined) throw new Error('a row that was not converted');
            return values;
        },
        // PostgreSQL has checked them all.
        check: () => undefined,
        reads: undefined,
    };
}

async function loadRows(context: StatementContext, store: TableStore): Promise<{chunks: Buffer[]; rowids: number[]}> {
    const rowids: number[] = [];
    const chunks: Buffer[] = [];
    let text = '';
    const add = (row: RowVersion): void => {
        if (rowids.length >= context.database.settings.referenceRowsMax) throw tooMany(context, store.table);
        rowids.push(row.rowid);
        text += copyLine(row.values, store.columnTypes);
        if (text.length < CHUNK_CHARACTERS) return;
        chunks.push(Buffer.from(text));
        text = '';
    };
    for await (const page of scanRows(context, store)) for (const row of page.rows) add(row);
    for (const {head, pending} of ownWrites(context, store)) {
        if (pending.values !== null) add(pendingVersion(head.owner, pending.rowid, pending.values));
    }
    if (text !== '') chunks.push(Buffer.from(text));
    return {chunks, rowids};
}

function parseRow(texts: readonly (string | null)[], types: readonly PgType[]): Datum[] {
    return types.map((type, i) => {
        const text = texts[i] ?? null;
        return text === null ? null : type.parse(text);
    });
}

function tooMany(context: StatementContext, table: TableDescriptor): PgError {
    return new PgError('54000', `table "${table.name}" has too many rows for this change`, {
        detail: `PostgreSQL itself has to convert or check them, and more than ${context.database.settings.referenceRowsMax} (reference_rows_max) are too many.`,
        hint: 'Use a simpler expression or condition, or start the server with a larger reference_rows_max.',
        schema: table.schema,
        table: table.name,
    });
}
