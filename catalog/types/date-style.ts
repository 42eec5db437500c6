/**
 * Writing dates and times in the four output styles. Source: PostgreSQL documentation, section 8.5.2
 * ("Date/Time Output"); EncodeDateOnly, EncodeTimeOnly and EncodeDateTime in datetime.c.
 */
import {civilFromDays, dayOfWeek} from './civil.ts';

export type OutputStyle = 'iso' | 'sql' | 'german' | 'postgres';

export interface DateStyle {
    readonly style: OutputStyle;
    /** True for DMY: day before month in the SQL and Postgres styles. */
    readonly dayFirst: boolean;
}

const ISO_STYLE: DateStyle = {style: 'iso', dayFirst: false};
let lastText = 'ISO, MDY';
let lastStyle = ISO_STYLE;

/** Remembers the last text it read: sessions rarely change it. */
export function readDateStyle(text: string): DateStyle {
    if (text === lastText) return lastStyle;
    const lower = text.toLowerCase();
    const style = lower.includes('sql')
        ? 'sql'
        : lower.includes('german')
          ? 'german'
          : lower.includes('postgres')
            ? 'postgres'
            : 'iso';
    lastText = text;
    lastStyle = {style, dayFirst: lower.includes('dmy')};
    return lastStyle;
}

const TWO_DIGITS: readonly string[] = Array.from({length: 100}, (_, value) => String(value).padStart(2, '0'));
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

export function twoDigits(value: number): string {
    return TWO_DIGITS[value] ?? String(value);
}

function yearText(year: number): string {
    const shown = year > 0 ? year : 1 - year;
    return shown < 1000 ? String(shown).padStart(4, '0') : '' + shown;
}

let lastDays = NaN;
let lastDate = '';

/** `2001-02-03`, without BC. The last day is remembered: rows come in bursts of one day. */
function isoDate(days: number): string {
    if (days === lastDays) return lastDate;
    const {year, month, day} = civilFromDays(days);
    lastDate = `${yearText(year)}-${twoDigits(month)}-${twoDigits(day)}`;
    lastDays = days;
    return lastDate;
}

function isBeforeChrist(days: number): boolean {
    // 0001-01-01
    return days < -730_119;
}

/** Without BC. */
function datePart(days: number, dateStyle: DateStyle): string {
    if (dateStyle.style === 'iso') return isoDate(days);
    const {year, month, day} = civilFromDays(days);
    if (dateStyle.style === 'german') return `${twoDigits(day)}.${twoDigits(month)}.${yearText(year)}`;
    const separator = dateStyle.style === 'sql' ? '/' : '-';
    const first = dateStyle.dayFirst ? day : month;
    const second = dateStyle.dayFirst ? month : day;
    return `${twoDigits(first)}${separator}${twoDigits(second)}${separator}${yearText(year)}`;
}

export function printDateIn(days: number, dateStyle: DateStyle): string {
    return isBeforeChrist(days) ? `${datePart(days, dateStyle)} BC` : datePart(days, dateStyle);
}

/** `04:05:06[.789]` */
export function printTimeOfDay(micros: number): string {
    const seconds = Math.floor(micros / 1_000_000);
    const fraction = micros - seconds * 1_000_000;
    const minutes = Math.floor(seconds / 60);
    const text = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}:${twoDigits(seconds % 60)}`;
    return fraction === 0 ? text : text + printFraction(fraction);
}

/** `.789`: microseconds without trailing zeros. */
export function printFraction(fraction: number): string {
    let digits = 6;
    let value = fraction;
    while (value % 10 === 0) {
        value /= 10;
        digits--;
    }
    return '.' + String(value).padStart(digits, '0');
}

/** `+00`, `-04:30`, `+05:53:28` */
export function printOffset(offsetSeconds: number): string {
    const size = Math.abs(offsetSeconds);
    const hours = twoDigits(Math.floor(size / 3600));
    const minutes = Math.floor(size / 60) % 60;
    const seconds = size % 60;
    const sign = offsetSeconds < 0 ? '-' : '+';
    if (seconds !== 0) return `${sign}${hours}:${twoDigits(minutes)}:${twoDigits(seconds)}`;
    return minutes === 0 ? sign + hours : `${sign}${hours}:${twoDigits(minutes)}`;
}

/** `zone`: what follows the time in a timestamptz, in the style's own form, or undefined for a timestamp. */
export function printDatetime(
    days: number,
    micros: number,
    zone: {readonly offsetSeconds: number; readonly abbreviation: () => string} | undefined,
    dateStyle: DateStyle,
): string {
    let text: string;
    if (dateStyle.style === 'iso') {
        text = `${isoDate(days)} ${printTimeOfDay(micros)}`;
        if (zone !== undefined) text += printOffset(zone.offsetSeconds);
    } else if (dateStyle.style === 'postgres') {
        const {year, month, day} = civilFromDays(days);
        const monthName = MONTHS[month - 1] ?? '';
        const date = dateStyle.dayFirst ? `${twoDigits(day)} ${monthName}` : `${monthName} ${twoDigits(day)}`;
        text = `${DAYS[dayOfWeek(days)] ?? ''} ${date} ${printTimeOfDay(micros)} ${yearText(year)}`;
        if (zone !== undefined) text += printZoneName(zone, ' ');
    } else {
        text = `${datePart(days, dateStyle)} ${printTimeOfDay(micros)}`;
        if (zone !== undefined) text += printZoneName(zone, ' ');
    }
    return isBeforeChrist(days) ? `${text} BC` : text;
}

/** The zone's abbreviation after a blank; zones without one show their offset. */
function printZoneName(
    zone: {readonly offsetSeconds: number; readonly abbreviation: () => string},
    separator: string,
): string {
    const name = zone.abbreviation();
    return name === '' ? printOffset(zone.offsetSeconds) : separator + name;
}
