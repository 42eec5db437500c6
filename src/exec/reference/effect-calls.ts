/**
 * Functions that act on sessions and not on rows: set_config, pg_notify, pg_sleep, pg_cancel_backend,
 * pg_terminate_backend, advisory locks. They are carried where they stand alone in a SELECT's list: the twin evaluates their arguments,
 * for each row, and the call is made here.
 *
 * What must stay true: a call is made once for each row of the result, in order; such a call anywhere else is refused,
 * because the twin cannot make it.
 */
import {setTimeout as delay} from 'node:timers/promises';
import {PgError} from '../../../catalog/errors.ts';
import {as, type FuncCall, type Node, type SelectStmt, strings, tagOf} from '../../sql/nodes.ts';
import type {StatementContext} from '../statement-context.ts';
import {notify} from '../utility/notification-statements.ts';
import {ADVISORY_CALLS} from './advisory-calls.ts';
import {applySetting} from '../utility/setting-statements.ts';

export type Arguments = readonly (string | null)[];
/** The call's result: text, or a bool. */
type Effect = (context: StatementContext, args: Arguments) => Promise<string | boolean | null>;

export const EFFECTS: ReadonlyMap<string, Effect> = new Map<string, Effect>([
    ['set_config', setConfig],
    ['pg_notify', pgNotify],
    ['pg_sleep', pgSleep],
    ['pg_cancel_backend', (context, args) => signalBackend(context, args, false)],
    ['pg_terminate_backend', (context, args) => signalBackend(context, args, true)],
    ...ADVISORY_CALLS,
]);

export interface EffectCall {
    /** Index in the list, which is the column's. */
    readonly column: number;
    readonly name: string;
    readonly call: FuncCall;
}

/** The calls that can be made: directly in the list of a plain SELECT. */
export function effectCalls(tree: Node): readonly EffectCall[] {
    const select = as(tree, 'SelectStmt');
    if (select === undefined || !isPlain(select)) return [];
    const calls: EffectCall[] = [];
    for (const [column, node] of (select.targetList ?? []).entries()) {
        const value = as(node, 'ResTarget')?.val;
        const call = as(value, 'FuncCall');
        const names = strings(call?.funcname) ?? [];
        const name = names.at(-1) ?? '';
        if (call === undefined || !EFFECTS.has(name) || (names.length > 1 && names[0] !== 'pg_catalog')) continue;
        if ((call.args ?? []).some((arg) => tagOf(arg) === 'NamedArgExpr')) continue;
        calls.push({column, name, call});
    }
    return calls;
}

/** One row of the list for each row of the result, and no star that would shift the columns. */
function isPlain(select: SelectStmt): boolean {
    const {op, distinctClause, groupClause, havingClause, sortClause, lockingClause, targetList} = select;
    const many = op !== undefined && op !== 'SETOP_NONE';
    const none = (list: readonly Node[] | Node | undefined): boolean => list === undefined;
    const hasStar = (targetList ?? []).some((node) => {
        const fields = as(as(node, 'ResTarget')?.val, 'ColumnRef')?.fields;
        return fields !== undefined && as(fields.at(-1), 'String') === undefined;
    });
    return (
        !many &&
        !hasStar &&
        [distinctClause, groupClause, havingClause, sortClause, lockingClause].every((list) => none(list))
    );
}

async function setConfig(context: StatementContext, [name, value, isLocal]: Arguments): Promise<string> {
    if (name === null || name === undefined) throw new PgError('22004', 'SET requires parameter name');
    return await applySetting(context, {name, value: value ?? undefined, isLocal: isLocal === 'true'});
}

function pgNotify(context: StatementContext, [channel, payload]: Arguments): Promise<string> {
    notify(context, channel ?? '', payload ?? '');
    return Promise.resolve('');
}

/** A timer waits at most this long. */
const SLEEP_MS_MAX = 2_147_483_647;

async function pgSleep(context: StatementContext, [seconds]: Arguments): Promise<string | null> {
    if (seconds === null || seconds === undefined) return null;
    const {signal} = context;
    let ms = Number(seconds) * 1000;
    try {
        while (ms > 0) {
            const part = Math.min(ms, SLEEP_MS_MAX);
            await delay(part, undefined, {signal});
            ms -= part;
        }
    } catch (error) {
        signal.throwIfAborted();
        throw error;
    }
    return '';
}

function signalBackend(context: StatementContext, [pid]: Arguments, terminate: boolean): Promise<boolean | null> {
    if (pid === null || pid === undefined) return Promise.resolve(null);
    const {database, identity} = context;
    const target = database.sessions.get(Number(pid));
    if (target === undefined) {
        context.notice({severity: 'WARNING', code: '01000', message: `PID ${pid} is not a PostgreSQL backend process`});
        return Promise.resolve(false);
    }
    if (!identity.superuser && target.identity.user !== identity.user) {
        const what = terminate ? 'terminate process' : 'cancel query';
        throw new PgError('42501', `permission denied to ${what}`, {
            detail: `Only roles with privileges of the role whose ${terminate ? 'process is being terminated' : 'query is being canceled'} may do so.`,
        });
    }
    if (terminate) {
        const message = 'terminating connection due to administrator command';
        target.connection.terminate({severity: 'FATAL', code: '57P01', message});
    } else target.cancel();
    return Promise.resolve(true);
}
