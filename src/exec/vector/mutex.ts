/**
 * A fair lock for asynchronous sections: whoever asks first enters first. Guards the moment in which commit sequence,
 * mirror and manifest are read together.
 */
export class Mutex {
    #tail: Promise<void> = Promise.resolve();

    /** Runs `work` alone. An error of `work` goes to its caller and frees the lock. */
    async run<T>(work: () => Promise<T>): Promise<T> {
        const before = this.#tail;
        const {promise, resolve} = Promise.withResolvers<void>();
        this.#tail = promise;
        await before;
        try {
            return await work();
        } finally {
            resolve();
        }
    }
}
