/**
 * One DuckDB instance: in-memory main database, the scratch file of the mirrors attached as `mirror`, a writer
 * connection and a bounded pool of readers.
 *
 * What must stay true: with `immediate_transaction_mode` BEGIN fixes the snapshot of every attached database, so a
 * reader that begins under the mirror's lock sees exactly what is committed then, even after tables are dropped. The
 * scratch file writes no WAL: it is rebuilt at start, never recovered.
 */
import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {DuckDBConnection} from '@duckdb/node-api';
import {DuckDBInstance} from '@duckdb/node-api';

export interface EngineOptions {
    /** A directory of our own: the scratch file and DuckDB's spill files are deleted and made anew. */
    readonly directory: string;
    readonly memoryBytesMax: number;
    readonly threads: number;
    /** Queries that run at once; more wait. */
    readonly readersMax: number;
}

/** Readers of open cursors and suspended portals. */
const PARKED_READERS_MAX = 1_000;

export const MIRROR_DATABASE = 'mirror';

export class Engine {
    readonly #instance: DuckDBInstance;
    readonly #options: EngineOptions;
    /** For the mirror's changes only, one section at a time under the mirror's lock. */
    readonly writer: DuckDBConnection;
    readonly #idle: DuckDBConnection[] = [];
    readonly #waiting = new Set<() => void>();
    readonly #timeZones = new WeakMap<DuckDBConnection, string>();
    /** Readers at work. */
    #readers = 0;
    #parked = 0;
    #closed = false;

    private constructor(instance: DuckDBInstance, writer: DuckDBConnection, options: EngineOptions) {
        this.#instance = instance;
        this.writer = writer;
        this.#options = options;
    }

    static async open(options: EngineOptions): Promise<Engine> {
        await mkdir(options.directory, {recursive: true});
        const scratch = join(options.directory, 'mirror.duckdb');
        const spill = join(options.directory, 'spill');
        await rm(scratch, {force: true});
        await rm(`${scratch}.wal`, {force: true});
        await rm(spill, {recursive: true, force: true});
        const instance = await DuckDBInstance.create(':memory:', {
            threads: String(options.threads),
            memory_limit: `${Math.floor(options.memoryBytesMax / 1024)}KiB`,
            temp_directory: spill,
            autoinstall_known_extensions: 'false',
            autoload_known_extensions: 'false',
            // Identifiers are printed in their stored case; strings sort by their bytes, as in collation "C".
            preserve_identifier_case: 'true',
        });
        const writer = await instance.connect();
        await writer.run(`ATTACH ${quoteLiteral(scratch)} AS ${MIRROR_DATABASE} (RECOVERY_MODE no_wal_writes)`);
        await configure(writer);
        return new Engine(instance, writer, options);
    }

    /** A connection of one's own that counts against no bound: for building a mirror or writing a segment. */
    async connect(): Promise<DuckDBConnection> {
        const connection = await this.#instance.connect();
        await configure(connection);
        return connection;
    }

    /** A connection to read with, when fewer than `readersMax` are at work. */
    async acquireReader(signal?: AbortSignal): Promise<DuckDBConnection> {
        signal?.throwIfAborted();
        if (this.#readers < this.#options.readersMax) this.#readers++;
        else await this.#turn(signal);
        try {
            return this.#idle.pop() ?? (await this.connect());
        } catch (error) {
            this.#leave();
            throw error;
        }
    }

    /** Resolves when another reader has left its place to this one. */
    async #turn(signal: AbortSignal | undefined): Promise<void> {
        const {promise, resolve, reject} = Promise.withResolvers<void>();
        const onAbort = (): void => {
            if (this.#waiting.delete(resolve)) reject(signal?.reason);
        };
        this.#waiting.add(resolve);
        signal?.addEventListener('abort', onAbort, {once: true});
        try {
            await promise;
        } finally {
            signal?.removeEventListener('abort', onAbort);
        }
    }

    #leave(): void {
        const [next] = this.#waiting;
        if (next === undefined) this.#readers--;
        else {
            this.#waiting.delete(next);
            next();
        }
    }

    /**
     * A reader whose client has stopped in the middle of its rows leaves its place to others, who would wait for that
     * client. False: too many did; it keeps its place.
     */
    park(): boolean {
        if (this.#parked >= PARKED_READERS_MAX) return false;
        this.#parked++;
        this.#leave();
        return true;
    }

    /** It goes on, at once: those at work may be more than `readersMax` then. */
    unpark(): void {
        this.#parked--;
        this.#readers++;
    }

    /** The session's zone: what DuckDB's ICU functions on timestamptz go by. A setting is not undone by ROLLBACK. */
    async setTimeZone(connection: DuckDBConnection, timeZone: string): Promise<void> {
        if ((this.#timeZones.get(connection) ?? 'UTC') === timeZone) return;
        await connection.run(`SET TimeZone = ${quoteLiteral(timeZone)}`);
        this.#timeZones.set(connection, timeZone);
    }

    releaseReader(connection: DuckDBConnection): void {
        this.#leave();
        if (this.#closed || this.#idle.length >= this.#options.readersMax) connection.closeSync();
        else this.#idle.push(connection);
    }

    close(): void {
        this.#closed = true;
        for (const connection of this.#idle) connection.closeSync();
        this.writer.closeSync();
        this.#instance.closeSync();
    }
}

async function configure(connection: DuckDBConnection): Promise<void> {
    await connection.run('SET immediate_transaction_mode = true');
    await connection.run("SET TimeZone = 'UTC'");
}

export function quoteLiteral(text: string): string {
    return `'${text.replaceAll("'", "''")}'`;
}

export function quoteIdentifier(name: string): string {
    return `"${name.replaceAll('"', '""')}"`;
}
