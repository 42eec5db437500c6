/**
 * Writing intervals in the four styles. Source: PostgreSQL documentation, section 8.5.5 ("Interval Output");
 * EncodeInterval in datetime.c.
 */
import type {Interval} from './datum.ts';
import {printFraction, twoDigits} from './date-style.ts';
import {isNegativeInfinity, isPositiveInfinity} from './interval-limits.ts';
import type {OutputSettings} from './settings.ts';

/** The fields that are shown. All of them share the sign of the field they come from. */
interface IntervalParts {
    readonly years: number;
    readonly months: number;
    readonly days: number;
    readonly hours: number;
    readonly minutes: number;
    readonly seconds: number;
    readonly fraction: number;
}

function split(value: Interval): IntervalParts {
    const seconds = Number(value.micros / 1_000_000n);
    const minutes = Math.trunc(seconds / 60);
    return {
        years: Math.trunc(value.months / 12) + 0,
        months: (value.months % 12) + 0,
        days: value.days,
        hours: Math.trunc(minutes / 60) + 0,
        minutes: (minutes % 60) + 0,
        seconds: (seconds % 60) + 0,
        fraction: Number(value.micros % 1_000_000n),
    };
}

export function printInterval(value: Interval, style: OutputSettings['intervalStyle']): string {
    if (isPositiveInfinity(value)) return 'infinity';
    if (isNegativeInfinity(value)) return '-infinity';
    const parts = split(value);
    switch (style) {
        case 'postgres':
            return printPostgres(parts);
        case 'postgres_verbose':
            return printVerbose(parts);
        case 'sql_standard':
            return printSqlStandard(parts);
        default:
            return printIso(parts);
    }
}

/** Absolute seconds with fraction. */
function secondsText(parts: IntervalParts, pad: boolean): string {
    const seconds = Math.abs(parts.seconds);
    const text = pad ? twoDigits(seconds) : String(seconds);
    return parts.fraction === 0 ? text : text + printFraction(Math.abs(parts.fraction));
}

function isTimeNegative(parts: IntervalParts): boolean {
    return parts.hours < 0 || parts.minutes < 0 || parts.seconds < 0 || parts.fraction < 0;
}

function hasTime(parts: IntervalParts): boolean {
    return parts.hours !== 0 || parts.minutes !== 0 || parts.seconds !== 0 || parts.fraction !== 0;
}

function printPostgres(parts: IntervalParts): string {
    const words: string[] = [];
    let before = false;
    for (const [value, unit] of [
        [parts.years, 'year'],
        [parts.months, 'mon'],
        [parts.days, 'day'],
    ] as const) {
        if (value === 0) continue;
        words.push(`${before && value > 0 ? '+' : ''}${value} ${unit}${value === 1 ? '' : 's'}`);
        before = value < 0;
    }
    if (words.length === 0 || hasTime(parts)) {
        const sign = isTimeNegative(parts) ? '-' : before ? '+' : '';
        words.push(
            `${sign}${twoDigits(Math.abs(parts.hours))}:${twoDigits(Math.abs(parts.minutes))}:${secondsText(parts, true)}`,
        );
    }
    return words.join(' ');
}

function printVerbose(parts: IntervalParts): string {
    let text = '@';
    let zero = true;
    let ago = false;
    for (const [value, unit] of [
        [parts.years, 'year'],
        [parts.months, 'mon'],
        [parts.days, 'day'],
        [parts.hours, 'hour'],
        [parts.minutes, 'min'],
    ] as const) {
        if (value === 0) continue;
        if (zero) ago = value < 0;
        const shown = ago ? -value : value;
        text += ` ${shown} ${unit}${shown === 1 ? '' : 's'}`;
        zero = false;
    }
    if (parts.seconds !== 0 || parts.fraction !== 0) {
        const negative = parts.seconds < 0 || parts.fraction < 0;
        if (zero) ago = negative;
        const sign = negative === ago ? '' : '-';
        const plural = Math.abs(parts.seconds) !== 1 || parts.fraction !== 0 ? 's' : '';
        text += ` ${sign}${secondsText(parts, false)} sec${plural}`;
        zero = false;
    }
    if (zero) text += ' 0';
    return ago ? `${text} ago` : text;
}

function printSqlStandard(parts: IntervalParts): string {
    const all = Object.values(parts) as number[];
    const negative = all.some((value) => value < 0);
    const positive = all.some((value) => value > 0);
    if (!negative && !positive) return '0';
    const yearMonth = parts.years !== 0 || parts.months !== 0;
    const dayTime = parts.days !== 0 || hasTime(parts);
    const time = `${Math.abs(parts.hours)}:${twoDigits(Math.abs(parts.minutes))}:${secondsText(parts, true)}`;
    const years = `${Math.abs(parts.years)}-${Math.abs(parts.months)}`;
    const days = Math.abs(parts.days);
    if ((negative && positive) || (yearMonth && dayTime)) {
        const yearSign = parts.years < 0 || parts.months < 0 ? '-' : '+';
        const daySign = parts.days < 0 ? '-' : '+';
        return `${yearSign}${years} ${daySign}${days} ${isTimeNegative(parts) ? '-' : '+'}${time}`;
    }
    const sign = negative ? '-' : '';
    if (yearMonth) return sign + years;
    return days === 0 ? sign + time : `${sign}${days} ${time}`;
}

function printIso(parts: IntervalParts): string {
    let text = 'P';
    if (parts.years !== 0) text += `${parts.years}Y`;
    if (parts.months !== 0) text += `${parts.months}M`;
    if (parts.days !== 0) text += `${parts.days}D`;
    if (hasTime(parts)) {
        text += 'T';
        if (parts.hours !== 0) text += `${parts.hours}H`;
        if (parts.minutes !== 0) text += `${parts.minutes}M`;
        if (parts.seconds !== 0 || parts.fraction !== 0) {
            text += `${parts.seconds < 0 || parts.fraction < 0 ? '-' : ''}${secondsText(parts, false)}S`;
        }
    }
    return text === 'P' ? 'PT0S' : text;
}
