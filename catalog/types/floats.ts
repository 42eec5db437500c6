/**
 * float4 and float8. Order and keys: -0 equals 0, NaN equals NaN and is greater than everything.
 * Source: PostgreSQL documentation, "Floating-Point Types".
 */
import {PgError} from '../errors.ts';
import {printFloat4, printFloat8} from './float-text.ts';
import {checkLength, invalidSyntax} from './input-errors.ts';
import {codec} from './pg-type.ts';
import {trimSpace} from './whitespace.ts';

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const HAS_NONZERO_DIGIT = /^[^eE]*[1-9]/;

function parseSpecial(word: string): number | undefined {
    switch (word.toLowerCase()) {
        case 'nan':
        case '+nan':
        case '-nan':
            return NaN;
        case 'inf':
        case '+inf':
        case 'infinity':
        case '+infinity':
            return Infinity;
        case '-inf':
        case '-infinity':
            return -Infinity;
        default:
            return undefined;
    }
}

function parseFloatText(text: string, typeName: string, round: (value: number) => number): number {
    const word = trimSpace(text);
    if (!DECIMAL.test(word)) {
        const special = parseSpecial(word);
        if (special === undefined) throw invalidSyntax(typeName, text);
        return special;
    }
    const value = round(Number(word));
    if (value === Infinity || value === -Infinity || (value === 0 && HAS_NONZERO_DIGIT.test(word))) {
        throw new PgError('22003', `"${text}" is out of range for type ${typeName}`);
    }
    return value;
}

export function parseFloat8(text: string): number {
    return parseFloatText(text, 'double precision', (value) => value);
}

export function parseFloat4(text: string): number {
    return parseFloatText(text, 'real', Math.fround);
}

export function compareFloats(a: number, b: number): number {
    if (a < b) return -1;
    if (a > b) return 1;
    if (a === b) return 0;
    return a === a ? -1 : b === b ? 1 : 0;
}

/** -0 and 0 are one key. NaN is a fine key: maps and sets treat it as equal to itself. */
export function floatHashKey(value: number): number {
    return value === 0 ? 0 : value;
}

export const float8Codec = codec<number>({
    parse: parseFloat8,
    print: (value, settings) => printFloat8(value, settings.extraFloatDigits),
    receive: (bytes, offset, length) => {
        checkLength(length, 8);
        return bytes.readDoubleBE(offset);
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(8);
        bytes.writeDoubleBE(value, 0);
        return bytes;
    },
    compare: compareFloats,
    hashKey: floatHashKey,
});

export const float4Codec = codec<number>({
    parse: parseFloat4,
    print: (value, settings) => printFloat4(value, settings.extraFloatDigits),
    receive: (bytes, offset, length) => {
        checkLength(length, 4);
        return bytes.readFloatBE(offset);
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(4);
        bytes.writeFloatBE(value, 0);
        return bytes;
    },
    compare: compareFloats,
    hashKey: floatHashKey,
});
