/**
 * One client from accept to close: a handshake under a deadline, then a session.
 *
 * What must stay true: however it ends, the host is told once, the handler is closed once, and the deadline's timer,
 * the process id and the slot are given back.
 */

import type {Socket} from 'node:net';
import {Channel, type ChannelListener} from './channel.ts';
import {Handshake, type HandshakeHost} from './handshake.ts';
import type {ConnectionControl, ErrorFields, SessionHandler} from './handler.ts';
import {asFatal, errorFields, isInternal} from './protocol-error.ts';
import {SessionLoop, type SessionOwner} from './session-loop.ts';

export interface ConnectionHost extends HandshakeHost {
    readonly messageBytesMax: number;
    readonly startupMsMax: number;
    /** The client has authenticated: it counts among the sessions from now on. */
    admitted(connection: Connection): void;
    /** The connection is over and its handler closed. */
    closed(connection: Connection): void;
    report(error: unknown): void;
}

const STARTUP_TIMEOUT: ErrorFields = {
    severity: 'FATAL',
    code: '57014',
    message: 'canceling authentication due to timeout',
};

const SHUTTING_DOWN: ErrorFields = {
    severity: 'FATAL',
    code: '57P03',
    message: 'the database system is shutting down',
};

export class Connection implements ConnectionControl, ChannelListener, SessionOwner {
    readonly processId: number;
    readonly remoteAddress: string;
    readonly remotePort: number;
    readonly #host: ConnectionHost;
    readonly #channel: Channel;
    readonly #handshake: Handshake;
    readonly #deadline: NodeJS.Timeout;
    #session: SessionLoop | undefined;
    #started = false;
    /** Settles when the handshake has ended: until then a handler may still come to be. */
    #handshaking: Promise<void> = Promise.resolve();
    #lateClose: Promise<void> | undefined;

    constructor(socket: Socket, host: ConnectionHost) {
        this.#host = host;
        this.#channel = new Channel(socket, host.messageBytesMax, this);
        this.remoteAddress = this.#channel.remoteAddress;
        this.remotePort = this.#channel.remotePort;
        this.processId = host.keys.register(() => this.#session?.cancel());
        this.#handshake = new Handshake(this.#channel, this, host);
        this.#deadline = setTimeout(() => this.terminate(STARTUP_TIMEOUT), host.startupMsMax);
    }

    /** Runs the handshake and starts the session. */
    run(): void {
        this.#handshaking = this.#run();
    }

    async #run(): Promise<void> {
        try {
            const open = await this.#handshake.run(
                () => this.#host.admitted(this),
                (handler) => this.#openSession(handler),
            );
            if (!open) {
                this.finish();
                return;
            }
            clearTimeout(this.#deadline);
            this.#started = true;
            this.#session?.start();
        } catch (error) {
            if (isInternal(error)) {
                this.#host.report(error);
            }
            this.terminate(asFatal(errorFields(error)));
        }
    }

    terminate(fields: ErrorFields): void {
        if (this.#channel.gone) {
            return;
        }
        this.#channel.writer.abandonRow();
        this.#channel.writer.errorResponse(fields);
        this.#channel.end();
    }

    /** As `terminate`, but lets the message in hand end first. */
    stop(fields: ErrorFields): void {
        if (this.#session !== undefined && this.#started) {
            this.#session.stop(fields);
        } else {
            this.terminate(SHUTTING_DOWN);
        }
    }

    finish(): void {
        this.#channel.end();
    }

    report(error: unknown): void {
        this.#host.report(error);
    }

    // The channel's events.

    onReceived(): void {
        if (this.#started) {
            this.#session?.pump();
        } else {
            this.#handshake.wake();
        }
    }

    onCaughtUp(): void {
        if (this.#started) {
            this.#session?.pump();
        }
    }

    onGone(): void {
        clearTimeout(this.#deadline);
        this.#host.keys.release(this.processId);
        this.#handshake.wake();
        void this.#close();
    }

    /** A handler may come to be after its client has gone: it is closed at once. */
    #openSession(handler: SessionHandler): void {
        this.#session = new SessionLoop(this.#channel, handler, this);
        if (this.#channel.gone) {
            this.#lateClose = this.#session.lose();
        }
    }

    async #close(): Promise<void> {
        await this.#session?.lose();
        await this.#handshaking;
        await this.#lateClose;
        this.#host.closed(this);
    }
}
