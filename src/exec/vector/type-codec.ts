/** `TypeRegistry` as this folder needs it: types by oid, text and binary forms with fixed settings. */
import type {TypeRef} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import type {TypeCodec} from './type-map.ts';

export interface TypeLookup {
    get(oid: number): PgType | undefined;
    require(oid: number): PgType;
}

export function typeCodec(types: TypeLookup): TypeCodec {
    return {
        baseType(type: TypeRef): TypeRef {
            let current = type;
            for (;;) {
                const found = types.get(current.oid);
                if (found?.kind !== 'domain' || found.base === undefined) return current;
                current = found.base;
            }
        },
        elementOid: (oid: number) => types.get(oid)?.elementOid ?? 0,
        isEnum: (oid: number) => types.get(oid)?.kind === 'enum',
        // What is kept as text must not depend on a session: ISO dates, UTC.
        print: (oid: number, value: Datum) => types.require(oid).print(value, DEFAULT_OUTPUT_SETTINGS),
        parse: (oid: number, text: string) => types.require(oid).parse(text, DEFAULT_OUTPUT_SETTINGS),
        send: (oid: number, value: Datum) => types.require(oid).send(value),
    };
}
