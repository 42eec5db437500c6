/**
 * DateStyle, TimeZone and extra_float_digits in the form that SHOW prints, without asking PostgreSQL: drivers set them
 * when they connect. Source: PostgreSQL's check_datestyle and check_timezone (variable.c).
 */
import {PgError} from '../../catalog/errors.ts';
import {parseInterval} from './interval-seconds.ts';
import {findTimeZone} from '../../catalog/types/time-zone.ts';

function invalid(name: string, value: string, detail?: string): PgError {
    return new PgError('22023', `invalid value for parameter "${name}": "${value}"`, {detail});
}

const STYLES: readonly (readonly [RegExp, string])[] = [
    [/^iso$/, 'ISO'],
    [/^sql$/, 'SQL'],
    [/^postgres/, 'Postgres'],
    [/^german$/, 'German'],
];
const ORDERS: readonly (readonly [RegExp, string])[] = [
    [/^ymd$/, 'YMD'],
    [/^(?:dmy|euro)/, 'DMY'],
    [/^(?:mdy|us|noneuro)/, 'MDY'],
];

/** What is not said stays as it is in `current`. */
export function parseDateStyle(value: string, current: string): string {
    const [currentStyle = 'ISO', currentOrder = 'MDY'] = current.split(', ');
    let style: string | undefined;
    let order: string | undefined;
    if (value.trim() === '') return current;
    for (const part of value.split(',')) {
        const word = part.trim().replaceAll('"', '').toLowerCase();
        const newStyle = STYLES.find(([pattern]) => pattern.test(word))?.[1];
        const newOrder = ORDERS.find(([pattern]) => pattern.test(word))?.[1];
        if (word === 'default') {
            style ??= 'ISO';
            order ??= 'MDY';
        } else if (newStyle !== undefined) {
            if (style !== undefined && style !== newStyle) throw conflicting(value);
            style = newStyle;
        } else if (newOrder !== undefined) {
            if (order !== undefined && order !== newOrder) throw conflicting(value);
            order = newOrder;
        } else throw invalid('DateStyle', value, `Unrecognized key word: "${word}".`);
    }
    if (style === 'German') order ??= 'DMY';
    return `${style ?? currentStyle}, ${order ?? currentOrder}`;
}

function conflicting(value: string): PgError {
    return invalid('DateStyle', value, 'Conflicting "DateStyle" specifications.');
}

let zoneNames: ReadonlyMap<string, string> | undefined;

/** The zone's name in its own spelling, or an offset as a POSIX specification. */
export function parseTimeZone(value: string): string {
    const text = value.trim();
    const interval = /^interval\s+'(.*)'$/i.exec(text);
    if (interval !== null) return offsetName(parseInterval(interval[1] ?? '', value));
    if (/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/.test(text)) {
        const seconds = Math.round(Number(text) * 3600);
        if (Math.abs(seconds) > 168 * 3600) throw invalid('TimeZone', value, 'UTC timezone offset is out of range.');
        return offsetName(seconds);
    }
    const zone = findTimeZone(text);
    if (zone === undefined) throw invalid('TimeZone', value);
    if (!zone.isFixed) return spelling(text);
    if (/^[a-z]+$/i.test(text) && text.length <= 4) return text.toUpperCase().replace('ZULU', 'Zulu');
    return spelling(text);
}

/** `<+05:30>-05:30`, as pg_tzset_offset makes it: POSIX counts west. */
export function offsetName(seconds: number): string {
    const size = Math.abs(seconds);
    const two = (number: number): string => String(number).padStart(2, '0');
    let text = two(Math.floor(size / 3600));
    if (size % 3600 !== 0) text += `:${two(Math.floor(size / 60) % 60)}`;
    if (size % 60 !== 0) text += `:${two(size % 60)}`;
    return seconds >= 0 ? `<+${text}>-${text}` : `<-${text}>+${text}`;
}

/** Names are found whatever their case, and shown as the database of zones spells them. */
function spelling(name: string): string {
    zoneNames ??= new Map(Intl.supportedValuesOf('timeZone').map((each) => [each.toLowerCase(), each]));
    const known = zoneNames.get(name.toLowerCase());
    if (known !== undefined) return known;
    // Aliases are not in Intl's list: their parts begin with a capital.
    if (name !== name.toLowerCase()) return name;
    return name.replace(/(^|[/_-])([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}

export function parseExtraFloatDigits(value: string, name: string): string {
    if (!/^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)\s*$/.test(value)) throw invalid(name, value);
    const digits = Math.round(Number(value));
    if (digits < -15 || digits > 3) {
        throw new PgError('22023', `${digits} is outside the valid range for parameter "${name}" (-15 .. 3)`);
    }
    return String(digits);
}
