/**
 * Committed changes of one table that its mirror has not applied yet, in commit order.
 *
 * What must stay true: `take(target)` hands out whole transactions, each once, in order, and only those up to `target`;
 * `rowCount` is what counts against the mirror's bound.
 */
import type {RowVersion} from '../../txn/row-version.ts';

export interface BufferedChange {
    /** Sequence of the transaction, not of the row. */
    readonly transactionSeq: number;
    readonly rowid: number;
    /** False when the row is certainly not in the mirror: an insert. */
    readonly replaces: boolean;
    readonly after: RowVersion | null;
    /** Decides which value of `after` belongs to which column. */
    readonly layout: RowLayout;
}

/** Where the value of each attnum stands in the values of a row version. */
export type RowLayout = ReadonlyMap<number, number>;

/** The net effect of a run of transactions: delete these row ids, then add these versions. */
export interface NetChanges {
    readonly truncated: boolean;
    readonly deletedRowids: readonly number[];
    /** Each with a live `after`. */
    readonly added: readonly BufferedChange[];
}

export class ChangeBuffer {
    #changes: BufferedChange[] = [];
    #truncatedAt: number | undefined;

    get rowCount(): number {
        return this.#changes.length;
    }

    get isEmpty(): boolean {
        return this.#changes.length === 0 && this.#truncatedAt === undefined;
    }

    push(change: BufferedChange): void {
        this.#changes.push(change);
    }

    /** Every row of the table is gone at this sequence: earlier changes do not matter any more. */
    truncate(transactionSeq: number): void {
        this.#changes = this.#changes.filter((change) => change.transactionSeq > transactionSeq);
        this.#truncatedAt = transactionSeq;
    }

    take(target: number): NetChanges {
        const truncated = this.#truncatedAt !== undefined && this.#truncatedAt <= target;
        if (truncated) this.#truncatedAt = undefined;
        let count = 0;
        while (count < this.#changes.length && (this.#changes[count]?.transactionSeq ?? Infinity) <= target) count++;
        const taken = count === this.#changes.length ? this.#changes : this.#changes.slice(0, count);
        this.#changes = count === this.#changes.length ? [] : this.#changes.slice(count);

        // Only inserts, the common case of a feed: each row id occurs once.
        if (taken.every((change) => !change.replaces && change.after !== null)) {
            return {truncated, deletedRowids: [], added: taken};
        }
        const last = new Map<number, BufferedChange>();
        const replaced = new Set<number>();
        for (const change of taken) {
            // Only the first change of a row tells whether the mirror has it.
            if (change.replaces && !last.has(change.rowid)) replaced.add(change.rowid);
            last.set(change.rowid, change);
        }
        const added = [...last.values()].filter((change) => change.after !== null && !change.after.deleted);
        return {truncated, deletedRowids: truncated ? [] : [...replaced], added};
    }
}
