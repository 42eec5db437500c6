/**
 * Random transactions of several sessions on the real core and on a model, compared after every commit: what sessions
 * see, what LevelDB has, what scans at a sequence give, what the change feed tells, and what a restart finds.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {Datum} from '../../catalog/types/datum.ts';
import {PgError} from '../../catalog/errors.ts';
import {indexHeads} from '../exec/point/index-scan.ts';
import {visibleRow} from '../exec/point/read.ts';
import type {StatementContext} from '../exec/statement-context.ts';
import type {Frame} from '../sql/compile/compile-expression.ts';
import {Head} from './head.ts';
import type {IndexWriter} from './index-writer.ts';
import {lock, LockWait} from './locks.ts';
import {currentRow} from './row-writes.ts';
import type {CommittedTransaction} from './row-version.ts';
import type {TableStore} from './table-store.ts';
import {Transaction, type TransactionMark} from './transaction.ts';
import {describeTable, TestCore, TYPE, type TableSpec} from './testing/fixture.ts';
import {Model, type ModelRow, type Overlay} from './testing/model.ts';
import {Random} from './testing/random.ts';

const SPECS: readonly TableSpec[] = [
    {
        tableId: 1,
        columns: {id: TYPE.int4, u: TYPE.int4, s: TYPE.text, v: TYPE.int8},
        primaryKey: ['id'],
        indexes: [
            {columns: ['u'], unique: true},
            {columns: ['s'], descending: true},
        ],
    },
    {
        tableId: 2,
        kind: 'user',
        columns: {a: TYPE.text, b: TYPE.numeric, c: TYPE.int4},
        primaryKey: ['a', 'b'],
        indexes: [{columns: ['c'], unique: true, nullsNotDistinct: true}],
    },
    {
        tableId: 3,
        columns: {a: TYPE.int8, b: TYPE.bpchar},
        indexes: [{columns: ['a', 'b'], unique: true}, {columns: ['b']}],
    },
    {
        tableId: 4,
        columns: {id: TYPE.int8, v: TYPE.float8},
        primaryKey: ['id'],
        indexes: [{columns: ['v'], unique: true}],
    },
];

/** Few values, so that keys meet; equal ones in different guises. */
const VALUES: Readonly<Record<number, readonly Datum[]>> = {
    [TYPE.int4]: [1, 2, 3, 4, 5, 6, -7],
    [TYPE.int8]: [1n, 2n, 3n, -4n, 9_007_199_254_740_993n],
    [TYPE.text]: ['a', 'b', 'c', 'ä', ''],
    [TYPE.numeric]: ['1.0', '1.00', '2', 'NaN', '-3.5'],
    [TYPE.bpchar]: ['x  ', 'x', 'y'],
    [TYPE.float8]: [0, -0, NaN, 1.5, Infinity],
};

interface TestSession {
    readonly transaction: Transaction;
    readonly overlays: Map<Model, Overlay>;
    readonly savepoints: {readonly mark: TransactionMark; readonly overlays: ReadonlyMap<Model, Overlay>}[];
}

let directory: string;
beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tidewire-txn-'));
});
afterEach(() => rmSync(directory, {recursive: true, force: true}));

class World {
    readonly random: Random;
    readonly core: TestCore;
    readonly models: readonly Model[];
    readonly sessions: (TestSession | null)[] = [null, null, null, null];
    /** What was committed, by sequence. */
    readonly history: {readonly seq: number; readonly rows: ReadonlyMap<Model, ReadonlyMap<number, ModelRow>>}[] = [];
    readonly feed = new Map<number, Map<number, readonly Datum[]>>();
    readonly counts = {ok: 0, conflict: 0, wait: 0, commits: 0, scans: 0};
    #fedSeq = 0;
    #fedNs = 0n;
    processId = 0;

    constructor(core: TestCore, seed: number, committed?: World) {
        this.core = core;
        this.random = new Random(seed);
        this.models = SPECS.map((spec) => new Model(core.store(describeTable(spec))));
        for (const [i, model] of this.models.entries()) {
            for (const [rowid, row] of committed?.models[i]?.committed ?? []) model.committed.set(rowid, row);
            const fed = new Map<number, readonly Datum[]>();
            for (const [rowid, row] of model.committed) fed.set(rowid, row.values);
            this.feed.set(model.store.table.tableId, fed);
        }
        if (committed !== undefined) {
            this.#fedSeq = committed.#fedSeq;
            this.#fedNs = committed.#fedNs;
        }
        this.#remember();
        core.committer.subscribe((transaction) => this.#told(transaction));
    }

    /** The feed must lead a replica through the same states. */
    #told(transaction: CommittedTransaction): void {
        for (const {table, rowid, seq, before, after} of transaction.changes) {
            expect(seq).toBeGreaterThan(this.#fedSeq);
            this.#fedSeq = seq;
            const rows = this.feed.get(table.tableId) as Map<number, readonly Datum[]>;
            expect(rows.get(rowid)).toEqual(before?.values);
            if (after === null) rows.delete(rowid);
            else {
                expect(after.seq).toBe(seq);
                expect(after.updatedNs).toBeGreaterThan(this.#fedNs);
                this.#fedNs = after.updatedNs;
                rows.set(rowid, after.values);
            }
        }
        expect(transaction.seq).toBeGreaterThanOrEqual(this.#fedSeq);
    }

    #remember(): void {
        this.history.push({
            seq: this.core.committer.enqueuedSeq,
            rows: new Map(this.models.map((model) => [model, new Map(model.committed)])),
        });
    }

    overlay(session: TestSession, model: Model): Overlay {
        let overlay = session.overlays.get(model);
        if (overlay === undefined) session.overlays.set(model, (overlay = new Map()));
        return overlay;
    }

    step(): void {
        const {random} = this;
        const at = random.below(this.sessions.length);
        const session = (this.sessions[at] ??= this.#newSession());
        const roll = random.next();
        if (roll < 0.12) {
            this.core.committer.commit(session.transaction);
            for (const model of this.models) model.commit(this.overlay(session, model));
            this.counts.commits++;
            this.#remember();
            this.sessions[at] = null;
            this.checkHeads();
        } else if (roll < 0.16) {
            this.core.committer.rollback(session.transaction);
            this.sessions[at] = null;
            this.checkHeads();
        } else if (roll < 0.22) {
            session.savepoints.push({mark: session.transaction.mark(), overlays: copyOverlays(session.overlays)});
        } else if (roll < 0.27) {
            const savepoint = session.savepoints.at(-1);
            if (savepoint === undefined) return;
            session.transaction.rollbackToSavepoint(savepoint.mark);
            session.overlays.clear();
            for (const [model, overlay] of copyOverlays(savepoint.overlays)) session.overlays.set(model, overlay);
        } else this.#statement(session, roll);
    }

    #newSession(): TestSession {
        return {transaction: new Transaction(++this.processId), overlays: new Map(), savepoints: []};
    }

    #statement(session: TestSession, roll: number): void {
        const model = this.random.pick(this.models);
        const overlay = this.overlay(session, model);
        const mark = session.transaction.mark();
        const kept = new Map(overlay);
        try {
            this.core.writes.enter(session.transaction, model.store);
            if (roll < 0.6) this.#insert(session, model, overlay);
            else this.#change(session, model, overlay, roll < 0.85);
            this.counts.ok++;
        } catch (error) {
            session.transaction.rollbackTo(mark);
            overlay.clear();
            for (const [rowid, row] of kept) overlay.set(rowid, row);
            if (error instanceof LockWait) {
                expect(error.lock.lockedBy).not.toBe(session.transaction);
                expect(error.lock.lockedBy).not.toBeNull();
                this.counts.wait++;
            } else if (error instanceof PgError && error.code === '23505') this.counts.conflict++;
            else throw error;
        }
    }

    #values(store: TableStore): Datum[] {
        return store.table.columns.map((column) => {
            const values = VALUES[column.type.oid] ?? [];
            return !column.notNull && this.random.chance(0.25) ? null : this.random.pick(values);
        });
    }

    #insert(session: TestSession, model: Model, overlay: Overlay): void {
        const {store} = model;
        const owner = store.table.options.kind === 'user' ? 1 + this.random.below(2) : 0;
        const values = this.#values(store);
        const arbiter = this.random.pick([
            'error',
            'any',
            'primary',
            ...store.indexes.filter((index) => index.index.unique),
        ] as const);
        const proposed: ModelRow = {rowid: 0, owner, values};
        const conflict = model.conflict(model.view(overlay), proposed);
        let outcome;
        try {
            outcome = this.core.writes.insert(session.transaction, store, owner, values, arbiter);
        } catch (error) {
            if (error instanceof PgError) expect(conflict, 'a conflict that is raised is there').toBeDefined();
            throw error;
        }
        if (outcome instanceof Head) {
            expect(conflict, 'a row that is inserted is in nobody’s way').toBeUndefined();
            this.#expectUntouched(session, model, proposed);
            const rowid = outcome.pending?.rowid ?? 0;
            overlay.set(rowid, {rowid, owner, values});
        } else {
            expect(conflict, 'a conflict that is reported is there').toBeDefined();
            const row = currentRow(session.transaction, outcome.head);
            const known = model.view(overlay).get(row?.rowid ?? 0);
            expect(row?.values).toEqual(known?.values);
        }
    }

    #change(session: TestSession, model: Model, overlay: Overlay, update: boolean): void {
        const {store} = model;
        const rows = [...model.view(overlay).values()];
        if (rows.length === 0) return;
        const row = this.random.pick(rows);
        const {key, bytes} = store.keyOfRow(row.values, row.rowid);
        const head = store.head(row.owner, key, bytes);
        lock(session.transaction, head);
        const current = currentRow(session.transaction, head);
        expect(current?.values).toEqual(row.values);
        if (current === null) return;
        if (!update) {
            this.core.writes.delete(session.transaction, head, current);
            overlay.set(row.rowid, null);
            return;
        }
        const values = this.#values(store).map((value, i) =>
            this.random.chance(0.5) ? value : (row.values[i] ?? null),
        );
        const changed: ModelRow = {...row, values};
        const conflict = model.conflict(model.view(overlay), changed);
        let after;
        try {
            after = this.core.writes.update(session.transaction, head, current, values);
        } catch (error) {
            if (error instanceof PgError) expect(conflict, 'a conflict that is raised is there').toBeDefined();
            throw error;
        }
        expect(conflict).toBeUndefined();
        this.#expectUntouched(session, model, changed);
        expect(after.pending?.rowid).toBe(row.rowid);
        overlay.set(row.rowid, changed);
    }

    /** No other session has anything open on the row's keys. */
    #expectUntouched(session: TestSession, model: Model, row: ModelRow): void {
        const keys = model.keysOf(row);
        for (const other of this.sessions) {
            if (other === null || other === session) continue;
            const touched = model.touched(this.overlay(other, model));
            expect(keys.filter((key) => touched.has(key))).toEqual([]);
        }
    }

    /** What each session sees under every key, and what nobody has written. */
    checkHeads(): void {
        const nobody = new Transaction(0);
        for (const model of this.models) {
            for (const row of model.committed.values()) {
                const {key, bytes} = model.store.keyOfRow(row.values, row.rowid);
                const head = model.store.head(row.owner, key, bytes);
                expect(head.newest?.values).toEqual(row.values);
                expect(head.newest?.rowid).toBe(row.rowid);
                for (const index of model.store.indexes) {
                    if (!index.excludes(row.values)) continue;
                    const slot = this.core.slots.peek(index.entryKey(row.owner, row.values, bytes));
                    expect(slot.holder?.toString('hex')).toBe(bytes.toString('hex'));
                }
            }
            for (const session of this.sessions) {
                if (session === null) continue;
                for (const row of model.view(this.overlay(session, model)).values()) {
                    const {key, bytes} = model.store.keyOfRow(row.values, row.rowid);
                    const head = model.store.head(row.owner, key, bytes);
                    expect(
                        currentRow(head.lockedBy === session.transaction ? session.transaction : nobody, head)?.values,
                    ).toEqual(row.values);
                }
            }
        }
    }

    /** Scans at the sequence visible now, while others go on; compared with what was committed then. */
    async scan(): Promise<void> {
        const model = this.random.pick(this.models);
        const {seq, batches} = this.core.hotRows.scan(model.store.table);
        expect(seq).toBe(this.core.committer.visibleSeq);
        const then = this.history.findLast((entry) => entry.seq <= seq)?.rows.get(model);
        const found = new Map<number, readonly Datum[]>();
        for await (const batch of batches) {
            for (const row of batch) {
                expect(found.has(row.rowid), 'no row is seen twice').toBe(false);
                expect(row.seq).toBeLessThanOrEqual(seq);
                found.set(row.rowid, row.values);
            }
            if (this.random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
        }
        expect(found).toEqual(new Map([...(then ?? [])].map(([rowid, row]) => [rowid, row.values])));
        this.counts.scans++;
    }

    /** As `scan`, through a secondary index. */
    async indexScan(): Promise<void> {
        const model = this.random.pick(this.models.filter(({store}) => store.indexes.some(({index}) => !index.unique)));
        const {store} = model;
        const index = this.random.pick(store.indexes);
        const position = index.positions[0] ?? 0;
        const wanted = this.random.pick(VALUES[store.table.columns[position]?.type.oid ?? 0] ?? []);
        let snapshotSeq = -1;
        const context = {
            database: this.core,
            transaction: null,
            fixSnapshot: (seq: number) => (snapshotSeq = seq),
            get snapshotSeq() {
                return snapshotSeq;
            },
        } as unknown as StatementContext;
        const scan = {index, values: () => [wanted], description: ''};
        const found = new Map<number, readonly Datum[]>();
        for await (const head of indexHeads(context, store, 0, scan, {} as Frame)) {
            const row = visibleRow(context, head, undefined);
            if (row === null || !same(index, position, row.values, wanted)) continue;
            expect(found.has(row.rowid), 'no row is seen twice').toBe(false);
            found.set(row.rowid, row.values);
            if (this.random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
        }
        const then = this.history.findLast((entry) => entry.seq <= snapshotSeq)?.rows.get(model);
        const expected = [...(then ?? [])].filter(([, row]) => same(index, position, row.values, wanted));
        expect(found).toEqual(new Map(expected.map(([rowid, row]) => [rowid, row.values])));
        this.counts.scans++;
    }

    endSessions(): void {
        for (const [i, session] of this.sessions.entries()) {
            if (session !== null) this.core.committer.rollback(session.transaction);
            this.sessions[i] = null;
        }
    }

    /** LevelDB alone: rows and index entries exactly as expected. */
    async checkStored(): Promise<void> {
        for (const model of this.models) {
            const rows = await this.core.storedRows(model.store);
            const stored = new Map(
                rows.map((row) => [row.rowid, {rowid: row.rowid, owner: row.owner, values: row.values}]),
            );
            expect(stored.size).toBe(rows.length);
            expect(stored).toEqual(model.committed);
            expect(await this.core.storedEntries(model.store)).toEqual(
                this.core.expectedEntries(model.store, [...model.committed.values()]),
            );
        }
    }
}

function same(index: IndexWriter, position: number, values: readonly Datum[], wanted: Datum): boolean {
    const value = values[position] ?? null;
    return value !== null && index.types[0]?.compare(value, wanted) === 0;
}

function copyOverlays(overlays: ReadonlyMap<Model, Overlay>): Map<Model, Overlay> {
    return new Map([...overlays].map(([model, overlay]) => [model, new Map(overlay)]));
}

const STEPS = 700;

describe.each([
    {name: 'a large cache', cacheBytes: 64 * 1024 * 1024},
    {name: 'a cache of a few rows', cacheBytes: 4000},
])('random transactions with $name', ({cacheBytes}) => {
    test.each([1, 2, 3])('do what the model does (seed %i)', async (seed) => {
        let core = await TestCore.open(directory, {cacheBytes});
        let world = new World(core, seed);
        for (let round = 0; round < 3; round++) {
            const scans: Promise<void>[] = [];
            for (let step = 0; step < STEPS; step++) {
                world.step();
                if (world.random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve));
                else if (world.random.chance(0.2)) await Promise.resolve();
                if (world.random.chance(0.02)) scans.push(world.random.chance(0.5) ? world.scan() : world.indexScan());
                if (world.random.chance(0.005)) await core.committer.whenApplied(core.committer.visibleSeq);
            }
            await Promise.all(scans);
            expect(world.counts.ok).toBeGreaterThan(100);
            expect(world.counts.conflict).toBeGreaterThan(10);
            expect(world.counts.wait).toBeGreaterThan(10);
            expect(world.counts.scans).toBeGreaterThan(2);
            world.endSessions();
            if (round === 0) {
                await core.settle();
                await world.checkStored();
                expect(core.slots.size).toBe(0);
                await core.close();
            } else {
                const before = world.history.length;
                expect(before).toBeGreaterThan(1);
                await core.abandon();
            }
            core = await TestCore.open(directory, {cacheBytes});
            if (round === 0) expect(core.replayed).toBe(0);
            world = new World(core, seed * 100 + round, world);
            world.checkHeads();
            await world.checkStored();
        }
        await core.close();
    });
});
