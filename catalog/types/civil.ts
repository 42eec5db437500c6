/**
 * Civil dates in the proleptic Gregorian calendar and the units of time, on PostgreSQL's epoch 2000-01-01.
 * Years are astronomical: 0 is 1 BC. Source: PostgreSQL documentation, appendix B.
 *
 * What must stay true: pure arithmetic on numbers, exact over the whole range of date (4713 BC to 5874897 AD).
 */

export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_MINUTE = 60_000_000;
export const MICROS_PER_HOUR = 3_600_000_000;
export const MICROS_PER_DAY = 86_400_000_000;
export const SECONDS_PER_DAY = 86_400;
/** Days from 1970-01-01 to 2000-01-01. */
export const UNIX_EPOCH_DAYS = 10_957;
/** Julian day of 2000-01-01. */
export const EPOCH_JULIAN_DAY = 2_451_545;
/** First day of date: Julian day 0, 4714-11-24 BC. */
export const DATE_MIN = -EPOCH_JULIAN_DAY;
/** The day after the last one of date, 5874897-12-31. */
export const DATE_END = 2_145_031_949;

export const TIMESTAMP_INFINITY = 9_223_372_036_854_775_807n;
export const TIMESTAMP_NEGATIVE_INFINITY = -9_223_372_036_854_775_808n;
/** 4714-11-24 00:00:00 BC */
export const TIMESTAMP_MIN = -211_813_488_000_000_000n;
/** The microsecond after 294276-12-31 23:59:59.999999 */
export const TIMESTAMP_END = 9_223_371_331_200_000_000n;

export interface CivilDate {
    readonly year: number;
    readonly month: number;
    readonly day: number;
}

export function isLeapYear(year: number): boolean {
    return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `month` 1..12 */
export function daysInMonth(year: number, month: number): number {
    return month === 2 && isLeapYear(year) ? 29 : (MONTH_DAYS[month - 1] ?? 31);
}

/** Days since 2000-01-01. `month` 1..12; `day` may lie outside of the month. */
export function daysFromCivil(year: number, month: number, day: number): number {
    const y = month <= 2 ? year - 1 : year;
    const era = Math.floor(y / 400);
    const yearOfEra = y - era * 400;
    const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
    const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
    return era * 146_097 + dayOfEra - 719_468 - UNIX_EPOCH_DAYS;
}

export function civilFromDays(days: number): CivilDate {
    const z = days + 719_468 + UNIX_EPOCH_DAYS;
    const era = Math.floor(z / 146_097);
    const dayOfEra = z - era * 146_097;
    const yearOfEra = Math.floor(
        (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
    );
    const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
    const shifted = Math.floor((5 * dayOfYear + 2) / 153);
    const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
    const month = shifted + (shifted < 10 ? 3 : -9);
    return {year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

/** 0 = Sunday. */
export function dayOfWeek(days: number): number {
    return (((days + 6) % 7) + 7) % 7;
}

/** 1..366 */
export function dayOfYear(days: number): number {
    return days - daysFromCivil(civilFromDays(days).year, 1, 1) + 1;
}

export interface IsoWeek {
    readonly year: number;
    readonly week: number;
}

/** ISO 8601 week: weeks begin on Monday, and week 1 has the year's first Thursday. */
export function isoWeek(days: number): IsoWeek {
    const thursday = days - ((dayOfWeek(days) + 6) % 7) + 3;
    const year = civilFromDays(thursday).year;
    return {year, week: Math.floor((thursday - daysFromCivil(year, 1, 1)) / 7) + 1};
}

/** Monday of an ISO week, in days since 2000-01-01. */
export function daysFromIsoWeek(year: number, week: number): number {
    const fourth = daysFromCivil(year, 1, 4);
    return fourth - ((dayOfWeek(fourth) + 6) % 7) + (week - 1) * 7;
}

/** Division that rounds down, for bigints. */
export function floorDivide(a: bigint, b: bigint): bigint {
    const quotient = a / b;
    return a % b < 0n ? quotient - 1n : quotient;
}

/** A finite timestamp as whole days since 2000-01-01 and microseconds of the day. */
export function splitTimestamp(micros: bigint): {readonly days: number; readonly micros: number} {
    const small = Number(micros);
    if (Number.isSafeInteger(small)) {
        const days = Math.floor(small / MICROS_PER_DAY);
        return {days, micros: small - days * MICROS_PER_DAY};
    }
    const days = floorDivide(micros, 86_400_000_000n);
    return {days: Number(days), micros: Number(micros - days * 86_400_000_000n)};
}

/** Microseconds since 2000-01-01 of a day and a (possibly negative or large) number of microseconds in it. */
export function joinTimestamp(days: number, micros: number): bigint {
    const small = days * MICROS_PER_DAY + micros;
    return Number.isSafeInteger(small) ? BigInt(small) : BigInt(days) * 86_400_000_000n + BigInt(micros);
}

export function isFiniteTimestamp(value: bigint): boolean {
    return value !== TIMESTAMP_INFINITY && value !== TIMESTAMP_NEGATIVE_INFINITY;
}

export function isTimestampInRange(value: bigint): boolean {
    return value >= TIMESTAMP_MIN && value < TIMESTAMP_END;
}

/** The clock, in microseconds since 2000-01-01 UTC. */
export function clockMicros(): bigint {
    return BigInt(Date.now() - UNIX_EPOCH_DAYS * 86_400_000) * 1000n;
}
