/**
 * Offsets of time zones, derived from Intl, which carries the same time zone database as PostgreSQL.
 *
 * What must stay true: Intl is asked once per zone and week of a year in use, and the answers are kept as a short list of
 * transitions per year in a bounded cache, so that printing a row costs a lookup and no formatter. Offsets are seconds
 * EAST of Greenwich here (PostgreSQL's binary timetz counts west).
 */
import {PgError} from '../errors.ts';
import {civilFromDays, daysFromCivil, SECONDS_PER_DAY, UNIX_EPOCH_DAYS} from './civil.ts';

/** Intl names a zone only in the languages of places that use the name. */
const ABBREVIATION_LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA'];
const ZONES_MAX = 128;
const YEARS_PER_ZONE_MAX = 512;
const WEEK_SECONDS = 7 * SECONDS_PER_DAY;
/** No zone of the database has rules before. */
const FIRST_YEAR = 1835;
/** From here on rules repeat with the calendar, every 400 years. */
const LAST_YEAR = 2437;

/** Offsets within one calendar year (UTC): `offsets[i]` holds from `starts[i]` on, seconds since 2000-01-01 UTC. */
interface YearOffsets {
    readonly starts: readonly number[];
    readonly offsets: readonly number[];
}

export class TimeZone {
    readonly name: string;
    readonly #fixedOffset: number | undefined;
    readonly #format: Intl.DateTimeFormat | undefined;
    readonly #years = new Map<number, YearOffsets>();
    #lastYear = NaN;
    #lastOffsets: YearOffsets | undefined = undefined;

    constructor(name: string, fixedOffset: number | undefined) {
        this.name = name;
        this.#fixedOffset = fixedOffset;
        this.#format =
            fixedOffset === undefined
                ? new Intl.DateTimeFormat('en-US', {timeZone: name, timeZoneName: 'longOffset', year: 'numeric'})
                : undefined;
    }

    get isFixed(): boolean {
        return this.#fixedOffset !== undefined;
    }

    /** Seconds east of Greenwich at an instant, given in seconds since 2000-01-01 UTC. */
    offsetAt(utcSeconds: number): number {
        if (this.#fixedOffset !== undefined) return this.#fixedOffset;
        let seconds = utcSeconds;
        let year = civilFromDays(Math.floor(seconds / SECONDS_PER_DAY)).year;
        if (year < FIRST_YEAR) {
            year = FIRST_YEAR;
            seconds = yearStart(FIRST_YEAR);
        } else if (year > LAST_YEAR) {
            const cycles = Math.ceil((year - LAST_YEAR) / 400);
            year -= cycles * 400;
            seconds -= cycles * 146_097 * SECONDS_PER_DAY;
        }
        const {starts, offsets} = this.#yearOffsets(year);
        let at = starts.length - 1;
        while (at > 0 && seconds < (starts[at] ?? 0)) at--;
        return offsets[at] ?? 0;
    }

    /**
     * Offset that a local time has. A time skipped or repeated by a change of offset takes the offset from before the
     * change, as PostgreSQL's DetermineTimeZoneOffset does for skipped ones, and standard time for repeated ones.
     */
    offsetAtLocal(localSeconds: number): number {
        if (this.#fixedOffset !== undefined) return this.#fixedOffset;
        const before = this.offsetAt(localSeconds - SECONDS_PER_DAY);
        const after = this.offsetAt(localSeconds + SECONDS_PER_DAY);
        if (before === after) return before;
        const change = this.#changeBetween(localSeconds - SECONDS_PER_DAY, localSeconds + SECONDS_PER_DAY, before);
        const beforeInstant = localSeconds - before;
        const afterInstant = localSeconds - after;
        if (beforeInstant < change && afterInstant < change) return before;
        if (beforeInstant >= change && afterInstant >= change) return after;
        // Skipped (spring) or repeated (autumn): the side that "before > after" names is the daylight one.
        return beforeInstant >= change ? before : after;
    }

    /**
     * The abbreviation in use at an instant, as the output styles SQL, German and Postgres show it; empty where the zone
     * has none that is known here, and then the offset is shown.
     */
    abbreviationAt(utcSeconds: number): string {
        if (this.#format === undefined)
            return this.name === 'UTC' ? 'UTC' : (/^<?([A-Za-z]+)/.exec(this.name)?.[1] ?? '');
        const date = new Date((utcSeconds + UNIX_EPOCH_DAYS * SECONDS_PER_DAY) * 1000);
        for (const locale of ABBREVIATION_LOCALES) {
            const format = new Intl.DateTimeFormat(locale, {timeZone: this.name, timeZoneName: 'short'});
            const name = format.formatToParts(date).find((part) => part.type === 'timeZoneName')?.value ?? '';
            if (/^[A-Z]{2,6}$/.test(name)) return name;
        }
        return '';
    }

    /** First instant after `from`, up to `to`, whose offset is no longer `offset`. */
    #changeBetween(from: number, to: number, offset: number): number {
        let low = from;
        let high = to;
        while (high - low > 1) {
            const middle = Math.floor((low + high) / 2);
            if (this.offsetAt(middle) === offset) low = middle;
            else high = middle;
        }
        return high;
    }

    #yearOffsets(year: number): YearOffsets {
        if (year === this.#lastYear && this.#lastOffsets !== undefined) return this.#lastOffsets;
        let found = this.#years.get(year);
        if (found === undefined) {
            found = this.#derive(year);
            if (this.#years.size >= YEARS_PER_ZONE_MAX) this.#years.clear();
            this.#years.set(year, found);
        }
        this.#lastYear = year;
        this.#lastOffsets = found;
        return found;
    }

    #derive(year: number): YearOffsets {
        const start = yearStart(year);
        const end = yearStart(year + 1);
        const starts = [start];
        const offsets = [this.#ask(start)];
        let offset = offsets[0] ?? 0;
        for (let from = start; from < end; from += WEEK_SECONDS) {
            const to = Math.min(from + WEEK_SECONDS, end - 1);
            const next = this.#ask(to);
            if (next === offset) continue;
            let low = from;
            let high = to;
            while (high - low > 1) {
                const middle = Math.floor((low + high) / 2);
                if (this.#ask(middle) === offset) low = middle;
                else high = middle;
            }
            starts.push(high);
            offsets.push(next);
            offset = next;
        }
        return {starts, offsets};
    }

    #ask(utcSeconds: number): number {
        const text = this.#format?.format((utcSeconds + UNIX_EPOCH_DAYS * SECONDS_PER_DAY) * 1000) ?? '';
        const match = /GMT(?:([+-−])(\d\d?):(\d\d)(?::(\d\d))?)?$/.exec(text);
        if (match?.[1] === undefined) return 0;
        const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
        return match[1] === '+' ? seconds : -seconds;
    }
}

function yearStart(year: number): number {
    return daysFromCivil(year, 1, 1) * SECONDS_PER_DAY;
}

export const UTC = new TimeZone('UTC', 0);
const UTC_NAMES = new Set(['utc', 'gmt', 'z', 'zulu', 'uct', 'universal', 'etc/utc', 'etc/gmt', 'greenwich', 'gmt0']);

const zones = new Map<string, TimeZone>([['UTC', UTC]]);

/** The zone of that name, or undefined. Names are case-insensitive, as in PostgreSQL. */
export function findTimeZone(name: string): TimeZone | undefined {
    const known = zones.get(name);
    if (known !== undefined) return known;
    const made = makeTimeZone(name);
    if (made === undefined) return undefined;
    if (zones.size >= ZONES_MAX) zones.clear();
    zones.set(name, made);
    return made;
}

/** Throws 22023 with PostgreSQL's message when there is no such zone. */
export function requireTimeZone(name: string): TimeZone {
    const zone = findTimeZone(name);
    if (zone === undefined) throw new PgError('22023', `time zone "${name}" not recognized`);
    return zone;
}

function makeTimeZone(name: string): TimeZone | undefined {
    if (UTC_NAMES.has(name.toLowerCase())) return UTC;
    const posix = /^(?:<[^<>]+>|[A-Za-z]{3,})([+-]?)(\d{1,3})(?::(\d\d))?(?::(\d\d))?$/.exec(name);
    if (posix !== null && !isIntlZone(name)) {
        const west = Number(posix[2]) * 3600 + Number(posix[3] ?? 0) * 60 + Number(posix[4] ?? 0);
        return new TimeZone(name, posix[1] === '-' ? west : 0 - west);
    }
    return isIntlZone(name) ? new TimeZone(name, undefined) : undefined;
}

function isIntlZone(name: string): boolean {
    // Intl also takes plain offsets as names, with the opposite sense of what PostgreSQL would make of them.
    if (!/^[A-Za-z]/.test(name)) return false;
    try {
        return new Intl.DateTimeFormat('en-US', {timeZone: name}).resolvedOptions().timeZone !== '';
    } catch {
        return false;
    }
}
