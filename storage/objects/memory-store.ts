/**
 * Objects in memory, over unstorage's memory driver: for tests and for tables that need not outlive the server. The
 * driver keeps and hands out the caller's own buffer, so bytes are copied on both ways.
 */
import memoryDriver from 'unstorage/drivers/memory';
import {readFile} from 'node:fs/promises';
import {ioError, StorageError} from '../errors.ts';
import {
    checkObjectName,
    checkRange,
    pageOf,
    type ObjectHead,
    type ObjectPage,
    type ObjectStore,
    type ObjectStoreCapabilities,
} from './object-store.ts';

interface Kept {
    readonly bytes: Buffer;
    readonly modifiedMs: number;
}

export class MemoryObjectStore implements ObjectStore {
    readonly capabilities: ObjectStoreCapabilities = {localFiles: false, conditionalPut: 'process', rangeReads: true};
    readonly #objects: Map<string, Kept>;
    readonly #bytesMax: number;
    readonly #clockMs: () => number;
    #bytes = 0;

    constructor(options: {readonly bytesMax?: number; readonly clockMs?: () => number} = {}) {
        // The driver's own map: `getInstance` is how unstorage gives access to what a driver is made of.
        this.#objects = (memoryDriver().getInstance?.() ?? new Map()) as Map<string, Kept>;
        this.#bytesMax = options.bytesMax ?? 1024 * 1024 * 1024;
        this.#clockMs = options.clockMs ?? Date.now;
    }

    get(name: string): Promise<Buffer | undefined> {
        return this.getRange(name, 0, Number.MAX_SAFE_INTEGER);
    }

    async getRange(name: string, offset: number, length: number): Promise<Buffer | undefined> {
        checkObjectName(name);
        checkRange(offset, length);
        const kept = this.#objects.get(name);
        return await Promise.resolve(kept && Buffer.from(kept.bytes.subarray(offset, offset + length)));
    }

    async put(name: string, bytes: Uint8Array): Promise<void> {
        checkObjectName(name);
        const before = this.#objects.get(name)?.bytes.length ?? 0;
        if (this.#bytes - before + bytes.length > this.#bytesMax) {
            throw new StorageError('full', `the memory store holds at most ${this.#bytesMax} bytes`);
        }
        this.#bytes += bytes.length - before;
        this.#objects.set(name, {bytes: Buffer.from(bytes), modifiedMs: this.#clockMs()});
        await Promise.resolve();
    }

    async putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
        checkObjectName(name);
        if (this.#objects.has(name)) return false;
        await this.put(name, bytes);
        return true;
    }

    async putFile(name: string, path: string): Promise<void> {
        checkObjectName(name);
        const bytes = await readFile(path).catch((error: unknown) => {
            throw ioError(`read "${path}"`, error);
        });
        await this.put(name, bytes);
    }

    async head(name: string): Promise<ObjectHead | undefined> {
        checkObjectName(name);
        const kept = this.#objects.get(name);
        return await Promise.resolve(kept && {bytes: kept.bytes.length, modifiedMs: kept.modifiedMs});
    }

    async list(prefix: string, options: {readonly cursor?: string; readonly limit?: number} = {}): Promise<ObjectPage> {
        // Names are ASCII, so the order of UTF-16 units is byte order.
        const names = [...this.#objects.keys()].sort();
        const entries = names.map((name) => ({name, bytes: this.#objects.get(name)?.bytes.length ?? 0}));
        return await Promise.resolve(pageOf(entries, prefix, options));
    }

    async delete(name: string): Promise<void> {
        checkObjectName(name);
        this.#bytes -= this.#objects.get(name)?.bytes.length ?? 0;
        this.#objects.delete(name);
        await Promise.resolve();
    }

    localPath(_name: string): string | undefined {
        return undefined;
    }

    async close(): Promise<void> {
        this.#objects.clear();
        this.#bytes = 0;
        await Promise.resolve();
    }
}
