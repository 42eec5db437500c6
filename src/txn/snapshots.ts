/**
 * The snapshots that readers hold across an await: how far back versions of rows must be kept.
 *
 * What must stay true: whoever reads heads at a sequence after giving up the thread holds that sequence, taken in the
 * same synchronous step as the sequence itself; a reader that never gives up the thread reads at `visibleSeq` and needs
 * no hold. Holds are few and short: one per index scan, mirror refresh or repeatable-read transaction.
 */

export interface SnapshotHold {
    readonly seq: number;
    /** Safe to call twice. */
    release(): void;
}

export class Snapshots {
    /** sequence → number of holds */
    readonly #held = new Map<number, number>();
    readonly #onChange: () => void;
    #oldest = Infinity;

    /** @param onChange Called when `oldest` has changed. */
    constructor(onChange: () => void) {
        this.#onChange = onChange;
    }

    /** The oldest sequence somebody reads at; Infinity when nobody does. */
    get oldest(): number {
        return this.#oldest;
    }

    hold(seq: number): SnapshotHold {
        this.#held.set(seq, (this.#held.get(seq) ?? 0) + 1);
        if (seq < this.#oldest) {
            this.#oldest = seq;
            this.#onChange();
        }
        let released = false;
        return {
            seq,
            release: () => {
                if (released) return;
                released = true;
                this.#release(seq);
            },
        };
    }

    #release(seq: number): void {
        const count = this.#held.get(seq) ?? 0;
        if (count > 1) {
            this.#held.set(seq, count - 1);
            return;
        }
        this.#held.delete(seq);
        if (seq !== this.#oldest) return;
        this.#oldest = Infinity;
        for (const other of this.#held.keys()) if (other < this.#oldest) this.#oldest = other;
        this.#onChange();
    }
}
