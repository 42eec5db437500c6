/** Shapes that the parts of a session share. */
import type {TransactionMark} from '../txn/transaction.ts';

export type {Identity} from '../exec/statement-context.ts';

export interface SavepointState {
    readonly name: string;
    readonly mark: TransactionMark | null;
    readonly ddlCount: number;
    readonly listenCount: number;
    readonly settings: number;
}
