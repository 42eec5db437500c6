/**
 * One piece of background work and what `system.jobs` shows of it.
 */

export type JobType = 'flush' | 'compact' | 'evict' | 'cleanup';
export type JobStatus = 'new' | 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

/** A job as others see it; times of day in milliseconds since 1970. */
export interface JobInfo {
    readonly id: string;
    readonly type: JobType;
    readonly status: JobStatus;
    /** "schema.table", or '' for work on the whole database. */
    readonly table_name: string;
    readonly rows_done: number;
    readonly rows_total: number;
    readonly bytes_done: number;
    readonly attempts: number;
    readonly error: string | undefined;
    readonly created: number;
    readonly started: number | undefined;
    readonly finished: number | undefined;
    /** By a monotonic clock, to the microsecond; undefined until it has ended. */
    readonly took_ms: number | undefined;
}

export class Job {
    readonly id: string;
    readonly type: JobType;
    readonly tableName: string;
    readonly abort = new AbortController();
    readonly createdMs = Date.now();
    status: JobStatus = 'new';
    rowsDone = 0;
    rowsTotal = 0;
    bytesDone = 0;
    attempts = 0;
    error: string | undefined;
    startedMs: number | undefined;
    finishedMs: number | undefined;
    tookMs: number | undefined;
    #startedAt = 0;

    constructor(id: string, type: JobType, tableName: string) {
        this.id = id;
        this.type = type;
        this.tableName = tableName;
    }

    get ended(): boolean {
        return this.finishedMs !== undefined;
    }

    start(): void {
        this.status = 'running';
        this.startedMs = Date.now();
        this.#startedAt = performance.now();
    }

    end(status: 'completed' | 'failed' | 'cancelled', error?: unknown): void {
        this.status = status;
        if (error !== undefined) this.error = error instanceof Error ? error.message : 'unknown error';
        this.finishedMs = Date.now();
        if (this.startedMs === undefined) this.tookMs = 0;
        // Rounded up: work that was done took time.
        else this.tookMs = Math.max(1, Math.ceil((performance.now() - this.#startedAt) * 1000)) / 1000;
    }

    info(): JobInfo {
        return {
            id: this.id,
            type: this.type,
            status: this.status,
            table_name: this.tableName,
            rows_done: this.rowsDone,
            rows_total: this.rowsTotal,
            bytes_done: this.bytesDone,
            attempts: this.attempts,
            error: this.error,
            created: this.createdMs,
            started: this.startedMs,
            finished: this.finishedMs,
            took_ms: this.tookMs,
        };
    }
}
