/**
 * The `StatementContext` of a session: one object, reused for every statement, so that the point path allocates
 * nothing for it. Also the place where a running statement is cancelled.
 *
 * What must stay true: one statement at a time uses it; `beginStatement` is called before each start.
 */
import {PgError} from '../../catalog/errors.ts';
import type {SequenceDescriptor} from '../../catalog/catalog-change.ts';
import type {CatalogView} from '../../catalog/catalog.ts';
import {parseQualifiedName} from './qualified-name.ts';
import type {SessionContext} from '../../catalog/twin/session-context.ts';
import type {OutputSettings} from '../../catalog/types/settings.ts';
import type {ErrorFields} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import type {DrawnSequences, Identity, StatementContext} from '../exec/statement-context.ts';
import type {EvaluationContext} from '../sql/compile/evaluation.ts';
import type {Transaction} from '../txn/transaction.ts';
import {nowMicros, SessionEvaluation} from './session-evaluation.ts';
import {StatementWriter} from './statement-writer.ts';
import type {Session} from './session.ts';

/** What cancelled work has to end by itself. */
const CANCEL_GRACE_MS = 2_000;

export class SessionContextState implements StatementContext {
    readonly session: Session;
    readonly database: Database;
    readonly processId: number;
    readonly writer: StatementWriter;
    readonly #evaluation: SessionEvaluation;
    statementText = '';
    snapshotSeq = 0;
    /** Microseconds since 2000-01-01 when the statement began. 0 = not asked for yet. */
    statementMicros = 0n;
    #interrupt: (() => void) | undefined;
    /** Of the work that is awaited: it has been asked to end. */
    #onCancelled: ((error: PgError) => void) | undefined;
    #cancelled: PgError | undefined;
    /** The session has gone on without the statement. */
    #abandoned: PgError | undefined;
    #abort: AbortController | undefined;
    #twinContext: SessionContext | undefined;
    #twinContextVersion = -1;
    #twinDdlCount = -1;

    /** `previous`: the abandoned one that this one replaces. */
    constructor(session: Session, previous?: SessionContextState) {
        this.session = session;
        this.database = session.database;
        this.processId = session.processId;
        this.writer = new StatementWriter(session.writer, () => this.#cancelled);
        this.#evaluation = new SessionEvaluation(session, this, previous?.sessionEvaluation);
        this.statementText = previous?.statementText ?? '';
    }

    get catalog(): CatalogView {
        return this.session.transaction.catalog;
    }

    get identity(): Identity {
        return this.session.identity;
    }

    get transaction(): Transaction | null {
        return this.session.transaction.current;
    }

    get evaluation(): EvaluationContext {
        return this.#evaluation;
    }

    get drawnSequences(): DrawnSequences {
        return this.#evaluation;
    }

    get sessionEvaluation(): SessionEvaluation {
        return this.#evaluation;
    }

    get output(): OutputSettings {
        return this.session.settings.output;
    }

    get allUsers(): boolean {
        return this.session.settings.allUsers;
    }

    get searchPath(): readonly string[] {
        return this.session.settings.searchPath;
    }

    get signal(): AbortSignal {
        if (this.#abandoned !== undefined) return AbortSignal.abort(this.#abandoned);
        return (this.#abort ??= new AbortController()).signal;
    }

    get twinContext(): SessionContext {
        const {settings, transaction} = this.session;
        if (
            this.#twinContext === undefined ||
            this.#twinContextVersion !== settings.version ||
            this.#twinDdlCount !== transaction.ddl.length
        ) {
            this.#twinContextVersion = settings.version;
            this.#twinDdlCount = transaction.ddl.length;
            this.#twinContext = {
                sessionId: this.processId,
                user: this.identity.user,
                sessionUser: this.identity.sessionUser,
                superuser: this.identity.superuser,
                settings: settings.forTwin(),
                settingsVersion: settings.version,
                pendingDdl: transaction.ddl.map((entry) => entry.pending),
            };
        }
        return this.#twinContext;
    }

    write(): Transaction {
        if (this.#abandoned !== undefined) throw this.#abandoned;
        return this.session.transaction.write();
    }

    beginStatement(): void {
        this.snapshotSeq = this.database.committer.visibleSeq;
        this.statementMicros = 0n;
        this.#cancelled = undefined;
    }

    fixSnapshot(seq: number): void {
        this.snapshotSeq = seq;
    }

    fixStatementTime(): bigint {
        if (this.statementMicros === 0n) this.statementMicros = nowMicros();
        return this.statementMicros;
    }

    /** A sequence by the text given to nextval and its kin: a name as in SQL, perhaps qualified or quoted. */
    sequenceNamed(text: string): SequenceDescriptor {
        const parts = parseQualifiedName(text);
        const name = parts.at(-1) ?? '';
        const sequence = this.catalog.sequence(parts.length > 1 ? parts.at(-2) : undefined, name, this.searchPath);
        if (sequence !== undefined) return sequence;
        if (this.catalog.table(parts.length > 1 ? parts.at(-2) : undefined, name, this.searchPath) !== undefined) {
            throw new PgError('42809', `"${name}" is not a sequence`);
        }
        throw new PgError('42P01', `relation "${parts.join('.')}" does not exist`);
    }

    setting(name: string): string {
        return this.session.settings.get(name);
    }

    notice(fields: ErrorFields): void {
        if (this.#abandoned !== undefined) return;
        if (this.session.settings.wantsNotice(fields.severity)) this.writer.notice(fields);
    }

    warn(code: string, message: string, hint?: string): void {
        this.notice({severity: 'WARNING', code, message, hint});
    }

    onCancel(interrupt: (() => void) | undefined): void {
        this.#interrupt = interrupt;
        if (interrupt !== undefined && this.#cancelled !== undefined) interrupt();
    }

    checkCancelled(): void {
        const error = this.#abandoned ?? this.#cancelled;
        if (error !== undefined) throw error;
    }

    cancel(error: PgError): void {
        this.#cancelled = error;
        this.#interrupt?.();
        this.#abort?.abort(error);
        this.#abort = undefined;
        this.session.transaction.current?.cancelWait?.(error);
        this.writer.cancelWaits(error);
        this.#onCancelled?.(error);
    }

    /** What still runs for this context can no longer write, neither rows nor messages. */
    abandon(error: PgError): void {
        this.#abandoned = error;
        this.writer.end(error);
    }

    /**
     * Awaits work under statement_timeout and cancel. Cancelled work is asked to end, and is waited for so that nothing
     * of it reaches the next statement; work that does not end soon is abandoned, and the client answered.
     * @param late Gets what the work gave although it was cancelled.
     */
    guard<T>(work: Promise<T>, {late, abandons = true}: GuardOptions<T> = {}): Promise<T> {
        const timeoutMs = this.session.settings.milliseconds('statement_timeout');
        return new Promise<T>((resolve, reject) => {
            let timer: NodeJS.Timeout | undefined;
            let grace: NodeJS.Timeout | undefined;
            let answered = false;
            const settle = (): PgError | undefined => {
                clearTimeout(timer);
                clearTimeout(grace);
                if (answered) return this.#abandoned;
                answered = true;
                const cancelled = this.#cancelled;
                // It was for this work: the statement ends with it.
                this.#cancelled = undefined;
                this.#onCancelled = undefined;
                this.#interrupt = undefined;
                return cancelled;
            };
            this.#onCancelled = (error) => {
                clearTimeout(timer);
                if (!abandons || grace !== undefined) return;
                grace = setTimeout(() => {
                    settle();
                    this.session.abandonStatement(error);
                    reject(error);
                }, CANCEL_GRACE_MS);
            };
            if (timeoutMs > 0) {
                timer = setTimeout(
                    () => this.cancel(new PgError('57014', 'canceling statement due to statement timeout')),
                    timeoutMs,
                );
            }
            work.then(
                (value) => {
                    const cancelled = settle();
                    if (cancelled === undefined) resolve(value);
                    else {
                        late?.(value);
                        reject(cancelled);
                    }
                },
                (error: unknown) => reject(settle() ?? error),
            );
        });
    }
}

export interface GuardOptions<T> {
    readonly late?: (value: T) => void;
    /** False for work that ends by itself when it is asked to: it writes to the client, who must not be answered twice. */
    readonly abandons?: boolean;
}
