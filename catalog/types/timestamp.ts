/**
 * timestamp and timestamptz: microseconds since 2000-01-01, the extremes of int64 for the infinities.
 * Source: PostgreSQL documentation, "Date/Time Types".
 *
 * What must stay true: ISO input and output, which is what drivers use, never reach the general decoder, and do
 * arithmetic on numbers while the value is a safe integer (years 1715 to 2285).
 */
import {PgError} from '../errors.ts';
import {
    isTimestampInRange,
    joinTimestamp,
    splitTimestamp,
    TIMESTAMP_INFINITY,
    TIMESTAMP_NEGATIVE_INFINITY,
} from './civil.ts';
import {isoDateAtStart, twoDigitsAt} from './date.ts';
import {printDatetime, readDateStyle} from './date-style.ts';
import {decodeDatetime} from './datetime-decode.ts';
import {compareBigints, receiveInt8, sendInt8} from './integers.ts';
import {codec} from './pg-type.ts';
import type {OutputSettings} from './settings.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {requireTimeZone, UTC} from './time-zone.ts';
import type {TimeZone} from './time-zone.ts';

const UNIX_EPOCH_TIMESTAMP = -946_684_800_000_000n;
const FRACTION_UNITS = [1_000_000, 100_000, 10_000, 1000, 100, 10, 1];
/** Sentinels of the fast reader, outside of the range of offsets. */
const NO_ZONE = 1_000_000;

/** Results of the fast reader, kept in module variables so that it allocates nothing. */
let fastDays = 0;
let fastMicros = 0;
let fastOffset = NO_ZONE;

/** Reads `YYYY-MM-DD HH:MM:SS[.ffffff][zone]` (or with T); false when the text is anything else. */
function readIso(text: string): boolean {
    const length = text.length;
    if (length < 19) return false;
    const separator = text.charCodeAt(10);
    if (separator !== 32 && separator !== 84) return false;
    if (text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return false;
    const days = isoDateAtStart(text);
    const hour = twoDigitsAt(text, 11);
    const minute = twoDigitsAt(text, 14);
    const second = twoDigitsAt(text, 17);
    if (!(days === days && hour < 24 && minute < 60 && second < 60)) return false;
    let at = 19;
    let fraction = 0;
    if (text.charCodeAt(at) === 46) {
        at++;
        const start = at;
        for (; at < length; at++) {
            const digit = text.charCodeAt(at) - 48;
            if (digit < 0 || digit > 9) break;
            fraction = fraction * 10 + digit;
        }
        const unit = FRACTION_UNITS[at - start];
        if (unit === undefined || at === start) return false;
        fraction *= unit;
    }
    fastDays = days;
    fastMicros = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction;
    fastOffset = NO_ZONE;
    return at === length || readIsoZone(text, at);
}

/** `Z`, `+HH` or `+HH:MM` up to the end. */
function readIsoZone(text: string, at: number): boolean {
    const sign = text.charCodeAt(at);
    if (sign === 90 && at + 1 === text.length) {
        fastOffset = 0;
        return true;
    }
    if (sign !== 43 && sign !== 45) return false;
    const hours = twoDigitsAt(text, at + 1);
    let minutes = 0;
    if (text.length === at + 6 && text.charCodeAt(at + 3) === 58) minutes = twoDigitsAt(text, at + 4);
    else if (text.length !== at + 3) return false;
    if (!(hours <= 15 && minutes < 60)) return false;
    const east = (hours * 60 + minutes) * 60;
    fastOffset = sign === 45 ? 0 - east : east;
    return true;
}

export function checkTimestamp(micros: bigint, text: string): bigint {
    if (!isTimestampInRange(micros)) throw new PgError('22008', `timestamp out of range: "${text}"`);
    return micros;
}

export function parseTimestamp(text: string, settings?: OutputSettings): bigint {
    if (readIso(text)) return joinTimestamp(fastDays, fastMicros);
    const decoded = decodeDatetime(text, 'timestamp', settings);
    if (decoded.kind === 'date') return checkTimestamp(joinTimestamp(decoded.days, decoded.micros), text);
    return specialTimestamp(decoded.kind);
}

function specialTimestamp(kind: 'epoch' | 'late' | 'early'): bigint {
    return kind === 'epoch' ? UNIX_EPOCH_TIMESTAMP : kind === 'late' ? TIMESTAMP_INFINITY : TIMESTAMP_NEGATIVE_INFINITY;
}

export function zoneOf(settings: OutputSettings): TimeZone {
    const name = settings.timeZone;
    return name === 'UTC' ? UTC : requireTimeZone(name);
}

export function parseTimestamptz(text: string, settings?: OutputSettings): bigint {
    const used = settings ?? DEFAULT_OUTPUT_SETTINGS;
    if (readIso(text)) {
        let offset = fastOffset;
        if (offset === NO_ZONE) {
            const zone = zoneOf(used);
            offset = zone === UTC ? 0 : zone.offsetAtLocal(fastDays * 86_400 + Math.floor(fastMicros / 1_000_000));
        }
        return joinTimestamp(fastDays, fastMicros - offset * 1_000_000);
    }
    const decoded = decodeDatetime(text, 'timestamp with time zone', used);
    if (decoded.kind !== 'date') return specialTimestamp(decoded.kind);
    return checkTimestamp(joinTimestamp(decoded.days, decoded.micros - decoded.offsetSeconds * 1_000_000), text);
}

function printSpecial(value: bigint): string | undefined {
    if (value === TIMESTAMP_INFINITY) return 'infinity';
    return value === TIMESTAMP_NEGATIVE_INFINITY ? '-infinity' : undefined;
}

export function printTimestamp(value: bigint, settings: OutputSettings): string {
    const special = printSpecial(value);
    if (special !== undefined) return special;
    const {days, micros} = splitTimestamp(value);
    return printDatetime(days, micros, undefined, readDateStyle(settings.dateStyle));
}

export function printTimestamptz(value: bigint, settings: OutputSettings): string {
    const special = printSpecial(value);
    if (special !== undefined) return special;
    const zone = zoneOf(settings);
    if (zone === UTC) {
        const {days, micros} = splitTimestamp(value);
        return printDatetime(days, micros, UTC_SHOWN, readDateStyle(settings.dateStyle));
    }
    const seconds = secondsOf(value);
    const offsetSeconds = zone.offsetAt(seconds);
    const {days, micros} = splitTimestamp(value + BigInt(offsetSeconds) * 1_000_000n);
    const shown = {offsetSeconds, abbreviation: () => zone.abbreviationAt(seconds)};
    return printDatetime(days, micros, shown, readDateStyle(settings.dateStyle));
}

const UTC_SHOWN = {offsetSeconds: 0, abbreviation: (): string => 'UTC'};

/** Whole seconds since 2000-01-01, rounded down. */
export function secondsOf(value: bigint): number {
    return Math.floor(Number(value) / 1_000_000);
}

function checkBinary(value: bigint): bigint {
    if (value !== TIMESTAMP_INFINITY && value !== TIMESTAMP_NEGATIVE_INFINITY && !isTimestampInRange(value)) {
        throw new PgError('22008', 'timestamp out of range');
    }
    return value;
}

export const timestampCodec = codec<bigint>({
    parse: parseTimestamp,
    print: printTimestamp,
    receive: (bytes, offset, length) => checkBinary(receiveInt8(bytes, offset, length)),
    send: sendInt8,
    compare: compareBigints,
    hashKey: (value) => value,
});

export const timestamptzCodec = codec<bigint>({
    parse: parseTimestamptz,
    print: printTimestamptz,
    receive: (bytes, offset, length) => checkBinary(receiveInt8(bytes, offset, length)),
    send: sendInt8,
    compare: compareBigints,
    hashKey: (value) => value,
});
