/**
 * How values look in memory. One JavaScript representation per PostgreSQL type, chosen so that the point path can
 * read, compare and print without allocation, and so that nothing is ever lost (no float for a numeric, no Date).
 *
 * | PostgreSQL type                      | Datum                                                                  |
 * |--------------------------------------|------------------------------------------------------------------------|
 * | bool                                 | boolean                                                                |
 * | int2, int4, oid                      | number                                                                 |
 * | int8                                 | bigint                                                                 |
 * | float4, float8                       | number (a float4 is already rounded with Math.fround)                  |
 * | numeric                              | string, PostgreSQL's text form with its display scale ("1.50", "NaN")  |
 * | text, varchar, bpchar, name, json    | string (bpchar padded; json as written)                                |
 * | jsonb                                | string, PostgreSQL's canonical text form                               |
 * | bytea                                | Uint8Array                                                             |
 * | uuid                                 | string, lower case with dashes                                         |
 * | inet, cidr                           | string, PostgreSQL's text form                                         |
 * | date                                 | number, days since 2000-01-01; ±Infinity for infinity                  |
 * | time                                 | number, microseconds since midnight (0..86400000000)                   |
 * | timetz                               | TimeTz                                                                 |
 * | timestamp, timestamptz               | bigint, microseconds since 2000-01-01 (UTC); int64 max/min = ±infinity |
 * | interval                             | Interval                                                               |
 * | enum                                 | string, the label                                                      |
 * | domain                               | as its base type                                                       |
 * | any array                            | PgArray                                                                |
 *
 * Datums are immutable: whoever needs another value makes a new one.
 */

export interface Interval {
    readonly months: number;
    readonly days: number;
    readonly micros: bigint;
}

export interface TimeTz {
    /** Microseconds since midnight, local to the zone. */
    readonly micros: number;
    /** Seconds WEST of Greenwich, as in PostgreSQL's binary format. */
    readonly zone: number;
}

export interface PgArray {
    /** Length of each dimension; empty for the empty array. */
    readonly dims: readonly number[];
    /** Lower bound of each dimension, usually 1. */
    readonly lowerBounds: readonly number[];
    /** Elements in row-major order. */
    readonly elements: readonly Datum[];
}

export type Datum = null | boolean | number | bigint | string | Uint8Array | Interval | TimeTz | PgArray;
