/**
 * What the vectorised path reads of one table for one statement: segments with their dead rows, whose rows are seen,
 * which have expired, and the statement's own uncommitted changes.
 *
 * What must stay true: called in the synchronous step that fixes the snapshot's sequence, under the executor's lock, so
 * that manifest, dead rows and sequence belong together. A segment is left out only when none of its rows can be in the
 * result.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {type PruningPredicate, pruneSegments} from '../../storage/parquet/pruning.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import type {Database} from '../database.ts';
import {expiryCutoffNs} from '../exec/point/read.ts';
import type {StatementContext} from '../exec/statement-context.ts';
import type {Overlay, SegmentInput, TableInput} from '../exec/vector/table-input.ts';
import type {RowVersion} from '../txn/row-version.ts';
import type {Transaction} from '../txn/transaction.ts';
import {segmentPath} from './segment-path.ts';

/**
 * `predicates` all hold for every row of the result (src/exec/vector/pruning.ts). `withExpired`: also the rows that have
 * expired and are not removed yet.
 */
export function tableInput(
    database: Database,
    context: StatementContext,
    table: TableDescriptor,
    predicates: readonly PruningPredicate[] = [],
    withExpired = false,
): TableInput {
    const seq = database.committer.visibleSeq;
    const store = database.store(table);
    const {tiers} = store;
    const owner = table.options.kind === 'user' && !context.allUsers ? context.identity.roleId : undefined;
    const updatedNsMin = withExpired ? undefined : expiryCutoffNs(store);
    const candidates = tiers.manifest.segments.filter((segment) => mayHold(segment, owner, updatedNsMin));
    const segments = pruneSegments(candidates, predicates).read.map((segment): SegmentInput => ({
        segmentId: segment.segmentId,
        path: segmentPath(database.objects, segment),
        columns: segment.columns,
        deadRowids: tiers.deadRowids(segment.segmentId, seq),
    }));
    return {table, segments, owner, updatedNsMin, overlay: overlayOf(context.transaction, table.tableId, seq)};
}

function mayHold(segment: SegmentMeta, owner: number | undefined, updatedNsMin: bigint | undefined): boolean {
    if (owner !== undefined && segment.owners !== undefined && !segment.owners.includes(owner)) return false;
    return updatedNsMin === undefined || segment.maxUpdatedNs >= updatedNsMin;
}

/**
 * The transaction's own writes of this table. Looked at when the query runs, not when the snapshot is taken: nothing
 * writes in between, because a session runs one statement at a time.
 */
function overlayOf(
    transaction: Transaction | null,
    tableId: number,
    seq: number,
): ((mirrorSeq: number) => Overlay | undefined) | undefined {
    if (transaction === null || transaction.heads.size === 0) return undefined;
    return (mirrorSeq) => {
        // Own writes do not undo what others committed after the snapshot.
        if (mirrorSeq > seq) return undefined;
        const hidden: number[] = [];
        const rows: RowVersion[] = [];
        const updatedNs = BigInt(Date.now()) * 1_000_000n;
        for (const head of transaction.heads) {
            const {pending, owner} = head;
            if (pending === null || head.store.table.tableId !== tableId) continue;
            if (pending.before !== null) hidden.push(pending.before.rowid);
            if (pending.values === null) continue;
            const {rowid, values} = pending;
            rows.push({rowid, seq: OWN_SEQ, updatedNs, owner, values, deleted: false, previous: null});
        }
        if (hidden.length === 0 && rows.length === 0) return NO_CHANGES;
        return {hiddenRowids: BigInt64Array.from(Float64Array.from(hidden).sort(), BigInt), rows};
    };
}

/** Uncommitted rows have no place in the order of commits yet. */
const OWN_SEQ = 0;
const NO_CHANGES: Overlay = {hiddenRowids: new BigInt64Array(0), rows: []};
