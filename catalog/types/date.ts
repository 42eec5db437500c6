/**
 * date: days since 2000-01-01, ±Infinity for the infinities. Binary form: int32 days, its extremes for the infinities.
 * Source: PostgreSQL documentation, "Date/Time Types".
 */
import {PgError} from '../errors.ts';
import {DATE_END, DATE_MIN, daysFromCivil, daysInMonth} from './civil.ts';
import {decodeDatetime} from './datetime-decode.ts';
import {printDateIn, readDateStyle} from './date-style.ts';
import {checkLength, invalidDatetimeSyntax} from './input-errors.ts';
import {compareNumbers} from './integers.ts';
import {codec} from './pg-type.ts';
import type {OutputSettings} from './settings.ts';

const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;
export const UNIX_EPOCH_DATE = -10_957;

/** `text` is the input that led to the date. */
export function checkDate(days: number, text: string): number {
    if (days < DATE_MIN || days >= DATE_END) throw new PgError('22008', `date out of range: "${text}"`);
    return days;
}

/** NaN unless the text at `at` is exactly two digits. */
export function twoDigitsAt(text: string, at: number): number {
    const tens = text.charCodeAt(at) - 48;
    const ones = text.charCodeAt(at + 1) - 48;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

/** Days of `YYYY-MM-DD` at the start of the text, or NaN when it is anything else or no valid date. */
export function isoDateAtStart(text: string): number {
    if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return NaN;
    const year = twoDigitsAt(text, 0) * 100 + twoDigitsAt(text, 2);
    const month = twoDigitsAt(text, 5);
    const day = twoDigitsAt(text, 8);
    if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return NaN;
    return daysFromCivil(year, month, day);
}

export function parseDate(text: string, settings?: OutputSettings): number {
    if (text.length === 10) {
        const fast = isoDateAtStart(text);
        if (fast === fast) return fast;
    }
    const decoded = decodeDatetime(text, 'date', settings);
    switch (decoded.kind) {
        case 'date':
            return checkDate(decoded.days, text);
        case 'epoch':
            return UNIX_EPOCH_DATE;
        case 'late':
            return Infinity;
        case 'early':
            return -Infinity;
        default:
            throw invalidDatetimeSyntax('date', text);
    }
}

export function printDate(days: number, settings: OutputSettings): string {
    if (days === Infinity) return 'infinity';
    if (days === -Infinity) return '-infinity';
    return printDateIn(days, readDateStyle(settings.dateStyle));
}

export const dateCodec = codec<number>({
    parse: parseDate,
    print: printDate,
    receive: (bytes, offset, length) => {
        checkLength(length, 4);
        const days = bytes.readInt32BE(offset);
        if (days === INT32_MAX) return Infinity;
        if (days === INT32_MIN) return -Infinity;
        if (days < DATE_MIN || days >= DATE_END) throw new PgError('22008', 'date out of range');
        return days;
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(4);
        bytes.writeInt32BE(value === Infinity ? INT32_MAX : value === -Infinity ? INT32_MIN : value, 0);
        return bytes;
    },
    compare: compareNumbers,
    hashKey: (value) => value,
});
