/**
 * One DDL statement of the catalog, inside its session's transaction: tried on the twin, its tables locked, its effect
 * on rows prepared. Nothing is committed here.
 *
 * What must stay true: whatever was prepared is found by `TransactionDdl`, which the session's transaction has before
 * the first row is touched: so a failure at any point is undone by rolling back.
 */
import type {CatalogChange, Difference, TypeDescriptor} from '../../../catalog/catalog-change.ts';
import type {CatalogView} from '../../../catalog/catalog.ts';
import type {ColumnDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {applyDdl, type DdlOutcome} from '../../../catalog/ddl/apply.ts';
import type {DdlPlan} from '../../../catalog/ddl/plan.ts';
import type {IdAllocator} from '../../../catalog/ddl/read-back.ts';
import {PgError} from '../../../catalog/errors.ts';
import {LOCAL_STORAGE} from '../../../catalog/storages.ts';
import type {SessionContext} from '../../../catalog/twin/session-context.ts';
import {Unsupported} from '../../sql/bound.ts';
import type {TableStore} from '../../txn/table-store.ts';
import type {StatementContext} from '../statement-context.ts';
import {carryWrites, dropWrites, insertWrites} from './carry-writes.ts';
import {compileConversion, type Conversion} from './conversion.ts';
import {rebuildTable} from './rebuild-table.ts';
import {ownWrites, scanRows} from './row-scan.ts';
import {effectsOf, needsRewrite, refuseUnkeptIndexes, type TableEffects, touchesRows} from './table-effects.ts';
import {lockTables} from './table-lock.ts';
import {convertOnTwin} from './twin-conversion.ts';

/** A statement is tried again when it had to wait for others, who may have changed what it is about. */
const ATTEMPTS_MAX = 20;

/** Returns the command tag. */
export async function runDdlStatement(plan: DdlPlan, context: StatementContext, ids: IdAllocator): Promise<string> {
    const session = context.twinContext;
    const {outcome, known} = await tryOnTwin(plan, context, ids);
    const {change} = outcome;
    await refuseUsedDomains(change.types, known, context);
    const alterations: Alteration[] = [];
    const dropped: TableDescriptor[] = [];
    const tables = change.tables.map((difference): Difference<TableDescriptor> => {
        const {before, after} = difference;
        if (after !== undefined) {
            refuseUnkeptIndexes(after);
            refuseUnopenedStorage(after);
        }
        if (before !== undefined && after === undefined) dropped.push(before);
        if (before === undefined || after === undefined) return difference;
        const alteration = planAlteration(before, after, change, context, ids);
        alterations.push(alteration);
        return {before, after: alteration.after};
    });
    context.write();
    context.session.transaction.addDdl({change: {...change, tables}, pending: outcome.pending});
    const {stores} = context.database;
    const {types} = context.catalog;
    for (const {after} of tables) if (after !== undefined) stores.addTentative(after, types);
    for (const restart of change.restarted) context.database.sequences.restart(restart.sequenceId, restart.value);
    for (const table of dropped) dropWrites(context, stores.get(table));
    for (const alteration of alterations) await alterRows(alteration, plan, session, context);
    for (const notice of outcome.notices) context.notice({...notice});
    return outcome.tag;
}

async function tryOnTwin(
    plan: DdlPlan,
    context: StatementContext,
    ids: IdAllocator,
): Promise<{outcome: DdlOutcome; known: CatalogView}> {
    const {database} = context;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const known = context.catalog;
        const {version} = known;
        const session = context.twinContext;
        const outcome = await database.twin.transaction(
            session,
            (t) => applyDdl(t, plan, session, {committed: database.catalog, known, ids}),
            {commit: false, signal: context.signal},
        );
        const change = withConvertedTables(outcome.change, known);
        const changed = change.tables.flatMap(({before}) => (before === undefined ? [] : [before]));
        const waited = await lockTables(context, changed);
        if (!waited && context.catalog.version === version) return {outcome: {...outcome, change}, known};
    }
    throw new PgError('40001', 'could not serialize access due to concurrent changes of the catalog');
}

/** ALTER COLUMN … TYPE the same USING …: the descriptor is what it was, but the values are not. */
function withConvertedTables(change: CatalogChange, known: CatalogView): CatalogChange {
    const tables = [...change.tables];
    for (const {tableId, usingSql} of change.retyped) {
        if (usingSql === undefined || tables.some(({before}) => before?.tableId === tableId)) continue;
        const before = known.tableById(tableId);
        if (before !== undefined) tables.push({before, after: {...before, version: before.version + 1}});
    }
    return {...change, tables};
}

interface Alteration {
    readonly before: TableDescriptor;
    readonly after: TableDescriptor;
    readonly effects: TableEffects;
    readonly usingSql: ReadonlyMap<number, string>;
    /** `after` has a new table id. */
    readonly rewrite: boolean;
}

function planAlteration(
    before: TableDescriptor,
    after: TableDescriptor,
    change: CatalogChange,
    context: StatementContext,
    ids: IdAllocator,
): Alteration {
    const {database} = context;
    const store = database.store(before);
    if (before.options.storage !== after.options.storage && store.tiers.hasSegments) {
        throw new PgError('0A000', `moving table "${before.name}" to another storage is not supported`, {
            detail: `It has segments in storage "${before.options.storage}".`,
            hint: 'Create a table in the other storage and copy the rows: INSERT INTO … SELECT.',
        });
    }
    const usingSql = new Map<number, string>();
    for (const {tableId, attnum, usingSql: sql} of change.retyped) {
        if (tableId === before.tableId && sql !== undefined) usingSql.set(attnum, sql);
    }
    const effects = effectsOf(before, after, {
        converted: new Set(usingSql.keys()),
        isFilled: (column) => isFilled(column, change, context.catalog),
    });
    // Entries of new indexes would have to tell the transaction's own writes from what they replace: rows are few then.
    const rewrite = needsRewrite(effects) || (effects.indexes.length > 0 && ownWrites(context, store).length > 0);
    return {before, after: rewrite ? withNewIds(after, ids) : after, effects, usingSql, rewrite};
}

/** Only what the object layer can open may hold tables. */
function refuseUnopenedStorage(table: TableDescriptor): void {
    const {storage} = table.options;
    if (storage === LOCAL_STORAGE) return;
    throw new PgError('0A000', `keeping tables in storage "${storage}" is not supported yet`, {
        hint: `Leave the option "storage" out: cold rows are kept in "${LOCAL_STORAGE}".`,
        schema: table.schema,
        table: table.name,
    });
}

/** A default that is no constant: PostgreSQL then keeps no value for old rows. */
function isFilled(column: ColumnDescriptor, change: CatalogChange, catalog: CatalogView): boolean {
    if (column.identity !== undefined) return true;
    if (column.missing !== null) return false;
    const sql = column.defaultSql ?? domainDefault(column.type.oid, change, catalog);
    return sql !== undefined && !/^NULL\b/iu.test(sql);
}

function domainDefault(oid: number, change: CatalogChange, catalog: CatalogView): string | undefined {
    const inChange = change.types.find(({after}) => after?.oid === oid)?.after;
    if (inChange !== undefined) return inChange.defaultSql;
    for (const type of catalog.userTypes()) if (type.oid === oid) return type.defaultSql;
    return undefined;
}

/** The same table for another set of rows. */
export function withNewIds(table: TableDescriptor, ids: IdAllocator): TableDescriptor {
    const indexes = table.indexes.map((index) => ({...index, indexId: ids.next('index')}));
    return {...table, tableId: ids.next('table'), indexes, primaryKey: indexes.find((index) => index.primary)};
}

async function alterRows(
    alteration: Alteration,
    plan: DdlPlan,
    session: SessionContext,
    context: StatementContext,
): Promise<void> {
    const {effects, rewrite} = alteration;
    const {database} = context;
    const before = database.store(alteration.before);
    const after = database.store(alteration.after);
    if (!rewrite && !touchesRows(effects)) {
        carryWrites(context, before, after);
        return;
    }
    const conversion = await conversionOf(alteration, plan, session, before, context);
    const added = new Set(effects.indexes.map((index) => index.indexId));
    const indexes = after.indexes.filter((index) => index.maintained && (rewrite || added.has(index.index.indexId)));
    await database.ddl.ids.durable();
    await rebuildTable({
        context,
        before,
        after,
        rewrite,
        indexes,
        convert: conversion.convert,
        check: conversion.check,
        wanted: wantedColumns(alteration, conversion, before),
    });
    if (rewrite) await insertWrites(context, before, after, conversion.convert);
    else carryWrites(context, before, after);
}

async function conversionOf(
    alteration: Alteration,
    plan: DdlPlan,
    session: SessionContext,
    before: TableStore,
    context: StatementContext,
): Promise<Conversion> {
    const {after, effects, usingSql} = alteration;
    try {
        return compileConversion({context, before: before.table, after, effects, usingSql});
    } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        return await convertOnTwin(context, session, plan, before, after);
    }
}

/** Columns of cold rows that a check alone needs; undefined = all. */
function wantedColumns(
    alteration: Alteration,
    conversion: Conversion,
    before: TableStore,
): ReadonlySet<number> | undefined {
    if (alteration.rewrite || conversion.reads === undefined) return undefined;
    const keys = before.table.primaryKey?.columns ?? [];
    return new Set([...conversion.reads, ...keys, ...alteration.effects.indexes.flatMap((index) => index.columns)]);
}

/** Rows under a domain whose conditions grew would all have to be checked. */
async function refuseUsedDomains(
    types: readonly Difference<TypeDescriptor>[],
    known: CatalogView,
    context: StatementContext,
): Promise<void> {
    for (const {before, after} of types) {
        if (before === undefined || after === undefined || !isStricter(before, after)) continue;
        const oids = new Set([before.oid, before.arrayOid]);
        for (const table of known.tables()) {
            if (!table.columns.some((column) => oids.has(column.type.oid))) continue;
            await lockTables(context, [table]);
            if (!(await hasRows(context, context.database.store(table)))) continue;
            throw new PgError(
                '0A000',
                `adding a constraint to domain "${after.name}" is not supported while rows use it`,
                {
                    detail: `Table "${table.schema}"."${table.name}" has rows with a column of this type.`,
                    hint: 'Create another domain, and change the columns to it: ALTER TABLE … ALTER COLUMN … TYPE.',
                },
            );
        }
    }
}

function isStricter(before: TypeDescriptor, after: TypeDescriptor): boolean {
    if (before.kind !== 'domain') return false;
    const known = new Set(before.checks.map((check) => check.sql));
    return (after.notNull && !before.notNull) || after.checks.some((check) => !known.has(check.sql));
}

async function hasRows(context: StatementContext, store: TableStore): Promise<boolean> {
    if (ownWrites(context, store).some(({pending}) => pending.values !== null)) return true;
    for await (const page of scanRows(context, store)) if (page.rows.length > 0) return true;
    return false;
}
