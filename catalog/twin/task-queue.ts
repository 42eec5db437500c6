/**
 * First come, first served, one at a time, bounded. A waiting task can be withdrawn by its AbortSignal.
 *
 * What must stay true: a task starts only when the one before it has settled; every task settles.
 */
import {PgError} from '../errors.ts';

interface Entry {
    readonly start: () => void;
    readonly reject: (error: unknown) => void;
}

export class TaskQueue {
    readonly #lengthMax: number;
    readonly #entries: Entry[] = [];
    #running = false;
    #closedWith: Error | undefined;
    #whenIdle: (() => void)[] = [];

    constructor(lengthMax: number) {
        this.#lengthMax = lengthMax;
    }

    /** Tasks that wait. */
    get length(): number {
        return this.#entries.length;
    }

    run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
        if (this.#closedWith !== undefined) return Promise.reject(this.#closedWith);
        if (!this.#running) return this.#execute(task);
        if (this.#entries.length >= this.#lengthMax) {
            return Promise.reject(
                new PgError('53400', 'too many statements are waiting for the catalog', {
                    detail: `${this.#lengthMax} statements are waiting.`,
                    hint: 'Try again, or use fewer connections.',
                }),
            );
        }
        return new Promise<T>((resolve, reject) => {
            const onAbort = (): void => {
                const index = this.#entries.indexOf(entry);
                if (index < 0) return;
                this.#entries.splice(index, 1);
                reject(signal?.reason);
            };
            const entry: Entry = {
                start: () => {
                    signal?.removeEventListener('abort', onAbort);
                    resolve(this.#execute(task));
                },
                reject,
            };
            this.#entries.push(entry);
            signal?.addEventListener('abort', onAbort, {once: true});
            if (signal?.aborted === true) onAbort();
        });
    }

    /** Rejects what waits and what comes. The running task is let finish. */
    close(error: Error): void {
        this.#closedWith = error;
        for (const entry of this.#entries.splice(0)) entry.reject(error);
    }

    idle(): Promise<void> {
        if (!this.#running) return Promise.resolve();
        return new Promise((resolve) => this.#whenIdle.push(resolve));
    }

    async #execute<T>(task: () => Promise<T>): Promise<T> {
        this.#running = true;
        try {
            return await task();
        } finally {
            this.#running = false;
            const next = this.#entries.shift();
            if (next !== undefined) next.start();
            else for (const wake of this.#whenIdle.splice(0)) wake();
        }
    }
}
