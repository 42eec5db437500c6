/**
 * What utility statements may do with the session they run in: the narrow side of `Session` that SET, BEGIN, PREPARE,
 * DECLARE and LISTEN need. All other statements have no business here.
 *
 * What must stay true: `Session` has all of this as it is; nothing here casts to it.
 */
import type {Cursor} from '../../session/cursor.ts';
import type {SessionCursors} from '../../session/session-cursors.ts';
import type {SessionAdvisoryLocks} from '../../txn/advisory-locks.ts';
import type {SessionSettings} from '../../session/session-settings.ts';
import type {SessionTransaction} from '../../session/session-transaction.ts';
import type {Plan} from '../plan.ts';
import type {Identity} from '../statement-context.ts';

export interface PreparedEntry {
    readonly sql: string;
    readonly declaredTypes: readonly number[];
    /** null = empty statement. */
    readonly plan: Plan | null;
}

export interface SessionControl {
    readonly processId: number;
    readonly identity: Identity;
    /** Who connected: what RESET SESSION AUTHORIZATION goes back to. */
    readonly loginIdentity: Identity;
    readonly settings: Pick<SessionSettings, 'set' | 'get' | 'lookup' | 'resetAll'>;
    readonly transaction: Pick<
        SessionTransaction,
        | 'inBlock'
        | 'manyStatements'
        | 'isReadOnly'
        | 'hasRun'
        | 'addDdl'
        | 'ddl'
        | 'begin'
        | 'commit'
        | 'rollback'
        | 'savepoint'
        | 'release'
        | 'rollbackToSavepoint'
        | 'setReadOnly'
        | 'onCommit'
    >;
    readonly cursors: SessionCursors;
    readonly advisoryLocks: SessionAdvisoryLocks;
    /** The cursor or portal that FETCH names. @throws PgError 34000. */
    cursor(name: string): Cursor;
    /** Portals and cursors are counted in one order. */
    nextPortalSerial(): number;
    readonly statementNames: Iterable<string>;
    /** Plans a statement's text and keeps it under a name. @throws PgError 42P05. */
    prepareNamed(name: string, sql: string, parameterTypes: readonly number[]): Promise<void>;
    /** The statement, planned anew when the catalog has changed. @throws PgError 26000. */
    prepared(name: string): Promise<PreparedEntry>;
    /** False when there is none of that name. */
    deallocate(name: string): boolean;
    deallocateAll(): void;
    /** DISCARD ALL, the part that is the session's own: portals and what currval remembers. */
    forgetSequences(): void;
    closePortals(): void;
}
