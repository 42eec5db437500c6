/**
 * Who a session acts as, derived from who connected and from the settings session_authorization and role.
 *
 * What must stay true: a role that is gone meanwhile gives no rights; the login identity never changes.
 */
import type {CatalogView} from '../../catalog/catalog.ts';
import type {Identity} from '../exec/statement-context.ts';

export function actingIdentity(
    login: Identity,
    sessionAuthorization: string | undefined,
    role: string | undefined,
    catalog: CatalogView,
): Identity {
    const sessionUser = sessionAuthorization ?? login.sessionUser;
    const user = role ?? sessionUser;
    const descriptor = catalog.role(user);
    const same = user === login.user && sessionUser === login.sessionUser;
    if (same && descriptor?.superuser === login.superuser) return login;
    return {
        sessionUser,
        user,
        roleId: descriptor?.roleId ?? (same ? login.roleId : 0),
        superuser: descriptor?.superuser ?? false,
    };
}
