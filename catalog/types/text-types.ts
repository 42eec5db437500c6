/**
 * text, varchar, bpchar, name, "char" and unknown. All but "char" are UTF-8 strings in the C collation.
 * Source: PostgreSQL documentation, "Character Types".
 *
 * What must stay true: trailing blanks of a bpchar are padding, so they count neither in comparisons nor in keys.
 * The Datum of a "char" is a string of one unit 1..255, the byte's value, or '' for the zero byte.
 */
import {checkLength} from './input-errors.ts';
import {codec} from './pg-type.ts';
import {checkText, compareText, decodeUtf8} from './utf8.ts';

const NAME_BYTES_MAX = 63;

export function sendText(value: string): Uint8Array {
    return Buffer.from(value, 'utf8');
}

export const textCodec = codec<string>({
    parse: checkText,
    print: (value) => value,
    receive: decodeUtf8,
    send: sendText,
    compare: compareText,
    hashKey: (value) => value,
});

export function trimBlanks(value: string): string {
    let end = value.length;
    while (end > 0 && value.charCodeAt(end - 1) === 32) end--;
    return end === value.length ? value : value.slice(0, end);
}

export const bpcharCodec = codec<string>({
    parse: checkText,
    print: (value) => value,
    receive: decodeUtf8,
    send: sendText,
    compare: (a, b) => compareText(trimBlanks(a), trimBlanks(b)),
    hashKey: trimBlanks,
});

/** A name holds at most 63 bytes; longer input is cut at a character. */
export function truncateName(text: string): string {
    if (text.length * 3 <= NAME_BYTES_MAX) return text;
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length <= NAME_BYTES_MAX) return text;
    let end = NAME_BYTES_MAX;
    while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    return bytes.toString('utf8', 0, end);
}

export const nameCodec = codec<string>({
    parse: (text) => truncateName(checkText(text)),
    print: (value) => value,
    receive: (bytes, offset, length) => truncateName(decodeUtf8(bytes, offset, length)),
    send: sendText,
    compare: compareText,
    hashKey: (value) => value,
});

/** The first byte of the text, or the byte that `\ooo` names. */
export function parseChar(text: string): string {
    const octal = /^\\([0-3][0-7][0-7])$/.exec(text);
    const byte = octal === null ? (Buffer.from(text.slice(0, 2), 'utf8')[0] ?? 0) : parseInt(octal[1] ?? '0', 8);
    return byte === 0 ? '' : String.fromCharCode(byte);
}

export function printChar(value: string): string {
    const byte = charByte(value);
    return byte >= 128 ? `\\${byte.toString(8)}` : value;
}

export function charByte(value: string): number {
    return value === '' ? 0 : value.charCodeAt(0);
}

export const charCodec = codec<string>({
    parse: parseChar,
    print: printChar,
    receive: (bytes, offset, length) => {
        checkLength(length, 1);
        const byte = bytes[offset] ?? 0;
        return byte === 0 ? '' : String.fromCharCode(byte);
    },
    send: (value) => Buffer.from([charByte(value)]),
    compare: (a, b) => charByte(a) - charByte(b),
    hashKey: (value) => value,
});
