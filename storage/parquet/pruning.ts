/**
 * Chooses the segments a query must read, by the bounds of their columns.
 *
 * What must stay true: a segment is left out only when no row of it can satisfy the predicates. A predicate that is
 * NULL for a value does not hold, so a column of NULLs only satisfies none of them. When in doubt, read.
 */
export type PruningOperator = '=' | '<' | '<=' | '>' | '>=' | 'is null' | 'is not null';

/** `column op value`; all predicates of a query hold together. `value` is in the encoding of the bounds. */
export interface PruningPredicate {
    readonly attnum: number;
    readonly op: PruningOperator;
    readonly value: string;
    readonly order: BoundOrder;
}

/** How bounds of a column compare: as integers, decimals or floats, or as bytes of UTF-8. */
export type BoundOrder = 'integer' | 'number' | 'text';

export interface PrunableSegment {
    readonly rows: number;
    readonly columns: readonly {
        readonly attnum: number;
        readonly min: string | undefined;
        readonly max: string | undefined;
        readonly nullCount: number;
    }[];
}

export interface Pruned<S> {
    readonly read: readonly S[];
    readonly prunedCount: number;
}

export function pruneSegments<S extends PrunableSegment>(
    segments: readonly S[],
    predicates: readonly PruningPredicate[],
): Pruned<S> {
    const read = segments.filter((segment) => predicates.every((predicate) => mayMatch(segment, predicate)));
    return {read, prunedCount: segments.length - read.length};
}

function mayMatch(segment: PrunableSegment, predicate: PruningPredicate): boolean {
    const column = segment.columns.find((candidate) => candidate.attnum === predicate.attnum);
    // A column added later reads as its missing value, which is not known here.
    if (column === undefined) return true;
    const onlyNulls = column.nullCount === segment.rows;
    if (predicate.op === 'is null') return column.nullCount > 0;
    if (predicate.op === 'is not null') return !onlyNulls;
    if (onlyNulls) return false;
    if (column.min === undefined || column.max === undefined) return true;
    const fromMin = compareBounds(predicate.value, column.min, predicate.order);
    const fromMax = compareBounds(predicate.value, column.max, predicate.order);
    if (Number.isNaN(fromMin) || Number.isNaN(fromMax)) return true;
    // Decimals compare as doubles: neighbours may look equal there, so equality never excludes.
    const strict = predicate.order !== 'number';
    switch (predicate.op) {
        case '=':
            return fromMin >= 0 && fromMax <= 0;
        case '<':
            return strict ? fromMin > 0 : fromMin >= 0;
        case '<=':
            return fromMin >= 0;
        case '>':
            return strict ? fromMax < 0 : fromMax <= 0;
        case '>=':
            return fromMax <= 0;
        default:
            return predicate.op satisfies never;
    }
}

/** Negative, zero, positive; NaN when the texts do not compare. */
function compareBounds(a: string, b: string, order: BoundOrder): number {
    if (order === 'text') return Buffer.compare(Buffer.from(a), Buffer.from(b));
    if (order === 'integer') {
        if (!/^-?\d+$/.test(a) || !/^-?\d+$/.test(b)) return Number.NaN;
        const [x, y] = [BigInt(a), BigInt(b)];
        return x < y ? -1 : x > y ? 1 : 0;
    }
    return Number(a) - Number(b);
}
