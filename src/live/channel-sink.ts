/**
 * The sink of LISTEN "SELECT …": each event is a notification on the channel whose name is the query's text, whole.
 *
 * What must stay true: events keep their order among the session's other notifications; an error that ends the live
 * query is its last event, so that the client learns of it.
 */
import {errorEvent, type LiveBatch} from './live-event.ts';
import type {NotificationHub} from './notifications.ts';
import type {LiveEnd, LiveSink} from './subscription.ts';

export class ChannelSink implements LiveSink {
    readonly #hub: NotificationHub;
    readonly #sessionId: number;
    readonly #processId: number;
    readonly #channel: string;

    constructor(options: {
        readonly hub: NotificationHub;
        readonly sessionId: number;
        /** Shown as the notifying process: the session's own, since the server itself has none. */
        readonly processId: number;
        readonly channel: string;
    }) {
        this.#hub = options.hub;
        this.#sessionId = options.sessionId;
        this.#processId = options.processId;
        this.#channel = options.channel;
    }

    send(batch: LiveBatch): 'ok' | 'full' {
        return this.#post(batch.events.map((event) => event.json)) ? 'ok' : 'full';
    }

    drained(): Promise<void> {
        return this.#hub.room(this.#sessionId);
    }

    end({error, lastSeq}: LiveEnd): void {
        if (error === undefined) return;
        const {json} = errorEvent(lastSeq, error);
        if (this.#post([json])) return;
        // The queue is full, which may be why it ended: the last event is told when there is room.
        void this.#hub.room(this.#sessionId).then(() => this.#post([json]));
    }

    #post(payloads: readonly string[]): boolean {
        const channel = this.#channel;
        const processId = this.#processId;
        return this.#hub.post(
            this.#sessionId,
            payloads.map((payload) => ({channel, payload, processId})),
        );
    }
}
