/** What a subscriber gets, event by event, and how subscriptions begin, share, fall behind and end. */
import {describe, expect, it} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {Expr} from '../sql/bound.ts';
import {DEFAULT_LIVE_LIMITS, LiveQueries, type LiveDeps} from './live-queries.ts';
import type {ChangeHistory, OpenOptions} from './open-subscription.ts';
import type {Subscription} from './subscription.ts';
import {
    CollectingSink,
    column,
    columnDescriptor,
    constant,
    FakeDatabase,
    livePlan,
    nextTurn,
    operator,
    select,
    tableDescriptor,
} from './test-support.ts';

const K_IS_1 = operator(column(3, 'k'), '=', constant(1));
const TARGETS = [column(1, 'id'), column(5, 'name', 25)];

function values(id: number, k: number | null, name = `n${id}`, v: Datum = null): Datum[] {
    return [id, null, k, v, name];
}

class Bench {
    readonly database: FakeDatabase;
    readonly live: LiveQueries;

    constructor(database = new FakeDatabase(), deps: Partial<LiveDeps> = {}) {
        this.database = database;
        this.live = new LiveQueries({
            feed: database,
            clock: {nowMs: () => 1000},
            limits: DEFAULT_LIVE_LIMITS,
            snapshot: database.snapshot,
            history: database,
            ...deps,
        });
    }

    async subscribe(
        where: Expr | null,
        options: OpenOptions = {snapshot: false},
        {sink = new CollectingSink(), sessionId = 1, roleId = 0} = {},
    ): Promise<{sink: CollectingSink; subscription: Subscription}> {
        const subscription = await this.live.subscribe({
            plan: livePlan(select(this.database.table, where, TARGETS), roleId),
            subscriber: {sessionId, user: 'alice', roleId},
            options,
            deliver: sink,
        });
        await settle();
        return {sink, subscription};
    }
}

async function settle(): Promise<void> {
    for (let turns = 0; turns < 10; turns++) await nextTurn();
}

async function errorOf(promise: Promise<unknown>): Promise<PgError> {
    try {
        await promise;
    } catch (error) {
        if (error instanceof PgError) return error;
        throw error;
    }
    throw new Error('no error');
}

describe('events', () => {
    it('tell insert, update, delete, enter and leave by the old and the new row', async () => {
        const bench = new Bench();
        const {database, live} = bench;
        const {sink} = await bench.subscribe(K_IS_1);
        database.commit([{do: 'insert', values: values(1, 1, 'a"b')}]);
        database.commit([{do: 'update', rowid: 1, values: values(1, 1, 'c')}]);
        database.commit([{do: 'update', rowid: 1, values: values(1, null, 'd')}]);
        database.commit([{do: 'update', rowid: 1, values: values(1, 2, 'e')}]);
        database.commit([{do: 'update', rowid: 1, values: values(1, 1, 'f')}]);
        database.commit([{do: 'delete', rowid: 1}]);
        live.flush();
        expect(sink.jsons).toEqual([
            '{"op":"ready","_seq":"0"}',
            '{"op":"insert","_seq":"1","row":{"id":1,"name":"a\\"b"}}',
            '{"op":"update","_seq":"2","row":{"id":1,"name":"c"},"old":{"id":1,"name":"a\\"b"}}',
            '{"op":"leave","_seq":"3","old":{"id":1,"name":"c"}}',
            '{"op":"enter","_seq":"5","row":{"id":1,"name":"f"}}',
            '{"op":"delete","_seq":"6","old":{"id":1,"name":"f"}}',
        ]);
    });

    it('begin with the snapshot and its mark', async () => {
        const bench = new Bench();
        bench.database.commit([
            {do: 'insert', values: values(1, 1)},
            {do: 'insert', values: values(2, 2)},
            {do: 'insert', values: values(3, 1)},
        ]);
        const {sink, subscription} = await bench.subscribe(K_IS_1, {});
        expect(sink.jsons).toEqual([
            '{"op":"snapshot","_seq":"1","row":{"id":1,"name":"n1"}}',
            '{"op":"snapshot","_seq":"3","row":{"id":3,"name":"n3"}}',
            '{"op":"ready","_seq":"3"}',
        ]);
        expect(subscription.startSeq).toBe(3);
        expect(subscription.state).toBe('live');
    });

    it('of a snapshot can be limited to the rows changed last', async () => {
        const bench = new Bench();
        for (let id = 1; id <= 9; id++) bench.database.commit([{do: 'insert', values: values(id, 1)}]);
        bench.database.commit([{do: 'update', rowid: 2, values: values(2, 1)}]);
        const {sink} = await bench.subscribe(K_IS_1, {lastRows: 2});
        expect(sink.events.map(({_seq}) => _seq)).toEqual(['9', '10', '10']);
        const none = await bench.subscribe(K_IS_1, {lastRows: 0});
        expect(none.sink.events.map(({op}) => op)).toEqual(['ready']);
    });

    it('of rows that expire are deletes', async () => {
        const bench = new Bench(new FakeDatabase(tableDescriptor('stream')));
        const {sink} = await bench.subscribe(null);
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.database.commit([{do: 'delete', rowid: 1}], {expired: true});
        bench.live.flush();
        expect(sink.events.map(({op}) => op)).toEqual(['ready', 'insert', 'delete']);
    });

    it('of a user table concern its owner only, deletes and leaves too', async () => {
        const bench = new Bench(new FakeDatabase(tableDescriptor('user')));
        const mine = await bench.subscribe(K_IS_1, {snapshot: false}, {roleId: 10});
        const others = await bench.subscribe(K_IS_1, {snapshot: false}, {roleId: 11});
        bench.database.commit([
            {do: 'insert', values: values(1, 1), owner: 10},
            {do: 'insert', values: values(2, 1), owner: 10},
        ]);
        bench.database.commit([
            {do: 'update', rowid: 1, values: values(1, 2)},
            {do: 'delete', rowid: 2},
        ]);
        bench.live.flush();
        expect(mine.sink.events.map(({op}) => op)).toEqual(['ready', 'insert', 'insert', 'leave', 'delete']);
        expect(others.sink.events.map(({op}) => op)).toEqual(['ready']);
    });

    it('mark a TRUNCATE before what the same transaction writes after it', async () => {
        const bench = new Bench();
        const {sink} = await bench.subscribe(null);
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.database.commit([{do: 'insert', values: values(2, 1)}], {truncate: true});
        bench.live.flush();
        expect(sink.events.map(({op, _seq}) => [op, _seq])).toEqual([
            ['ready', '0'],
            ['insert', '1'],
            ['truncate', '2'],
            ['insert', '3'],
        ]);
    });

    it('come after the commit, never inside it', async () => {
        const bench = new Bench();
        const {sink} = await bench.subscribe(null);
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        expect(sink.events).toHaveLength(1);
        await nextTurn();
        expect(sink.events).toHaveLength(2);
    });
});

describe('sharing', () => {
    it('gives equal queries one evaluation and one encoded text', async () => {
        const bench = new Bench();
        const first = await bench.subscribe(K_IS_1);
        const second = await bench.subscribe(
            operator(column(3, 'k'), '=', constant(1)),
            {snapshot: false},
            {sessionId: 2},
        );
        expect(first.subscription.query).toBe(second.subscription.query);
        expect(bench.live.list().map(({sharedBy}) => sharedBy)).toEqual([2, 2]);
        first.subscription.close();
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.live.flush();
        expect(first.sink.events).toHaveLength(1);
        expect(second.sink.events).toHaveLength(2);
    });

    it('keeps apart queries that differ in a value, a type or the owner', async () => {
        const bench = new Bench(new FakeDatabase(tableDescriptor('user')));
        const conditions = [
            K_IS_1,
            operator(column(3, 'k'), '=', constant(2)),
            operator(column(4, 'v'), '=', constant(1)),
        ];
        for (const where of conditions) await bench.subscribe(where, {snapshot: false}, {roleId: 10});
        await bench.subscribe(K_IS_1, {snapshot: false}, {roleId: 11});
        expect(bench.live.list().map(({sharedBy}) => sharedBy)).toEqual([1, 1, 1, 1]);
    });
});

describe('the end', () => {
    it('comes to a slow consumer as an error that says where to resume, and resuming leaves no gap', async () => {
        const bench = new Bench();
        const {sink} = await bench.subscribe(null);
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.live.flush();
        sink.full = true;
        bench.database.commit([{do: 'insert', values: values(2, 1)}]);
        bench.live.flush();
        expect(sink.ended).toMatchObject({
            lastSeq: 1,
            error: {code: '54000', detail: 'The last delivered _seq is 1.'},
        });
        expect(sink.ended?.error?.hint).toContain('from_seq = 1');
        expect(bench.live.size).toBe(0);
        bench.database.commit([{do: 'insert', values: values(3, 1)}]);
        const resumed = await bench.subscribe(null, {fromSeq: 1});
        bench.database.commit([{do: 'insert', values: values(4, 1)}]);
        bench.live.flush();
        expect(resumed.sink.events.map(({op, _seq}) => [op, _seq])).toEqual([
            ['ready', '1'],
            ['insert', '2'],
            ['insert', '3'],
            ['insert', '4'],
        ]);
    });

    it('comes by kill with 57014', async () => {
        const bench = new Bench();
        const {sink, subscription} = await bench.subscribe(null);
        expect(bench.live.list()).toMatchObject([{id: subscription.id, user: 'alice', table: 't', state: 'live'}]);
        expect(bench.live.kill('live-0')).toBe(false);
        expect(bench.live.kill(subscription.id)).toBe(true);
        expect(sink.ended).toMatchObject({error: {code: '57014'}, lastSeq: 0});
        expect(bench.live.kill(subscription.id)).toBe(false);
        expect(bench.live.list()).toEqual([]);
    });

    it('comes with the session, for its live queries only', async () => {
        const bench = new Bench();
        const ending = await bench.subscribe(null);
        const staying = await bench.subscribe(null, {snapshot: false}, {sessionId: 2});
        bench.live.endSession(1);
        bench.live.endSession(7);
        expect(ending.sink.ended).toEqual({error: undefined, lastSeq: 0});
        expect(staying.sink.ended).toBeUndefined();
        expect(bench.database.listenerCount).toBe(1);
        bench.live.endWhere(({sessionId}) => sessionId === 2, new PgError('57P01', 'terminating'));
        expect(staying.sink.ended).toMatchObject({error: {code: '57P01'}});
        expect(bench.database.listenerCount).toBe(0);
    });

    it('comes with DROP TABLE, after the mark that all rows are gone', async () => {
        const bench = new Bench();
        const {sink} = await bench.subscribe(K_IS_1);
        bench.database.alter(undefined);
        bench.live.flush();
        expect(sink.events.map(({op}) => op)).toEqual(['ready', 'truncate']);
        expect(sink.ended).toMatchObject({error: {code: '42P01', message: 'relation "t" does not exist'}});
    });

    it('comes with an ALTER TABLE of a column that the query reads, and with no other', async () => {
        const bench = new Bench();
        const {sink} = await bench.subscribe(K_IS_1);
        const {columns} = bench.database.table;
        bench.database.alter({
            ...bench.database.table,
            version: 2,
            columns: columns.filter(({attnum}) => attnum !== 2),
        });
        bench.database.alter({
            ...bench.database.table,
            version: 3,
            columns: [...bench.database.table.columns, columnDescriptor(6, 'w')],
        });
        bench.database.commit([{do: 'insert', values: [1, 1, null, 'x', null]}]);
        bench.live.flush();
        expect(sink.events.at(-1)).toMatchObject({op: 'insert', row: {id: 1, name: 'x'}});
        bench.database.alter({
            ...bench.database.table,
            version: 4,
            columns: bench.database.table.columns.map((described) =>
                described.name === 'k' ? {...described, name: 'kk'} : described,
            ),
        });
        bench.live.flush();
        expect(sink.ended).toMatchObject({error: {code: '55000', column: 'k'}});
    });

    it('comes with a row that makes the condition fail, to this query alone', async () => {
        const bench = new Bench();
        const divided = operator(operator(constant(6), '/', column(4, 'v')), '>', constant(1));
        const failing = await bench.subscribe(divided);
        const other = await bench.subscribe(null);
        bench.database.commit([
            {do: 'insert', values: values(1, 1, 'a', 2)},
            {do: 'insert', values: values(2, 1, 'b', 0)},
        ]);
        bench.live.flush();
        expect(failing.sink.events.map(({op}) => op)).toEqual(['ready', 'insert']);
        expect(failing.sink.ended).toMatchObject({error: {code: '22012'}, lastSeq: 1});
        expect(other.sink.events).toHaveLength(3);
    });

    it('while the snapshot runs is thrown to the subscriber and leaves nothing behind', async () => {
        const bench = new Bench(new FakeDatabase(), {
            snapshot: () => Promise.reject(new PgError('57014', 'canceled')),
        });
        expect(await errorOf(bench.subscribe(null, {}))).toMatchObject({code: '57014'});
        expect(bench.live.size).toBe(0);
        expect(bench.database.listenerCount).toBe(0);
    });

    it('of the session while the snapshot is being taken is met with 57014', async () => {
        const bench = new Bench();
        let release = (): void => undefined;
        bench.database.pause = () => new Promise((resolve) => (release = resolve));
        const error = errorOf(bench.subscribe(null, {}));
        bench.live.endSession(1);
        release();
        expect(await error).toMatchObject({code: '57014'});
    });
});

describe('a table that gets another id', () => {
    it('is followed by all its queries, also for transactions that come before they have met it', async () => {
        const bench = new Bench();
        const plain = await bench.subscribe(null);
        const keyed = await bench.subscribe(K_IS_1);
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.database.commit([{do: 'insert', values: values(2, 1)}], {truncate: true});
        bench.database.commit([{do: 'insert', values: values(3, 1)}]);
        bench.database.alter({...bench.database.table, tableId: 555, version: 9});
        bench.database.commit([{do: 'delete', rowid: 2}]);
        bench.live.flush();
        const ops = ['ready', 'insert', 'truncate', 'insert', 'insert', 'delete'];
        expect(plain.sink.events.map(({op}) => op)).toEqual(ops);
        expect(keyed.sink.events.map(({op}) => op)).toEqual(ops);
    });

    it('is shared with those who subscribe to it afterwards', async () => {
        const bench = new Bench();
        await bench.subscribe(K_IS_1);
        bench.database.commit([], {truncate: true});
        await bench.subscribe(K_IS_1);
        expect(bench.live.list()).toMatchObject([{sharedBy: 2}, {sharedBy: 2}]);
        bench.database.alter(undefined);
        bench.live.flush();
        expect(bench.live.size).toBe(0);
        expect(bench.database.listenerCount).toBe(0);
    });

    it('is another table to those who resume from before it was created or had its name', async () => {
        const bench = new Bench();
        bench.database.alter({...bench.database.table, version: 2, name: 'u'});
        expect(await errorOf(bench.subscribe(null, {fromSeq: 0}))).toMatchObject({
            code: '55000',
            message: 'relation "u" was another one at _seq 0',
        });
    });
});

describe('a change of types', () => {
    it('is met by compiling again, and ends the queries that no longer compile', async () => {
        const bench = new Bench();
        let lost = false;
        const plan = livePlan(select(bench.database.table, K_IS_1));
        const compile: typeof plan.compile = (table) => {
            if (lost) throw new PgError('42704', 'type with OID 20001 does not exist');
            return plan.compile(table);
        };
        const sink = new CollectingSink();
        await bench.live.subscribe({
            plan: {...plan, compile},
            subscriber: {sessionId: 1, user: 'alice', roleId: 0},
            options: {snapshot: false},
            deliver: sink,
        });
        await settle();
        bench.live.typesChanged();
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.live.flush();
        expect(sink.events.map(({op}) => op)).toEqual(['ready', 'insert']);
        lost = true;
        bench.live.typesChanged();
        expect(sink.ended).toMatchObject({error: {code: '42704'}});
        expect(bench.live.size).toBe(0);
    });
});

describe('the opening', () => {
    it('of a slow reader waits for it and keeps the changes that come meanwhile', async () => {
        const bench = new Bench(new FakeDatabase(), {limits: {...DEFAULT_LIVE_LIMITS, liveQueueBytesMax: 200}});
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        const sink = new CollectingSink();
        sink.full = true;
        await bench.subscribe(null, {}, {sink});
        bench.database.commit([{do: 'insert', values: values(2, 1)}]);
        bench.live.flush();
        expect(bench.live.list()).toMatchObject([{state: 'waiting', lastSeq: undefined}]);
        expect(bench.live.list()[0]?.waitingBytes).toBeGreaterThan(0);
        sink.makeRoom();
        await settle();
        expect(sink.events.map(({op}) => op)).toEqual(['snapshot', 'ready', 'insert']);
        expect(bench.live.list()).toMatchObject([{state: 'live', waitingBytes: 0, lastSeq: 2, eventCount: 3}]);
    });

    it('reads the change log for what did not fit in the queue, also when it overflows while it is being sent', async () => {
        const bench = new Bench(new FakeDatabase(), {limits: {...DEFAULT_LIVE_LIMITS, liveQueueBytesMax: 150}});
        const sink = new CollectingSink();
        sink.full = true;
        await bench.subscribe(null, {}, {sink});
        const insert = (id: number): void => {
            bench.database.commit([{do: 'insert', values: values(id, 1)}]);
            bench.live.flush();
        };
        insert(1);
        insert(2);
        const send = sink.send.bind(sink);
        // Full again after the ready mark: more comes while the first of the waiting batches is held up.
        sink.send = (batch) => {
            const taken = send(batch);
            if (taken === 'ok' && sink.events.length === 1) sink.full = true;
            return taken;
        };
        sink.makeRoom();
        await settle();
        for (let id = 3; id <= 9; id++) insert(id);
        expect(bench.live.list()).toMatchObject([{state: 'replaying'}]);
        sink.makeRoom();
        await settle();
        insert(10);
        expect(sink.events.map(({_seq}) => Number(_seq))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    it('that overflows without a change log ends with an error', async () => {
        const database = new FakeDatabase();
        const bench = new Bench(database, {
            limits: {...DEFAULT_LIVE_LIMITS, liveQueueBytesMax: 100},
            history: noHistory,
        });
        const sink = new CollectingSink();
        sink.full = true;
        await bench.subscribe(null, {}, {sink});
        for (let id = 1; id <= 5; id++) database.commit([{do: 'insert', values: values(id, 1)}]);
        bench.live.flush();
        sink.makeRoom();
        await settle();
        expect(sink.ended).toMatchObject({error: {code: '54000'}, lastSeq: 0});
    });

    it('refuses to resume before the retained log and in the future', async () => {
        const bench = new Bench();
        bench.database.commit([{do: 'insert', values: values(1, 1)}]);
        bench.database.commit([{do: 'insert', values: values(2, 1)}]);
        bench.database.retainedFrom = 1;
        const gone = await errorOf(bench.subscribe(null, {fromSeq: 0}));
        expect(gone).toMatchObject({code: '55000'});
        expect(gone.hint).toContain('snapshot');
        expect(await errorOf(bench.subscribe(null, {fromSeq: 3}))).toMatchObject({code: '22023'});
        expect((await bench.subscribe(null, {fromSeq: 1})).sink.events).toHaveLength(2);
    });

    it('refuses options that contradict each other or are out of range', async () => {
        const bench = new Bench();
        const wrong: OpenOptions[] = [
            {fromSeq: 0, snapshot: true},
            {fromSeq: 0, lastRows: 1},
            {fromSeq: 0, batchSize: 1},
            {snapshot: false, lastRows: 1},
            {snapshot: false, batchSize: 1},
            {lastRows: 1_000_000},
            {batchSize: 0},
        ];
        for (const options of wrong) {
            expect(await errorOf(bench.subscribe(null, options)), JSON.stringify(options)).toMatchObject({
                code: '22023',
            });
        }
        expect(bench.live.size).toBe(0);
    });

    it('is refused past the limits of the server and of the session', async () => {
        const limits = {...DEFAULT_LIVE_LIMITS, liveQueriesMax: 3, liveQueriesPerSessionMax: 2};
        const bench = new Bench(new FakeDatabase(), {limits});
        await bench.subscribe(null);
        await bench.subscribe(null);
        expect(await errorOf(bench.subscribe(null))).toMatchObject({code: '53400'});
        await bench.subscribe(null, {}, {sessionId: 2});
        expect(await errorOf(bench.subscribe(null, {}, {sessionId: 3}))).toMatchObject({code: '53400'});
    });
});

const noHistory: ChangeHistory = {since: () => undefined, tableAt: (table) => table};
