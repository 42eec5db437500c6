/**
 * Decodes Bind in place: where each parameter's value lies, its length and its format. One decoder and one message per
 * connection; the arrays grow to the largest Bind seen (at most 65,535 parameters) and are reused.
 *
 * What must stay true: the typed arrays may be longer than `parameterCount`; entries past it are of an earlier Bind.
 * `resultFormats` is never reused: a portal may keep it.
 */

import type {BindMessage} from './handler.ts';
import type {MessageCursor} from './message-cursor.ts';
import {ProtocolError, protocolViolation} from './protocol-error.ts';

const PARAMETERS_MIN = 16;
const EMPTY = Buffer.alloc(0);
const NO_FORMATS: readonly number[] = Object.freeze([]);
const ALL_TEXT: readonly number[] = Object.freeze([0]);
const ALL_BINARY: readonly number[] = Object.freeze([1]);

class DecodedBind implements BindMessage {
    buffer: Buffer = EMPTY;
    parameterCount = 0;
    offsets = new Int32Array(PARAMETERS_MIN);
    lengths = new Int32Array(PARAMETERS_MIN);
    formats = new Uint8Array(PARAMETERS_MIN);
    resultFormats: readonly number[] = NO_FORMATS;
}

export class BindDecoder {
    readonly #message = new DecodedBind();
    /** The format codes come before the number of parameters is known: they wait here. */
    #codes = new Uint8Array(PARAMETERS_MIN);

    /** Reads what follows the two names of a Bind message. The result is valid until the next call. */
    decode(cursor: MessageCursor): BindMessage {
        const message = this.#message;
        message.buffer = cursor.buffer;
        const codeCount = cursor.uint16();
        if (codeCount > this.#codes.length) {
            this.#codes = new Uint8Array(capacityFor(codeCount));
        }
        let badCode = -1;
        for (let index = 0; index < codeCount; index += 1) {
            const code = cursor.uint16();
            if (code > 1) {
                badCode = code;
            }
            this.#codes[index] = code;
        }
        const parameterCount = cursor.uint16();
        this.#readValues(cursor, parameterCount);
        message.resultFormats = readResultFormats(cursor);
        cursor.finish();
        // Only a well-formed message is judged for its meaning: these errors leave the connection usable.
        if (codeCount > 1 && codeCount !== parameterCount) {
            throw new ProtocolError(
                'ERROR',
                '08P01',
                `bind message has ${codeCount} parameter formats but ${parameterCount} parameters`,
            );
        }
        if (badCode !== -1) {
            throw unsupportedFormat(badCode);
        }
        this.#expandFormats(codeCount, parameterCount);
        return message;
    }

    /** Lets go of a large message, so that an idle connection does not hold it. */
    release(): void {
        this.#message.buffer = EMPTY;
    }

    #readValues(cursor: MessageCursor, parameterCount: number): void {
        const message = this.#message;
        message.parameterCount = parameterCount;
        if (parameterCount > message.offsets.length) {
            const capacity = capacityFor(parameterCount);
            message.offsets = new Int32Array(capacity);
            message.lengths = new Int32Array(capacity);
            message.formats = new Uint8Array(capacity);
        }
        const {offsets, lengths} = message;
        for (let index = 0; index < parameterCount; index += 1) {
            const length = cursor.int32();
            if (length < -1) {
                throw protocolViolation('insufficient data left in message');
            }
            lengths[index] = length;
            offsets[index] = cursor.bytes(length === -1 ? 0 : length);
        }
    }

    #expandFormats(codeCount: number, parameterCount: number): void {
        const {formats} = this.#message;
        const single = codeCount === 1 ? (this.#codes[0] ?? 0) : 0;
        for (let index = 0; index < parameterCount; index += 1) {
            formats[index] = codeCount > 1 ? (this.#codes[index] ?? 0) : single;
        }
    }
}

function readResultFormats(cursor: MessageCursor): readonly number[] {
    const count = cursor.uint16();
    if (count === 0) {
        return NO_FORMATS;
    }
    if (count === 1) {
        const code = cursor.uint16();
        if (code > 1) {
            throw unsupportedFormat(code);
        }
        return code === 0 ? ALL_TEXT : ALL_BINARY;
    }
    const formats: number[] = [];
    for (let index = 0; index < count; index += 1) {
        const code = cursor.uint16();
        if (code > 1) {
            throw unsupportedFormat(code);
        }
        formats.push(code);
    }
    return formats;
}

function unsupportedFormat(code: number): ProtocolError {
    return new ProtocolError('ERROR', '22023', `unsupported format code: ${code}`);
}

function capacityFor(count: number): number {
    let capacity = PARAMETERS_MIN;
    while (capacity < count) {
        capacity *= 2;
    }
    return capacity;
}
