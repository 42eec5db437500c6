/**
 * The transaction state of a session: implicit transactions, blocks, savepoints, the failed state.
 * Source: PostgreSQL documentation, "Protocol Flow" (multiple statements in a simple query, pipelining) and SQL commands
 * BEGIN, COMMIT, ROLLBACK, SAVEPOINT.
 *
 * What must stay true: `current` exists only while there is something to commit or roll back; what a transaction
 * changed besides rows (settings, LISTEN, catalog) follows its fate.
 */
import {PgError} from '../../catalog/errors.ts';
import type {CatalogChange} from '../../catalog/catalog-change.ts';
import type {CatalogView} from '../../catalog/catalog.ts';
import type {PendingDdl} from '../../catalog/twin/session-context.ts';
import type {Awaitable} from '../../wire/handler.ts';
import type {Plan} from '../exec/plan.ts';
import {BEGINNING, Transaction} from '../txn/transaction.ts';
import type {Session} from './session.ts';
import type {SavepointState} from './session-types.ts';

/** DDL of the open transaction, not committed yet. */
export interface TransactionDdl {
    readonly change: CatalogChange;
    readonly pending: PendingDdl;
}

const SAVEPOINTS_MAX = 100_000;

export class SessionTransaction {
    readonly #session: Session;
    inBlock = false;
    failed = false;
    readOnly = false;
    /** A query has run in the block: its modes can no longer change. */
    hasRun = false;
    /** A simple query with several statements is running. */
    manyStatements = false;
    current: Transaction | null = null;
    ddl: TransactionDdl[] = [];
    #overlay: CatalogView | undefined;
    #overlayBase = 0;
    #savepoints: SavepointState[] = [];
    #listens: (() => void)[] = [];
    /** Microseconds since 2000-01-01: now() of the transaction. 0 = not fixed yet. */
    startMicros = 0n;

    constructor(session: Session) {
        this.#session = session;
    }

    get status(): 'I' | 'T' | 'E' {
        if (!this.inBlock) return 'I';
        return this.failed ? 'E' : 'T';
    }

    get catalog(): CatalogView {
        const {catalog} = this.#session.database;
        if (this.ddl.length === 0) return catalog;
        // What others commit meanwhile is seen beneath the transaction's own changes.
        if (this.#overlay === undefined || this.#overlayBase !== catalog.version) {
            this.#overlay = catalog.overlay(this.ddl.map((entry) => entry.change));
            this.#overlayBase = catalog.version;
        }
        return this.#overlay;
    }

    write(): Transaction {
        if (this.current === null) {
            this.current = new Transaction(this.#session.processId);
            if (this.#session.holdsAdvisoryLocks) this.current.companion = this.#session.advisoryLocks.owner;
        }
        return this.current;
    }

    addDdl(entry: TransactionDdl): void {
        this.ddl.push(entry);
        this.#overlay = undefined;
    }

    /** Runs `action` when the transaction commits (LISTEN, UNLISTEN). */
    onCommit(action: () => void): void {
        this.#listens.push(action);
    }

    refuseInFailed(endsTransaction: boolean): void {
        if (this.failed && !endsTransaction) throw inFailedTransaction();
    }

    refusePlanInFailed(plan: Plan): void {
        if (this.failed && !plan.endsTransaction) throw inFailedTransaction();
    }

    /** Of the block, or of a statement outside of one. */
    get isReadOnly(): boolean {
        return this.inBlock ? this.readOnly : this.#session.settings.get('default_transaction_read_only') === 'on';
    }

    /** The one place where a read-only transaction refuses what writes. */
    refuseWrite(plan: Plan): void {
        if (this.isReadOnly) throw readOnlyError(plan.command ?? commandOf(this.#session.context.statementText));
    }

    /** SET TRANSACTION READ ONLY | READ WRITE. */
    setReadOnly(readOnly: boolean): void {
        if (!readOnly && this.readOnly && this.hasRun) {
            throw new PgError('25001', 'transaction read-write mode must be set before any query');
        }
        this.readOnly = readOnly;
    }

    begin(readOnly: boolean | undefined): void {
        if (this.inBlock) {
            this.#session.context.warn('25001', 'there is already a transaction in progress');
            return;
        }
        this.inBlock = true;
        this.hasRun = false;
        this.readOnly = readOnly ?? this.#session.settings.get('default_transaction_read_only') === 'on';
        this.#session.settings.beginTransaction();
    }

    /** The tag to answer with. */
    commit(chain: boolean): Awaitable<string> {
        if (!this.inBlock) {
            this.#session.context.warn('25P01', 'there is no transaction in progress');
            const ended = this.#commitCurrent();
            return ended instanceof Promise ? ended.then(() => 'COMMIT') : 'COMMIT';
        }
        if (this.failed) return this.rollback(chain);
        const readOnly = this.readOnly;
        const done = (): string => {
            this.#leaveBlock(true);
            if (chain) this.begin(readOnly);
            return 'COMMIT';
        };
        // A commit that fails has rolled back, and the block has ended: PostgreSQL leaves the same state.
        const holding = this.#session.cursors.hold();
        const committed = holding === undefined ? this.#commitCurrent() : holding.then(() => this.#commitCurrent());
        if (!(committed instanceof Promise)) return done();
        return committed.then(done, (error: unknown) => {
            this.#rollbackCurrent();
            this.#leaveBlock(false);
            throw error;
        });
    }

    rollback(chain: boolean): string {
        if (!this.inBlock) {
            this.#session.context.warn('25P01', 'there is no transaction in progress');
            this.#rollbackCurrent();
            return 'ROLLBACK';
        }
        const readOnly = this.readOnly;
        this.#rollbackCurrent();
        this.#leaveBlock(false);
        if (chain) this.begin(readOnly);
        return 'ROLLBACK';
    }

    /** Ends the transaction of statements outside a block. */
    endImplicit(): Awaitable<void> {
        if (this.inBlock) return;
        return this.#commitCurrent();
    }

    /** A statement failed. */
    fail(): void {
        if (!this.inBlock) {
            this.#rollbackCurrent();
            return;
        }
        this.failed = true;
        const savepoint = this.#savepoints.at(-1);
        // Without a savepoint nothing can be kept: the locks go now, as in PostgreSQL.
        if (savepoint === undefined) this.#rollbackCurrent();
        else this.#rollbackToState(savepoint);
        this.#session.closePortals(savepoint?.portalSerial);
    }

    savepoint(name: string): void {
        this.#requireBlock('SAVEPOINT');
        if (this.#savepoints.length >= SAVEPOINTS_MAX) throw new PgError('54000', 'too many savepoints');
        this.#savepoints.push({
            name,
            mark: this.current?.mark() ?? null,
            ddlCount: this.ddl.length,
            listenCount: this.#listens.length,
            settings: this.#session.settings.mark(),
            advisoryCount: this.#session.holdsAdvisoryLocks ? this.#session.advisoryLocks.transactionCount : 0,
            portalSerial: this.#session.portalSerial,
        });
    }

    release(name: string): void {
        this.#requireBlock('RELEASE SAVEPOINT');
        this.#savepoints.length = this.#findSavepoint(name);
    }

    rollbackToSavepoint(name: string): void {
        this.#requireBlock('ROLLBACK TO SAVEPOINT');
        const index = this.#findSavepoint(name);
        const savepoint = this.#savepoints[index];
        if (savepoint === undefined) return;
        this.#rollbackToState(savepoint);
        this.#session.closePortals(savepoint.portalSerial);
        this.#savepoints.length = index + 1;
        this.failed = false;
    }

    /** The connection is gone. */
    abandon(): void {
        this.#rollbackCurrent();
        this.#leaveBlock(false);
    }

    #rollbackToState(savepoint: SavepointState): void {
        if (this.current !== null) {
            if (savepoint.mark === null) this.current.rollbackToSavepoint(BEGINNING);
            else this.current.rollbackToSavepoint(savepoint.mark);
        }
        if (this.ddl.length > savepoint.ddlCount) {
            this.#session.database.ddl.discard(this.ddl.slice(savepoint.ddlCount));
            this.ddl.length = savepoint.ddlCount;
            this.#overlay = undefined;
        }
        this.#listens.length = savepoint.listenCount;
        if (this.#session.holdsAdvisoryLocks) {
            this.#session.advisoryLocks.releaseOfTransaction(savepoint.advisoryCount);
        }
        this.#session.settings.rollbackTo(savepoint.settings);
    }

    #findSavepoint(name: string): number {
        const index = this.#savepoints.findLastIndex((savepoint) => savepoint.name === name);
        if (index < 0) throw new PgError('3B001', `savepoint "${name}" does not exist`);
        return index;
    }

    #requireBlock(command: string): void {
        if (!this.inBlock) {
            throw new PgError('25P01', `${command} can only be used in transaction blocks`);
        }
    }

    #commitCurrent(): Awaitable<void> {
        const {database} = this.#session;
        const transaction = this.current;
        if (this.ddl.length > 0) {
            const ddl = this.ddl;
            return database.ddl.commit(this.#session, this.write(), ddl).then(() => {
                this.current = null;
                this.ddl = [];
                this.#ended(true);
            });
        }
        if (transaction === null) {
            this.#ended(true);
            return;
        }
        this.current = null;
        const seq = database.committer.commit(transaction);
        // Before the transaction is published: it hears its own notifications.
        this.#runListens();
        if (database.committer.visibleSeq >= seq) {
            this.#ended(true);
            return;
        }
        return database.committer.whenVisible(seq).then(() => this.#ended(true));
    }

    #rollbackCurrent(): void {
        const transaction = this.current;
        this.current = null;
        if (transaction !== null) this.#session.database.committer.rollback(transaction);
        if (this.ddl.length > 0) this.#session.database.ddl.discard(this.ddl);
        this.ddl = [];
        this.#ended(false);
    }

    #runListens(): void {
        if (this.#listens.length === 0) return;
        const listens = this.#listens;
        this.#listens = [];
        for (const action of listens) action();
    }

    #ended(committed: boolean): void {
        this.#overlay = undefined;
        this.startMicros = 0n;
        if (this.#session.holdsAdvisoryLocks) this.#session.advisoryLocks.releaseOfTransaction();
        if (committed) this.#runListens();
        else this.#listens = [];
        if (!this.inBlock) this.#session.settings.endTransaction(committed);
    }

    #leaveBlock(committed: boolean): void {
        this.inBlock = false;
        this.failed = false;
        this.readOnly = false;
        this.#savepoints = [];
        this.#session.settings.endTransaction(committed);
        this.#session.closePortals();
    }
}

export function readOnlyError(command: string): PgError {
    return new PgError('25006', `cannot execute ${command} in a read-only transaction`);
}

/** A statement's name in messages: its first word, and which rows a SELECT locks. */
function commandOf(sql: string): string {
    const word = (/[a-z]+/i.exec(sql.replaceAll(/--.*|\/\*[\s\S]*?\*\//g, ' '))?.[0] ?? '').toUpperCase();
    if (word !== 'SELECT' && word !== 'WITH') return word;
    const strength = /\bfor\s+(no\s+key\s+update|key\s+share|update|share)\b/i.exec(sql)?.[1];
    if (strength !== undefined) return `SELECT FOR ${strength.toUpperCase().replaceAll(/\s+/g, ' ')}`;
    return (/\b(insert|update|delete|merge)\b/i.exec(sql)?.[1] ?? word).toUpperCase();
}

function inFailedTransaction(): PgError {
    return new PgError('25P02', 'current transaction is aborted, commands ignored until end of transaction block');
}
