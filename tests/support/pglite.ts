/**
 * PostgreSQL inside the test process, as the oracle: answers a statement as the wire would. Starting costs about three
 * seconds, so a test file makes one.
 */
import {PGlite} from '@electric-sql/pglite';
import {serialize} from 'pg-protocol';
import {Parser} from 'pg-protocol/dist/parser.js';
import {outcomesOf} from './outcome.ts';
import type {BackendMessage} from 'pg-protocol/dist/messages.js';
import type {Answerer, Outcome} from './outcome.ts';

export class PgliteOracle implements Answerer {
    readonly #database: PGlite;

    private constructor(database: PGlite) {
        this.#database = database;
    }

    static async start(): Promise<PgliteOracle> {
        const oracle = new PgliteOracle(await PGlite.create());
        await oracle.execute("set timezone = 'UTC'");
        return oracle;
    }

    async run(sql: string): Promise<Outcome> {
        const request = Buffer.concat([
            serialize.parse({text: sql}),
            serialize.bind(),
            serialize.describe({type: 'P'}),
            serialize.execute(),
            serialize.sync(),
        ]);
        const outcomes = outcomesOf(await this.#exchange(request));
        const [outcome] = outcomes;
        if (outcome === undefined || outcomes.length !== 1) throw new Error(`${outcomes.length} outcomes of: ${sql}`);
        return outcome;
    }

    /** Runs statements that must not fail. */
    async execute(sql: string): Promise<void> {
        await this.#database.exec(sql);
    }

    /** `COPY … FROM '/dev/blob'`: the place PGlite reads its attached file from. */
    async copyIn(copyFromBlob: string, data: Buffer): Promise<void> {
        await this.#database.query(copyFromBlob, [], {blob: new Blob([new Uint8Array(data)])});
    }

    async close(): Promise<void> {
        await this.#database.close();
    }

    async #exchange(request: Buffer): Promise<BackendMessage[]> {
        const bytes = await this.#database.execProtocolRaw(request);
        const messages: BackendMessage[] = [];
        new Parser().parse(Buffer.from(bytes), (message) => messages.push(message));
        return messages;
    }
}
