/**
 * Runs jobs one after the other, in the order in which they were asked for, and remembers the last of them. One at a
 * time, because everything that changes a table's manifest takes turns, and because the machine belongs to queries.
 *
 * What must stay true: queue and history are bounded; a job that was cancelled before it began never begins; `stop`
 * resolves when nothing runs any more.
 */
import {PgError} from '../../catalog/errors.ts';
import {Job, type JobInfo, type JobType} from './job.ts';

export const HISTORY_MAX = 1000;
export const QUEUED_MAX = 1000;

/** `attempt` may throw a PgError 40001: then the work is done again, a few times. */
export type JobWork<T> = (job: Job) => Promise<T>;

const ATTEMPTS_MAX = 3;

interface Queued {
    readonly job: Job;
    readonly run: () => Promise<void>;
    readonly refuse: (error: PgError) => void;
}

export class JobQueue {
    /** Oldest first; ended ones are forgotten first. */
    readonly #jobs = new Map<string, Job>();
    readonly #queue: Queued[] = [];
    #running: Queued | undefined;
    #idle: Promise<void> = Promise.resolve();
    #nextId = 1;
    #stopped = false;

    /** Resolves with what the work gives; rejects with its error, or 57014 when it was cancelled. */
    async add<T>(type: JobType, tableName: string, signal: AbortSignal | undefined, work: JobWork<T>): Promise<T> {
        if (this.#stopped) throw new PgError('57P01', 'the server is shutting down');
        if (this.#queue.length >= QUEUED_MAX) {
            throw new PgError('53400', `more than ${QUEUED_MAX} jobs are waiting`, {
                hint: 'Wait for some of them to end.',
            });
        }
        const job = new Job(String(this.#nextId++), type, tableName);
        this.#remember(job);
        const cancel = (): boolean => this.cancel(job.id);
        signal?.addEventListener('abort', cancel, {once: true});
        const {promise, resolve, reject} = Promise.withResolvers<T>();
        const run = async (): Promise<void> => {
            try {
                resolve(await attempt(job, work));
            } catch (error) {
                reject(error instanceof Error ? error : new Error(String(error)));
            }
        };
        job.status = 'queued';
        this.#queue.push({job, run, refuse: reject});
        if (signal?.aborted === true) cancel();
        this.#startNext();
        try {
            return await promise;
        } finally {
            signal?.removeEventListener('abort', cancel);
        }
    }

    /** False when there is no such job, or it has ended. */
    cancel(id: string): boolean {
        const job = this.#jobs.get(id);
        if (job === undefined || job.ended) return false;
        job.abort.abort(cancelled());
        const index = this.#queue.findIndex((entry) => entry.job === job);
        if (index >= 0) {
            const [entry] = this.#queue.splice(index, 1);
            job.end('cancelled');
            entry?.refuse(cancelled());
        }
        return true;
    }

    /** Newest first. */
    list(): JobInfo[] {
        return [...this.#jobs.values()].reverse().map((job) => job.info());
    }

    /** A job of this type for this table waits or runs. */
    has(type: JobType, tableName: string): boolean {
        const matches = ({job}: Queued): boolean => job.type === type && job.tableName === tableName;
        return this.#queue.some(matches) || (this.#running !== undefined && matches(this.#running));
    }

    async stop(): Promise<void> {
        this.#stopped = true;
        for (const {job} of [...this.#queue]) this.cancel(job.id);
        if (this.#running !== undefined) this.cancel(this.#running.job.id);
        await this.#idle;
    }

    #startNext(): void {
        if (this.#running !== undefined) return;
        const next = this.#queue.shift();
        this.#running = next;
        if (next === undefined) return;
        this.#idle = next.run().then(() => {
            this.#running = undefined;
            this.#startNext();
        });
    }

    #remember(job: Job): void {
        this.#jobs.set(job.id, job);
        if (this.#jobs.size <= HISTORY_MAX) return;
        for (const [id, other] of this.#jobs) {
            if (!other.ended) continue;
            this.#jobs.delete(id);
            return;
        }
    }
}

async function attempt<T>(job: Job, work: JobWork<T>): Promise<T> {
    job.start();
    for (;;) {
        job.attempts++;
        try {
            const result = await work(job);
            job.end('completed');
            return result;
        } catch (error) {
            const again = error instanceof PgError && error.code === '40001' && job.attempts < ATTEMPTS_MAX;
            if (job.abort.signal.aborted) {
                job.end('cancelled');
                throw cancelled();
            }
            if (again) continue;
            job.end('failed', error);
            throw error;
        }
    }
}

function cancelled(): PgError {
    return new PgError('57014', 'canceling statement due to user request');
}
