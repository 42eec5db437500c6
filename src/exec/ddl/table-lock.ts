/**
 * The exclusive lock that DDL and TRUNCATE hold on a table until their transaction ends, as PostgreSQL's ACCESS
 * EXCLUSIVE, except that readers of other sessions go on with the committed version.
 *
 * What must stay true: once it is held, no other transaction has uncommitted writes in the table, none can begin any,
 * and LevelDB has everything that was committed to it. A flush or compaction cannot switch the table's manifest while it
 * is held (it enters the table as a writer does). Waits are in the graph of locks, so that deadlocks are found.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {parseMilliseconds} from '../../session/setting-definitions.ts';
import {type Lockable, lock, waitForLock} from '../../txn/locks.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {Transaction} from '../../txn/transaction.ts';
import type {StatementContext} from '../statement-context.ts';

/** Returns whether it had to wait for others: then what was read before may have changed. */
export async function lockTables(context: StatementContext, tables: readonly TableDescriptor[]): Promise<boolean> {
    const {database} = context;
    const transaction = context.write();
    const timeoutMs = parseMilliseconds(context.setting('lock_timeout'), 'lock_timeout');
    let waited = false;
    // In one order for all, so that two statements over the same tables do not block each other.
    for (const table of tables.toSorted((a, b) => a.tableId - b.tableId)) {
        if (await lockTable(transaction, database.store(table), timeoutMs)) waited = true;
        context.checkCancelled();
    }
    await database.committer.whenVisible(database.committer.enqueuedSeq);
    await database.committer.whenApplied(database.committer.enqueuedSeq);
    return waited;
}

async function lockTable(transaction: Transaction, store: TableStore, timeoutMs: number): Promise<boolean> {
    let waited = false;
    while (store.lockedBy !== null && store.lockedBy !== transaction) {
        await waitForLock(transaction, store, timeoutMs);
        waited = true;
    }
    lock(transaction, store);
    for (let writer = otherWriter(store, transaction); writer !== undefined; writer = otherWriter(store, transaction)) {
        // A lock that the writer holds for nobody but us: its end wakes us, and the graph of waits knows of it.
        const gate: Lockable = {lockedBy: writer, waiters: null};
        writer.locked.push(gate);
        await waitForLock(transaction, gate, timeoutMs);
        waited = true;
    }
    return waited;
}

function otherWriter(store: TableStore, transaction: Transaction): Transaction | undefined {
    for (const writer of store.writers) if (writer !== transaction) return writer;
    return undefined;
}
