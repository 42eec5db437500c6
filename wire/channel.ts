/**
 * One socket with its reader and writer: bytes in, bytes out, back-pressure, the upgrade to TLS, and the end.
 *
 * What must stay true:
 * - Reading pauses when more than `waitingBytesMax` wait to be handled, and goes on at half of that.
 * - `onGone` is called once, whoever ended the connection, and nothing is read or written after it.
 * - A socket that we end is still read (and its bytes dropped) for a while, so that the client gets to see the last
 *   error instead of a reset; then it is destroyed.
 */

import {strict as assert} from 'node:assert';
import type {Socket} from 'node:net';
import {type SecureContext, TLSSocket} from 'node:tls';
import {FrameReader} from './frame-reader.ts';
import {HIGH_WATER_BYTES, MessageWriter, type WriterChannel} from './message-writer.ts';
import {connectionLost} from './protocol-error.ts';

export const WAITING_BYTES_MAX_START = 65_536;
export const WAITING_BYTES_MAX_SESSION = 1_048_576;
const LINGER_MS_MAX = 2000;
/** The name of the protocol in TLS's application-layer protocol negotiation (ALPN). */
const ALPN_PROTOCOL = 'postgresql';

export interface ChannelListener {
    /** New bytes are in the reader. */
    onReceived(): void;
    /** The client has caught up after the writer was congested. */
    onCaughtUp(): void;
    onGone(): void;
}

export class Channel implements WriterChannel {
    readonly reader: FrameReader;
    readonly writer: MessageWriter;
    readonly remoteAddress: string;
    readonly remotePort: number;
    readonly #listener: ChannelListener;
    #socket: Socket;
    #waitingBytesMax = WAITING_BYTES_MAX_START;
    #paused = false;
    #gone = false;
    #catchingUp: PromiseWithResolvers<void> | undefined;

    readonly #onData = (chunk: Buffer): void => this.#receive(chunk);
    readonly #onDrain = (): void => this.#drain();
    readonly #onEnd = (): void => this.#lose();

    constructor(socket: Socket, messageBytesMax: number, listener: ChannelListener) {
        this.#socket = socket;
        this.#listener = listener;
        this.remoteAddress = socket.remoteAddress ?? '';
        this.remotePort = socket.remotePort ?? 0;
        this.reader = new FrameReader(messageBytesMax);
        this.writer = new MessageWriter(this);
        socket.setNoDelay(true);
        this.#listen(socket);
    }

    get gone(): boolean {
        return this.#gone;
    }

    get secure(): boolean {
        return this.#socket instanceof TLSSocket;
    }

    get unsentBytes(): number {
        return this.#socket.writableLength;
    }

    set waitingBytesMax(bytes: number) {
        this.#waitingBytesMax = bytes;
    }

    send(bytes: Buffer): boolean {
        if (this.#gone) {
            return true;
        }
        this.#socket.write(bytes);
        // Node writes at once when it can; only what the operating system did not take counts here.
        return this.#socket.writableLength === 0;
    }

    caughtUp(): Promise<void> {
        if (this.#gone) {
            return Promise.reject(connectionLost());
        }
        if (this.unsentBytes <= HIGH_WATER_BYTES) {
            // A turn of the event loop, so that one long answer to a fast reader does not starve everyone else.
            return new Promise((resolve) => {
                setImmediate(resolve);
            });
        }
        this.#catchingUp ??= Promise.withResolvers();
        return this.#catchingUp.promise;
    }

    /** Pauses or resumes reading, by what waits to be handled. */
    regulate(): void {
        const waitingBytes = this.reader.waitingBytes;
        if (this.#paused) {
            if (waitingBytes <= this.#waitingBytesMax / 2 && !this.#gone) {
                this.#paused = false;
                this.#socket.resume();
            }
        } else if (waitingBytes > this.#waitingBytesMax) {
            this.#paused = true;
            this.#socket.pause();
        }
    }

    /** Sends what is buffered and closes; the client gets LINGER_MS_MAX to read it. */
    end(): void {
        if (this.#gone) {
            return;
        }
        this.writer.abandonRow();
        this.writer.flush();
        const socket = this.#socket;
        this.#lose();
        socket.end();
        socket.resume();
        const timer = setTimeout(() => socket.destroy(), LINGER_MS_MAX);
        socket.once('close', () => clearTimeout(timer));
    }

    destroy(): void {
        this.#socket.destroy();
        this.#lose();
    }

    /**
     * Goes on under TLS. `direct`: the client began with TLS instead of asking for it, and must have named the protocol
     * by ALPN. Resolves when the handshake is done.
     */
    async upgrade(secureContext: SecureContext, direct: boolean): Promise<{readonly alpn: boolean}> {
        const raw = this.#socket;
        assert(!this.secure, 'already secure');
        raw.pause();
        raw.off('data', this.#onData);
        raw.off('drain', this.#onDrain);
        raw.off('end', this.#onEnd);
        if (direct) {
            raw.unshift(this.reader.takeUnread());
        }
        assert(this.reader.empty, 'plaintext bytes before TLS');
        const secured = new TLSSocket(raw, {isServer: true, secureContext, ALPNProtocols: [ALPN_PROTOCOL]});
        this.#socket = secured;
        this.#listen(secured);
        await new Promise<void>((resolve, reject) => {
            secured.once('secure', resolve);
            secured.once('close', () => reject(connectionLost()));
        });
        return {alpn: secured.alpnProtocol === ALPN_PROTOCOL};
    }

    #listen(socket: Socket): void {
        socket.on('data', this.#onData);
        socket.on('drain', this.#onDrain);
        // A client that has closed its side is gone: nobody waits for the answer.
        socket.on('end', this.#onEnd);
        // The reason of a broken connection is of no use to anyone; 'close' follows.
        socket.on('error', this.#onEnd);
        socket.on('close', this.#onEnd);
    }

    #receive(chunk: Buffer): void {
        if (this.#gone) {
            return;
        }
        this.reader.push(chunk);
        this.#listener.onReceived();
        this.regulate();
    }

    #drain(): void {
        this.#catchingUp?.resolve();
        this.#catchingUp = undefined;
        if (!this.#gone) {
            this.#listener.onCaughtUp();
        }
    }

    #lose(): void {
        if (this.#gone) {
            return;
        }
        this.#gone = true;
        this.#catchingUp?.reject(connectionLost());
        this.#catchingUp = undefined;
        this.#listener.onGone();
    }
}
