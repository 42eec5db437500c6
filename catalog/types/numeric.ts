/**
 * Exact arithmetic on numeric's text form, with the result scales of PostgreSQL.
 * Source: PostgreSQL documentation, "Mathematical Functions"; numeric.c (select_div_scale, the special-value rules).
 *
 * What must stay true: results are exact or rounded half away from zero at the scale that PostgreSQL would choose, and
 * are canonical Datums (numeric-text.ts).
 */
import {PgError} from '../errors.ts';
import {divideRounded, fromDecimal, powerOfTen, rescale, toDecimal} from './decimal.ts';
import type {Decimal} from './decimal.ts';
import {resultOutOfRange} from './input-errors.ts';

const DIGITS_PER_BASE = 4;
const SIGNIFICANT_DIGITS_MIN = 16;
const DIVISION_SCALE_MAX = 1000;
/** round(), trunc() and the like clamp the scale that they are asked for. */
const ROUND_SCALE_MAX = 16_383;
const ROUND_SCALE_MIN = -131_072;

export function isFiniteNumeric(value: string): boolean {
    const last = value.charCodeAt(value.length - 1);
    return last !== 78 && last !== 121;
}

/** -1, 0 or 1; NaN counts as positive. */
export function signOfNumeric(value: string): number {
    if (value.charCodeAt(0) === 45) return -1;
    for (let at = 0; at < value.length; at++) {
        const code = value.charCodeAt(at);
        if (code !== 48 && code !== 46) return 1;
    }
    return 0;
}

function infinity(sign: number): string {
    return sign < 0 ? '-Infinity' : 'Infinity';
}

export function negateNumeric(value: string): string {
    if (value === 'NaN' || signOfNumeric(value) === 0) return value;
    return value.charCodeAt(0) === 45 ? value.slice(1) : `-${value}`;
}

export function absNumeric(value: string): string {
    return value.charCodeAt(0) === 45 ? value.slice(1) : value;
}

export function addNumeric(a: string, b: string): string {
    if (isFiniteNumeric(a) && isFiniteNumeric(b)) return fromDecimal(addDecimals(toDecimal(a), toDecimal(b)));
    if (a === 'NaN' || b === 'NaN') return 'NaN';
    if (isFiniteNumeric(a)) return b;
    return isFiniteNumeric(b) || a === b ? a : 'NaN';
}

function addDecimals(a: Decimal, b: Decimal): Decimal {
    if (a.scale === b.scale) return {units: a.units + b.units, scale: a.scale};
    const scale = Math.max(a.scale, b.scale);
    return {units: rescale(a, scale).units + rescale(b, scale).units, scale};
}

export function subtractNumeric(a: string, b: string): string {
    return addNumeric(a, negateNumeric(b));
}

export function multiplyNumeric(a: string, b: string): string {
    if (isFiniteNumeric(a) && isFiniteNumeric(b)) {
        const left = toDecimal(a);
        const right = toDecimal(b);
        return fromDecimal({units: left.units * right.units, scale: left.scale + right.scale});
    }
    if (a === 'NaN' || b === 'NaN') return 'NaN';
    const sign = signOfNumeric(a) * signOfNumeric(b);
    return sign === 0 ? 'NaN' : infinity(sign);
}

function divisionByZero(): PgError {
    return new PgError('22012', 'division by zero');
}

export function divideNumeric(a: string, b: string): string {
    if (isFiniteNumeric(a) && isFiniteNumeric(b)) {
        const left = toDecimal(a);
        const right = toDecimal(b);
        if (right.units === 0n) throw divisionByZero();
        const scale = divisionScale(left, right);
        // a/10^sa / (b/10^sb) at `scale` decimals = a * 10^(scale + sb - sa) / b
        const shift = scale + right.scale - left.scale;
        const sign = right.units < 0n ? -1n : 1n;
        const dividend = shift >= 0 ? left.units * powerOfTen(shift) : left.units;
        const divisor = shift >= 0 ? right.units * sign : right.units * sign * powerOfTen(-shift);
        return fromDecimal({units: divideRounded(dividend * sign, divisor), scale});
    }
    if (a === 'NaN' || b === 'NaN') return 'NaN';
    if (isFiniteNumeric(a)) return '0';
    if (!isFiniteNumeric(b)) return 'NaN';
    const sign = signOfNumeric(b);
    if (sign === 0) throw divisionByZero();
    return infinity(signOfNumeric(a) * sign);
}

/** At least 16 significant digits and never fewer decimals than either operand: PostgreSQL's select_div_scale. */
function divisionScale(a: Decimal, b: Decimal): number {
    const left = leadingBaseDigit(a);
    const right = leadingBaseDigit(b);
    let quotientWeight = left.weight - right.weight;
    if (left.digit <= right.digit) quotientWeight--;
    const scale = Math.max(SIGNIFICANT_DIGITS_MIN - quotientWeight * DIGITS_PER_BASE, a.scale, b.scale, 0);
    return Math.min(scale, DIVISION_SCALE_MAX);
}

/** Value and weight of the first digit in base 10000, aligned to the decimal point. */
function leadingBaseDigit(value: Decimal): {readonly digit: number; readonly weight: number} {
    if (value.units === 0n) return {digit: 0, weight: 0};
    const digits = (value.units < 0n ? -value.units : value.units).toString();
    const magnitude = digits.length - 1 - value.scale;
    const weight = Math.floor(magnitude / DIGITS_PER_BASE);
    const take = magnitude - weight * DIGITS_PER_BASE + 1;
    return {digit: Number(digits.slice(0, take).padEnd(take, '0')), weight};
}

/** Sign of the dividend, as `%` and mod(). */
export function moduloNumeric(a: string, b: string): string {
    if (isFiniteNumeric(a) && isFiniteNumeric(b)) {
        const left = toDecimal(a);
        const right = toDecimal(b);
        if (right.units === 0n) throw divisionByZero();
        const scale = Math.max(left.scale, right.scale);
        return fromDecimal({units: rescale(left, scale).units % rescale(right, scale).units, scale});
    }
    if (a === 'NaN' || b === 'NaN') return 'NaN';
    if (isFiniteNumeric(a)) return a;
    if (signOfNumeric(b) === 0) throw divisionByZero();
    return 'NaN';
}

function clampScale(scale: number): number {
    return Math.min(ROUND_SCALE_MAX, Math.max(ROUND_SCALE_MIN, scale));
}

/** round(value, scale): half away from zero. A negative scale rounds left of the point. */
export function roundNumeric(value: string, scale = 0): string {
    if (!isFiniteNumeric(value)) return value;
    return fromDecimal(rescale(toDecimal(value), clampScale(scale)));
}

export function truncateNumeric(value: string, scale = 0): string {
    if (!isFiniteNumeric(value)) return value;
    const decimal = toDecimal(value);
    const wanted = clampScale(scale);
    if (wanted >= decimal.scale) return fromDecimal(rescale(decimal, wanted));
    const divisor = powerOfTen(decimal.scale - wanted);
    return fromDecimal({units: decimal.units / divisor, scale: wanted});
}

export function floorNumeric(value: string): string {
    return wholeNumeric(value, -1);
}

export function ceilNumeric(value: string): string {
    return wholeNumeric(value, 1);
}

function wholeNumeric(value: string, direction: -1 | 1): string {
    if (!isFiniteNumeric(value)) return value;
    const {units, scale} = toDecimal(value);
    const divisor = powerOfTen(scale);
    const whole = units / divisor;
    const rest = units % divisor;
    const step = direction < 0 ? (rest < 0n ? -1n : 0n) : rest > 0n ? 1n : 0n;
    return (whole + step).toString();
}

export function numericFromBigint(value: bigint): string {
    return value.toString();
}

/**
 * float8 or float4 to numeric: as printed with 15 or 6 significant digits. NaN and infinities stay.
 */
export function numericFromNumber(value: number, significantDigits: 15 | 6): string {
    if (!Number.isFinite(value)) return String(value);
    if (value === 0) return '0';
    const exponential = value.toExponential(significantDigits - 1);
    const mark = exponential.indexOf('e');
    const exponent = Number(exponential.slice(mark + 1));
    const mantissa = exponential.slice(0, mark).replace('.', '').replace(/0+$/, '');
    const scale = mantissa.replace('-', '').length - 1 - exponent;
    return fromDecimal({units: BigInt(mantissa), scale});
}

const INTEGER_LIMITS = {smallint: 32768n, integer: 2147483648n, bigint: 9223372036854775808n} as const;

/** Rounds half away from zero. Throws 22003 `integer out of range`, 0A000 for NaN and infinities. */
export function integerFromNumeric(value: string, typeName: keyof typeof INTEGER_LIMITS): bigint {
    if (!isFiniteNumeric(value)) {
        throw new PgError('0A000', `cannot convert ${value === 'NaN' ? 'NaN' : 'infinity'} to ${typeName}`);
    }
    const whole = rescale(toDecimal(value), 0).units;
    const limit = INTEGER_LIMITS[typeName];
    if (whole < -limit || whole >= limit) throw resultOutOfRange(typeName);
    return whole;
}

/** Number of decimals that a value shows: scale(). Undefined for NaN and infinities. */
export function scaleOfNumeric(value: string): number | undefined {
    if (!isFiniteNumeric(value)) return undefined;
    const point = value.indexOf('.');
    return point < 0 ? 0 : value.length - point - 1;
}
