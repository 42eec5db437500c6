/**
 * TRUNCATE, VACUUM, ANALYZE, CHECKPOINT and CALL system.…: work on whole tables.
 */
import {type AstFields, asFields, isTrue, nodesOf, textOf} from '../../../catalog/ddl/ast.ts';
import {hasRightsOf} from '../../../catalog/acl.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {quoteQualified} from '../../../catalog/quoting.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {parseQualifiedName} from '../../session/qualified-name.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan, field, rowsPlan} from './plans.ts';
import {refuseInBlock} from './transaction-statements.ts';

/** @throws PgError 42P01, 42809 for views and sequences. */
export function tableNamed(context: StatementContext, schema: string | undefined, name: string): TableDescriptor {
    const {catalog, searchPath} = context;
    const table = catalog.table(schema, name, searchPath);
    if (table !== undefined) return table;
    if (
        catalog.view(schema, name, searchPath) !== undefined ||
        catalog.sequence(schema, name, searchPath) !== undefined
    ) {
        throw new PgError('42809', `"${name}" is not a table`);
    }
    throw new PgError('42P01', `relation "${schema === undefined ? name : `${schema}.${name}`}" does not exist`);
}

/** Work that changes no rows but takes the server's time: the owner's, or a superuser's. */
export function requireOwner(context: StatementContext, table: TableDescriptor): void {
    if (isOwner(context, table)) return;
    throw new PgError('42501', `must be owner of table ${table.name}`);
}

function isOwner({identity, catalog}: StatementContext, table: TableDescriptor): boolean {
    return identity.superuser || hasRightsOf(identity.user, table.owner, catalog);
}

export function planTruncate(fields: AstFields, context: StatementContext): Plan {
    const tables = nodesOf(fields, 'relations').map(({fields: relation}) =>
        tableNamed(context, textOf(relation, 'schemaname'), textOf(relation, 'relname') ?? ''),
    );
    const restart = isTrue(fields, 'restart_seqs');
    // CASCADE reaches what refers to the table by foreign keys: there are none.
    return commandPlan(
        context,
        async (executing) => {
            await executing.database.ddl.truncate([...new Set(tables)], restart, executing);
            return 'TRUNCATE TABLE';
        },
        {writes: true, command: 'TRUNCATE TABLE'},
    );
}

/** What each option asks for is either done or has nothing to do here. */
const VACUUM_OPTIONS: ReadonlySet<string> = new Set([
    'full',
    'freeze',
    'verbose',
    'analyze',
    'skip_database_stats',
    'only_database_stats',
    'skip_locked',
    'parallel',
    'index_cleanup',
    'truncate',
    'process_main',
    'process_toast',
    'disable_page_skipping',
    'buffer_usage_limit',
]);
const ANALYZE_OPTIONS: ReadonlySet<string> = new Set(['verbose', 'skip_locked', 'buffer_usage_limit']);

export function planVacuum(fields: AstFields, context: StatementContext): Plan {
    const isVacuum = isTrue(fields, 'is_vacuumcmd');
    const known = isVacuum ? VACUUM_OPTIONS : ANALYZE_OPTIONS;
    const command = isVacuum ? 'VACUUM' : 'ANALYZE';
    for (const {fields: option} of nodesOf(fields, 'options')) {
        const name = textOf(option, 'defname') ?? '';
        if (!known.has(name)) throw new PgError('42601', `unrecognized ${command} option "${name}"`);
    }
    const targets = nodesOf(fields, 'rels').map(({fields: target}) => target);
    const named = targets
        .filter((target) => !isSystemTarget(target, context))
        .map((target) => readTarget(target, context));
    const system = targets.filter((target) => isSystemTarget(target, context));
    return commandPlan(context, async (executing) => {
        // Catalogs are PostgreSQL's own and need nothing; that they exist, it says.
        for (const target of system) {
            await executing.database.twin.describe(executing.twinContext, `TABLE ${systemName(target)}`, []);
        }
        if (!isVacuum) return command;
        refuseInBlock(executing, command);
        const {database, catalog} = executing;
        const tables = targets.length > 0 ? named : [...catalog.tables()];
        for (const table of tables) {
            if (!isOwner(executing, table)) {
                executing.notice({
                    severity: 'WARNING',
                    code: '01000',
                    message: `permission denied to vacuum "${table.name}", skipping it`,
                });
                continue;
            }
            // Dead rows are only in segments: hot rows that are gone take no room.
            if (database.tiers(table.tableId).hasSegments) await database.jobs.compact(table);
        }
        return command;
    });
}

/** PostgreSQL's own catalogs, which vacuumdb names one by one. */
function isSystemTarget(fields: AstFields, {catalog, searchPath}: StatementContext): boolean {
    const relation = asFields(fields['relation']);
    const schema = textOf(relation, 'schemaname');
    if (schema !== undefined) return schema === 'pg_catalog' || schema === 'information_schema';
    const name = textOf(relation, 'relname') ?? '';
    return name.startsWith('pg_') && catalog.table(undefined, name, searchPath) === undefined;
}

function systemName(fields: AstFields): string {
    const relation = asFields(fields['relation']);
    return quoteQualified(textOf(relation, 'schemaname') ?? 'pg_catalog', textOf(relation, 'relname') ?? '');
}

function readTarget(fields: AstFields, context: StatementContext): TableDescriptor {
    const relation = asFields(fields['relation']);
    const table = tableNamed(context, textOf(relation, 'schemaname'), textOf(relation, 'relname') ?? '');
    for (const column of nodesOf(fields, 'va_cols')) {
        const name = textOf(column.fields, 'sval') ?? '';
        if (table.columns.some((candidate) => candidate.name === name)) continue;
        throw new PgError('42703', `column "${name}" of relation "${table.name}" does not exist`);
    }
    return table;
}

export function planCheckpoint(context: StatementContext): Plan {
    return commandPlan(context, async ({database, identity, catalog}) => {
        const role = catalog.role(identity.user);
        if (!identity.superuser && role?.memberOf.includes('pg_checkpoint') !== true) {
            throw new PgError('42501', 'permission denied to execute CHECKPOINT command', {
                detail: 'Only roles with privileges of the "pg_checkpoint" role may execute this command.',
            });
        }
        await database.jobs.flushAll();
        return 'CHECKPOINT';
    });
}

const JOB_COLUMNS = [field('rows', OID.int8), field('bytes', OID.int8), field('milliseconds', OID.float8)];

/** A flush or compaction of one table, as a row of what it did. */
export function planJob(
    kind: 'flush' | 'compact',
    table: TableDescriptor,
    context: StatementContext,
    tag: string,
): Plan {
    requireOwner(context, table);
    return rowsPlan(
        context,
        JOB_COLUMNS,
        async ({database}) => {
            const {rows, bytes, ms} = await database.jobs[kind](table);
            return [[BigInt(rows), BigInt(bytes), ms]];
        },
        () => tag,
    );
}

export function planCall(fields: AstFields, context: StatementContext): Plan {
    const call = asFields(fields['funccall']);
    const name = nodesOf(call, 'funcname').map((part) => textOf(part.fields, 'sval') ?? '');
    const args = nodesOf(call, 'args');
    const procedure = name.join('.');
    if (procedure !== 'system.flush' && procedure !== 'system.compact') {
        throw new PgError('42883', `procedure ${procedure}(${args.length === 0 ? '' : 'unknown'}) does not exist`, {
            hint: "The procedures are system.flush('table') and system.compact('table').",
        });
    }
    const [first, second] = args;
    const text = first === undefined ? undefined : textOf(asFields(first.fields['sval']), 'sval');
    if (text === undefined || second !== undefined) {
        throw notSupported(`this call of ${procedure}`, `Give the name of one table: CALL ${procedure}('t').`);
    }
    const parts = parseQualifiedName(text);
    const table = tableNamed(context, parts.length > 1 ? parts.at(-2) : undefined, parts.at(-1) ?? '');
    return planJob(procedure === 'system.flush' ? 'flush' : 'compact', table, context, 'CALL');
}
