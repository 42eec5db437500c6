/**
 * The text form of int2, int4 and int8: decimal, hexadecimal, octal or binary, with underscores between digits.
 * Source: PostgreSQL documentation, "Numeric Constants"; numutils.c for what counts as out of range before bad syntax.
 *
 * What must stay true: plain short decimals, which is what clients send, are read in one loop without allocation.
 */
import {invalidSyntax, valueOutOfRange} from './input-errors.ts';
import {isSpaceCode} from './whitespace.ts';

/** Digits that surely fit a small integer in any of the types read by the fast loop. */
const FAST_DIGITS_MAX = 9;
const FAST_DIGITS_BIGINT_MAX = 15;

/** The value of `[-]digits` with at most `digitsMax` digits, or NaN when the text is anything else. */
function fastDecimal(text: string, digitsMax: number): number {
    const length = text.length;
    let at = 0;
    const negative = length > 0 && text.charCodeAt(0) === 45;
    if (negative) at = 1;
    if (length === at || length - at > digitsMax) return NaN;
    let value = 0;
    for (; at < length; at++) {
        const digit = text.charCodeAt(at) - 48;
        if (digit < 0 || digit > 9) return NaN;
        value = value * 10 + digit;
    }
    return negative ? 0 - value : value;
}

export function parseInt4(text: string): number {
    const fast = fastDecimal(text, FAST_DIGITS_MAX);
    return fast === fast ? fast : Number(parseSlow(text, 'integer', 2147483648n));
}

export function parseInt2(text: string): number {
    const fast = fastDecimal(text, 4);
    return fast === fast ? fast : Number(parseSlow(text, 'smallint', 32768n));
}

export function parseInt8(text: string): bigint {
    const fast = fastDecimal(text, FAST_DIGITS_BIGINT_MAX);
    return fast === fast ? BigInt(fast) : parseSlow(text, 'bigint', 9223372036854775808n);
}

function digitOf(code: number): number {
    if (code >= 48 && code <= 57) return code - 48;
    if (code >= 97 && code <= 102) return code - 87;
    if (code >= 65 && code <= 70) return code - 55;
    return 99;
}

/** `limit` is the absolute value of the smallest number of the type. */
function parseSlow(text: string, typeName: string, limit: bigint): bigint {
    let at = 0;
    while (isSpaceCode(text.charCodeAt(at))) at++;
    const sign = text.charCodeAt(at);
    if (sign === 45 || sign === 43) at++;
    let radix = 10;
    if (text.charCodeAt(at) === 48) {
        const letter = text.charCodeAt(at + 1) | 32;
        radix = letter === 120 ? 16 : letter === 111 ? 8 : letter === 98 ? 2 : 10;
        if (radix !== 10) at += 2;
    }
    const firstDigit = at;
    const bigRadix = BigInt(radix);
    let value = 0n;
    for (;;) {
        const code = text.charCodeAt(at);
        if (code === 95) {
            if ((radix === 10 && at === firstDigit) || digitOf(text.charCodeAt(at + 1)) >= radix) {
                throw invalidSyntax(typeName, text);
            }
            at++;
            continue;
        }
        const digit = digitOf(code);
        if (digit >= radix) break;
        if (value > limit / bigRadix) throw valueOutOfRange(typeName, text);
        value = value * bigRadix + BigInt(digit);
        at++;
    }
    if (at === firstDigit) throw invalidSyntax(typeName, text);
    while (isSpaceCode(text.charCodeAt(at))) at++;
    if (at < text.length) throw invalidSyntax(typeName, text);
    if (sign === 45) {
        if (value > limit) throw valueOutOfRange(typeName, text);
        return -value;
    }
    if (value >= limit) throw valueOutOfRange(typeName, text);
    return value;
}
