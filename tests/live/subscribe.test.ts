/** COPY (SUBSCRIBE TO …) TO STDOUT and SUBSCRIBE TO … on a running server: opening, formats, options and ends. */
import {spawn} from 'node:child_process';
import type {Client} from 'pg';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';
import {requirePostgresProgram} from '../support/debian-programs.ts';
import {liveRowsOf, replay} from '../support/live-replay.ts';
import {startTidewire, type TidewireServer} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';
import {cancel, Events, subscribe, Subscription} from './live-client.ts';

let server: TidewireServer;
let admin: Client;
const clients: Client[] = [];

beforeAll(async () => {
    server = await startTidewire();
    admin = await server.connectPg();
    // The first DDL of a server waits for its twin.
    await admin.query('CREATE TABLE warm (id int)');
}, 90_000);

beforeEach(async () => {
    await admin.query(`DROP TABLE IF EXISTS m;
        CREATE TABLE m (id int PRIMARY KEY, v int, body text);
        INSERT INTO m VALUES (1, 10, 'one'), (2, 20, E'tab\\t "quote" \\\\ back\\nline'), (3, NULL, NULL)`);
});

afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await waitUntil('no live query', 5000, async () => (await liveQueries()) === 0);
});

afterAll(async () => {
    await admin?.end();
    await server?.remove();
});

async function connected(): Promise<Client> {
    const client = await server.connectPg();
    client.on('error', () => undefined);
    clients.push(client);
    return client;
}

async function liveQueries(): Promise<number> {
    const {rows} = await admin.query('SELECT id FROM system.live_queries');
    return rows.length;
}

const ROWS = [
    {id: 1, v: 10, body: 'one'},
    {id: 2, v: 20, body: 'tab\t "quote" \\ back\nline'},
    {id: 3, v: null, body: null},
];

describe('COPY (SUBSCRIBE TO …) TO STDOUT', () => {
    test.each([
        ['', undoText],
        ['(FORMAT text)', undoText],
        ['(FORMAT csv)', undoCsv],
        ['(FORMAT json)', (line: string) => line],
    ])('sends the snapshot, its mark, then changes, in the format %s', async (format, decode) => {
        const client = await connected();
        const subscription = new Subscription(
            `COPY (SUBSCRIBE TO SELECT id, v, body FROM m) TO STDOUT ${format}`,
            decode,
        );
        client.query(subscription);
        await subscription.events.ready();
        expect(subscription.events.ops).toEqual(['snapshot', 'snapshot', 'snapshot', 'ready']);
        expect(subscription.events.all.slice(0, 3).map(({row}) => row)).toEqual(ROWS);
        await admin.query(`UPDATE m SET v = 11, body = E'\\r\\\\N"' WHERE id = 1; DELETE FROM m WHERE id = 3`);
        await subscription.events.count(6);
        expect(subscription.events.changes.map(({op, row, old}) => [op, row, old])).toEqual([
            ['update', {id: 1, v: 11, body: '\r\\N"'}, ROWS[0]],
            ['delete', undefined, ROWS[2]],
        ]);
        for (const line of subscription.raw) expect(line.indexOf(10)).toBe(line.length - 1);
        await cancel(server, client);
        await subscription.finished;
        expect(subscription.error).toMatchObject({code: '57014'});
        // The session goes on.
        expect((await client.query('SELECT 1 AS one')).rows).toEqual([{one: 1}]);
    });

    test('is refused as other queries are, with the place of the mistake', async () => {
        const client = await connected();
        const sql = 'COPY (SUBSCRIBE TO SELECT id, nothing FROM m) TO STDOUT';
        await expect(client.query(sql)).rejects.toMatchObject({
            code: '42703',
            position: String(sql.indexOf('nothing') + 1),
        });
        await expect(client.query('COPY (SUBSCRIBE TO nowhere) TO STDOUT')).rejects.toMatchObject({code: '42P01'});
        expect((await client.query('SELECT 1 AS one')).rows).toEqual([{one: 1}]);
    });

    test('streams to psql, whose Ctrl-C ends it', async () => {
        const psql = requirePostgresProgram('psql');
        const args = [
            '-oL',
            psql,
            '-X',
            '-h',
            '127.0.0.1',
            '-p',
            String(server.port),
            '-U',
            server.user,
            '-d',
            server.database,
        ];
        const child = spawn('stdbuf', [...args, '-c', 'COPY (SUBSCRIBE TO m WHERE v > 0) TO STDOUT (FORMAT json)']);
        const events = new Events();
        let rest = '';
        let errors = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
            const lines = (rest + text).split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) events.add(line);
        });
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
            errors += text;
        });
        try {
            await events.ready();
            await admin.query('UPDATE m SET v = 30 WHERE id = 3');
            await events.count(4);
            expect(events.ops).toEqual(['snapshot', 'snapshot', 'ready', 'enter']);
        } finally {
            child.kill('SIGINT');
        }
        const code = await new Promise((resolve) => child.once('close', resolve));
        expect(errors).toContain('canceling');
        expect(code).toBe(1);
    });

    test('and SUBSCRIBE TO … end when the client goes away in the middle', async () => {
        for (const sql of ['COPY (SUBSCRIBE TO m) TO STDOUT (FORMAT json)', 'SUBSCRIBE TO m']) {
            const client = await connected();
            const subscription = new Subscription(sql);
            client.query(subscription);
            await subscription.events.ready();
            expect(await liveQueries()).toBe(1);
            (client as unknown as {connection: {stream: {destroy(): void}}}).connection.stream.destroy();
            await waitUntil('no live query', 5000, async () => (await liveQueries()) === 0);
        }
    });

    test('ends by statement_timeout and by KILL LIVE QUERY', async () => {
        const client = await connected();
        await client.query(`SET statement_timeout = '300ms'`);
        const timed = await subscribe(client, 'm');
        await timed.finished;
        expect(timed.error).toMatchObject({code: '57014', message: 'canceling statement due to statement timeout'});
        await client.query('SET statement_timeout = 0');
        for (const kill of ['KILL LIVE QUERY %', 'SELECT system.kill_live_query(%)']) {
            const killed = await subscribe(client, 'm');
            const {rows} = await admin.query<{id: string}>('SELECT id FROM system.live_queries');
            await admin.query(kill.replace('%', `'${rows[0]?.id}'`));
            await killed.finished;
            expect(killed.error).toMatchObject({code: '57014', message: 'canceling live query due to user request'});
        }
        await expect(admin.query(`KILL LIVE QUERY 'live-0'`)).rejects.toMatchObject({code: '42704'});
        expect((await admin.query(`SELECT system.kill_live_query('live-0') AS killed`)).rows).toEqual([
            {killed: false},
        ]);
    });

    test('in a transaction tells only what is committed, and leaves the transaction usable after an error', async () => {
        const client = await connected();
        await client.query('BEGIN; INSERT INTO m VALUES (4, 40)');
        const inside = await subscribe(client, 'm WHERE v > 0');
        expect(inside.events.ops).toEqual(['snapshot', 'snapshot', 'ready']);
        await admin.query('INSERT INTO m VALUES (5, 50)');
        await inside.events.count(4);
        await cancel(server, client);
        await inside.finished;
        expect(inside.error).toMatchObject({code: '57014'});
        await expect(client.query('SELECT 1')).rejects.toMatchObject({code: '25P02'});
        await client.query('ROLLBACK');
        await client.query('BEGIN; CREATE TABLE own (id int)');
        const own = await subscribe(client, 'own');
        await own.finished;
        expect(own.error).toMatchObject({code: '0A000'});
        await client.query('ROLLBACK');
    });
});

describe('the options', () => {
    test.each([
        ['WITH (snapshot = false)', ['ready']],
        ['WITH (last_rows = 2)', ['snapshot', 'snapshot', 'ready']],
        ['OPTIONS (last_rows = 1)', ['snapshot', 'ready']],
        ['WITH (batch_size = 1)', ['snapshot', 'snapshot', 'snapshot', 'ready']],
        ['WITH (snapshot = true)', ['snapshot', 'snapshot', 'snapshot', 'ready']],
    ])('%s', async (options, ops) => {
        await admin.query('UPDATE m SET v = 12 WHERE id = 1');
        const client = await connected();
        const subscription = await subscribe(client, 'm', options);
        expect(subscription.events.ops).toEqual(ops);
        if (options.includes('last_rows')) expect(subscription.events.all.at(-2)?.row).toMatchObject({id: 1, v: 12});
        await cancel(server, client);
        await subscription.finished;
    });

    test.each([
        ['WITH (snapshot = true, from_seq = 1)', '22023'],
        ['WITH (last_rows = -1)', '22023'],
        ['WITH (batch_size = 0)', '22023'],
        ['WITH (from_seq = 900719925474099)', '22023'],
        ['WITH (nothing = 1)', '22023'],
    ])('%s is refused', async (options, code) => {
        const client = await connected();
        const subscription = await subscribe(client, 'm', options);
        await subscription.finished;
        expect(subscription.error?.code).toBe(code);
    });
});

describe('SUBSCRIBE TO …', () => {
    test('gives events as rows until it is cancelled', async () => {
        const client = await connected();
        const subscription = new Subscription('SUBSCRIBE TO SELECT id, v FROM m WHERE v > 0');
        client.query(subscription);
        await subscription.events.ready();
        await admin.query('UPDATE m SET v = v + 1; INSERT INTO m VALUES (4, 40); DELETE FROM m WHERE id = 1');
        await subscription.events.count(6);
        const now = await admin.query({text: 'SELECT id, v FROM m WHERE v > 0', rowMode: 'array'});
        expect(replay(new Map(), subscription.events.all)).toEqual(liveRowsOf(now.rows as string[][]));
        await cancel(server, client);
        await subscription.finished;
        expect(subscription.error).toMatchObject({code: '57014'});
        expect((await client.query('SELECT 1 AS one')).rows).toEqual([{one: 1}]);
    });

    test('gives what there is to a client that asks for so many rows', async () => {
        const client = await connected();
        const pages = new Pages(`SUBSCRIBE TO SELECT id, v FROM m`, 2);
        client.query(pages);
        await pages.events.ready();
        expect(pages.events.ops).toEqual(['snapshot', 'snapshot', 'snapshot', 'ready']);
        expect(pages.suspensions).toBe(2);
        await admin.query('INSERT INTO m VALUES (4, 40)');
        await admin.query('INSERT INTO m VALUES (5, 50)');
        await pages.events.count(6);
        // It waits for the next event.
        await cancel(server, client);
        await pages.finished;
        expect(pages.error).toMatchObject({code: '57014'});
        expect(await liveQueries()).toBe(0);
        const stopped = new Pages(`SUBSCRIBE TO SELECT id, v FROM m`, 2);
        stopped.stopAt(2);
        client.query(stopped);
        await stopped.finished;
        expect(stopped.events.ops).toEqual(['snapshot', 'snapshot']);
        expect(await liveQueries()).toBe(0);
        expect((await client.query('SELECT 1 AS one')).rows).toEqual([{one: 1}]);
    });
});

interface ExtendedConnection {
    parse(message: {text: string}): void;
    bind(message: object): void;
    describe(message: {type: 'P'; name: string}): void;
    execute(message: {portal: string; rows: number}): void;
    flush(): void;
    close(message: {type: 'P'; name: string}): void;
    sync(): void;
    query(sql: string): void;
}

/** The extended protocol, some rows at a time, as JDBC's fetchSize and pg-cursor do. */
class Pages extends Subscription {
    readonly #text: string;
    readonly #rows: number;
    #connection: ExtendedConnection | undefined;
    #stopAt = Number.POSITIVE_INFINITY;
    suspensions = 0;

    constructor(text: string, rows: number) {
        super(text);
        this.#text = text;
        this.#rows = rows;
    }

    override submit(connection: unknown): void {
        this.#begin(connection as ExtendedConnection);
    }

    #begin(connection: ExtendedConnection): void {
        this.#connection = connection;
        connection.parse({text: this.#text});
        connection.bind({});
        connection.describe({type: 'P', name: ''});
        this.#execute();
    }

    override handlePortalSuspended(): void {
        this.suspensions++;
        if (this.events.all.length < this.#stopAt) {
            this.#execute();
            return;
        }
        this.#connection?.close({type: 'P', name: ''});
        this.#connection?.sync();
    }

    override handleError(error: Error): void {
        super.handleError(error);
        this.#connection?.sync();
    }

    /** Closes the portal after so many events. */
    stopAt(events: number): void {
        this.#stopAt = events;
    }

    #execute(): void {
        this.#connection?.execute({portal: '', rows: this.#rows});
        this.#connection?.flush();
    }
}

function undoText(line: string): string {
    const names: Readonly<Record<string, string>> = {n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v'};
    return line.replaceAll(/\\(.)/g, (_, char: string) => names[char] ?? char);
}

function undoCsv(line: string): string {
    expect(line).toMatch(/^".*"$/);
    return line.slice(1, -1).replaceAll('""', '"');
}
