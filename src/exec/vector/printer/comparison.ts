/**
 * When two values compare in DuckDB as they do in PostgreSQL, and how types of several branches become one.
 *
 * What must stay true: text compares by bytes (collation "C"); bpchar without its padding; enums only for equality,
 * because their labels are stored; whatever is kept as opaque text is never compared.
 */
import {Unsupported} from '../../../sql/bound.ts';
import type {DuckType, TypeCodec} from '../type-map.ts';
import {OID, TEXT_TYPE} from '../type-map.ts';
import type {Typed} from './context.ts';
import {provenName} from './context.ts';
import {COMPARABLE_MIXED} from './proven.ts';

const COMPARISONS: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>=']);

export function isComparison(op: string): boolean {
    return COMPARISONS.has(op);
}

/** The text of `left op right`, or Unsupported. */
export function compare(op: string, left: Typed, right: Typed, codec: TypeCodec): string {
    const [a, b] = comparable(op === '=' || op === '<>' ? 'equality' : 'order', left, right, codec);
    return `(${a} ${op} ${b})`;
}

/** Both operands as DuckDB may compare them. */
export function comparable(
    need: 'equality' | 'order',
    left: Typed,
    right: Typed,
    codec: TypeCodec,
): readonly [string, string] {
    const a = provenName(left);
    const b = provenName(right);
    if (a === 'opaque' && b === 'opaque' && need === 'equality' && isEnum(left, codec) && isEnum(right, codec)) {
        return [left.sql, right.sql];
    }
    if (a === 'opaque' || b === 'opaque') throw new Unsupported(`comparison of ${left.duck.sql} values of this type`);
    if (a === 'bpchar' && b === 'bpchar') return [`rtrim(${left.sql}, ' ')`, `rtrim(${right.sql}, ' ')`];
    if (a !== b && !COMPARABLE_MIXED.has(`${a},${b}`) && !COMPARABLE_MIXED.has(`${b},${a}`)) {
        throw new Unsupported(`comparison of ${a} and ${b}`);
    }
    return [left.sql, right.sql];
}

/** A key of GROUP BY, DISTINCT, PARTITION BY or a set operation: equal values must be the same value. */
export function groupable(value: Typed, codec: TypeCodec): Typed {
    const name = provenName(value);
    // 1 month and 30 days are equal and differ; padded text is equal to text with other padding.
    const same = name !== 'opaque' && name !== 'interval' && name !== 'bpchar';
    if (!same && !isEnum(value, codec)) throw new Unsupported('grouping by values of this type');
    return value;
}

/** A key of ORDER BY. */
export function sortable(value: Typed): string {
    const name = provenName(value);
    if (name === 'opaque') throw new Unsupported('ordering by values of this type');
    return name === 'bpchar' ? `rtrim(${value.sql}, ' ')` : value.sql;
}

function isEnum(value: Typed, codec: TypeCodec): boolean {
    return value.duck.kind === 'text' && codec.isEnum(value.oid);
}

/**
 * Branches of CASE, COALESCE, UNION, VALUES: one DuckDB type for all. Numerics keep their own display scale in
 * PostgreSQL, so branches of different scale become text, which nothing computes with further on.
 */
export function unify(
    branches: readonly Typed[],
    isNull: (index: number) => boolean,
): {texts: string[]; duck: DuckType} {
    const real = branches.filter((_, index) => !isNull(index));
    const first = real[0] ?? branches[0];
    if (first === undefined) throw new Unsupported('an expression without branches');
    const sameKind = real.every((branch) => branch.duck.kind === first.duck.kind);
    if (sameKind && real.every((branch) => branch.duck.sql === first.duck.sql)) {
        return {texts: cast(branches, isNull, first.duck), duck: first.duck};
    }
    if (first.oid === OID.numeric && real.every((branch) => branch.oid === OID.numeric)) {
        if (
            sameKind &&
            first.duck.kind === 'decimal' &&
            real.every((branch) => branch.duck.scale === first.duck.scale)
        ) {
            const widest = real.reduce((most, branch) => (branch.duck.width > most.duck.width ? branch : most));
            return {texts: cast(branches, () => true, widest.duck), duck: widest.duck};
        }
        return {texts: branches.map((branch) => `CAST(${branch.sql} AS VARCHAR)`), duck: TEXT_TYPE};
    }
    throw new Unsupported('branches of different types');
}

function cast(branches: readonly Typed[], needed: (index: number) => boolean, duck: DuckType): string[] {
    return branches.map(({sql}, index) => (needed(index) ? `CAST(${sql} AS ${duck.sql})` : sql));
}
