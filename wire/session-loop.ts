/**
 * The message loop of an open session: one message at a time to the handler, in order; after an error in the extended
 * protocol, nothing until Sync; COPY data to whoever reads it.
 *
 * What must stay true:
 * - While handlers answer synchronously, no promise, closure or other object is made per message.
 * - While a handler's promise is pending (`#held`), no further message is handled, except those of its own COPY.
 * - ReadyForQuery follows every Query, Sync and refused function call, exactly once, also after an error.
 * - Nothing is handled for a client that does not read what it has already been sent.
 * - `lose` closes the handler once, even in the middle of a message.
 */

import {strict as assert} from 'node:assert';
import {BindDecoder} from './bind-decoder.ts';
import {type Channel, WAITING_BYTES_MAX_SESSION} from './channel.ts';
import {CopyInQueue} from './copy-in-queue.ts';
import type {Awaitable, CopyInData, ErrorFields, SessionHandler} from './handler.ts';
import {MessageCursor} from './message-cursor.ts';
import {
    BIND,
    CLOSE,
    COPY_DATA,
    COPY_DONE,
    COPY_FAIL,
    DESCRIBE,
    EXECUTE,
    FLUSH,
    FUNCTION_CALL,
    PARSE,
    QUERY,
    SYNC,
    TERMINATE,
} from './message-types.ts';
import {
    asFatal,
    connectionLost,
    errorFields,
    isFatal,
    isInternal,
    ProtocolError,
    protocolViolation,
} from './protocol-error.ts';
import {decodeUtf8} from './text.ts';

const STATEMENT = 0x53;
const PORTAL = 0x50;
/** A frame larger than this is not kept while the connection waits for the next one. */
const FRAME_BYTES_KEPT = 65_536;

export interface SessionOwner {
    /** The client said goodbye. */
    finish(): void;
    /** Sends a FATAL error and closes. */
    terminate(fields: ErrorFields): void;
    /** A bug came to light. */
    report(error: unknown): void;
}

export class SessionLoop {
    readonly #channel: Channel;
    readonly #handler: SessionHandler;
    readonly #owner: SessionOwner;
    readonly #cursor = new MessageCursor();
    readonly #bind = new BindDecoder();
    /** The type of the message in hand. */
    #type = 0;
    #held = false;
    #skipping = false;
    #pumping = false;
    #lost = false;
    /** A ReadyForQuery or Flush lies in the output: it must not wait for a pending handler. */
    #flushDue = false;
    #copyIn: CopyInQueue | undefined;
    #stopFields: ErrorFields | undefined;

    // Made once, so that holding back for a promise makes no closures.
    readonly #onFulfilled = (): void => this.#resume(true, undefined);
    readonly #onRejected = (error: unknown): void => this.#resume(false, error);
    readonly #onRecovered = (): void => this.#resumeAfterFailure();
    readonly #onRecoveryFailed = (error: unknown): void => this.#crash(error);

    constructor(channel: Channel, handler: SessionHandler, owner: SessionOwner) {
        this.#channel = channel;
        this.#handler = handler;
        this.#owner = owner;
        channel.waitingBytesMax = WAITING_BYTES_MAX_SESSION;
        channel.reader.mode = 'session';
        channel.writer.openCopyIn = () => this.#openCopyIn();
    }

    /** True while the handler works on a message, or the client must read before the next one. */
    get busy(): boolean {
        return this.#held || this.#channel.writer.congested;
    }

    /** The first ReadyForQuery. */
    start(): void {
        try {
            this.#ready();
        } catch (error) {
            this.#crash(error);
        }
        this.pump();
    }

    /** Handles what has been received, as far as it may be handled now. */
    pump(): void {
        if (this.#pumping) {
            return;
        }
        this.#pumping = true;
        const {reader, writer} = this.#channel;
        try {
            while (this.#mayRead() && reader.next()) {
                if (this.#copyIn === undefined) {
                    this.#handle(reader.type);
                } else {
                    this.#routeCopy(this.#copyIn, reader.type);
                }
            }
            if (!this.#held || this.#flushDue) {
                this.#flushDue = false;
                writer.flush();
            }
        } catch (error) {
            this.#crash(error);
        }
        this.#pumping = false;
        if (this.#lost) {
            return;
        }
        if (!this.#held) {
            this.#idle();
        }
        this.#channel.regulate();
    }

    cancel(): void {
        try {
            this.#handler.cancel();
        } catch (error) {
            this.#owner.report(error);
        }
    }

    /** Ends the session with these fields as soon as the message in hand is done. */
    stop(fields: ErrorFields): void {
        this.#stopFields = fields;
        if (!this.busy) {
            this.#owner.terminate(fields);
        }
    }

    /** The connection is gone or going. Resolves when the handler has released everything. */
    async lose(): Promise<void> {
        assert(!this.#lost, 'lost twice');
        this.#lost = true;
        this.#endCopyIn(connectionLost());
        if (this.#held) {
            this.cancel();
        }
        try {
            await this.#handler.close();
        } catch (error) {
            this.#owner.report(error);
        }
    }

    #mayRead(): boolean {
        if (this.#lost) {
            return false;
        }
        if (this.#held) {
            return this.#copyIn !== undefined && !this.#copyIn.full;
        }
        const writer = this.#channel.writer;
        if (writer.congested) {
            writer.flush();
            // 'drain' brings us back.
            return !writer.congested;
        }
        return true;
    }

    #handle(type: number): void {
        if (this.#skipping) {
            if (type === TERMINATE) {
                this.#owner.finish();
                return;
            }
            if (type !== SYNC) {
                return;
            }
            this.#skipping = false;
        }
        this.#type = type;
        let pending: Awaitable<void>;
        try {
            pending = this.#dispatch(type);
            if (pending === undefined) {
                if (this.#copyIn !== undefined) {
                    this.#endCopyIn(undefined);
                }
                if (type === SYNC || type === QUERY) {
                    this.#ready();
                }
                return;
            }
        } catch (error) {
            this.#fail(error);
            return;
        }
        this.#held = true;
        pending.then(this.#onFulfilled, this.#onRejected);
    }

    #dispatch(type: number): Awaitable<void> {
        const {reader} = this.#channel;
        const cursor = this.#cursor;
        cursor.reset(reader.buffer, reader.start, reader.end);
        switch (type) {
            case BIND: {
                const portal = cursor.name();
                const statement = cursor.name();
                return this.#handler.bind(portal, statement, this.#bind.decode(cursor));
            }
            case EXECUTE: {
                const portal = cursor.name();
                const rowsMax = cursor.int32();
                cursor.finish();
                // PostgreSQL takes any number below one for "all".
                return this.#handler.execute(portal, Math.max(0, rowsMax));
            }
            case SYNC:
                cursor.finish();
                return this.#handler.sync();
            case QUERY:
                return this.#handler.query(this.#queryText());
            case PARSE:
                return this.#parse();
            case DESCRIBE:
                return this.#describe();
            case CLOSE:
                return this.#close();
            case FLUSH:
                cursor.finish();
                this.#flushDue = true;
                return undefined;
            case TERMINATE:
                this.#owner.finish();
                return undefined;
            case FUNCTION_CALL:
                throw new ProtocolError('ERROR', '0A000', 'fastpath function calls are not supported');
            case COPY_DATA:
            case COPY_DONE:
            case COPY_FAIL:
                // The rest of a COPY that has already failed.
                return undefined;
            default:
                throw protocolViolation(`invalid frontend message type ${type}`);
        }
    }

    /** The text ends at the body's end: no search for its zero byte. */
    #queryText(): string {
        const {buffer, start, end} = this.#channel.reader;
        if (end === start || buffer[end - 1] !== 0) {
            throw protocolViolation('invalid string in message');
        }
        const text = decodeUtf8(buffer, start, end - 1);
        if (text.includes('\0')) {
            throw protocolViolation('invalid message format');
        }
        return text;
    }

    #parse(): Awaitable<void> {
        const cursor = this.#cursor;
        const name = cursor.name();
        const sql = cursor.cstring();
        const count = cursor.uint16();
        const parameterTypes: number[] = [];
        for (let index = 0; index < count; index += 1) {
            parameterTypes.push(cursor.uint32());
        }
        cursor.finish();
        return this.#handler.parse(name, sql, parameterTypes);
    }

    #describe(): Awaitable<void> {
        const kind = this.#cursor.byte();
        const name = this.#cursor.name();
        this.#cursor.finish();
        if (kind === STATEMENT) {
            return this.#handler.describeStatement(name);
        }
        if (kind === PORTAL) {
            return this.#handler.describePortal(name);
        }
        throw new ProtocolError('ERROR', '08P01', `invalid DESCRIBE message subtype ${kind}`);
    }

    #close(): Awaitable<void> {
        const kind = this.#cursor.byte();
        const name = this.#cursor.name();
        this.#cursor.finish();
        if (kind === STATEMENT) {
            return this.#handler.closeStatement(name);
        }
        if (kind === PORTAL) {
            return this.#handler.closePortal(name);
        }
        throw new ProtocolError('ERROR', '08P01', `invalid CLOSE message subtype ${kind}`);
    }

    /** Sends the error and rolls back; goes on when the handler has. */
    #fail(error: unknown): void {
        this.#endCopyIn(undefined);
        const fields = errorFields(error);
        if (isInternal(error)) {
            this.#owner.report(error);
        }
        if (isFatal(fields)) {
            this.#owner.terminate(fields);
            return;
        }
        const {writer} = this.#channel;
        writer.abandonRow();
        writer.errorResponse(fields);
        let pending: Awaitable<void>;
        try {
            pending = this.#handler.failed(error);
        } catch (failure) {
            this.#crash(failure);
            return;
        }
        if (pending === undefined) {
            this.#afterFailure();
        } else {
            this.#held = true;
            pending.then(this.#onRecovered, this.#onRecoveryFailed);
        }
    }

    #afterFailure(): void {
        if (this.#type === QUERY || this.#type === SYNC || this.#type === FUNCTION_CALL) {
            this.#ready();
        } else {
            this.#skipping = true;
        }
    }

    #resume(fulfilled: boolean, error: unknown): void {
        this.#held = false;
        if (this.#lost) {
            return;
        }
        this.#endCopyIn(undefined);
        try {
            if (!fulfilled) {
                this.#fail(error);
            } else if (this.#type === SYNC || this.#type === QUERY) {
                this.#ready();
            }
        } catch (failure) {
            this.#crash(failure);
        }
        this.pump();
    }

    #resumeAfterFailure(): void {
        this.#held = false;
        if (this.#lost) {
            return;
        }
        try {
            this.#afterFailure();
        } catch (failure) {
            this.#crash(failure);
        }
        this.pump();
    }

    #ready(): void {
        if (this.#lost) {
            return;
        }
        this.#handler.beforeReady();
        this.#channel.writer.readyForQuery(this.#handler.transactionStatus());
        this.#flushDue = true;
        if (this.#stopFields !== undefined) {
            this.#owner.terminate(this.#stopFields);
        }
    }

    /** Everything that was received is handled. */
    #idle(): void {
        const {reader} = this.#channel;
        if (reader.buffer.length > FRAME_BYTES_KEPT) {
            reader.release();
            this.#bind.release();
            this.#cursor.reset(reader.buffer, 0, 0);
        }
        if (this.#stopFields !== undefined && !this.busy) {
            this.#owner.terminate(this.#stopFields);
        }
    }

    /** The state of the session is unknown: it cannot go on. */
    #crash(error: unknown): void {
        if (this.#lost) {
            return;
        }
        if (isInternal(error)) {
            this.#owner.report(error);
        }
        this.#owner.terminate(asFatal(errorFields(error)));
    }

    // COPY … FROM STDIN.

    #openCopyIn(): CopyInData {
        assert(this.#copyIn === undefined, 'one COPY at a time');
        const queue = new CopyInQueue(() => this.pump());
        if (this.#lost) {
            queue.fail(connectionLost());
        } else {
            this.#copyIn = queue;
            // A client that did not wait for the answer has sent data already, and nothing more comes to wake us.
            queueMicrotask(() => {
                if (!this.#lost && this.#copyIn === queue) {
                    this.pump();
                }
            });
        }
        return queue;
    }

    #routeCopy(queue: CopyInQueue, type: number): void {
        const {reader} = this.#channel;
        switch (type) {
            case COPY_DATA:
                queue.push(reader.takeBody());
                return;
            case COPY_DONE:
                this.#copyIn = undefined;
                queue.finish();
                return;
            case COPY_FAIL: {
                this.#cursor.reset(reader.buffer, reader.start, reader.end);
                const reason = this.#cursor.cstring();
                this.#cursor.finish();
                this.#copyIn = undefined;
                queue.fail(new ProtocolError('ERROR', '57014', `COPY from stdin failed: ${reason}`));
                return;
            }
            case FLUSH:
            case SYNC:
                // libpq sends Sync right after Execute, before it knows that this is a COPY.
                return;
            case TERMINATE:
                this.#owner.finish();
                return;
            default:
                throw protocolViolation(
                    `unexpected message type 0x${type.toString(16).toUpperCase().padStart(2, '0')} during COPY from stdin`,
                );
        }
    }

    /** The handler is done with the COPY, or is to be told that no more comes. */
    #endCopyIn(error: unknown): void {
        const queue = this.#copyIn;
        this.#copyIn = undefined;
        if (queue !== undefined && error !== undefined) {
            queue.fail(error);
        }
    }
}
