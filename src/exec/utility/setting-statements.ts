/**
 * SET, RESET, SHOW and DISCARD. Settings that the server itself reads are checked by their definitions; PostgreSQL (the
 * twin) checks all others, so that every setting of PostgreSQL is known with its own rules and messages.
 *
 * What must stay true: what is kept is what SHOW prints; nothing is kept that was not checked.
 */
import {type AstFields, asFields, isTrue, nodesOf, numberOf, textOf, type AstNode} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {type SettingDefinition, settingDefinition} from '../../session/setting-definitions.ts';
import {parseDateStyle} from '../../session/setting-parsers.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan, field, rowsPlan} from './plans.ts';
import {planSetRole} from './role-statements.ts';
import {readDataRow} from './row-text-writer.ts';
import {planSetModes, refuseInBlock, warnOutsideBlock} from './transaction-statements.ts';

const LISTS: ReadonlySet<string> = new Set([
    'datestyle',
    'search_path',
    'temp_tablespaces',
    'session_preload_libraries',
]);
const QUOTED_LISTS: ReadonlySet<string> = new Set(['search_path', 'temp_tablespaces', 'session_preload_libraries']);
/** Time limits of PostgreSQL that nothing here watches yet. */
const UNWATCHED: ReadonlySet<string> = new Set(['idle_session_timeout', 'transaction_timeout']);
/** Set at the start of the server in PostgreSQL too; the other fixed ones can never be set. */
const NEEDS_RESTART: ReadonlySet<string> = new Set(['max_connections', 'port', 'data_directory']);

export function planVariableSet(sql: string, fields: AstFields, context: StatementContext): Plan {
    const kind = textOf(fields, 'kind');
    const name = textOf(fields, 'name') ?? '';
    const isLocal = isTrue(fields, 'is_local');
    if (kind === 'VAR_SET_MULTI') return planSetModes(fields, context);
    if (kind === 'VAR_RESET_ALL') {
        return commandPlan(context, ({session}) => {
            session.settings.resetAll();
            return 'RESET';
        });
    }
    const tag = kind === 'VAR_RESET' ? 'RESET' : 'SET';
    const values = kind === 'VAR_SET_VALUE' ? argumentTexts(name, fields) : undefined;
    if (name === 'role' || name === 'session_authorization')
        return planSetRole(name, values?.[0], isLocal, tag, context);
    return commandPlan(context, async (executing) => {
        if (isLocal && warnOutsideBlock(executing, 'SET LOCAL')) return tag;
        const value = kind === 'VAR_SET_CURRENT' ? executing.setting(name) : joined(name, values);
        await applySetting(executing, {name, value, isLocal, sql});
        return tag;
    });
}

/** The arguments as texts; an interval (SET TIME ZONE INTERVAL …) keeps its keyword. */
function argumentTexts(name: string, fields: AstFields): string[] {
    const texts = nodesOf(fields, 'args').map(argumentText);
    if (texts.length > 1 && !LISTS.has(name.toLowerCase())) {
        // Of other settings PostgreSQL knows whether they take lists.
        if (settingDefinition(name) !== undefined) throw new PgError('22023', `SET ${name} takes only one argument`);
    }
    return texts;
}

function argumentText({kind, fields}: AstNode): string {
    if (kind === 'TypeCast') {
        const constant = asFields(asFields(fields['arg'])['A_Const']);
        return `interval '${textOf(asFields(constant['sval']), 'sval') ?? ''}'`;
    }
    if (fields['ival'] !== undefined) return String(numberOf(asFields(fields['ival']), 'ival'));
    if (fields['fval'] !== undefined) return textOf(asFields(fields['fval']), 'fval') ?? '';
    if (fields['boolval'] !== undefined) return isTrue(asFields(fields['boolval']), 'boolval') ? 'true' : 'false';
    return textOf(asFields(fields['sval']), 'sval') ?? '';
}

function joined(name: string, values: readonly string[] | undefined): string | undefined {
    if (values === undefined) return undefined;
    if (!QUOTED_LISTS.has(name.toLowerCase())) return values.join(', ');
    return values.map(quoteWhereNeeded).join(', ');
}

/** As quote_identifier, for names in lists. */
function quoteWhereNeeded(text: string): string {
    return /^[a-z_][a-z0-9_]*$/.test(text) ? text : quoteIdentifier(text);
}

interface SettingChange {
    readonly name: string;
    /** undefined = the default. */
    readonly value: string | undefined;
    readonly isLocal: boolean;
    /** The SET statement, which the twin runs to check; undefined: one is made from name and value. */
    readonly sql?: string;
}

/** Checks and keeps a setting: for SET and set_config(). Returns the value as SHOW prints it. */
export async function applySetting(context: StatementContext, change: SettingChange): Promise<string> {
    const {name, value, isLocal} = change;
    const {settings, transaction} = context.session;
    const definition = settingDefinition(name);
    if (definition !== undefined) {
        const parsed = checkDefined(context, definition, value);
        if (definition.name === 'transaction_read_only' && parsed !== undefined) {
            transaction.setReadOnly(parsed === 'on');
            return parsed;
        }
        settings.set(definition.name, parsed, isLocal);
        return context.setting(definition.name);
    }
    if (name.includes('.')) {
        checkCustomName(name);
        settings.set(name, value, isLocal);
        return value ?? '';
    }
    const canonical = await checkByTwin(context, change);
    if (UNWATCHED.has(name.toLowerCase()) && canonical !== '0') {
        throw notSupported(`${name} other than 0`, 'Use statement_timeout.');
    }
    settings.set(name, value === undefined ? undefined : canonical, isLocal);
    return canonical;
}

function checkDefined(
    context: StatementContext,
    definition: SettingDefinition,
    value: string | undefined,
): string | undefined {
    const {name} = definition;
    if (definition.readOnly === true) {
        const how = NEEDS_RESTART.has(name) ? ' without restarting the server' : '';
        throw new PgError('55P02', `parameter "${name}" cannot be changed${how}`);
    }
    if (name === 'tidewire.all_users' && !context.identity.superuser) {
        throw new PgError('42501', `permission denied to set parameter "${name}"`);
    }
    if (value === undefined) return undefined;
    if (name === 'DateStyle') return parseDateStyle(value, context.setting(name));
    return definition.parse?.(value, name) ?? value;
}

function checkCustomName(name: string): void {
    const [prefix = ''] = name.split('.');
    if (prefix.toLowerCase() === 'tidewire') {
        throw new PgError('42602', `invalid configuration parameter name "${name}"`, {
            detail: '"tidewire" is a reserved prefix.',
        });
    }
    if (name.split('.').every((part) => /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(part))) return;
    throw new PgError('42602', `invalid configuration parameter name "${name}"`, {
        detail: 'Custom parameter names must be two or more simple identifiers separated by dots.',
    });
}

/** PostgreSQL sets it in a transaction that is rolled back, and says what it has become. */
async function checkByTwin(context: StatementContext, {name, value, sql}: SettingChange): Promise<string> {
    const {database, twinContext, signal} = context;
    const quoted = quoteIdentifier(name.toLowerCase());
    const set = value === undefined ? `RESET ${quoted}` : (sql ?? `SET ${quoted} = ${quoteLiteralText(value)}`);
    return await database.twin.transaction(
        twinContext,
        async (twin) => {
            await twin.simple(set);
            const [shown] = await twin.simple(`SHOW ${quoted}`);
            const [row] = shown?.rows ?? [];
            return row === undefined ? '' : (readDataRow(row, 0)[0] ?? '');
        },
        {commit: false, signal},
    );
}

function quoteLiteralText(text: string): string {
    return `'${text.replaceAll("'", "''")}'`;
}

export async function planVariableShow(fields: AstFields, context: StatementContext): Promise<Plan> {
    const name = textOf(fields, 'name') ?? '';
    if (name.toLowerCase() === 'all') {
        const columns = [field('name', OID.text), field('setting', OID.text), field('description', OID.text)];
        return rowsPlan(context, columns, showAll, () => 'SHOW');
    }
    const shown = await canonicalName(name, context);
    return rowsPlan(
        context,
        [field(shown, OID.text)],
        async (executing) => [[await showSetting(name, executing)]],
        () => 'SHOW',
    );
}

async function canonicalName(name: string, context: StatementContext): Promise<string> {
    const definition = settingDefinition(name);
    if (definition !== undefined) return definition.name;
    if (name.toLowerCase() === 'role') return 'role';
    if (name.includes('.')) return name;
    const {fields} = await context.database.twin.describe(
        context.twinContext,
        `SHOW ${quoteIdentifier(name.toLowerCase())}`,
        [],
    );
    return fields?.[0]?.name ?? name;
}

/** The value of a setting as SHOW and current_setting() give it. @throws PgError 42704. */
export async function showSetting(name: string, context: StatementContext): Promise<string> {
    const own = ownValue(name, context);
    if (own !== undefined) return own;
    if (name.includes('.')) throw new PgError('42704', `unrecognized configuration parameter "${name}"`);
    return await context.database.twin.transaction(
        context.twinContext,
        async (twin) => {
            const [result] = await twin.simple(`SHOW ${quoteIdentifier(name.toLowerCase())}`);
            const [row] = result?.rows ?? [];
            return row === undefined ? '' : (readDataRow(row, 0)[0] ?? '');
        },
        {commit: false, signal: context.signal},
    );
}

/** undefined: PostgreSQL's own default is the value. */
export function ownValue(name: string, context: StatementContext): string | undefined {
    const {session, identity} = context;
    switch (name.toLowerCase()) {
        case 'transaction_read_only':
            return session.transaction.isReadOnly ? 'on' : 'off';
        case 'transaction_isolation':
            return session.settings.lookup('transaction_isolation') ?? 'read committed';
        case 'role':
            return identity.user === identity.sessionUser ? 'none' : identity.user;
        default:
            return session.settings.lookup(name);
    }
}

/** PostgreSQL's list with the values of this session on top. */
async function showAll(context: StatementContext): Promise<readonly (readonly string[])[]> {
    const rows = await context.database.twin.transaction(
        context.twinContext,
        async (twin) => {
            const [result] = await twin.simple('SHOW ALL');
            return (result?.rows ?? []).map((row) => readDataRow(row, 0));
        },
        {commit: false, signal: context.signal},
    );
    return rows.map(([name, setting, description]) => [
        name ?? '',
        ownValue(name ?? '', context) ?? setting ?? '',
        description ?? '',
    ]);
}

export function planDiscard(fields: AstFields, context: StatementContext): Plan {
    const target = textOf(fields, 'target') ?? '';
    const tag = `DISCARD ${target.replace('DISCARD_', '')}`;
    return commandPlan(context, (executing) => {
        const {session, database} = executing;
        // There are no temporary tables, and plans are checked against the catalog whenever they are used.
        if (target === 'DISCARD_SEQUENCES') session.forgetSequences();
        if (target !== 'DISCARD_ALL') return tag;
        refuseInBlock(executing, 'DISCARD ALL');
        session.closePortals();
        session.cursors.closeAll((error) => database.logger.warn(error, 'closing a cursor'));
        session.settings.set('session_authorization', undefined, false);
        session.settings.set('role', undefined, false);
        session.settings.resetAll();
        session.deallocateAll();
        session.advisoryLocks.releaseAll();
        database.notifications.unlistenAll(session.processId);
        database.live.unlistenAll(session.processId);
        session.forgetSequences();
        return tag;
    });
}
