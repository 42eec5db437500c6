/**
 * One client's session: prepared statements, portals, the transaction, and the order in which statements run. It
 * implements the wire's `SessionHandler`; what a statement does is decided by its plan.
 *
 * What must stay true:
 * - One statement runs at a time. Statements that finish synchronously never touch a promise until their commit waits
 *   for the log.
 * - An error outside a block rolls the implicit transaction back; inside a block it fails the block until ROLLBACK.
 * - Portals die with their transaction; statements live until closed.
 */
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {
    Awaitable,
    BindMessage,
    ConnectionControl,
    FieldDescription,
    ResponseWriter,
    SessionHandler,
    StartupRequest,
} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import {
    NO_PARAMETERS,
    type Parameters,
    type Plan,
    type PullResult,
    type RowSource,
    type StartedStatement,
} from '../exec/plan.ts';
import type {Statement} from '../exec/planner.ts';
import {formatOf} from '../exec/row-writer.ts';
import type {Identity, SavepointState} from './session-types.ts';
import {type GuardOptions, SessionContextState} from './statement-context.ts';
import {SessionSettings} from './session-settings.ts';
import {SessionTransaction} from './session-transaction.ts';
import {Cursor} from './cursor.ts';
import {SessionCursors} from './session-cursors.ts';
import {SessionNotifications} from './session-notifications.ts';
import {actingIdentity} from './session-role.ts';
import {runWithWaits} from './statement-driver.ts';
import {SessionAdvisoryLocks} from '../txn/advisory-locks.ts';
import {readParameter} from './parameters.ts';

export interface PreparedStatement {
    readonly sql: string;
    /** As sent: with PREPARE itself, when that made it. */
    readonly text: string;
    readonly declaredTypes: readonly number[];
    /** Planned again when the catalog has changed, or the session's role or search_path. null = empty statement. */
    plan: Plan | null;
    planningKey: string;
    /** Of the settings when `planningKey` was last looked at. */
    settingsVersion: number;
    readonly preparedAtMs: number;
    readonly fromSql: boolean;
}

interface Portal {
    readonly serial: number;
    readonly statement: PreparedStatement;
    readonly parameters: Parameters;
    started: StartedStatement | null;
    finished: boolean;
    /** What SQL reads it by. */
    cursor?: Cursor;
}

/** Prepared statements of one session. */
const STATEMENTS_MAX = 100_000;
const PORTALS_MAX = 10_000;

export class Session implements SessionHandler {
    readonly database: Database;
    readonly processId: number;
    readonly startup: StartupRequest;
    readonly connection: ConnectionControl;
    readonly writer: ResponseWriter;
    readonly settings: SessionSettings;
    readonly transaction: SessionTransaction;
    readonly statements = new Map<string, PreparedStatement>();
    readonly cursors = new SessionCursors();
    /** Who connected. */
    readonly loginIdentity: Identity;
    readonly startedAtMs = Date.now();
    identity: Identity;
    /** For pg_stat_activity. */
    currentQuery = '';
    queryStartedAtMs = 0;
    stateChangedAtMs = Date.now();
    running = false;
    readonly #portals = new Map<string, Portal>();
    #context: SessionContextState;
    readonly #notifications: SessionNotifications;
    /** What is running, should it have to be planned again: a text with literals, a statement, a prepared one. */
    #source: string | Statement | PreparedStatement = '';
    #replanned: Plan | undefined;
    #closed = false;
    #portalSerial = 0;
    #advisoryLocks: SessionAdvisoryLocks | undefined;
    /** Of the catalog that `identity` goes by. */
    #identityVersion: number;

    constructor(
        database: Database,
        startup: StartupRequest,
        connection: ConnectionControl,
        writer: ResponseWriter,
        identity: Identity,
    ) {
        this.database = database;
        this.#identityVersion = database.catalog.version;
        this.startup = startup;
        this.connection = connection;
        this.processId = connection.processId;
        this.writer = writer;
        this.identity = identity;
        this.loginIdentity = identity;
        this.settings = new SessionSettings(database, startup, identity, () => this.#roleChanged());
        this.transaction = new SessionTransaction(this);
        this.#context = new SessionContextState(this);
        this.#notifications = new SessionNotifications(this);
    }

    transactionStatus(): 'I' | 'T' | 'E' {
        return this.transaction.status;
    }

    get closed(): boolean {
        return this.#closed;
    }

    /** SET ROLE, SET SESSION AUTHORIZATION, or a transaction's end that undid them. */
    #roleChanged(): void {
        const {settings} = this;
        const authorization = settings.lookupOwn('session_authorization');
        const role = settings.lookupOwn('role');
        this.identity = actingIdentity(this.loginIdentity, authorization, role, this.transaction.catalog);
        const sessionRole = this.transaction.catalog.role(this.identity.sessionUser);
        const {user, superuser, sessionUser} = this.identity;
        settings.userChanged(user, role === undefined ? (sessionRole?.superuser ?? superuser) : superuser, sessionUser);
    }

    /** ALTER ROLE … NOSUPERUSER takes effect at once. */
    #refreshIdentity(): void {
        const {catalog} = this.transaction;
        this.#identityVersion = catalog.version;
        const superuser = catalog.role(this.identity.user)?.superuser ?? false;
        if (superuser === this.identity.superuser) return;
        this.identity = {...this.identity, superuser};
        this.settings.userChanged(this.identity.user, superuser, this.identity.sessionUser);
    }

    get context(): SessionContextState {
        return this.#context;
    }

    // Simple query

    query(sql: string): Awaitable<void> {
        this.#begin(sql);
        this.statements.delete('');
        this.#portals.delete('');
        const fast = this.database.planner.planLiteral(sql, this.#context);
        if (fast !== undefined) {
            this.#source = sql;
            this.transaction.refusePlanInFailed(fast.plan);
            const done = this.#runSimple(fast.plan, fast.parameters);
            if (done instanceof Promise) return done.then(() => this.#endImplicit());
            return this.#endImplicit();
        }
        return this.#queryAll(sql);
    }

    async #queryAll(sql: string): Promise<void> {
        const statements = this.database.planner.split(sql);
        if (statements.length === 0) {
            this.writer.emptyQueryResponse();
            return;
        }
        this.transaction.manyStatements = statements.length > 1;
        try {
            for (const statement of statements) {
                this.#context.statementText = statement.sql;
                this.transaction.refuseInFailed(statement.endsTransaction);
                const plan = await this.#guard(this.database.planner.plan(statement, [], this.#context));
                if (plan.parameterTypes.length > 0) {
                    throw noParameter(statement);
                }
                this.#source = statement;
                await this.#runSimple(plan, NO_PARAMETERS);
            }
        } finally {
            this.transaction.manyStatements = false;
        }
        await this.#endImplicit();
    }

    #runSimple(plan: Plan, parameters: Parameters): Awaitable<void> {
        const started = this.#start(plan, parameters);
        if (started instanceof Promise) {
            // Nothing was told to the client yet: another result type does no harm.
            return started.then((result) => this.#finishSimple(this.#replanned ?? plan, result));
        }
        return this.#finishSimple(plan, started);
    }

    #finishSimple(plan: Plan, started: StartedStatement): Awaitable<void> {
        if (started.rows === null) {
            this.writer.commandComplete(started.tag(0));
            return;
        }
        this.writer.rowDescription(plan.fields ?? [], []);
        const {rows} = started;
        const pulled = rows.pull(0, this.writer);
        if (pulled instanceof Promise) return this.#finishPull(started, rows, pulled);
        this.writer.commandComplete(started.tag(pulled.rows));
    }

    async #finishPull(started: StartedStatement, rows: RowSource, pulled: Promise<PullResult>): Promise<void> {
        try {
            const result = await this.#guardPull(rows, pulled);
            this.writer.commandComplete(started.tag(result.rows));
        } finally {
            await rows.close();
        }
    }

    // Extended query

    parse(name: string, sql: string, parameterTypes: readonly number[]): Awaitable<void> {
        this.#begin(sql);
        this.#assertRoom(name);
        if (name === '') this.statements.delete('');
        const cached = this.database.planner.cached(sql, parameterTypes, this.#context);
        if (cached !== undefined) {
            this.transaction.refuseInFailed(false);
            this.#addStatement(name, sql, parameterTypes, cached, false);
            this.writer.parseComplete();
            return;
        }
        return this.#parseNew(name, sql, parameterTypes);
    }

    async #parseNew(name: string, sql: string, parameterTypes: readonly number[]): Promise<void> {
        const plan = await this.#guard(this.prepare(sql, parameterTypes));
        this.#addStatement(name, sql, parameterTypes, plan, false);
        this.writer.parseComplete();
    }

    /** Plans one statement; null for an empty one. */
    async prepare(sql: string, parameterTypes: readonly number[]): Promise<Plan | null> {
        const statements = this.database.planner.split(sql);
        const [statement, second] = statements;
        if (second !== undefined) {
            throw new PgError('42601', 'cannot insert multiple commands into a prepared statement');
        }
        if (statement === undefined) return null;
        this.#context.statementText = statement.sql;
        this.transaction.refuseInFailed(statement.endsTransaction);
        return await this.database.planner.plan(statement, parameterTypes, this.#context);
    }

    #addStatement(
        name: string,
        sql: string,
        declaredTypes: readonly number[],
        plan: Plan | null,
        fromSql: boolean,
    ): void {
        this.statements.set(name, {
            sql,
            text: fromSql ? this.#context.statementText : sql,
            declaredTypes,
            plan,
            planningKey: this.database.planner.planningKey(this.#context),
            settingsVersion: this.settings.version,
            preparedAtMs: Date.now(),
            fromSql,
        });
    }

    #isFresh(statement: PreparedStatement, plan: Plan): boolean {
        if (!this.database.planner.isFresh(plan, this.#context)) return false;
        if (statement.settingsVersion === this.settings.version) return true;
        if (statement.planningKey !== this.database.planner.planningKey(this.#context)) return false;
        statement.settingsVersion = this.settings.version;
        return true;
    }

    // SQL's PREPARE, EXECUTE, DEALLOCATE

    async prepareNamed(name: string, sql: string, parameterTypes: readonly number[]): Promise<void> {
        this.#assertRoom(name);
        const {statementText} = this.#context;
        const plan = await this.prepare(sql, parameterTypes);
        this.#context.statementText = statementText;
        this.#addStatement(name, sql, parameterTypes, plan, true);
    }

    async prepared(name: string): Promise<PreparedStatement> {
        const statement = this.#statement(name);
        const {plan} = statement;
        if (plan !== null && !this.#isFresh(statement, plan)) await this.#replan(statement);
        return statement;
    }

    get statementNames(): Iterable<string> {
        return this.statements.keys();
    }

    deallocate(name: string): boolean {
        return this.statements.delete(name);
    }

    deallocateAll(): void {
        this.statements.clear();
    }

    forgetSequences(): void {
        this.#context.sessionEvaluation.forgetSequences();
    }

    #assertRoom(name: string): void {
        if (name !== '' && this.statements.has(name)) {
            throw new PgError('42P05', `prepared statement "${name}" already exists`);
        }
        if (this.statements.size >= STATEMENTS_MAX) {
            throw new PgError('54000', `too many prepared statements (at most ${STATEMENTS_MAX} in a session)`, {
                hint: 'Close or DEALLOCATE statements that are not used any more.',
            });
        }
    }

    bind(portalName: string, statementName: string, message: BindMessage): Awaitable<void> {
        this.#notifications.busy();
        if (this.#identityVersion !== this.transaction.catalog.version) this.#refreshIdentity();
        const statement = this.#statement(statementName);
        if (portalName !== '' && (this.#portals.has(portalName) || this.cursors.find(portalName) !== undefined)) {
            throw new PgError('42P03', `cursor "${portalName}" already exists`);
        }
        if (this.#portals.size >= PORTALS_MAX) throw new PgError('54000', 'too many open portals');
        const plan = statement.plan;
        if (plan !== null) {
            if (!this.#isFresh(statement, plan)) {
                // Values are read from the connection's buffer, which the next message may move.
                const copy = copyOfBind(message);
                return this.#replan(statement).then(() => this.#bind(portalName, statement, statementName, copy));
            }
            this.transaction.refusePlanInFailed(plan);
        }
        this.#bind(portalName, statement, statementName, message);
    }

    async #replan(statement: PreparedStatement): Promise<void> {
        const before = statement.plan?.fields ?? null;
        const plan = await this.#guard(this.prepare(statement.sql, statement.declaredTypes));
        if (!sameFields(before, plan?.fields ?? null)) {
            throw new PgError('0A000', 'cached plan must not change result type');
        }
        statement.plan = plan;
        statement.planningKey = this.database.planner.planningKey(this.#context);
        statement.settingsVersion = this.settings.version;
    }

    /** DDL has changed a table of the running statement since it was planned. Its parameters have been read already. */
    async replanRunning(stale: Plan): Promise<{readonly plan: Plan; readonly parameters: Parameters | undefined}> {
        const source = this.#source;
        const {planner, committer} = this.database;
        // The change may be ordered and not visible yet.
        await committer.whenVisible(committer.enqueuedSeq);
        let plan: Plan | null | undefined;
        let parameters: Parameters | undefined;
        if (typeof source === 'string') ({plan, parameters} = planner.planLiteral(source, this.#context) ?? {});
        else if ('plan' in source) {
            await this.#replan(source);
            plan = source.plan;
        } else plan = await planner.plan(source, [], this.#context);
        const sameParameters = parameters !== undefined || isSame(stale.parameterTypes, plan?.parameterTypes ?? []);
        if (plan === null || plan === undefined || !sameParameters) {
            throw new PgError('0A000', 'cached plan must not change result type');
        }
        this.#replanned = plan;
        return {plan, parameters};
    }

    #bind(portalName: string, statement: PreparedStatement, name: string, message: BindMessage): void {
        const types = statement.plan?.parameterTypes ?? [];
        if (message.parameterCount !== types.length) {
            throw new PgError(
                '08P01',
                `bind message supplies ${message.parameterCount} parameters, but prepared statement "${name}" requires ${types.length}`,
            );
        }
        const columnCount = statement.plan?.fields?.length;
        const formats = message.resultFormats;
        // Formats for a statement without rows mean nothing: pgjdbc sends those of the statement before.
        if (formats.length > 1 && columnCount !== undefined && formats.length !== columnCount) {
            throw new PgError(
                '08P01',
                `bind message has ${formats.length} result formats but query has ${columnCount} columns`,
            );
        }
        for (const format of formats) {
            if (format !== 0 && format !== 1) throw new PgError('22023', `unsupported format code: ${format}`);
        }
        const registry = this.#context.catalog.types;
        const values: Datum[] = [];
        const keepRaw =
            statement.plan !== null && (statement.plan.path !== 'point' || statement.plan.needsRaw === true);
        const raw: ({bytes: Uint8Array; format: 0 | 1} | null)[] = [];
        for (let i = 0; i < types.length; i++) {
            const offset = message.offsets[i] ?? 0;
            const length = message.lengths[i] ?? -1;
            const format = message.formats[i] === 1 ? 1 : 0;
            values.push(
                readParameter(registry, types[i] ?? 0, format, message.buffer, offset, length, i, this.settings.output),
            );
            if (keepRaw) {
                raw.push(
                    length < 0
                        ? null
                        : {bytes: Uint8Array.prototype.slice.call(message.buffer, offset, offset + length), format},
                );
            }
        }
        this.#portals.set(portalName, {
            serial: this.nextPortalSerial(),
            statement,
            parameters: {values, raw, resultFormats: formats.length === 0 ? NO_FORMATS : [...formats]},
            started: null,
            finished: false,
        });
        this.writer.bindComplete();
    }

    describeStatement(name: string): Awaitable<void> {
        this.#notifications.busy();
        const statement = this.#statement(name);
        if (statement.plan !== null && !this.#isFresh(statement, statement.plan)) {
            return this.#replan(statement).then(() => this.#describe(statement));
        }
        this.#describe(statement);
    }

    #describe(statement: PreparedStatement): void {
        this.writer.parameterDescription(statement.plan?.parameterTypes ?? []);
        const fields = statement.plan?.fields ?? null;
        if (fields === null) this.writer.noData();
        else this.writer.rowDescription(fields, []);
    }

    describePortal(name: string): void {
        // DECLARE makes a portal as well.
        const cursor = this.#portals.has(name) ? undefined : this.cursors.find(name);
        if (cursor !== undefined) {
            this.writer.rowDescription(cursor.plan.fields ?? [], []);
            return;
        }
        const portal = this.#portal(name);
        const fields = portal.statement.plan?.fields ?? null;
        if (fields === null) this.writer.noData();
        else this.writer.rowDescription(fields, portal.parameters.resultFormats);
    }

    execute(portalName: string, rowsMax: number): Awaitable<void> {
        this.#notifications.busy();
        const portal = this.#portal(portalName);
        const plan = portal.statement.plan;
        if (plan === null) {
            this.writer.emptyQueryResponse();
            return;
        }
        if (portal.started === null) {
            this.transaction.refusePlanInFailed(plan);
            this.#source = portal.statement;
            if (plan.path !== 'utility' && !this.#isFresh(portal.statement, plan)) {
                return this.#guard(this.replanRunning(plan)).then(() => this.execute(portalName, rowsMax));
            }
            const started = this.#start(plan, portal.parameters);
            if (started instanceof Promise) {
                return started.then((result) => {
                    portal.started = result;
                    return this.#pull(portalName, portal, result, rowsMax);
                });
            }
            portal.started = started;
        }
        return this.#pull(portalName, portal, portal.started, rowsMax);
    }

    #pull(portalName: string, portal: Portal, started: StartedStatement, rowsMax: number): Awaitable<void> {
        if (started.rows === null) {
            if (portal.finished) throw new PgError('55000', `portal "${portalName}" cannot be run`);
            portal.finished = true;
            this.writer.commandComplete(started.tag(0));
            return;
        }
        const pulled = started.rows.pull(rowsMax, this.writer);
        if (pulled instanceof Promise) {
            return this.#guardPull(started.rows, pulled).then((result) =>
                this.#pulled(started, result.rows, result.done),
            );
        }
        this.#pulled(started, pulled.rows, pulled.done);
    }

    #pulled(started: StartedStatement, rows: number, done: boolean): void {
        if (done) this.writer.commandComplete(started.tag(rows));
        else this.writer.portalSuspended();
    }

    closeStatement(name: string): void {
        this.statements.delete(name);
        this.writer.closeComplete();
    }

    closePortal(name: string): Awaitable<void> {
        const portal = this.#portals.get(name);
        if (portal === undefined && this.cursors.find(name) !== undefined) {
            return this.cursors.close(name).then(() => this.writer.closeComplete());
        }
        this.#portals.delete(name);
        const closed = portal?.started?.rows?.close();
        if (closed instanceof Promise) return closed.then(() => this.writer.closeComplete());
        this.writer.closeComplete();
    }

    sync(): Awaitable<void> {
        return this.#endImplicit();
    }

    // Common

    #begin(sql: string): void {
        this.#notifications.busy();
        if (this.#identityVersion !== this.transaction.catalog.version) this.#refreshIdentity();
        this.currentQuery = sql;
        this.queryStartedAtMs = Date.now();
        this.#context.statementText = sql;
    }

    /** Starts a plan; waits for locks and cold rows and starts again where it must. */
    #start(plan: Plan, parameters: Parameters): Awaitable<StartedStatement> {
        const context = this.#context;
        if (plan.writes) this.transaction.refuseWrite(plan);
        if (plan.path !== 'utility') this.transaction.hasRun = true;
        context.beginStatement();
        this.#replanned = undefined;
        this.running = true;
        const started = runWithWaits(this, context, plan, parameters);
        if (started instanceof Promise && !plan.endsTransaction) return this.#guard(started, {late: closeRows});
        // What has been committed can no longer be cancelled.
        this.running = false;
        return started;
    }

    /** Awaits under statement_timeout and cancel. */
    #guard<T>(work: Promise<T>, options?: GuardOptions<T>): Promise<T> {
        this.running = true;
        return this.#context.guard(work, options).finally(() => {
            this.running = false;
        });
    }

    #guardPull(rows: RowSource, pulled: Promise<PullResult>): Promise<PullResult> {
        this.#context.onCancel(() => rows.cancel?.());
        return this.#guard(pulled, {abandons: false});
    }

    /** A cancelled statement does not end: it goes on without the session, and the session without it. */
    abandonStatement(error: PgError): void {
        this.#context.abandon(error);
        this.#context = new SessionContextState(this, this.#context);
    }

    #endImplicit(): Awaitable<void> {
        const holding = this.transaction.inBlock ? undefined : this.cursors.hold();
        if (holding !== undefined) return this.#guard(holding).then(() => this.#endImplicit());
        const ended = this.transaction.endImplicit();
        if ((this.#portals.size > 0 || this.cursors.size > 0) && !this.transaction.inBlock) this.closePortals();
        return ended;
    }

    /** False when it never asked for one. */
    get holdsAdvisoryLocks(): boolean {
        return this.#advisoryLocks !== undefined;
    }

    get advisoryLocks(): SessionAdvisoryLocks {
        if (this.#advisoryLocks === undefined) {
            this.#advisoryLocks = new SessionAdvisoryLocks(this.database.advisoryLocks, this.processId);
            if (this.transaction.current !== null) this.transaction.current.companion = this.#advisoryLocks.owner;
        }
        return this.#advisoryLocks;
    }

    /** What FETCH and MOVE name: a cursor, or a portal of the protocol that has given rows. @throws PgError 34000. */
    cursor(name: string): Cursor {
        const portal = this.cursors.find(name) === undefined ? this.#portals.get(name) : undefined;
        const plan = portal?.statement.plan ?? null;
        if (portal === undefined || plan === null || portal.started === null || portal.started.rows === null) {
            return this.cursors.require(name);
        }
        portal.cursor ??= new Cursor(
            {
                name,
                statement: portal.statement.text,
                scroll: 'no',
                withHold: false,
                serial: portal.serial,
                formats: portal.parameters.resultFormats,
            },
            plan,
            portal.started.rows,
            this.#context.writer,
        );
        return portal.cursor;
    }

    get portalSerial(): number {
        return this.#portalSerial;
    }

    nextPortalSerial(): number {
        return ++this.#portalSerial;
    }

    /** Portals do not outlive their transaction; with `after`, those made later than that in it. */
    closePortals(after = 0): void {
        for (const [name, portal] of this.#portals) {
            if (portal.serial <= after) continue;
            this.#portals.delete(name);
            const closed = portal.started?.rows?.close();
            if (closed instanceof Promise)
                closed.catch((error: unknown) => this.database.logger.warn(error, 'closing a portal'));
        }
        this.cursors.closeOfTransaction((error) => this.database.logger.warn(error, 'closing a cursor'), after);
    }

    failed(_error: unknown): Awaitable<void> {
        this.running = false;
        this.transaction.manyStatements = false;
        this.transaction.fail();
        if (!this.transaction.inBlock) this.closePortals();
    }

    beforeReady(): void {
        this.stateChangedAtMs = Date.now();
        this.settings.report(this.writer);
        for (const message of this.settings.warnings.splice(0)) this.#context.warn('01000', message);
        this.#notifications.beforeReady();
    }

    cancel(): void {
        if (this.running) this.#context.cancel(new PgError('57014', 'canceling statement due to user request'));
    }

    async close(): Promise<void> {
        if (this.#closed) return;
        this.#closed = true;
        const gone = new PgError('57P01', 'terminating connection', {severity: 'FATAL'});
        this.#context.cancel(gone);
        this.#context.abandon(gone);
        this.closePortals();
        this.cursors.closeAll((error) => this.database.logger.warn(error, 'closing a cursor'));
        this.transaction.abandon();
        this.#advisoryLocks?.releaseOfTransaction();
        this.#advisoryLocks?.releaseAll();
        await this.database.sessionClosed(this);
    }

    #statement(name: string): PreparedStatement {
        const statement = this.statements.get(name);
        if (statement !== undefined) return statement;
        throw new PgError(
            '26000',
            name === '' ? 'unnamed prepared statement does not exist' : `prepared statement "${name}" does not exist`,
        );
    }

    #portal(name: string): Portal {
        const portal = this.#portals.get(name);
        if (portal === undefined) throw new PgError('34000', `portal "${name}" does not exist`);
        return portal;
    }
}

const NO_FORMATS: readonly number[] = [];

function closeRows(started: StartedStatement): void {
    // A statement that was cancelled may still come to its rows: what they hold is given back.
    if (started.rows !== null) Promise.resolve(started.rows.close()).catch(() => undefined);
}

/** A simple query has no parameters: named by the first that its text mentions. */
function noParameter({sql, offset}: Statement): PgError {
    const found = /\$\d+/.exec(sql);
    const position = found === null ? undefined : offset + found.index + 1;
    return new PgError('42P02', `there is no parameter ${found?.[0] ?? '$1'}`, {position});
}

function copyOfBind(message: BindMessage): BindMessage {
    return {
        buffer: Buffer.from(message.buffer),
        parameterCount: message.parameterCount,
        offsets: message.offsets.slice(0, message.parameterCount),
        lengths: message.lengths.slice(0, message.parameterCount),
        formats: message.formats.slice(0, message.parameterCount),
        resultFormats: [...message.resultFormats],
    };
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
    return a.length === b.length && a.every((value, i) => value === b[i]);
}

function sameFields(before: readonly FieldDescription[] | null, after: readonly FieldDescription[] | null): boolean {
    if (before === null || after === null) return before === after;
    return (
        before.length === after.length &&
        before.every((field, i) => field.typeOid === after[i]?.typeOid && field.typmod === after[i]?.typmod)
    );
}

export type {SavepointState};
export {formatOf};
