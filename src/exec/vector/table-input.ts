/**
 * What a query reads of one table at its snapshot: mirror, segments with their dead rows, row filter, and the changes
 * that replace or hide rows of both (a session's own uncommitted changes, or the undo of changes after an older
 * snapshot). Handed over by whoever owns manifests and transactions.
 *
 * What must stay true: all parts of one input belong to the same commit sequence and manifest version; they are taken
 * together under the executor's lock.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {RowVersion} from '../../txn/row-version.ts';

/** A column of a segment as it was when the segment was written. */
export interface SegmentColumnInput {
    readonly attnum: number;
    /** Name of the Parquet column. */
    readonly name: string;
    /** DuckDB type the values had in the mirror; for an interval the Parquet column is a struct. */
    readonly sqlType: string;
}

export interface SegmentInput {
    readonly segmentId: number;
    /** A local file. */
    readonly path: string;
    readonly columns: readonly SegmentColumnInput[];
    /** Row ids in this segment that no longer count; empty = clean. */
    readonly deadRowids: BigInt64Array;
}

export interface Overlay {
    /** Rows of mirror and segments that this query must not see. */
    readonly hiddenRowids: BigInt64Array;
    /** Rows that it sees in their place; values in the order of `table.columns`. */
    readonly rows: readonly RowVersion[];
}

export interface TableInput {
    readonly table: TableDescriptor;
    readonly segments: readonly SegmentInput[];
    /** Role id whose rows are seen; undefined = no filter. */
    readonly owner: number | undefined;
    /** Rows with an older `_updated` have expired; undefined = none do. */
    readonly updatedNsMin: bigint | undefined;
    /** Made when the mirror's sequence is known: it may be past the snapshot asked for. */
    readonly overlay: ((mirrorSeq: number) => Overlay | undefined) | undefined;
}
