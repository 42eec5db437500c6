/**
 * From the first byte of a connection to an open session, as one straight procedure: encryption, start-up packet,
 * negotiation, authentication, the session, its parameters and its cancel key.
 *
 * What must stay true:
 * - No plaintext byte that came before TLS is read after it.
 * - Nothing is allocated for a client that has not authenticated beyond small fixed bounds.
 * - A slot among `connectionsMax` is taken only by an authenticated client, and the refusal comes after the start-up
 *   packet, so that drivers show its text.
 */

import type {SecureContext} from 'node:tls';
import {authenticate} from './authentication.ts';
import type {Channel} from './channel.ts';
import type {Acceptor, ConnectionControl, SessionHandler, StartupRequest} from './handler.ts';
import {connectionLost, protocolViolation} from './protocol-error.ts';
import type {SessionKeys} from './session-keys.ts';
import {authenticationOk, backendKeyData, negotiateProtocolVersion} from './startup-messages.ts';
import {readStartupPacket, repeatedRequest, type StartupMessage, startupRequest} from './startup-packet.ts';

const TLS_HANDSHAKE_RECORD = 0x16;
const YES = Buffer.from('S');
const NO = Buffer.from('N');

export interface HandshakeHost {
    readonly acceptor: Acceptor;
    readonly tls: SecureContext | undefined;
    readonly keys: SessionKeys;
    readonly mockKey: Buffer;
    /** Throws FATAL 53300 when all slots are taken. */
    checkSlots(): void;
}

export class Handshake {
    readonly #channel: Channel;
    readonly #control: ConnectionControl;
    readonly #host: HandshakeHost;
    #waiting: PromiseWithResolvers<void> | undefined;

    constructor(channel: Channel, control: ConnectionControl, host: HandshakeHost) {
        this.#channel = channel;
        this.#control = control;
        this.#host = host;
    }

    /** Bytes have come, or the connection is gone. */
    wake(): void {
        const waiting = this.#waiting;
        this.#waiting = undefined;
        waiting?.resolve();
    }

    /**
     * Resolves to the session's handler with everything written up to, not including, the first ReadyForQuery; to
     * undefined when the connection was a CancelRequest. `opened` is called as soon as there is a handler, in the same
     * turn, so that it is closed whatever happens next. Throws the error to send.
     */
    async run(admit: () => void, opened: (handler: SessionHandler) => void): Promise<boolean> {
        const message = await this.#negotiateEncryption();
        if (message === undefined) {
            return false;
        }
        const {writer, reader} = this.#channel;
        this.#host.checkSlots();
        if (message.negotiate) {
            writer.raw(negotiateProtocolVersion(message.protocolMinor, message.unknownOptions));
        }
        reader.mode = 'authentication';
        const request = startupRequest(message, this.#channel.remoteAddress);
        const method = await this.#host.acceptor.authenticate(request);
        await authenticate(request.user, method, {
            channel: this.#channel,
            nextFrame: () => this.#nextFrame(),
            mockKey: this.#host.mockKey,
        });
        this.#mustLive();
        this.#host.checkSlots();
        admit();
        await this.#open(request, opened);
        return true;
    }

    async #open(request: StartupRequest, opened: (handler: SessionHandler) => void): Promise<void> {
        const {writer} = this.#channel;
        writer.raw(authenticationOk());
        const session = await this.#host.acceptor.open(request, writer, this.#control);
        opened(session.handler);
        this.#mustLive();
        for (const [name, value] of session.parameters) {
            writer.parameterStatus(name, value);
        }
        const {processId} = this.#control;
        writer.raw(backendKeyData(processId, this.#host.keys.issueSecret(processId, request.protocolMinor)));
    }

    /** Answers requests for encryption until the start-up message comes; undefined after a CancelRequest. */
    async #negotiateEncryption(): Promise<StartupMessage | undefined> {
        const channel = this.#channel;
        const {tls} = this.#host;
        const asked = new Set<'ssl' | 'gss'>();
        await this.#firstBytes();
        if (tls !== undefined && channel.reader.peekByte() === TLS_HANDSHAKE_RECORD) {
            asked.add('ssl').add('gss');
            if (!(await channel.upgrade(tls, true)).alpn) {
                throw protocolViolation(
                    'received direct SSL connection request without ALPN protocol negotiation extension',
                );
            }
        }
        for (;;) {
            await this.#nextFrame();
            const {buffer, start, end} = channel.reader;
            const packet = readStartupPacket(buffer, start, end);
            if (packet.kind === 'startup') {
                return packet;
            }
            if (packet.kind === 'cancel') {
                this.#host.keys.cancel(packet.processId, packet.secret);
                return undefined;
            }
            if (asked.has(packet.kind)) {
                throw repeatedRequest(packet.kind);
            }
            asked.add(packet.kind);
            if (packet.kind === 'ssl' && tls !== undefined) {
                await this.#startTls(tls);
                asked.add('gss');
            } else {
                channel.writer.raw(NO);
                channel.writer.flush();
            }
        }
    }

    async #startTls(tls: SecureContext): Promise<void> {
        if (!this.#channel.reader.empty) {
            throw protocolViolation(
                'received unencrypted data after SSL request',
                'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
            );
        }
        this.#channel.writer.raw(YES);
        this.#channel.writer.flush();
        await this.#channel.upgrade(tls, false);
    }

    async #firstBytes(): Promise<void> {
        while (this.#channel.reader.empty) {
            await this.#moreBytes();
        }
    }

    async #nextFrame(): Promise<void> {
        this.#mustLive();
        while (!this.#channel.reader.next()) {
            await this.#moreBytes();
        }
    }

    async #moreBytes(): Promise<void> {
        this.#channel.regulate();
        this.#mustLive();
        this.#waiting = Promise.withResolvers();
        await this.#waiting.promise;
        this.#mustLive();
    }

    #mustLive(): void {
        if (this.#channel.gone) {
            throw connectionLost();
        }
    }
}
