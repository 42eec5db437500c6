/** Values of system relations as the text their column types read. */

export function text(value: string | number | bigint | boolean | undefined): string | null {
    return value === undefined ? null : String(value);
}

/** Milliseconds since 1970 as a timestamptz. */
export function instant(ms: number | undefined): string | null {
    return ms === undefined ? null : new Date(ms).toISOString();
}
