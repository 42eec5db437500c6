/**
 * A PostgreSQL client without conveniences: sends protocol messages and hands back the server's, so that tests see
 * tags, type oids and text values exactly as sent. Trust authentication only.
 */
import {connect as connectSocket} from 'node:net';
import {DatabaseError, parse, serialize} from 'pg-protocol';
import {outcomesOf} from './outcome.ts';
import type {Socket} from 'node:net';
import type {
    BackendKeyDataMessage,
    BackendMessage,
    CopyDataMessage,
    NotificationResponseMessage,
    ParameterStatusMessage,
} from 'pg-protocol/dist/messages.js';
import type {Answerer, Outcome} from './outcome.ts';

export interface WireClientOptions {
    readonly port: number;
    readonly user: string;
    readonly database: string;
    readonly parameters?: Readonly<Record<string, string>>;
}

export interface Notification {
    readonly channel: string;
    readonly payload: string;
    readonly processId: number;
}

interface RoundTrip {
    readonly messages: BackendMessage[];
    readonly resolve: (messages: BackendMessage[]) => void;
    readonly reject: (error: Error) => void;
    /** Data of COPY … FROM STDIN, sent when the server asks. */
    readonly copyIn: (() => Promise<void>) | undefined;
}

export class WireClient implements Answerer {
    readonly #socket: Socket;
    #roundTrip: RoundTrip | undefined;
    #closed: Error | undefined;
    /** Everything that came by NotificationResponse, oldest first. */
    readonly notifications: Notification[] = [];
    readonly parameters = new Map<string, string>();
    processId = 0;

    private constructor(socket: Socket) {
        this.#socket = socket;
        socket.on('error', (error) => this.#fail(error));
        socket.on('close', () => this.#fail(new Error('the server closed the connection')));
        parse(socket, (message) => this.#receive(message)).catch(() => undefined);
    }

    static async connect({port, user, database, parameters = {}}: WireClientOptions): Promise<WireClient> {
        const socket = connectSocket({host: '127.0.0.1', port, noDelay: true});
        const client = new WireClient(socket);
        const startup = serialize.startup({user, database, client_encoding: 'UTF8', ...parameters});
        const messages = await client.#exchange([startup]);
        const refusal = messages.find((message) => message instanceof DatabaseError);
        if (refusal !== undefined) throw refusal;
        return client;
    }

    /** One statement by the extended protocol, with text parameters. */
    async run(sql: string, values: readonly (string | null)[] = []): Promise<Outcome> {
        const messages = await this.#exchange([
            serialize.parse({text: sql}),
            serialize.bind({values: [...values]}),
            serialize.describe({type: 'P'}),
            serialize.execute(),
            serialize.sync(),
        ]);
        return only(outcomesOf(messages), sql);
    }

    /** Any number of statements by the simple protocol. */
    async simple(sql: string): Promise<Outcome[]> {
        return outcomesOf(await this.#exchange([serialize.query(sql)]));
    }

    /** Runs statements that must not fail. */
    async execute(sql: string): Promise<Outcome[]> {
        const outcomes = await this.simple(sql);
        for (const {sqlstate, message} of outcomes) {
            if (sqlstate !== undefined) throw new Error(`${sqlstate} ${message} in: ${sql.slice(0, 200)}`);
        }
        return outcomes;
    }

    /** Rows of a query that must not fail. */
    async rows(sql: string): Promise<Outcome['rows']> {
        return (await this.execute(sql))[0]?.rows ?? [];
    }

    async copyIn(sql: string, chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<Outcome> {
        const send = async (): Promise<void> => {
            for await (const chunk of chunks) await this.#write(serialize.copyData(chunk));
            await this.#write(serialize.copyDone());
        };
        return only(outcomesOf(await this.#exchange([serialize.query(sql)], send)), sql);
    }

    /** The data of COPY … TO STDOUT. */
    async copyOut(sql: string): Promise<Buffer> {
        const messages = await this.#exchange([serialize.query(sql)]);
        const failure = messages.find((message) => message instanceof DatabaseError);
        if (failure !== undefined) throw failure;
        const data = messages.filter((message) => message.name === 'copyData') as CopyDataMessage[];
        return Buffer.concat(data.map(({chunk}) => chunk));
    }

    async close(): Promise<void> {
        if (this.#closed !== undefined) return;
        const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
        this.#socket.end(serialize.end());
        await closed;
    }

    #exchange(messages: readonly Buffer[], copyIn?: () => Promise<void>): Promise<BackendMessage[]> {
        if (this.#closed !== undefined) return Promise.reject(this.#closed);
        if (this.#roundTrip !== undefined) return Promise.reject(new Error('one round trip at a time'));
        return new Promise((resolve, reject) => {
            this.#roundTrip = {messages: [], resolve, reject, copyIn};
            this.#socket.write(Buffer.concat(messages));
        });
    }

    #receive(message: BackendMessage): void {
        const roundTrip = this.#roundTrip;
        switch (message.name) {
            case 'notification': {
                const {channel, payload, processId} = message as NotificationResponseMessage;
                this.notifications.push({channel, payload, processId});
                return;
            }
            case 'parameterStatus': {
                const {parameterName, parameterValue} = message as ParameterStatusMessage;
                this.parameters.set(parameterName, parameterValue);
                return;
            }
            case 'backendKeyData':
                this.processId = (message as BackendKeyDataMessage).processID;
                return;
            case 'copyInResponse':
                roundTrip?.copyIn?.().catch((error: Error) => this.#fail(error));
                return;
            case 'readyForQuery':
                this.#roundTrip = undefined;
                roundTrip?.resolve(roundTrip.messages);
                return;
            default:
                roundTrip?.messages.push(message);
        }
    }

    /** A FATAL error before the first ReadyForQuery is an answer; any other end of the connection is a failure. */
    #fail(error: Error): void {
        this.#closed ??= error;
        const roundTrip = this.#roundTrip;
        this.#roundTrip = undefined;
        const last = roundTrip?.messages.at(-1);
        if (last instanceof DatabaseError) roundTrip?.reject(last);
        else roundTrip?.reject(error);
    }

    async #write(bytes: Buffer): Promise<void> {
        if (this.#socket.write(bytes)) return;
        await new Promise<void>((resolve) => this.#socket.once('drain', () => resolve()));
    }
}

function only(outcomes: readonly Outcome[], sql: string): Outcome {
    const [outcome] = outcomes;
    if (outcome === undefined || outcomes.length !== 1) throw new Error(`${outcomes.length} outcomes of: ${sql}`);
    return outcome;
}
