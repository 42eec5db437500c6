/**
 * The rows of one segment that no longer count, each with the sequence of the commit that made it dead, so that a reader
 * at an earlier snapshot still sees it.
 */

const NO_ROWIDS = new BigInt64Array(0);

export class DeadRows {
    readonly #seqOf = new Map<number, number>();
    #maxSeq = 0;
    /** Ascending; all of them, when nothing was added since. */
    #sorted: BigInt64Array | undefined;

    get count(): number {
        return this.#seqOf.size;
    }

    add(rowid: number, seq: number): void {
        if (this.#seqOf.has(rowid)) return;
        this.#seqOf.set(rowid, seq);
        if (seq > this.#maxSeq) this.#maxSeq = seq;
        this.#sorted = undefined;
    }

    has(rowid: number): boolean {
        return this.#seqOf.has(rowid);
    }

    /** Row ids dead for a reader at `snapshotSeq`, ascending. */
    at(snapshotSeq: number): BigInt64Array {
        if (this.#seqOf.size === 0) return NO_ROWIDS;
        if (snapshotSeq >= this.#maxSeq) return (this.#sorted ??= sorted(this.#seqOf.keys()));
        const dead: number[] = [];
        for (const [rowid, seq] of this.#seqOf) if (seq <= snapshotSeq) dead.push(rowid);
        return sorted(dead);
    }
}

function sorted(rowids: Iterable<number>): BigInt64Array {
    // Numbers sort many times faster than BigInts.
    return BigInt64Array.from(Float64Array.from(rowids).sort(), BigInt);
}
