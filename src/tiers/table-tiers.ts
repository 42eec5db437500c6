/**
 * The cold side of one table in memory: its manifest, which rows of each segment are dead, and the rows on their way
 * into a new segment.
 *
 * What must stay true: `manifest` is the visible one and changes only when the commit that carries it is visible; a
 * dead mark carries the sequence of its commit, so that a reader at an earlier snapshot still sees the row. One
 * relocation at a time: whoever changes manifests takes turns (the job runner).
 */
import {strict as assert} from 'node:assert';
import {deletionKey, manifestKey} from '../../storage/hot/keys.ts';
import {
    emptyManifest,
    encodeManifest,
    findSegment,
    type SegmentMeta,
    type TableManifest,
} from '../../storage/segments/manifest.ts';
import type {RowVersion} from '../txn/row-version.ts';
import type {StoreOperation} from '../txn/transaction.ts';
import {DeadRows} from './dead-rows.ts';
import type {Relocation} from './relocation.ts';

const NOTHING = Buffer.alloc(0);
const NO_ROWIDS = new BigInt64Array(0);

export class TableTiers {
    readonly tableId: number;
    #manifest: TableManifest;
    readonly #dead = new Map<number, DeadRows>();
    /** Compacted segment → the segment that has its rows now. */
    readonly #successors = new Map<number, number>();
    #relocation: Relocation | null = null;

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

    get relocation(): Relocation | null {
        return this.#relocation;
    }

    beginRelocation(relocation: Relocation): void {
        assert(this.#relocation === null, 'one relocation of a table at a time');
        this.#relocation = relocation;
    }

    endRelocation(): void {
        this.#relocation = null;
    }

    /** The change of the manifest is visible. */
    publish(manifest: TableManifest): void {
        this.#manifest = manifest;
    }

    /** Nobody can have a row of this segment in hand any more: every snapshot with it is closed. */
    forgetSegment(segmentId: number): void {
        assert(this.segment(segmentId) === undefined, 'a segment of the manifest is not forgotten');
        this.#dead.delete(segmentId);
    }

    /** The rows of the segment are in another one for every commit from now on. */
    succeed(segmentId: number, successorId: number): void {
        this.#successors.set(segmentId, successorId);
    }

    /** The segment that has the rows of this one now: heads and stubs may still name a compacted one. */
    currentSegmentId(segmentId: number): number {
        let current = segmentId;
        for (const next of this.#succession(segmentId)) current = next;
        return current;
    }

    /** Where a row of the segment can be read: its successor, but for the moment in which that is not visible yet. */
    readableSegment(segmentId: number): SegmentMeta | undefined {
        let readable: SegmentMeta | undefined;
        for (const current of this.#succession(segmentId)) readable = this.segment(current) ?? readable;
        return readable;
    }

    *#succession(segmentId: number): Iterable<number> {
        let current: number | undefined = segmentId;
        while (current !== undefined) {
            yield current;
            current = this.#successors.get(current);
        }
    }

    /** A commit that replaces or deletes this version is enqueued. */
    noteReplaced(version: RowVersion): void {
        this.#relocation?.noteReplaced(version.rowid, version.seq);
    }

    /** Part of a commit: the row's copy in the segment no longer counts. */
    markDead(segmentId: number, rowid: number, seq: number, operations: StoreOperation[]): void {
        const current = this.currentSegmentId(segmentId);
        this.restoreDead(current, rowid, seq);
        operations.push({key: deletionKey(current, rowid), value: NOTHING});
    }

    restoreDead(segmentId: number, rowid: number, seq: number): void {
        let rows = this.#dead.get(segmentId);
        if (rows === undefined) {
            rows = new DeadRows();
            this.#dead.set(segmentId, rows);
        }
        rows.add(rowid, seq);
    }

    /** Also when the segment was compacted since: then the row may have died before or after that. */
    isDead(segmentId: number, rowid: number): boolean {
        for (const current of this.#succession(segmentId)) {
            if (this.#dead.get(current)?.has(rowid) === true) return true;
        }
        return false;
    }

    /** Row ids of the segment that are dead for a reader at `snapshotSeq`, ascending. Not to be changed. */
    deadRowids(segmentId: number, snapshotSeq: number): BigInt64Array {
        return this.#dead.get(segmentId)?.at(snapshotSeq) ?? NO_ROWIDS;
    }

    deadCount(segmentId: number): number {
        return this.#dead.get(segmentId)?.count ?? 0;
    }

    get liveRows(): number {
        let rows = 0;
        for (const segment of this.#manifest.segments) rows += segment.rows - this.deadCount(segment.segmentId);
        return rows;
    }

    segment(segmentId: number): SegmentMeta | undefined {
        return findSegment(this.#manifest, segmentId);
    }
}

export function manifestOperation(manifest: TableManifest): StoreOperation {
    return {key: manifestKey(manifest.tableId), value: Buffer.from(encodeManifest(manifest), 'utf8')};
}
