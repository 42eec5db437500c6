/**
 * Writes a segment: one immutable Parquet file with a table's rows, through an SQL engine that is handed in (DuckDB),
 * and measures what the manifest keeps of it.
 *
 * What must stay true: the file is complete, synced and read back (row count, statistics, checksum) before anybody may
 * name it in a manifest. Columns carry the user's names, so that other tools can read them, and the column id as Parquet
 * field id; the manifest keeps which name belongs to which id, because columns are renamed later and files are not.
 */
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {open, stat} from 'node:fs/promises';
import {ioError, StorageError} from '../errors.ts';
import {readStatistics} from './segment-statistics.ts';
import type {ColumnStatistics} from './segment-statistics.ts';

/** What this folder needs of the engine. Errors of the engine are passed on. */
export interface SqlEngine {
    run(sql: string): Promise<void>;
    /** Values as text; null stays null. */
    rows(sql: string): Promise<readonly (readonly (string | null)[])[]>;
}

export interface SegmentColumnSpec {
    readonly attnum: number;
    /** The user's name of the column at the time of writing. */
    readonly name: string;
    /** DuckDB type of `c<attnum>` in the source. */
    readonly sqlType: string;
    /** False when DuckDB's order of the values is not PostgreSQL's (json, enums, numerics kept as text). */
    readonly ordered: boolean;
}

export interface WriteSegmentOptions {
    readonly compression: 'zstd' | 'snappy' | 'gzip' | 'none';
    readonly rowGroupRows: number;
    /** attnums the rows are sorted by, for tight statistics; empty = in the order of `_seq`. */
    readonly sortBy: readonly number[];
    /** Rows of one owner stand together, before any other order. */
    readonly sortByOwner?: boolean;
}

/** A column as this segment has it: what a reader needs when the table has changed since. */
export interface WrittenColumn extends ColumnStatistics {
    readonly attnum: number;
    readonly name: string;
    readonly sqlType: string;
}

export interface WrittenSegment {
    readonly rows: number;
    readonly bytes: number;
    /** SHA-256, lower-case hexadecimal. */
    readonly checksum: string;
    readonly minSeq: number;
    readonly maxSeq: number;
    readonly minRowid: number;
    readonly maxRowid: number;
    readonly columns: readonly WrittenColumn[];
}

/** Field ids of the system columns: beyond any attnum. */
const SYSTEM_FIELDS = {_rowid: 100_001, _seq: 100_002, _updated: 100_003, _owner: 100_004} as const;

/**
 * Writes the rows of `source`, a SELECT with `_rowid, _seq, _updated` (BIGINT, nanoseconds), `_owner` and `c<attnum>`
 * for each column, to a new file at `path`. Throws StorageError `corrupt` when the file does not read back.
 */
export async function writeSegment(
    engine: SqlEngine,
    source: string,
    columns: readonly SegmentColumnSpec[],
    path: string,
    options: WriteSegmentOptions,
): Promise<WrittenSegment> {
    const names = parquetNames(columns);
    const list = ['_rowid', '_seq', 'make_timestamp_ns(_updated) AS _updated', '_owner'];
    const fields = Object.entries(SYSTEM_FIELDS).map(([name, id]) => `${identifier(name)}: ${id}`);
    for (const [index, column] of columns.entries()) {
        const name = identifier(names[index] ?? '');
        list.push(`${storedValue(column)} AS ${name}`);
        fields.push(`${name}: ${column.attnum}`);
    }
    const keys = options.sortBy.map((attnum) => `c${attnum} NULLS LAST`);
    const order = [...(options.sortByOwner === true ? ['_owner'] : []), ...keys, '_seq'].join(', ');
    const compression = options.compression === 'none' ? 'uncompressed' : options.compression;
    await engine.run(
        `COPY (SELECT ${list.join(', ')} FROM (${source}) AS source ORDER BY ${order}) TO ${text(path)} ` +
            `(FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${options.rowGroupRows}, FIELD_IDS {${fields.join(', ')}})`,
    );
    await sync(path);
    return await verify(engine, source, columns, names, path);
}

async function verify(
    engine: SqlEngine,
    source: string,
    columns: readonly SegmentColumnSpec[],
    names: readonly string[],
    path: string,
): Promise<WrittenSegment> {
    const [expected] = await engine.rows(`SELECT count(*) FROM (${source}) AS source`);
    const {totals, statistics} = await readStatistics(engine, path, columns, names);
    if (expected?.[0] !== String(totals.rows)) {
        throw new StorageError('corrupt', `segment ${path} has ${totals.rows} rows instead of ${expected?.[0]}`);
    }
    const {size} = await stat(path);
    return {
        ...totals,
        bytes: size,
        checksum: await checksumOf(path),
        columns: columns.map((column, index) => ({
            attnum: column.attnum,
            name: names[index] ?? '',
            sqlType: column.sqlType,
            ...(statistics[index] ?? {min: undefined, max: undefined, nullCount: totals.rows}),
        })),
    };
}

/** SHA-256 of a file, lower-case hexadecimal. */
export async function checksumOf(path: string): Promise<string> {
    const hash = createHash('sha256');
    try {
        for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    } catch (error) {
        throw ioError(`read ${path}`, error);
    }
    return hash.digest('hex');
}

async function sync(path: string): Promise<void> {
    try {
        const file = await open(path, 'r+');
        try {
            await file.sync();
        } finally {
            await file.close();
        }
    } catch (error) {
        throw ioError(`sync ${path}`, error);
    }
}

/** The user's names; names that are equal without regard to case, or those of system columns, get their column id. */
export function parquetNames(columns: readonly SegmentColumnSpec[]): string[] {
    const taken = new Set(Object.keys(SYSTEM_FIELDS));
    return columns.map(({name, attnum}) => {
        let unique = name;
        while (taken.has(unique.toLowerCase())) unique = `${unique}_${attnum}`;
        taken.add(unique.toLowerCase());
        return unique;
    });
}

/** Parquet's own interval has milliseconds only: a struct keeps all three fields. */
function storedValue({attnum, sqlType}: SegmentColumnSpec): string {
    const value = `c${attnum}`;
    if (sqlType !== 'INTERVAL') return value;
    const months = `datepart('year', ${value}) * 12 + datepart('month', ${value})`;
    const micros = `datepart('hour', ${value}) * 3600000000 + datepart('minute', ${value}) * 60000000 + datepart('microsecond', ${value})`;
    return (
        `(CASE WHEN ${value} IS NOT NULL THEN struct_pack(months := CAST(${months} AS INTEGER), ` +
        `days := CAST(datepart('day', ${value}) AS INTEGER), micros := CAST(${micros} AS BIGINT)) END)`
    );
}

export function identifier(name: string): string {
    return `"${name.replaceAll('"', '""')}"`;
}

export function text(value: string): string {
    return `'${value.replaceAll("'", "''")}'`;
}
