/**
 * The rows of one table on their way into a new segment (a flush, a compaction), from before the snapshot they are read
 * at until LevelDB has the commit that moves them. It knows which of them were changed meanwhile: those stay where they
 * are, and their copy in the new segment is dead from its first moment.
 *
 * What must stay true:
 * - It is attached to the table's tiers before the snapshot is taken, and the snapshot holds every commit enqueued by
 *   then; `noteReplaced` is called for each later one when it is enqueued. So no change between snapshot and switch is missed.
 * - A row leaves only when `leaves` says so in the same synchronous step that enqueues the commit.
 */

/** Rows prepared together; what changes after a slice was prepared costs preparing that slice again. */
export const SLICE_ROWS = 512;

const STAYS = 1;

export class Relocation {
    readonly segmentId: number;
    /** Where the rows come from: hot ones are marked on their heads as soon as they are known. */
    readonly from: 'hot' | 'cold';
    /** Commit sequence of the move; undefined until it is visible. */
    visibleSeq: number | undefined;
    readonly #indexOf = new Map<number, number>();
    /** Replaced before the rows were read back: row id → `_seq` of the newest replaced version. */
    #early: Map<number, number> | undefined = new Map();
    #rowids = new Float64Array(4096);
    #seqs = new Float64Array(4096);
    #states = new Uint8Array(4096);
    #count = 0;
    #staying = 0;
    #sealed = false;
    #dirtySlices = new Set<number>();

    constructor(segmentId: number, from: 'hot' | 'cold') {
        this.segmentId = segmentId;
        this.from = from;
    }

    get count(): number {
        return this.#count;
    }

    /** Rows of the segment that do not count because they were changed meanwhile. */
    get stayingCount(): number {
        return this.#staying;
    }

    get sliceCount(): number {
        return Math.ceil(this.#count / SLICE_ROWS);
    }

    rowid(index: number): number {
        return this.#rowids[index] ?? 0;
    }

    seq(index: number): number {
        return this.#seqs[index] ?? 0;
    }

    leaves(index: number): boolean {
        return this.#states[index] !== STAYS;
    }

    /** A row of the new segment. Its place is `count` before the call. */
    add(rowid: number, seq: number): void {
        const index = this.#count++;
        if (index === this.#rowids.length) this.#grow();
        this.#rowids[index] = rowid;
        this.#seqs[index] = seq;
        this.#indexOf.set(rowid, index);
        const replaced = this.#early?.get(rowid);
        if (replaced !== undefined && replaced >= seq) this.stay(index);
    }

    /** All rows are added: changes of rows that are not among them do not matter any more. */
    complete(): void {
        this.#early = undefined;
    }

    /** The commit is enqueued: who leaves has left, and later changes find the rows in their new place. */
    seal(): void {
        this.#sealed = true;
    }

    /** A commit that replaces or deletes this version of the row is enqueued. */
    noteReplaced(rowid: number, seq: number): void {
        if (this.#sealed) return;
        const index = this.#indexOf.get(rowid);
        if (index === undefined) this.#early?.set(rowid, seq);
        else if (this.seq(index) <= seq) this.stay(index);
    }

    /** The row does not leave: it has changed, or an open transaction has built on where it was. */
    stay(index: number): void {
        if (this.#states[index] === STAYS) return;
        this.#states[index] = STAYS;
        this.#staying++;
        this.#dirtySlices.add(Math.floor(index / SLICE_ROWS));
    }

    /** True for a version that is in the new segment and counts there. */
    has(rowid: number, seq: number): boolean {
        const index = this.#indexOf.get(rowid);
        return index !== undefined && this.seq(index) === seq && this.leaves(index);
    }

    /** Slices with rows that turned out to stay since the last call. */
    takeDirtySlices(): number[] {
        const slices = [...this.#dirtySlices];
        this.#dirtySlices = new Set();
        return slices;
    }

    /** The row versions that leave. */
    leaving(): {rowids: BigInt64Array; seqs: BigInt64Array} {
        const rowids = new BigInt64Array(this.#count - this.#staying);
        const seqs = new BigInt64Array(rowids.length);
        let at = 0;
        for (let index = 0; index < this.#count; index++) {
            if (!this.leaves(index)) continue;
            rowids[at] = BigInt(this.rowid(index));
            seqs[at++] = BigInt(this.seq(index));
        }
        return {rowids, seqs};
    }

    #grow(): void {
        const grown = (old: Float64Array): Float64Array<ArrayBuffer> => {
            const larger = new Float64Array(old.length * 2);
            larger.set(old);
            return larger;
        };
        this.#rowids = grown(this.#rowids);
        this.#seqs = grown(this.#seqs);
        const states = new Uint8Array(this.#rowids.length);
        states.set(this.#states);
        this.#states = states;
    }
}
