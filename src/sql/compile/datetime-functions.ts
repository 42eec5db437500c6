/**
 * Operators and functions on dates, times and intervals: the arithmetic is catalog/types/datetime.ts.
 *
 * What must stay true: whatever reads or writes a timestamptz by its fields does so in the session's time zone.
 */
import type {Interval, TimeTz} from '../../../catalog/types/datum.ts';
import {
    addDays,
    addToDate,
    addToTime,
    addToTimestamp,
    addToTimestamptz,
    ageOfTimestamps,
    dateAndTime,
    dateAndTimetz,
    subtractDates,
    subtractFromDate,
    subtractFromTime,
    subtractFromTimestamp,
    subtractFromTimestamptz,
    subtractTimes,
    subtractTimestamps,
} from '../../../catalog/types/datetime.ts';
import {addIntervals, negateInterval, subtractIntervals} from '../../../catalog/types/interval-arithmetic.ts';
import {justifyDays, justifyHours, justifyInterval} from '../../../catalog/types/interval-arithmetic.ts';
import {divideInterval, multiplyInterval} from '../../../catalog/types/interval-arithmetic.ts';
import {timestamptzToTimestamp} from '../../../catalog/types/cast-datetime.ts';
import {isFiniteTimestamp} from '../../../catalog/types/civil.ts';
import {zoneOf} from '../../../catalog/types/timestamp.ts';
import {divisionByZero} from './number-operators.ts';
import {define, defineIn, infix, prefix} from './registry.ts';

infix<bigint, Interval>('+', 'timestamp', 'interval', (a, b) => addToTimestamp(a, b));
infix<Interval, bigint>('+', 'interval', 'timestamp', (a, b) => addToTimestamp(b, a));
infix<bigint, Interval>('-', 'timestamp', 'interval', (a, b) => subtractFromTimestamp(a, b));
infix<bigint, Interval>('+', 'timestamptz', 'interval', (a, b, {settings}) => addToTimestamptz(a, b, zoneOf(settings)));
infix<Interval, bigint>('+', 'interval', 'timestamptz', (a, b, {settings}) => addToTimestamptz(b, a, zoneOf(settings)));
infix<bigint, Interval>('-', 'timestamptz', 'interval', (a, b, {settings}) =>
    subtractFromTimestamptz(a, b, zoneOf(settings)),
);
infix<bigint, bigint>('-', 'timestamp', 'timestamp', subtractTimestamps);
infix<bigint, bigint>('-', 'timestamptz', 'timestamptz', subtractTimestamps);

infix<number, number>('+', 'date', 'int4', addDays);
infix<number, number>('+', 'int4', 'date', (a, b) => addDays(b, a));
infix<number, number>('-', 'date', 'int4', (a, b) => addDays(a, -b));
infix<number, number>('-', 'date', 'date', subtractDates);
infix<number, Interval>('+', 'date', 'interval', addToDate);
infix<Interval, number>('+', 'interval', 'date', (a, b) => addToDate(b, a));
infix<number, Interval>('-', 'date', 'interval', subtractFromDate);
infix<number, number>('+', 'date', 'time', dateAndTime);
infix<number, number>('+', 'time', 'date', (a, b) => dateAndTime(b, a));
infix<number, TimeTz>('+', 'date', 'timetz', dateAndTimetz);
infix<number, Interval>('+', 'time', 'interval', addToTime);
infix<Interval, number>('+', 'interval', 'time', (a, b) => addToTime(b, a));
infix<number, Interval>('-', 'time', 'interval', subtractFromTime);
infix<number, number>('-', 'time', 'time', subtractTimes);

infix<Interval, Interval>('+', 'interval', 'interval', addIntervals);
infix<Interval, Interval>('-', 'interval', 'interval', subtractIntervals);
infix<Interval, number>('*', 'interval', 'float8', multiplyInterval);
infix<number, Interval>('*', 'float8', 'interval', (a, b) => multiplyInterval(b, a));
infix<Interval, number>('/', 'interval', 'float8', (a, b) => {
    if (b === 0) throw divisionByZero();
    return divideInterval(a, b);
});
prefix<Interval>('-', 'interval', negateInterval);
define<[Interval]>('justify_hours', ['interval'], justifyHours);
define<[Interval]>('justify_days', ['interval'], justifyDays);
define<[Interval]>('justify_interval', ['interval'], justifyInterval);

for (const name of ['now', 'transaction_timestamp']) defineIn<[]>(name, [], (context) => context.transactionMicros);
defineIn<[]>('statement_timestamp', [], (context) => context.statementMicros);
defineIn<[]>('clock_timestamp', [], (context) => context.clockMicros());
defineIn<[]>('current_database', [], (context) => context.database);
defineIn<[]>('current_schema', [], (context) => context.schema);

define<[bigint, bigint]>('age', ['timestamp', 'timestamp'], ageOfTimestamps);
defineIn<[bigint, bigint]>('age', ['timestamptz', 'timestamptz'], ({settings}, a, b) => {
    const zone = zoneOf(settings);
    return ageOfTimestamps(timestamptzToTimestamp(a, zone), timestamptzToTimestamp(b, zone));
});
for (const type of ['timestamp', 'timestamptz'] as const) define<[bigint]>('isfinite', [type], isFiniteTimestamp);
define<[number]>('isfinite', ['date'], (value) => Number.isFinite(value));
