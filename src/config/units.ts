/**
 * Values with units as people write them: '64MB', '30s'. Units and spelling follow PostgreSQL's configuration
 * (documentation, 20.1.1): kB, MB, GB, TB are powers of 1024 and case matters; durations are us, ms, s, min, h, d.
 * A number without unit is in bytes, or in milliseconds.
 */

const BYTES_PER_UNIT = {B: 1, kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40, PB: 2 ** 50} as const;
const MS_PER_UNIT = {ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000} as const;

/** Bytes, or undefined when the text is no size. */
export function parseBytes(text: string): number | undefined {
    return parseWithUnit(text, BYTES_PER_UNIT);
}

/** Milliseconds, or undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
    return parseWithUnit(text, MS_PER_UNIT);
}

export function unitsOfBytes(): string {
    return Object.keys(BYTES_PER_UNIT).join(', ');
}

export function unitsOfDuration(): string {
    return Object.keys(MS_PER_UNIT).join(', ');
}

function parseWithUnit(text: string, factors: Readonly<Record<string, number>>): number | undefined {
    const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
    if (match === null) return undefined;
    const [, digits, unit] = match;
    const factor = unit === undefined || unit === '' ? 1 : Object.hasOwn(factors, unit) ? factors[unit] : undefined;
    if (factor === undefined) return undefined;
    const value = Math.round(Number(digits) * factor);
    return Number.isSafeInteger(value) ? value : undefined;
}
