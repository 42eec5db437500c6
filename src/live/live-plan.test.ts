/** Which queries can be kept live, by what key changes find them, and which are the same. */
import {describe, expect, it} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import type {BoundSelect, Expr} from '../sql/bound.ts';
import {explainLivePlan} from './explain-live.ts';
import {
    all,
    column,
    constant,
    inList,
    INT4,
    isNull,
    livePlan,
    not,
    operator,
    select,
    tableDescriptor,
    TEXT,
} from './test-support.ts';

const TABLE = tableDescriptor();
const K = column(3, 'k');

function refusal(bound: BoundSelect): PgError {
    try {
        livePlan(bound);
    } catch (error) {
        if (error instanceof PgError) return error;
        throw error;
    }
    throw new Error('not refused');
}

describe('a plan', () => {
    it('is refused for whatever needs more than the row itself', () => {
        const plain = select(TABLE, null);
        const key = {expr: K, descending: false, nullsFirst: false};
        const call = (name: string, args: readonly Expr[] = []): Expr => ({kind: 'function', name, args, type: TEXT});
        const refused: [BoundSelect, string][] = [
            [{...plain, sources: []}, 'a query without a table'],
            [{...plain, sources: [...plain.sources, ...plain.sources]}, 'a join'],
            [{...plain, hasAggregates: true}, 'an aggregate function'],
            [{...plain, groupBy: [[K]]}, 'GROUP BY or HAVING'],
            [{...plain, distinct: 'all'}, 'DISTINCT'],
            [{...plain, orderBy: [key]}, 'ORDER BY'],
            [{...plain, limit: constant(1)}, 'LIMIT or OFFSET'],
            [select(TABLE, null, [call('now')]), 'now()'],
            [select(TABLE, null, [call('random')]), 'random()'],
            [select(TABLE, null, [call('gen_random_uuid')]), 'gen_random_uuid()'],
            [select(TABLE, null, [call('nextval', [constant('s', 25)])]), 'nextval()'],
            [select(TABLE, null, [call('age', [K])]), 'age()'],
            [select(TABLE, not({kind: 'sqlvalue', name: 'current_date', type: TEXT})), 'CURRENT_DATE'],
        ];
        for (const [bound, what] of refused) {
            const error = refusal(bound);
            expect(error.code).toBe('0A000');
            expect(error.message).toBe(`${what} in a live query is not supported`);
            expect(error.hint).toBeDefined();
        }
    });

    it('is refused, naming the expression, when the compiler lacks it', () => {
        const lower: Expr = {kind: 'function', name: 'lower', args: [column(5, 'name', 25)], type: TEXT};
        expect(refusal(select(TABLE, null, [lower]))).toMatchObject({
            code: '0A000',
            message: 'this query cannot be kept live: the expression function',
        });
    });

    it('knows the columns that it reads', () => {
        expect(livePlan(select(TABLE, isNull(column(4, 'v')), [column(-101, '_seq', 20), K])).attnums).toEqual([3, 4]);
    });

    it('shows _seq as a string of digits and _updated with nine digits', () => {
        const plan = livePlan(select(TABLE, null, [column(-101, '_seq', 20), column(-102, '_updated', 1184)]));
        expect(plan.layout(TABLE).encode({seq: 7, updatedNs: 1_700_000_000_000_000_001n, values: []})).toBe(
            '{"_seq":"7","_updated":"2023-11-14T22:13:20.000000001+00:00"}',
        );
    });

    it('selects rows whose condition is true, not those whose condition is null', () => {
        const layout = livePlan(select(TABLE, operator(K, '=', constant(1)))).layout(TABLE);
        const row = (k: number | null) => ({seq: 1, updatedNs: 0n, values: [1, null, k, null, null]});
        expect([1, 2, null].map((k) => layout.matches(row(k)))).toEqual([true, false, false]);
    });
});

describe('the key of equality', () => {
    const keyOf = (where: Expr, parameters: readonly number[] = []): unknown => {
        const equality = livePlan(select(TABLE, where), 0, parameters).equality;
        return equality === undefined ? undefined : [equality.attnum, ...equality.keys];
    };

    it('is found in either order, in a conjunction, in a parameter and in a list', () => {
        const isNullV = isNull(column(4, 'v'));
        expect(keyOf(operator(K, '=', constant(5)))).toEqual([3, '5']);
        expect(keyOf(operator(constant(5), '=', K))).toEqual([3, '5']);
        expect(keyOf(all('and', isNullV, operator(K, '=', constant(5))))).toEqual([3, '5']);
        expect(keyOf(operator(K, '=', {kind: 'param', index: 0, type: INT4}), [8])).toEqual([3, '8']);
        expect(keyOf(inList(K, [constant(1), constant(2), constant(null), constant(1)]))).toEqual([3, '1', '2']);
        expect(keyOf(operator(K, '=', constant(null)))).toEqual([3]);
    });

    it('is not taken from what does not bind every row', () => {
        const equal = operator(K, '=', constant(5));
        expect(keyOf(all('or', equal, equal))).toBeUndefined();
        expect(keyOf(not(equal))).toBeUndefined();
        expect(keyOf(operator(K, '<', constant(5)))).toBeUndefined();
        expect(keyOf(operator(K, '=', column(4, 'v')))).toBeUndefined();
        expect(keyOf(operator(K, '=', constant('5', 25)))).toBeUndefined();
    });
});

describe('EXPLAIN SUBSCRIBE', () => {
    it('tells how changes find the query', () => {
        expect(explainLivePlan(livePlan(select(TABLE, null)))).toEqual([
            'Live Query on public.t',
            '  Decided: every change',
            '  Found by: every change of the table',
        ]);
        const user = tableDescriptor('user');
        expect(explainLivePlan(livePlan(select(user, operator(K, '=', constant(5))), 9))).toEqual([
            'Live Query on public.t',
            '  Rows: those of the current user',
            '  Decided: row by row, on the old and the new row',
            '  Found by: k, 1 value',
        ]);
    });
});

describe('the key of sharing', () => {
    it('tells values apart that print alike', () => {
        const keys = [constant(1), constant('1', 25), constant(1n, 20), constant(-0), constant(0), constant(null)].map(
            (expr) =>
                livePlan(select(TABLE, null, [expr].slice(0, 0)), 0, expr.kind === 'const' ? [expr.value] : []).key,
        );
        expect(new Set(keys).size).toBe(keys.length);
    });

    it('has the user in it only for queries that ask for the user', () => {
        const plain = (roleId: number): string => livePlan(select(TABLE, null), roleId).key;
        expect(plain(1)).toBe(plain(2));
        const user = tableDescriptor('user');
        expect(livePlan(select(user, null), 1).key).not.toBe(livePlan(select(user, null), 2).key);
    });
});
