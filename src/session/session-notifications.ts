/**
 * Hands a session what waits for it in the notification hub: just before ReadyForQuery, or at once when it is idle
 * outside of a transaction.
 * Source: PostgreSQL documentation, "Asynchronous Operations"; ProcessNotifyInterrupt in async.c.
 *
 * What must stay true: nothing is written between a message of the client and its ReadyForQuery, nor within a
 * transaction; a client that does not read is not written to: what waits stays in the hub, which is bounded and ends
 * the session when the bound is passed.
 */
import type {PgError} from '../../catalog/errors.ts';
import type {NotificationReceiver} from '../live/notifications.ts';
import type {Session} from './session.ts';

export class SessionNotifications implements NotificationReceiver {
    readonly #session: Session;
    /** Between a ReadyForQuery and the client's next message. */
    #idle = false;
    #waitsForClient = false;

    constructor(session: Session) {
        this.#session = session;
        session.database.notifications.attach(session.processId, this);
    }

    /** A message of the client is handled. */
    busy(): void {
        this.#idle = false;
    }

    /** Just before ReadyForQuery. */
    beforeReady(): void {
        this.#deliver();
        this.#idle = true;
    }

    notified(): void {
        if (!this.#idle || !this.#deliver()) return;
        this.#session.writer.flush();
    }

    fellBehind(error: PgError): void {
        this.#session.connection.terminate(error);
    }

    /** True when something was written. */
    #deliver(): boolean {
        const session = this.#session;
        if (session.transaction.status !== 'I') return false;
        const {writer} = session;
        if (writer.congested) {
            this.#waitForClient();
            return false;
        }
        const notifications = session.database.notifications.take(session.processId);
        for (const {processId, channel, payload} of notifications) writer.notification(processId, channel, payload);
        return notifications.length > 0;
    }

    #waitForClient(): void {
        if (this.#waitsForClient) return;
        this.#waitsForClient = true;
        const again = (): void => {
            this.#waitsForClient = false;
            if (!this.#session.closed) this.notified();
        };
        // Rejected when the connection is gone, and then nobody waits for anything.
        this.#session.writer.drained().then(again, () => undefined);
    }
}
