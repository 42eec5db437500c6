/**
 * The text form of float4 and float8: the shortest digits that read back as the same value, in fixed notation while the
 * exponent is between -4 and the precision of the type, else scientific with at least two digits of exponent.
 * Source: PostgreSQL documentation, "Floating-Point Types" and "extra_float_digits"; src/common/d2s.c.
 *
 * What must stay true: small integers, the common case, are printed without any digit search.
 */

const FLOAT8_DIGITS = 15;
const FLOAT4_DIGITS = 6;

export function printFloat8(value: number, extraFloatDigits: number): string {
    if (extraFloatDigits <= 0) return printRounded(value, FLOAT8_DIGITS + extraFloatDigits);
    if (Number.isInteger(value) && value > -1e15 && value < 1e15) return printSmallInteger(value);
    return special(value) ?? layOut(shortestFloat8(value), FLOAT8_DIGITS);
}

export function printFloat4(value: number, extraFloatDigits: number): string {
    if (extraFloatDigits <= 0) return printRounded(value, FLOAT4_DIGITS + extraFloatDigits);
    if (Number.isInteger(value) && value > -1e6 && value < 1e6) return printSmallInteger(value);
    return special(value) ?? layOut(shortestFloat4(value), FLOAT4_DIGITS);
}

function printSmallInteger(value: number): string {
    return value === 0 && Object.is(value, -0) ? '-0' : '' + value;
}

function special(value: number): string | undefined {
    if (value !== value) return 'NaN';
    if (value === Infinity) return 'Infinity';
    return value === -Infinity ? '-Infinity' : undefined;
}

/** In the notation of toExponential: `-1.25e+30`. */
function shortestFloat8(value: number): string {
    const shortest = value.toExponential();
    return Math.abs(value) >= 2 ** 53 && liesOnBoundary(shortest, value) ? strictlyInside(value) : shortest;
}

/** The shortest of 16 or 17 digits that reads back as the value and is no boundary. */
function strictlyInside(value: number): string {
    const full = value.toExponential(16);
    const mark = full.indexOf('e');
    const shorter = full.slice(0, mark - 1) + full.slice(mark);
    for (const candidate of [value.toExponential(15), shorter]) {
        if (Number(candidate) === value && !liesOnBoundary(candidate, value)) {
            return candidate.replace(/\.?0+e/, 'e');
        }
    }
    return full;
}

/**
 * PostgreSQL's algorithm does not take a decimal that lies exactly half way to the next float, since a reader may round
 * it either way; JavaScript does. Only integers above 2^53 can have such a decimal of 17 digits.
 */
function liesOnBoundary(digits: string, value: number): boolean {
    const match = /^-?(\d)(?:\.(\d+))?e\+(\d+)$/.exec(digits);
    if (match === null) return false;
    const fraction = match[2] ?? '';
    const zeros = Number(match[3]) - fraction.length;
    if (zeros < 0 || zeros > 23) return false;
    const decimal = BigInt((match[1] ?? '') + fraction + '0'.repeat(zeros));
    const exact = BigInt(Math.abs(value));
    const ulp = BigInt(2 ** (Math.floor(Math.log2(Math.abs(value))) - 52));
    const distance = decimal > exact ? decimal - exact : exact - decimal;
    return distance * 2n === ulp || (distance * 4n === ulp && decimal < exact);
}

/** Nine digits identify every float4. */
function shortestFloat4(value: number): string {
    for (let digits = 0; digits < 8; digits++) {
        const text = value.toExponential(digits);
        if (Math.fround(Number(text)) === value) return text;
    }
    return value.toExponential(8);
}

/** Turns `d.ddde±x` into PostgreSQL's layout. */
function layOut(exponential: string, precision: number): string {
    const mark = exponential.indexOf('e');
    const exponent = Number(exponential.slice(mark + 1));
    const negative = exponential.charCodeAt(0) === 45;
    const mantissa = exponential.slice(negative ? 1 : 0, mark);
    const sign = negative ? '-' : '';
    if (exponent < -4 || exponent >= precision) {
        const size = Math.abs(exponent);
        return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`;
    }
    const digits = mantissa.replace('.', '');
    if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
    if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, '0');
    return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** C's `%.*g`. */
function printRounded(value: number, wanted: number): string {
    const fixed = special(value);
    if (fixed !== undefined) return fixed;
    const digits = Math.max(1, wanted);
    if (value === 0) return Object.is(value, -0) ? '-0' : '0';
    const exponential = value.toExponential(digits - 1);
    const mark = exponential.indexOf('e');
    const mantissa = exponential.slice(0, mark);
    const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    return layOut(short + exponential.slice(mark), digits);
}
