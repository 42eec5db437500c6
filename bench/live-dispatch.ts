/**
 * What live queries cost: a write among ten thousand subscriptions on keys of their own, and one change that ten
 * thousand equal subscriptions want. Run: node bench/live-dispatch.ts
 *
 * The writer's part (inside the commit) and the dispatch (after it) are measured apart: only the first delays a writer.
 */
import {DEFAULT_LIVE_LIMITS, LiveQueries} from '../src/live/live-queries.ts';
import type {LiveBatch} from '../src/live/live-event.ts';
import type {LiveSink} from '../src/live/subscription.ts';
import {column, constant, FakeDatabase, livePlan, nextTurn, operator, select} from '../src/live/test-support.ts';

const SUBSCRIPTIONS = 10_000;
const WRITES = 50_000;

class CountingSink implements LiveSink {
    static events = 0;
    static bytes = 0;

    send(batch: LiveBatch): 'ok' {
        CountingSink.events += batch.events.length;
        CountingSink.bytes += batch.bytes;
        return 'ok';
    }

    drained(): Promise<void> {
        return Promise.resolve();
    }

    end(): void {
        // Nothing is kept.
    }
}

async function subscribeAll(
    database: FakeDatabase,
    keyOf: (index: number) => number | undefined,
): Promise<LiveQueries> {
    const live = new LiveQueries({
        feed: database,
        clock: {nowMs: () => 0},
        limits: DEFAULT_LIVE_LIMITS,
        snapshot: database.snapshot,
        // Dispatch is called by hand, to be measured alone.
        defer: () => undefined,
    });
    for (let index = 0; index < SUBSCRIPTIONS; index++) {
        const key = keyOf(index);
        const where = key === undefined ? null : operator(column(3, 'k'), '=', constant(key));
        await live.subscribe({
            plan: livePlan(select(database.table, where)),
            subscriber: {sessionId: index, user: 'bench', roleId: 0},
            options: {snapshot: false},
            deliver: new CountingSink(),
        });
    }
    await nextTurn();
    return live;
}

function report(what: string, value: number, unit: string): void {
    console.log(`${what.padEnd(58)} ${value.toFixed(2).padStart(12)} ${unit}`);
}

async function ownKeys(): Promise<void> {
    const database = new FakeDatabase();
    const before = process.memoryUsage().heapUsed;
    const live = await subscribeAll(database, (index) => index);
    globalThis.gc?.();
    report('heap for a subscription of its own', (process.memoryUsage().heapUsed - before) / SUBSCRIPTIONS, 'bytes');
    CountingSink.events = 0;
    let commitNs = 0n;
    let dispatchNs = 0n;
    for (let write = 0; write < WRITES; write++) {
        database.log.length = 0;
        const start = process.hrtime.bigint();
        database.commit([{do: 'insert', values: [write, null, write % SUBSCRIPTIONS, 1, 'a row of the bench']}]);
        const committed = process.hrtime.bigint();
        live.flush();
        dispatchNs += process.hrtime.bigint() - committed;
        commitNs += committed - start;
    }
    if (CountingSink.events !== WRITES) throw new Error(`${CountingSink.events} events for ${WRITES} writes`);
    report('10,000 subscriptions, own keys: commit (with the fake)', Number(commitNs) / WRITES / 1000, 'us/write');
    report('10,000 subscriptions, own keys: dispatch', Number(dispatchNs) / WRITES / 1000, 'us/write');
}

async function equalQueries(): Promise<void> {
    const database = new FakeDatabase();
    const live = await subscribeAll(database, () => undefined);
    CountingSink.events = 0;
    const changes = 500;
    const start = process.hrtime.bigint();
    for (let write = 0; write < changes; write++) {
        database.commit([{do: 'insert', values: [write, null, 1, 1, 'a row of the bench']}]);
        live.flush();
    }
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    if (CountingSink.events !== changes * SUBSCRIPTIONS) throw new Error(`${CountingSink.events} events`);
    report('10,000 equal subscriptions: delivered to sinks', CountingSink.events / seconds / 1e6, 'M events/s');
    report('10,000 equal subscriptions: one change', (seconds / changes) * 1e6, 'us');
}

await ownKeys();
await equalQueries();
