/**
 * What a running statement may know and use: its session, its transaction, the snapshot it reads and the services of
 * the database. Made by the session for each execution.
 */
import type {CatalogView} from '../../catalog/catalog.ts';
import type {OutputSettings} from '../../catalog/types/settings.ts';
import type {SessionContext} from '../../catalog/twin/session-context.ts';
import type {ErrorFields, ResponseWriter} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import type {EvaluationContext} from '../sql/compile/evaluation.ts';
import type {Transaction} from '../txn/transaction.ts';
import type {SessionControl} from './utility/session-control.ts';

/** Who a session acts as. Decided in one place: src/auth/identity.ts. */
export interface Identity {
    readonly sessionUser: string;
    readonly user: string;
    readonly roleId: number;
    readonly superuser: boolean;
}

/** What the session has drawn from sequences: currval and lastval. */
export interface DrawnSequences {
    readonly lastSequenceId: number | undefined;
    lastOf(sequenceId: number): bigint | undefined;
    /** A value was drawn elsewhere than by `evaluation`. */
    drawn(sequenceId: number, value: bigint): void;
}

export interface StatementContext {
    readonly database: Database;
    readonly catalog: CatalogView;
    readonly identity: Identity;
    readonly processId: number;
    /** The session itself, for the statements that change it. */
    readonly session: SessionControl;
    /** Everything up to here is seen, and the transaction's own writes. */
    readonly snapshotSeq: number;
    /** Moves the statement to a later snapshot: only before it has read anything. */
    fixSnapshot(seq: number): void;
    /** The transaction in progress, or null when nothing was written yet. */
    readonly transaction: Transaction | null;
    /** The transaction to write in: begins an implicit one when there is none. */
    write(): Transaction;
    readonly evaluation: EvaluationContext;
    readonly drawnSequences: DrawnSequences;
    readonly output: OutputSettings;
    readonly twinContext: SessionContext;
    /** The session sees the rows of every user in `user` tables (superusers only, asked for explicitly). */
    readonly allUsers: boolean;
    readonly searchPath: readonly string[];
    readonly writer: ResponseWriter;
    setting(name: string): string;
    notice(fields: ErrorFields): void;
    /** Runs when the statement is cancelled or times out; replaced by the next call, cleared by undefined. */
    onCancel(interrupt: (() => void) | undefined): void;
    /** Throws 57014 when the statement was cancelled. */
    checkCancelled(): void;
    readonly signal: AbortSignal;
}

/** The owner whose rows of this table the statement reads and writes; 0 for tables that are not `user`. */
export function ownerOf(context: StatementContext, kind: 'shared' | 'user' | 'stream'): number {
    return kind === 'user' ? context.identity.roleId : 0;
}
