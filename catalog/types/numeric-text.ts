/**
 * The text form of numeric, which is also its Datum: sign, digits, and exactly as many decimals as its display scale.
 * Source: PostgreSQL documentation, "Arbitrary Precision Numbers"; numeric_in in numeric.c.
 *
 * What must stay true: a Datum has no leading zeros, no exponent, no "-0", and is "NaN", "Infinity" or "-Infinity" for
 * the special values; so texts of equal scale are equal exactly if the numbers are.
 */
import {PgError} from '../errors.ts';
import {invalidSyntax} from './input-errors.ts';
import {trimSpace} from './whitespace.ts';

/** Digits before the decimal point: NUMERIC_WEIGHT_MAX in base 10000. */
export const INTEGER_DIGITS_MAX = 131_072;
export const SCALE_MAX = 16_383;

const CANONICAL = /^-?(?:0|[1-9]\d{0,99})(?:\.\d{1,99})?$/;
const NEGATIVE_ZERO = /^-[0.]+$/;
const DECIMAL = /^([+-]?)(?:(\d+(?:_\d+)*)(?:\.(\d+(?:_\d+)*)?)?|\.(\d+(?:_\d+)*))(?:[eE]([+-]?\d+(?:_\d+)*))?$/;
const NON_DECIMAL = /^([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)$/;
const EXPONENT_MAX = 1_073_741_823;

export function numericOverflow(): PgError {
    return new PgError('22003', 'value overflows numeric format');
}

export function parseNumeric(text: string): string {
    if (CANONICAL.test(text) && !NEGATIVE_ZERO.test(text)) return text;
    const word = trimSpace(text);
    const decimal = DECIMAL.exec(word);
    if (decimal !== null) {
        const integer = (decimal[2] ?? '').replaceAll('_', '');
        const fraction = (decimal[3] ?? decimal[4] ?? '').replaceAll('_', '');
        const exponent = Number((decimal[5] ?? '0').replaceAll('_', ''));
        return makeDecimal(decimal[1] === '-', integer, fraction, exponent);
    }
    const whole = NON_DECIMAL.exec(word);
    if (whole !== null) {
        return makeDecimal(whole[1] === '-', BigInt((whole[2] ?? '0').replaceAll('_', '')).toString(), '', 0);
    }
    switch (word.toLowerCase()) {
        case 'nan':
            return 'NaN';
        case 'inf':
        case '+inf':
        case 'infinity':
        case '+infinity':
            return 'Infinity';
        case '-inf':
        case '-infinity':
            return '-Infinity';
        default:
            throw invalidSyntax('numeric', text);
    }
}

/** Puts the point where the exponent says and drops what is not canonical. */
function makeDecimal(negative: boolean, integer: string, fraction: string, exponent: number): string {
    if (Math.abs(exponent) > EXPONENT_MAX) throw numericOverflow();
    const digits = integer + fraction;
    const point = integer.length + exponent;
    const firstNonzero = digits.search(/[1-9]/);
    if (firstNonzero >= 0 && point - firstNonzero > INTEGER_DIGITS_MAX) throw numericOverflow();
    const scale = Math.max(0, fraction.length - exponent);
    if (scale > SCALE_MAX) throw numericOverflow();
    if (firstNonzero < 0) return scale === 0 ? '0' : `0.${'0'.repeat(scale)}`;
    const head =
        point <= 0
            ? '0'
            : digits
                  .slice(0, point)
                  .padEnd(point, '0')
                  .replace(/^0+(?=\d)/, '');
    const tail = point <= 0 ? '0'.repeat(-point) + digits : digits.slice(point);
    return `${negative ? '-' : ''}${head}${scale === 0 ? '' : `.${tail}`}`;
}

/** Without zeros that carry no value: equal numbers give equal texts. */
export function stripZeros(value: string): string {
    if (!value.includes('.')) return value;
    let end = value.length;
    while (value.charCodeAt(end - 1) === 48) end--;
    if (value.charCodeAt(end - 1) === 46) end--;
    return value.slice(0, end);
}

function rank(value: string): number {
    return value === 'NaN' ? 3 : value === 'Infinity' ? 2 : value === '-Infinity' ? 0 : 1;
}

function isSpecial(value: string): boolean {
    const last = value.charCodeAt(value.length - 1);
    return last === 78 || last === 121;
}

/** btree order: -Infinity, numbers, Infinity, NaN. No arithmetic: digits are compared as they stand. */
export function compareNumeric(a: string, b: string): number {
    if (a === b) return 0;
    if (isSpecial(a) || isSpecial(b)) return rank(a) - rank(b);
    const aNegative = a.charCodeAt(0) === 45;
    const bNegative = b.charCodeAt(0) === 45;
    if (aNegative !== bNegative) return aNegative ? -1 : 1;
    return aNegative ? compareMagnitudes(b, a, 1) : compareMagnitudes(a, b, 0);
}

function compareMagnitudes(a: string, b: string, start: number): number {
    const aPoint = a.indexOf('.');
    const bPoint = b.indexOf('.');
    const aEnd = aPoint < 0 ? a.length : aPoint;
    const bEnd = bPoint < 0 ? b.length : bPoint;
    if (aEnd !== bEnd) return aEnd - bEnd;
    const length = Math.max(a.length, b.length);
    for (let at = start; at < length; at++) {
        if (at === aEnd) continue;
        const left = at < a.length ? a.charCodeAt(at) : 48;
        const right = at < b.length ? b.charCodeAt(at) : 48;
        if (left !== right) return left - right;
    }
    return 0;
}
