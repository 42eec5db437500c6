/**
 * bool. Source: PostgreSQL documentation, "Boolean Type": any unique prefix of the words is read, in any case.
 */
import {checkLength, invalidSyntax} from './input-errors.ts';
import {codec} from './pg-type.ts';
import {trimSpace} from './whitespace.ts';

const TRUE_BYTES = Buffer.from([1]);
const FALSE_BYTES = Buffer.from([0]);
const WORD_LENGTH_MAX = 5;

export function parseBoolean(text: string): boolean {
    if (text === 't' || text === 'true') return true;
    if (text === 'f' || text === 'false') return false;
    const word = trimSpace(text);
    if (word.length > 0 && word.length <= WORD_LENGTH_MAX) {
        const lower = word.toLowerCase();
        if ('true'.startsWith(lower) || 'yes'.startsWith(lower) || lower === 'on' || lower === '1') return true;
        if ('false'.startsWith(lower) || 'no'.startsWith(lower) || lower === '0') return false;
        if (lower.length > 1 && 'off'.startsWith(lower)) return false;
    }
    throw invalidSyntax('boolean', text);
}

export const booleanCodec = codec<boolean>({
    parse: parseBoolean,
    print: (value) => (value ? 't' : 'f'),
    receive: (bytes, offset, length) => {
        checkLength(length, 1);
        return bytes[offset] !== 0;
    },
    send: (value) => (value ? TRUE_BYTES : FALSE_BYTES),
    compare: (a, b) => (a === b ? 0 : a ? 1 : -1),
    hashKey: (value) => value,
});
