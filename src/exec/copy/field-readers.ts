/**
 * From the text of a field to the value of a column: the type's input function and the column's type modifier, chosen
 * once per COPY.
 */
import type {TypeRef} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {OutputSettings} from '../../../catalog/types/settings.ts';
import {applyTypmod} from '../../../catalog/types/typmod.ts';

export type FieldReader = (text: string) => Datum;

export function fieldReader(ref: TypeRef, types: TypeRegistry, settings: OutputSettings): FieldReader {
    const type = types.require(ref.oid);
    // A domain's modifier is that of what it is declared over.
    if (type.base !== undefined) return fieldReader(type.base, types, settings);
    const {typmod} = ref;
    if (typmod < 0) {
        if (type.oid === OID.text || (type.oid === OID.varchar && type.kind === 'base')) return (text) => text;
        return (text) => type.parse(text, settings);
    }
    return (text) => applyTypmod(type, typmod, type.parse(text, settings), 'assignment');
}

export type BinaryFieldReader = (bytes: Buffer) => Datum;

/** For COPY in binary format. */
export function binaryFieldReader(ref: TypeRef, types: TypeRegistry): BinaryFieldReader {
    const type = types.require(ref.oid);
    if (type.base !== undefined) return binaryFieldReader(type.base, types);
    const {typmod} = ref;
    const receive = (bytes: Buffer): Datum => {
        try {
            return type.receive(bytes, 0, bytes.length);
        } catch (error) {
            const malformed = error instanceof PgError && error.code === '22P03';
            if (!malformed && !(error instanceof RangeError)) throw error;
            throw new PgError('22P03', 'incorrect binary data format', {cause: error});
        }
    };
    return typmod < 0 ? receive : (bytes) => applyTypmod(type, typmod, receive(bytes), 'assignment');
}
