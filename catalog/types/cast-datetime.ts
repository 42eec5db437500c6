/**
 * Casts between dates, times, timestamps and intervals. Source: PostgreSQL documentation, "Date/Time Types"; date.c and
 * timestamp.c.
 */
import {PgError} from '../errors.ts';
import {
    isFiniteTimestamp,
    isTimestampInRange,
    joinTimestamp,
    MICROS_PER_DAY,
    splitTimestamp,
    TIMESTAMP_INFINITY,
    TIMESTAMP_NEGATIVE_INFINITY,
} from './civil.ts';
import type {Interval, TimeTz} from './datum.ts';
import {isFiniteInterval} from './interval-limits.ts';
import {secondsOf} from './timestamp.ts';
import type {TimeZone} from './time-zone.ts';

/** First day after the last timestamp. */
const TIMESTAMP_DAYS_END = 106_751_983;

function infinityOf(days: number): bigint {
    return days > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_NEGATIVE_INFINITY;
}

export function dateToTimestamp(days: number): bigint {
    if (!Number.isFinite(days)) return infinityOf(days);
    if (days >= TIMESTAMP_DAYS_END) throw new PgError('22008', 'date out of range for timestamp');
    return joinTimestamp(days, 0);
}

export function dateToTimestamptz(days: number, zone: TimeZone): bigint {
    if (!Number.isFinite(days)) return infinityOf(days);
    if (days >= TIMESTAMP_DAYS_END) throw new PgError('22008', 'date out of range for timestamp');
    const result = joinTimestamp(days, -zone.offsetAtLocal(days * 86_400) * 1_000_000);
    if (!isTimestampInRange(result)) throw new PgError('22008', 'date out of range for timestamp');
    return result;
}

export function timestampToDate(value: bigint): number {
    if (!isFiniteTimestamp(value)) return value > 0n ? Infinity : -Infinity;
    return splitTimestamp(value).days;
}

/** Undefined for the infinities, which have no time. */
export function timestampToTime(value: bigint): number | undefined {
    return isFiniteTimestamp(value) ? splitTimestamp(value).micros : undefined;
}

/** The instant that clocks of the zone show as this time. */
export function timestampToTimestamptz(value: bigint, zone: TimeZone): bigint {
    if (!isFiniteTimestamp(value)) return value;
    const result = value - BigInt(zone.offsetAtLocal(secondsOf(value))) * 1_000_000n;
    if (!isTimestampInRange(result)) throw new PgError('22008', 'timestamp out of range');
    return result;
}

/** What clocks of the zone show at the instant. */
export function timestamptzToTimestamp(value: bigint, zone: TimeZone): bigint {
    if (!isFiniteTimestamp(value)) return value;
    const result = value + BigInt(zone.offsetAt(secondsOf(value))) * 1_000_000n;
    if (!isTimestampInRange(result)) throw new PgError('22008', 'timestamp out of range');
    return result;
}

export function timestamptzToTimetz(value: bigint, zone: TimeZone): TimeTz | undefined {
    if (!isFiniteTimestamp(value)) return undefined;
    const offset = zone.offsetAt(secondsOf(value));
    return {micros: splitTimestamp(value + BigInt(offset) * 1_000_000n).micros, zone: 0 - offset};
}

/** A time has no date: the zone's offset is today's. */
export function timeToTimetz(micros: number, zone: TimeZone, nowMicros: bigint): TimeTz {
    const nowOffset = zone.offsetAt(secondsOf(nowMicros));
    const today = splitTimestamp(nowMicros + BigInt(nowOffset) * 1_000_000n).days;
    return {micros, zone: 0 - zone.offsetAtLocal(today * 86_400 + Math.floor(micros / 1_000_000))};
}

export function timeToInterval(micros: number): Interval {
    return {months: 0, days: 0, micros: BigInt(micros)};
}

/** The part of an interval below a day, wrapped into 0..24 h. */
export function intervalToTime(value: Interval): number {
    if (!isFiniteInterval(value)) throw new PgError('22008', 'cannot convert infinite interval to time');
    const micros = Number(value.micros % 86_400_000_000n);
    return micros < 0 ? micros + MICROS_PER_DAY : micros + 0;
}
