/**
 * The point path without the network: microseconds for a select by integer key from Bind to DataRow, with the row in
 * memory and in LevelDB, and single-row inserts with 1, 8 and 32 committers that each wait for their commit.
 * Microseconds are of CPU: the machine may be busy otherwise. Run: node bench/point.ts [part of a name] [directory]
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {DEFAULT_OUTPUT_SETTINGS} from '../catalog/types/settings.ts';
import type {Plan, Parameters as PlanParameters} from '../src/exec/plan.ts';
import {planPointSelect} from '../src/exec/point/select.ts';
import type {StatementContext} from '../src/exec/statement-context.ts';
import {planInsertValues} from '../src/exec/write/plan-insert.ts';
import {planChangeByKey} from '../src/exec/write/plan-change.ts';
import {TableWriter} from '../src/exec/write/table-writer.ts';
import {bindStatement} from '../src/sql/binder/bind.ts';
import {StatementParser} from '../src/sql/parse.ts';
import type {TableStore} from '../src/txn/table-store.ts';
import {describeTable, TestCore, TYPE} from '../src/txn/testing/fixture.ts';
import {Transaction} from '../src/txn/transaction.ts';
import {readParameter} from '../src/session/parameters.ts';
import {MessageWriter} from '../wire/message-writer.ts';

const ROWS = 100_000;
const SELECT_MS = 1500;
const INSERT_MS = 1500;

const ACCOUNTS = describeTable({
    tableId: 1,
    columns: {id: TYPE.int4, branch: TYPE.int4, balance: TYPE.int4, filler: TYPE.text},
    primaryKey: ['id'],
});

/** What a session gives to a statement, as far as the point path asks. */
class BenchContext {
    readonly database: TestCore;
    transaction: Transaction | null = null;
    snapshotSeq = 0;
    readonly output = DEFAULT_OUTPUT_SETTINGS;
    readonly identity = {sessionUser: 'bench', user: 'bench', roleId: 10, superuser: true};
    readonly evaluation = {settings: DEFAULT_OUTPUT_SETTINGS};

    constructor(core: TestCore) {
        this.database = core;
    }

    write(): Transaction {
        return (this.transaction ??= new Transaction(1));
    }
}

const wanted = process.argv[2] ?? '';
const directory = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'bench-point-'));
try {
    if ('select in memory'.includes(wanted)) await selects(256 * 1024 * 1024, 'in memory');
    if ('select mostly in LevelDB'.includes(wanted)) await selects(2 * 1024 * 1024, 'mostly in LevelDB');
    for (const committers of [1, 8, 32]) if ('insert'.includes(wanted)) await inserts(committers);
    for (const committers of [1, 8, 32]) if ('update'.includes(wanted)) await updates(committers);
} finally {
    rmSync(directory, {recursive: true, force: true});
}

function bindOf(core: TestCore, sql: string) {
    const [parsed] = new StatementParser().parse(sql);
    if (parsed === undefined) throw new Error('no statement');
    const bindContext = {
        catalog: {table: () => ACCOUNTS, view: () => undefined},
        types: core.types,
        parameterTypes: [],
        settings: DEFAULT_OUTPUT_SETTINGS,
    };
    return {bound: bindStatement(parsed.tree, bindContext), bindContext};
}

function selectPlan(core: TestCore, store: TableStore): Plan {
    const {bound} = bindOf(core, 'select balance from t1 where id = $1');
    const {statement} = bound;
    if (statement.kind !== 'select') throw new Error('not a select');
    const types = statement.columns.map((column) => core.types.require(column.type.oid));
    return planPointSelect({
        bound,
        select: statement,
        fields: [],
        types,
        registry: core.types,
        store,
        catalogVersion: 1,
        wider: () => Promise.reject(new Error('not for the point path')),
    });
}

function writePlan(core: TestCore, store: TableStore, sql: string): Plan {
    const {bound, bindContext} = bindOf(core, sql);
    const writer = new TableWriter(
        store,
        bindContext,
        {sources: [{table: ACCOUNTS}], types: core.types},
        {of: () => undefined, isChecked: () => false},
    );
    const shape = {bound, fields: null, types: [], registry: core.types, catalogVersion: 1};
    const {statement} = bound;
    if (statement.kind === 'insert') return planInsertValues(shape, statement, writer);
    if (statement.kind === 'update') return planChangeByKey(shape, statement, writer);
    throw new Error('neither insert nor update');
}

async function fill(core: TestCore, store: TableStore): Promise<void> {
    for (let from = 1; from <= ROWS; from += 5000) {
        const transaction = new Transaction(0);
        for (let id = from; id < from + 5000; id++) {
            core.writes.insert(transaction, store, 0, [id, id % 10, 0, 'x'.repeat(84)], 'error');
        }
        await core.committer.whenVisible(core.committer.commit(transaction));
    }
    await core.settle();
}

async function selects(cacheBytes: number, name: string): Promise<void> {
    const home = join(directory, name.replaceAll(' ', '-'));
    const core = await TestCore.open(home, {cacheBytes});
    const store = core.store(ACCOUNTS);
    await fill(core, store);
    const plan = selectPlan(core, store);
    const state = new BenchContext(core);
    const context = state as unknown as StatementContext;
    const writer = new MessageWriter({
        send: () => true,
        unsentBytes: 0,
        gone: false,
        caughtUp: () => Promise.resolve(),
    });
    const texts = Array.from({length: 65_536}, () => Buffer.from(String(1 + Math.floor(Math.random() * ROWS))));
    const measure = async (ms: number): Promise<number> => {
        const end = performance.now() + ms;
        const cpu = process.cpuUsage();
        let count = 0;
        while (performance.now() < end) {
            for (let i = 0; i < 1000; i++) {
                const text = texts[count++ & 65_535] as Buffer;
                const values = [
                    readParameter(core.types, TYPE.int4, 0, text, 0, text.length, 0, DEFAULT_OUTPUT_SETTINGS),
                ];
                const parameters: PlanParameters = {values, raw: [], resultFormats: []};
                state.snapshotSeq = core.committer.visibleSeq;
                const result = plan.start(context, parameters);
                if (result instanceof Promise || result.rows === null) throw new Error('not on the point path');
                const pulled = result.rows.pull(0, writer);
                if (pulled instanceof Promise) throw new Error('the writer is never congested');
                writer.commandComplete(result.tag(pulled.rows));
            }
            writer.flush();
            await new Promise((resolve) => setImmediate(resolve));
        }
        return process.cpuUsage(cpu).user / count;
    };
    await measure(300);
    const µs = await measure(SELECT_MS);
    console.log(`select by key, ${name}: ${µs.toFixed(2)} µs`);
    await core.close();
}

async function inserts(committers: number): Promise<void> {
    const core = await TestCore.open(join(directory, `insert-${committers}`));
    const store = core.store(ACCOUNTS);
    const plan = writePlan(core, store, 'insert into t1 values ($1, $2, $3, $4)');
    let id = 0;
    const line = await commits(core, committers, (context) =>
        plan.start(context, {values: [++id, 1, 2, 'a short note'], raw: [], resultFormats: []}),
    );
    console.log(`insert, ${committers} committers: ${line}`);
    await core.close();
}

async function updates(committers: number): Promise<void> {
    const core = await TestCore.open(join(directory, `update-${committers}`));
    const store = core.store(ACCOUNTS);
    await fill(core, store);
    const plan = writePlan(core, store, 'update t1 set balance = balance + $1 where id = $2');
    const line = await commits(core, committers, (context) =>
        plan.start(context, {values: [1, 1 + Math.floor(Math.random() * ROWS)], raw: [], resultFormats: []}),
    );
    console.log(`update by key, ${committers} committers: ${line}`);
    await core.close();
}

/** Each committer starts a statement, commits, waits to be durable, and begins again. */
async function commits(
    core: TestCore,
    committers: number,
    statement: (context: StatementContext) => unknown,
): Promise<string> {
    const run = async (ms: number): Promise<string> => {
        let count = 0;
        const cpu = process.cpuUsage();
        const started = performance.now();
        const end = started + ms;
        await Promise.all(
            Array.from({length: committers}, async () => {
                const state = new BenchContext(core);
                while (performance.now() < end) {
                    state.snapshotSeq = core.committer.visibleSeq;
                    statement(state as unknown as StatementContext);
                    const transaction = state.transaction as Transaction;
                    state.transaction = null;
                    const seq = core.committer.commit(transaction);
                    await core.committer.whenVisible(seq);
                    count++;
                }
            }),
        );
        const elapsedMs = performance.now() - started;
        const used = process.cpuUsage(cpu);
        const cpuMicros = ((used.user + used.system) / count).toFixed(1);
        return `${Math.round((count / elapsedMs) * 1000)} commits/s, ${cpuMicros} µs of CPU each`;
    };
    await run(300);
    return await run(INSERT_MS);
}
