/**
 * Arithmetic on dates, times and timestamps. Source: PostgreSQL documentation, "Date/Time Functions and Operators";
 * timestamp_pl_interval, timestamp_mi, timestamp_age, date_pli in timestamp.c and date.c.
 *
 * What must stay true: months are added first (clipped to the month's last day), then days, then time. For timestamptz
 * months and days follow the calendar of the zone, so a day may have 23 or 25 hours.
 */
import {PgError} from '../errors.ts';
import {dateToTimestamp, timestamptzToTimestamp, timestampToTimestamptz} from './cast-datetime.ts';
import {
    civilFromDays,
    DATE_END,
    DATE_MIN,
    daysFromCivil,
    daysInMonth,
    isFiniteTimestamp,
    isTimestampInRange,
    joinTimestamp,
    MICROS_PER_DAY,
    splitTimestamp,
    TIMESTAMP_INFINITY,
    TIMESTAMP_NEGATIVE_INFINITY,
} from './civil.ts';
import type {Interval, TimeTz} from './datum.ts';
import {
    INTERVAL_INFINITY,
    INTERVAL_NEGATIVE_INFINITY,
    intervalOutOfRange,
    isFiniteInterval,
    isPositiveInfinity,
    makeInterval,
} from './interval-limits.ts';
import {negateInterval} from './interval-arithmetic.ts';
import type {TimeZone} from './time-zone.ts';

function timestampOutOfRange(): PgError {
    return new PgError('22008', 'timestamp out of range');
}

function checked(value: bigint): bigint {
    if (!isTimestampInRange(value)) throw timestampOutOfRange();
    return value;
}

/** A day `months` later: the same day of the month, or the last one if the month is shorter. */
function addMonths(days: number, months: number): number {
    const date = civilFromDays(days);
    const total = date.year * 12 + date.month - 1 + months;
    const year = Math.floor(total / 12);
    const month = total - year * 12 + 1;
    return daysFromCivil(year, month, Math.min(date.day, daysInMonth(year, month)));
}

/** The result when either side is infinite; undefined when both are finite. */
function infiniteSum(value: bigint, span: Interval): bigint | undefined {
    if (isFiniteInterval(span)) return isFiniteTimestamp(value) ? undefined : value;
    const infinity = isPositiveInfinity(span) ? TIMESTAMP_INFINITY : TIMESTAMP_NEGATIVE_INFINITY;
    if (!isFiniteTimestamp(value) && value !== infinity) throw timestampOutOfRange();
    return infinity;
}

export function addToTimestamp(value: bigint, span: Interval): bigint {
    const infinite = infiniteSum(value, span);
    if (infinite !== undefined) return infinite;
    if (span.months === 0 && span.days === 0) return checked(value + span.micros);
    const {days, micros} = splitTimestamp(value);
    const moved = (span.months === 0 ? days : addMonths(days, span.months)) + span.days;
    return checked(checked(joinTimestamp(moved, micros)) + span.micros);
}

export function subtractFromTimestamp(value: bigint, span: Interval): bigint {
    return addToTimestamp(value, negateInterval(span));
}

export function addToTimestamptz(value: bigint, span: Interval, zone: TimeZone): bigint {
    const infinite = infiniteSum(value, span);
    if (infinite !== undefined) return infinite;
    if (span.months === 0 && span.days === 0) return checked(value + span.micros);
    let moved = value;
    // Months and days are two steps in PostgreSQL, each with its own offset.
    if (span.months !== 0) {
        const {days, micros} = splitTimestamp(timestamptzToTimestamp(moved, zone));
        moved = timestampToTimestamptz(checked(joinTimestamp(addMonths(days, span.months), micros)), zone);
    }
    if (span.days !== 0) {
        const {days, micros} = splitTimestamp(timestamptzToTimestamp(moved, zone));
        moved = timestampToTimestamptz(checked(joinTimestamp(days + span.days, micros)), zone);
    }
    return checked(moved + span.micros);
}

export function subtractFromTimestamptz(value: bigint, span: Interval, zone: TimeZone): bigint {
    return addToTimestamptz(value, negateInterval(span), zone);
}

/** timestamp - timestamp, also for timestamptz: days and time, never months. */
export function subtractTimestamps(a: bigint, b: bigint): Interval {
    if (!isFiniteTimestamp(a) || !isFiniteTimestamp(b)) {
        if (a === b) throw intervalOutOfRange();
        const positive = a === TIMESTAMP_INFINITY || b === TIMESTAMP_NEGATIVE_INFINITY;
        return positive ? INTERVAL_INFINITY : INTERVAL_NEGATIVE_INFINITY;
    }
    const micros = a - b;
    if (BigInt.asIntN(64, micros) !== micros) throw intervalOutOfRange();
    const day = BigInt(MICROS_PER_DAY);
    return makeInterval(0, Number(micros / day), micros % day);
}

/** date + integer. */
export function addDays(date: number, days: number): number {
    if (!Number.isFinite(date)) return date;
    const result = date + days;
    if (result < DATE_MIN || result >= DATE_END) throw new PgError('22008', 'date out of range');
    return result;
}

/** date - date, in days. */
export function subtractDates(a: number, b: number): number {
    if (!Number.isFinite(a) || !Number.isFinite(b)) throw new PgError('22008', 'cannot subtract infinite dates');
    return a - b;
}

/** date + interval is a timestamp. */
export function addToDate(date: number, span: Interval): bigint {
    return addToTimestamp(dateToTimestamp(date), span);
}

export function subtractFromDate(date: number, span: Interval): bigint {
    return subtractFromTimestamp(dateToTimestamp(date), span);
}

/** date + time is a timestamp. */
export function dateAndTime(date: number, micros: number): bigint {
    const start = dateToTimestamp(date);
    return isFiniteTimestamp(start) ? checked(start + BigInt(micros)) : start;
}

/** date + timetz is a timestamptz. */
export function dateAndTimetz(date: number, time: TimeTz): bigint {
    const start = dateToTimestamp(date);
    return isFiniteTimestamp(start) ? checked(start + BigInt(time.micros + time.zone * 1_000_000)) : start;
}

/** time + interval wraps around midnight; months and days do not count. */
export function addToTime(micros: number, span: Interval): number {
    if (!isFiniteInterval(span)) throw new PgError('22008', 'cannot add infinite interval to time');
    const sum = (micros + Number(span.micros % BigInt(MICROS_PER_DAY))) % MICROS_PER_DAY;
    return sum < 0 ? sum + MICROS_PER_DAY : sum;
}

export function subtractFromTime(micros: number, span: Interval): number {
    if (!isFiniteInterval(span)) throw new PgError('22008', 'cannot subtract infinite interval from time');
    const rest = (micros - Number(span.micros % BigInt(MICROS_PER_DAY))) % MICROS_PER_DAY;
    return rest < 0 ? rest + MICROS_PER_DAY : rest;
}

export function subtractTimes(a: number, b: number): Interval {
    return {months: 0, days: 0, micros: BigInt(a - b)};
}

/** age(a, b): years, months, days and time by the calendar. For timestamptz, of the local timestamps. */
export function ageOfTimestamps(a: bigint, b: bigint): Interval {
    if (!isFiniteTimestamp(a) || !isFiniteTimestamp(b)) return subtractTimestamps(a, b);
    return a < b ? negateInterval(calendarDifference(b, a)) : calendarDifference(a, b);
}

/** `later` is not before `earlier`. Days are borrowed from the month of the earlier one. */
function calendarDifference(later: bigint, earlier: bigint): Interval {
    const to = splitTimestamp(later);
    const from = splitTimestamp(earlier);
    const toDate = civilFromDays(to.days);
    const fromDate = civilFromDays(from.days);
    let micros = to.micros - from.micros;
    let days = toDate.day - fromDate.day;
    let months = (toDate.year - fromDate.year) * 12 + toDate.month - fromDate.month;
    if (micros < 0) {
        micros += MICROS_PER_DAY;
        days--;
    }
    while (days < 0) {
        days += daysInMonth(fromDate.year, fromDate.month);
        months--;
    }
    return makeInterval(months, days, BigInt(micros));
}
