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
import type {ErrorFields, ResponseWriter} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import type {DrawnSequences, Identity, StatementContext} from '../exec/statement-context.ts';
import type {EvaluationContext} from '../sql/compile/evaluation.ts';
import type {Transaction} from '../txn/transaction.ts';
import {nowMicros, SessionEvaluation} from './session-evaluation.ts';
import type {Session} from './session.ts';

export class SessionContextState implements StatementContext {
    readonly session: Session;
    readonly database: Database;
    readonly processId: number;
    readonly writer: ResponseWriter;
    readonly #evaluation: SessionEvaluation;
    statementText = '';
    snapshotSeq = 0;
    /** Microseconds since 2000-01-01 when the statement began. 0 = not asked for yet. */
    statementMicros = 0n;
    #interrupt: (() => void) | undefined;
    #reject: ((error: PgError) => void) | undefined;
    #cancelled: PgError | undefined;
    #abort: AbortController | undefined;
    #twinContext: SessionContext | undefined;
    #twinContextVersion = -1;
    #twinDdlCount = -1;

    constructor(session: Session) {
        this.session = session;
        this.database = session.database;
        this.processId = session.processId;
        this.writer = session.writer;
        this.#evaluation = new SessionEvaluation(session, this);
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
        if (this.#cancelled !== undefined) throw this.#cancelled;
    }

    cancel(error: PgError): void {
        this.#cancelled = error;
        this.#interrupt?.();
        this.#abort?.abort(error);
        this.#abort = undefined;
        this.session.transaction.current?.cancelWait?.(error);
        this.#reject?.(error);
    }

    /** Awaits work under statement_timeout and cancel: the client is answered even when the work ends later. */
    guard<T>(work: Promise<T>): Promise<T> {
        const timeoutMs = this.session.settings.milliseconds('statement_timeout');
        return new Promise<T>((resolve, reject) => {
            let timer: NodeJS.Timeout | undefined;
            const settle = (): void => {
                clearTimeout(timer);
                if (this.#reject === rejectNow) this.#reject = undefined;
                this.#interrupt = undefined;
            };
            const rejectNow = (error: PgError): void => {
                settle();
                reject(error);
            };
            this.#reject = rejectNow;
            if (timeoutMs > 0) {
                timer = setTimeout(
                    () => this.cancel(new PgError('57014', 'canceling statement due to statement timeout')),
                    timeoutMs,
                );
            }
            work.then(
                (value) => {
                    settle();
                    resolve(value);
                },
                (error: unknown) => {
                    settle();
                    reject(this.#cancelled ?? error);
                },
            );
        });
    }
}
