/**
 * A client that sends bytes as a test wants them, and reads the server's messages one by one.
 */

import {connect, type Socket} from 'node:net';
import {serialize} from 'pg-protocol';

export interface ServerMessage {
    /** One character, as the documentation names it. */
    readonly type: string;
    readonly body: Buffer;
}

const DEADLINE_MS = 10_000;

export class RawClient {
    readonly socket: Socket;
    closed = false;
    #bytes = Buffer.alloc(0);
    #wake: (() => void) | undefined;

    constructor(socket: Socket) {
        this.socket = socket;
        socket.on('data', (chunk: Buffer) => {
            this.#bytes = Buffer.concat([this.#bytes, chunk]);
            this.#wake?.();
        });
        socket.on('error', () => {});
        socket.on('close', () => {
            this.closed = true;
            this.#wake?.();
        });
    }

    static connect(port: number): Promise<RawClient> {
        return new Promise((resolve, reject) => {
            const socket = connect({port, host: '127.0.0.1', noDelay: true}, () => resolve(new RawClient(socket)));
            socket.once('error', reject);
        });
    }

    /** Connects and waits for the first ReadyForQuery. */
    static async open(port: number, user = 'alice'): Promise<RawClient> {
        const client = await RawClient.connect(port);
        client.send(startup({user}));
        await client.until('Z');
        return client;
    }

    send(...parts: readonly Uint8Array[]): void {
        this.socket.write(Buffer.concat(parts));
    }

    /** Sends the bytes in two writes that arrive apart. */
    async sendSplit(bytes: Uint8Array, at: number): Promise<void> {
        this.socket.write(bytes.subarray(0, at));
        await pause(1);
        this.socket.write(bytes.subarray(at));
    }

    async byte(): Promise<string> {
        await this.#have(() => this.#bytes.length >= 1);
        const byte = this.#bytes.toString('latin1', 0, 1);
        this.#bytes = this.#bytes.subarray(1);
        return byte;
    }

    async message(): Promise<ServerMessage> {
        await this.#have(() => this.#bytes.length >= 5 && this.#bytes.length >= 1 + this.#bytes.readUInt32BE(1));
        const end = 1 + this.#bytes.readUInt32BE(1);
        const message = {type: this.#bytes.toString('latin1', 0, 1), body: this.#bytes.subarray(5, end)};
        this.#bytes = this.#bytes.subarray(end);
        return message;
    }

    /** Messages up to and with the first of this type. */
    async until(type: string): Promise<ServerMessage[]> {
        const messages: ServerMessage[] = [];
        for (;;) {
            const message = await this.message();
            messages.push(message);
            if (message.type === type) {
                return messages;
            }
        }
    }

    /** The types of the messages up to and with the first of this type. */
    async types(until: string): Promise<string> {
        return (await this.until(until)).map(({type}) => type).join('');
    }

    /** The fields of the next ErrorResponse. */
    async error(): Promise<Record<string, string>> {
        const message = (await this.until('E')).at(-1);
        return errorOf(message?.body ?? Buffer.alloc(0));
    }

    /** Resolves when the server has closed the connection; returns the bytes that were not read as messages. */
    async end(): Promise<Buffer> {
        await this.#have(() => this.closed);
        return this.#bytes;
    }

    close(): void {
        this.socket.destroy();
    }

    async #have(condition: () => boolean): Promise<void> {
        const deadline = Date.now() + DEADLINE_MS;
        while (!condition()) {
            if (this.closed) {
                throw new Error(`the connection was closed with ${this.#bytes.length} bytes left`);
            }
            if (Date.now() > deadline) {
                throw new Error(`nothing came; ${this.#bytes.length} bytes are left`);
            }
            await new Promise<void>((resolve) => {
                this.#wake = resolve;
                setTimeout(resolve, 100);
            });
        }
    }
}

export function errorOf(body: Buffer): Record<string, string> {
    const fields: Record<string, string> = {};
    for (const field of body.toString('utf8').split('\0')) {
        if (field !== '') {
            fields[field.charAt(0)] = field.slice(1);
        }
    }
    return fields;
}

export function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
        setTimeout(resolve, milliseconds);
    });
}

/** Waits until the value has stopped changing, and returns it. */
export async function settled(value: () => number): Promise<number> {
    let last = value();
    let unchangedTimes = 0;
    while (unchangedTimes < 10) {
        await pause(20);
        const now = value();
        unchangedTimes = now === last ? unchangedTimes + 1 : 0;
        last = now;
    }
    return last;
}

/** Waits until the condition holds. */
export async function eventually(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!condition()) {
        if (Date.now() > deadline) {
            throw new Error('it never happened');
        }
        await pause(2);
    }
}

/** A start-up packet with any version and parameters. */
export function startup(parameters: Readonly<Record<string, string>>, version = 0x0003_0000): Buffer {
    const text = Object.entries(parameters)
        .map(([name, value]) => `${name}\0${value}\0`)
        .join('');
    return startupPacket(version, Buffer.from(`${text}\0`));
}

export function startupPacket(code: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
    const header = Buffer.alloc(8);
    header.writeInt32BE(8 + body.length);
    header.writeUInt32BE(code, 4);
    return Buffer.concat([header, body]);
}

export const SSL_REQUEST = startupPacket(80_877_103);
export const GSSENC_REQUEST = startupPacket(80_877_104);

export function cancelRequest(processId: number, secret: Uint8Array): Buffer {
    const id = Buffer.alloc(4);
    id.writeInt32BE(processId);
    return startupPacket(80_877_102, Buffer.concat([id, secret]));
}

/** Any message, right or wrong. */
export function frame(type: string, body: Uint8Array | string = '', length?: number): Buffer {
    const bytes = Buffer.from(body);
    const header = Buffer.alloc(5);
    header.write(type, 'latin1');
    header.writeUInt32BE(length ?? bytes.length + 4, 1);
    return Buffer.concat([header, bytes]);
}

/** Parse, Bind, Execute of the unnamed statement. */
export function extended(sql: string, values: (string | null)[] = []): Buffer {
    return Buffer.concat([serialize.parse({text: sql}), serialize.bind({values}), serialize.execute({})]);
}

export const sync = serialize.sync;
export const query = serialize.query;
