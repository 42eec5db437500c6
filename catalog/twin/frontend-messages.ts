/**
 * Frontend messages of protocol 3.0, built for the twin: several messages make one batch, sent in one round trip.
 * Source: PostgreSQL documentation, section 54.7 (message formats).
 *
 * What must stay true: `take` gives a buffer that nobody else refers to, so that it can be transferred to the worker.
 */
import type {TwinParameter} from './twin-transaction.ts';

const INITIAL_BYTES = 1024;

export class FrontendBatch {
    #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    #length = 0;
    #messageStart = 0;

    get byteLength(): number {
        return this.#length;
    }

    query(sql: string): this {
        this.#begin(0x51);
        this.#cstring(sql);
        return this.#end();
    }

    parse(name: string, sql: string, parameterTypes: readonly number[]): this {
        this.#begin(0x50);
        this.#cstring(name);
        this.#cstring(sql);
        this.#int16(parameterTypes.length);
        for (const oid of parameterTypes) this.#int32(oid);
        return this.#end();
    }

    bind(parameters: readonly (TwinParameter | null)[], resultFormats: readonly number[]): this {
        this.#begin(0x42);
        this.#cstring('');
        this.#cstring('');
        this.#int16(parameters.length);
        for (const parameter of parameters) this.#int16(parameter === null ? 0 : parameter.format);
        this.#int16(parameters.length);
        for (const parameter of parameters) {
            if (parameter === null) this.#int32(-1);
            else {
                this.#int32(parameter.bytes.byteLength);
                this.#bytes(parameter.bytes);
            }
        }
        this.#int16(resultFormats.length);
        for (const format of resultFormats) this.#int16(format);
        return this.#end();
    }

    /** kind 'S' statement, 'P' portal; both unnamed. */
    describe(kind: 'S' | 'P'): this {
        this.#begin(0x44);
        this.#bytes(kind === 'S' ? STATEMENT : PORTAL);
        this.#cstring('');
        return this.#end();
    }

    execute(): this {
        this.#begin(0x45);
        this.#cstring('');
        this.#int32(0);
        return this.#end();
    }

    sync(): this {
        this.#begin(0x53);
        return this.#end();
    }

    copyData(bytes: Uint8Array): this {
        this.#begin(0x64);
        this.#bytes(bytes);
        return this.#end();
    }

    copyDone(): this {
        this.#begin(0x63);
        return this.#end();
    }

    append(batch: Uint8Array): this {
        this.#bytes(batch);
        return this;
    }

    /** The batch so far, as its own memory. The builder starts again empty. */
    take(): Uint8Array<ArrayBuffer> {
        const bytes = new Uint8Array(this.#buffer.buffer, 0, this.#length);
        this.#buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
        this.#length = 0;
        return bytes;
    }

    #begin(type: number): void {
        this.#reserve(5);
        this.#buffer[this.#length] = type;
        this.#messageStart = this.#length + 1;
        this.#length += 5;
    }

    #end(): this {
        this.#buffer.writeInt32BE(this.#length - this.#messageStart, this.#messageStart);
        return this;
    }

    #int16(value: number): void {
        this.#reserve(2);
        this.#length = this.#buffer.writeUInt16BE(value, this.#length);
    }

    #int32(value: number): void {
        this.#reserve(4);
        this.#length = this.#buffer.writeInt32BE(value | 0, this.#length);
    }

    #cstring(text: string): void {
        this.#reserve(text.length * 3 + 1);
        this.#length += this.#buffer.write(text, this.#length, 'utf8');
        this.#buffer[this.#length++] = 0;
    }

    #bytes(bytes: Uint8Array): void {
        this.#reserve(bytes.byteLength);
        this.#buffer.set(bytes, this.#length);
        this.#length += bytes.byteLength;
    }

    #reserve(byteCount: number): void {
        const needed = this.#length + byteCount;
        if (needed <= this.#buffer.byteLength) return;
        const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.byteLength * 2));
        grown.set(this.#buffer.subarray(0, this.#length));
        this.#buffer = grown;
    }
}

const STATEMENT = Uint8Array.of(0x53);
const PORTAL = Uint8Array.of(0x50);
