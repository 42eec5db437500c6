/**
 * LISTEN and NOTIFY: who listens to what, and the notifications that wait for each session.
 * Source: PostgreSQL documentation, NOTIFY; messages as in src/backend/commands/async.c.
 *
 * What must stay true: notifications of a transaction are published after its commit, in commit order, and equal
 * (channel, payload) pairs of one transaction once, at the place of the first; a session gets its own too. A session
 * takes what waits for it only between transactions. What waits is bounded: a session that does not read is told to
 * end; notifications are never left out in silence.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../../catalog/errors.ts';

export interface Notification {
    readonly channel: string;
    readonly payload: string;
    /** Of the session that sent it. */
    readonly processId: number;
}

/** The session's side. */
export interface NotificationReceiver {
    /** Something waits: an idle session takes it now, another one before its next ReadyForQuery. Must not wait. */
    notified(): void;
    /** The session does not read and must be ended with this error (FATAL). */
    fellBehind(error: PgError): void;
}

const CHANNEL_BYTES_MAX = 63;
const PAYLOAD_BYTES_MAX = 7999;

/** @throws PgError 22023, as PostgreSQL's NOTIFY and pg_notify() do. */
export function validateNotify(channel: string, payload: string): void {
    if (channel === '') throw new PgError('22023', 'channel name cannot be empty');
    if (Buffer.byteLength(channel) > CHANNEL_BYTES_MAX) throw new PgError('22023', 'channel name too long');
    if (Buffer.byteLength(payload) > PAYLOAD_BYTES_MAX) throw new PgError('22023', 'payload string too long');
}

/** Equal (channel, payload) pairs once, in order of their first occurrence. For one transaction's notifications. */
export function foldNotifications<T extends {readonly channel: string; readonly payload: string}>(
    notifications: readonly T[],
): readonly T[] {
    if (notifications.length < 2) return notifications;
    const seen = new Map<string, Set<string>>();
    return notifications.filter(({channel, payload}) => {
        const payloads = seen.get(channel);
        if (payloads === undefined) seen.set(channel, new Set([payload]));
        else if (payloads.has(payload)) return false;
        else payloads.add(payload);
        return true;
    });
}

/** What waits for one session. */
class Waiting {
    readonly receiver: NotificationReceiver;
    readonly channels = new Set<string>();
    notifications: Notification[] = [];
    bytes = 0;
    /** Resolved when the session takes what waits, or ends. */
    room: PromiseWithResolvers<void> | undefined;

    constructor(receiver: NotificationReceiver) {
        this.receiver = receiver;
    }
}

/** Cost of a queued notification beside its texts. */
const OVERHEAD_BYTES = 32;

export class NotificationHub {
    readonly #bytesMax: number;
    readonly #sessions = new Map<number, Waiting>();
    readonly #listeners = new Map<string, Set<number>>();

    /** `bytesMax`: of what waits for one session. */
    constructor(bytesMax: number) {
        this.#bytesMax = bytesMax;
    }

    /** Before anything else of a session. */
    attach(sessionId: number, receiver: NotificationReceiver): void {
        assert(!this.#sessions.has(sessionId), 'session attached twice');
        this.#sessions.set(sessionId, new Waiting(receiver));
    }

    /** The session ends: nothing is kept for it. */
    endSession(sessionId: number): void {
        const session = this.#sessions.get(sessionId);
        if (session === undefined) return;
        this.unlistenAll(sessionId);
        this.#sessions.delete(sessionId);
        session.room?.resolve();
    }

    /** At commit of the transaction with the LISTEN. */
    listen(sessionId: number, channel: string): void {
        this.#session(sessionId).channels.add(channel);
        const listeners = this.#listeners.get(channel);
        if (listeners === undefined) this.#listeners.set(channel, new Set([sessionId]));
        else listeners.add(sessionId);
    }

    /** At commit. Of a channel that is not listened to: nothing happens, as in PostgreSQL. */
    unlisten(sessionId: number, channel: string): void {
        if (!this.#session(sessionId).channels.delete(channel)) return;
        const listeners = this.#listeners.get(channel);
        listeners?.delete(sessionId);
        if (listeners?.size === 0) this.#listeners.delete(channel);
    }

    unlistenAll(sessionId: number): void {
        for (const channel of this.#session(sessionId).channels) this.unlisten(sessionId, channel);
    }

    /** pg_listening_channels() */
    channels(sessionId: number): readonly string[] {
        return [...this.#session(sessionId).channels];
    }

    /** The notifications of one committed transaction. Called in commit order; never waits. */
    publish(notifications: readonly Notification[]): void {
        const woken = new Set<Waiting>();
        for (const notification of foldNotifications(notifications)) {
            for (const sessionId of this.#listeners.get(notification.channel) ?? []) {
                const session = this.#session(sessionId);
                if (this.#push(session, notification)) woken.add(session);
                else this.#cutOff(sessionId, session);
            }
        }
        for (const session of woken) session.receiver.notified();
    }

    /**
     * Queues notifications for one session, whatever it listens to: events of its live queries. All or none; an empty
     * queue takes any. False when there is no room.
     */
    post(sessionId: number, notifications: readonly Notification[]): boolean {
        const session = this.#sessions.get(sessionId);
        if (session === undefined) return false;
        let bytes = 0;
        for (const notification of notifications) bytes += costOf(notification);
        if (session.notifications.length > 0 && session.bytes + bytes > this.#bytesMax) return false;
        for (const notification of notifications) session.notifications.push(notification);
        session.bytes += bytes;
        session.receiver.notified();
        return true;
    }

    /** Resolves when the session has taken what waits, or has ended. */
    room(sessionId: number): Promise<void> {
        const session = this.#sessions.get(sessionId);
        if (session === undefined || session.notifications.length === 0) return Promise.resolve();
        session.room ??= Promise.withResolvers();
        return session.room.promise;
    }

    /** What waits for a session, in order; the session writes it to its client. Not within a transaction. */
    take(sessionId: number): readonly Notification[] {
        const session = this.#session(sessionId);
        const {notifications} = session;
        session.notifications = [];
        session.bytes = 0;
        session.room?.resolve();
        session.room = undefined;
        return notifications;
    }

    #session(sessionId: number): Waiting {
        const session = this.#sessions.get(sessionId);
        assert(session !== undefined, 'session is not attached');
        return session;
    }

    #push(session: Waiting, notification: Notification): boolean {
        const bytes = costOf(notification);
        if (session.bytes + bytes > this.#bytesMax && session.notifications.length > 0) return false;
        session.notifications.push(notification);
        session.bytes += bytes;
        return true;
    }

    #cutOff(sessionId: number, session: Waiting): void {
        this.unlistenAll(sessionId);
        session.receiver.fellBehind(
            new PgError('54000', 'too many notifications wait for this session', {
                severity: 'FATAL',
                detail: `The session has not taken ${session.notifications.length} notifications, ${session.bytes} bytes.`,
                hint: 'End transactions sooner and read from the connection.',
            }),
        );
    }
}

function costOf({channel, payload}: Notification): number {
    return OVERHEAD_BYTES + channel.length + Buffer.byteLength(payload);
}
