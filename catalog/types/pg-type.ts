/**
 * What the database knows of one type: its identity in pg_type and its codec between memory, text, binary and order.
 *
 * What must stay true: all types are made by `makeType`, so that they share one hidden class and a call site that sees
 * many types still loads their fields monomorphically. A codec never sees NULL: that is its caller's business.
 */
import type {TypeRef} from '../descriptor.ts';
import type {Datum} from './datum.ts';
import type {OutputSettings} from './settings.ts';

export type HashKey = string | number | bigint | boolean;

/** Functions, not methods: they may be passed around, and need no `this`. */
export interface Codec {
    /** Reads the text form. Throws PgError 22P02, 22003, 22007, 22008 … with PostgreSQL's message. */
    readonly parse: (text: string, settings?: OutputSettings) => Datum;
    /** Writes the text form. */
    readonly print: (value: Datum, settings: OutputSettings) => string;
    /** Reads the binary form: `length` bytes at `offset`. Throws PgError 22P03, 22021 … */
    readonly receive: (bytes: Buffer, offset: number, length: number) => Datum;
    /** Writes the binary form. The result may alias the value: treat it as immutable. */
    readonly send: (value: Datum) => Uint8Array;
    /** btree order of two values: negative, zero or positive. */
    readonly compare: (a: Datum, b: Datum) => number;
    /** Values that compare as equal give equal keys, others give different ones. */
    readonly hashKey: (value: Datum) => HashKey;
}

export interface TypeIdentity {
    readonly oid: number;
    /** pg_type.typname */
    readonly name: string;
    /** As format_type() writes it without modifier. */
    readonly sqlName: string;
    /** pg_type.typlen: bytes, -1 = variable, -2 = C string. */
    readonly length: number;
    /** pg_type.typcategory */
    readonly category: string;
    readonly preferred: boolean;
    /** 0 = none. */
    readonly arrayOid: number;
    /** Type of the elements of an array; 0 = not an array. */
    readonly elementOid: number;
    /** The type with `elementOid`; undefined when this is no array. */
    readonly element: PgType | undefined;
    readonly kind: 'base' | 'array' | 'enum' | 'domain';
    /** The type beneath all domains; of any other type its own oid. */
    readonly baseOid: number;
    /** What a domain is declared over, with its modifier; undefined for other types. */
    readonly base: TypeRef | undefined;
    /** True for a domain declared NOT NULL. */
    readonly notNull: boolean;
    /** Labels of an enum in their order; empty for other types. */
    readonly labels: readonly string[];
}

export interface PgType extends TypeIdentity, Codec {}

/** A codec whose author knows the representation: the cast to the common shape happens here alone. */
export interface TypedCodec<T extends Datum> {
    parse(text: string, settings?: OutputSettings): T;
    print(value: T, settings: OutputSettings): string;
    receive(bytes: Buffer, offset: number, length: number): T;
    send(value: T): Uint8Array;
    compare(a: T, b: T): number;
    hashKey(value: T): HashKey;
}

export function codec<T extends Datum>(typed: TypedCodec<T>): Codec {
    return typed as unknown as Codec;
}

export function makeType(identity: TypeIdentity, methods: Codec): PgType {
    return {
        oid: identity.oid,
        name: identity.name,
        sqlName: identity.sqlName,
        length: identity.length,
        category: identity.category,
        preferred: identity.preferred,
        arrayOid: identity.arrayOid,
        elementOid: identity.elementOid,
        element: identity.element,
        kind: identity.kind,
        baseOid: identity.baseOid,
        base: identity.base,
        notNull: identity.notNull,
        labels: identity.labels,
        parse: methods.parse,
        print: methods.print,
        receive: methods.receive,
        send: methods.send,
        compare: methods.compare,
        hashKey: methods.hashKey,
    };
}
