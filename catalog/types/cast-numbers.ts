/**
 * Casts between numbers. Floats round half to even, numeric half away from zero; what does not fit is 22003.
 * Source: PostgreSQL documentation, "Numeric Types"; int.c, int8.c, float.c, numeric.c.
 */
import {PgError} from '../errors.ts';
import {parseFloat4, parseFloat8} from './floats.ts';
import {resultOutOfRange} from './input-errors.ts';
import {integerFromNumeric, isFiniteNumeric, numericFromNumber} from './numeric.ts';

type IntegerName = 'smallint' | 'integer' | 'bigint';

export function roundHalfEven(value: number): number {
    const floor = Math.floor(value);
    const rest = value - floor;
    if (rest < 0.5) return floor;
    return rest > 0.5 || floor % 2 !== 0 ? floor + 1 : floor;
}

export function toInt2(value: number | bigint): number {
    if (value < -32_768 || value > 32_767) throw resultOutOfRange('smallint');
    return Number(value);
}

export function toInt4(value: number | bigint): number {
    if (value < -2_147_483_648 || value > 2_147_483_647) throw resultOutOfRange('integer');
    return Number(value);
}

/** `value` rounded; NaN and infinities are out of range. */
export function floatToInteger(value: number, typeName: IntegerName): number {
    const limit = typeName === 'smallint' ? 32_768 : typeName === 'integer' ? 2_147_483_648 : 2 ** 63;
    const rounded = roundHalfEven(value);
    if (!(rounded >= -limit && rounded < limit)) throw resultOutOfRange(typeName);
    // Adding 0 turns -0 into 0.
    return rounded + 0;
}

/** Rounds to float4. Throws 22003 on overflow and on underflow to zero. */
export function float8ToFloat4(value: number): number {
    const rounded = Math.fround(value);
    if (!Number.isFinite(rounded) && Number.isFinite(value)) throw new PgError('22003', 'value out of range: overflow');
    if (rounded === 0 && value !== 0) throw new PgError('22003', 'value out of range: underflow');
    return rounded;
}

/** int8 to float4 rounds once, from the exact value. */
export function bigintToFloat4(value: bigint): number {
    const nearest = Number(value);
    if (BigInt(nearest) === value) return Math.fround(nearest);
    // The double was rounded: nudge ties towards the side the exact value is on.
    const towards = value > BigInt(nearest) ? 1 : -1;
    const single = Math.fround(nearest);
    const other = Math.fround(nearest + towards * Math.abs(nearest) * 2 ** -24);
    const exact = (candidate: number): bigint => {
        const distance = BigInt(candidate) - value;
        return distance < 0n ? -distance : distance;
    };
    return exact(other) < exact(single) ? other : single;
}

export function numericToFloat8(value: string): number {
    return isFiniteNumeric(value) ? parseFloat8(value) : Number(value);
}

export function numericToFloat4(value: string): number {
    return isFiniteNumeric(value) ? parseFloat4(value) : Number(value);
}

export function float8ToNumeric(value: number): string {
    return numericFromNumber(value, 15);
}

export function float4ToNumeric(value: number): string {
    return numericFromNumber(value, 6);
}

export function numericToInt(value: string, typeName: 'smallint' | 'integer'): number {
    return Number(integerFromNumeric(value, typeName));
}

export function numericToInt8(value: string): bigint {
    return integerFromNumeric(value, 'bigint');
}
