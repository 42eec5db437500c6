/**
 * How a subscription begins: with a snapshot, with changes only, or where an earlier one ended.
 *
 * What must stay true: the subscription is registered before this runs. With a snapshot at S, changes that arrive
 * meanwhile wait, those with `_seq` ≤ S are dropped because the snapshot has them, and the others follow the ready mark.
 * What is read from the change log is everything up to the moment of going live, with nothing between.
 */
import {PgError} from '../../catalog/errors.ts';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {ChangeFeed, CommittedTransaction} from '../txn/row-version.ts';
import {type LiveBatch, type LiveEvent, makeBatch, markEvent, rowEvent} from './live-event.ts';
import type {LivePlan, LiveRow} from './live-plan.ts';
import {fellBehind, type LiveEnd, type LiveSink, type Subscription} from './subscription.ts';

/** The committed rows of a plan's table (and owner) at one moment. */
export interface LiveSnapshot {
    /** Everything up to here is in it and nothing later: `_seq` of a transaction, at least `visibleSeq` at the call. */
    readonly seq: number;
    /** What `values` of the rows are laid out for. */
    readonly table: TableDescriptor;
    /** May hold rows that the plan does not match. `values` of columns not in `plan.attnums` are not looked at. */
    readonly rows: AsyncIterable<LiveRow>;
}

/** The retained change log. */
export interface ChangeHistory {
    /**
     * Every visible transaction with a `_seq` above `seq`, oldest first; ends at what was visible at the call.
     * undefined when not all of them are retained. Holds nothing before it is iterated.
     */
    since(seq: number): AsyncIterable<CommittedTransaction> | undefined;
    /** A table as it was at `seq`, perhaps under another id; undefined: it was created after. `seq` as in `since`. */
    tableAt(table: TableDescriptor, seq: number): TableDescriptor | undefined;
}

export interface OpenDeps {
    readonly feed: Pick<ChangeFeed, 'visibleSeq'>;
    /**
     * `lastRows`: only the rows with the highest `_seq` are wanted; giving more is allowed.
     * `tableNow`: the plan's table, which TRUNCATE and rewriting may give another id at any time.
     */
    snapshot(
        plan: LivePlan,
        options: {readonly lastRows: number | undefined; readonly tableNow: () => TableDescriptor},
    ): Promise<LiveSnapshot>;
    /** Absent: nothing can be resumed. */
    readonly history?: ChangeHistory;
}

/** As the statement gave them. */
export interface OpenOptions {
    /** Default: true, unless `fromSeq` is given. */
    readonly snapshot?: boolean;
    readonly fromSeq?: number;
    /** Only so many rows in the snapshot, those last changed, oldest first. */
    readonly lastRows?: number;
    /** Events of the snapshot in one batch. */
    readonly batchSize?: number;
}

export type OpenMode =
    | {readonly mode: 'snapshot'; readonly lastRows: number | undefined; readonly batchSize: number}
    | {readonly mode: 'changes'}
    | {readonly mode: 'resume'; readonly fromSeq: number};

const BATCH_SIZE_DEFAULT = 500;
const BATCH_SIZE_MAX = 10_000;
const BATCH_BYTES_MAX = 256 * 1024;
const LAST_ROWS_MAX = 100_000;

/** @throws PgError 22023 for options that contradict each other or are out of range. */
export function settleOptions(options: OpenOptions): OpenMode {
    const {snapshot, fromSeq, lastRows, batchSize} = options;
    checkRange('from_seq', fromSeq, 0, Number.MAX_SAFE_INTEGER);
    checkRange('last_rows', lastRows, 0, LAST_ROWS_MAX);
    checkRange('batch_size', batchSize, 1, BATCH_SIZE_MAX);
    if (fromSeq !== undefined) {
        if (snapshot === true) throw contradiction('from_seq', 'snapshot');
        if (lastRows !== undefined) throw contradiction('from_seq', 'last_rows');
        if (batchSize !== undefined) throw contradiction('from_seq', 'batch_size');
        return {mode: 'resume', fromSeq};
    }
    if (snapshot === false) {
        if (lastRows !== undefined) throw contradiction('snapshot = false', 'last_rows');
        if (batchSize !== undefined) throw contradiction('snapshot = false', 'batch_size');
        return {mode: 'changes'};
    }
    return {mode: 'snapshot', lastRows, batchSize: batchSize ?? BATCH_SIZE_DEFAULT};
}

function checkRange(name: string, value: number | undefined, min: number, max: number): void {
    if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return;
    throw new PgError('22023', `${value} is outside the valid range for option "${name}" (${min} .. ${max})`);
}

function contradiction(one: string, other: string): PgError {
    return new PgError('22023', `options ${one} and ${other} of a live query contradict each other`);
}

/**
 * Finds where the subscription starts and sets `startSeq`. The function that it resolves to sends the opening events
 * and goes live; it never rejects.
 */
export async function openSubscription(
    subscription: Subscription,
    plan: LivePlan,
    options: OpenMode,
    deps: OpenDeps & {readonly tableNow: () => TableDescriptor},
): Promise<() => Promise<void>> {
    let opening: () => Promise<void>;
    if (options.mode === 'snapshot') {
        const snapshot = await deps.snapshot(plan, {lastRows: options.lastRows, tableNow: deps.tableNow});
        begin(subscription, snapshot.seq);
        opening = () => sendSnapshot(subscription, snapshot, options, deps);
    } else if (options.mode === 'changes') {
        begin(subscription, deps.feed.visibleSeq);
        opening = () => sendChanges(subscription, deps);
    } else {
        checkResumable(options.fromSeq, plan.table, deps);
        begin(subscription, options.fromSeq);
        subscription.replay();
        opening = () => sendChanges(subscription, deps);
    }
    return async () => {
        try {
            await opening();
        } catch (error) {
            subscription.end(
                error instanceof PgError
                    ? error
                    : new PgError('XX000', 'internal error in a live query', {cause: error}),
            );
        }
    };
}

function begin(subscription: Subscription, seq: number): void {
    subscription.startSeq = seq;
    subscription.position = seq;
}

function checkResumable(fromSeq: number, table: TableDescriptor, {feed, history}: OpenDeps): void {
    const {visibleSeq} = feed;
    if (fromSeq > visibleSeq) {
        throw new PgError('22023', `from_seq ${fromSeq} is in the future`, {
            detail: `The last _seq of the server is ${visibleSeq}.`,
        });
    }
    if (fromSeq === visibleSeq) return;
    if (history?.since(fromSeq) === undefined) throw notRetained(fromSeq);
    const then = history.tableAt(table, fromSeq);
    if (then?.name === table.name && then.schema === table.schema) return;
    // What the client holds are rows of another table.
    throw new PgError('55000', `relation "${table.name}" was another one at _seq ${fromSeq}`, {
        detail: then === undefined ? 'It was created later.' : `Its name was "${then.schema}"."${then.name}".`,
        hint: 'Subscribe again with a snapshot.',
        schema: table.schema,
        table: table.name,
    });
}

function notRetained(seq: number): PgError {
    return new PgError('55000', `changes after _seq ${seq} are no longer in the change log`, {
        hint: 'Subscribe again with a snapshot. The setting live_retention says how long changes are kept.',
    });
}

async function sendSnapshot(
    subscription: Subscription,
    snapshot: LiveSnapshot,
    options: OpenMode & {mode: 'snapshot'},
    deps: OpenDeps,
): Promise<void> {
    const layout = subscription.query.plan.layout(snapshot.table);
    let events: LiveEvent[] = [];
    let bytes = 0;
    const matching = matchingRows(snapshot.rows, (row) => layout.matches(row));
    const rows = options.lastRows === undefined ? matching : await lastOf(matching, options.lastRows);
    for await (const row of rows) {
        if (subscription.overflowed && deps.history === undefined) throw fellBehind(undefined);
        const event = rowEvent('snapshot', row.seq, layout.encode(row), undefined);
        events.push(event);
        bytes += event.bytes;
        if (events.length < options.batchSize && bytes < BATCH_BYTES_MAX) continue;
        if (!(await subscription.deliver(makeBatch(snapshot.seq, events)))) return;
        events = [];
        bytes = 0;
    }
    events.push(markEvent('ready', snapshot.seq));
    await goOn(subscription, makeBatch(snapshot.seq, events), deps);
}

async function sendChanges(subscription: Subscription, deps: OpenDeps): Promise<void> {
    const {startSeq} = subscription;
    await goOn(subscription, makeBatch(startSeq, [markEvent('ready', startSeq)]), deps);
}

/** Sends the batch with the ready mark, then what came meanwhile, then goes live. */
async function goOn(subscription: Subscription, ready: LiveBatch, deps: OpenDeps): Promise<void> {
    if (!(await subscription.deliver(ready))) return;
    if (subscription.state === 'waiting') await subscription.deliverWaiting();
    if (subscription.state === 'replaying') await catchUp(subscription, deps);
}

/** Reads the change log from the subscription's position until nothing is left, and goes live at once. */
async function catchUp(subscription: Subscription, {feed, history}: OpenDeps): Promise<void> {
    const {query} = subscription;
    let position = subscription.position;
    let tableIds: Set<number> | undefined;
    while (position < feed.visibleSeq) {
        const target = feed.visibleSeq;
        const transactions = history?.since(position);
        if (transactions === undefined || history === undefined) {
            throw subscription.overflowed ? fellBehind(subscription.lastSeq) : notRetained(position);
        }
        tableIds ??= new Set([(history.tableAt(query.table, position) ?? query.table).tableId]);
        for await (const transaction of transactions) {
            if (transaction.seq <= position) continue;
            const {events, failure} = query.replay(transaction, position, tableIds);
            if (events.length > 0 && !(await subscription.deliver(makeBatch(transaction.seq, events)))) return;
            if (failure !== undefined) throw failure;
            position = transaction.seq;
        }
        position = Math.max(position, target);
    }
    subscription.startSeq = position;
    subscription.goLive();
}

async function* matchingRows(rows: AsyncIterable<LiveRow>, matches: (row: LiveRow) => boolean): AsyncIterable<LiveRow> {
    for await (const row of rows) if (matches(row)) yield row;
}

/** The `count` rows with the highest `_seq`, ascending; keeps at most twice as many. */
async function lastOf(rows: AsyncIterable<LiveRow>, count: number): Promise<LiveRow[]> {
    let kept: LiveRow[] = [];
    const cut = (): void => {
        kept.sort((a, b) => a.seq - b.seq);
        kept = count === 0 ? [] : kept.slice(-count);
    };
    for await (const row of rows) {
        kept.push(row);
        if (kept.length >= 2 * count + 1) cut();
    }
    cut();
    return kept;
}

/** Keeps the end of an opening that fails from the subscriber's sink: it is thrown to the caller instead. */
export class OpeningSink implements LiveSink {
    readonly #sink: LiveSink;
    #opened = false;
    /** The error that ended the subscription before it opened. */
    ended: PgError | undefined;

    constructor(sink: LiveSink) {
        this.#sink = sink;
    }

    open(): void {
        this.#opened = true;
    }

    send(batch: LiveBatch): 'ok' | 'full' {
        return this.#sink.send(batch);
    }

    drained(): Promise<void> {
        return this.#sink.drained();
    }

    end(end: LiveEnd): void {
        if (this.#opened) this.#sink.end(end);
        else this.ended = end.error;
    }
}
