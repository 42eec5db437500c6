/**
 * Arithmetic of integers, floats and numerics, with PostgreSQL's overflow and division errors (int.c, int8.c, float.c).
 *
 * What must stay true: an integer result is never -0 and never outside of its type; a float result is infinite only
 * when an operand is.
 */
import {PgError} from '../../../catalog/errors.ts';
import {
    absNumeric,
    addNumeric,
    divideNumeric,
    moduloNumeric,
    multiplyNumeric,
    negateNumeric,
    subtractNumeric,
} from '../../../catalog/types/numeric.ts';
import {infix, prefix} from './registry.ts';

export function outOfRange(type: 'smallint' | 'integer' | 'bigint'): PgError {
    return new PgError('22003', `${type} out of range`);
}

export function divisionByZero(): PgError {
    return new PgError('22012', 'division by zero');
}

export function int2(value: number): number {
    if (value < -32_768 || value > 32_767) throw outOfRange('smallint');
    return value + 0;
}

export function int4(value: number): number {
    if (value < -2_147_483_648 || value > 2_147_483_647) throw outOfRange('integer');
    return value + 0;
}

const INT8_MIN = -(2n ** 63n);
const INT8_MAX = 2n ** 63n - 1n;

export function int8(value: bigint): bigint {
    if (value < INT8_MIN || value > INT8_MAX) throw outOfRange('bigint');
    return value;
}

/** Products of two int4 can pass 2^53, but then they are out of range whatever their low digits. */
const SMALL_PAIRS = [
    ['int2', 'int2', int2],
    ['int2', 'int4', int4],
    ['int4', 'int2', int4],
    ['int4', 'int4', int4],
] as const;

for (const [left, right, check] of SMALL_PAIRS) {
    infix<number, number>('+', left, right, (a, b) => check(a + b));
    infix<number, number>('-', left, right, (a, b) => check(a - b));
    infix<number, number>('*', left, right, (a, b) => check(a * b));
    infix<number, number>('/', left, right, (a, b) => {
        if (b === 0) throw divisionByZero();
        return check(Math.trunc(a / b));
    });
}
for (const type of ['int2', 'int4'] as const) {
    infix<number, number>('%', type, type, (a, b) => {
        if (b === 0) throw divisionByZero();
        return (a % b) + 0;
    });
    infix<number, number>('&', type, type, (a, b) => a & b);
    infix<number, number>('|', type, type, (a, b) => a | b);
    infix<number, number>('#', type, type, (a, b) => a ^ b);
    const check = type === 'int2' ? int2 : int4;
    prefix<number>('-', type, (a) => check(-a));
    prefix<number>('+', type, (a) => a);
    prefix<number>('@', type, (a) => check(Math.abs(a)));
    prefix<number>('~', type, (a) => ~a);
}

const BIG_PAIRS = [
    ['int8', 'int8'],
    ['int8', 'int4'],
    ['int8', 'int2'],
    ['int4', 'int8'],
    ['int2', 'int8'],
] as const;

for (const [left, right] of BIG_PAIRS) {
    infix<number | bigint, number | bigint>('+', left, right, (a, b) => int8(BigInt(a) + BigInt(b)));
    infix<number | bigint, number | bigint>('-', left, right, (a, b) => int8(BigInt(a) - BigInt(b)));
    infix<number | bigint, number | bigint>('*', left, right, (a, b) => int8(BigInt(a) * BigInt(b)));
    infix<number | bigint, number | bigint>('/', left, right, (a, b) => {
        if (BigInt(b) === 0n) throw divisionByZero();
        return int8(BigInt(a) / BigInt(b));
    });
}
infix<bigint, bigint>('%', 'int8', 'int8', (a, b) => {
    if (b === 0n) throw divisionByZero();
    return a % b;
});
infix<bigint, bigint>('&', 'int8', 'int8', (a, b) => a & b);
infix<bigint, bigint>('|', 'int8', 'int8', (a, b) => a | b);
infix<bigint, bigint>('#', 'int8', 'int8', (a, b) => a ^ b);
prefix<bigint>('-', 'int8', (a) => int8(-a));
prefix<bigint>('+', 'int8', (a) => a);
prefix<bigint>('@', 'int8', (a) => int8(a < 0n ? -a : a));
prefix<bigint>('~', 'int8', (a) => ~a);

function overflow(): PgError {
    return new PgError('22003', 'value out of range: overflow');
}

function underflow(): PgError {
    return new PgError('22003', 'value out of range: underflow');
}

function sum(result: number, a: number, b: number): number {
    if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b)) throw overflow();
    return result;
}

function product(result: number, a: number, b: number): number {
    if (result === 0 && a !== 0 && b !== 0) throw underflow();
    return sum(result, a, b);
}

function quotient(result: number, a: number, b: number): number {
    if (b === 0 && !Number.isNaN(a)) throw divisionByZero();
    if ((result === Infinity || result === -Infinity) && Number.isFinite(a)) throw overflow();
    if (result === 0 && a !== 0 && Number.isFinite(b)) throw underflow();
    return result;
}

const same = (value: number): number => value;
const FLOAT_PAIRS = [
    ['float8', 'float8', same],
    ['float4', 'float8', same],
    ['float8', 'float4', same],
    ['float4', 'float4', Math.fround],
] as const;

for (const [left, right, round] of FLOAT_PAIRS) {
    infix<number, number>('+', left, right, (a, b) => sum(round(a + b), a, b));
    infix<number, number>('-', left, right, (a, b) => sum(round(a - b), a, b));
    infix<number, number>('*', left, right, (a, b) => product(round(a * b), a, b));
    infix<number, number>('/', left, right, (a, b) => quotient(round(a / b), a, b));
}
for (const type of ['float4', 'float8'] as const) {
    prefix<number>('-', type, (a) => -a);
    prefix<number>('+', type, (a) => a);
    prefix<number>('@', type, Math.abs);
}
prefix<number>('|/', 'float8', squareRoot);

export function squareRoot(value: number): number {
    if (value < 0) throw new PgError('2201F', 'cannot take square root of a negative number');
    return Math.sqrt(value);
}

infix<string, string>('+', 'numeric', 'numeric', addNumeric);
infix<string, string>('-', 'numeric', 'numeric', subtractNumeric);
infix<string, string>('*', 'numeric', 'numeric', multiplyNumeric);
infix<string, string>('/', 'numeric', 'numeric', divideNumeric);
infix<string, string>('%', 'numeric', 'numeric', moduloNumeric);
prefix<string>('-', 'numeric', negateNumeric);
prefix<string>('+', 'numeric', (a) => a);
prefix<string>('@', 'numeric', absNumeric);
