/**
 * Making intervals within the ranges of their three fields, and the two infinities (all fields at their extremes).
 * Source: PostgreSQL documentation, "Date/Time Types"; INTERVAL_NOBEGIN and INTERVAL_NOEND in timestamp.h.
 */
import {PgError} from '../errors.ts';
import type {Interval} from './datum.ts';

export const INT32_MAX = 2_147_483_647;
export const INT32_MIN = -2_147_483_648;
export const INT64_MAX = 9_223_372_036_854_775_807n;
export const INT64_MIN = -9_223_372_036_854_775_808n;

export const INTERVAL_INFINITY: Interval = {months: INT32_MAX, days: INT32_MAX, micros: INT64_MAX};
export const INTERVAL_NEGATIVE_INFINITY: Interval = {months: INT32_MIN, days: INT32_MIN, micros: INT64_MIN};

export function isPositiveInfinity(value: Interval): boolean {
    return value.months === INT32_MAX && value.days === INT32_MAX && value.micros === INT64_MAX;
}

export function isNegativeInfinity(value: Interval): boolean {
    return value.months === INT32_MIN && value.days === INT32_MIN && value.micros === INT64_MIN;
}

export function isFiniteInterval(value: Interval): boolean {
    return !isPositiveInfinity(value) && !isNegativeInfinity(value);
}

export function intervalOutOfRange(): PgError {
    return new PgError('22008', 'interval out of range');
}

/** A finite interval. Throws 22008 when a field overflows or the result would look infinite. */
export function makeInterval(months: number, days: number, micros: bigint): Interval {
    const fits =
        months <= INT32_MAX &&
        months >= INT32_MIN &&
        days <= INT32_MAX &&
        days >= INT32_MIN &&
        micros <= INT64_MAX &&
        micros >= INT64_MIN;
    // Adding 0 turns -0 into 0.
    const value = {months: months + 0, days: days + 0, micros};
    if (!fits || !isFiniteInterval(value)) throw intervalOutOfRange();
    return value;
}
