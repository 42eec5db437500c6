/**
 * Datums as DuckDB literals of an exact type: constants, parameters and now() of a statement.
 *
 * What must stay true: every literal carries a cast, so DuckDB never guesses a type; text is quoted and never
 * interpreted. A value that DuckDB cannot hold is `Unsupported`: the reference path takes the statement.
 */
import type {Datum, Interval, PgArray} from '../../../../catalog/types/datum.ts';
import {Unsupported} from '../../../sql/bound.ts';
import {duckTimestamp, EPOCH_DAYS, INT64_MAX, scaledDecimal} from '../chunk-writer.ts';
import {quoteLiteral} from '../engine.ts';
import type {DuckType} from '../type-map.ts';
import {decimalType, Unrepresentable} from '../type-map.ts';

const DAY_MICROS = 86_400_000_000;

export function literal(value: Datum, type: DuckType): string {
    if (value === null) return `CAST(NULL AS ${type.sql})`;
    switch (type.kind) {
        case 'bool':
            return value === true ? 'true' : 'false';
        case 'int2':
        case 'int4':
        case 'int8':
        case 'oid':
            return `CAST('${(value as number | bigint).toString()}' AS ${type.sql})`;
        case 'float4':
        case 'float8':
            return `CAST('${Object.is(value, -0) ? '-0' : (value as number).toString()}' AS ${type.sql})`;
        case 'decimal':
            try {
                scaledDecimal(value as string, type, 0);
            } catch (error) {
                if (error instanceof Unrepresentable) throw new Unsupported(error.message);
                throw error;
            }
            return `CAST('${value as string}' AS ${type.sql})`;
        case 'text':
            return `CAST(${quoteLiteral(value as string)} AS VARCHAR)`;
        case 'blob':
            return `unhex('${Buffer.from(value as Uint8Array).toString('hex')}')`;
        case 'uuid':
            return `CAST('${value as string}' AS UUID)`;
        case 'date':
            if (value === Infinity) return "CAST('infinity' AS DATE)";
            if (value === -Infinity) return "CAST('-infinity' AS DATE)";
            return `(DATE '1970-01-01' + CAST('${(value as number) + EPOCH_DAYS}' AS INTEGER))`;
        case 'time':
            // The end of the day is a time of its own, and midnight to make_timestamp.
            if (value === DAY_MICROS) return "CAST('24:00:00' AS TIME)";
            return `CAST(make_timestamp(CAST('${value as number}' AS BIGINT)) AS TIME)`;
        case 'timestamp':
        case 'timestamptz':
            return timestampLiteral(value as bigint, type);
        case 'interval': {
            const {months, days, micros} = value as Interval;
            return (
                `(to_months(CAST('${months}' AS INTEGER)) + to_days(CAST('${days}' AS INTEGER))` +
                ` + to_microseconds(CAST('${micros}' AS BIGINT)))`
            );
        }
        case 'list':
            return `CAST([${listItems(value as PgArray, type).join(', ')}] AS ${type.sql})`;
        case 'printed':
        case 'hugeint':
            throw new Unsupported('a constant of a type that DuckDB does not have');
        default:
            return type.kind satisfies never;
    }
}

/** The elements of a one-dimensional array as literals. */
export function listItems(value: PgArray, type: DuckType): string[] {
    const {element} = type;
    if (element === undefined || value.dims.length > 1) throw new Unsupported('an array of several dimensions');
    return value.elements.map((item) => literal(item, element));
}

function timestampLiteral(micros: bigint, type: DuckType): string {
    let value: bigint;
    try {
        value = duckTimestamp(micros, 0);
    } catch (error) {
        if (error instanceof Unrepresentable) throw new Unsupported(error.message);
        throw error;
    }
    if (value === INT64_MAX) return `CAST('infinity' AS ${type.sql})`;
    if (value === -INT64_MAX) return `CAST('-infinity' AS ${type.sql})`;
    return `${type.kind === 'timestamp' ? 'make_timestamp' : 'make_timestamptz'}(CAST('${value}' AS BIGINT))`;
}

/** The narrowest decimal that holds a numeric constant with its display scale. */
export function decimalTypeOf(text: string): DuckType {
    const match = /^-?(\d*)(?:\.(\d+))?$/.exec(text);
    if (match === null) throw new Unsupported(`numeric constant ${text}`);
    const scale = match[2]?.length ?? 0;
    const width = Math.max((match[1]?.replace(/^0+/, '').length ?? 0) + scale, 1);
    if (width > 38) throw new Unsupported('a numeric of more than 38 digits');
    return decimalType(width, scale);
}
