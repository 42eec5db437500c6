/**
 * Times and sizes in option values. Source of the units: PostgreSQL documentation, section 19.1.1, plus the words of
 * its interval input (`30 seconds`, `5 minutes`, `1 day`).
 *
 * What must stay true: months and years are not accepted, because they have no fixed length.
 */

const UNIT_MS: ReadonlyMap<string, number> = new Map([
    ['ms', 1],
    ['millisecond', 1],
    ['s', 1000],
    ['sec', 1000],
    ['second', 1000],
    ['m', 60_000],
    ['min', 60_000],
    ['minute', 60_000],
    ['h', 3_600_000],
    ['hour', 3_600_000],
    ['d', 86_400_000],
    ['day', 86_400_000],
    ['w', 604_800_000],
    ['week', 604_800_000],
]);

const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
    ['', 1],
    ['b', 1],
    ['kb', 1024],
    ['mb', 1024 ** 2],
    ['gb', 1024 ** 3],
]);

/** `1 hour 30 minutes`, `90s`. undefined: not a time. */
export function parseDurationMs(text: string): number | undefined {
    const parts = [
        ...text
            .trim()
            .toLowerCase()
            .matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gu),
    ];
    if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text.trim().toLowerCase()) return undefined;
    let sumMs = 0;
    for (const [, amount = '', unit = ''] of parts) {
        const unitMs = UNIT_MS.get(unit) ?? UNIT_MS.get(unit.replace(/s$/u, ''));
        if (unitMs === undefined) return undefined;
        sumMs += Number(amount) * unitMs;
    }
    return Math.round(sumMs);
}

/** `64MB`. undefined: not a size. */
export function parseBytes(text: string): number | undefined {
    const match = /^(\d+)\s*([a-z]*)$/u.exec(text.trim().toLowerCase());
    const unit = UNIT_BYTES.get(match?.[2] ?? '?');
    return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}
