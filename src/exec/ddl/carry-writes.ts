/**
 * DDL after DML in one transaction: the uncommitted writes of a table's earlier version become those of its new one.
 *
 * What must stay true: the move is in the transaction's undo, so rolling back to a savepoint before the DDL brings the
 * writes back to where they were; a head of the earlier version is left without a write, and the commit skips it.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Head} from '../../txn/head.ts';
import {lock} from '../../txn/locks.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {StatementContext} from '../statement-context.ts';
import {type ConvertRow, duplicated} from './rebuild-table.ts';
import {pendingVersion} from '../point/read.ts';
import {ownWrites, placesOf, relayValues} from './row-scan.ts';

/** The new version has the rows of the old one, under the same keys: each write goes to the head of the same key. */
export function carryWrites(context: StatementContext, before: TableStore, after: TableStore): void {
    const transaction = context.write();
    const places = placesOf(before.table, after.table);
    for (const {head, pending} of ownWrites(context, before)) {
        const moved = after.head(head.owner, head.key, head.keyBytes);
        lock(transaction, moved);
        const relaid = (version: RowVersion): RowVersion => ({
            ...version,
            values: relayValues(version.values, places, after.table),
        });
        transaction.setPending(moved, {
            rowid: pending.rowid,
            before: pending.before === null ? null : (moved.newest ?? relaid(pending.before)),
            beforeSegment: pending.beforeSegment,
            values: pending.values === null ? null : relayValues(pending.values, places, after.table),
        });
        transaction.setPending(head, null);
    }
    enter(context, after);
}

/** The rows were written anew: what the transaction has inserted or updated is inserted among them, what it deleted is not there. */
export async function insertWrites(
    context: StatementContext,
    before: TableStore,
    after: TableStore,
    convert: ConvertRow,
): Promise<void> {
    const transaction = context.write();
    const {writes} = context.database;
    const carried: {readonly head: Head; readonly row: RowVersion}[] = [];
    for (const {head, pending} of ownWrites(context, before)) {
        if (pending.before !== null) {
            transaction.rewritten.push({table: before.table, owner: head.owner, row: pending.before});
        }
        if (pending.values !== null) {
            const version = pendingVersion(head.owner, pending.rowid, pending.values);
            carried.push({head, row: {...version, values: await convert(version)}});
        }
        transaction.setPending(head, null);
    }
    enter(context, after);
    for (const {row} of carried) {
        try {
            writes.place(transaction, after, row.owner, row.values, row.rowid);
        } catch (error) {
            if (!(error instanceof PgError) || error.code !== '23505') throw error;
            const name = error.constraint ?? '';
            const index = after.indexes.find((each) => each.index.name === name || each.index.constraint === name);
            throw duplicated(after, index?.positions ?? after.keyPositions, row.values, name);
        }
    }
}

/** Whatever the transaction wrote before: it no longer counts. */
export function dropWrites(context: StatementContext, before: TableStore): void {
    const transaction = context.write();
    for (const {head} of ownWrites(context, before)) transaction.setPending(head, null);
}

function enter(context: StatementContext, store: TableStore): void {
    lock(context.write(), store);
    context.database.writes.enter(context.write(), store);
}
