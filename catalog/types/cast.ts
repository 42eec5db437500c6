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
import type {Datum, PgArray, TimeTz} from './datum.ts';
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
function direct(
    from: keyof typeof OID,
    to: keyof typeof OID,
    cast: (value: never, settings: OutputSettings) => Datum,
): void {
    const row = DIRECT.get(OID[from]) ?? new Map<number, CastFunction>();
    row.set(OID[to], cast as CastFunction);
    DIRECT.set(OID[from], row);
}

direct('bool', 'int4', (value: boolean) => (value ? 1 : 0));
for (const text of ['text', 'varchar', 'bpchar'] as const) {
    direct('bool', text, (value: boolean) => (value ? 'true' : 'false'));
    direct('inet', text, (value: string) => printAddress(addressOf(value), true));
    direct('cidr', text, same);
    direct('char', text, printChar);
    direct('name', text, same);
    direct(text, 'name', text === 'bpchar' ? (value: string) => truncateName(trimBlanks(value)) : truncateName);
    direct(text, 'char', parseChar);
}
direct('char', 'bpchar', (value: string) => {
    // This one copies the byte as it is, and a byte above 127 is no UTF-8.
    const byte = charByte(value);
    if (byte < 128) return value;
    throw new PgError('22021', `invalid byte sequence for encoding "UTF8": 0x${byte.toString(16)}`);
});
direct('text', 'varchar', same);
direct('text', 'bpchar', same);
direct('varchar', 'text', same);
direct('varchar', 'bpchar', same);
direct('bpchar', 'text', trimBlanks);
direct('bpchar', 'varchar', trimBlanks);
direct('char', 'int4', (value: string) => (charByte(value) << 24) >> 24);
direct('int4', 'char', (value: number) => {
    if (value < -128 || value > 127) throw new PgError('22003', '"char" out of range');
    return value === 0 ? '' : String.fromCharCode(value & 255);
});
direct('int4', 'bool', (value: number) => value !== 0);

direct('int2', 'int4', (value: number) => value);
direct('int2', 'int8', BigInt);
direct('int4', 'int2', toInt2);
direct('int4', 'int8', BigInt);
direct('int8', 'int2', toInt2);
direct('int8', 'int4', toInt4);
for (const integer of ['int2', 'int4'] as const) {
    direct(integer, 'float8', (value: number) => value);
    direct(integer, 'float4', Math.fround);
    direct(integer, 'numeric', String);
}
direct('int8', 'float8', Number);
direct('int8', 'float4', bigintToFloat4);
direct('int8', 'numeric', numericFromBigint);
for (const float of ['float4', 'float8'] as const) {
    direct(float, 'int2', (value: number) => floatToInteger(value, 'smallint'));
    direct(float, 'int4', (value: number) => floatToInteger(value, 'integer'));
    direct(float, 'int8', (value: number) => BigInt(floatToInteger(value, 'bigint')));
}
direct('float4', 'float8', (value: number) => value);
direct('float8', 'float4', float8ToFloat4);
direct('float4', 'numeric', float4ToNumeric);
direct('float8', 'numeric', float8ToNumeric);
direct('numeric', 'int2', (value: string) => numericToInt(value, 'smallint'));
direct('numeric', 'int4', (value: string) => numericToInt(value, 'integer'));
direct('numeric', 'int8', numericToInt8);
direct('numeric', 'float4', numericToFloat4);
direct('numeric', 'float8', numericToFloat8);

for (const [integer, size] of [
    ['int2', 2],
    ['int4', 4],
    ['int8', 8],
] as const) {
    direct(integer, 'bytea', (value: number | bigint) => integerToBytea(BigInt(value), size));
    direct('bytea', integer, (value: Uint8Array) => byteaToInteger(value, size));
}

direct('date', 'timestamp', dateToTimestamp);
direct('date', 'timestamptz', (value: number, settings) => dateToTimestamptz(value, zoneOf(settings)));
direct('time', 'interval', timeToInterval);
direct('time', 'timetz', (value: number, settings) =>
    timeToTimetz(value, zoneOf(settings), settings.nowMicros ?? clockMicros()),
);
direct('timestamp', 'date', timestampToDate);
direct('timestamp', 'time', (value: bigint) => timestampToTime(value) ?? null);
direct('timestamp', 'timestamptz', (value: bigint, settings) => timestampToTimestamptz(value, zoneOf(settings)));
direct('timestamptz', 'timestamp', (value: bigint, settings) => timestamptzToTimestamp(value, zoneOf(settings)));
direct('timestamptz', 'date', (value: bigint, settings) =>
    timestampToDate(timestamptzToTimestamp(value, zoneOf(settings))),
);
direct(
    'timestamptz',
    'time',
    (value: bigint, settings) => timestampToTime(timestamptzToTimestamp(value, zoneOf(settings))) ?? null,
);
direct('timestamptz', 'timetz', (value: bigint, settings) => timestamptzToTimetz(value, zoneOf(settings)) ?? null);
direct('interval', 'time', intervalToTime);
direct('timetz', 'time', (value: TimeTz) => value.micros);

direct('cidr', 'inet', (value: string) => printAddress(addressOf(value), false));
direct('inet', 'cidr', (value: string) => printAddress(networkOf(addressOf(value)), true));
direct('jsonb', 'json', same);
for (const scalar of ['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric'] as const) {
    direct('jsonb', scalar, (value: string, settings) => {
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
    direct('int2', alias, (value: number) => value >>> 0);
    direct('int4', alias, (value: number) => value >>> 0);
    direct('int8', alias, (value: bigint) => {
        if (value < 0n || value > 4_294_967_295n) throw new PgError('22003', 'OID out of range');
        return Number(value);
    });
    direct(alias, 'int4', (value: number) => value | 0);
    direct(alias, 'int8', BigInt);
    if (alias === 'oid') continue;
    direct(alias, 'oid', (value: number) => value);
    direct('oid', alias, (value: number) => value);
}
direct('regproc', 'regprocedure', (value: number) => value);
direct('regprocedure', 'regproc', (value: number) => value);
direct('regoper', 'regoperator', (value: number) => value);
direct('regoperator', 'regoper', (value: number) => value);
direct('xid8', 'xid', (value: bigint) => Number(value & 0xffffffffn));
