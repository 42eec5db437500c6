/**
 * The engine side of segments: DuckDB as the SQL engine of storage/parquet, and which columns of a table a segment has.
 */
import type {DuckDBConnection} from '@duckdb/node-api';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {SegmentColumnSpec, SqlEngine} from '../../../storage/parquet/segment-writer.ts';
import type {Mirror} from './mirror.ts';
import type {TypeCodec} from './type-map.ts';
import {OID} from './type-map.ts';

/** A connection as storage/parquet wants it. One statement at a time. */
export function sqlEngine(connection: DuckDBConnection): SqlEngine {
    return {
        async run(sql: string): Promise<void> {
            await connection.run(sql);
        },
        async rows(sql: string): Promise<readonly (readonly (string | null)[])[]> {
            const result = await connection.runAndReadAll(sql);
            return result
                .getRowsJson()
                .map((row) =>
                    row.map((value) => (typeof value === 'string' || value === null ? value : JSON.stringify(value))),
                );
        },
    };
}

/** The columns of a table as its mirror has them: the source of a flush. */
export function segmentColumnSpecs(table: TableDescriptor, mirror: Mirror, codec: TypeCodec): SegmentColumnSpec[] {
    return mirror.layoutColumns(table).map(({attnum, type}, index) => {
        const column = table.columns[index];
        const oid = codec.baseType(column?.type ?? {oid: 0, typmod: -1}).oid;
        // Text whose order is PostgreSQL's, as opposed to text forms of other types.
        const opaque = type.sql === 'VARCHAR' && oid !== OID.text && oid !== OID.varchar && oid !== OID.name;
        return {attnum, name: column?.name ?? `c${attnum}`, sqlType: type.sql, ordered: !opaque};
    });
}

/** SELECT of chosen rows of a mirror, in the form that `writeSegment` takes. */
export function mirrorSource(mirrorName: string, condition: string): string {
    return `SELECT * FROM ${mirrorName} WHERE ${condition}`;
}
