import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {
    addToDate,
    addToTime,
    addToTimestamp,
    addToTimestamptz,
    ageOfTimestamps,
    dateAndTime,
    subtractDates,
    subtractFromTime,
    subtractFromTimestamp,
    subtractFromTimestamptz,
    subtractTimestamps,
} from './datetime.ts';
import {
    extractFromDate,
    extractFromInterval,
    extractFromTime,
    extractFromTimestamp,
    extractFromTimestamptz,
    extractFromTimetz,
    truncateInterval,
    truncateTimestamp,
    truncateTimestamptz,
} from './date-parts.ts';
import type {Datum, Interval, TimeTz} from './datum.ts';
import {
    addIntervals,
    divideInterval,
    justifyDays,
    justifyHours,
    justifyInterval,
    multiplyInterval,
    negateInterval,
    subtractIntervals,
} from './interval-arithmetic.ts';
import type {Oracle} from './oracle.ts';
import {attempt, quote, startOracle} from './oracle.ts';
import {TypeRegistry} from './registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {requireTimeZone} from './time-zone.ts';

const registry = new TypeRegistry();
const settings = {...DEFAULT_OUTPUT_SETTINGS, timeZone: 'America/New_York'};
const zone = requireTimeZone('America/New_York');
let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
    await oracle.exec(`set timezone = 'America/New_York'`);
});
afterAll(() => oracle.close());

interface Parsed {
    readonly timestamp: bigint;
    readonly timestamptz: bigint;
    readonly date: number;
    readonly time: number;
    readonly float8: number;
    readonly timetz: TimeTz;
    readonly interval: Interval;
}

function parse<Name extends keyof Parsed>(name: Name, text: string): Parsed[Name] {
    return registry.byName(name)?.parse(text, settings) as Parsed[Name];
}

function print(name: string, value: Datum): string | null {
    return value === null ? null : (registry.byName(name)?.print(value, settings) ?? null);
}

const TIMESTAMPS = [
    '2000-01-31 10:20:30.123456',
    '2024-02-29 00:00:00',
    '1999-12-31 23:59:59.999999',
    '0044-03-15 12:00:00 BC',
    '2024-03-09 02:30:00',
    '2024-03-10 12:00:00',
    '2024-11-02 01:30:00',
    '2024-11-03 12:00:00',
    '1883-11-18 12:00:00',
    '9999-12-31 00:00:00',
    'infinity',
    '-infinity',
    '2001-01-01 00:00:00',
    '1901-01-01 05:06:07',
    '0001-01-01 00:00:00',
    '2020-12-31 11:11:11.1',
];
const INTERVALS = [
    '1 month',
    '-1 month',
    '1 day',
    '-1 day',
    '1 year 2 mons -3 days 04:05:06.789',
    '00:00:00.000001',
    '25:00:00',
    '-25:00:00',
    '13 mons',
    '100 years',
    'infinity',
    '-infinity',
    '0',
    '-1 mons +45 days -26:00:00',
    '1 mon -1 day',
    '35 days 1:00',
    '-178956970 years',
    '29 days 23:59:59.999999',
    '1.5 days',
    '-7 mons -3 days -0.5 secs',
];
const FIELDS = [
    'microseconds',
    'milliseconds',
    'second',
    'minute',
    'hour',
    'day',
    'week',
    'month',
    'quarter',
    'year',
    'decade',
    'century',
    'millennium',
    'epoch',
    'dow',
    'doy',
    'isodow',
    'isoyear',
    'julian',
    'timezone',
    'timezone_hour',
    'timezone_minute',
    'nonsense',
    'mons',
];

interface Case {
    readonly sql: string;
    readonly ours: () => string | null;
}

async function compareAll(cases: readonly Case[]): Promise<void> {
    const theirs = await oracle.each(cases.map((one) => one.sql));
    const wrong = cases
        .map((one, at) => ({sql: one.sql, ours: attempt(one.ours), theirs: theirs[at]}))
        .filter(({ours, theirs}) => JSON.stringify(ours) !== JSON.stringify(theirs));
    expect(wrong).toEqual([]);
}

describe('date and time arithmetic', () => {
    it('adds and subtracts intervals as PostgreSQL does', async () => {
        const cases: Case[] = [];
        for (const t of TIMESTAMPS) {
            for (const i of INTERVALS) {
                const span = parse('interval', i);
                for (const [operator, plain, zoned] of [
                    ['+', addToTimestamp, addToTimestamptz],
                    ['-', subtractFromTimestamp, subtractFromTimestamptz],
                ] as const) {
                    cases.push({
                        sql: `timestamp ${quote(t)} ${operator} interval ${quote(i)}`,
                        ours: () => print('timestamp', plain(parse('timestamp', t), span)),
                    });
                    cases.push({
                        sql: `timestamptz ${quote(t)} ${operator} interval ${quote(i)}`,
                        ours: () => print('timestamptz', zoned(parse('timestamptz', t), span, zone)),
                    });
                }
            }
        }
        await compareAll(cases);
    });

    it('subtracts timestamps and dates, and takes ages, as PostgreSQL does', async () => {
        const cases: Case[] = [];
        for (const a of TIMESTAMPS) {
            for (const b of TIMESTAMPS) {
                cases.push({
                    sql: `timestamp ${quote(a)} - timestamp ${quote(b)}`,
                    ours: () => print('interval', subtractTimestamps(parse('timestamp', a), parse('timestamp', b))),
                });
                cases.push({
                    sql: `age(timestamp ${quote(a)}, timestamp ${quote(b)})`,
                    ours: () => print('interval', ageOfTimestamps(parse('timestamp', a), parse('timestamp', b))),
                });
                cases.push({
                    sql: `date ${quote(a)} - date ${quote(b)}`,
                    ours: () => String(subtractDates(parse('date', a), parse('date', b))),
                });
            }
        }
        for (const i of INTERVALS) {
            const span = parse('interval', i);
            cases.push({
                sql: `date '2024-01-31' + interval ${quote(i)}`,
                ours: () => print('timestamp', addToDate(parse('date', '2024-01-31'), span)),
            });
            cases.push({
                sql: `time '10:20:30.5' + interval ${quote(i)}`,
                ours: () => print('time', addToTime(parse('time', '10:20:30.5'), span)),
            });
            cases.push({
                sql: `time '10:20:30.5' - interval ${quote(i)}`,
                ours: () => print('time', subtractFromTime(parse('time', '10:20:30.5'), span)),
            });
        }
        cases.push({
            sql: `date '2024-01-31' + time '04:05'`,
            ours: () => print('timestamp', dateAndTime(parse('date', '2024-01-31'), parse('time', '04:05'))),
        });
        await compareAll(cases);
    });

    it('computes with intervals as PostgreSQL does', async () => {
        const cases: Case[] = [];
        for (const a of INTERVALS) {
            const left = parse('interval', a);
            const sql = `interval ${quote(a)}`;
            cases.push({sql: `- ${sql}`, ours: () => print('interval', negateInterval(left))});
            cases.push({sql: `justify_hours(${sql})`, ours: () => print('interval', justifyHours(left))});
            cases.push({sql: `justify_days(${sql})`, ours: () => print('interval', justifyDays(left))});
            cases.push({sql: `justify_interval(${sql})`, ours: () => print('interval', justifyInterval(left))});
            for (const factor of [
                '0',
                '1.5',
                '-2',
                '0.333',
                '1e10',
                '1e300',
                'NaN',
                'Infinity',
                '-Infinity',
                '7',
                '0.1',
            ]) {
                const number = parse('float8', factor);
                cases.push({
                    sql: `${sql} * float8 '${factor}'`,
                    ours: () => print('interval', multiplyInterval(left, number)),
                });
                cases.push({
                    sql: `${sql} / float8 '${factor}'`,
                    ours: () => print('interval', divideInterval(left, number)),
                });
            }
            for (const b of INTERVALS) {
                const right = parse('interval', b);
                cases.push({
                    sql: `${sql} + interval ${quote(b)}`,
                    ours: () => print('interval', addIntervals(left, right)),
                });
                cases.push({
                    sql: `${sql} - interval ${quote(b)}`,
                    ours: () => print('interval', subtractIntervals(left, right)),
                });
            }
        }
        await compareAll(cases);
    });

    it('extracts fields as PostgreSQL does', async () => {
        const cases: Case[] = [];
        for (const field of FIELDS) {
            for (const t of TIMESTAMPS) {
                cases.push({
                    sql: `extract(${field} from timestamp ${quote(t)})`,
                    ours: () => extractFromTimestamp(field, parse('timestamp', t)),
                });
                cases.push({
                    sql: `extract(${field} from timestamptz ${quote(t)})`,
                    ours: () => extractFromTimestamptz(field, parse('timestamptz', t), zone),
                });
                cases.push({
                    sql: `extract(${field} from date ${quote(t)})`,
                    ours: () => extractFromDate(field, parse('date', t)),
                });
            }
            for (const i of INTERVALS)
                cases.push({
                    sql: `extract(${field} from interval ${quote(i)})`,
                    ours: () => extractFromInterval(field, parse('interval', i)),
                });
            cases.push({
                sql: `extract(${field} from time '10:20:30.5')`,
                ours: () => extractFromTime(field, parse('time', '10:20:30.5')),
            });
            cases.push({
                sql: `extract(${field} from timetz '10:20:30.5-03:30')`,
                ours: () => extractFromTimetz(field, parse('timetz', '10:20:30.5-03:30')),
            });
        }
        await compareAll(cases);
    });

    it('truncates as PostgreSQL does', async () => {
        const cases: Case[] = [];
        for (const field of FIELDS) {
            for (const t of TIMESTAMPS) {
                cases.push({
                    sql: `date_trunc('${field}', timestamp ${quote(t)})`,
                    ours: () => print('timestamp', truncateTimestamp(field, parse('timestamp', t))),
                });
                cases.push({
                    sql: `date_trunc('${field}', timestamptz ${quote(t)})`,
                    ours: () => print('timestamptz', truncateTimestamptz(field, parse('timestamptz', t), zone)),
                });
            }
            for (const i of INTERVALS)
                cases.push({
                    sql: `date_trunc('${field}', interval ${quote(i)})`,
                    ours: () => print('interval', truncateInterval(field, parse('interval', i))),
                });
        }
        await compareAll(cases);
    });
});
