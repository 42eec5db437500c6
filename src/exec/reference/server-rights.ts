/**
 * Work of the server itself inside a session's transaction on the twin: with the server's rights, then as the session
 * again.
 *
 * What must stay true: the session's own statement never runs with the server's rights.
 */
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import {FIRST_SUPERUSER} from '../../../catalog/roles.ts';
import type {SessionContext} from '../../../catalog/twin/session-context.ts';
import type {TwinResult, TwinTransaction} from '../../../catalog/twin/twin-transaction.ts';

/** Runs the statements in one message and returns the result of each. */
export async function asServer(
    t: TwinTransaction,
    session: SessionContext,
    statements: readonly string[],
): Promise<readonly TwinResult[]> {
    if (statements.length === 0) return [];
    const before = ['SET LOCAL ROLE NONE', `SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(FIRST_SUPERUSER)}`];
    const after = [`SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(session.sessionUser)}`];
    if (session.user !== session.sessionUser) after.push(`SET LOCAL ROLE ${quoteIdentifier(session.user)}`);
    const results = await t.simple([...before, ...statements, ...after].join('; '));
    return results.slice(before.length, before.length + statements.length);
}
