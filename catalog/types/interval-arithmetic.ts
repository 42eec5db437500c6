/**
 * Arithmetic on intervals. Source: PostgreSQL documentation, "Date/Time Functions and Operators"; interval_pl,
 * interval_mul, interval_justify_* in timestamp.c. Infinite intervals follow the rules of infinities: opposite ones
 * cannot be added.
 */
import {PgError} from '../errors.ts';
import type {Interval} from './datum.ts';
import {
    INTERVAL_INFINITY,
    INTERVAL_NEGATIVE_INFINITY,
    intervalOutOfRange,
    isFiniteInterval,
    isPositiveInfinity,
    makeInterval,
} from './interval-limits.ts';
import {intervalSpan} from './interval-codec.ts';
import {roundHalfEven} from './cast-numbers.ts';

const MICROS_PER_DAY = 86_400_000_000;

export function negateInterval(value: Interval): Interval {
    if (!isFiniteInterval(value)) {
        return isPositiveInfinity(value) ? INTERVAL_NEGATIVE_INFINITY : INTERVAL_INFINITY;
    }
    return makeInterval(-value.months, -value.days, -value.micros);
}

export function addIntervals(a: Interval, b: Interval): Interval {
    if (!isFiniteInterval(a) || !isFiniteInterval(b)) {
        if (isFiniteInterval(a)) return b;
        if (isFiniteInterval(b) || isPositiveInfinity(a) === isPositiveInfinity(b)) return a;
        throw intervalOutOfRange();
    }
    return makeInterval(a.months + b.months, a.days + b.days, a.micros + b.micros);
}

export function subtractIntervals(a: Interval, b: Interval): Interval {
    if (!isFiniteInterval(a) && !isFiniteInterval(b) && isPositiveInfinity(a) === isPositiveInfinity(b)) {
        throw intervalOutOfRange();
    }
    if (!isFiniteInterval(b)) return isFiniteInterval(a) ? negateInterval(b) : a;
    if (!isFiniteInterval(a)) return a;
    return makeInterval(a.months - b.months, a.days - b.days, a.micros - b.micros);
}

function infinityWithSign(sign: number): Interval {
    return sign < 0 ? INTERVAL_NEGATIVE_INFINITY : INTERVAL_INFINITY;
}

function signOf(value: Interval): number {
    const span = intervalSpan(value);
    return span > 0n ? 1 : span < 0n ? -1 : 0;
}

/** As C's TSROUND: to microseconds of a day or second. */
function roundToMicros(value: number): number {
    return roundHalfEven(value * 1_000_000) / 1_000_000;
}

function scaleInterval(value: Interval, apply: (field: number) => number): Interval {
    const months = apply(value.months);
    const days = apply(value.days);
    const wholeMonths = Math.trunc(months);
    let wholeDays = Math.trunc(days);
    // Fractions of months and days spill into days and time: 30 days a month, 24 hours a day.
    const monthRest = roundToMicros((months - wholeMonths) * 30);
    let secondsRest = roundToMicros((days - wholeDays + monthRest - Math.trunc(monthRest)) * 86_400);
    if (Math.abs(secondsRest) >= 86_400) {
        const extra = Math.trunc(secondsRest / 86_400);
        wholeDays += extra;
        secondsRest -= extra * 86_400;
    }
    wholeDays += Math.trunc(monthRest);
    const micros = roundHalfEven(apply(Number(value.micros)) + secondsRest * 1_000_000);
    if (!Number.isFinite(micros) || Math.abs(micros) >= 2 ** 63) throw intervalOutOfRange();
    if (!(Math.abs(months) < 2 ** 31 && Math.abs(days) < 2 ** 31)) throw intervalOutOfRange();
    return makeInterval(wholeMonths, wholeDays, BigInt(micros));
}

export function multiplyInterval(value: Interval, factor: number): Interval {
    if (Number.isNaN(factor)) throw intervalOutOfRange();
    if (!isFiniteInterval(value) || !Number.isFinite(factor)) {
        const sign = (isFiniteInterval(value) ? signOf(value) : isPositiveInfinity(value) ? 1 : -1) * Math.sign(factor);
        if (sign === 0) throw intervalOutOfRange();
        return infinityWithSign(sign);
    }
    return scaleInterval(value, (field) => field * factor);
}

export function divideInterval(value: Interval, divisor: number): Interval {
    if (divisor === 0) throw new PgError('22012', 'division by zero');
    if (Number.isNaN(divisor)) throw intervalOutOfRange();
    if (!isFiniteInterval(value)) {
        if (!Number.isFinite(divisor)) throw intervalOutOfRange();
        return infinityWithSign((isPositiveInfinity(value) ? 1 : -1) * Math.sign(divisor));
    }
    return scaleInterval(value, (field) => field / divisor);
}

/** Whole days of time become days. */
export function justifyHours(value: Interval): Interval {
    if (!isFiniteInterval(value)) return value;
    const wholeDays = Number(value.micros / BigInt(MICROS_PER_DAY));
    return alignDays(value.months, value.days + wholeDays, value.micros % BigInt(MICROS_PER_DAY));
}

/** Gives days and time the same sign. */
function alignDays(months: number, days: number, micros: bigint): Interval {
    if (days > 0 && micros < 0n) return makeInterval(months, days - 1, micros + BigInt(MICROS_PER_DAY));
    if (days < 0 && micros > 0n) return makeInterval(months, days + 1, micros - BigInt(MICROS_PER_DAY));
    return makeInterval(months, days, micros);
}

/** Every 30 days become a month. */
export function justifyDays(value: Interval): Interval {
    if (!isFiniteInterval(value)) return value;
    let months = value.months + Math.trunc(value.days / 30);
    let days = value.days % 30;
    if (months > 0 && days < 0) {
        days += 30;
        months--;
    } else if (months < 0 && days > 0) {
        days -= 30;
        months++;
    }
    return makeInterval(months, days, value.micros);
}

/** Both, and all three fields with one sign. */
export function justifyInterval(value: Interval): Interval {
    if (!isFiniteInterval(value)) return value;
    let {months} = value;
    let days = value.days + Number(value.micros / BigInt(MICROS_PER_DAY));
    let micros = Number(value.micros % BigInt(MICROS_PER_DAY));
    months += Math.trunc(days / 30);
    days %= 30;
    if (months > 0 && (days < 0 || (days === 0 && micros < 0))) {
        days += 30;
        months--;
    } else if (months < 0 && (days > 0 || (days === 0 && micros > 0))) {
        days -= 30;
        months++;
    }
    if (days > 0 && micros < 0) {
        micros += MICROS_PER_DAY;
        days--;
    } else if (days < 0 && micros > 0) {
        micros -= MICROS_PER_DAY;
        days++;
    }
    return makeInterval(months, days, BigInt(micros));
}
