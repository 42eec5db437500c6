/**
 * Numeric functions whose results are exact: rounding, absolute values, remainders. Transcendental functions are left
 * out: their last digit depends on the C library.
 */
import {randomUUID} from 'node:crypto';
import {
    absNumeric,
    ceilNumeric,
    divideNumeric,
    floorNumeric,
    moduloNumeric,
    roundNumeric,
    scaleOfNumeric,
    signOfNumeric,
    subtractNumeric,
    truncateNumeric,
} from '../../../catalog/types/numeric.ts';
import {divisionByZero, int2, int4, int8, squareRoot} from './number-operators.ts';
import {define, defineIn} from './registry.ts';

define<[number]>('abs', ['int2'], (value) => int2(Math.abs(value)));
define<[number]>('abs', ['int4'], (value) => int4(Math.abs(value)));
define<[bigint]>('abs', ['int8'], (value) => int8(value < 0n ? -value : value));
define<[number]>('abs', ['float4'], Math.abs);
define<[number]>('abs', ['float8'], Math.abs);
define<[string]>('abs', ['numeric'], absNumeric);

define<[number]>('round', ['float8'], roundHalfEven);
define<[string]>('round', ['numeric'], (value) => roundNumeric(value));
define<[string, number]>('round', ['numeric', 'int4'], (value, scale) => roundNumeric(value, scale));
for (const name of ['ceil', 'ceiling']) {
    define<[number]>(name, ['float8'], Math.ceil);
    define<[string]>(name, ['numeric'], ceilNumeric);
}
define<[number]>('floor', ['float8'], Math.floor);
define<[string]>('floor', ['numeric'], floorNumeric);
define<[number]>('trunc', ['float8'], Math.trunc);
define<[string]>('trunc', ['numeric'], (value) => truncateNumeric(value));
define<[string, number]>('trunc', ['numeric', 'int4'], (value, scale) => truncateNumeric(value, scale));

/** rint() in the default rounding mode. */
function roundHalfEven(value: number): number {
    const floor = Math.floor(value);
    const fraction = value - floor;
    if (fraction < 0.5) return floor === 0 && Object.is(Math.sign(value), -0) ? -0 : floor;
    if (fraction > 0.5) return value < 0 && floor === -1 ? -0 : floor + 1;
    const even = floor % 2 === 0 ? floor : floor + 1;
    return value < 0 && even === 0 ? -0 : even;
}

for (const type of ['int2', 'int4'] as const) {
    define<[number, number]>('mod', [type, type], (a, b) => {
        if (b === 0) throw divisionByZero();
        return (a % b) + 0;
    });
}
define<[bigint, bigint]>('mod', ['int8', 'int8'], (a, b) => {
    if (b === 0n) throw divisionByZero();
    return a % b;
});
define<[string, string]>('mod', ['numeric', 'numeric'], moduloNumeric);
define<[string, string]>('div', ['numeric', 'numeric'], (a, b) => {
    // The quotient may be rounded up at its last digit: take the remainder away first, then it is exact.
    const rest = moduloNumeric(a, b);
    if (rest === 'NaN' || !/^-?[\d.]+$/.test(rest)) return truncateNumeric(divideNumeric(a, b));
    return truncateNumeric(divideNumeric(subtractNumeric(a, rest), b));
});

define<[number]>('sign', ['float8'], (value) => (value > 0 ? 1 : value < 0 ? -1 : 0));
define<[string]>('sign', ['numeric'], (value) => (value === 'NaN' ? value : String(signOfNumeric(value))));
define<[number]>('sqrt', ['float8'], squareRoot);
define<[string]>('scale', ['numeric'], (value) => scaleOfNumeric(value) ?? null);
define<[]>('pi', [], () => Math.PI);

define<[number, number]>('gcd', ['int4', 'int4'], (a, b) => int4(Number(gcd(BigInt(a), BigInt(b)))));
define<[bigint, bigint]>('gcd', ['int8', 'int8'], (a, b) => int8(gcd(a, b)));

function gcd(a: bigint, b: bigint): bigint {
    let x = a < 0n ? -a : a;
    let y = b < 0n ? -b : b;
    while (y !== 0n) [x, y] = [y, x % y];
    return x;
}

defineIn<[]>('random', [], (context) => context.random());
define<[]>('gen_random_uuid', [], () => randomUUID());
define<[]>('uuidv4', [], () => randomUUID());
