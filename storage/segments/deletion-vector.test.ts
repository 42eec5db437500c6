import {describe, expect, test} from 'vitest';
import {DeletionVector} from './deletion-vector.ts';

describe('a deletion vector', () => {
    test('is a sorted set', () => {
        const vector = new DeletionVector([5, 1, 5, 70_000, 2 ** 40, 0]);
        expect(vector.size).toBe(5);
        expect([...vector]).toEqual([0, 1, 5, 70_000, 2 ** 40]);
        expect(vector.add(1)).toBe(false);
        expect(vector.add(2)).toBe(true);
        expect([0, 1, 2, 3, 65_536, 70_000, 2 ** 40, 2 ** 40 + 1].map((rowid) => vector.has(rowid))).toEqual([
            true,
            true,
            true,
            false,
            false,
            true,
            true,
            false,
        ]);
    });

    test('agrees with a plain set when it is dense, sparse and in any order', () => {
        let state = 12345;
        const random = (below: number) => {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            return Math.floor((state / 4294967296) * below);
        };
        for (const [count, below] of [
            [30_000, 65_536],
            [30_000, 200_000],
            [5000, 2 ** 45],
        ] as const) {
            const plain = new Set<number>();
            const vector = new DeletionVector();
            for (let i = 0; i < count; i++) {
                const rowid = random(below);
                expect(vector.add(rowid)).toBe(!plain.has(rowid));
                plain.add(rowid);
            }
            const sorted = [...plain].sort((a, b) => a - b);
            expect(vector.size).toBe(plain.size);
            expect([...vector]).toEqual(sorted);
            for (let i = 0; i < 10_000; i++) {
                const rowid = random(below);
                expect(vector.has(rowid)).toBe(plain.has(rowid));
            }
            expect([...DeletionVector.deserialise(vector.serialise())]).toEqual(sorted);
        }
    });

    test('is held by golden bytes', () => {
        const bytes = new DeletionVector([300, 2, 5]).serialise();
        expect(bytes.subarray(0, -4).toString('hex')).toBe('01030203a702');
        expect(bytes.subarray(-4).toString('hex')).toBe('0635399a');
    });

    test('of a million rows is small, written and in memory', () => {
        const before = process.memoryUsage().arrayBuffers;
        const vector = new DeletionVector();
        for (let rowid = 0; rowid < 1_000_000; rowid++) vector.add(rowid);
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3_000_000);
        expect(vector.serialise().length).toBeLessThan(1_000_020);
    });

    test('is refused when it is damaged', () => {
        const bytes = new DeletionVector([1, 2, 3]).serialise();
        for (let at = 0; at < bytes.length; at++) {
            const damaged = Buffer.from(bytes);
            damaged[at] = (damaged[at] ?? 0) ^ 4;
            expect(() => DeletionVector.deserialise(damaged)).toThrow(/deletion vector/);
            expect(() => DeletionVector.deserialise(bytes.subarray(0, at))).toThrow(/deletion vector/);
        }
    });

    test('takes row ids only', () => {
        for (const wrong of [-1, 1.5, NaN, 2 ** 53]) expect(() => new DeletionVector([wrong])).toThrow(/no row id/);
    });
});
