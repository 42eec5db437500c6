/** Shapes that the parts of a session share. */
import type {TransactionMark} from '../txn/transaction.ts';

export type {Identity} from '../exec/statement-context.ts';

export interface SavepointState {
    readonly name: string;
    readonly mark: TransactionMark | null;
    readonly ddlCount: number;
    readonly listenCount: number;
    readonly settings: number;
    /** Advisory locks of the transaction up to this many are kept. */
    readonly advisoryCount: number;
    /** Portals up to this one live on when the savepoint is rolled back to. */
    readonly portalSerial: number;
}
