/**
 * Comparison operators: what `=`, `<` and their like mean for a pair of types, as one three-way comparison.
 *
 * What must stay true: a comparison is PostgreSQL's btree order of the pair; pairs of different types exist only where
 * PostgreSQL has an operator for them (integers of any width, floats, dates with timestamps).
 */
import {castFunction} from '../../../catalog/types/cast.ts';
import {compareFloats} from '../../../catalog/types/floats.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {OutputSettings} from '../../../catalog/types/settings.ts';

export type Compare = (left: Datum, right: Datum, settings: OutputSettings) => number;
export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';

/** Types whose equal values are the same JavaScript value. */
const SAME_VALUE = new Set<number>([
    OID.bool,
    OID.int2,
    OID.int4,
    OID.int8,
    OID.oid,
    OID.text,
    OID.varchar,
    OID.name,
    OID.uuid,
    OID.date,
    OID.time,
    OID.timestamp,
    OID.timestamptz,
]);
const INTEGERS = new Set<number>([OID.int2, OID.int4, OID.int8]);
const FLOATS = new Set<number>([OID.float4, OID.float8]);
const DATES: readonly number[] = [OID.date, OID.timestamp, OID.timestamptz];

export function isComparison(op: string): op is ComparisonOperator {
    return op === '=' || op === '<>' || op === '<' || op === '<=' || op === '>' || op === '>=';
}

export function comparesByValue(types: TypeRegistry, oid: number): boolean {
    const type = types.get(oid);
    return type !== undefined && (SAME_VALUE.has(type.baseOid) || type.kind === 'enum');
}

/** undefined when the pair has no order here. */
export function compareOf(types: TypeRegistry, leftOid: number, rightOid: number): Compare | undefined {
    const left = types.get(leftOid);
    const right = types.get(rightOid);
    if (left === undefined || right === undefined) return undefined;
    if (left.baseOid === OID.json || right.baseOid === OID.json) return undefined;
    if (left.baseOid === right.baseOid) {
        const {compare} = left;
        return (a, b) => compare(a, b);
    }
    if (INTEGERS.has(left.baseOid) && INTEGERS.has(right.baseOid)) {
        // number and bigint compare exactly in JavaScript.
        return (a, b) => ((a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0);
    }
    if (FLOATS.has(left.baseOid) && FLOATS.has(right.baseOid)) {
        return (a, b) => compareFloats(a as number, b as number);
    }
    return compareDates(types, left.baseOid, right.baseOid);
}

function compareDates(types: TypeRegistry, leftOid: number, rightOid: number): Compare | undefined {
    if (!DATES.includes(leftOid) || !DATES.includes(rightOid)) return undefined;
    const common = DATES.indexOf(leftOid) > DATES.indexOf(rightOid) ? leftOid : rightOid;
    const castLeft = castFunction(leftOid, common, types);
    const castRight = castFunction(rightOid, common, types);
    const compare = types.get(common)?.compare;
    if (castLeft === undefined || castRight === undefined || compare === undefined) return undefined;
    return (a, b, settings) => compare(castLeft(a, settings), castRight(b, settings));
}

export function accepts(op: ComparisonOperator): (order: number) => boolean {
    switch (op) {
        case '=':
            return (order) => order === 0;
        case '<>':
            return (order) => order !== 0;
        case '<':
            return (order) => order < 0;
        case '<=':
            return (order) => order <= 0;
        case '>':
            return (order) => order > 0;
        case '>=':
            return (order) => order >= 0;
        default:
            return op satisfies never;
    }
}
