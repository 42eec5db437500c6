/**
 * Numbers for new segments, never given twice: not after a crash, not after the segment is gone. Object names and dead
 * marks depend on it.
 *
 * What must stay true: a number is given out only when the commit that uses it up is durable.
 */
import type {HotStore} from '../../storage/hot/hot-store.ts';
import {metaKey} from '../../storage/hot/keys.ts';
import type {Committer} from '../txn/committer.ts';
import {Transaction} from '../txn/transaction.ts';

/** Value: the next number, u32 big-endian. */
const KEY: Buffer = metaKey('nextSegmentId');

export class SegmentIds {
    readonly #committer: Committer;
    #next: number;

    constructor(committer: Committer, hot: Pick<HotStore, 'getSync'>) {
        this.#committer = committer;
        this.#next = hot.getSync(KEY)?.readUInt32BE() ?? 1;
    }

    async next(): Promise<number> {
        const segmentId = this.#next++;
        const value = Buffer.allocUnsafe(4);
        value.writeUInt32BE(this.#next);
        const transaction = new Transaction(0);
        transaction.operations.push({key: KEY, value});
        await this.#committer.whenVisible(this.#committer.commit(transaction));
        return segmentId;
    }
}
