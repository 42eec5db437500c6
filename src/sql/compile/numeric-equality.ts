/** Equality of numerics whatever their scale. */
import {OID} from '../../../catalog/types/oids.ts';
import {TypeRegistry} from '../../../catalog/types/registry.ts';

const numeric = new TypeRegistry().require(OID.numeric);

export function equalNumerics(a: string, b: string): boolean {
    return numeric.compare(a, b) === 0;
}
