/**
 * COMMIT of a transaction with DDL: one record with rows and catalog, then everybody sees the new catalog at once.
 *
 * What must stay true: the record is durable before the twin commits; a server that stops in between replays the DDL
 * log into the twin. What the transaction prepared under new ids is durable before the record that refers to it.
 */
import type {Catalog, CatalogView} from '../../../catalog/catalog.ts';
import {
    type CatalogChange,
    type Difference,
    NO_CHANGE,
    type SequenceDescriptor,
} from '../../../catalog/catalog-change.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {commitPendingDdl, markApplied} from '../../../catalog/ddl/apply.ts';
import type {IdAllocator} from '../../../catalog/ddl/read-back.ts';
import {PgError} from '../../../catalog/errors.ts';
import {recordsOfChange} from '../../../catalog/records.ts';
import {catalogKey, manifestKey, sequenceKey} from '../../../storage/hot/keys.ts';
import type {Database} from '../../database.ts';
import type {TransactionDdl} from '../../session/session-transaction.ts';
import type {Session} from '../../session/session.ts';
import {Sequences} from '../../txn/sequences.ts';
import {sameLayout} from '../../txn/table-store.ts';
import type {StoreOperation, Transaction} from '../../txn/transaction.ts';
import type {Ranges} from './range-collector.ts';
import {placesOf, relayValues} from './row-scan.ts';

export interface CommitServices {
    readonly database: Database;
    readonly ids: IdAllocator;
    /** Rows and entries that nobody refers to any more. */
    readonly collect: (ranges: Ranges) => void;
}

export async function commitDdl(
    services: CommitServices,
    session: Session,
    transaction: Transaction,
    ddl: readonly TransactionDdl[],
): Promise<void> {
    const {database} = services;
    const {catalog, committer} = database;
    const changes = ddl.map((entry) => entry.change);
    if (ddl.every((entry) => entry.pending.statements.length === 0)) {
        const final = composeChanges(catalog, changes);
        await committer.whenVisible(record(services, transaction, changes, final));
        return;
    }
    let recorded = false;
    try {
        await database.twin.transaction(
            session.context.twinContext,
            async (t) => {
                const environment = {committed: catalog, known: catalog.overlay(changes), ids: services.ids};
                const read = await commitPendingDdl(t, changes, environment);
                const final = withTentativeVersions(read, environment.known);
                if (final.ddl.length > 0) await markApplied(t, catalog.ddlSeq + final.ddl.length);
                database.fault('ddl.before-record');
                const seq = record(services, transaction, changes, final);
                recorded = true;
                await committer.whenVisible(seq);
                database.fault('ddl.recorded');
            },
            {commit: true},
        );
    } catch (error) {
        if (!recorded) throw error;
        // It is committed: the twin starts anew and catches up.
        database.logger.warn(error, 'the twin failed to commit DDL');
    }
}

/** The net effect on what is committed, without asking the twin. */
function composeChanges(catalog: Catalog, changes: readonly CatalogChange[]): CatalogChange {
    const known = catalog.overlay(changes);
    const ids = new Set(changes.flatMap((change) => change.tables).flatMap(tableIds));
    const tables: Difference<TableDescriptor>[] = [];
    for (const id of ids) {
        const difference = differenceOf(catalog.tableById(id), known.tableById(id));
        if (difference !== undefined) tables.push(difference);
    }
    return {
        ...NO_CHANGE,
        tables,
        storages: changes.flatMap((change) => change.storages),
        restarted: changes.flatMap((change) => change.restarted),
    };
}

function tableIds({before, after}: Difference<TableDescriptor>): number[] {
    return [before, after].flatMap((table) => (table === undefined ? [] : [table.tableId]));
}

function differenceOf<T>(before: T | undefined, after: T | undefined): Difference<T> | undefined {
    if (before === after) return undefined;
    return {...(before === undefined ? {} : {before}), ...(after === undefined ? {} : {after})};
}

/** Versions only grow, also for those who saw the tentative ones. */
function withTentativeVersions(change: CatalogChange, known: CatalogView): CatalogChange {
    const tables = change.tables.map((difference) => {
        const {after} = difference;
        if (after === undefined) return difference;
        const version = Math.max(after.version, known.tableById(after.tableId)?.version ?? 0);
        return {...difference, after: {...after, version}};
    });
    return {...change, tables};
}

/** Synchronous up to the place in the log. Returns the sequence to wait for. */
function record(
    services: CommitServices,
    transaction: Transaction,
    changes: readonly CatalogChange[],
    final: CatalogChange,
): number {
    const {database} = services;
    const {catalog, stores} = database;
    const known = catalog.overlay(changes);
    const published: [TableDescriptor, TableDescriptor][] = [];
    const renamed: TableDescriptor[] = [];
    for (const {before, after} of final.tables) {
        const tentative = after === undefined ? undefined : known.tableById(after.tableId);
        if (after !== undefined && tentative !== undefined && stores.tentative(tentative) !== undefined) {
            stores.tentative(tentative)?.become(after);
            published.push([tentative, after]);
        } else if (before !== undefined && stores.get(before).lockedBy !== transaction) {
            requireUntouched(before, after, renamed);
        }
    }
    const replacements = replacementsOf(changes);
    noteForFeed(transaction, final, replacements);
    for (const {key, value} of recordsOfChange(final, catalog.ddlSeq)) {
        transaction.operations.push({
            key: catalogKey('other', key),
            value: value === undefined ? null : Buffer.from(value),
        });
    }
    transaction.operations.push(...sequenceOperations(database, final));
    const gone = final.tables.flatMap(({before, after}) =>
        before !== undefined && after === undefined ? [before] : [],
    );
    for (const table of gone) transaction.operations.push({key: manifestKey(table.tableId), value: null});
    transaction.onVisible.push(() => {
        catalog.apply(final);
        for (const [tentative, after] of published) stores.publish(tentative, after);
        for (const table of renamed) stores.rename(table);
        discardUnpublished(database, changes, published);
        for (const table of gone) database.forgetTable(table.tableId);
        publishSequences(database, final);
        if (final.types.length > 0) database.live.typesChanged();
        endLiveQueriesOf(database, final);
        database.live.rightsChanged(final);
        services.collect(rangesLeft(catalog, changes));
    });
    const replaced = [...published.map(([, after]) => after), ...gone].map((table) => stores.shared(table.tableId));
    const seq = database.committer.commit(transaction);
    // The locks are given back already: whoever waited for them plans again, on the catalog as it is at `seq`.
    for (const store of replaced) if (store !== undefined) store.retired = true;
    return seq;
}

/** Roles that are gone or may no longer log in see nothing more. */
function endLiveQueriesOf(database: Database, final: CatalogChange): void {
    for (const {before, after} of final.roles) {
        if (before === undefined || (after !== undefined && (after.login || !before.login))) continue;
        const reason = after === undefined ? 'was dropped' : 'is not permitted to log in any more';
        database.live.endOfRole(before.roleId, before.name, reason);
    }
}

/** A table that the statements did not lock may change in names only. */
function requireUntouched(
    before: TableDescriptor,
    after: TableDescriptor | undefined,
    renamed: TableDescriptor[],
): void {
    if (after === undefined || !sameLayout(before, after)) {
        throw new PgError('40001', `could not serialize access due to concurrent change of table "${before.name}"`);
    }
    renamed.push(after);
}

/** Old table id → new table id, for tables whose rows were replaced. */
function replacementsOf(changes: readonly CatalogChange[]): ReadonlyMap<number, number> {
    const replacements = new Map<number, number>();
    for (const {before, after} of changes.flatMap((change) => change.tables)) {
        if (before !== undefined && after !== undefined && before.tableId !== after.tableId) {
            replacements.set(before.tableId, after.tableId);
        }
    }
    return replacements;
}

function noteForFeed(transaction: Transaction, final: CatalogChange, replacements: ReadonlyMap<number, number>): void {
    const created = new Map<number, TableDescriptor>();
    for (const {before, after} of final.tables) {
        if (after !== undefined && before?.tableId !== after.tableId) created.set(after.tableId, after);
    }
    const heirOf = (table: TableDescriptor): TableDescriptor | undefined =>
        created.get(lastOf(replacements, table.tableId));
    for (const {before, after} of final.tables) {
        if (before === undefined) continue;
        const now = after ?? heirOf(before);
        if (now !== undefined) created.delete(now.tableId);
        transaction.altered.push({tableId: before.tableId, was: before, now});
    }
    for (const now of created.values()) transaction.altered.push({tableId: now.tableId, was: undefined, now});
    noteRewritten(transaction, replacements);
}

/** What the transaction did to rows before it wrote them anew, laid out for the table as it is committed. */
function noteRewritten(transaction: Transaction, replacements: ReadonlyMap<number, number>): void {
    if (transaction.rewritten.length === 0) return;
    const emptied = new Set(transaction.gone.map(({tableId}) => lastOf(replacements, tableId)));
    const tables = new Map(transaction.altered.map(({now}) => [now?.tableId, now]));
    const rows = transaction.rewritten.splice(0);
    for (const {table, owner, row} of rows) {
        const id = lastOf(replacements, table.tableId);
        const now = tables.get(id);
        // Dropped, or emptied: that all rows are gone is told once.
        if (now === undefined || emptied.has(id)) continue;
        const values = relayValues(row.values, placesOf(table, now), now);
        transaction.rewritten.push({table: now, owner, row: {...row, values}});
    }
}

function lastOf(replacements: ReadonlyMap<number, number>, tableId: number): number {
    let id = tableId;
    for (let next = replacements.get(id); next !== undefined; next = replacements.get(id)) id = next;
    return id;
}

function sequenceOperations(database: Database, final: CatalogChange): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const {before, after} of final.sequences) {
        if (before !== undefined && after === undefined)
            operations.push({key: sequenceKey(before.sequenceId), value: null});
    }
    const restarted = new Map(final.restarted.map((restart) => [restart.sequenceId, restart.value]));
    for (const [sequenceId, value] of restarted) {
        if (final.sequences.some(({before, after}) => before?.sequenceId === sequenceId && after === undefined))
            continue;
        const state = database.sequences.restarted(sequenceId) ?? {lastValue: value, isCalled: false};
        operations.push(Sequences.operation(sequenceId, state.lastValue, state.isCalled));
    }
    return operations;
}

function publishSequences(database: Database, final: CatalogChange): void {
    for (const {sequenceId, value} of final.restarted) database.sequences.keepRestart(sequenceId, value);
    for (const {before, after} of final.sequences) {
        if (before === undefined) continue;
        if (after === undefined) database.sequences.forget(before.sequenceId);
        else if (!sameNumbers(before, after)) database.sequences.changed(after.sequenceId);
    }
}

function sameNumbers(a: SequenceDescriptor, b: SequenceDescriptor): boolean {
    return a.increment === b.increment && a.min === b.min && a.max === b.max && a.start === b.start;
}

/** Versions that the transaction made on the way. */
function discardUnpublished(
    database: Database,
    changes: readonly CatalogChange[],
    published: readonly (readonly [TableDescriptor, TableDescriptor])[],
): void {
    const kept = new Set(published.map(([tentative]) => tentative));
    for (const {after} of changes.flatMap((change) => change.tables)) {
        if (after !== undefined && !kept.has(after)) database.stores.discard(after);
    }
}

/** Ids that a change had on either side and that the catalog does not have now. */
export function rangesLeft(catalog: CatalogView, changes: readonly CatalogChange[]): Ranges {
    const present = new Set<number>();
    for (const table of catalog.tables()) for (const index of table.indexes) present.add(index.indexId);
    const tables = new Set<number>();
    const indexes = new Set<number>();
    for (const difference of changes.flatMap((change) => change.tables)) {
        for (const table of [difference.before, difference.after]) {
            if (table === undefined) continue;
            if (catalog.tableById(table.tableId) === undefined) tables.add(table.tableId);
            for (const {indexId} of table.indexes) if (!present.has(indexId)) indexes.add(indexId);
        }
    }
    return {tables, indexes};
}
