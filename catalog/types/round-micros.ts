/**
 * Rounding microseconds to fewer fractional digits, half away from zero, as timestamp(p), time(p) and interval(p) do.
 */

const UNITS = [1_000_000, 100_000, 10_000, 1000, 100, 10, 1];

/** `digits` 0..6; others change nothing. For values that are not negative. */
export function roundMicros(micros: number, digits: number): number {
    const unit = UNITS[digits] ?? 1;
    return unit === 1 ? micros : Math.floor((micros + unit / 2) / unit) * unit;
}

export function roundMicrosBig(micros: bigint, digits: number): bigint {
    const unit = BigInt(UNITS[digits] ?? 1);
    if (unit === 1n) return micros;
    const half = unit / 2n;
    return micros >= 0n ? ((micros + half) / unit) * unit : -((-micros + half) / unit) * unit;
}
