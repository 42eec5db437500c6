/**
 * date_trunc(), extract() and date_part() for constant field names (timestamp.c).
 *
 * What must stay true: extract() gives numeric with the scale that PostgreSQL gives it (seconds and epoch six digits,
 * milliseconds three, all else none). Fields that are not listed are `Unsupported`.
 */
import {
    civilFromDays,
    dayOfWeek,
    dayOfYear,
    daysFromCivil,
    isFiniteTimestamp,
    isoWeek,
    joinTimestamp,
    splitTimestamp,
    TIMESTAMP_INFINITY,
} from '../../../catalog/types/civil.ts';
import {dateToTimestamp, timestamptzToTimestamp, timestampToTimestamptz} from '../../../catalog/types/cast-datetime.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {zoneOf} from '../../../catalog/types/timestamp.ts';
import type {Expr, FunctionExpr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {compileNode} from './compile-expression.ts';
import type {CompileScope, Evaluate} from './scope.ts';

const HOUR = 3_600_000_000;
const MINUTE = 60_000_000;
const SECOND = 1_000_000;
const WITHIN_DAY: Readonly<Record<string, number>> = {
    hour: HOUR,
    minute: MINUTE,
    second: SECOND,
    milliseconds: 1000,
    microseconds: 1,
};

export function compileDateTrunc(expr: FunctionExpr, scope: CompileScope): Evaluate {
    const [fieldExpr, valueExpr, ...others] = expr.args;
    if (fieldExpr === undefined || valueExpr === undefined || others.length > 0) throw new Unsupported('date_trunc');
    const field = constantField(fieldExpr);
    const truncate = truncation(field);
    const value = compileNode(valueExpr, scope);
    if (valueExpr.type.oid === OID.timestamp) {
        return (frame) => {
            const micros = value(frame) as bigint | null;
            return micros === null || !isFiniteTimestamp(micros) ? micros : truncate(micros);
        };
    }
    if (valueExpr.type.oid !== OID.timestamptz) throw new Unsupported('date_trunc');
    const keepsOffset = field in WITHIN_DAY;
    return (frame) => {
        const micros = value(frame) as bigint | null;
        if (micros === null || !isFiniteTimestamp(micros)) return micros;
        const zone = zoneOf(frame.context.settings);
        const local = timestamptzToTimestamp(micros, zone);
        const truncated = truncate(local);
        return keepsOffset ? micros - (local - truncated) : timestampToTimestamptz(truncated, zone);
    };
}

function constantField(expr: Expr): string {
    if (expr.kind !== 'const' || typeof expr.value !== 'string') throw new Unsupported('field that is not constant');
    return expr.value.toLowerCase();
}

function truncation(field: string): (micros: bigint) => bigint {
    const unit = WITHIN_DAY[field];
    if (unit !== undefined) {
        return (value) => {
            const {days, micros} = splitTimestamp(value);
            return joinTimestamp(days, micros - (micros % unit));
        };
    }
    const toDays = DAY_TRUNCATIONS[field];
    if (toDays === undefined) throw new Unsupported(`date_trunc of ${field}`);
    return (value) => joinTimestamp(toDays(splitTimestamp(value).days), 0);
}

const DAY_TRUNCATIONS: Readonly<Record<string, (days: number) => number>> = {
    day: (days) => days,
    week: (days) => days - ((dayOfWeek(days) + 6) % 7),
    month: (days) => {
        const {year, month} = civilFromDays(days);
        return daysFromCivil(year, month, 1);
    },
    quarter: (days) => {
        const {year, month} = civilFromDays(days);
        return daysFromCivil(year, month - ((month - 1) % 3), 1);
    },
    year: (days) => daysFromCivil(civilFromDays(days).year, 1, 1),
};

/** Fields by day; of those a date may be asked for. `scale` digits after the point in extract(). */
const DAY_FIELDS: Readonly<Record<string, (days: number) => number>> = {
    year: (days) => {
        const {year} = civilFromDays(days);
        // There is no year 0: 1 BC is -1.
        return year > 0 ? year : year - 1;
    },
    quarter: (days) => Math.floor((civilFromDays(days).month - 1) / 3) + 1,
    month: (days) => civilFromDays(days).month,
    week: (days) => isoWeek(days).week,
    day: (days) => civilFromDays(days).day,
    dow: dayOfWeek,
    isodow: (days) => ((dayOfWeek(days) + 6) % 7) + 1,
    doy: dayOfYear,
};
/** Microseconds of the day to a value and its digits after the point. */
const TIME_FIELDS: Readonly<Record<string, {readonly units: (micros: number) => number; readonly scale: number}>> = {
    hour: {units: (micros) => Math.floor(micros / HOUR), scale: 0},
    minute: {units: (micros) => Math.floor((micros % HOUR) / MINUTE), scale: 0},
    second: {units: (micros) => micros % MINUTE, scale: 6},
    milliseconds: {units: (micros) => micros % MINUTE, scale: 3},
    microseconds: {units: (micros) => micros % MINUTE, scale: 0},
};
/** Of an infinite value these are infinite, the others NULL. */
const GROWING = new Set(['year', 'epoch']);
const UNIX_EPOCH_MICROS = 946_684_800_000_000n;

export function compileExtract(expr: FunctionExpr, scope: CompileScope): Evaluate {
    const [fieldExpr, valueExpr] = expr.args;
    if (fieldExpr === undefined || valueExpr === undefined) throw new Unsupported('extract');
    const field = constantField(fieldExpr);
    const value = compileNode(valueExpr, scope);
    const asNumeric = expr.name === 'extract';
    const {oid} = valueExpr.type;
    if (oid !== OID.timestamp && oid !== OID.timestamptz && oid !== OID.date) throw new Unsupported('extract');
    const isDate = oid === OID.date;
    if (isDate && !asNumeric) throw new Unsupported('date_part of a date');
    if (isDate && DAY_FIELDS[field] === undefined && field !== 'epoch') throw new Unsupported(`extract ${field}`);
    const read = fieldReader(field, isDate, asNumeric);
    return (frame) => {
        const datum = value(frame);
        if (datum === null) return null;
        let micros = isDate ? dateToTimestamp(datum as number) : (datum as bigint);
        if (!isFiniteTimestamp(micros)) return infinite(field, micros === TIMESTAMP_INFINITY, asNumeric);
        if (oid === OID.timestamptz && field !== 'epoch') {
            micros = timestamptzToTimestamp(micros, zoneOf(frame.context.settings));
        }
        return read(micros);
    };
}

function infinite(field: string, positive: boolean, asNumeric: boolean): Datum {
    if (!GROWING.has(field)) return null;
    if (asNumeric) return positive ? 'Infinity' : '-Infinity';
    return positive ? Infinity : -Infinity;
}

function fieldReader(field: string, isDate: boolean, asNumeric: boolean): (micros: bigint) => Datum {
    const ofDay = DAY_FIELDS[field];
    if (ofDay !== undefined) {
        return (micros) => {
            const result = ofDay(splitTimestamp(micros).days);
            return asNumeric ? String(result) : result;
        };
    }
    if (field === 'epoch') {
        return (micros) => {
            const units = micros + UNIX_EPOCH_MICROS;
            if (!asNumeric) return Number(units) / 1e6;
            return isDate ? String(units / 1_000_000n) : withPoint(units, 6);
        };
    }
    const ofTime = TIME_FIELDS[field];
    if (ofTime === undefined) throw new Unsupported(`extract ${field}`);
    const {units, scale} = ofTime;
    return (micros) => {
        const result = units(splitTimestamp(micros).micros);
        return asNumeric ? withPoint(BigInt(result), scale) : result / 10 ** scale;
    };
}

/** An integer of 10^-scale units as numeric text. */
function withPoint(units: bigint, scale: number): string {
    if (scale === 0) return units.toString();
    const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
    const sign = units < 0n ? '-' : '';
    return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
