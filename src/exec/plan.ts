/**
 * What a planned statement is to a session: its types, and how to start it. One interface for all paths, so that the
 * session never asks which path a statement takes.
 *
 * What must stay true: a plan holds no state of an execution and is shared by all sessions; it is valid only for the
 * catalog version it was made for. `start` may be synchronous (the point path is); synchronous writers may throw
 * `LockWait`, `ColdRow` or `VisibilityWait`: the session undoes the statement, waits and starts it again.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import type {Awaitable, FieldDescription, ResponseWriter} from '../../wire/handler.ts';
import type {StatementContext} from './statement-context.ts';

export type PathName = 'point' | 'vectorised' | 'reference' | 'utility';

export interface Plan {
    readonly path: PathName;
    /** Why this path: shown by EXPLAIN. */
    readonly reason: string;
    readonly parameterTypes: readonly number[];
    /** null = the statement returns no rows. */
    readonly fields: readonly FieldDescription[] | null;
    readonly catalogVersion: number;
    /** False for statements that may not run, or need no transaction: transaction control, SET, LISTEN. */
    readonly writes: boolean;
    /** What a read-only transaction calls it when it refuses it; default: the statement's first word. */
    readonly command?: string;
    /** True for COMMIT, ROLLBACK and ROLLBACK TO, which alone may run in a failed block. */
    readonly endsTransaction: boolean;
    /** True when `Parameters.raw` is read: always so outside of the point path. */
    readonly needsRaw?: boolean;
    start(context: StatementContext, parameters: Parameters): Awaitable<StartedStatement>;
    /** Lines of EXPLAIN below the path. */
    explain?(context: StatementContext): Awaitable<readonly string[]>;
}

/** A statement's bound parameters: decoded, and as they came. */
export interface Parameters {
    readonly values: readonly Datum[];
    readonly raw: readonly ({readonly bytes: Uint8Array; readonly format: 0 | 1} | null)[];
    /** As in Bind: none = all text, one = for all columns, else one per column. */
    readonly resultFormats: readonly number[];
}

export interface StartedStatement {
    /** null = no rows; the statement is finished. */
    readonly rows: RowSource | null;
    /** The command tag, told the number of rows written by the last pull for SELECT, else the rows affected. */
    tag(rowsPulled: number): string;
    /** What it did, after its last row: lines of EXPLAIN ANALYZE (segments read and pruned). */
    statistics?(): readonly string[];
}

/** Rows on their way to a client, pulled in order. */
export interface RowSource {
    /** Writes at most `rowsMax` rows (0 = all). The answer says how many, and whether there are no more. */
    pull(rowsMax: number, writer: ResponseWriter): Awaitable<PullResult>;
    /** Asks a pull in progress to end soon; its answer is no longer looked at. Default: it ends by itself. */
    cancel?(): void;
    /** Ends early; safe to call twice. */
    close(): Awaitable<void>;
}

export interface PullResult {
    readonly rows: number;
    readonly done: boolean;
}

export const NO_PARAMETERS: Parameters = {values: [], raw: [], resultFormats: []};
