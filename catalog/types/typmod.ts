/**
 * Type modifiers: lengths of character types, precision and scale of numeric, fractional digits of times.
 * Source: PostgreSQL documentation, chapter 8; varchar.c, numeric.c (apply_typmod), timestamp.c, date.c.
 *
 * What must stay true: a value that went through here fits its column. An explicit cast cuts character values; an
 * assignment refuses to lose anything but blanks.
 */
import {PgError} from '../errors.ts';
import type {CastContext} from './cast-table.ts';
import type {Datum, Interval, PgArray, TimeTz} from './datum.ts';
import {fromDecimal, rescale, toDecimal} from './decimal.ts';
import {applyIntervalTypmod} from './interval-typmod.ts';
import {isFiniteTimestamp} from './civil.ts';
import {isFiniteNumeric} from './numeric.ts';
import {OID} from './oids.ts';
import type {PgType} from './pg-type.ts';
import {roundMicros, roundMicrosBig} from './round-micros.ts';
import {trimBlanks} from './text-types.ts';
import {characterCount, firstCharacters} from './utf8.ts';

const HEADER = 4;

/** The value as the modifier demands it. Throws 22001 or 22003. A modifier of -1 changes nothing. */
export function applyTypmod(type: PgType, typmod: number, value: Datum, context: CastContext): Datum {
    if (typmod < 0 || value === null) return value;
    if (type.element !== undefined) return applyToElements(type.element, typmod, value as PgArray, context);
    switch (type.baseOid) {
        case OID.varchar:
            return limitVarchar(value as string, typmod - HEADER, context);
        case OID.bpchar:
            return limitBpchar(value as string, typmod - HEADER, context);
        case OID.numeric:
            return limitNumeric(value as string, typmod - HEADER);
        case OID.timestamp:
        case OID.timestamptz:
            return isFiniteTimestamp(value as bigint) ? roundMicrosBig(value as bigint, typmod) : value;
        case OID.time:
            return roundMicros(value as number, typmod);
        case OID.timetz:
            return {micros: roundMicros((value as TimeTz).micros, typmod), zone: (value as TimeTz).zone};
        case OID.interval:
            return applyIntervalTypmod(value as Interval, typmod);
        default:
            return value;
    }
}

function applyToElements(element: PgType, typmod: number, value: PgArray, context: CastContext): PgArray {
    return {...value, elements: value.elements.map((item) => applyTypmod(element, typmod, item, context))};
}

function tooLong(sqlName: string, length: number): PgError {
    return new PgError('22001', `value too long for type ${sqlName}(${length})`);
}

function limitVarchar(value: string, length: number, context: CastContext): string {
    if (value.length <= length) return value;
    return cut(value, length, context, 'character varying');
}

function limitBpchar(value: string, length: number, context: CastContext): string {
    const count = characterCount(value);
    if (count === length) return value;
    if (count < length) return value + ' '.repeat(length - count);
    return cut(value, length, context, 'character');
}

function cut(value: string, length: number, context: CastContext, sqlName: string): string {
    const kept = firstCharacters(value, length);
    if (context !== 'explicit' && trimBlanks(value.slice(kept.length)) !== '') throw tooLong(sqlName, length);
    return kept;
}

function limitNumeric(value: string, packed: number): string {
    const precision = (packed >> 16) & 0xffff;
    // Eleven bits, signed: scales reach from -1000 to 1000.
    const scale = ((packed & 0x7ff) ^ 1024) - 1024;
    if (!isFiniteNumeric(value)) {
        if (value === 'NaN') return value;
        throw numericFieldOverflow(
            `A field with precision ${precision}, scale ${scale} cannot hold an infinite value.`,
        );
    }
    const rounded = rescale(toDecimal(value), scale);
    const units = rounded.units < 0n ? -rounded.units : rounded.units;
    if (units !== 0n && units.toString().length > precision) {
        const digits = precision - scale;
        const limit = digits === 0 ? '1' : `10^${digits}`;
        throw numericFieldOverflow(
            `A field with precision ${precision}, scale ${scale} must round to an absolute value less than ${limit}.`,
        );
    }
    return fromDecimal(rounded);
}

function numericFieldOverflow(detail: string): PgError {
    return new PgError('22003', 'numeric field overflow', {detail});
}
