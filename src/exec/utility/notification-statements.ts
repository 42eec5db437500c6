/** LISTEN, UNLISTEN and NOTIFY: effective when the transaction commits. */
import {type AstFields, textOf} from '../../../catalog/ddl/ast.ts';
import {PgError} from '../../../catalog/errors.ts';
import {validateNotify} from '../../live/notifications.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from './plans.ts';

/** Notifications of one transaction. */
const NOTIFICATIONS_MAX = 1_000_000;

/** NOTIFY and pg_notify(). @throws PgError 22023. */
export function notify(context: StatementContext, channel: string, payload: string): void {
    validateNotify(channel, payload);
    const {notifications} = context.write();
    if (notifications.length >= NOTIFICATIONS_MAX) {
        throw new PgError('54000', 'too many notifications in the transaction', {
            detail: `A transaction may send ${NOTIFICATIONS_MAX}.`,
        });
    }
    notifications.push({channel, payload, processId: context.processId});
}

export function planNotify(fields: AstFields, context: StatementContext): Plan {
    const channel = textOf(fields, 'conditionname') ?? '';
    const payload = textOf(fields, 'payload') ?? '';
    return commandPlan(context, (executing) => {
        notify(executing, channel, payload);
        return 'NOTIFY';
    });
}

export function planListen(fields: AstFields, context: StatementContext): Plan {
    const channel = textOf(fields, 'conditionname') ?? '';
    return commandPlan(context, ({database, session}) => {
        const {notifications} = database;
        session.transaction.onCommit(() => notifications.listen(session.processId, channel));
        return 'LISTEN';
    });
}

export function planUnlisten(fields: AstFields, context: StatementContext): Plan {
    const channel = textOf(fields, 'conditionname');
    return commandPlan(context, ({database, session}) => {
        const {processId} = session;
        session.transaction.onCommit(() => {
            if (channel !== undefined) {
                database.notifications.unlisten(processId, channel);
                return;
            }
            database.notifications.unlistenAll(processId);
            database.live.unlistenAll(processId);
        });
        return 'UNLISTEN';
    });
}
