/**
 * Live queries joined to the database: compiles what sessions ask for, takes snapshots, keeps the change log for those
 * that resume, and the LISTEN "SELECT …" of each session.
 *
 * What must stay true: a snapshot holds every commit up to its `seq` and none after; the change log is bounded by
 * `live_retention` and by bytes, and begins with the first live query of the process, so that a server without live
 * queries pays nothing for it.
 */
import {hasRightsOf} from '../../catalog/acl.ts';
import type {CatalogChange} from '../../catalog/catalog-change.ts';
import {PgError} from '../../catalog/errors.ts';
import type {Database} from '../database.ts';
import {requirePrivileges} from '../exec/privileges.ts';
import type {StatementContext} from '../exec/statement-context.ts';
import {Unsupported} from '../sql/bound.ts';
import type {SubscribeOptions} from '../sql/own-statements/own-statement.ts';
import type {Node} from '../sql/nodes.ts';
import {ChannelSink} from './channel-sink.ts';
import {errorEvent} from './live-event.ts';
import {ChangeLog} from './change-log.ts';
import {LiveCompiler} from './live-compiler.ts';
import {lostRights} from './lost-rights.ts';
import {DEFAULT_LIVE_LIMITS, LiveQueries, type LiveQueryInfo} from './live-queries.ts';
import {type LivePlan, prepareLivePlan} from './live-plan.ts';
import {takeSnapshot} from './live-snapshot.ts';
import type {LiveSink, Subscription} from './subscription.ts';

export interface LiveQueryText {
    readonly text: string;
    readonly tree: Node;
}

/** LISTEN "SELECT …", checked and ready to begin. */
export interface LiveListener {
    /** Rejects with what keeps it from opening. */
    now(plan: LivePlan): Promise<void>;
    /** At commit: planned for the tables as they are then; what keeps it from opening comes as an error event. */
    soon(): void;
}

/** A query that the binder does not know, or that is wrong. */
class NotBound extends PgError {
    constructor(cause: Unsupported) {
        super('0A000', `this query cannot be kept live: ${cause.message}`, {
            hint: 'A live query is a filter and a projection over one table.',
            cause,
        });
    }
}

export class LiveService {
    readonly #database: Database;
    readonly #queries: LiveQueries;
    readonly #log: ChangeLog;
    /** Who opens the query in hand: set around the synchronous start of `subscribe`. */
    readonly #contexts = new WeakMap<LivePlan, StatementContext>();
    /** Session → channel → its subscription, or null while it opens. */
    readonly #channels = new Map<number, Map<string, Subscription | null>>();

    constructor(database: Database) {
        this.#database = database;
        const {settings, committer} = database;
        this.#log = new ChangeLog(committer, settings.liveRetentionMs, () => Date.now());
        this.#queries = new LiveQueries({
            feed: committer,
            clock: {nowMs: () => Date.now()},
            limits: {...DEFAULT_LIVE_LIMITS, liveQueueBytesMax: settings.liveQueueBytesMax},
            snapshot: (plan, {tableNow}) => takeSnapshot(this.#database, plan, tableNow, this.#contexts.get(plan)),
            history: this.#log,
        });
    }

    /** @throws PgError 0A000 when the query cannot be kept live, and PostgreSQL's own errors for wrong queries. */
    async plan(query: LiveQueryText, context: StatementContext): Promise<LivePlan> {
        const {catalog, twin} = this.#database;
        try {
            // First for its errors, which the twin would only repeat.
            let plan = this.#prepare(query, context);
            for (let version = -1; version !== catalog.version;) {
                version = catalog.version;
                await requirePrivileges(query.text, context);
                // For the catalog as it is in this step, in which the caller goes on.
                plan = this.#prepare(query, context);
            }
            return plan;
        } catch (error) {
            if (!(error instanceof NotBound)) throw error;
            // A mistake in the query is PostgreSQL's to report.
            await twin.describe(context.twinContext, query.text, []);
            throw error;
        }
    }

    #prepare({text, tree}: LiveQueryText, context: StatementContext): LivePlan {
        const {identity, output, allUsers} = context;
        let bound;
        try {
            bound = this.#database.planner.bind(tree, [], context);
        } catch (error) {
            if (error instanceof Unsupported) throw new NotBound(error);
            throw error;
        }
        const {statement, parameterTypes} = bound;
        if (statement.kind !== 'select' || bound.rowLock !== null || parameterTypes.length > 0) {
            throw new PgError('0A000', 'this query cannot be kept live', {
                hint: 'A live query is a filter and a projection over one table, without parameters and locks.',
            });
        }
        if (allUsers && bound.tables.some((table) => table.options.kind === 'user')) {
            throw new PgError('0A000', 'a live query of the rows of all users is not supported', {
                hint: 'RESET tidewire.all_users.',
            });
        }
        const {timeZone, dateStyle, intervalStyle, byteaOutput, extraFloatDigits} = output;
        const plan = prepareLivePlan({
            text,
            select: statement,
            parameters: [],
            roleId: identity.roleId,
            settingsKey: [timeZone, dateStyle, intervalStyle, byteaOutput, extraFloatDigits].join('|'),
            userKey: [identity.user, identity.sessionUser, context.searchPath.join()].join('|'),
            compiler: new LiveCompiler(context),
            types: context.catalog.types,
        });
        this.#contexts.set(plan, context);
        return plan;
    }

    /** Opens a live query for the context's session. @throws PgError as LiveQueries.subscribe. */
    async subscribe(
        plan: LivePlan,
        options: SubscribeOptions,
        sink: LiveSink,
        context: StatementContext,
    ): Promise<Subscription> {
        const {processId, identity} = context;
        const {schema, name, tableId} = plan.table;
        if (this.#database.catalog.tableById(tableId) === undefined) {
            throw new PgError('0A000', `a live query of table "${name}" must wait for the end of this transaction`, {
                detail: 'The transaction has created the table, or has given it other rows.',
                schema,
                table: name,
            });
        }
        this.#log.begin();
        return await this.#queries.subscribe({
            plan,
            subscriber: {sessionId: processId, user: identity.user, roleId: identity.roleId},
            options,
            deliver: sink,
        });
    }

    listener(query: LiveQueryText, context: StatementContext): LiveListener {
        const channel = query.text;
        const sink = this.#channelSink(context.processId, channel);
        return {
            now: (plan) => this.#listen(channel, plan, sink, context),
            soon: () => {
                this.#listenAgain(query, sink, context).catch((error: unknown) => {
                    const failure =
                        error instanceof PgError
                            ? error
                            : new PgError('XX000', 'internal error in a live query', {cause: error});
                    const payload = errorEvent(undefined, failure).json;
                    const {processId} = context;
                    this.#database.notifications.post(processId, [{channel, payload, processId}]);
                });
            },
        };
    }

    /** Privileges were looked at when LISTEN was run; the tables may have changed since. Registers before it waits. */
    async #listenAgain(query: LiveQueryText, sink: LiveSink, context: StatementContext): Promise<void> {
        await this.#listen(query.text, this.#prepare(query, context), sink, context);
    }

    async #listen(channel: string, plan: LivePlan, sink: LiveSink, context: StatementContext): Promise<void> {
        const channels = this.#channelsOf(context.processId);
        // As LISTEN of a channel that is listened to: nothing more happens.
        if (channels.has(channel)) return;
        channels.set(channel, null);
        try {
            const subscription = await this.subscribe(plan, {snapshot: false}, sink, context);
            // UNLISTEN, or the end of the session, while it opened.
            if (!channels.has(channel)) subscription.close();
            else if (subscription.state === 'ended') channels.delete(channel);
            else channels.set(channel, subscription);
        } catch (error) {
            channels.delete(channel);
            throw error;
        }
    }

    #channelSink(processId: number, channel: string): LiveSink {
        const sink = new ChannelSink({hub: this.#database.notifications, sessionId: processId, processId, channel});
        return {
            send: (batch) => sink.send(batch),
            drained: () => sink.drained(),
            end: (end) => {
                this.#channels.get(processId)?.delete(channel);
                sink.end(end);
            },
        };
    }

    #channelsOf(processId: number): Map<string, Subscription | null> {
        let channels = this.#channels.get(processId);
        if (channels === undefined) {
            channels = new Map();
            this.#channels.set(processId, channels);
        }
        return channels;
    }

    unlisten(processId: number, channel: string): void {
        const channels = this.#channels.get(processId);
        const subscription = channels?.get(channel);
        channels?.delete(channel);
        subscription?.close();
    }

    unlistenAll(processId: number): void {
        for (const channel of this.#channels.get(processId)?.keys() ?? []) this.unlisten(processId, channel);
    }

    list(): LiveQueryInfo[] {
        return this.#queries.list();
    }

    kill(id: string): boolean {
        return this.#queries.kill(id);
    }

    /** After a commit that altered an enum or a domain. */
    typesChanged(): void {
        this.#queries.typesChanged();
    }

    /** The role may no longer see anything: its live queries end, whoever runs them. */
    endOfRole(roleId: number, name: string, reason: string): void {
        const {sessions} = this.#database;
        const error = new PgError('28000', 'the live query was ended', {detail: `Role "${name}" ${reason}.`});
        this.#queries.endWhere(
            ({sessionId}, subscriberRoleId) =>
                subscriberRoleId === roleId || sessions.get(sessionId)?.identity.sessionUser === name,
            error,
        );
    }

    /** After a commit of DDL: who may have lost the right to read must ask for it again. */
    rightsChanged(change: CatalogChange): void {
        if (this.#queries.size === 0) return;
        const {planner, catalog} = this.#database;
        const lost = lostRights(change, (sql) => planner.parser.parse(sql).map(({tree}) => tree));
        if (lost.length === 0) return;
        const error = new PgError('42501', 'privileges of the live query were changed', {
            hint: 'Subscribe again, with from_seq = the last _seq: the privileges are checked then.',
        });
        this.#queries.endWhere((info, roleId) => {
            const reader = catalog.roleById(roleId);
            if (reader === undefined || reader.superuser) return false;
            return lost.some(
                ({table, role}) =>
                    (table ?? info.table) === info.table &&
                    (role === undefined || hasRightsOf(reader.name, role, catalog)),
            );
        }, error);
    }

    /** The session is gone. */
    endSession(processId: number): void {
        this.#queries.endSession(processId);
        this.#channels.delete(processId);
    }

    close(): void {
        const reason = new PgError('57P01', 'terminating live query because the server stops');
        this.#queries.endWhere(() => true, reason);
        this.#log.close();
    }
}
