/**
 * bytea: hex and escape formats. Source: PostgreSQL documentation, "Binary Data Types".
 */
import {PgError} from '../errors.ts';
import {codec} from './pg-type.ts';
import {isSpaceCode} from './whitespace.ts';

const BACKSLASH = 92;

function hexDigit(code: number): number {
    if (code >= 48 && code <= 57) return code - 48;
    const lower = code | 32;
    return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function parseHex(text: string): Uint8Array {
    const plain = Buffer.from(text.slice(2), 'hex');
    if (plain.length * 2 === text.length - 2) return plain;
    // Odd, spaced or wrong: Buffer stops silently at the first bad digit.
    const bytes: number[] = [];
    for (let at = 2; at < text.length;) {
        if (isSpaceCode(text.charCodeAt(at))) {
            at++;
            continue;
        }
        const high = hexDigit(text.charCodeAt(at));
        if (high < 0) throw invalidHexDigit(text, at);
        if (at + 1 >= text.length) {
            throw new PgError('22023', 'invalid hexadecimal data: odd number of digits');
        }
        const low = hexDigit(text.charCodeAt(at + 1));
        if (low < 0) throw invalidHexDigit(text, at + 1);
        bytes.push(high * 16 + low);
        at += 2;
    }
    return Buffer.from(bytes);
}

function invalidHexDigit(text: string, at: number): PgError {
    return new PgError('22023', `invalid hexadecimal digit: "${String.fromCodePoint(text.codePointAt(at) ?? 0)}"`);
}

function parseEscape(text: string): Uint8Array {
    const source = Buffer.from(text, 'utf8');
    const target = Buffer.allocUnsafe(source.length);
    let length = 0;
    for (let at = 0; at < source.length;) {
        const byte = source[at] ?? 0;
        if (byte !== BACKSLASH) {
            target[length++] = byte;
            at++;
        } else if (source[at + 1] === BACKSLASH) {
            target[length++] = BACKSLASH;
            at += 2;
        } else {
            const octal = /^[0-3][0-7][0-7]$/.test(source.toString('latin1', at + 1, at + 4));
            if (!octal) throw new PgError('22P02', 'invalid input syntax for type bytea');
            target[length++] = parseInt(source.toString('latin1', at + 1, at + 4), 8);
            at += 4;
        }
    }
    return target.subarray(0, length);
}

export function parseBytea(text: string): Uint8Array {
    return text.charCodeAt(0) === BACKSLASH && text.charCodeAt(1) === 120 ? parseHex(text) : parseEscape(text);
}

export function asBuffer(value: Uint8Array): Buffer {
    return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

export function printBytea(value: Uint8Array, format: 'hex' | 'escape'): string {
    if (format === 'hex') return '\\x' + asBuffer(value).toString('hex');
    let text = '';
    for (const byte of value) {
        if (byte === BACKSLASH) text += '\\\\';
        else if (byte < 32 || byte > 126) text += '\\' + byte.toString(8).padStart(3, '0');
        else text += String.fromCharCode(byte);
    }
    return text;
}

export const byteaCodec = codec<Uint8Array>({
    parse: parseBytea,
    print: (value, settings) => printBytea(value, settings.byteaOutput),
    receive: (bytes, offset, length) => Buffer.from(bytes.subarray(offset, offset + length)),
    send: (value) => value,
    compare: (a, b) => Buffer.compare(a, b),
    hashKey: (value) => asBuffer(value).toString('latin1'),
});
