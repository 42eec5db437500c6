/**
 * The main thread's end of the twin's worker: starts it, sends batches, matches answers, kills it.
 *
 * What must stay true: when the worker ends for any reason, every waiting request is rejected, and `exited` is set.
 */
import {Worker} from 'node:worker_threads';
import {PgError} from '../errors.ts';
import type {TwinWorkerData, TwinWorkerMessage, TwinWorkerRequest} from './worker.ts';

/** The worker could not start or ended by itself: the directory is suspect. */
export class TwinCrashed extends Error {
    override readonly name = 'TwinCrashed';
}

export interface RawAnswer {
    readonly bytes: Uint8Array;
    readonly overflow: boolean;
}

interface Waiting {
    readonly resolve: (answer: RawAnswer) => void;
    readonly reject: (error: unknown) => void;
}

const CLOSE_MS_MAX = 5_000;

export class WorkerPipe {
    readonly #worker: Worker;
    readonly #waiting = new Map<number, Waiting>();
    #nextId = 1;
    #exited = false;
    #killedFor: unknown;
    #whenClosed: (() => void) | undefined;

    private constructor(worker: Worker) {
        this.#worker = worker;
    }

    static async start(data: TwinWorkerData): Promise<WorkerPipe> {
        const worker = new Worker(new URL('./worker.ts', import.meta.url), {workerData: data, name: 'twin'});
        // A server that has closed everything else must be able to exit.
        const pipe = new WorkerPipe(worker);
        await new Promise<void>((resolve, reject) => {
            worker.on('message', (message: TwinWorkerMessage) => {
                if (message.kind === 'ready') resolve();
                else if (message.kind === 'failed') reject(new TwinCrashed(message.message));
                else pipe.#receive(message);
            });
            worker.on('error', (error) => {
                const crashed = new TwinCrashed(String(error), {cause: error});
                reject(crashed);
                pipe.#end(crashed);
            });
            worker.on('exit', () => {
                const error = pipe.#killedFor ?? new TwinCrashed('the catalog worker ended unexpectedly');
                reject(error);
                pipe.#end(error);
            });
        });
        worker.unref();
        return pipe;
    }

    get exited(): boolean {
        return this.#exited;
    }

    /** Transfers `bytes`. */
    send(bytes: Uint8Array<ArrayBuffer>): Promise<RawAnswer> {
        return new Promise((resolve, reject) => {
            if (this.#exited) {
                reject(this.#killedFor ?? new TwinCrashed('the catalog worker has ended'));
                return;
            }
            const id = this.#nextId++;
            this.#waiting.set(id, {resolve, reject});
            this.#worker.ref();
            this.#worker.postMessage({id, bytes} satisfies TwinWorkerRequest, [bytes.buffer]);
        });
    }

    /** Ends the worker at once; what waits is rejected with `reason`. */
    async kill(reason: unknown): Promise<void> {
        this.#killedFor = reason;
        this.#end(reason);
        await this.#worker.terminate();
    }

    /** Lets PostgreSQL shut down, so that the next start needs no recovery. */
    async close(): Promise<void> {
        if (this.#exited) return;
        this.#killedFor = new PgError('57P01', 'the catalog is shutting down');
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
            this.#whenClosed = resolve;
            timer = setTimeout(resolve, CLOSE_MS_MAX);
            this.#worker.ref();
            this.#worker.postMessage('close', []);
        });
        clearTimeout(timer);
        await this.kill(this.#killedFor);
    }

    #receive(message: TwinWorkerMessage): void {
        if (message.kind === 'closed') {
            this.#whenClosed?.();
            return;
        }
        if (message.kind !== 'answer' && message.kind !== 'crashed') return;
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (this.#waiting.size === 0) this.#worker.unref();
        if (message.kind === 'answer') waiting?.resolve(message);
        else {
            const crashed = new TwinCrashed(message.message);
            waiting?.reject(crashed);
            // PostgreSQL's state is unknown after a trap: start anew.
            void this.kill(crashed);
        }
    }

    #end(error: unknown): void {
        this.#exited = true;
        this.#whenClosed?.();
        for (const waiting of this.#waiting.values()) waiting.reject(error);
        this.#waiting.clear();
    }
}
