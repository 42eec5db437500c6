/**
 * kill -9 while several clients insert, change and delete, one flushes and compacts, and one changes the schema: after
 * each restart what was acknowledged is there exactly once, what was under way is there whole or not at all, indexes
 * agree with rows, and no sequence gives a number twice. `TIDEWIRE_CRASH_ROUNDS` plays more rounds, `…_SEED` again.
 */
import {afterAll, beforeAll, expect, test} from 'vitest';
import {Random} from '../differential/generator/random.ts';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';

const ROUNDS = Number(process.env['TIDEWIRE_CRASH_ROUNDS'] ?? 5);
const SEED = Number(process.env['TIDEWIRE_CRASH_SEED'] ?? Date.now() % 1_000_000);
const WRITERS = 4;
const IDS_PER_WRITER = 60;
const GROUPS = 5;

interface Row {
    readonly v: number;
    readonly grp: number;
    readonly w: string | null;
}

/** New states by id; null = no row. */
type Changes = ReadonlyMap<number, Row | null>;

/** What one client knows of its own rows. */
class Ledger {
    readonly rows = new Map<number, Row>();
    /** Sent, not answered: happened whole or not at all. */
    inDoubt: Changes | undefined;

    apply(changes: Changes): void {
        for (const [id, row] of changes) {
            if (row === null) this.rows.delete(id);
            else this.rows.set(id, row);
        }
        this.inDoubt = undefined;
    }
}

let server: TidewireServer;
const random = new Random(SEED);
const ledgers = Array.from({length: WRITERS}, () => new Ledger());
const numbers = new Set<string>();
const events: string[] = [];
let lastSeq = 0n;

beforeAll(async () => {
    console.log(`seed ${SEED}`);
    server = await startTidewire();
    const client = await server.connect();
    await client.execute(`create table acc (id integer primary key, v integer not null, grp integer, w text unique)`);
    await client.execute('create index acc_grp on acc (grp)');
    await client.execute('create table journal (n bigserial primary key, writer integer)');
    await client.execute(`create table own (id integer primary key, v integer) with (type = 'user')`);
    await client.close();
}, 120_000);

afterAll(() => server?.remove());

test.each(Array.from({length: ROUNDS}, (_, round) => round))(
    'round %i: acknowledged effects are there exactly once',
    async (round) => {
        let stopped = false;
        const running = [
            ...ledgers.map((ledger, index) => write(ledger, index, () => stopped)),
            flush(() => stopped),
            changeSchema(round, () => stopped),
        ];
        await new Promise((resolve) => setTimeout(resolve, random.integer(30, 900)));
        await server.kill9();
        stopped = true;
        await Promise.all(running);
        await server.start();
        await verify();
    },
    90_000,
);

async function write(ledger: Ledger, writer: number, stopped: () => boolean): Promise<void> {
    try {
        const client = await server.connect();
        while (!stopped()) {
            const {sql, changes} = statementOf(ledger, writer);
            ledger.inDoubt = changes;
            const outcomes = await client.simple(sql);
            const error = outcomes.find((outcome) => outcome.sqlstate !== undefined);
            if (error === undefined) ledger.apply(changes);
            else {
                events.push(`${error.sqlstate} ${error.message}`);
                ledger.inDoubt = undefined;
                await client.simple('rollback');
            }
            const drawn = await client.simple(`insert into journal (writer) values (${writer}) returning n`);
            const number = drawn[0]?.rows[0]?.[0];
            if (typeof number !== 'string') continue;
            expect(numbers.has(number), `number ${number} given twice`).toBe(false);
            numbers.add(number);
        }
    } catch (error) {
        rethrowUnlessKilled(error);
    }
}

/** One to three changes of own rows, as one statement or one transaction. */
function statementOf(ledger: Ledger, writer: number): {readonly sql: string; readonly changes: Changes} {
    const changes = new Map<number, Row | null>();
    const statements: string[] = [];
    const ids = random.some(
        Array.from({length: IDS_PER_WRITER}, (_, index) => writer * 1000 + index),
        random.integer(1, 3),
    );
    for (const id of ids) {
        const before = ledger.rows.get(id);
        const row: Row = {
            v: random.integer(0, 1_000_000),
            grp: random.integer(0, GROUPS - 1),
            w: random.chance(0.3) ? null : `w${writer}-${id}-${random.integer(0, 3)}`,
        };
        const w = row.w === null ? 'null' : `'${row.w}'`;
        if (before === undefined || random.chance(0.2)) {
            statements.push(
                `insert into acc (id, v, grp, w) values (${id}, ${row.v}, ${row.grp}, ${w}) ` +
                    `on conflict (id) do update set v = excluded.v, grp = excluded.grp, w = excluded.w`,
            );
            changes.set(id, row);
        } else if (random.chance(0.25)) {
            statements.push(
                random.chance(0.5)
                    ? `delete from acc where id = ${id}`
                    : `delete from acc where id % 1000 = ${id % 1000} and id / 1000 = ${writer}`,
            );
            changes.set(id, null);
        } else {
            const where = random.chance(0.6) ? `id = ${id}` : `id + 0 = ${id}`;
            statements.push(`update acc set v = ${row.v}, grp = ${row.grp}, w = ${w} where ${where}`);
            changes.set(id, row);
        }
    }
    return {sql: `begin; ${statements.join('; ')}; commit`, changes};
}

async function flush(stopped: () => boolean): Promise<void> {
    try {
        const client = await server.connect();
        while (!stopped()) {
            const sql = random.pick(['flush', 'flush', 'flush', 'compact']);
            const [outcome] = await client.simple(`call system.${sql}('acc')`);
            if (outcome?.sqlstate !== undefined) events.push(`${sql}: ${outcome.sqlstate} ${outcome.message}`);
            await new Promise((resolve) => setTimeout(resolve, random.integer(0, 40)));
        }
    } catch (error) {
        rethrowUnlessKilled(error);
    }
}

async function changeSchema(round: number, stopped: () => boolean): Promise<void> {
    try {
        const client = await server.connect();
        for (let step = 0; !stopped(); step++) {
            const sql = random.pick([
                'alter table acc add column if not exists extra integer default 7',
                'alter table acc drop column if exists extra',
                'create index if not exists acc_v on acc (v)',
                'drop index if exists acc_v',
                `create table side_${round}_${step} as select id, v from acc limit 10`,
                `drop table if exists side_${round}_${step - 1}`,
                'alter table acc alter column v type bigint',
                'alter table acc alter column v type integer',
                'insert into own values (1, 1) on conflict (id) do update set v = own.v + 1',
                "call system.flush('own')",
            ]);
            const [outcome] = await client.simple(sql);
            if (outcome?.sqlstate !== undefined) events.push(`${sql}: ${outcome.sqlstate} ${outcome.message}`);
            await new Promise((resolve) => setTimeout(resolve, random.integer(0, 60)));
        }
    } catch (error) {
        rethrowUnlessKilled(error);
    }
}

async function verify(): Promise<void> {
    const client = await server.connect();
    const actual = new Map<number, Row>();
    const scanned = await client.rows('select id, v, grp, w from acc');
    for (const [id, v, grp, w] of scanned) {
        expect(actual.has(Number(id)), `row ${id} is there twice`).toBe(false);
        actual.set(Number(id), {v: Number(v), grp: Number(grp), w: w ?? null});
    }
    const expected = new Map<number, Row>();
    for (const ledger of ledgers) {
        const {inDoubt} = ledger;
        if (inDoubt !== undefined) {
            const happened = [...inDoubt].every(([id, row]) => same(actual.get(id), row ?? undefined));
            const didNot = [...inDoubt.keys()].every((id) => same(actual.get(id), ledger.rows.get(id)));
            const seen = [...inDoubt].map(([id, row]) => ({
                id,
                before: ledger.rows.get(id),
                sent: row,
                found: actual.get(id),
            }));
            expect(happened || didNot, `a transaction is there in part: ${JSON.stringify(seen)}`).toBe(true);
            if (happened) ledger.apply(inDoubt);
            ledger.inDoubt = undefined;
        }
        for (const [id, row] of ledger.rows) expected.set(id, row);
    }
    expect(sortedRows(actual)).toEqual(sortedRows(expected));

    for (let grp = 0; grp < GROUPS; grp++) {
        const byIndex = await client.rows(`select id from acc where grp = ${grp} order by id`);
        const byScan = await client.rows(`select id from acc where grp + 0 = ${grp} order by id`);
        expect(byIndex).toEqual(byScan);
    }
    for (const [id, {w}] of [...expected].slice(0, 40)) {
        if (w !== null) expect(await client.rows(`select id from acc where w = '${w}'`)).toEqual([[String(id)]]);
        expect(await client.rows(`select v from acc where id = ${id}`)).toEqual([[String(expected.get(id)?.v)]]);
    }
    const [seqs] = await client.rows('select count(*), count(distinct _seq), max(_seq) from acc');
    expect(seqs?.[0]).toBe(seqs?.[1]);

    const [drawn] = await client.rows('insert into journal (writer) values (-1) returning n');
    expect(numbers.has(drawn?.[0] ?? ''), 'a number is given twice').toBe(false);
    numbers.add(drawn?.[0] ?? '');
    const journal = new Set((await client.rows('select n from journal')).map(([n]) => n));
    expect(
        [...numbers].filter((number) => !journal.has(number)),
        'acknowledged numbers that are lost',
    ).toEqual([]);
    const [newest] = await client.rows('select max(_seq) from journal');
    expect(BigInt(newest?.[0] ?? 0) > lastSeq, '_seq goes on').toBe(true);
    lastSeq = BigInt(newest?.[0] ?? 0);
    const internal = events.filter((event) => /XX\d{3}/.test(event));
    expect(internal).toEqual([]);
    await client.close();
}

function same(a: Row | undefined, b: Row | undefined): boolean {
    if (a === undefined || b === undefined) return a === b;
    return a.v === b.v && a.grp === b.grp && a.w === b.w;
}

function sortedRows(rows: ReadonlyMap<number, Row>): unknown[] {
    return [...rows].sort(([a], [b]) => a - b);
}

/** The kill ends connections; anything else is a finding. */
function rethrowUnlessKilled(error: unknown): void {
    const text =
        error instanceof Error
            ? `${error.name} ${error.message} ${String((error as {code?: unknown}).code)}`
            : String(error);
    if (!/closed|ECONNRESET|ECONNREFUSED|EPIPE|57P01|57P03/.test(text)) throw error;
}
