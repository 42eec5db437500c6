/**
 * What a change of a table means for its rows: nothing, a check of all of them, new index entries, or writing them
 * anew. Decided from the descriptors before and after alone.
 *
 * What must stay true: when in doubt rows are written anew; what is not maintained (an index on expressions or with a
 * predicate) is never unique.
 */
import type {
    CheckDescriptor,
    ColumnDescriptor,
    IndexDescriptor,
    TableDescriptor,
    TypeRef,
} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import {OID} from '../../../catalog/types/oids.ts';

export interface TableEffects {
    /** Columns whose values change: a new type. */
    readonly retyped: readonly ColumnDescriptor[];
    /** Columns that old rows get a value of their own for. */
    readonly filled: readonly ColumnDescriptor[];
    /** Rows have other keys. */
    readonly rekeyed: boolean;
    /** Maintained indexes, the primary key's left out, that have no entries yet. */
    readonly indexes: readonly IndexDescriptor[];
    /** Columns that must be found free of NULL. */
    readonly notNull: readonly ColumnDescriptor[];
    /** Conditions that every row must be found to satisfy. */
    readonly checks: readonly CheckDescriptor[];
}

export interface EffectInputs {
    /** Columns with a USING expression, by attnum. */
    readonly converted: ReadonlySet<number>;
    /** Whether old rows need a value of this new column computed for each: its default is volatile. */
    readonly isFilled: (column: ColumnDescriptor) => boolean;
}

export function effectsOf(before: TableDescriptor, after: TableDescriptor, inputs: EffectInputs): TableEffects {
    const old = new Map(before.columns.map((column) => [column.attnum, column]));
    const known = new Set(before.indexes.map((index) => index.indexId));
    const retyped = after.columns.filter((column) => {
        const was = old.get(column.attnum);
        if (was === undefined) return false;
        return inputs.converted.has(column.attnum) || !keepsValues(was.type, column.type);
    });
    const filled = after.columns.filter((column) => !old.has(column.attnum) && inputs.isFilled(column));
    const checks = new Set(before.checks.map((check) => `${check.name}\0${check.sql}`));
    const changed = new Set(retyped.map((column) => column.attnum));
    return {
        retyped,
        filled,
        rekeyed: !sameColumns(before.primaryKey, after.primaryKey),
        indexes: after.indexes.filter((index) => !index.primary && index.plain && !known.has(index.indexId)),
        notNull: after.columns.filter((column) => {
            if (!column.notNull || changed.has(column.attnum)) return column.notNull;
            const was = old.get(column.attnum);
            // A new column with one value for all old rows has been looked at already.
            return was === undefined ? column.missing === null : !was.notNull;
        }),
        // A new type may change what a condition says, and how it is written.
        checks:
            retyped.length > 0
                ? after.checks
                : after.checks.filter((check) => !checks.has(`${check.name}\0${check.sql}`)),
    };
}

export function needsRewrite(effects: TableEffects): boolean {
    return effects.rekeyed || effects.retyped.length > 0 || effects.filled.length > 0;
}

export function touchesRows(effects: TableEffects): boolean {
    return (
        needsRewrite(effects) || effects.indexes.length > 0 || effects.notNull.length > 0 || effects.checks.length > 0
    );
}

/** @throws PgError 0A000 for an index whose uniqueness could not be kept. */
export function refuseUnkeptIndexes(after: TableDescriptor): void {
    for (const index of after.indexes) {
        if (!index.unique || index.plain) continue;
        const what = index.predicateSql === undefined ? 'on expressions, or of this kind,' : 'with a predicate';
        throw new PgError('0A000', `a unique index ${what} is not supported`, {
            detail: `The uniqueness of index "${index.name}" could not be enforced.`,
            hint: 'Make it unique on plain columns (keep the expression in a column of its own), or leave UNIQUE out.',
            schema: after.schema,
            table: after.name,
        });
    }
}

function sameColumns(a: IndexDescriptor | undefined, b: IndexDescriptor | undefined): boolean {
    if (a === undefined || b === undefined) return a === b;
    return a.columns.length === b.columns.length && a.columns.every((attnum, i) => attnum === b.columns[i]);
}

/** True when every value of the one type is, as it is stored, a value of the other: as PostgreSQL skips its rewrite. */
export function keepsValues(before: TypeRef, after: TypeRef): boolean {
    if (before.oid === after.oid) return before.typmod === after.typmod || widens(before, after);
    if (after.oid === OID.text) return before.oid === OID.varchar;
    return before.oid === OID.text && after.oid === OID.varchar && after.typmod === -1;
}

/** The same type with another modifier. */
function widens(before: TypeRef, after: TypeRef): boolean {
    if (after.typmod === -1) return before.oid !== OID.bpchar;
    if (before.typmod === -1) return false;
    switch (before.oid) {
        case OID.varchar:
            return after.typmod > before.typmod;
        case OID.numeric: {
            // (precision << 16 | scale) + 4: the same scale and no less precision.
            const [a, b] = [before.typmod - 4, after.typmod - 4];
            return (a & 0xffff) === (b & 0xffff) && b >>> 16 >= a >>> 16;
        }
        case OID.timestamp:
        case OID.timestamptz:
        case OID.time:
        case OID.timetz:
            return after.typmod > before.typmod;
        default:
            return false;
    }
}
