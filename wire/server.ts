/**
 * Listens for clients, bounds how many there are, and shuts them down.
 *
 * What must stay true:
 * - Clients that have not authenticated are counted apart from sessions: they cannot use up the sessions' slots.
 * - `shutdown` ends within its grace and a fixed bound, whatever clients and handlers do.
 */

import {strict as assert} from 'node:assert';
import {randomBytes} from 'node:crypto';
import {createServer, type Server, type Socket} from 'node:net';
import type {SecureContext} from 'node:tls';
import {Connection, type ConnectionHost} from './connection.ts';
import {encodeErrorBody} from './error-response.ts';
import {MESSAGE_BYTES_MAX_DEFAULT} from './frame-reader.ts';
import type {Acceptor, ErrorFields} from './handler.ts';
import {ERROR_RESPONSE} from './message-types.ts';
import {ProtocolError} from './protocol-error.ts';
import {SessionKeys} from './session-keys.ts';

export interface WireServerOptions {
    readonly acceptor: Acceptor;
    /** Made by `tls.createSecureContext`. Without it SSLRequest is answered N. */
    readonly tls?: SecureContext | undefined;
    /** The largest message that carries data. Default: PostgreSQL's 1 GiB. */
    readonly messageBytesMax?: number | undefined;
    /** From accept to the first ReadyForQuery. Default: 60 s. */
    readonly startupMsMax?: number | undefined;
    /** Sessions. Default: 100. */
    readonly connectionsMax?: number | undefined;
    /** Clients that have not authenticated. Default: 100. */
    readonly unauthenticatedMax?: number | undefined;
    /** Hears of bugs: errors that are none of PostgreSQL's, and XX000. Default: a process warning. */
    readonly report?: ((error: unknown) => void) | undefined;
}

const STARTUP_MS_MAX_DEFAULT = 60_000;
const CONNECTIONS_MAX_DEFAULT = 100;
const UNAUTHENTICATED_MAX_DEFAULT = 100;
/** Sockets that linger after their last error come on top of the connections. */
const LINGERING_MAX = 100;
/** How long handlers may take to close after the grace of a shutdown. */
const CLOSE_MS_MAX = 5000;
const LISTEN_BACKLOG = 1024;

const TOO_MANY_CLIENTS = 'sorry, too many clients already';
const ADMINISTRATOR_COMMAND: ErrorFields = {
    severity: 'FATAL',
    code: '57P01',
    message: 'terminating connection due to administrator command',
};

export class WireServer {
    readonly #server: Server;
    readonly #connections = new Set<Connection>();
    readonly #sessions = new Set<Connection>();
    readonly #connectionsMax: number;
    readonly #unauthenticatedMax: number;
    readonly #host: ConnectionHost;
    #closing = false;
    #whenEmpty: PromiseWithResolvers<void> | undefined;

    constructor(options: WireServerOptions) {
        this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT;
        this.#unauthenticatedMax = options.unauthenticatedMax ?? UNAUTHENTICATED_MAX_DEFAULT;
        this.#host = {
            acceptor: options.acceptor,
            tls: options.tls,
            keys: new SessionKeys(),
            mockKey: randomBytes(32),
            messageBytesMax: options.messageBytesMax ?? MESSAGE_BYTES_MAX_DEFAULT,
            startupMsMax: options.startupMsMax ?? STARTUP_MS_MAX_DEFAULT,
            checkSlots: () => this.#checkSlots(),
            admitted: (connection) => this.#sessions.add(connection),
            closed: (connection) => this.#closed(connection),
            report: options.report ?? ((error) => process.emitWarning(error instanceof Error ? error : String(error))),
        };
        assert(this.#host.messageBytesMax <= MESSAGE_BYTES_MAX_DEFAULT, 'messageBytesMax is above 1 GiB');
        this.#server = createServer({noDelay: true}, (socket) => this.#accept(socket));
        this.#server.maxConnections = this.#connectionsMax + this.#unauthenticatedMax + LINGERING_MAX;
    }

    /** Sessions: clients that have authenticated. */
    get connections(): number {
        return this.#sessions.size;
    }

    /** Clients that have not authenticated yet. */
    get unauthenticated(): number {
        return this.#connections.size - this.#sessions.size;
    }

    /** Port 0 takes any free port. Rejects when the address cannot be had. */
    listen(host: string, port: number): Promise<{readonly port: number}> {
        return new Promise((resolve, reject) => {
            this.#server.once('error', reject);
            this.#server.listen({host, port, backlog: LISTEN_BACKLOG}, () => {
                this.#server.off('error', reject);
                // An error of accepting one client (no file descriptors left) must not end the server.
                this.#server.on('error', (error) => this.#host.report(error));
                const address = this.#server.address();
                assert(typeof address === 'object' && address !== null);
                resolve({port: address.port});
            });
        });
    }

    stopAccepting(): void {
        this.#closing = true;
        if (this.#server.listening) {
            this.#server.close();
        }
    }

    /** Sends everyone a FATAL error and closes, without waiting for the messages in hand. */
    closeAll(fields: ErrorFields = ADMINISTRATOR_COMMAND): void {
        for (const connection of this.#connections) {
            connection.terminate(fields);
        }
    }

    /**
     * Stops accepting; idle clients are told to go (57P01), busy ones after the messages in hand, all of them after
     * `graceMs`. Resolves when every handler has closed, or did not within CLOSE_MS_MAX of the grace's end.
     */
    async shutdown(graceMs: number): Promise<void> {
        this.stopAccepting();
        for (const connection of this.#connections) {
            connection.stop(ADMINISTRATOR_COMMAND);
        }
        if (await this.#emptyWithin(graceMs)) {
            return;
        }
        this.closeAll();
        await this.#emptyWithin(CLOSE_MS_MAX);
    }

    async #emptyWithin(milliseconds: number): Promise<boolean> {
        if (this.#connections.size === 0) {
            return true;
        }
        this.#whenEmpty ??= Promise.withResolvers();
        const {promise, resolve} = Promise.withResolvers<boolean>();
        const timer = setTimeout(() => resolve(false), milliseconds);
        try {
            return await Promise.race([promise, this.#whenEmpty.promise.then(() => true)]);
        } finally {
            clearTimeout(timer);
        }
    }

    #accept(socket: Socket): void {
        if (this.#closing) {
            socket.destroy();
            return;
        }
        if (this.unauthenticated >= this.#unauthenticatedMax) {
            refuse(socket);
            return;
        }
        const connection = new Connection(socket, this.#host);
        this.#connections.add(connection);
        connection.run();
    }

    #checkSlots(): void {
        if (this.#sessions.size >= this.#connectionsMax) {
            throw new ProtocolError('FATAL', '53300', TOO_MANY_CLIENTS);
        }
    }

    #closed(connection: Connection): void {
        this.#connections.delete(connection);
        this.#sessions.delete(connection);
        if (this.#connections.size === 0) {
            this.#whenEmpty?.resolve();
            this.#whenEmpty = undefined;
        }
    }
}

/** Too many clients are in their start-up: this one is told so at once, at no further cost. */
function refuse(socket: Socket): void {
    const body = encodeErrorBody({severity: 'FATAL', code: '53300', message: TOO_MANY_CLIENTS});
    const header = Buffer.alloc(5);
    header[0] = ERROR_RESPONSE;
    header.writeInt32BE(body.length + 4, 1);
    socket.on('error', () => socket.destroy());
    socket.end(Buffer.concat([header, body]), () => socket.destroy());
}
