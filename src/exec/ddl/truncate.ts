/**
 * TRUNCATE: the same table for another, empty set of rows. Neither the twin nor the old rows are touched; these are
 * removed in the background after the commit.
 *
 * What must stay true: a row of another user in a `user` table is nobody's to remove but a superuser's.
 */
import {NO_CHANGE, type SequenceDescriptor} from '../../../catalog/catalog-change.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {IdAllocator} from '../../../catalog/ddl/read-back.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {StatementContext} from '../statement-context.ts';
import {dropWrites} from './carry-writes.ts';
import {withNewIds} from './ddl-statement.ts';
import {lockTables} from './table-lock.ts';

export async function truncateTables(
    tables: readonly TableDescriptor[],
    restartIdentity: boolean,
    context: StatementContext,
    ids: IdAllocator,
): Promise<void> {
    for (const table of tables) refuseOthers(table, context);
    let current = tables;
    // Who holds the lock may have changed or dropped a table: look again until nothing changed while we waited.
    while (await lockTables(context, current)) current = current.map((table) => present(table, context));
    const {database} = context;
    const differences = current.map((before) => ({
        before,
        after: {...withNewIds(before, ids), version: before.version + 1},
    }));
    const sequences = restartIdentity ? current.flatMap((table) => ownedSequences(table, context)) : [];
    const {twinContext} = context;
    const committed = current.map((table) => committedVersion(table, context));
    context.write();
    context.session.transaction.addDdl({
        change: {
            ...NO_CHANGE,
            tables: differences,
            restarted: sequences.map(({sequenceId, start}) => ({sequenceId, value: start})),
        },
        pending: {
            statements: [],
            user: context.identity.user,
            settings: new Map(),
            created: twinContext.pendingDdl.at(-1)?.created ?? [],
        },
    });
    const write = context.write();
    for (const {before, after} of differences) {
        database.stores.addTentative(after, context.catalog.types);
        dropWrites(context, database.store(before));
    }
    // Readers and live queries are told that all rows are gone; rows made and removed in one transaction nobody saw.
    for (const table of committed) {
        if (table !== undefined && !write.gone.some(({tableId}) => tableId === table.tableId)) write.gone.push(table);
    }
    for (const {sequenceId, start} of sequences) database.sequences.restart(sequenceId, start);
}

/** The table as everybody else sees it; the transaction itself may have given it another set of rows before. */
function committedVersion(table: TableDescriptor, {session, database}: StatementContext): TableDescriptor | undefined {
    let {tableId} = table;
    for (const {change} of session.transaction.ddl.toReversed()) {
        const difference = change.tables.find(({after}) => after?.tableId === tableId);
        if (difference?.before !== undefined) ({tableId} = difference.before);
    }
    return database.catalog.tableById(tableId);
}

function present(table: TableDescriptor, context: StatementContext): TableDescriptor {
    const now = context.catalog.table(table.schema, table.name, []);
    if (now !== undefined) return now;
    throw new PgError('42P01', `relation "${table.name}" does not exist`);
}

function refuseOthers(table: TableDescriptor, context: StatementContext): void {
    const {superuser, user} = context.identity;
    if (superuser) return;
    if (table.owner !== user) throw new PgError('42501', `permission denied for table ${table.name}`);
    if (table.options.kind === 'user') {
        throw new PgError('42501', `permission denied to truncate table "${table.name}"`, {
            detail: 'It has rows of all users.',
            hint: 'DELETE removes your own rows.',
        });
    }
}

function ownedSequences(table: TableDescriptor, context: StatementContext): SequenceDescriptor[] {
    return [...context.catalog.sequences()].filter(
        ({ownedBy}) => ownedBy?.schema === table.schema && ownedBy.table === table.name,
    );
}
