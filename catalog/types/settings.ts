/**
 * The session settings that change how values are written and read. They are handed to every `parse` and `print`,
 * because a type has no session. Source: PostgreSQL documentation, "Client Connection Defaults".
 */

export interface OutputSettings {
    /** A name of the time zone database, or a POSIX specification without daylight saving such as `<+03>-3`. */
    readonly timeZone: string;
    /** `ISO, MDY` and its kin: output style, then order of the fields of ambiguous input. */
    readonly dateStyle: string;
    readonly intervalStyle: 'postgres' | 'postgres_verbose' | 'sql_standard' | 'iso_8601';
    readonly byteaOutput: 'hex' | 'escape';
    /** 1 to 3: shortest form that reads back the same. 0 and below: that many digits fewer than the type has. */
    readonly extraFloatDigits: number;
    /** What 'now' and 'today' mean: start of the transaction, microseconds since 2000-01-01 UTC. Absent: the clock. */
    readonly nowMicros?: bigint;
}

export const DEFAULT_OUTPUT_SETTINGS: OutputSettings = {
    timeZone: 'UTC',
    dateStyle: 'ISO, MDY',
    intervalStyle: 'postgres',
    byteaOutput: 'hex',
    extraFloatDigits: 1,
};
