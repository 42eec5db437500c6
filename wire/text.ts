/**
 * Text on the wire is UTF-8. Bytes that are not must not turn into replacement characters unseen: they are refused
 * with PostgreSQL's 22021, naming the bytes.
 */

import {constants, isUtf8} from 'node:buffer';
import {ProtocolError} from './protocol-error.ts';

const REPLACEMENT_CHARACTER = '\ufffd';

/** Decodes `buffer[start, end)`. Throws 22021 for bytes that are not UTF-8, 54000 for more than a string can hold. */
export function decodeUtf8(buffer: Buffer, start: number, end: number): string {
    if (end - start > constants.MAX_STRING_LENGTH) {
        throw new ProtocolError('ERROR', '54000', 'out of memory', `Cannot make a string of ${end - start} bytes.`);
    }
    const text = buffer.toString('utf8', start, end);
    // Only text with a replacement character can have come from bad bytes, and it is rare: the common case is one scan.
    if (text.includes(REPLACEMENT_CHARACTER) && !isUtf8(buffer.subarray(start, end))) {
        throw invalidUtf8(buffer, start, end);
    }
    return text;
}

/** The bytes that the first byte of a sequence announces (pg_utf_mblen). */
function sequenceBytes(first: number): number {
    if ((first & 0xe0) === 0xc0) {
        return 2;
    }
    if ((first & 0xf0) === 0xe0) {
        return 3;
    }
    return (first & 0xf8) === 0xf0 ? 4 : 1;
}

function invalidUtf8(buffer: Buffer, start: number, end: number): ProtocolError {
    let position = start;
    while (position < end) {
        const bytes = sequenceBytes(buffer[position] ?? 0);
        if (position + bytes > end || !isUtf8(buffer.subarray(position, position + bytes))) {
            break;
        }
        position += bytes;
    }
    const badBytes = buffer.subarray(position, Math.min(end, position + sequenceBytes(buffer[position] ?? 0)));
    const shown = Array.from(badBytes, (byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
    return new ProtocolError('ERROR', '22021', `invalid byte sequence for encoding "UTF8": ${shown}`);
}
