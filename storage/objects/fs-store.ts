/**
 * Objects as files under one directory; the name is the path. The default storage, and one for mounted file systems.
 *
 * What unstorage's fs driver does soundly is done through it: reading a whole object and deleting one (with its habit
 * of *resolving with* an Error checked). The rest is done beneath it, because there it would be wrong:
 * - `setItemRaw` writes in place and syncs nothing: a crash leaves half an object under its final name;
 * - it has no conditional put and no range reads;
 * - `getMeta` takes every failure for "not there";
 * - `getKeys` reads the whole tree into memory, whatever is asked for, and gives no sizes.
 *
 * What must stay true: a file under its final name is whole and synced (written under .tmp/ and renamed or linked);
 * object names cannot begin with a dot, so nothing under .tmp/ is an object. An object and a directory cannot have the
 * same name: "a" and "a/b" exclude each other here, and such a put is refused.
 */
import {constants} from 'node:fs';
import {copyFile, link, mkdir, open, readdir, rename, rm, stat} from 'node:fs/promises';
import {randomUUID} from 'node:crypto';
import {dirname, join, resolve} from 'node:path';
import fsDriver from 'unstorage/drivers/fs-lite';
import {errorCode, ioError, StorageError} from '../errors.ts';
import {syncDirectory} from '../files.ts';
import {
    checkLimit,
    checkObjectName,
    checkRange,
    type ObjectHead,
    type ObjectListEntry,
    type ObjectPage,
    type ObjectStore,
    type ObjectStoreCapabilities,
} from './object-store.ts';

const TEMPORARY = '.tmp';
/** Another server may be writing to the same mounted directory, so only what is surely forgotten is removed. */
const TEMPORARY_KEPT_MS = 24 * 60 * 60 * 1000;

export class FsObjectStore implements ObjectStore {
    readonly capabilities: ObjectStoreCapabilities = {localFiles: true, conditionalPut: 'atomic', rangeReads: true};
    readonly #root: string;
    readonly #temporary: string;
    readonly #driver: ReturnType<typeof fsDriver>;

    private constructor(root: string) {
        this.#root = root;
        this.#temporary = join(root, TEMPORARY);
        this.#driver = fsDriver({base: root});
    }

    /** Makes the directory when it is not there, and removes what writers that died long ago left behind. */
    static async open(directory: string): Promise<FsObjectStore> {
        const store = new FsObjectStore(resolve(directory));
        try {
            await mkdir(store.#temporary, {recursive: true});
            for (const name of await readdir(store.#temporary)) {
                const path = join(store.#temporary, name);
                const {mtimeMs} = await stat(path);
                if (Date.now() - mtimeMs > TEMPORARY_KEPT_MS) await rm(path, {force: true});
            }
        } catch (error) {
            throw ioError(`open the storage directory "${directory}"`, error);
        }
        return store;
    }

    localPath(name: string): string {
        checkObjectName(name);
        return join(this.#root, name);
    }

    async get(name: string): Promise<Buffer | undefined> {
        checkObjectName(name);
        const result: unknown = await this.#driver.getItemRaw?.(name, {});
        if (Buffer.isBuffer(result)) return result;
        if (result === null || result === undefined || isMissing(result)) return undefined;
        throw ioError(`read object "${name}"`, result);
    }

    async getRange(name: string, offset: number, length: number): Promise<Buffer | undefined> {
        checkRange(offset, length);
        const path = this.localPath(name);
        try {
            const handle = await open(path, 'r');
            try {
                const {size} = await handle.stat();
                const wanted = Math.max(0, Math.min(length, size - offset));
                const buffer = Buffer.allocUnsafe(wanted);
                let filled = 0;
                while (filled < wanted) {
                    const {bytesRead} = await handle.read(buffer, filled, wanted - filled, offset + filled);
                    if (bytesRead === 0) throw new StorageError('corrupt', `object "${name}" became shorter`);
                    filled += bytesRead;
                }
                return buffer;
            } finally {
                await handle.close();
            }
        } catch (error) {
            if (isMissing(error)) return undefined;
            throw ioError(`read object "${name}"`, error);
        }
    }

    async put(name: string, bytes: Uint8Array): Promise<void> {
        await this.#place(name, (path) => writeSynced(path, bytes), rename);
    }

    async putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
        if ((await this.head(name)) !== undefined) return false;
        try {
            await this.#place(name, (path) => writeSynced(path, bytes), link);
            return true;
        } catch (error) {
            if (errorCode(error instanceof Error ? error.cause : undefined) === 'EEXIST') return false;
            throw error;
        }
    }

    async putFile(name: string, path: string): Promise<void> {
        const copy = async (temporary: string) => {
            await copyFile(path, temporary, constants.COPYFILE_FICLONE);
            const handle = await open(temporary, 'r+');
            try {
                await handle.sync();
            } finally {
                await handle.close();
            }
        };
        await this.#place(name, copy, rename);
    }

    /** Writes a temporary file and brings it to its name, durably. */
    async #place(
        name: string,
        fill: (temporary: string) => Promise<void>,
        bring: (from: string, to: string) => Promise<void>,
    ): Promise<void> {
        const path = this.localPath(name);
        const temporary = join(this.#temporary, randomUUID());
        try {
            await fill(temporary);
            await this.#makeDirectories(dirname(path));
            await bring(temporary, path);
            await syncDirectory(dirname(path));
        } catch (error) {
            if (['EISDIR', 'ENOTDIR', 'ENOTEMPTY'].includes(errorCode(error) ?? '')) {
                throw new StorageError('invalid', `object "${name}" would be inside another, or hold others`, error);
            }
            throw ioError(`write object "${name}"`, error);
        } finally {
            await rm(temporary, {force: true});
        }
    }

    async #makeDirectories(path: string): Promise<void> {
        let made: string | undefined;
        try {
            made = await mkdir(path, {recursive: true});
        } catch (error) {
            if (errorCode(error) !== 'EEXIST') throw error;
            throw new StorageError('invalid', `"${path}" is an object and cannot hold others`, error);
        }
        // `made` is the first one that was missing: its name is in its parent, and so on down.
        if (made === undefined) return;
        made = dirname(made);
        for (let parent = dirname(path); parent.length >= made.length; parent = dirname(parent)) {
            await syncDirectory(parent);
        }
    }

    async head(name: string): Promise<ObjectHead | undefined> {
        const path = this.localPath(name);
        try {
            const found = await stat(path);
            return found.isFile() ? {bytes: found.size, modifiedMs: found.mtimeMs} : undefined;
        } catch (error) {
            if (isMissing(error)) return undefined;
            throw ioError(`look at object "${name}"`, error);
        }
    }

    async list(prefix: string, options: {readonly cursor?: string; readonly limit?: number} = {}): Promise<ObjectPage> {
        const limit = checkLimit(options.limit);
        const objects: ObjectListEntry[] = [];
        try {
            for await (const name of this.#names('', prefix, options.cursor ?? '')) {
                if (objects.length === limit) return {objects, cursor: objects.at(-1)?.name};
                const found = await stat(join(this.#root, name)).catch((error: unknown) => {
                    if (isMissing(error)) return undefined;
                    throw error;
                });
                if (found !== undefined) objects.push({name, bytes: found.size});
            }
        } catch (error) {
            throw ioError(`list objects "${prefix}"`, error);
        }
        return {objects, cursor: undefined};
    }

    /** Names in byte order that begin with the prefix and come after the cursor; one directory a level in memory. */
    async *#names(parent: string, prefix: string, cursor: string): AsyncGenerator<string> {
        const entries = await readdir(join(this.#root, parent), {withFileTypes: true}).catch((error: unknown) => {
            if (isMissing(error)) return [];
            throw error;
        });
        const names = entries
            .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
            .map((entry) => parent + entry.name + (entry.isDirectory() ? '/' : ''))
            // A directory sorts by the names in it, which have the slash; all is ASCII.
            .sort();
        for (const name of names) {
            if (!name.endsWith('/')) {
                if (name.startsWith(prefix) && name > cursor) yield name;
                continue;
            }
            const mayHold = name.startsWith(prefix) || prefix.startsWith(name);
            if (mayHold && (name > cursor || cursor.startsWith(name))) yield* this.#names(name, prefix, cursor);
        }
    }

    async delete(name: string): Promise<void> {
        checkObjectName(name);
        const result: unknown = await this.#driver.removeItem?.(name, {});
        if (result instanceof Error && !isMissing(result)) throw ioError(`delete object "${name}"`, result);
    }

    async close(): Promise<void> {
        await this.#driver.dispose?.();
    }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
    const handle = await open(path, 'wx');
    try {
        await handle.writeFile(bytes);
        await handle.sync();
    } finally {
        await handle.close();
    }
}

/** There is no object of that name; a directory, or a name below an object, is none either. */
function isMissing(error: unknown): boolean {
    return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errorCode(error) ?? '');
}
