/**
 * Which DuckDB type holds the values of a PostgreSQL type, for mirrors, Parquet segments, parameters and results.
 *
 * What must stay true: a value that goes in comes out as the same datum. Where DuckDB has no type that holds every
 * value (unconstrained numeric, timetz, arrays of any shape, json, enums, inet), the column is VARCHAR with PostgreSQL's
 * text form, and the printer treats it as opaque. The few values of a mapped type that DuckDB cannot hold (NaN in a
 * numeric(p,s), timestamps after 294246) raise `Unrepresentable`; the mirror then keeps that column as text.
 */
import type {TypeRef} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';

/** How the vectors of a column are laid out and which datum they stand for. */
export type DuckKind =
    | 'bool'
    | 'int2'
    | 'int4'
    | 'int8'
    | 'oid'
    | 'float4'
    | 'float8'
    | 'decimal'
    /** VARCHAR whose datum is the same string. */
    | 'text'
    /** VARCHAR with the text form of a datum that is not a string. */
    | 'printed'
    | 'blob'
    | 'uuid'
    | 'date'
    | 'time'
    | 'timestamp'
    | 'timestamptz'
    | 'interval'
    /** Results only: a HUGEINT whose datum is a numeric without decimals. */
    | 'hugeint'
    /** Parameters and results only: a list of plain elements. */
    | 'list';

export interface DuckType {
    readonly kind: DuckKind;
    /** As written in SQL. */
    readonly sql: string;
    /** Digits and decimals of a 'decimal', else 0. */
    readonly width: number;
    readonly scale: number;
    /** Of a 'list'. */
    readonly element: DuckType | undefined;
}

/** What this folder needs to know of types; `TypeRegistry` is fitted to it at composition. */
export interface TypeCodec {
    /** The type behind a domain, or the type itself. */
    baseType(type: TypeRef): TypeRef;
    /** Element type of an array type, else 0. */
    elementOid(oid: number): number;
    isEnum(oid: number): boolean;
    print(oid: number, value: Datum): string;
    parse(oid: number, text: string): Datum;
    /** Binary wire format. */
    send(oid: number, value: Datum): Uint8Array;
}

/** A value that the column's DuckDB type cannot hold. */
export class Unrepresentable extends Error {
    override readonly name = 'Unrepresentable';
    readonly columnIndex: number;

    constructor(columnIndex: number, value: string) {
        super(`column ${columnIndex} cannot hold ${value}`);
        this.columnIndex = columnIndex;
    }
}

export const OID = {
    bool: 16,
    bytea: 17,
    name: 19,
    int8: 20,
    int2: 21,
    int4: 23,
    text: 25,
    oid: 26,
    json: 114,
    float4: 700,
    float8: 701,
    unknown: 705,
    bpchar: 1042,
    varchar: 1043,
    date: 1082,
    time: 1083,
    timestamp: 1114,
    timestamptz: 1184,
    interval: 1186,
    timetz: 1266,
    numeric: 1700,
    uuid: 2950,
    jsonb: 3802,
    inet: 869,
    cidr: 650,
} as const;

const PLAIN: Readonly<Record<number, DuckType>> = {
    [OID.bool]: plain('bool', 'BOOLEAN'),
    [OID.bytea]: plain('blob', 'BLOB'),
    [OID.name]: plain('text', 'VARCHAR'),
    [OID.int8]: plain('int8', 'BIGINT'),
    [OID.int2]: plain('int2', 'SMALLINT'),
    [OID.int4]: plain('int4', 'INTEGER'),
    [OID.text]: plain('text', 'VARCHAR'),
    [OID.oid]: plain('oid', 'UINTEGER'),
    [OID.float4]: plain('float4', 'FLOAT'),
    [OID.float8]: plain('float8', 'DOUBLE'),
    [OID.bpchar]: plain('text', 'VARCHAR'),
    [OID.varchar]: plain('text', 'VARCHAR'),
    [OID.date]: plain('date', 'DATE'),
    [OID.time]: plain('time', 'TIME'),
    [OID.timestamp]: plain('timestamp', 'TIMESTAMP'),
    [OID.timestamptz]: plain('timestamptz', 'TIMESTAMPTZ'),
    [OID.interval]: plain('interval', 'INTERVAL'),
    [OID.uuid]: plain('uuid', 'UUID'),
};

export const TEXT_TYPE: DuckType = plain('text', 'VARCHAR');
/** The text form of anything: what a column becomes that has held an unrepresentable value. */
export const PRINTED_TYPE: DuckType = plain('printed', 'VARCHAR');
export const HUGEINT_TYPE: DuckType = plain('hugeint', 'HUGEINT');

function plain(kind: DuckKind, sql: string): DuckType {
    return {kind, sql, width: 0, scale: 0, element: undefined};
}

export function decimalType(width: number, scale: number): DuckType {
    return {kind: 'decimal', sql: `DECIMAL(${width},${scale})`, width, scale, element: undefined};
}

export function listType(element: DuckType): DuckType {
    return {kind: 'list', sql: `${element.sql}[]`, width: 0, scale: 0, element};
}

/** Precision and scale of numeric(p,s); undefined when unconstrained. Layout of the typmod: numeric.c. */
export function numericModifier(typmod: number): {readonly precision: number; readonly scale: number} | undefined {
    if (typmod < 4) return undefined;
    const packed = typmod - 4;
    // The scale is an 11-bit two's complement number: negative scales are allowed since PostgreSQL 15.
    return {precision: (packed >> 16) & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024};
}

/** The DuckDB type of stored values of a PostgreSQL type. Total: whatever is not mapped is kept as text. */
export function duckTypeOf(type: TypeRef, codec: TypeCodec): DuckType {
    const base = codec.baseType(type);
    const mapped = PLAIN[base.oid];
    if (mapped !== undefined) return mapped;
    if (base.oid === OID.numeric) {
        const modifier = numericModifier(base.typmod);
        if (modifier === undefined || modifier.precision > 38) return TEXT_TYPE;
        if (modifier.scale < 0 || modifier.scale > modifier.precision) return TEXT_TYPE;
        return decimalType(modifier.precision, modifier.scale);
    }
    if (base.oid === OID.timetz || codec.elementOid(base.oid) !== 0) return PRINTED_TYPE;
    return TEXT_TYPE;
}

/** The type a parameter is bound with: as stored values, but arrays of plain elements are lists. */
export function duckParameterType(oid: number, codec: TypeCodec): DuckType {
    const element = codec.elementOid(oid);
    if (element === 0) return duckTypeOf({oid, typmod: -1}, codec);
    const inner = duckTypeOf({oid: element, typmod: -1}, codec);
    return inner.kind === 'printed' || element === OID.numeric ? PRINTED_TYPE : listType(inner);
}
