/**
 * UPDATE and DELETE whose search or new values only PostgreSQL can evaluate: FROM, USING, queries within, functions that
 * no other path has. The twin says which rows change and to what; this server changes them.
 *
 * What must stay true: a row is changed only if it is still the row that was copied (see row-claims.ts); all rows are
 * claimed before the first is written.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {DeleteStmt, Node, ReturningClause, UpdateStmt} from '../../sql/nodes.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {updateOfStream} from '../write/insert.ts';
import {RawRows, readCtid, readDatums} from './data-rows.ts';
import {withDefaults} from './dependencies.ts';
import {basePlan, dependencySource, type Described} from './described.ts';
import {lockPoliciesWithin, type LockPolicies, withoutLocked} from './lock-policies.ts';
import {executeOnTwin} from './reference-path.ts';
import {claimRow, type ClaimedRow, WAIT_FOR_LOCK} from './row-claims.ts';
import {rowsByCtid} from './rows-by-ctid.ts';
import {returningText} from './splice-points.ts';
import {Splices} from './splices.ts';
import type {LoadedRow} from './table-rows.ts';
import {
    checkRights,
    columnTypes,
    mentionsOldOrNew,
    prepareTargetSql,
    refuseSystemColumnsIn,
    targetTable,
} from './write-target.ts';

interface ChangedRow {
    readonly loaded: LoadedRow;
    /** null = deleted. */
    readonly values: readonly Datum[] | null;
}

export function planReferenceChange(
    described: Described,
    statement: UpdateStmt | DeleteStmt,
    context: StatementContext,
): Plan {
    const isUpdate = 'targetList' in statement;
    const verb = isUpdate ? 'UPDATE' : 'DELETE';
    const table = targetTable(statement.relation, verb, context);
    if (isUpdate && table.options.kind === 'stream') throw updateOfStream(table.name);
    refuseSystemColumnsIn(statement.returningClause, table);
    const policies = lockPoliciesWithin(described.mentions, context, [table.tableId]);
    const {parameterTypes, systemColumns, fields} = described;
    const columns = fields?.length ?? 0;
    const types = isUpdate ? columnTypes(table, context) : [];
    const ours = 1 + types.length;
    const spliced = returningChanges(described.sql, statement.returningClause, isUpdate ? table : undefined).apply();
    const dependencies = described.mentions.defaults
        ? withDefaults(described.dependencies, table.columns, dependencySource(context))
        : described.dependencies;
    return {
        ...basePlan({...described, dependencies}),
        writes: true,
        async start(executing, parameters): Promise<StartedStatement> {
            const {signal} = executing;
            try {
                const {rows, changed} = await executing.database.reference.run(
                    executing,
                    {
                        dependencies,
                        systemColumns,
                        prepareSql: isUpdate ? prepareTargetSql(table) : [],
                        rowsRequest: (request) => {
                            const keep = request.table.tableId === table.tableId;
                            return withoutLocked(executing, {...request, keep}, policies);
                        },
                    },
                    async (run) => {
                        await checkRights(run, executing, described, table, parameters);
                        const byCtid = await rowsByCtid(run, table);
                        const text = {sql: spliced.sql, parameterTypes, ours, columns};
                        const result = await executeOnTwin(run.t, executing, text, parameters);
                        return {
                            rows: result.rows,
                            changed: result.rows.flatMap((row): ChangedRow[] => {
                                const loaded = byCtid.get(readCtid(row, 0) ?? -1);
                                if (loaded === undefined) return [];
                                return [{loaded, values: isUpdate ? readDatums(row, 1, types) : null}];
                            }),
                        };
                    },
                );
                signal.throwIfAborted();
                applyChanges(executing, table, changed, policies);
                return {
                    rows: fields === null ? null : new RawRows(rows, ours, columns),
                    tag: () => `${verb} ${changed.length}`,
                };
            } catch (error) {
                throw described.relocate(error, spliced);
            }
        },
    };
}

/** Synchronous; throws LockWait, ColdRow and VisibilityWait before anything is written. */
function applyChanges(
    context: StatementContext,
    table: TableDescriptor,
    changed: readonly ChangedRow[],
    policies: LockPolicies,
): void {
    if (changed.length === 0) return;
    const {database} = context;
    const transaction = context.write();
    const store = database.store(table);
    database.writes.enter(transaction, store);
    const policy = policies.get(table.tableId) ?? WAIT_FOR_LOCK;
    const claimed: ClaimedRow[] = changed.map(({loaded}) => claimRow(context, transaction, store, loaded, policy));
    for (const [index, {values}] of changed.entries()) {
        const row = claimed[index];
        if (row === undefined) continue;
        if (values === null) database.writes.delete(transaction, row.head, row.current);
        else database.writes.update(transaction, row.head, row.current, values);
    }
}

const OLD = '_tidewire_old';
const NEW = '_tidewire_new';

/** `RETURNING old.ctid, new.a, new.b, …`, before what the user asks for. */
export function returningChanges(
    sql: string,
    clause: ReturningClause | undefined,
    updated: TableDescriptor | undefined,
): Splices {
    const splices = new Splices(sql);
    const names = aliasesOf(clause);
    const list = [
        `${quoteIdentifier(names.old)}.ctid`,
        ...(updated?.columns ?? []).map((column) => `${quoteIdentifier(names.new)}.${quoteIdentifier(column.name)}`),
    ].join(', ');
    if (clause === undefined) return splices.insert(splices.byteLength, `\nRETURNING ${names.options} ${list}`);
    const {listStart} = returningText(sql, clause);
    return splices.insert(listStart, `${names.options} ${list}, `);
}

/** By which names the old and the new row go; `options` has to be added for them. */
function aliasesOf(clause: ReturningClause | undefined): {
    readonly old: string;
    readonly new: string;
    readonly options: string;
} {
    if (clause?.options !== undefined && clause.options.length > 0) {
        return {
            old: optionNamed(clause.options, 'RETURNING_OPTION_OLD') ?? 'old',
            new: optionNamed(clause.options, 'RETURNING_OPTION_NEW') ?? 'new',
            options: '',
        };
    }
    // The user's own `old` and `new` go on meaning what they mean.
    if (mentionsOldOrNew(clause?.exprs)) return {old: 'old', new: 'new', options: ''};
    return {old: OLD, new: NEW, options: `WITH (OLD AS ${quoteIdentifier(OLD)}, NEW AS ${quoteIdentifier(NEW)})`};
}

function optionNamed(options: readonly Node[], kind: string): string | undefined {
    for (const node of options) {
        const option = node['ReturningOption'] as {readonly option?: string; readonly value?: string} | undefined;
        if (option?.option === kind) return option.value;
    }
    return undefined;
}
