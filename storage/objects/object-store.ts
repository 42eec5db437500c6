/**
 * The object port: what flush, compaction, the cache and log shipping need of a place for immutable objects. Small on
 * purpose, so that a directory, a bucket or a map can each be one.
 *
 * What must stay true of every store (held by conformance.ts): a put is atomic (a reader sees all of it or nothing) and
 * durable when its promise resolves; a reader never sees the caller's buffer; names mean the same everywhere; `list`
 * is in byte order of the names, complete across its cursors for objects that exist throughout; failures are
 * StorageErrors; an object that is not there is `undefined`, never an error.
 */
import {StorageError} from '../errors.ts';

export interface ObjectStoreCapabilities {
    /** `localPath` gives a path for every object. */
    readonly localFiles: boolean;
    /** `putIfAbsent` is decided by the store, so it holds between processes. */
    readonly conditionalPut: 'atomic' | 'process';
    /** `getRange` reads only the range. */
    readonly rangeReads: boolean;
}

export interface ObjectHead {
    readonly bytes: number;
    readonly modifiedMs: number;
}

export interface ObjectListEntry {
    readonly name: string;
    readonly bytes: number;
}

export interface ObjectPage {
    readonly objects: readonly ObjectListEntry[];
    /** Give it to `list` for what follows; undefined when this was all. */
    readonly cursor: string | undefined;
}

export interface ObjectStore {
    readonly capabilities: ObjectStoreCapabilities;
    get(name: string): Promise<Buffer | undefined>;
    /** Bytes from `offset` on, at most `length`: fewer where the object ends, none past its end. */
    getRange(name: string, offset: number, length: number): Promise<Buffer | undefined>;
    /** Replaces an object of that name. */
    put(name: string, bytes: Uint8Array): Promise<void>;
    /** False, and nothing changed, when an object of that name exists. */
    putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>;
    /** As `put`, with the content of a local file, which stays. Memory is bounded whatever its size, where the store allows. */
    putFile(name: string, path: string): Promise<void>;
    head(name: string): Promise<ObjectHead | undefined>;
    /** @param prefix A plain prefix of names, '' for all. `limit` is at most LIST_LIMIT_MAX and defaults to it. */
    list(prefix: string, options?: {readonly cursor?: string; readonly limit?: number}): Promise<ObjectPage>;
    /** No error when it is not there. */
    delete(name: string): Promise<void>;
    /** Where the object is (or would be) as a local file, for stores whose objects are local files. Never write there. */
    localPath(name: string): string | undefined;
    close(): Promise<void>;
}

export const LIST_LIMIT_MAX = 1000;
export const OBJECT_NAME_BYTES_MAX = 512;
const NAME_SEGMENT = /^[A-Za-z0-9_=][A-Za-z0-9_=.-]{0,199}$/;

/**
 * Throws StorageError `invalid` unless the name is segments of letters, digits and `_ = . -` joined by '/', none of them
 * beginning with a dot or a dash. So no name can leave a directory, hide in it, or mean two things on two stores.
 */
export function checkObjectName(name: string): void {
    if (name.length > OBJECT_NAME_BYTES_MAX || !name.split('/').every((segment) => NAME_SEGMENT.test(segment))) {
        throw new StorageError('invalid', `"${name.slice(0, 80)}" is not a valid object name`);
    }
}

/** A page of sorted entries: those after the cursor that begin with the prefix. The cursor is the last name given. */
export function pageOf(
    sorted: readonly ObjectListEntry[],
    prefix: string,
    options: {readonly cursor?: string; readonly limit?: number},
): ObjectPage {
    const limit = checkLimit(options.limit);
    const {cursor} = options;
    const matching = sorted.filter(
        (entry) => entry.name.startsWith(prefix) && (cursor === undefined || entry.name > cursor),
    );
    const objects = matching.slice(0, limit);
    return {objects, cursor: matching.length > limit ? objects.at(-1)?.name : undefined};
}

export function checkLimit(limit: number = LIST_LIMIT_MAX): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > LIST_LIMIT_MAX) {
        throw new StorageError('invalid', `a list limit is 1 to ${LIST_LIMIT_MAX}, not ${limit}`);
    }
    return limit;
}

export function checkRange(offset: number, length: number): void {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
        throw new StorageError('invalid', `${offset} and ${length} are not the offset and length of a range`);
    }
}
