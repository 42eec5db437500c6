/**
 * All live queries of the server, for shared, user and stream tables alike: opens them, gives each committed
 * transaction to those that it concerns, lists and ends them. README.md beside this file has the contract.
 *
 * What must stay true: a subscription is registered before its snapshot is taken, so no change falls between the two;
 * transactions are dispatched whole and in commit order; dispatch runs after the commit, never inside it, so a writer
 * waits for no subscriber.
 */
import {strict as assert} from 'node:assert';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {ChangeFeed, CommittedTransaction, RowChange} from '../txn/row-version.ts';
import {makeBatch, markEvent} from './live-event.ts';
import type {LivePlan} from './live-plan.ts';
import {OpeningSink, openSubscription, type OpenDeps, type OpenOptions, settleOptions} from './open-subscription.ts';
import {QueryIndex} from './query-index.ts';
import {sharedKey, SharedQuery, truncateSeqOf} from './shared-query.ts';
import {type LiveSink, type Subscriber, Subscription, type SubscriptionState} from './subscription.ts';

export interface LiveLimits {
    /** Live queries of the whole server. */
    readonly liveQueriesMax: number;
    readonly liveQueriesPerSessionMax: number;
    /** Bytes of events that wait for one subscriber while it opens. */
    readonly liveQueueBytesMax: number;
}

export const DEFAULT_LIVE_LIMITS: LiveLimits = {
    liveQueriesMax: 100_000,
    liveQueriesPerSessionMax: 1_000,
    liveQueueBytesMax: 16 * 1024 * 1024,
};

export interface LiveDeps extends OpenDeps {
    readonly feed: ChangeFeed;
    readonly clock: {nowMs(): number};
    readonly limits: LiveLimits;
    /** Runs a function soon, after what runs now. Default: setImmediate. */
    readonly defer?: (run: () => void) => void;
}

export interface SubscribeRequest {
    readonly plan: LivePlan;
    readonly subscriber: Subscriber;
    readonly options: OpenOptions;
    readonly deliver: LiveSink;
}

/** A row of system.live_queries. */
export interface LiveQueryInfo {
    readonly id: string;
    readonly sessionId: number;
    readonly user: string;
    readonly query: string;
    readonly schema: string;
    readonly table: string;
    readonly state: SubscriptionState;
    readonly startedAtMs: number;
    readonly startSeq: number;
    readonly lastSeq: number | undefined;
    readonly eventCount: number;
    readonly waitingBytes: number;
    /** How many subscriptions share the evaluation, this one included. */
    readonly sharedBy: number;
}

export class LiveQueries {
    readonly #deps: LiveDeps;
    readonly #defer: (run: () => void) => void;
    readonly #index = new QueryIndex();
    readonly #byKey = new Map<string, SharedQuery>();
    readonly #subscriptions = new Map<string, Subscription>();
    readonly #bySession = new Map<number, Set<Subscription>>();
    #queue: CommittedTransaction[] = [];
    #scheduled = false;
    /** A table with live queries gets another id in `#queue`: what concerns it then is not known before dispatch. */
    #moving = false;
    #leaveFeed: (() => void) | undefined;
    #nextId = 1;
    /** Queries with events of the transaction in hand. */
    #touched: SharedQuery[] = [];

    constructor(deps: LiveDeps) {
        this.#deps = deps;
        this.#defer = deps.defer ?? setImmediate;
    }

    /**
     * Resolves when the `_seq` of the start is known (`startSeq`); the opening events follow through the sink.
     * @throws PgError 53400 past a limit, 22023 for options that contradict each other, 55000 when `fromSeq` is no
     * longer in the change log, and whatever the snapshot throws. The sink is then never called.
     */
    async subscribe(request: SubscribeRequest): Promise<Subscription> {
        const {plan, subscriber, deliver} = request;
        const options = settleOptions(request.options);
        assert(plan.owner === 0 || plan.owner === subscriber.roleId, 'a plan for the rows of another user');
        this.#checkLimits(subscriber.sessionId);
        // The plan is for tables as they are now; all others follow.
        this.flush();
        // The error of an opening that fails goes to the caller, not to the sink.
        const sink = new OpeningSink(deliver);
        const subscription = new Subscription({
            id: `live-${this.#nextId++}`,
            query: this.#share(plan),
            text: plan.text,
            subscriber,
            sink,
            startedAtMs: this.#deps.clock.nowMs(),
            waitingBytesMax: this.#deps.limits.liveQueueBytesMax,
            onEnd: (ended) => this.#forget(ended),
        });
        this.#register(subscription);
        try {
            const pump = await openSubscription(subscription, plan, options, {
                ...this.#deps,
                tableNow: () => this.#tableOf(subscription.query),
            });
            if (subscription.state === 'ended') throw sink.ended ?? canceled();
            sink.open();
            void pump();
            return subscription;
        } catch (error) {
            subscription.close();
            throw error;
        }
    }

    list(): LiveQueryInfo[] {
        return Array.from(this.#subscriptions.values(), describe);
    }

    get size(): number {
        return this.#subscriptions.size;
    }

    /** Ends a live query with 57014. False when there is none with this id. */
    kill(id: string): boolean {
        const subscription = this.#subscriptions.get(id);
        subscription?.end(canceled());
        return subscription !== undefined;
    }

    /** The session is gone: its live queries go too. */
    endSession(sessionId: number): void {
        for (const subscription of this.#bySession.get(sessionId) ?? []) subscription.close();
    }

    /** Ends every live query that `condition` holds for: of a role that lost its right to read, of a server that stops. */
    endWhere(condition: (info: LiveQueryInfo, roleId: number) => boolean, error: PgError): void {
        for (const subscription of this.#subscriptions.values()) {
            if (condition(describe(subscription), subscription.subscriber.roleId)) subscription.end(error);
        }
    }

    /** After a commit that altered an enum or a domain, before the next transaction: compiles all queries again. */
    typesChanged(): void {
        this.flush();
        for (const query of this.#byKey.values()) {
            try {
                query.recompile();
            } catch (error) {
                const failure = error instanceof PgError ? error : internalError(error);
                for (const subscription of query.members) subscription.end(failure);
            }
        }
    }

    /** Dispatches now what waits for its turn. */
    flush(): void {
        while (this.#queue.length > 0) {
            const transactions = this.#queue;
            this.#queue = [];
            this.#moving = false;
            for (const transaction of transactions) this.#dispatch(transaction);
        }
    }

    #checkLimits(sessionId: number): void {
        const {liveQueriesMax, liveQueriesPerSessionMax} = this.#deps.limits;
        if (this.#subscriptions.size >= liveQueriesMax) {
            throw new PgError('53400', 'too many live queries', {detail: `The server allows ${liveQueriesMax}.`});
        }
        if ((this.#bySession.get(sessionId)?.size ?? 0) >= liveQueriesPerSessionMax) {
            throw new PgError('53400', 'too many live queries in this session', {
                detail: `A session may have ${liveQueriesPerSessionMax}.`,
            });
        }
    }

    #share(plan: LivePlan): SharedQuery {
        let query = this.#byKey.get(sharedKey(plan.table.tableId, plan));
        if (query === undefined) {
            query = new SharedQuery(plan);
            this.#enter(query);
        }
        return query;
    }

    #enter(query: SharedQuery): void {
        assert(!this.#byKey.has(query.key), 'a shared query is registered once');
        this.#byKey.set(query.key, query);
        this.#index.add(query);
    }

    #leave(query: SharedQuery): void {
        assert(this.#byKey.get(query.key) === query, 'a shared query was registered twice');
        this.#byKey.delete(query.key);
        this.#index.remove(query);
    }

    #tableOf(query: SharedQuery): TableDescriptor {
        this.flush();
        return query.table;
    }

    #register(subscription: Subscription): void {
        const {id, query, subscriber} = subscription;
        query.members.add(subscription);
        this.#subscriptions.set(id, subscription);
        const session = this.#bySession.get(subscriber.sessionId);
        if (session === undefined) this.#bySession.set(subscriber.sessionId, new Set([subscription]));
        else session.add(subscription);
        this.#leaveFeed ??= this.#deps.feed.subscribe((transaction) => this.#committed(transaction));
    }

    #forget(subscription: Subscription): void {
        const {id, query, subscriber} = subscription;
        this.#subscriptions.delete(id);
        const session = this.#bySession.get(subscriber.sessionId);
        session?.delete(subscription);
        if (session?.size === 0) this.#bySession.delete(subscriber.sessionId);
        query.members.delete(subscription);
        if (query.members.size === 0) this.#leave(query);
        if (this.#subscriptions.size === 0) {
            this.#leaveFeed?.();
            this.#leaveFeed = undefined;
        }
    }

    /** Inside the commit: only notes the transaction. */
    #committed(transaction: CommittedTransaction): void {
        if (!this.#moving && !this.#concerns(transaction)) return;
        this.#queue.push(transaction);
        for (const {tableId, now} of transaction.altered) if (now?.tableId !== tableId) this.#moving = true;
        if (this.#scheduled) return;
        this.#scheduled = true;
        this.#defer(() => {
            this.#scheduled = false;
            this.flush();
        });
    }

    #concerns(transaction: CommittedTransaction): boolean {
        for (const change of transaction.changes) if (this.#index.has(change.table.tableId)) return true;
        for (const table of transaction.truncated) if (this.#index.has(table.tableId)) return true;
        for (const {tableId} of transaction.altered) if (this.#index.has(tableId)) return true;
        return false;
    }

    /** In the order of SharedQuery.replay: truncate, alter, changes. */
    #dispatch(transaction: CommittedTransaction): void {
        for (const {tableId} of transaction.truncated) {
            const mark = markEvent('truncate', truncateSeqOf(transaction));
            for (const query of this.#index.ofTable(tableId)) this.#touch(query).pending.push(mark);
        }
        for (const {tableId, now} of transaction.altered) {
            for (const query of [...this.#index.ofTable(tableId)]) this.#meetAlter(query, now);
        }
        for (const change of transaction.changes) this.#index.visit(change, this.#ask);
        const touched = this.#touched;
        this.#touched = [];
        for (const query of touched) finish(query, transaction.seq);
    }

    #meetAlter(query: SharedQuery, now: TableDescriptor | undefined): void {
        this.#leave(query);
        try {
            query.meetAlter(now);
        } catch (error) {
            this.#fail(query, error);
        }
        this.#enter(query);
    }

    readonly #ask = (query: SharedQuery, change: RowChange): void => {
        if (query.askedSeq === change.seq || query.failure !== undefined) return;
        query.askedSeq = change.seq;
        try {
            const event = query.eventOf(change);
            if (event !== undefined) this.#touch(query).pending.push(event);
        } catch (error) {
            this.#fail(query, error);
        }
    };

    #touch(query: SharedQuery): SharedQuery {
        if (!query.touched) {
            query.touched = true;
            this.#touched.push(query);
        }
        return query;
    }

    #fail(query: SharedQuery, error: unknown): void {
        // A bug in one query must not take the others with it, nor be taken for the user's error.
        const failure = error instanceof PgError ? error : internalError(error);
        this.#touch(query).failure ??= failure;
    }
}

/** Hands the transaction's events to all who share the query. */
function finish(query: SharedQuery, transactionSeq: number): void {
    const {pending, failure} = query;
    query.pending = [];
    query.failure = undefined;
    query.touched = false;
    // Ends of subscriptions change the set while it is walked: a Set allows it.
    if (pending.length > 0) {
        const batch = makeBatch(transactionSeq, pending);
        for (const subscription of query.members) subscription.offer(batch);
    }
    if (failure === undefined) return;
    for (const subscription of query.members) {
        // Who reads the change log meets the failure there, in its place.
        if (subscription.startSeq < transactionSeq && subscription.state !== 'replaying') subscription.end(failure);
    }
}

function describe(subscription: Subscription): LiveQueryInfo {
    const {id, query, subscriber, text, state, startedAtMs, startSeq, lastSeq, eventCount, waitingBytes} = subscription;
    return {
        id,
        sessionId: subscriber.sessionId,
        user: subscriber.user,
        query: text,
        schema: query.table.schema,
        table: query.table.name,
        state,
        startedAtMs,
        startSeq,
        lastSeq,
        eventCount,
        waitingBytes,
        sharedBy: query.members.size,
    };
}

function canceled(): PgError {
    return new PgError('57014', 'canceling live query due to user request');
}

function internalError(cause: unknown): PgError {
    return new PgError('XX000', 'internal error in a live query', {cause});
}
