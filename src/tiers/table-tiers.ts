/**
 * The cold side of one table in memory: its manifest and which rows of each segment are dead.
 *
 * What must stay true: `manifest` is the visible one and changes only when the commit that carries it is visible; a
 * dead mark carries the sequence of its commit, so that a reader at an earlier snapshot still sees the row.
 */
import {deletionKey, manifestKey} from '../../storage/hot/keys.ts';
import {emptyManifest, encodeManifest, type SegmentMeta, type TableManifest} from '../../storage/segments/manifest.ts';
import type {StoreOperation} from '../txn/transaction.ts';

const NOTHING = Buffer.alloc(0);

export class TableTiers {
    readonly tableId: number;
    #manifest: TableManifest;
    /** segment id → row id → sequence of the commit that made it dead */
    readonly #dead = new Map<number, Map<number, number>>();

    constructor(tableId: number, manifest: TableManifest = emptyManifest(tableId)) {
        this.tableId = tableId;
        this.#manifest = manifest;
    }

    get manifest(): TableManifest {
        return this.#manifest;
    }

    get hasSegments(): boolean {
        return this.#manifest.segments.length > 0;
    }

    /** The change of the manifest is visible. */
    publish(manifest: TableManifest): void {
        this.#manifest = manifest;
        const present = new Set(manifest.segments.map((segment) => segment.segmentId));
        for (const segmentId of this.#dead.keys()) if (!present.has(segmentId)) this.#dead.delete(segmentId);
    }

    /** Part of a commit: the row's copy in the segment no longer counts. */
    markDead(segmentId: number, rowid: number, seq: number, operations: StoreOperation[]): void {
        this.restoreDead(segmentId, rowid, seq);
        operations.push({key: deletionKey(segmentId, rowid), value: NOTHING});
    }

    restoreDead(segmentId: number, rowid: number, seq: number): void {
        let rows = this.#dead.get(segmentId);
        if (rows === undefined) {
            rows = new Map();
            this.#dead.set(segmentId, rows);
        }
        rows.set(rowid, seq);
    }

    /** Row ids of the segment that are dead for a reader at `snapshotSeq`, ascending. */
    deadRowids(segmentId: number, snapshotSeq: number): BigInt64Array {
        const rows = this.#dead.get(segmentId);
        if (rows === undefined || rows.size === 0) return NO_ROWIDS;
        const dead: bigint[] = [];
        for (const [rowid, seq] of rows) if (seq <= snapshotSeq) dead.push(BigInt(rowid));
        return BigInt64Array.from(dead).sort();
    }

    /** As of the newest commit that is ordered. */
    isDead(segmentId: number, rowid: number): boolean {
        return this.#dead.get(segmentId)?.has(rowid) ?? false;
    }

    deadCount(segmentId: number): number {
        return this.#dead.get(segmentId)?.size ?? 0;
    }

    get liveRows(): number {
        let rows = 0;
        for (const segment of this.#manifest.segments) rows += segment.rows - this.deadCount(segment.segmentId);
        return rows;
    }

    segment(segmentId: number): SegmentMeta | undefined {
        return this.#manifest.segments.find((segment) => segment.segmentId === segmentId);
    }
}

const NO_ROWIDS = new BigInt64Array(0);

export function manifestOperation(manifest: TableManifest): StoreOperation {
    return {key: manifestKey(manifest.tableId), value: Buffer.from(encodeManifest(manifest), 'utf8')};
}
