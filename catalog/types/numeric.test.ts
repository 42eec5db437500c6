import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {
    absNumeric,
    addNumeric,
    ceilNumeric,
    divideNumeric,
    floorNumeric,
    moduloNumeric,
    multiplyNumeric,
    negateNumeric,
    roundNumeric,
    subtractNumeric,
    truncateNumeric,
} from './numeric.ts';
import {compareNumeric, parseNumeric} from './numeric-text.ts';
import type {Oracle} from './oracle.ts';
import {attempt, startOracle} from './oracle.ts';

let oracle: Oracle;
let seed = 20_260_101;

beforeAll(async () => {
    oracle = await startOracle();
});
afterAll(() => oracle.close());

function random(limit: number): number {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * limit);
}

function randomNumeric(): string {
    const digits = (length: number): string => Array.from({length}, () => (random(3) === 0 ? 0 : random(10))).join('');
    const sign = random(3) === 0 ? '-' : '';
    const fraction = random(2) === 0 ? '' : `.${digits(1 + random(random(4) === 0 ? 40 : 8))}`;
    return parseNumeric(`${sign}${digits(1 + random(random(5) === 0 ? 50 : 9))}${fraction}`);
}

const EDGES = [
    '0',
    '0.00',
    '1',
    '-1',
    '0.1',
    '1.0000',
    '10000',
    '9999',
    '0.0001',
    '0.00001',
    '99999999',
    '1e30',
    'NaN',
    'Infinity',
    '-Infinity',
    '3',
    '7.0',
    '1e-20',
].map(parseNumeric);

const BINARY = {
    '+': addNumeric,
    '-': subtractNumeric,
    '*': multiplyNumeric,
    '/': divideNumeric,
    '%': moduloNumeric,
} as const;

/** Rows of `(a, b)` in one query; a row whose divisor is zero is asked by itself. */
describe('numeric arithmetic', () => {
    for (const [operator, compute] of Object.entries(BINARY)) {
        it(`computes a ${operator} b as PostgreSQL does, scale and all`, async () => {
            const pairs: [string, string][] = Array.from({length: 1500}, () => [randomNumeric(), randomNumeric()]);
            for (const a of EDGES) for (const b of EDGES) pairs.push([a, b]);
            const zero = (text: string): boolean => compareNumeric(text, '0') === 0;
            const divides = operator === '/' || operator === '%';
            const safe = pairs.filter(([, b]) => !(divides && zero(b)));
            const values = safe.map(([a, b], n) => `(${n}, '${a}'::numeric, '${b}'::numeric)`).join();
            const theirs = await oracle.column(
                `select (a ${operator} b)::text from (values ${values}) as t (n, a, b) order by n`,
            );
            for (const [at, [a, b]] of safe.entries()) {
                expect(`${a} ${operator} ${b} = ${compute(a, b)}`).toBe(`${a} ${operator} ${b} = ${theirs[at]}`);
            }
            const unsafe = pairs.filter(([a, b]) => divides && zero(b) && EDGES.includes(a)).slice(0, 40);
            const errors = await oracle.each(unsafe.map(([a, b]) => `'${a}'::numeric ${operator} '${b}'::numeric`));
            for (const [at, [a, b]] of unsafe.entries()) expect(attempt(() => compute(a, b))).toEqual(errors[at]);
        });
    }

    it('rounds, truncates, negates and takes floor and ceiling as PostgreSQL does', async () => {
        const inputs = [
            ...EDGES,
            ...Array.from({length: 300}, randomNumeric),
            '2.5',
            '-2.5',
            '0.5',
            '-0.5',
            '-0.4',
            '999.999',
            '1234.5678',
        ];
        const unary = [
            ['-v', negateNumeric],
            ['abs(v)', absNumeric],
            ['floor(v)', floorNumeric],
            ['ceil(v)', ceilNumeric],
            ['round(v)', (value: string) => roundNumeric(value)],
            ['trunc(v)', (value: string) => truncateNumeric(value)],
            ['round(v, 2)', (value: string) => roundNumeric(value, 2)],
            ['round(v, -2)', (value: string) => roundNumeric(value, -2)],
            ['trunc(v, 3)', (value: string) => truncateNumeric(value, 3)],
            ['trunc(v, -1)', (value: string) => truncateNumeric(value, -1)],
        ] as const;
        for (const [expression, compute] of unary) {
            const values = inputs.map((input, n) => `(${n}, '${input}'::numeric)`).join();
            const theirs = await oracle.column(
                `select (${expression})::text from (values ${values}) as t (n, v) order by n`,
            );
            for (const [at, input] of inputs.entries()) {
                expect(`${expression} of ${input} = ${compute(input)}`).toBe(
                    `${expression} of ${input} = ${theirs[at]}`,
                );
            }
        }
    });

    it('compares as PostgreSQL does', async () => {
        const pairs: [string, string][] = Array.from({length: 400}, () => [randomNumeric(), randomNumeric()]);
        for (const a of EDGES) for (const b of EDGES) pairs.push([a, b]);
        const values = pairs.map(([a, b], n) => `(${n}, '${a}'::numeric, '${b}'::numeric)`).join();
        const theirs = await oracle.column(
            `select numeric_cmp(a, b)::text from (values ${values}) as t (n, a, b) order by n`,
        );
        for (const [at, [a, b]] of pairs.entries()) {
            expect(`${a} <=> ${b}: ${Math.sign(compareNumeric(a, b))}`).toBe(`${a} <=> ${b}: ${theirs[at]}`);
        }
    });

    it('refuses results that numeric cannot hold', () => {
        const huge = `1${'0'.repeat(131_000)}`;
        expect(() => multiplyNumeric(huge, huge)).toThrow('value overflows numeric format');
    });
});
