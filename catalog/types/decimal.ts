/**
 * A finite numeric as an integer and a scale, for arithmetic: value = units / 10^scale. Made from the text form and
 * turned back into it; nothing keeps one.
 */
import {INTEGER_DIGITS_MAX, numericOverflow, SCALE_MAX} from './numeric-text.ts';

export interface Decimal {
    readonly units: bigint;
    readonly scale: number;
}

export function toDecimal(value: string): Decimal {
    const point = value.indexOf('.');
    if (point < 0) return {units: BigInt(value), scale: 0};
    return {units: BigInt(value.slice(0, point) + value.slice(point + 1)), scale: value.length - point - 1};
}

export function powerOfTen(exponent: number): bigint {
    return 10n ** BigInt(exponent);
}

/** Rounds half away from zero to fewer decimals, or adds zeros. Negative scales round left of the point. */
export function rescale(value: Decimal, scale: number): Decimal {
    if (scale >= value.scale) return {units: value.units * powerOfTen(scale - value.scale), scale};
    return {units: divideRounded(value.units, powerOfTen(value.scale - scale)), scale};
}

/** Half away from zero; `divisor` positive. */
export function divideRounded(units: bigint, divisor: bigint): bigint {
    const magnitude = units < 0n ? -units : units;
    const rounded = (magnitude * 2n + divisor) / (divisor * 2n);
    return units < 0n ? -rounded : rounded;
}

/** The text form; a negative scale is written out as zeros. Throws 22003 when PostgreSQL could not hold it. */
export function fromDecimal(value: Decimal): string {
    const exact = value.scale > SCALE_MAX ? rescale(value, SCALE_MAX) : value.scale < 0 ? rescale(value, 0) : value;
    const negative = exact.units < 0n;
    const digits = (negative ? -exact.units : exact.units).toString();
    if (digits.length - exact.scale > INTEGER_DIGITS_MAX) throw numericOverflow();
    const sign = negative ? '-' : '';
    if (exact.scale === 0) return sign + digits;
    const padded = digits.padStart(exact.scale + 1, '0');
    const point = padded.length - exact.scale;
    return `${sign}${padded.slice(0, point)}.${padded.slice(point)}`;
}
