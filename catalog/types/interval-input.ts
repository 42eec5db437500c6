/**
 * Reading intervals: verbose (`1 day 2 hours ago`), SQL standard (`1-2 3 4:05:06`), and ISO 8601 (interval-iso.ts).
 * Source: PostgreSQL documentation, section 8.5.4 ("Interval Input"); DecodeInterval in datetime.c, which reads the
 * fields backwards so that a unit is known before its number.
 */
import type {Interval} from './datum.ts';
import {datetimeError} from './datetime-errors.ts';
import {scanFields} from './datetime-scan.ts';
import type {Field} from './datetime-scan.ts';
import {IntervalBuilder} from './interval-builder.ts';
import type {IntervalUnit} from './interval-builder.ts';
import {INTERVAL_INFINITY, INTERVAL_NEGATIVE_INFINITY} from './interval-limits.ts';
import {readIsoInterval} from './interval-iso.ts';
import type {OutputSettings} from './settings.ts';

const UNIT_WORDS: Readonly<Record<IntervalUnit, string>> = {
    microsecond: 'us usec usecond useconds usecs microsecon',
    millisecond: 'ms msec msecond mseconds msecs millisecon',
    second: 's sec second seconds secs',
    minute: 'm min mins minute minutes',
    hour: 'h hour hours hr hrs',
    day: 'd day days',
    week: 'w week weeks',
    month: 'mon mons month months',
    year: 'y year years yr yrs',
    decade: 'dec decade decades decs',
    century: 'c cent centuries century',
    millennium: 'mil mils millennia millennium',
};
const UNITS: ReadonlyMap<string, IntervalUnit> = new Map(
    (Object.keys(UNIT_WORDS) as IntervalUnit[]).flatMap((unit) =>
        UNIT_WORDS[unit].split(' ').map((word) => [word, unit] as const),
    ),
);
const TOKEN_MAX = 10;

const TIME_BITS = 0b111000 | 0b11000000;
const BITS: Readonly<Record<IntervalUnit, number>> = {
    year: 1,
    month: 2,
    day: 4,
    hour: 8,
    minute: 16,
    second: 32,
    millisecond: 64,
    microsecond: 128,
    week: 256,
    decade: 512,
    century: 1024,
    millennium: 2048,
};

type Outcome = Interval | 'format' | 'overflow';

export function parseInterval(text: string, settings?: OutputSettings): Interval {
    const sqlStandard = settings?.intervalStyle === 'sql_standard';
    const fields = scanFields(text);
    let outcome: Outcome = fields === undefined ? 'format' : readFields(fields, sqlStandard);
    if (outcome === 'format') outcome = readIso(text);
    if (outcome === 'format') throw datetimeError('format', 'interval', text);
    if (outcome === 'overflow') throw datetimeError('interval overflow', 'interval', text);
    return outcome;
}

function readIso(text: string): Outcome {
    const builder = new IntervalBuilder();
    if (!readIsoInterval(text, builder)) return 'format';
    return builder.overflowed ? 'overflow' : builder.build();
}

/** Under `sql_standard`, a leading minus negates all fields, unless a later field has a sign of its own. */
function leadingMinusNegatesAll(fields: readonly Field[]): boolean {
    return fields[0]?.text.startsWith('-') === true && !fields.slice(1).some((field) => /^[+-]/.test(field.text));
}

function readFields(fields: readonly Field[], sqlStandard: boolean): Outcome {
    const builder = new IntervalBuilder();
    const forceNegative = sqlStandard && leadingMinusNegatesAll(fields);
    let seen = 0;
    let unit: IntervalUnit | undefined;
    let unitWaits = false;
    let ago = false;
    for (let at = fields.length - 1; at >= 0; at--) {
        const field = fields[at];
        if (field === undefined) return 'format';
        let bits = 0;
        if (field.kind === 'string' || field.kind === 'special') {
            const isLast = at === fields.length - 1;
            const word = field.text;
            if (word === 'ago') {
                if (!isLast) return 'format';
                ago = true;
                continue;
            }
            if (/^[+-]?infinity$/.test(word)) {
                if (!isLast || fields.length > 1) return 'format';
                return word.startsWith('-') ? INTERVAL_NEGATIVE_INFINITY : INTERVAL_INFINITY;
            }
            if (word === 'at' || word === 'on') continue;
            const named = UNITS.get(word.slice(0, TOKEN_MAX));
            if (named === undefined || unitWaits) return 'format';
            unit = named;
            unitWaits = true;
            continue;
        }
        unitWaits = false;
        const time = readTime(field);
        if (time !== undefined) {
            if (time === 'overflow') return 'overflow';
            builder.addMicros(forceNegative && time > 0n ? -time : time);
            unit = 'day';
            bits = TIME_BITS;
        } else {
            // A bare number at the end counts seconds, but "1 ago" lacks its unit.
            if (unit === undefined && ago) return 'format';
            const number = readNumber(field.text, unit ?? 'second');
            if (typeof number === 'string') return number;
            const negate = forceNegative && (number.value > 0n || number.fraction > 0);
            unit = number.unit;
            builder.add(unit, negate ? -number.value : number.value, negate ? -number.fraction : number.fraction);
            bits =
                unit === 'second' && number.fraction !== 0
                    ? BITS.second | BITS.millisecond | BITS.microsecond
                    : BITS[unit];
        }
        if ((bits & seen) !== 0) return 'format';
        seen |= bits;
        if (builder.overflowed) return 'overflow';
    }
    if (seen === 0 || unitWaits) return 'format';
    if (ago) builder.negate();
    return builder.overflowed ? 'overflow' : builder.build();
}

/** `hh:mm[:ss[.fff]]` or `mm:ss.fff`, with a sign when the field has one. Undefined when it is no time. */
function readTime(field: Field): bigint | 'overflow' | undefined {
    if (field.kind !== 'time' && !(field.kind === 'zone' && field.text.includes(':'))) return undefined;
    const match = /^([+-]?)(\d+):(\d*)(?::(\d*))?(\.\d*)?$/.exec(field.text);
    if (match === null) return undefined;
    const twoFieldsWithFraction = match[5] !== undefined && match[4] === undefined;
    const hours = twoFieldsWithFraction ? 0n : BigInt(match[2] ?? 0);
    const minutes = Number((twoFieldsWithFraction ? match[2] : match[3]) ?? 0);
    const seconds = Number((twoFieldsWithFraction ? match[3] : match[4]) ?? 0);
    const fraction = match[5] === undefined ? 0 : Math.round(Number(`0${match[5]}`) * 1_000_000);
    if (minutes > 59 || seconds > 60 || hours > 9_223_372_036_854_775_807n) return 'overflow';
    const micros = hours * 3_600_000_000n + BigInt((minutes * 60 + seconds) * 1_000_000 + fraction);
    if (micros > 9_223_372_036_854_775_807n) return 'overflow';
    return match[1] === '-' ? -micros : micros;
}

interface IntervalNumber {
    readonly value: bigint;
    readonly fraction: number;
    readonly unit: IntervalUnit;
}

function readNumber(text: string, unit: IntervalUnit): IntervalNumber | 'format' | 'overflow' {
    const match = /^([+-]?)(\d*)(?:-(\d+)|(\.\d*))?$/.exec(text);
    if (match === null || (match[2] === '' && match[4] === undefined)) return 'format';
    const negative = match[1] === '-';
    let value = BigInt(match[2] === '' ? 0 : (match[2] ?? 0));
    if (value > 9_223_372_036_854_775_807n) return 'overflow';
    let fraction = 0;
    let used = unit;
    if (match[3] !== undefined) {
        const months = Number(match[3]);
        if (months >= 12) return 'overflow';
        value = value * 12n + BigInt(months);
        used = 'month';
    } else if (match[4] !== undefined) {
        fraction = Number(`0${match[4]}0`);
    }
    return {value: negative ? -value : value, fraction: negative ? 0 - fraction : fraction, unit: used};
}
