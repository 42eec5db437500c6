/**
 * Every expected failure of the storage layer. It has no SQLSTATE, because storage knows nobody above it: whoever calls
 * it wraps the error with the code that fits (`corrupt` → XX001, `full` → 53100, `locked` → 55006, `io` → 58030, …).
 *
 * A bug is an `assert`; what the disk, another process or a damaged file can cause is a `StorageError`.
 */
export type StorageErrorKind =
    /** Stored bytes are not what was written: a checksum, a length or a version does not fit. */
    | 'corrupt'
    /** Written by a version of the program that this one cannot read. */
    | 'version'
    /** Another process holds the data directory or the hot store. */
    | 'locked'
    /** The device, or a quota, is full. */
    | 'full'
    /** The operating system or the object store refused or failed an operation. */
    | 'io'
    /** The thing is closed, or failed before and refuses further work. */
    | 'closed'
    /** A name, a size or a value that cannot be stored. */
    | 'invalid';

export class StorageError extends Error {
    override readonly name = 'StorageError';
    readonly kind: StorageErrorKind;

    constructor(kind: StorageErrorKind, message: string, cause?: unknown) {
        super(message, cause === undefined ? undefined : {cause});
        this.kind = kind;
    }
}

/** Wraps what the operating system threw: its code says whether the device is full. A StorageError stays as it is. */
export function ioError(action: string, cause: unknown): StorageError {
    if (cause instanceof StorageError) return cause;
    const code = errorCode(cause);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'io';
    return new StorageError(kind, `could not ${action}: ${reason}`, cause);
}

/** The `code` of a system error ("ENOENT"), or undefined. */
export function errorCode(error: unknown): string | undefined {
    if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
    return typeof error.code === 'string' ? error.code : undefined;
}
