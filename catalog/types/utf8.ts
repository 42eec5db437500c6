/**
 * Strings and UTF-8: strict decoding, and the order of the C collation on JavaScript's UTF-16 strings.
 *
 * What must stay true: no byte that is not valid UTF-8, and no NUL, ever becomes part of a text value; the decoder does
 * one native call for good input and only looks closer when the result holds U+FFFD or NUL.
 */
import {isUtf8} from 'node:buffer';
import {PgError} from '../errors.ts';

/** Reads strict UTF-8 without NUL. Throws 22021 with the first bad byte sequence. */
export function decodeUtf8(bytes: Buffer, offset: number, length: number): string {
    const text = bytes.toString('utf8', offset, offset + length);
    if (text.includes('\0') || (text.includes('\uFFFD') && !isUtf8(bytes.subarray(offset, offset + length)))) {
        throw invalidByteSequence(bytes.subarray(offset, offset + length));
    }
    return text;
}

/** A text value may come from SQL text or a driver as a string: NUL and lone surrogates have no UTF-8 form. */
export function checkText(text: string): string {
    if (text.includes('\0')) throw new PgError('22021', 'invalid byte sequence for encoding "UTF8": 0x00');
    return text;
}

function sequenceLength(lead: number): number {
    return lead < 0x80 ? 1 : (lead & 0xe0) === 0xc0 ? 2 : (lead & 0xf0) === 0xe0 ? 3 : (lead & 0xf8) === 0xf0 ? 4 : 1;
}

function invalidByteSequence(bytes: Buffer): PgError {
    let at = 0;
    while (at < bytes.length) {
        const lead = bytes[at] ?? 0;
        const length = sequenceLength(lead);
        if (lead === 0 || at + length > bytes.length || !isUtf8(bytes.subarray(at, at + length))) {
            const shown = [...bytes.subarray(at, at + length)].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
            return new PgError('22021', `invalid byte sequence for encoding "UTF8": ${shown.join(' ')}`);
        }
        at += length;
    }
    return new PgError('22021', 'invalid byte sequence for encoding "UTF8"');
}

/**
 * Byte order of the UTF-8 forms. UTF-16 order is the same but for surrogate pairs, which stand for code points above
 * U+E000..U+FFFF and yet are smaller units: so the first units that differ decide, with surrogates lifted.
 */
export function compareText(a: string, b: string): number {
    if (a === b) return 0;
    const length = a.length < b.length ? a.length : b.length;
    for (let at = 0; at < length; at++) {
        let left = a.charCodeAt(at);
        let right = b.charCodeAt(at);
        if (left !== right) {
            if (left >= 0xd800 && right >= 0xd800) {
                left = left < 0xe000 ? left + 0x10000 : left;
                right = right < 0xe000 ? right + 0x10000 : right;
            }
            return left - right;
        }
    }
    return a.length - b.length;
}

/** Length in characters (code points), as char_length() counts. */
export function characterCount(text: string): number {
    let count = text.length;
    for (let at = 0; at < text.length; at++) {
        if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count--;
    }
    return count;
}

/** The first `count` characters. */
export function firstCharacters(text: string, count: number): string {
    if (text.length <= count) return text;
    let at = 0;
    for (let left = count; left > 0 && at < text.length; left--) {
        at += (text.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
    }
    return text.slice(0, at);
}
