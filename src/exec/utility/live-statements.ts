/**
 * The doors to live queries: LISTEN "SELECT …", COPY (SUBSCRIBE TO …) TO STDOUT, SUBSCRIBE TO … as rows, EXPLAIN
 * SUBSCRIBE.
 *
 * What must stay true: leaving, by cancel, close of the portal or loss of the connection, ends the subscription; events
 * are sent at once, not when a buffer is full; a client that does not read holds nothing but its own queue.
 */
import {PgError} from '../../../catalog/errors.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {ResponseWriter} from '../../../wire/handler.ts';
import {COPY_OUT_COLUMN_COUNT, copyOut} from '../../live/copy-out.ts';
import {explainLivePlan} from '../../live/explain-live.ts';
import type {LiveBatch} from '../../live/live-event.ts';
import {LiveQueue} from '../../live/live-queue.ts';
import type {LivePlan} from '../../live/live-plan.ts';
import type {LiveQueryText} from '../../live/live-service.ts';
import type {OwnStatement, Subscribe} from '../../sql/own-statements/own-statement.ts';
import type {Plan, PullResult, RowSource, StartedStatement} from '../plan.ts';
import type {Planner} from '../planner.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan, field, rowsPlan} from './plans.ts';

type Own<K extends OwnStatement['kind']> = Extract<OwnStatement, {kind: K}>;

/** Compiled for the session that asks; errors in the query carry their place in the whole statement. */
async function livePlan(subscribe: Subscribe, context: StatementContext, planner: Planner): Promise<LivePlan> {
    const {offset} = subscribe.query;
    try {
        return await context.database.live.plan(parsedQuery(subscribe, planner), context);
    } catch (error) {
        if (!(error instanceof PgError) || error.position === undefined) throw error;
        const {severity, code, message, detail, hint} = error;
        const position = Math.max(1, error.position + offset);
        throw new PgError(code, message, {severity, detail, hint, position, cause: error});
    }
}

function parsedQuery({query: {text}}: Subscribe, planner: Planner): LiveQueryText {
    const [query, second] = planner.split(text);
    if (query === undefined || second !== undefined || query.kind !== 'parsed') {
        throw new PgError('42601', 'a live query is one SELECT');
    }
    return {text, tree: query.tree};
}

export async function planLiveListen(own: Own<'listen'>, context: StatementContext, planner: Planner): Promise<Plan> {
    const subscribe: Subscribe = {query: {text: own.channel, offset: 'LISTEN "'.length}, options: {snapshot: false}};
    await livePlan(subscribe, context, planner);
    return commandPlan(context, async (executing) => {
        const {session, database} = executing;
        const plan = await livePlan(subscribe, executing, planner);
        const listen = database.live.listener(parsedQuery(subscribe, planner), executing);
        // Outside of a block the error of an opening is the statement's; at a commit it comes as an event.
        if (!session.transaction.inBlock && !session.transaction.manyStatements) await listen.now(plan);
        else session.transaction.onCommit(() => listen.soon());
        return 'LISTEN';
    });
}

export function planLiveUnlisten(own: Own<'unlisten'>, context: StatementContext): Plan {
    return commandPlan(context, ({session, database}) => {
        session.transaction.onCommit(() => database.live.unlisten(session.processId, own.channel));
        return 'UNLISTEN';
    });
}

export function planExplainSubscribe(own: Own<'explain subscribe'>, context: StatementContext, planner: Planner): Plan {
    return rowsPlan(
        context,
        [field('QUERY PLAN', OID.text)],
        async (executing) => explainLivePlan(await livePlan(own.subscribe, executing, planner)).map((line) => [line]),
        () => 'EXPLAIN',
    );
}

export async function planCopySubscribe(
    own: Own<'copy subscribe'>,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    await livePlan(own.subscribe, context, planner);
    return commandPlan(context, async (executing) => {
        const {writer} = executing;
        const queue = new LiveQueue(executing.database.settings.liveQueueBytesMax);
        const plan = await livePlan(own.subscribe, executing, planner);
        const subscription = await executing.database.live.subscribe(plan, own.subscribe.options, queue, executing);
        let stopped = false;
        executing.onCancel(() => {
            stopped = true;
            subscription.close();
        });
        let events = 0;
        writer.copyOutResponse(false, COPY_OUT_COLUMN_COUNT);
        writer.flush();
        for await (const lines of copyOut(queue, own.format, subscription)) {
            if (stopped) break;
            for (const line of lines) writer.copyData(line);
            events += lines.length;
            writer.flush();
            if (writer.congested) await writer.drained();
        }
        executing.checkCancelled();
        writer.copyDone();
        return `COPY ${events}`;
    });
}

export async function planSubscribe(own: Own<'subscribe'>, context: StatementContext, planner: Planner): Promise<Plan> {
    await livePlan(own.subscribe, context, planner);
    return {
        path: 'utility',
        reason: 'a live query',
        parameterTypes: [],
        fields: [field('event', OID.json)],
        catalogVersion: context.catalog.version,
        writes: false,
        endsTransaction: false,
        async start(executing): Promise<StartedStatement> {
            const queue = new LiveQueue(executing.database.settings.liveQueueBytesMax);
            const plan = await livePlan(own.subscribe, executing, planner);
            const subscription = await executing.database.live.subscribe(plan, own.subscribe.options, queue, executing);
            const rows = new EventRows(queue, subscription, executing);
            return {rows, tag: (events) => `SUBSCRIBE ${events}`};
        },
    };
}

/** Events as rows. A pull of some rows gives what there is, as soon as there is any. */
class EventRows implements RowSource {
    readonly #batches: AsyncGenerator<LiveBatch, void, undefined>;
    readonly #subscription: {close(): void};
    readonly #context: StatementContext;
    readonly #queue: LiveQueue;
    #pending: string[] = [];
    #closed = false;

    constructor(queue: LiveQueue, subscription: {close(): void}, context: StatementContext) {
        this.#queue = queue;
        this.#batches = queue.batches();
        this.#subscription = subscription;
        this.#context = context;
    }

    async pull(rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        let rows = 0;
        while (!this.#closed) {
            rows += this.#write(rowsMax === 0 ? Number.POSITIVE_INFINITY : rowsMax - rows, writer);
            if (rows > 0) writer.flush();
            if (rowsMax > 0 && rows > 0 && (rows === rowsMax || this.#queue.bytes === 0)) return {rows, done: false};
            if (writer.congested) await writer.drained();
            const next = await this.#batches.next();
            if (next.done === true) break;
            this.#pending = next.value.events.map((event) => event.json);
        }
        this.close();
        this.#context.checkCancelled();
        return {rows, done: true};
    }

    #write(countMax: number, writer: ResponseWriter): number {
        const events = this.#pending.slice(0, Math.min(countMax, this.#pending.length));
        this.#pending = this.#pending.slice(events.length);
        for (const json of events) {
            writer.beginRow(1);
            // The text of json is the same in both formats.
            writer.valueText(json);
            writer.endRow();
        }
        return events.length;
    }

    cancel(): void {
        this.close();
    }

    close(): void {
        if (this.#closed) return;
        this.#closed = true;
        this.#pending = [];
        this.#subscription.close();
    }
}
