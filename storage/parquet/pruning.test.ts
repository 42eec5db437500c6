import {describe, expect, test} from 'vitest';
import type {PruningOperator, PruningPredicate} from './pruning.ts';
import {pruneSegments} from './pruning.ts';

function segment(min: number | undefined, max: number | undefined, nullCount = 0, rows = 10) {
    return {rows, columns: [{attnum: 1, min: min?.toString(), max: max?.toString(), nullCount}]};
}

function predicate(op: PruningOperator, value: string, order: PruningPredicate['order'] = 'integer'): PruningPredicate {
    return {attnum: 1, op, value, order};
}

function matches(value: number, op: PruningOperator, bound: number): boolean {
    if (op === '=') return value === bound;
    if (op === '<') return value < bound;
    if (op === '<=') return value <= bound;
    if (op === '>') return value > bound;
    return value >= bound;
}

describe('pruning', () => {
    test('reads every segment that has a matching row, and no segment whose bounds exclude it', () => {
        for (const op of ['=', '<', '<=', '>', '>='] as const) {
            for (let bound = -1; bound <= 6; bound++) {
                const {read} = pruneSegments([segment(1, 4)], [predicate(op, String(bound))]);
                expect(read.length === 1, `${op} ${bound}`).toBe(
                    [1, 2, 3, 4].some((value) => matches(value, op, bound)),
                );
            }
        }
    });

    test('all predicates count together, and what was left out is reported', () => {
        const {read, prunedCount} = pruneSegments(
            [segment(1, 2), segment(3, 4), segment(5, 6)],
            [predicate('>', '2'), predicate('<', '5')],
        );
        expect(read).toEqual([segment(3, 4)]);
        expect(prunedCount).toBe(2);
    });

    test('a column of NULLs satisfies no comparison', () => {
        expect(pruneSegments([segment(undefined, undefined, 10)], [predicate('>', '2')]).prunedCount).toBe(1);
        expect(pruneSegments([segment(undefined, undefined, 10)], [predicate('is null', '')]).prunedCount).toBe(0);
        expect(pruneSegments([segment(1, 2)], [predicate('is null', '')]).prunedCount).toBe(1);
        expect(pruneSegments([segment(undefined, undefined, 10)], [predicate('is not null', '')]).prunedCount).toBe(1);
    });

    test('a column without bounds, or not in the segment, is read', () => {
        expect(pruneSegments([segment(undefined, undefined, 3)], [predicate('>', '2')]).prunedCount).toBe(0);
        expect(pruneSegments([{rows: 1, columns: []}], [predicate('>', '2')]).prunedCount).toBe(0);
        expect(pruneSegments([segment(1, 2)], [predicate('>', 'x')]).prunedCount).toBe(0);
    });

    test('integers beyond a double, decimals and text compare in their own order', () => {
        const wide = {rows: 1, columns: [{attnum: 1, min: '9007199254740993', max: '9007199254740993', nullCount: 0}]};
        expect(pruneSegments([wide], [predicate('=', '9007199254740992')]).prunedCount).toBe(1);
        const decimal = {rows: 1, columns: [{attnum: 1, min: '-1.50', max: '10.25', nullCount: 0}]};
        expect(pruneSegments([decimal], [predicate('>', '9.5', 'number')]).prunedCount).toBe(0);
        expect(pruneSegments([decimal], [predicate('<', '-1.6', 'number')]).prunedCount).toBe(1);
        const words = {rows: 1, columns: [{attnum: 1, min: 'Zoe', max: 'é', nullCount: 0}]};
        expect(pruneSegments([words], [predicate('=', 'a', 'text')]).prunedCount).toBe(0);
        expect(pruneSegments([words], [predicate('=', 'Anna', 'text')]).prunedCount).toBe(1);
    });
});
