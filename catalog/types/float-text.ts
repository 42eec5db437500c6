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
    if (distance * 2n === ulp) return true;
    // Below a power of two the floats are twice as dense.
    return distance * 4n === ulp && decimal < exact && (exact & (exact - 1n)) === 0n;
}

const FLOAT4_DIGITS_MAX = 9;
/** Enough for toExponential to write a float4 exactly, unless it is tiny. */
const EXACT_DIGITS = 100;

/** No decimal of six digits shares its float4 with another, so up to there rounding is enough. */
function shortestFloat4(value: number): string {
    for (let digits = 0; digits < FLOAT4_DIGITS; digits++) {
        const text = value.toExponential(digits);
        if (readsBackAsFloat4(text, value)) return text;
    }
    const exact = Math.abs(value).toExponential(EXACT_DIGITS);
    const mark = exact.indexOf('e');
    const exponent = Number(exact.slice(mark + 1));
    const digits = exact.charAt(0) + exact.slice(2, mark);
    for (let count = FLOAT4_DIGITS + 1; count < FLOAT4_DIGITS_MAX; count++) {
        const text = nearestFloat4(digits, count, exponent, value);
        if (text !== undefined) return text;
    }
    return value.toExponential(FLOAT4_DIGITS_MAX - 1);
}

/** Of the decimals of `count` digits next to the value, the nearest that reads back as it; the even one of a tie. */
function nearestFloat4(digits: string, count: number, exponent: number, value: number): string | undefined {
    const head = Number(digits.slice(0, count));
    const rest = digits.slice(count);
    const half = '5'.padEnd(rest.length, '0');
    const upIsNearer = rest > half || (rest === half && head % 2 === 1);
    for (const candidate of upIsNearer ? [head + 1, head] : [head, head + 1]) {
        const text = `${value < 0 ? '-' : ''}${candidate}e${exponent - count + 1}`;
        if (readsBackAsFloat4(text, value)) return Number(text).toExponential(count - 1);
    }
    return undefined;
}

const doubleView = new Float64Array(1);
const wordView = new Uint32Array(doubleView.buffer);
const LOW_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1;

/** As the value, and not by lying half way between two float4. */
function readsBackAsFloat4(text: string, value: number): boolean {
    const read = Number(text);
    if (Math.fround(read) !== value) return false;
    doubleView[0] = read;
    return ((wordView[LOW_WORD] ?? 0) & 0x1fffffff) !== 0x10000000;
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
