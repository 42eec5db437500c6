/**
 * Understands date/time input: which field is year, month, day, time or zone.
 * Source: PostgreSQL documentation, appendix B.1; DecodeDateTime, DecodeTimeOnly, DecodeNumber and ValidateDate in
 * datetime.c, whose order of decisions is kept, because it is what makes odd input mean the same here.
 *
 * One file of more than 400 lines, since the decisions share one state and are read side by side with the original.
 */
import {civilFromDays, clockMicros, daysFromCivil, daysInMonth, EPOCH_JULIAN_DAY, splitTimestamp} from './civil.ts';
import {datetimeError, zoneNotRecognized} from './datetime-errors.ts';
import type {DatetimeFailure} from './datetime-errors.ts';
import {scanFields} from './datetime-scan.ts';
import type {Field} from './datetime-scan.ts';
import {findWord, findZoneAbbreviation} from './datetime-words.ts';
import type {DatetimeWord} from './datetime-words.ts';
import type {PgError} from '../errors.ts';
import type {OutputSettings} from './settings.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {findTimeZone, requireTimeZone} from './time-zone.ts';
import type {TimeZone} from './time-zone.ts';

export interface DecodedDatetime {
    readonly kind: 'date' | 'epoch' | 'late' | 'early';
    /** Days since 2000-01-01; meaningless for a time without date. */
    readonly days: number;
    /** Microseconds of the day, 0..86400000000. */
    readonly micros: number;
    /** Seconds east of Greenwich: as written, or of the session's zone at that time. */
    readonly offsetSeconds: number;
}

const YEAR = 1;
const MONTH = 2;
const DAY = 4;
const DATE = YEAR | MONTH | DAY;
const TIME = 8;
const ZONE = 16;
const DAY_OF_YEAR = 32;
const DAYLIGHT = 64;
const DAY_OF_WEEK = 128;
const MERIDIEM = 256;
const ERA = 512;

const YEAR_MAX = 5_874_898;
const INT_MAX = 2_147_483_647;

/** Reads a date or timestamp. `typeName` is for the error. */
export function decodeDatetime(text: string, typeName: string, settings?: OutputSettings): DecodedDatetime {
    return new Decoder(text, typeName, settings ?? DEFAULT_OUTPUT_SETTINGS).decodeDatetime();
}

/** Reads a time of day; a date is only accepted where the zone needs it. */
export function decodeTimeOfDay(text: string, typeName: string, settings?: OutputSettings): DecodedDatetime {
    return new Decoder(text, typeName, settings ?? DEFAULT_OUTPUT_SETTINGS).decodeTimeOfDay();
}

/** Digits of a fraction `.ddd` as microseconds, rounded half to even as rint() does. */
export function fractionMicros(fraction: string): number {
    if (fraction.length <= 7) return Number(fraction.slice(1).padEnd(6, '0'));
    const scaled = Number(`0${fraction}`) * 1_000_000;
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

class Decoder {
    readonly #text: string;
    readonly #typeName: string;
    readonly #settings: OutputSettings;
    readonly #order: 'mdy' | 'dmy' | 'ymd';
    readonly #fields: readonly Field[];
    #seen = 0;
    #year = 0;
    #month = 0;
    #day = 0;
    #dayOfYear = 0;
    #hour = 0;
    #minute = 0;
    #second = 0;
    #fraction = 0;
    #offset = 0;
    #namedZone: TimeZone | undefined = undefined;
    #kind: DecodedDatetime['kind'] = 'date';
    #twoDigitYear = false;
    #textMonth = false;
    #julian = false;
    #beforeChrist = false;
    #meridiem: 'am' | 'pm' | undefined = undefined;
    /** A word that says what the next field is: 'julian' or 'time'. */
    #prefix = '';

    constructor(text: string, typeName: string, settings: OutputSettings) {
        this.#text = text;
        this.#typeName = typeName;
        this.#settings = settings;
        const style = settings.dateStyle.toLowerCase();
        this.#order = style.includes('dmy') ? 'dmy' : style.includes('ymd') ? 'ymd' : 'mdy';
        const fields = scanFields(text);
        if (fields === undefined) throw this.#fail('format');
        this.#fields = fields;
    }

    decodeDatetime(): DecodedDatetime {
        for (const field of this.#fields) this.#mark(this.#decodeField(field));
        if (this.#prefix !== '') throw this.#fail('format');
        if (this.#kind !== 'date') return {kind: this.#kind, days: 0, micros: 0, offsetSeconds: 0};
        this.#validateDate();
        this.#applyMeridiem();
        if ((this.#seen & DATE) !== DATE) throw this.#fail('format');
        const days = daysFromCivil(this.#year, this.#month, this.#day);
        const micros = this.#timeMicros();
        return {kind: 'date', days, micros, offsetSeconds: this.#resolveOffset(days, micros)};
    }

    decodeTimeOfDay(): DecodedDatetime {
        for (const [at, field] of this.#fields.entries()) this.#mark(this.#decodeTimeField(field, at));
        if (this.#prefix !== '') throw this.#fail('format');
        this.#validateDate();
        this.#applyMeridiem();
        this.#checkTime();
        if ((this.#seen & TIME) !== TIME) throw this.#fail('format');
        const hasDate = (this.#seen & DATE) === DATE;
        if (this.#namedZone !== undefined && !this.#namedZone.isFixed && !hasDate) throw this.#fail('format');
        const days = hasDate ? daysFromCivil(this.#year, this.#month, this.#day) : this.#now().days;
        const micros = this.#timeMicros();
        return {kind: 'date', days, micros, offsetSeconds: this.#resolveOffset(days, micros)};
    }

    #fail(failure: DatetimeFailure): PgError {
        return datetimeError(failure, this.#typeName, this.#text);
    }

    #mark(mask: number): void {
        if ((mask & this.#seen) !== 0) throw this.#fail('format');
        this.#seen |= mask;
    }

    #timeMicros(): number {
        return ((this.#hour * 60 + this.#minute) * 60 + this.#second) * 1_000_000 + this.#fraction;
    }

    #resolveOffset(days: number, micros: number): number {
        const localSeconds = days * 86_400 + Math.floor(micros / 1_000_000);
        if (this.#namedZone !== undefined) {
            if ((this.#seen & DAYLIGHT) !== 0) throw this.#fail('format');
            return this.#namedZone.offsetAtLocal(localSeconds);
        }
        if ((this.#seen & ZONE) !== 0) return this.#offset;
        if ((this.#seen & DAYLIGHT) !== 0) throw this.#fail('format');
        return requireTimeZone(this.#settings.timeZone).offsetAtLocal(localSeconds);
    }

    #decodeField(field: Field): number {
        switch (field.kind) {
            case 'date':
                return this.#decodeDateField(field.text);
            case 'time':
                this.#takeTimePrefix();
                this.#decodeTime(field.text);
                this.#checkTime();
                return TIME;
            case 'zone':
                this.#offset = this.#decodeZone(field.text);
                return ZONE;
            case 'number':
                return this.#decodeNumberField(field.text);
            default:
                return this.#decodeWord(field.text);
        }
    }

    #decodeTimeField(field: Field, at: number): number {
        const last = this.#fields[this.#fields.length - 1];
        const dateMayLead = at === 0 && this.#fields.length >= 2;
        switch (field.kind) {
            case 'date':
                if (dateMayLead && (last?.kind === 'date' || this.#fields[1]?.kind === 'time')) {
                    return this.#decodeDate(field.text);
                }
                if (/^\d/.test(field.text)) return this.#decodeRunTogetherTimeAndZone(field.text, DATE);
                return this.#decodeZoneName(field.text);
            case 'time':
                this.#takeTimePrefix();
                this.#decodeTime(field.text);
                return TIME;
            case 'zone':
                this.#offset = this.#decodeZone(field.text);
                return ZONE;
            case 'number':
                if (this.#prefix !== '') return this.#decodePrefixed(field.text);
                return this.#decodeTimeNumber(field.text, dateMayLead && last?.kind === 'date');
            default:
                return this.#decodeWord(field.text, true);
        }
    }

    #decodeTimeNumber(text: string, dateMayLead: boolean): number {
        const point = text.indexOf('.');
        if (point >= 0) {
            if (dateMayLead) return this.#decodeDate(text);
            if (point > 2) return this.#decodeRunTogether(text, this.#seen | DATE);
            throw this.#fail('format');
        }
        if (text.length > 4) return this.#decodeRunTogether(text, this.#seen | DATE);
        return this.#decodeNumber(text, false, this.#seen | DATE);
    }

    #takeTimePrefix(): void {
        if (this.#prefix === '') return;
        if (this.#prefix !== 'time') throw this.#fail('format');
        this.#prefix = '';
    }

    #decodeDateField(text: string): number {
        if (this.#prefix === 'julian') {
            const match = /^(\d+)([+-].*)$/.exec(text);
            if (match === null) throw this.#fail('format');
            this.#setJulian(this.#integer(match[1] ?? ''));
            this.#prefix = '';
            this.#offset = this.#decodeZone(match[2] ?? '');
            return DATE | TIME | ZONE;
        }
        if (this.#prefix === '' && (this.#seen & (MONTH | DAY)) !== (MONTH | DAY)) return this.#decodeDate(text);
        if (/^\d/.test(text) || this.#prefix !== '') {
            this.#takeTimePrefix();
            return this.#decodeRunTogetherTimeAndZone(text, this.#seen);
        }
        return this.#decodeZoneName(text);
    }

    #decodeRunTogetherTimeAndZone(text: string, seen: number): number {
        const dash = text.indexOf('-');
        if ((this.#seen & TIME) === TIME || dash < 0) throw this.#fail('format');
        this.#offset = this.#decodeZone(text.slice(dash));
        return this.#decodeRunTogether(text.slice(0, dash), this.#seen | seen) | ZONE;
    }

    #decodeZoneName(text: string): number {
        this.#namedZone = findTimeZone(text);
        // As PostgreSQL shows it: the name in lower case, as it was scanned.
        if (this.#namedZone === undefined) throw zoneNotRecognized(text);
        return ZONE;
    }

    #setJulian(julianDay: number): void {
        const date = civilFromDays(julianDay - EPOCH_JULIAN_DAY);
        this.#year = date.year;
        this.#month = date.month;
        this.#day = date.day;
        this.#julian = true;
    }

    #decodePrefixed(text: string): number {
        const prefix = this.#prefix;
        this.#prefix = '';
        if (prefix === 'julian') {
            const point = text.indexOf('.');
            this.#setJulian(this.#integer(point < 0 ? text : text.slice(0, point)));
            if (point < 0) return DATE;
            let micros = Math.round(Number(`0${text.slice(point)}`) * 86_400_000_000);
            this.#fraction = micros % 1_000_000;
            micros = Math.floor(micros / 1_000_000);
            this.#second = micros % 60;
            this.#minute = Math.floor(micros / 60) % 60;
            this.#hour = Math.floor(micros / 3600);
            return DATE | TIME;
        }
        if (prefix !== 'time') throw this.#fail('format');
        const mask = this.#decodeRunTogether(text, this.#seen | DATE);
        if (mask !== TIME) throw this.#fail('format');
        return mask;
    }

    #decodeNumberField(text: string): number {
        if (this.#prefix !== '') return this.#decodePrefixed(text);
        const point = text.indexOf('.');
        if (point >= 0 && (this.#seen & DATE) === 0) return this.#decodeDate(text);
        if (point > 2) return this.#decodeRunTogether(text, this.#seen);
        if (text.length >= 6 && ((this.#seen & DATE) === 0 || (this.#seen & TIME) === 0)) {
            return this.#decodeRunTogether(text, this.#seen);
        }
        return this.#decodeNumber(text, this.#textMonth, this.#seen);
    }

    /** Date with delimiters: `2001-02-03`, `3-Feb-2001`, `2001.34`. */
    #decodeDate(text: string): number {
        const parts = text.match(/\d+|[a-z]+/g) ?? [];
        if (parts.length === 0 || /[^0-9a-z]$/.test(text)) throw this.#fail('format');
        let seen = this.#seen;
        let mask = 0;
        let textMonth = false;
        const numbers: string[] = [];
        for (const part of parts) {
            if (/^\d/.test(part)) {
                numbers.push(part);
                continue;
            }
            const word = findWord(part);
            if (word?.kind === 'ignore') continue;
            if (word?.kind !== 'month' || (seen & MONTH) !== 0) throw this.#fail('format');
            this.#month = word.value;
            textMonth = true;
            seen |= MONTH;
            mask |= MONTH;
        }
        for (const part of numbers) {
            const bits = this.#decodeNumber(part, textMonth, seen);
            if ((bits & seen) !== 0) throw this.#fail('format');
            seen |= bits;
            mask |= bits;
        }
        if ((seen & ~(DAY_OF_YEAR | ZONE)) !== DATE) throw this.#fail('format');
        return mask;
    }

    #integer(text: string): number {
        const value = Number(text);
        if (value > INT_MAX) throw this.#fail('field overflow');
        return value;
    }

    /** One number of a date, or a run-together time after it. */
    #decodeNumber(text: string, textMonth: boolean, seen: number): number {
        const point = text.indexOf('.');
        if (point === 0) throw this.#fail('format');
        const value = this.#integer(point < 0 ? text : text.slice(0, point));
        if (point > 2) return this.#decodeRunTogether(text, seen | DATE);
        if (point >= 0) this.#fraction = fractionMicros(text.slice(point));
        if (text.length === 3 && (seen & DATE) === YEAR && value >= 1 && value <= 366) {
            this.#dayOfYear = value;
            return DAY_OF_YEAR | MONTH | DAY;
        }
        switch (seen & DATE) {
            case 0:
                if (text.length >= 3 || this.#order === 'ymd') return this.#setYear(value, text.length);
                return this.#order === 'dmy' ? this.#setDay(value) : this.#setMonth(value);
            case YEAR:
                return this.#setMonth(value);
            case MONTH:
                if (textMonth && (text.length >= 3 || this.#order === 'ymd')) return this.#setYear(value, text.length);
                return this.#setDay(value);
            case YEAR | MONTH:
                if (textMonth && text.length >= 3 && this.#twoDigitYear) {
                    // What looked like a year was the day: 03-Feb-2001 read in YMD order.
                    this.#day = this.#year;
                    this.#year = value;
                    this.#twoDigitYear = false;
                    return DAY;
                }
                return this.#setDay(value);
            case DAY:
                return this.#setMonth(value);
            case MONTH | DAY:
                return this.#setYear(value, text.length);
            case DATE:
                return this.#decodeRunTogether(text, seen);
            default:
                throw this.#fail('format');
        }
    }

    #setYear(value: number, length: number): number {
        this.#year = value;
        this.#twoDigitYear = length <= 2;
        return YEAR;
    }

    #setMonth(value: number): number {
        this.#month = value;
        return MONTH;
    }

    #setDay(value: number): number {
        this.#day = value;
        return DAY;
    }

    /** `20010203`, `010203`, `040506.789`, `0405` */
    #decodeRunTogether(text: string, seen: number): number {
        const point = text.indexOf('.');
        let digits = text;
        if (!/^\d*(?:\.\d*)?$/.test(text)) throw this.#fail('format');
        if (point >= 0) {
            this.#fraction = fractionMicros(text.slice(point));
            digits = text.slice(0, point);
        } else if ((seen & DATE) !== DATE && digits.length >= 6) {
            this.#day = Number(digits.slice(-2));
            this.#month = Number(digits.slice(-4, -2));
            this.#year = this.#integer(digits.slice(0, -4));
            if (digits.length === 6) this.#twoDigitYear = true;
            return DATE;
        }
        if ((seen & TIME) !== TIME && (digits.length === 6 || digits.length === 4)) {
            this.#second = digits.length === 6 ? Number(digits.slice(4)) : 0;
            this.#minute = Number(digits.slice(2, 4));
            this.#hour = Number(digits.slice(0, 2));
            return TIME;
        }
        throw this.#fail('format');
    }

    #decodeTime(text: string): void {
        const match = /^(\d+):(\d*)(?::(\d*))?(\.\d*)?$/.exec(text);
        if (match === null) throw this.#fail('format');
        let hour = this.#integer(match[1] ?? '');
        let minute = this.#integer(match[2] ?? '');
        let second = this.#integer(match[3] ?? '0');
        if (match[4] !== undefined && match[3] === undefined) {
            // mm:ss.fff
            second = minute;
            minute = hour;
            hour = 0;
        }
        this.#fraction = match[4] === undefined ? 0 : fractionMicros(match[4]);
        if (minute > 59 || second > 60) throw this.#fail('field overflow');
        this.#hour = hour;
        this.#minute = minute;
        this.#second = second;
    }

    #checkTime(): void {
        const outside = this.#hour > 24 || this.#minute > 59 || this.#second > 60;
        if (outside || this.#timeMicros() > 86_400_000_000) throw this.#fail('field overflow');
    }

    #decodeZone(text: string): number {
        const match = /^[+-](\d+)(?::(\d*))?(?::(\d*))?$/.exec(text);
        if (match === null) throw this.#fail('format');
        let hours = Number(match[1]);
        let minutes = Number(match[2] ?? 0);
        const seconds = Number(match[3] ?? 0);
        if (match[2] === undefined && text.length > 3) {
            minutes = hours % 100;
            hours = Math.floor(hours / 100);
        }
        if (hours > 15 || minutes > 59 || seconds > 59) throw this.#fail('zone displacement');
        const east = (hours * 60 + minutes) * 60 + seconds;
        return text.charCodeAt(0) === 45 ? 0 - east : east;
    }

    #decodeWord(text: string, timeOnly = false): number {
        const abbreviation = findZoneAbbreviation(text);
        if (abbreviation !== undefined) {
            this.#offset = abbreviation.offsetSeconds;
            return ZONE;
        }
        const word = findWord(text);
        if (word === undefined) {
            this.#namedZone = findTimeZone(text);
            if (this.#namedZone === undefined) throw this.#fail('format');
            return ZONE;
        }
        switch (word.kind) {
            case 'ignore':
                return 0;
            case 'reserved':
                return this.#decodeReserved(word, timeOnly);
            case 'month':
                if (timeOnly) throw this.#fail('format');
                return this.#takeTextMonth(word.value);
            case 'daylight':
                this.#offset += 3600;
                return (this.#seen & ZONE) === 0 ? DAYLIGHT | ZONE : DAYLIGHT;
            case 'meridiem':
                this.#meridiem = word.value;
                return MERIDIEM;
            case 'era':
                this.#beforeChrist = word.value === 'bc';
                return ERA;
            case 'dow':
                if (timeOnly) throw this.#fail('format');
                return DAY_OF_WEEK;
            case 'unit':
                if (this.#prefix !== '') throw this.#fail('format');
                this.#prefix = word.value;
                return 0;
            default:
                // The T of ISO 8601.
                if (!timeOnly && (this.#seen & DATE) !== DATE) throw this.#fail('format');
                if (this.#prefix !== '') throw this.#fail('format');
                this.#prefix = 'time';
                return 0;
        }
    }

    #takeTextMonth(month: number): number {
        let mask = MONTH;
        const numericMonth = (this.#seen & MONTH) !== 0 && !this.#textMonth && (this.#seen & DAY) === 0;
        if (numericMonth && this.#month >= 1 && this.#month <= 31) {
            this.#day = this.#month;
            mask = DAY;
        }
        this.#textMonth = true;
        this.#month = month;
        return mask;
    }

    #decodeReserved(word: Extract<DatetimeWord, {kind: 'reserved'}>, timeOnly: boolean): number {
        if (word.value === 'allballs') {
            this.#hour = this.#minute = this.#second = this.#fraction = 0;
            this.#offset = 0;
            return TIME | ZONE;
        }
        if (timeOnly && word.value !== 'now') throw this.#fail('format');
        switch (word.value) {
            case 'epoch':
            case 'late':
            case 'early':
                this.#kind = word.value;
                return DATE | TIME | ZONE;
            case 'now': {
                const now = this.#now();
                this.#setTimeMicros(now.micros);
                if (timeOnly) return TIME;
                this.#setDays(now.days);
                this.#offset = now.offsetSeconds;
                return DATE | TIME | ZONE;
            }
            case 'today':
                this.#setDays(this.#now().days);
                return DATE;
            case 'tomorrow':
                this.#setDays(this.#now().days + 1);
                return DATE;
            default:
                this.#setDays(this.#now().days - 1);
                return DATE;
        }
    }

    #setDays(days: number): void {
        const date = civilFromDays(days);
        this.#year = date.year;
        this.#month = date.month;
        this.#day = date.day;
    }

    #setTimeMicros(micros: number): void {
        this.#fraction = micros % 1_000_000;
        const seconds = Math.floor(micros / 1_000_000);
        this.#second = seconds % 60;
        this.#minute = Math.floor(seconds / 60) % 60;
        this.#hour = Math.floor(seconds / 3600);
    }

    #now(): {readonly days: number; readonly micros: number; readonly offsetSeconds: number} {
        const utc = this.#settings.nowMicros ?? clockMicros();
        const offsetSeconds = requireTimeZone(this.#settings.timeZone).offsetAt(Number(utc / 1_000_000n));
        return {...splitTimestamp(utc + BigInt(offsetSeconds) * 1_000_000n), offsetSeconds};
    }

    #validateDate(): void {
        if ((this.#seen & YEAR) !== 0 && !this.#julian) {
            if (this.#beforeChrist) {
                if (this.#year <= 0) throw this.#fail('field overflow');
                this.#year = -(this.#year - 1);
            } else if (this.#twoDigitYear) {
                this.#year += this.#year < 70 ? 2000 : this.#year < 100 ? 1900 : 0;
            } else if (this.#year <= 0) {
                throw this.#fail('field overflow');
            }
        }
        if ((this.#seen & DAY_OF_YEAR) !== 0) {
            this.#setDays(daysFromCivil(this.#year, 1, 1) + this.#dayOfYear - 1);
        }
        if ((this.#seen & MONTH) !== 0 && (this.#month < 1 || this.#month > 12)) {
            throw this.#fail('month or day overflow');
        }
        if ((this.#seen & DAY) !== 0 && (this.#day < 1 || this.#day > 31)) throw this.#fail('month or day overflow');
        if ((this.#seen & DATE) === DATE && this.#day > daysInMonth(this.#year, this.#month)) {
            throw this.#fail('field overflow');
        }
        // Keeps the arithmetic exact; the types have their own, narrower limits.
        if (this.#year > YEAR_MAX) this.#year = YEAR_MAX;
    }

    #applyMeridiem(): void {
        if (this.#meridiem === undefined) return;
        if (this.#hour > 12) throw this.#fail('field overflow');
        if (this.#meridiem === 'am' && this.#hour === 12) this.#hour = 0;
        else if (this.#meridiem === 'pm' && this.#hour !== 12) this.#hour += 12;
    }
}
