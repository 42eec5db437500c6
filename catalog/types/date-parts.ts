/**
 * extract() and date_trunc(). extract gives numeric, with the scales of PostgreSQL 14 and later.
 * Source: PostgreSQL documentation, sections 9.9.1 and 9.9.2; timestamp_part_common, interval_part_common and
 * timestamp_trunc in timestamp.c.
 */
import {PgError} from '../errors.ts';
import {timestamptzToTimestamp, timestampToTimestamptz} from './cast-datetime.ts';
import {
    civilFromDays,
    dayOfWeek,
    dayOfYear,
    daysFromCivil,
    daysFromIsoWeek,
    isFiniteTimestamp,
    isoWeek,
    joinTimestamp,
    splitTimestamp,
} from './civil.ts';
import type {Interval, TimeTz} from './datum.ts';
import {fromDecimal} from './decimal.ts';
import {addNumeric, divideNumeric} from './numeric.ts';
import {isFiniteInterval, isPositiveInfinity, makeInterval} from './interval-limits.ts';
import {secondsOf} from './timestamp.ts';
import type {TimeZone} from './time-zone.ts';

const FIELD_WORDS: Readonly<Record<string, string>> = {
    microseconds: 'us usec usecs usecond useconds microsecond microseconds microsecon',
    milliseconds: 'ms msec msecs mseconds msecond millisecond milliseconds millisecon',
    second: 's sec secs second seconds',
    minute: 'm min mins minute minutes',
    hour: 'h hr hrs hour hours',
    day: 'd day days',
    week: 'w week weeks',
    month: 'mon mons month months',
    quarter: 'qtr quarter',
    year: 'y yr yrs year years',
    decade: 'dec decs decade decades',
    century: 'c cent century centuries',
    millennium: 'mil mils millennium millennia',
    epoch: 'epoch',
    dow: 'dow',
    doy: 'doy',
    isodow: 'isodow',
    isoyear: 'isoyear',
    julian: 'j jd julian',
    timezone: 'timezone',
    timezone_hour: 'timezone_h timezone_hour',
    timezone_minute: 'timezone_m timezone_minute',
};
const FIELDS: ReadonlyMap<string, string> = new Map(
    Object.entries(FIELD_WORDS).flatMap(([field, words]) => words.split(' ').map((word) => [word, field] as const)),
);

function unitNotRecognized(field: string, typeName: string): PgError {
    return new PgError('22023', `unit "${field.toLowerCase()}" not recognized for type ${typeName}`);
}

function unitNotSupported(field: string, typeName: string): PgError {
    return new PgError('0A000', `unit "${field.toLowerCase()}" not supported for type ${typeName}`);
}

function canonicalField(field: string, typeName: string): string {
    const lower = field.toLowerCase();
    const found = FIELDS.get(lower);
    if (found === undefined) throw unitNotRecognized(field, typeName);
    return found;
}

function decimalOf(units: number | bigint, scale: number): string {
    return fromDecimal({units: BigInt(units), scale});
}

/** Years without a year zero: 1 BC is -1. */
function shownYear(year: number): number {
    return year > 0 ? year : year - 1;
}

function century(year: number, length: number): number {
    return year > 0 ? Math.floor((year + length - 1) / length) : -Math.floor((length - 1 - (year - 1)) / length);
}

function secondsPart(field: string, micros: number): string | undefined {
    const inMinute = micros % 60_000_000;
    switch (field) {
        case 'microseconds':
            return String(inMinute);
        case 'milliseconds':
            return decimalOf(inMinute, 3);
        case 'second':
            return decimalOf(inMinute, 6);
        case 'minute':
            return String(Math.trunc(micros / 60_000_000) % 60);
        case 'hour':
            return String(Math.trunc(micros / 3_600_000_000));
        default:
            return undefined;
    }
}

function datePart(field: string, days: number): string | undefined {
    const {year, month, day} = civilFromDays(days);
    switch (field) {
        case 'day':
            return String(day);
        case 'month':
            return String(month);
        case 'quarter':
            return String(Math.floor((month - 1) / 3) + 1);
        case 'week':
            return String(isoWeek(days).week);
        case 'isoyear':
            return String(shownYear(isoWeek(days).year));
        case 'year':
            return String(shownYear(year));
        case 'decade':
            return String(Math.floor(year / 10));
        case 'century':
            return String(century(year, 100));
        case 'millennium':
            return String(century(year, 1000));
        case 'dow':
            return String(dayOfWeek(days));
        case 'isodow':
            return String(dayOfWeek(days) || 7);
        case 'doy':
            return String(dayOfYear(days));
        default:
            return undefined;
    }
}

const MONOTONIC = new Set(['year', 'decade', 'century', 'millennium', 'julian', 'isoyear', 'epoch']);
const NULL_FOR_INFINITY = new Set([
    'microseconds',
    'milliseconds',
    'second',
    'minute',
    'hour',
    'day',
    'month',
    'quarter',
    'week',
    'dow',
    'isodow',
    'doy',
    'timezone',
    'timezone_hour',
    'timezone_minute',
]);

/** Fields that grow with time are infinite too; all others are NULL. */
function partOfInfinity(field: string, positive: boolean): string | null | undefined {
    if (MONOTONIC.has(field)) return positive ? 'Infinity' : '-Infinity';
    return NULL_FOR_INFINITY.has(field) ? null : undefined;
}

const JULIAN_EPOCH = 2_451_545;
const UNIX_EPOCH_MICROS = 946_684_800_000_000n;

/** A numeric, or null for a field that infinity does not have. */
export function extractFromTimestamp(fieldName: string, value: bigint): string | null {
    const typeName = 'timestamp without time zone';
    const field = canonicalField(fieldName, typeName);
    if (field.startsWith('timezone') && isFiniteTimestamp(value)) throw unitNotSupported(fieldName, typeName);
    return extractLocal(field, fieldName, value, value, typeName);
}

export function extractFromTimestamptz(fieldName: string, value: bigint, zone: TimeZone): string | null {
    const typeName = 'timestamp with time zone';
    const field = canonicalField(fieldName, typeName);
    if (field.startsWith('timezone') && isFiniteTimestamp(value)) {
        return zonePart(field, zone.offsetAt(secondsOf(value))) ?? null;
    }
    return extractLocal(field, fieldName, timestamptzToTimestamp(value, zone), value, typeName);
}

function zonePart(field: string, offsetSeconds: number): string | undefined {
    switch (field) {
        case 'timezone':
            return String(offsetSeconds);
        case 'timezone_hour':
            return String(Math.trunc(offsetSeconds / 3600) + 0);
        case 'timezone_minute':
            return String((Math.trunc(offsetSeconds / 60) % 60) + 0);
        default:
            return undefined;
    }
}

/** `local` is what clocks show, `instant` the value that the epoch counts from. */
function extractLocal(
    field: string,
    fieldName: string,
    local: bigint,
    instant: bigint,
    typeName: string,
): string | null {
    if (!isFiniteTimestamp(local)) {
        const part = partOfInfinity(field, local > 0n);
        if (part === undefined) throw unitNotSupported(fieldName, typeName);
        return part;
    }
    if (field === 'epoch') return decimalOf(instant + UNIX_EPOCH_MICROS, 6);
    const {days, micros} = splitTimestamp(local);
    if (field === 'julian') return julianDay(days, micros);
    const part = secondsPart(field, micros) ?? datePart(field, days);
    if (part === undefined) throw unitNotSupported(fieldName, typeName);
    return part;
}

/** Whole days, plus the fraction of the day by numeric division, whose scale shows. */
function julianDay(days: number, micros: number): string {
    return addNumeric(String(days + JULIAN_EPOCH), divideNumeric(String(micros), '86400000000'));
}

export function extractFromDate(fieldName: string, days: number): string | null {
    const field = canonicalField(fieldName, 'date');
    if (!Number.isFinite(days)) {
        const part =
            secondsPart(field, 0) === undefined && !field.startsWith('timezone') && partOfInfinity(field, days > 0);
        if (part === false || part === undefined) throw unitNotSupported(fieldName, 'date');
        return part;
    }
    if (field === 'epoch') return String((days + 10_957) * 86_400);
    if (field === 'julian') return String(days + JULIAN_EPOCH);
    const part = datePart(field, days);
    if (part === undefined) throw unitNotSupported(fieldName, 'date');
    return part;
}

export function extractFromTime(fieldName: string, micros: number): string {
    const typeName = 'time without time zone';
    const field = canonicalField(fieldName, typeName);
    const part = field === 'epoch' ? decimalOf(micros, 6) : secondsPart(field, micros);
    if (part === undefined) throw unitNotSupported(fieldName, typeName);
    return part;
}

export function extractFromTimetz(fieldName: string, value: TimeTz): string {
    const typeName = 'time with time zone';
    const field = canonicalField(fieldName, typeName);
    if (field === 'epoch') return decimalOf(value.micros + value.zone * 1_000_000, 6);
    const part = zonePart(field, 0 - value.zone) ?? secondsPart(field, value.micros);
    if (part === undefined) throw unitNotSupported(fieldName, typeName);
    return part;
}

export function extractFromInterval(fieldName: string, value: Interval): string | null {
    const field = canonicalField(fieldName, 'interval');
    if (!isFiniteInterval(value)) return partOfInfiniteInterval(field, fieldName, isPositiveInfinity(value));
    const years = Math.trunc(value.months / 12) + 0;
    switch (field) {
        case 'microseconds':
            return String(value.micros % 60_000_000n);
        case 'milliseconds':
            return decimalOf(value.micros % 60_000_000n, 3);
        case 'second':
            return decimalOf(value.micros % 60_000_000n, 6);
        case 'minute':
            return String((value.micros / 60_000_000n) % 60n);
        case 'hour':
            return String(value.micros / 3_600_000_000n);
        case 'day':
            return String(value.days);
        case 'week':
            return String(Math.trunc(value.days / 7) + 0);
        case 'month':
            return String((value.months % 12) + 0);
        case 'quarter': {
            const month = value.months % 12;
            return String(value.months >= 0 ? Math.trunc(month / 3) + 1 : Math.trunc(month / 3) - 1);
        }
        case 'year':
            return String(years);
        case 'decade':
            return String(Math.trunc(years / 10) + 0);
        case 'century':
            return String(Math.trunc(years / 100) + 0);
        case 'millennium':
            return String(Math.trunc(years / 1000) + 0);
        case 'epoch': {
            // A year counts 365.25 days here, a remaining month 30.
            const seconds = BigInt(years) * 31_557_600n + BigInt(value.months % 12) * 2_592_000n;
            return decimalOf((seconds + BigInt(value.days) * 86_400n) * 1_000_000n + value.micros, 6);
        }
        default:
            throw unitNotSupported(fieldName, 'interval');
    }
}

function partOfInfiniteInterval(field: string, fieldName: string, positive: boolean): string | null {
    switch (field) {
        case 'microseconds':
        case 'milliseconds':
        case 'second':
        case 'minute':
        case 'week':
        case 'month':
        case 'quarter':
            return null;
        case 'hour':
        case 'day':
        case 'year':
        case 'decade':
        case 'century':
        case 'millennium':
        case 'epoch':
            return positive ? 'Infinity' : '-Infinity';
        default:
            throw unitNotSupported(fieldName, 'interval');
    }
}

/** Fields of extract() that are no units of intervals, and so unknown to date_trunc(). */
const NOT_UNITS = new Set(['epoch', 'dow', 'doy', 'isodow', 'isoyear', 'julian']);

function unitOf(fieldName: string, typeName: string): string {
    const field = canonicalField(fieldName, typeName);
    if (NOT_UNITS.has(field)) throw unitNotRecognized(fieldName, typeName);
    return field;
}

const TIME_UNIT_MICROS: Readonly<Record<string, number>> = {
    microseconds: 1,
    milliseconds: 1000,
    second: 1_000_000,
    minute: 60_000_000,
    hour: 3_600_000_000,
    day: 86_400_000_000,
};

function truncateLocal(field: string, fieldName: string, value: bigint, typeName: string): bigint {
    const {days, micros} = splitTimestamp(value);
    const unit = TIME_UNIT_MICROS[field];
    if (unit !== undefined) return joinTimestamp(days, micros - (micros % unit));
    const {year, month} = civilFromDays(days);
    switch (field) {
        case 'week': {
            const week = isoWeek(days);
            return joinTimestamp(daysFromIsoWeek(week.year, week.week), 0);
        }
        case 'month':
            return joinTimestamp(daysFromCivil(year, month, 1), 0);
        case 'quarter':
            return joinTimestamp(daysFromCivil(year, month - ((month - 1) % 3), 1), 0);
        case 'year':
            return joinTimestamp(daysFromCivil(year, 1, 1), 0);
        case 'decade':
            return joinTimestamp(daysFromCivil(Math.floor(year / 10) * 10, 1, 1), 0);
        case 'century':
            return joinTimestamp(daysFromCivil(Math.floor((year - 1) / 100) * 100 + 1, 1, 1), 0);
        case 'millennium':
            return joinTimestamp(daysFromCivil(Math.floor((year - 1) / 1000) * 1000 + 1, 1, 1), 0);
        default:
            throw unitNotSupported(fieldName, typeName);
    }
}

export function truncateTimestamp(fieldName: string, value: bigint): bigint {
    const typeName = 'timestamp without time zone';
    const field = unitOf(fieldName, typeName);
    const truncated = truncateLocal(field, fieldName, isFiniteTimestamp(value) ? value : 0n, typeName);
    return isFiniteTimestamp(value) ? truncated : value;
}

/** Truncates the local time of the zone. Units below a day keep the offset, others take that of the new local time. */
export function truncateTimestamptz(fieldName: string, value: bigint, zone: TimeZone): bigint {
    const typeName = 'timestamp with time zone';
    const field = unitOf(fieldName, typeName);
    if (!isFiniteTimestamp(value)) {
        truncateLocal(field, fieldName, 0n, typeName);
        return value;
    }
    const local = timestamptzToTimestamp(value, zone);
    const truncated = truncateLocal(field, fieldName, local, typeName);
    const keepsOffset = field !== 'day' && TIME_UNIT_MICROS[field] !== undefined;
    return keepsOffset ? value - (local - truncated) : timestampToTimestamptz(truncated, zone);
}

export function truncateInterval(fieldName: string, value: Interval): Interval {
    const field = unitOf(fieldName, 'interval');
    const truncated = truncateFiniteInterval(field, fieldName, isFiniteInterval(value) ? value : ZERO);
    return isFiniteInterval(value) ? truncated : value;
}

const ZERO: Interval = {months: 0, days: 0, micros: 0n};
const INTERVAL_UNIT_MONTHS: Readonly<Record<string, number>> = {
    month: 1,
    quarter: 3,
    year: 12,
    decade: 120,
    century: 1200,
    millennium: 12_000,
};

function truncateFiniteInterval(field: string, fieldName: string, value: Interval): Interval {
    const months = INTERVAL_UNIT_MONTHS[field];
    if (months !== undefined) return makeInterval(value.months - (value.months % months), 0, 0n);
    if (field === 'day') return makeInterval(value.months, value.days, 0n);
    const unit = TIME_UNIT_MICROS[field];
    if (unit !== undefined) return makeInterval(value.months, value.days, value.micros - (value.micros % BigInt(unit)));
    if (field === 'week') {
        throw new PgError('0A000', 'unit "week" not supported for type interval', {
            detail: 'Months usually have fractional weeks.',
        });
    }
    throw unitNotSupported(fieldName, 'interval');
}
