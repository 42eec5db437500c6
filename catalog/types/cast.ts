/**
 * Casting values: the functions behind pg_cast, casts through the text form, and casts of array elements.
 * Which casts may be applied where is in cast-table.ts; modifiers like varchar(5) are applied by typmod.ts afterwards.
 *
 * What must stay true: `castFunction` is asked once per expression when a plan is compiled, never per row. A cast that
 * yields NULL for a non-null value (infinity to time) returns null.
 */
import {PgError} from '../errors.ts';
import {castContext} from './cast-table.ts';
import type {CastContext} from './cast-table.ts';
import {
    dateToTimestamp,
    dateToTimestamptz,
    intervalToTime,
    timestampToDate,
    timestampToTime,
    timestamptzToTimestamp,
    timestamptzToTimetz,
    timestampToTimestamptz,
    timeToInterval,
    timeToTimetz,
} from './cast-datetime.ts';
import {
    bigintToFloat4,
    float4ToNumeric,
    float8ToFloat4,
    float8ToNumeric,
    floatToInteger,
    numericToFloat4,
    numericToFloat8,
    numericToInt,
    numericToInt8,
    toInt2,
    toInt4,
} from './cast-numbers.ts';
import {byteaToInteger, integerToBytea} from './cast-bytes.ts';
import {jsonbToScalar} from './cast-jsonb.ts';
import {clockMicros} from './civil.ts';
import type {Datum, Interval, PgArray, TimeTz} from './datum.ts';
import {numericFromBigint} from './numeric.ts';
import {addressOf} from './network.ts';
import {networkOf, printAddress} from './network-address.ts';
import {OID} from './oids.ts';
import type {PgType} from './pg-type.ts';
import type {TypeRegistry} from './registry.ts';
import type {OutputSettings} from './settings.ts';
import {parseChar, printChar, trimBlanks, truncateName, charByte} from './text-types.ts';
import {applyTypmod} from './typmod.ts';
import {zoneOf} from './timestamp.ts';

export type CastFunction = (value: Datum, settings: OutputSettings) => Datum;
export {castContext};
export type {CastContext};

const same: CastFunction = (value) => value;

/**
 * How non-null values of one type become values of another, by explicit cast; undefined when PostgreSQL has no such
 * cast. Casts to a domain apply the modifiers of its base; NOT NULL and CHECK are the caller's.
 */
export function castFunction(fromOid: number, toOid: number, registry: TypeRegistry): CastFunction | undefined {
    const from = registry.get(fromOid);
    const to = registry.get(toOid);
    if (from === undefined || to === undefined) return undefined;
    const cast = baseCast(from, to, registry);
    return cast === undefined || to.base === undefined ? cast : throughDomain(cast, to, registry);
}

/** Each domain on the way down may have a modifier: varchar(5) beneath a domain. Innermost first. */
function throughDomain(cast: CastFunction, domain: PgType, registry: TypeRegistry): CastFunction {
    const steps: {readonly type: PgType; readonly typmod: number}[] = [];
    for (let at: PgType | undefined = domain; at?.base !== undefined; at = registry.get(at.base.oid)) {
        if (at.base.typmod >= 0) steps.unshift({type: registry.require(at.base.oid), typmod: at.base.typmod});
    }
    if (steps.length === 0) return cast;
    return (value, settings) => {
        let result = cast(value, settings);
        for (const step of steps) result = applyTypmod(step.type, step.typmod, result, 'explicit');
        return result;
    };
}

function baseCast(from: PgType, to: PgType, registry: TypeRegistry): CastFunction | undefined {
    if (from.baseOid === to.baseOid) return same;
    const direct = DIRECT.get(from.baseOid)?.get(to.baseOid);
    if (direct !== undefined) return direct;
    if (from.element !== undefined && to.element !== undefined) {
        const item = castFunction(from.element.oid, to.element.oid, registry);
        if (item !== undefined) return castElements(item);
    }
    const context = castContext(from.oid, to.oid, registry);
    if (context === undefined) return undefined;
    return throughText(from, to);
}

function castElements(item: CastFunction): CastFunction {
    return (value, settings) => {
        const array = value as PgArray;
        return {...array, elements: array.elements.map((one) => (one === null ? null : item(one, settings)))};
    };
}

function throughText(from: PgType, to: PgType): CastFunction {
    if (from.baseOid === OID.bpchar) return (value, settings) => to.parse(trimBlanks(value as string), settings);
    return (value, settings) => to.parse(from.print(value, settings), settings);
}

const DIRECT = new Map<number, Map<number, CastFunction>>();

/** Registers a cast; the representations are what datum.ts says of the two types. */
function direct<From extends Datum, To extends Datum>(
    from: keyof typeof OID,
    to: keyof typeof OID,
    cast: (value: From, settings: OutputSettings) => To,
): void {
    const row = DIRECT.get(OID[from]) ?? new Map<number, CastFunction>();
    row.set(OID[to], cast as unknown as CastFunction);
    DIRECT.set(OID[from], row);
}

direct<boolean, number>('bool', 'int4', (value) => (value ? 1 : 0));
for (const text of ['text', 'varchar', 'bpchar'] as const) {
    direct<boolean, string>('bool', text, (value) => (value ? 'true' : 'false'));
    direct<string, string>('inet', text, (value) => printAddress(addressOf(value), true));
    direct<string, string>('cidr', text, same as (value: string) => string);
    direct<string, string>('char', text, printChar);
    direct<string, string>('name', text, same as (value: string) => string);
    direct<string, string>(text, 'name', text === 'bpchar' ? (value) => truncateName(trimBlanks(value)) : truncateName);
    direct<string, string>(text, 'char', parseChar);
}
direct<string, string>('char', 'bpchar', (value) => {
    // This one copies the byte as it is, and a byte above 127 is no UTF-8.
    const byte = charByte(value);
    if (byte < 128) return value;
    throw new PgError('22021', `invalid byte sequence for encoding "UTF8": 0x${byte.toString(16)}`);
});
direct<string, string>('text', 'varchar', same as (value: string) => string);
direct<string, string>('text', 'bpchar', same as (value: string) => string);
direct<string, string>('varchar', 'text', same as (value: string) => string);
direct<string, string>('varchar', 'bpchar', same as (value: string) => string);
direct<string, string>('bpchar', 'text', trimBlanks);
direct<string, string>('bpchar', 'varchar', trimBlanks);
direct<string, number>('char', 'int4', (value) => (charByte(value) << 24) >> 24);
direct<number, string>('int4', 'char', (value) => {
    if (value < -128 || value > 127) throw new PgError('22003', '"char" out of range');
    return value === 0 ? '' : String.fromCharCode(value & 255);
});
direct<number, boolean>('int4', 'bool', (value) => value !== 0);

direct<number, number>('int2', 'int4', (value) => value);
direct<number, bigint>('int2', 'int8', BigInt);
direct<number, number>('int4', 'int2', toInt2);
direct<number, bigint>('int4', 'int8', BigInt);
direct<bigint, number>('int8', 'int2', toInt2);
direct<bigint, number>('int8', 'int4', toInt4);
for (const integer of ['int2', 'int4'] as const) {
    direct<number, number>(integer, 'float8', (value) => value);
    direct<number, number>(integer, 'float4', Math.fround);
    direct<number, string>(integer, 'numeric', String);
}
direct<bigint, number>('int8', 'float8', Number);
direct<bigint, number>('int8', 'float4', bigintToFloat4);
direct<bigint, string>('int8', 'numeric', numericFromBigint);
for (const float of ['float4', 'float8'] as const) {
    direct<number, number>(float, 'int2', (value) => floatToInteger(value, 'smallint'));
    direct<number, number>(float, 'int4', (value) => floatToInteger(value, 'integer'));
    direct<number, bigint>(float, 'int8', (value) => BigInt(floatToInteger(value, 'bigint')));
}
direct<number, number>('float4', 'float8', (value) => value);
direct<number, number>('float8', 'float4', float8ToFloat4);
direct<number, string>('float4', 'numeric', float4ToNumeric);
direct<number, string>('float8', 'numeric', float8ToNumeric);
direct<string, number>('numeric', 'int2', (value) => numericToInt(value, 'smallint'));
direct<string, number>('numeric', 'int4', (value) => numericToInt(value, 'integer'));
direct<string, bigint>('numeric', 'int8', numericToInt8);
direct<string, number>('numeric', 'float4', numericToFloat4);
direct<string, number>('numeric', 'float8', numericToFloat8);

for (const [integer, size] of [
    ['int2', 2],
    ['int4', 4],
    ['int8', 8],
] as const) {
    direct<number | bigint, Uint8Array>(integer, 'bytea', (value) => integerToBytea(BigInt(value), size));
    direct<Uint8Array, number | bigint>('bytea', integer, (value) => byteaToInteger(value, size));
}

direct<number, bigint>('date', 'timestamp', dateToTimestamp);
direct<number, bigint>('date', 'timestamptz', (value, settings) => dateToTimestamptz(value, zoneOf(settings)));
direct<number, Interval>('time', 'interval', timeToInterval);
direct<number, TimeTz>('time', 'timetz', (value, settings) =>
    timeToTimetz(value, zoneOf(settings), settings.nowMicros ?? clockMicros()),
);
direct<bigint, number>('timestamp', 'date', timestampToDate);
direct<bigint, number | null>('timestamp', 'time', (value) => timestampToTime(value) ?? null);
direct<bigint, bigint>('timestamp', 'timestamptz', (value, settings) =>
    timestampToTimestamptz(value, zoneOf(settings)),
);
direct<bigint, bigint>('timestamptz', 'timestamp', (value, settings) =>
    timestamptzToTimestamp(value, zoneOf(settings)),
);
direct<bigint, number>('timestamptz', 'date', (value, settings) =>
    timestampToDate(timestamptzToTimestamp(value, zoneOf(settings))),
);
direct<bigint, number | null>(
    'timestamptz',
    'time',
    (value, settings) => timestampToTime(timestamptzToTimestamp(value, zoneOf(settings))) ?? null,
);
direct<bigint, TimeTz | null>(
    'timestamptz',
    'timetz',
    (value, settings) => timestamptzToTimetz(value, zoneOf(settings)) ?? null,
);
direct<Interval, number>('interval', 'time', intervalToTime);
direct<TimeTz, number>('timetz', 'time', (value) => value.micros);

direct<string, string>('cidr', 'inet', (value) => printAddress(addressOf(value), false));
direct<string, string>('inet', 'cidr', (value) => printAddress(networkOf(addressOf(value)), true));
direct<string, string>('jsonb', 'json', same as (value: string) => string);
for (const scalar of ['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric'] as const) {
    direct<string, Datum>('jsonb', scalar, (value, settings) => {
        const found = jsonbToScalar(value, scalar);
        if (found === null || scalar === 'bool' || scalar === 'numeric') return found;
        const convert = DIRECT.get(OID.numeric)?.get(OID[scalar]) ?? same;
        return convert(found, settings);
    });
}

const OBJECT_OIDS = [
    'oid',
    'regproc',
    'regprocedure',
    'regoper',
    'regoperator',
    'regclass',
    'regtype',
    'regconfig',
    'regdictionary',
    'regnamespace',
    'regrole',
    'regcollation',
] as const;
for (const alias of OBJECT_OIDS) {
    direct<number, number>('int2', alias, (value) => value >>> 0);
    direct<number, number>('int4', alias, (value) => value >>> 0);
    direct<bigint, number>('int8', alias, (value) => {
        if (value < 0n || value > 4_294_967_295n) throw new PgError('22003', 'OID out of range');
        return Number(value);
    });
    direct<number, number>(alias, 'int4', (value) => value | 0);
    direct<number, bigint>(alias, 'int8', BigInt);
    if (alias === 'oid') continue;
    direct<number, number>(alias, 'oid', (value) => value);
    direct<number, number>('oid', alias, (value) => value);
}
direct<number, number>('regproc', 'regprocedure', (value) => value);
direct<number, number>('regprocedure', 'regproc', (value) => value);
direct<number, number>('regoper', 'regoperator', (value) => value);
direct<number, number>('regoperator', 'regoper', (value) => value);
direct<bigint, number>('xid8', 'xid', (value) => Number(value & 0xffffffffn));
