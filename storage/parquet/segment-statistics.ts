/**
 * Minimum, maximum and number of NULLs of each column of a segment, read from the finished file: that is also the
 * proof that the file can be read.
 *
 * What must stay true: bounds are texts in an encoding that `pruning.ts` compares: integers for integers, dates (days
 * since 1970) and timestamps (microseconds since 1970), decimals with their point, text as it is. A column whose bounds
 * would mislead (NaN, infinity, long text, an order that is not PostgreSQL's) has none, and is never pruned by.
 */
import {StorageError} from '../errors.ts';
import type {SegmentColumnSpec, SqlEngine} from './segment-writer.ts';
import {identifier, text} from './segment-writer.ts';

export interface ColumnStatistics {
    readonly min: string | undefined;
    readonly max: string | undefined;
    readonly nullCount: number;
}

interface Totals {
    readonly rows: number;
    readonly minSeq: number;
    readonly maxSeq: number;
    readonly minRowid: number;
    readonly maxRowid: number;
}

/** Longer texts are no bounds: a manifest is read by every query. */
const BOUND_CHARACTERS_MAX = 64;
const COLUMNS_PER_QUERY = 200;

/** How bounds of a type are written, `$1` being the value; undefined = none are kept. */
export function boundExpression(sqlType: string): string | undefined {
    if (/^(SMALLINT|INTEGER|BIGINT|UINTEGER|FLOAT|DOUBLE|VARCHAR|UUID|DECIMAL\(\d+,\d+\))$/.test(sqlType)) return '$1';
    if (sqlType === 'DATE') return "($1 - DATE '1970-01-01')";
    if (sqlType === 'TIMESTAMP' || sqlType === 'TIMESTAMPTZ') return 'epoch_us($1)';
    return undefined;
}

export async function readStatistics(
    engine: SqlEngine,
    path: string,
    columns: readonly SegmentColumnSpec[],
    names: readonly string[],
): Promise<{totals: Totals; statistics: ColumnStatistics[]}> {
    const file = `read_parquet(${text(path)})`;
    const [head] = await engine.rows(`SELECT count(*), min(_seq), max(_seq), min(_rowid), max(_rowid) FROM ${file}`);
    if (head === undefined) throw new StorageError('corrupt', `segment ${path} cannot be counted`);
    const [rows, minSeq, maxSeq, minRowid, maxRowid] = head.map(Number);
    const totals = {
        rows: rows ?? 0,
        minSeq: minSeq ?? 0,
        maxSeq: maxSeq ?? 0,
        minRowid: minRowid ?? 0,
        maxRowid: maxRowid ?? 0,
    };
    const statistics: ColumnStatistics[] = [];
    for (let start = 0; start < columns.length; start += COLUMNS_PER_QUERY) {
        const list: string[] = [];
        for (let index = start; index < Math.min(start + COLUMNS_PER_QUERY, columns.length); index++) {
            list.push(...columnExpressions(columns[index], identifier(names[index] ?? '')));
        }
        const [values] = await engine.rows(`SELECT ${list.join(', ')} FROM ${file}`);
        if (values === undefined) throw new StorageError('corrupt', `segment ${path} has no statistics`);
        for (let at = 0; at < values.length; at += 3) {
            const [count, min, max] = values.slice(at, at + 3);
            const useful = isBound(min) && isBound(max);
            statistics.push({
                min: useful ? min : undefined,
                max: useful ? max : undefined,
                nullCount: totals.rows - Number(count),
            });
        }
    }
    return {totals, statistics};
}

function columnExpressions(column: SegmentColumnSpec | undefined, name: string): string[] {
    const bound = column?.ordered === true ? boundExpression(column.sqlType) : undefined;
    if (bound === undefined) return [`count(${name})`, 'NULL', 'NULL'];
    const finite = /^(FLOAT|DOUBLE|DATE|TIMESTAMP|TIMESTAMPTZ)$/.test(column?.sqlType ?? '');
    const value = (aggregate: string): string => {
        const result = `${aggregate}(${name})`;
        const written = `CAST(${bound.replace('$1', result)} AS VARCHAR)`;
        return finite ? `CASE WHEN isfinite(${result}) THEN ${written} END` : written;
    };
    return [`count(${name})`, value('min'), value('max')];
}

function isBound(value: string | null | undefined): value is string {
    return value !== null && value !== undefined && value.length <= BOUND_CHARACTERS_MAX;
}
