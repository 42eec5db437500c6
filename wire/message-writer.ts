/**
 * Encodes the server's messages (PostgreSQL documentation, "Message Formats") into the connection's output buffer.
 *
 * What must stay true:
 * - Every message in the buffer is whole: a row that fails half-way is taken back with `abandonRow`.
 * - Long answers leave early (SEND_BYTES), so the buffer stays small while the client keeps up.
 * - The value methods are the hot loop of every query: synchronous and free of allocation.
 */

import {strict as assert} from 'node:assert';
import {encodeErrorBody} from './error-response.ts';
import type {CopyInData, ErrorFields, FieldDescription, ResponseWriter} from './handler.ts';
import {
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    COMMAND_COMPLETE,
    COPY_DATA,
    COPY_DONE,
    COPY_IN_RESPONSE,
    COPY_OUT_RESPONSE,
    DATA_ROW,
    EMPTY_QUERY_RESPONSE,
    ERROR_RESPONSE,
    NO_DATA,
    NOTICE_RESPONSE,
    NOTIFICATION_RESPONSE,
    PARAMETER_DESCRIPTION,
    PARAMETER_STATUS,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    READY_FOR_QUERY,
} from './message-types.ts';
import {OutputBuffer} from './output-buffer.ts';
import {encodeRowDescription} from './row-description.ts';

/** Behind by more than this, a client must catch up before more is written for it. */
export const HIGH_WATER_BYTES = 1_048_576;
/** An answer that grows past this goes to the socket without waiting for its end. */
const SEND_BYTES = 65_536;
/** Up to this length a loop over the characters beats a call into the engine. */
const LOOP_CHARACTERS_MAX = 32;
/** Up to this length the room for a text is reserved at its worst case of three bytes a character. */
const WORST_CASE_CHARACTERS_MAX = 16_384;
const INT32_MAX = 0x7fff_ffff;
const ZERO = 0x30;
const MINUS = 0x2d;

/** What the writer needs of its connection. */
export interface WriterChannel {
    send(bytes: Buffer): boolean;
    /** Bytes that were sent but not yet taken by the operating system. */
    readonly unsentBytes: number;
    readonly gone: boolean;
    /** Resolves when the client has caught up; rejects when the connection is gone. */
    caughtUp(): Promise<void>;
}

export class MessageWriter implements ResponseWriter {
    /** Set by the session: takes over the client's COPY messages. */
    openCopyIn: (() => CopyInData) | undefined;

    readonly #channel: WriterChannel;
    readonly #output: OutputBuffer;
    /** Where the open row begins; -1 when there is none. */
    #rowStart = -1;
    #columnsLeft = 0;

    constructor(channel: WriterChannel) {
        this.#channel = channel;
        this.#output = new OutputBuffer(channel);
    }

    get bufferedBytes(): number {
        return this.#output.position + this.#channel.unsentBytes;
    }

    /** Also true when the connection is gone: `drained()` then rejects, which ends the handler's loop. */
    get congested(): boolean {
        return this.bufferedBytes > HIGH_WATER_BYTES || this.#channel.gone;
    }

    /** The size of the reused buffer. */
    get capacityBytes(): number {
        return this.#output.capacityBytes;
    }

    drained(): Promise<void> {
        this.flush();
        return this.#channel.caughtUp();
    }

    flush(): void {
        assert(this.#rowStart === -1, 'flush inside a row');
        this.#output.send();
    }

    // Messages without a row's data.

    parseComplete(): void {
        this.#empty(PARSE_COMPLETE);
    }

    bindComplete(): void {
        this.#empty(BIND_COMPLETE);
    }

    closeComplete(): void {
        this.#empty(CLOSE_COMPLETE);
    }

    noData(): void {
        this.#empty(NO_DATA);
    }

    emptyQueryResponse(): void {
        this.#empty(EMPTY_QUERY_RESPONSE);
    }

    portalSuspended(): void {
        this.#empty(PORTAL_SUSPENDED);
    }

    copyDone(): void {
        this.#empty(COPY_DONE);
    }

    parameterDescription(typeOids: readonly number[]): void {
        const start = this.#begin(PARAMETER_DESCRIPTION);
        const output = this.#output;
        output.reserve(2 + typeOids.length * 4);
        output.view.setUint16(output.position, typeOids.length);
        output.position += 2;
        for (const oid of typeOids) {
            output.view.setUint32(output.position, oid);
            output.position += 4;
        }
        this.#end(start);
    }

    rowDescription(fields: readonly FieldDescription[], formats: readonly number[]): void {
        this.raw(encodeRowDescription(fields, formats));
    }

    raw(bytes: Uint8Array): void {
        const output = this.#output;
        output.reserve(bytes.length);
        output.bytes.set(bytes, output.position);
        output.position += bytes.length;
    }

    commandComplete(tag: string): void {
        const start = this.#begin(COMMAND_COMPLETE);
        this.#cstring(tag);
        this.#end(start);
    }

    notice(fields: ErrorFields): void {
        const start = this.#begin(NOTICE_RESPONSE);
        this.raw(encodeErrorBody(fields));
        this.#end(start);
    }

    errorResponse(fields: ErrorFields): void {
        const start = this.#begin(ERROR_RESPONSE);
        this.raw(encodeErrorBody(fields));
        this.#end(start);
    }

    parameterStatus(name: string, value: string): void {
        const start = this.#begin(PARAMETER_STATUS);
        this.#cstring(name);
        this.#cstring(value);
        this.#end(start);
    }

    notification(processId: number, channel: string, payload: string): void {
        const start = this.#begin(NOTIFICATION_RESPONSE);
        const output = this.#output;
        output.reserve(4);
        output.view.setInt32(output.position, processId);
        output.position += 4;
        this.#cstring(channel);
        this.#cstring(payload);
        this.#end(start);
    }

    readyForQuery(status: 'I' | 'T' | 'E'): void {
        const output = this.#output;
        output.reserve(6);
        const {bytes, position} = output;
        bytes[position] = READY_FOR_QUERY;
        output.view.setInt32(position + 1, 5);
        bytes[position + 5] = status.charCodeAt(0);
        output.position = position + 6;
    }

    // Rows.

    beginRow(columnCount: number): void {
        assert(this.#rowStart === -1, 'a row is open');
        this.#columnsLeft = columnCount;
        const output = this.#output;
        output.reserve(7);
        const position = output.position;
        this.#rowStart = position;
        output.bytes[position] = DATA_ROW;
        output.view.setUint16(position + 5, columnCount);
        output.position = position + 7;
    }

    endRow(): void {
        assert(this.#rowStart !== -1 && this.#columnsLeft === 0, 'the row has another number of values than columns');
        this.#end(this.#rowStart);
        this.#rowStart = -1;
        this.#sendIfLong();
    }

    /** Takes back a row that was begun and not ended. */
    abandonRow(): void {
        if (this.#rowStart !== -1) {
            this.#output.position = this.#rowStart;
            this.#rowStart = -1;
        }
    }

    valueNull(): void {
        this.#columnsLeft -= 1;
        const output = this.#output;
        output.reserve(4);
        output.view.setInt32(output.position, -1);
        output.position += 4;
    }

    valueText(text: string): void {
        this.#columnsLeft -= 1;
        const output = this.#output;
        const length = text.length;
        output.reserve(4 + (length <= WORST_CASE_CHARACTERS_MAX ? length * 3 : Buffer.byteLength(text)));
        const bytes = output.bytes;
        const start = output.position + 4;
        let written = 0;
        if (length <= LOOP_CHARACTERS_MAX) {
            for (; written < length; written += 1) {
                const unit = text.charCodeAt(written);
                if (unit >= 0x80) {
                    break;
                }
                bytes[start + written] = unit;
            }
        }
        if (written !== length) {
            written = bytes.write(text, start);
        }
        output.view.setInt32(start - 4, written);
        output.position = start + written;
    }

    valueAscii(text: string): void {
        this.#columnsLeft -= 1;
        const output = this.#output;
        const length = text.length;
        output.reserve(4 + length);
        const bytes = output.bytes;
        const start = output.position + 4;
        output.view.setInt32(start - 4, length);
        if (length <= LOOP_CHARACTERS_MAX) {
            for (let index = 0; index < length; index += 1) {
                bytes[start + index] = text.charCodeAt(index);
            }
        } else {
            bytes.write(text, start, 'latin1');
        }
        output.position = start + length;
    }

    valueBytes(bytes: Uint8Array): void {
        this.#columnsLeft -= 1;
        const output = this.#output;
        const length = bytes.length;
        output.reserve(4 + length);
        output.view.setInt32(output.position, length);
        output.bytes.set(bytes, output.position + 4);
        output.position += 4 + length;
    }

    valueInt16(value: number): void {
        const position = this.#fixed(2);
        this.#output.view.setInt16(position, value);
    }

    valueInt32(value: number): void {
        const position = this.#fixed(4);
        this.#output.view.setInt32(position, value);
    }

    valueInt64(value: bigint): void {
        const position = this.#fixed(8);
        this.#output.view.setBigInt64(position, value);
    }

    valueFloat32(value: number): void {
        const position = this.#fixed(4);
        this.#output.view.setFloat32(position, value);
    }

    valueFloat64(value: number): void {
        const position = this.#fixed(8);
        this.#output.view.setFloat64(position, value);
    }

    valueBool(value: boolean): void {
        const position = this.#fixed(1);
        this.#output.bytes[position] = value ? 1 : 0;
    }

    valueIntText(value: number): void {
        if (value > INT32_MAX || value < -INT32_MAX) {
            assert(Number.isSafeInteger(value), 'an integer');
            this.valueAscii(String(value));
            return;
        }
        this.#columnsLeft -= 1;
        const output = this.#output;
        output.reserve(15);
        const bytes = output.bytes;
        const start = output.position + 4;
        let magnitude = value | 0;
        assert(magnitude === value, 'an integer');
        let first = start;
        if (magnitude < 0) {
            bytes[first] = MINUS;
            first += 1;
            magnitude = -magnitude;
        }
        const end = first + digitsOf(magnitude);
        let position = end;
        do {
            const rest = (magnitude / 10) | 0;
            position -= 1;
            bytes[position] = ZERO + magnitude - rest * 10;
            magnitude = rest;
        } while (position > first);
        output.view.setInt32(start - 4, end - start);
        output.position = end;
    }

    // COPY.

    copyOutResponse(binary: boolean, columnCount: number): void {
        this.#copyResponse(COPY_OUT_RESPONSE, binary, columnCount);
    }

    copyData(bytes: Uint8Array): void {
        const output = this.#output;
        output.reserve(5 + bytes.length);
        const position = output.position;
        output.bytes[position] = COPY_DATA;
        output.view.setInt32(position + 1, 4 + bytes.length);
        output.bytes.set(bytes, position + 5);
        output.position = position + 5 + bytes.length;
        this.#sendIfLong();
    }

    copyIn(binary: boolean, columnCount: number): CopyInData {
        assert(this.openCopyIn !== undefined, 'COPY needs a session');
        const data = this.openCopyIn();
        this.#copyResponse(COPY_IN_RESPONSE, binary, columnCount);
        this.flush();
        return data;
    }

    #copyResponse(type: number, binary: boolean, columnCount: number): void {
        const start = this.#begin(type);
        const output = this.#output;
        output.reserve(3 + columnCount * 2);
        const format = binary ? 1 : 0;
        output.bytes[output.position] = format;
        output.view.setUint16(output.position + 1, columnCount);
        output.position += 3;
        for (let index = 0; index < columnCount; index += 1) {
            output.view.setUint16(output.position, format);
            output.position += 2;
        }
        this.#end(start);
    }

    /** Room for a value of fixed length, with the length written; returns where the value goes. */
    #fixed(byteCount: number): number {
        this.#columnsLeft -= 1;
        const output = this.#output;
        output.reserve(4 + byteCount);
        const position = output.position;
        output.view.setInt32(position, byteCount);
        output.position = position + 4 + byteCount;
        return position + 4;
    }

    #empty(type: number): void {
        const output = this.#output;
        output.reserve(5);
        output.bytes[output.position] = type;
        output.view.setInt32(output.position + 1, 4);
        output.position += 5;
    }

    /** Begins a message whose length is filled in by `#end`. */
    #begin(type: number): number {
        const output = this.#output;
        output.reserve(5);
        const start = output.position;
        output.bytes[start] = type;
        output.position = start + 5;
        return start;
    }

    #end(start: number): void {
        const output = this.#output;
        output.view.setInt32(start + 1, output.position - start - 1);
    }

    #cstring(text: string): void {
        const output = this.#output;
        const length = text.length;
        output.reserve(length * 3 + 1);
        const bytes = output.bytes;
        const start = output.position;
        let written = 0;
        for (; written < length; written += 1) {
            const unit = text.charCodeAt(written);
            if (unit === 0 || unit >= 0x80) {
                break;
            }
            bytes[start + written] = unit;
        }
        if (written !== length) {
            // A zero byte would end the string early and leave the rest to be read as something else.
            written = bytes.write(text.replaceAll('\0', ''), start);
        }
        bytes[start + written] = 0;
        output.position = start + written + 1;
    }

    #sendIfLong(): void {
        if (this.#output.position >= SEND_BYTES) {
            this.#output.send();
        }
    }
}

function digitsOf(magnitude: number): number {
    if (magnitude < 100_000) {
        if (magnitude < 100) {
            return magnitude < 10 ? 1 : 2;
        }
        if (magnitude < 1000) {
            return 3;
        }
        return magnitude < 10_000 ? 4 : 5;
    }
    if (magnitude < 10_000_000) {
        return magnitude < 1_000_000 ? 6 : 7;
    }
    if (magnitude < 100_000_000) {
        return 8;
    }
    return magnitude < 1_000_000_000 ? 9 : 10;
}
