/**
 * The one place where it is decided who a connection is and whether it may enter.
 *
 * What must stay true: nobody gets a session without passing `authenticate`; a role without a password is trusted from
 * loopback only; the role that logged in is the identity of `user` tables.
 */
import {PgError} from '../../catalog/errors.ts';
import type {AuthenticationMethod, StartupRequest} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import type {Identity} from '../exec/statement-context.ts';

/** Accepted beside the database's own name: many clients connect to it when told of no other. */
const SECOND_DATABASE_NAME = 'postgres';

function fatal(
    code: string,
    message: string,
    fields: {readonly detail?: string; readonly hint?: string} = {},
): PgError {
    return new PgError(code, message, {...fields, severity: 'FATAL'});
}

/** How the user has to prove who they are. Throws FATAL errors. */
export function authenticate(database: Database, request: StartupRequest): AuthenticationMethod {
    if (request.database !== database.name && request.database !== SECOND_DATABASE_NAME) {
        throw fatal('3D000', `database "${request.database}" does not exist`, {
            hint: `This server has one database: "${database.name}".`,
        });
    }
    const role = database.catalog.role(request.user);
    // An unknown user is asked for a password like any other: the answer does not tell which names exist.
    if (role === undefined) {
        if (request.loopback) throw fatal('28000', `role "${request.user}" does not exist`);
        return {method: 'scram-sha-256', verifier: undefined};
    }
    if (role.verifier !== undefined) {
        const expired = role.validUntilMs !== undefined && role.validUntilMs <= Date.now();
        return {method: 'scram-sha-256', verifier: expired ? undefined : role.verifier};
    }
    if (request.loopback) return {method: 'trust'};
    return {method: 'scram-sha-256', verifier: undefined};
}

/** Who the session is, after authentication. Throws FATAL errors. */
export function identify(database: Database, request: StartupRequest): Identity {
    const role = database.catalog.role(request.user);
    if (role === undefined) throw fatal('28000', `role "${request.user}" does not exist`);
    if (!role.login) throw fatal('28000', `role "${role.name}" is not permitted to log in`);
    if (role.connectionLimit >= 0 && !role.superuser) {
        let open = 0;
        for (const session of database.sessions.values()) if (session.identity.sessionUser === role.name) open++;
        if (open >= role.connectionLimit) throw fatal('53300', `too many connections for role "${role.name}"`);
    }
    return {sessionUser: role.name, user: role.name, roleId: role.roleId, superuser: role.superuser};
}
