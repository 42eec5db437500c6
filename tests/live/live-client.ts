/**
 * Clients of live queries as users write them: node-postgres with LISTEN, with COPY … TO STDOUT, and with rows of a
 * result that does not end. They keep every event in order of arrival.
 */
import {connect} from 'node:net';
import type {Client, Submittable} from 'pg';
import {serialize} from 'pg-protocol';
import type {LiveEvent} from '../support/live-replay.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import {waitUntil} from '../support/wait.ts';

const EVENT_TIMEOUT_MS = 8_000;

/** Events as they arrive, by whatever way. */
export class Events {
    readonly all: LiveEvent[] = [];
    readonly lines: string[] = [];

    add(json: string): void {
        this.lines.push(json);
        this.all.push(JSON.parse(json) as LiveEvent);
    }

    /** The operations, for short comparisons. */
    get ops(): string[] {
        return this.all.map(({op}) => op);
    }

    /** All but the opening. */
    get changes(): LiveEvent[] {
        return this.all.filter(({op}) => op !== 'snapshot' && op !== 'ready');
    }

    get lastSeq(): string {
        return this.all.at(-1)?._seq ?? '';
    }

    async has(what: string, holds: () => boolean): Promise<void> {
        await waitUntil(what, EVENT_TIMEOUT_MS, holds).catch((error: unknown) => {
            throw new Error(`${String(error)}; last events: ${this.lines.slice(-5).join(' ')}`, {cause: error});
        });
    }

    async count(count: number): Promise<void> {
        await this.has(`${count} events`, () => this.all.length >= count);
    }

    async ready(): Promise<void> {
        await this.has('the ready mark', () => this.ops.includes('ready'));
    }

    /** Everything committed before this call has arrived. */
    async reach(seq: bigint): Promise<void> {
        await this.has(`_seq ${seq}`, () => BigInt(this.lastSeq || '0') >= seq);
    }
}

/** LISTEN "query" on a client of its own. */
export async function listen(
    server: TidewireServer,
    query: string,
    user?: string,
): Promise<{client: Client; events: Events}> {
    const client = await server.connectPg(user === undefined ? {} : {user});
    const events = new Events();
    client.on('notification', ({channel, payload}) => {
        if (channel === query) events.add(payload ?? '');
    });
    await client.query(`LISTEN ${quoted(query)}`);
    await events.ready();
    return {client, events};
}

/** As the channel of LISTEN and UNLISTEN. */
export function quoted(query: string): string {
    return `"${query.replaceAll('"', '""')}"`;
}

/** A statement whose answer is events: COPY (SUBSCRIBE TO …) TO STDOUT, or SUBSCRIBE TO … . */
export class Subscription implements Submittable {
    readonly events = new Events();
    readonly raw: Buffer[] = [];
    tag: string | undefined;
    error: {code?: string; message: string; hint?: string; detail?: string} | undefined;
    /** Resolves at the error, or at ReadyForQuery. */
    readonly finished: Promise<void>;
    readonly #sql: string;
    readonly #decode: (line: string) => string;
    readonly #finish: () => void;

    constructor(sql: string, decode: (line: string) => string = (line) => line) {
        this.#sql = sql;
        this.#decode = decode;
        const {promise, resolve} = Promise.withResolvers<void>();
        this.finished = promise;
        this.#finish = resolve;
    }

    submit(connection: {query(sql: string): void}): void {
        connection.query(this.#sql);
    }

    handleCopyData({chunk}: {chunk: Buffer}): void {
        this.raw.push(Buffer.from(chunk));
        this.events.add(this.#decode(chunk.toString('utf8').replace(/\n$/, '')));
    }

    handleDataRow({fields}: {fields: readonly (string | null)[]}): void {
        this.events.add(fields[0] ?? '');
    }

    handleRowDescription(): void {}

    handleEmptyQuery(): void {}

    handlePortalSuspended(): void {}

    handleCommandComplete({text}: {text: string}): void {
        this.tag = text;
    }

    /** node-postgres forgets a query at its error: it hears of no ReadyForQuery then. */
    handleError(error: Error): void {
        this.error = error;
        this.#finish();
    }

    handleReadyForQuery(): void {
        this.#finish();
    }
}

/** COPY (SUBSCRIBE TO query) TO STDOUT in JSON lines; resolves at the ready mark, or when it was refused. */
export async function subscribe(client: Client, query: string, options = ''): Promise<Subscription> {
    const subscription = new Subscription(`COPY (SUBSCRIBE TO ${query} ${options}) TO STDOUT (FORMAT json)`);
    client.query(subscription);
    await Promise.race([subscription.events.ready(), subscription.finished]);
    return subscription;
}

/** CancelRequest, as psql sends it at Ctrl-C. */
export async function cancel(server: TidewireServer, client: Client): Promise<void> {
    const {processID, secretKey} = client as unknown as {processID: number; secretKey: number};
    await new Promise<void>((resolve, reject) => {
        const socket = connect({host: '127.0.0.1', port: server.port}, () =>
            socket.end(serialize.cancel(processID, secretKey)),
        );
        socket.once('error', reject);
        socket.once('close', () => resolve());
        socket.resume();
    });
}

/** The newest `_seq` of the server, by a change that nobody listens to. */
export async function currentSeq(client: Client): Promise<bigint> {
    await client.query('CREATE TABLE IF NOT EXISTS live_clock (id int PRIMARY KEY)');
    await client.query('INSERT INTO live_clock VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1');
    const {rows} = await client.query<{seq: string}>('SELECT _seq::text AS seq FROM live_clock');
    return BigInt(rows[0]?.seq ?? '0');
}
