/**
 * Ids of tables, indexes, sequences and roles: one counter for all, because an id must name its rows for ever.
 *
 * What must stay true: an id is never given twice, whatever crashes: a block of ids is logged as used before the first
 * of it is handed out. What is written under a new id outside of the log waits for `durable`.
 */
import type {IdAllocator, IdKind} from '../../../catalog/ddl/read-back.ts';
import {metaKey} from '../../../storage/hot/keys.ts';
import type {Committer} from '../../txn/committer.ts';
import {Transaction} from '../../txn/transaction.ts';

const BLOCK = 64;
/** Ids are unsigned 32-bit in keys. */
const ID_MAX = 0xffff_ffff;
/** Ids below are those of `initialCatalog`. */
const FIRST_ID = 16;
const IDS_KEY = metaKey('ids');

export class DurableIds implements IdAllocator {
    readonly #committer: Committer;
    #next: number;
    #reservedUntil: number;
    #reservedSeq = 0;

    /** @param read Reads the hot store, which has everything committed before this start. */
    constructor(committer: Committer, read: (key: Buffer) => Buffer | undefined) {
        this.#committer = committer;
        const stored = read(IDS_KEY);
        this.#next = stored === undefined ? FIRST_ID : stored.readUInt32BE(0);
        this.#reservedUntil = this.#next;
    }

    /** Every id given so far is below. */
    get firstFree(): number {
        return this.#next;
    }

    next(_kind?: IdKind): number {
        if (this.#next === this.#reservedUntil) this.#reserve();
        return this.#next++;
    }

    /** Resolves when no crash can give the ids handed out so far again. */
    async durable(): Promise<void> {
        await this.#committer.whenVisible(this.#reservedSeq);
    }

    /** Not awaited: what is committed with these ids comes later in the same log. */
    #reserve(): void {
        this.#reservedUntil = this.#next + BLOCK;
        if (this.#reservedUntil > ID_MAX) throw new Error('ids of tables and indexes are used up');
        const value = Buffer.alloc(4);
        value.writeUInt32BE(this.#reservedUntil, 0);
        const transaction = new Transaction(0);
        transaction.operations.push({key: IDS_KEY, value});
        this.#reservedSeq = this.#committer.commit(transaction);
    }
}
