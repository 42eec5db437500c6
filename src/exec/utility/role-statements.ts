/**
 * SET ROLE and SET SESSION AUTHORIZATION. They are settings in PostgreSQL, and here too, so that they follow the fate
 * of the transaction; who the session acts as is derived from them.
 * Source: check_role and check_session_authorization in variable.c.
 */
import type {CatalogView} from '../../../catalog/catalog.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from './plans.ts';
import {warnOutsideBlock} from './transaction-statements.ts';

export function planSetRole(
    setting: 'role' | 'session_authorization',
    wanted: string | undefined,
    isLocal: boolean,
    tag: string,
    context: StatementContext,
): Plan {
    return commandPlan(context, (executing) => {
        if (isLocal && warnOutsideBlock(executing, 'SET LOCAL')) return tag;
        const {session} = executing;
        if (setting === 'role') {
            const role = wanted === undefined || wanted === 'none' ? undefined : wanted;
            if (role !== undefined) checkRole(role, executing);
            session.settings.set('role', role, isLocal);
        } else {
            if (wanted !== undefined) checkAuthorization(wanted, executing);
            // A new session user begins without a role.
            session.settings.set('role', undefined, isLocal);
            const login = session.loginIdentity.sessionUser;
            session.settings.set('session_authorization', wanted === login ? undefined : wanted, isLocal);
        }
        return tag;
    });
}

function checkRole(role: string, {catalog, identity}: StatementContext): void {
    if (catalog.role(role) === undefined) throw new PgError('22023', `role "${role}" does not exist`);
    const sessionUser = catalog.role(identity.sessionUser);
    if (sessionUser?.superuser === true || isMember(catalog, identity.sessionUser, role)) return;
    throw new PgError('42501', `permission denied to set role "${role}"`);
}

function checkAuthorization(role: string, {catalog, session}: StatementContext): void {
    const login = session.loginIdentity;
    if (catalog.role(role) === undefined) throw new PgError('22023', `role "${role}" does not exist`);
    if (role === login.sessionUser || catalog.role(login.sessionUser)?.superuser === true) return;
    throw new PgError('42501', `permission denied to set session authorization "${role}"`);
}

/** Directly or through other roles. */
function isMember(catalog: CatalogView, member: string, role: string): boolean {
    const seen = new Set<string>();
    const waiting = [member];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        if (name === role) return true;
        if (seen.has(name)) continue;
        seen.add(name);
        waiting.push(...(catalog.role(name)?.memberOf ?? []));
    }
    return false;
}
