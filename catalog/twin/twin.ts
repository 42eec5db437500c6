/**
 * The twin: PostgreSQL in a worker thread that holds an empty copy of every table. It answers catalog queries, types
 * statements, runs DDL and, at last resort, whole statements (the reference path). See catalog/README.md.
 *
 * What must stay true:
 * - One task at a time, first come first served; at most `queueMax` wait.
 * - A task's transaction always ends: COMMIT when asked for and nothing failed, else ROLLBACK.
 * - It is started only when first needed, and started anew after a crash or `interrupt`.
 * - After each start `synchronise` brings it to the state of the DDL log before any task runs.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../errors.ts';
import {FIRST_SUPERUSER} from '../roles.ts';
import {type TwinAnswer, readAnswers} from './backend-messages.ts';
import {FrontendBatch} from './frontend-messages.ts';
import {OidTranslation, replayPending} from './pending-replay.ts';
import {prepareTwinDirectory, wipeTwinDirectory} from './prepare.ts';
import {type SessionContext, systemContext} from './session-context.ts';
import {SessionState} from './session-state.ts';
import {TaskQueue} from './task-queue.ts';
import {TransactionOnPipe} from './transaction-on-pipe.ts';
import type {TwinDescription, TwinTransaction} from './twin-transaction.ts';
import {TwinCrashed, WorkerPipe} from './worker-pipe.ts';

export interface TwinOptions {
    readonly directory: string;
    /** What `current_database()` says. */
    readonly database: string;
    /** SQL of the system relations (`SystemRelations.sql`). */
    readonly systemSql: string;
    /** Tasks that may wait. Default 1000. */
    readonly queueMax?: number;
    /** Bytes of one answer. Default 256 MB. */
    readonly answerBytesMax?: number;
    /**
     * True: V8 may optimise WebAssembly. Rows load twice as fast, but for moments the process needs 1 GB more.
     * False (default) turns that off for the whole process.
     */
    readonly optimise?: boolean;
    /**
     * Brings a started twin to the state of the DDL log, inside a transaction that is committed when it says 'ready'.
     * 'rebuild': the twin is ahead or wrong; it is wiped, made again and synchronised again.
     */
    readonly synchronise?: (t: TwinTransaction, appliedSeq: number) => Promise<'ready' | 'rebuild'>;
}

export interface TwinTaskOptions {
    readonly commit: boolean;
    /** Aborted while waiting: the task is dropped. Aborted while running: the worker is killed. */
    readonly signal?: AbortSignal;
}

const QUEUE_MAX = 1000;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

export class Twin {
    readonly #options: TwinOptions;
    readonly #queue: TaskQueue;
    readonly #state = new SessionState(FIRST_SUPERUSER);
    #pipe: WorkerPipe | undefined;
    #restarts = 0;
    #starts = 0;
    #rebuilds = 0;
    #closed = false;
    #stale = false;

    constructor(options: TwinOptions) {
        this.#options = options;
        this.#queue = new TaskQueue(options.queueMax ?? QUEUE_MAX);
    }

    /** True while the worker runs. */
    get started(): boolean {
        return this.#pipe !== undefined && !this.#pipe.exited;
    }

    /** Starts after the first. */
    get restarts(): number {
        return this.#restarts;
    }

    /** Directories wiped and made again because the twin was ahead, damaged or would not start. */
    get rebuilds(): number {
        return this.#rebuilds;
    }

    get waiting(): number {
        return this.#queue.length;
    }

    /** Makes the directory, in a child process, if it is not there. Tasks wait for it by themselves. */
    prepare(): Promise<void> {
        const {directory, database, systemSql} = this.#options;
        return prepareTwinDirectory(directory, {database, systemSql});
    }

    /** Runs `work` in an exclusive transaction as `context`'s session. */
    transaction<T>(
        context: SessionContext,
        work: (t: TwinTransaction) => Promise<T>,
        options: TwinTaskOptions,
    ): Promise<T> {
        return this.#task(options.signal, async (pipe) => {
            const transaction = this.#open(pipe, context);
            let translation = OidTranslation.none;
            let result: T;
            try {
                translation = await replayPending(transaction, context, FIRST_SUPERUSER);
                transaction.translate(translation);
                result = await work(transaction);
            } catch (error) {
                await this.#rollBack(transaction, pipe);
                throw error;
            }
            if (options.commit) await this.#commit(transaction, pipe);
            else await this.#rollBack(transaction, pipe);
            return result;
        });
    }

    /** Types a statement: Parse and Describe, nothing is run. Errors are PgErrors with position, detail and hint. */
    describe(
        context: SessionContext,
        sql: string,
        parameterTypes: readonly number[],
        signal?: AbortSignal,
    ): Promise<TwinDescription> {
        if (context.pendingDdl.length > 0) {
            const options = signal === undefined ? {commit: false} : {commit: false, signal};
            return this.transaction(context, (t) => t.describe(sql, parameterTypes), options);
        }
        return this.#task(signal, async (pipe) => {
            const batch = new FrontendBatch();
            const prefix = this.#state.apply(context, batch);
            batch.parse('', sql, parameterTypes).describe('S').sync();
            const answer = await exchange(pipe, batch, prefix);
            return descriptionOf(answer);
        });
    }

    /** Kills the worker: the running task fails with `reason`, the next one starts it again. */
    interrupt(reason: unknown = new PgError('57014', 'canceling statement due to user request')): void {
        void this.#pipe?.kill(reason);
    }

    /** The twin has something the log has not (a commit of the log failed): it is rebuilt before the next task. */
    invalidate(): void {
        this.#stale = true;
    }

    async close(): Promise<void> {
        this.#closed = true;
        this.#queue.close(new PgError('57P01', 'the catalog is shutting down'));
        await this.#queue.idle();
        await this.#pipe?.close();
    }

    #task<T>(signal: AbortSignal | undefined, run: (pipe: WorkerPipe) => Promise<T>): Promise<T> {
        if (this.#closed) return Promise.reject(new PgError('57P01', 'the catalog is shutting down'));
        return this.#queue.run(async () => {
            signal?.throwIfAborted();
            const pipe = await this.#ensureStarted().catch((error: unknown) => {
                throw error instanceof PgError ? error : startError(error);
            });
            signal?.throwIfAborted();
            const onAbort = (): void => void pipe.kill(signal?.reason);
            signal?.addEventListener('abort', onAbort, {once: true});
            try {
                return await run(pipe);
            } catch (error) {
                throw error instanceof TwinCrashed ? crashError(error) : error;
            } finally {
                signal?.removeEventListener('abort', onAbort);
            }
        }, signal);
    }

    #open(pipe: WorkerPipe, context: SessionContext): TransactionOnPipe {
        const batch = new FrontendBatch();
        const prefix = this.#state.apply(context, batch);
        return new TransactionOnPipe(pipe, context, batch.query('BEGIN'), prefix + 1);
    }

    /** The work may be recorded elsewhere already: a twin that failed to commit it must start, and catch up, anew. */
    async #commit(transaction: TransactionOnPipe, pipe: WorkerPipe): Promise<void> {
        try {
            await transaction.end('COMMIT');
        } catch (error) {
            await pipe.kill(error);
            throw error;
        }
    }

    /** A transaction that cannot be rolled back leaves a backend that cannot be trusted. */
    async #rollBack(transaction: TransactionOnPipe, pipe: WorkerPipe): Promise<void> {
        if (pipe.exited) return;
        try {
            await transaction.end('ROLLBACK');
        } catch (error) {
            await pipe.kill(new TwinCrashed('ROLLBACK failed', {cause: error}));
        }
    }

    async #ensureStarted(): Promise<WorkerPipe> {
        if (this.#pipe !== undefined && !this.#pipe.exited && !this.#stale) return this.#pipe;
        if (this.#stale) await this.#wipe();
        this.#stale = false;
        try {
            const pipe = await this.#start();
            if (pipe !== undefined) return pipe;
        } catch (error) {
            if (!(error instanceof TwinCrashed)) throw error;
        }
        // Ahead of the log, damaged or not starting: made again, once. A second failure is the caller's to see.
        await this.#wipe();
        const pipe = await this.#start();
        assert(pipe !== undefined, 'a new twin can be brought to the state of the log');
        return pipe;
    }

    async #wipe(): Promise<void> {
        await this.#pipe?.kill(new TwinCrashed('the catalog is rebuilt'));
        this.#pipe = undefined;
        await wipeTwinDirectory(this.#options.directory);
        this.#rebuilds++;
    }

    /** undefined: it must be rebuilt. */
    async #start(): Promise<WorkerPipe | undefined> {
        const {directory, database, synchronise} = this.#options;
        await this.prepare();
        const answerBytesMax = this.#options.answerBytesMax ?? ANSWER_BYTES_MAX;
        const pipe = await WorkerPipe.start({
            directory,
            database,
            answerBytesMax,
            optimise: this.#options.optimise ?? false,
        });
        this.#state.forget();
        this.#pipe = pipe;
        if (this.#starts++ > 0) this.#restarts++;
        if (synchronise === undefined) return pipe;
        const transaction = this.#open(pipe, systemContext(FIRST_SUPERUSER));
        try {
            const verdict = await synchronise(transaction, await transaction.appliedSeq());
            await transaction.end(verdict === 'ready' ? 'COMMIT' : 'ROLLBACK');
            return verdict === 'ready' ? pipe : undefined;
        } catch (error) {
            await pipe.kill(error);
            throw error;
        }
    }
}

/** Sends a batch and returns its last answer; answers to the first `skipped` Query messages are not looked at. */
async function exchange(pipe: WorkerPipe, batch: FrontendBatch, skipped: number): Promise<TwinAnswer> {
    const raw = await pipe.send(batch.take());
    const answer = readAnswers(raw.bytes)[skipped];
    if (answer === undefined) throw new PgError('54000', 'the answer of the catalog is too large');
    return answer;
}

function descriptionOf(answer: TwinAnswer): TwinDescription {
    if (answer.error !== null) throw answer.error;
    return {parameterTypes: answer.parameterTypes ?? [], fields: answer.fields};
}

function startError(error: unknown): PgError {
    return new PgError('58000', 'the catalog could not be started', {detail: String(error), cause: error});
}

function crashError(error: TwinCrashed): PgError {
    return new PgError('XX000', 'the catalog process failed while it ran this statement', {
        detail: error.message,
        hint: 'It is started anew for the next statement.',
        cause: error,
    });
}
