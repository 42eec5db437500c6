/**
 * SELECT … FOR UPDATE and its kin where the rows are not found by key: the query runs on the twin with the `ctid` of
 * each row to lock behind its columns, and those rows are locked here.
 *
 * What must stay true: a row that is returned is locked and is as it was when it was copied; with SKIP LOCKED, rows that
 * others have locked are not copied at all, so that LIMIT counts the rest. PostgreSQL's four strengths are two here: FOR
 * UPDATE and FOR NO KEY UPDATE are exclusive, FOR SHARE and FOR KEY SHARE are shared.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {notSupported} from '../../../catalog/errors.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import {as, type RangeVar, type SelectStmt} from '../../sql/nodes.ts';
import {selectTag} from '../point/select.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {readCtid, RawRows} from './data-rows.ts';
import {basePlan, type Described} from './described.ts';
import {planReferenceRead} from './read-plan.ts';
import {executeOnTwin, type ReferenceRun} from './reference-path.ts';
import {lockPoliciesWithin, type LockPolicies, policyOf, withoutLocked} from './lock-policies.ts';
import {claimRow, type LockPolicy, WAIT_FOR_LOCK} from './row-claims.ts';
import {rowsByCtid} from './rows-by-ctid.ts';
import {endOfTargets, locationOfFirst} from './splice-points.ts';
import {Splices} from './splices.ts';
import type {LoadedRow} from './table-rows.ts';

interface LockedItem {
    readonly alias: string;
    readonly table: TableDescriptor;
    readonly policy: LockPolicy;
}

export function planReferenceLock(described: Described, statement: SelectStmt, context: StatementContext): Plan {
    const {parameterTypes, dependencies, systemColumns, fields} = described;
    const columns = fields?.length ?? 0;
    const items = lockedItems(described, context);
    const policies = lockPoliciesWithin(described.mentions, context, []);
    for (const {table, policy} of items) policies.set(table.tableId, policy);
    // Nothing of ours is in FROM: there is nothing to lock.
    if (items.length === 0) return planReferenceRead(described);
    const spliced = new Splices(described.sql)
        .insert(
            endOfTargets(described.sql, locationOfFirst(statement.targetList)),
            `${items.map(({alias}) => `, ${quoteIdentifier(alias)}.ctid`).join('')} `,
        )
        .apply();
    return {
        ...basePlan(described),
        writes: true,
        async start(executing, parameters): Promise<StartedStatement> {
            const {signal} = executing;
            try {
                const {rows, locked} = await executing.database.reference.run(
                    executing,
                    {
                        dependencies,
                        systemColumns,
                        rowsRequest: (request) => withoutLocked(executing, {...request, keep: true}, policies),
                    },
                    async (run) => {
                        const statementText = {
                            sql: spliced.sql,
                            parameterTypes,
                            ours: 0,
                            columns: columns + items.length,
                        };
                        const formats = formatsWithCtids(parameters.resultFormats, columns, items.length);
                        const result = await executeOnTwin(run.t, executing, statementText, {
                            ...parameters,
                            resultFormats: formats,
                        });
                        return {rows: result.rows, locked: await chosenRows(run, items, result.rows, columns)};
                    },
                );
                signal.throwIfAborted();
                lockRows(executing, items, locked, policies);
                return {rows: new RawRows(rows, 0, columns), tag: selectTag};
            } catch (error) {
                throw described.relocate(error, spliced);
            }
        },
    };
}

function formatsWithCtids(formats: readonly number[], columns: number, ctids: number): number[] {
    const all: number[] = [];
    for (let i = 0; i < columns; i++) all.push((formats.length === 1 ? formats[0] : formats[i]) ?? 0);
    for (let i = 0; i < ctids; i++) all.push(1);
    return all;
}

/** What the clauses of the statement itself lock; those within it are looked at by `lockPoliciesWithin`. */
function lockedItems(described: Described, context: StatementContext): LockedItem[] {
    const items: LockedItem[] = [];
    for (const lock of described.mentions.locks) {
        if (!lock.top) continue;
        const named = lock.clause.lockedRels?.map((node) => as(node, 'RangeVar')?.relname ?? '');
        if (named === undefined && lock.fromOther) {
            throw notSupported('FOR UPDATE over a query in FROM', 'Say which tables to lock: FOR UPDATE OF table.');
        }
        for (const relation of lock.from) {
            const alias = relation.alias?.aliasname ?? relation.relname;
            if (named !== undefined && !named.includes(alias)) continue;
            const table = tableOf(relation, described, context);
            if (table !== undefined) items.push({alias, table, policy: policyOf(lock.clause)});
        }
    }
    return items;
}

function tableOf(relation: RangeVar, described: Described, context: StatementContext): TableDescriptor | undefined {
    const {catalog, searchPath} = context;
    if (relation.schemaname === undefined && described.mentions.cteNames.has(relation.relname)) return undefined;
    const table = catalog.table(relation.schemaname, relation.relname, searchPath);
    if (table === undefined && catalog.view(relation.schemaname, relation.relname, searchPath) !== undefined) {
        throw notSupported(`FOR UPDATE of view "${relation.relname}"`, 'Lock the rows of its tables.');
    }
    return table;
}

/** For each item, the rows it contributed to the result. */
async function chosenRows(
    run: ReferenceRun,
    items: readonly LockedItem[],
    rows: readonly Buffer[],
    columns: number,
): Promise<(readonly LoadedRow[])[]> {
    const chosen: LoadedRow[][] = [];
    for (const [index, {table}] of items.entries()) {
        const byCtid = await rowsByCtid(run, table);
        const found = new Set<LoadedRow>();
        for (const row of rows) {
            const ctid = readCtid(row, columns + index);
            const loaded = ctid === undefined ? undefined : byCtid.get(ctid);
            if (loaded !== undefined) found.add(loaded);
        }
        chosen.push([...found]);
    }
    return chosen;
}

/** Synchronous: all rows of the result, or a wait. */
function lockRows(
    context: StatementContext,
    items: readonly LockedItem[],
    locked: readonly (readonly LoadedRow[])[],
    policies: LockPolicies,
): void {
    const transaction = context.write();
    for (const [index, {table}] of items.entries()) {
        const store = context.database.store(table);
        context.database.writes.enter(transaction, store);
        const policy = policies.get(table.tableId) ?? WAIT_FOR_LOCK;
        for (const row of locked[index] ?? []) claimRow(context, transaction, store, row, policy);
    }
}
