/**
 * The data directory: who may use it, which layout it has, and where its parts are.
 *
 *     VERSION      "tidewire data directory, layout 1"
 *     server.pid   JSON: pid and start time of the process that has it open
 *     log/         commit log            hot/      LevelDB
 *     segments/    the default storage   twin/     the PostgreSQL twin
 *     mirror/      scratch of the vectorised engine: may be emptied at any time while no server runs
 *
 * What must stay true: two processes never have it open at once; a lock whose process is gone is taken over. The pid
 * file gives the clear error; it cannot see a process in another container. LevelDB's lock in hot/ can, so a server
 * opens the hot store before it touches the log.
 */
import {linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {errorCode, ioError, StorageError} from './errors.ts';
import {syncDirectorySync, writeFileDurablySync} from './files.ts';

export interface DataDirectoryPaths {
    readonly root: string;
    readonly log: string;
    readonly hot: string;
    readonly segments: string;
    readonly twin: string;
    readonly mirror: string;
}

const LAYOUT = 1;
const VERSION_TEXT = /^tidewire data directory, layout (\d+)\n$/;
const VERSION_FILE = 'VERSION';
const LOCK_FILE = 'server.pid';
const PARTS = ['log', 'hot', 'segments', 'twin', 'mirror'] as const;
/** What may be in a directory that becomes ours. */
const HARMLESS = /^(lost\+found|VERSION\.tmp|server\.pid.*)$/;
const LOCK_ATTEMPTS_MAX = 5;

interface LockOwner {
    readonly pid: number;
    /** Start of the process in clock ticks since boot, from /proc; undefined where there is none. */
    readonly startTicks: string | undefined;
}

export class DataDirectory {
    readonly paths: DataDirectoryPaths;
    /** True when this call created it. */
    readonly created: boolean;
    #open = true;

    private constructor(paths: DataDirectoryPaths, created: boolean) {
        this.paths = paths;
        this.created = created;
    }

    /**
     * Opens or creates it, and locks it. Throws StorageError `locked` (naming the pid), `version`, `invalid` (not empty
     * and not ours) or `io`.
     */
    static open(path: string): DataDirectory {
        const root = resolve(path);
        try {
            mkdirSync(root, {recursive: true, mode: 0o700});
            refuseForeign(root);
            lock(root);
        } catch (error) {
            throw ioError(`open the data directory "${root}"`, error);
        }
        try {
            const created = checkVersion(root);
            const paths = makeParts(root);
            return new DataDirectory(paths, created);
        } catch (error) {
            unlock(root);
            throw ioError(`open the data directory "${root}"`, error);
        }
    }

    /** Gives up the lock. */
    close(): void {
        if (!this.#open) return;
        this.#open = false;
        unlock(this.paths.root);
    }
}

function refuseForeign(root: string): void {
    const names = readdirSync(root);
    if (names.includes(VERSION_FILE) || names.every((name) => HARMLESS.test(name))) return;
    throw new StorageError('invalid', `"${root}" is not empty and is not a Tidewire data directory`);
}

/** True when the version file had to be written: the directory is new. */
function checkVersion(root: string): boolean {
    const path = join(root, VERSION_FILE);
    const text = readIfThere(path);
    if (text === undefined) {
        writeFileDurablySync(path, `tidewire data directory, layout ${LAYOUT}\n`);
        return true;
    }
    const layout = VERSION_TEXT.exec(text)?.[1];
    if (layout === undefined) throw new StorageError('corrupt', `"${path}" is damaged`);
    if (Number(layout) !== LAYOUT) {
        throw new StorageError('version', `"${root}" has layout ${layout}; this version reads layout ${LAYOUT}`);
    }
    return false;
}

function makeParts(root: string): DataDirectoryPaths {
    for (const part of PARTS) mkdirSync(join(root, part), {recursive: true, mode: 0o700});
    syncDirectorySync(root);
    return {
        root,
        log: join(root, 'log'),
        hot: join(root, 'hot'),
        segments: join(root, 'segments'),
        twin: join(root, 'twin'),
        mirror: join(root, 'mirror'),
    };
}

/**
 * The lock is a hard link to a complete file, so nobody ever reads half of it. A stale one is moved aside under a name
 * of our own and looked at again: if another process was faster, that was its lock, and it gets it back.
 */
function lock(root: string): void {
    const path = join(root, LOCK_FILE);
    const own = `${path}.${process.pid}`;
    writeFileSync(own, JSON.stringify({pid: process.pid, startTicks: startTicks(process.pid)}), {mode: 0o600});
    try {
        for (let attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
            if (tryLink(own, path)) return;
            const owner = readOwner(path);
            if (owner !== undefined && isAlive(owner)) throw lockedBy(root, owner);
            removeStale(path, root);
        }
    } finally {
        rmSync(own, {force: true});
    }
    throw new StorageError('locked', `the data directory "${root}" is being opened by other processes`);
}

function removeStale(path: string, root: string): void {
    const aside = `${path}.stale.${process.pid}`;
    try {
        renameSync(path, aside);
    } catch (error) {
        if (errorCode(error) === 'ENOENT') return;
        throw error;
    }
    const owner = readOwner(aside);
    if (owner !== undefined && isAlive(owner)) {
        tryLink(aside, path);
        rmSync(aside, {force: true});
        throw lockedBy(root, owner);
    }
    rmSync(aside, {force: true});
}

function unlock(root: string): void {
    const path = join(root, LOCK_FILE);
    if (readOwner(path)?.pid === process.pid) rmSync(path, {force: true});
}

function lockedBy(root: string, owner: LockOwner): StorageError {
    return new StorageError('locked', `the data directory "${root}" is in use by the server with pid ${owner.pid}`);
}

function tryLink(from: string, to: string): boolean {
    try {
        linkSync(from, to);
        return true;
    } catch (error) {
        if (errorCode(error) === 'EEXIST') return false;
        throw error;
    }
}

/** Undefined when there is no lock, or one that no process can have finished writing. */
function readOwner(path: string): LockOwner | undefined {
    const text = readIfThere(path);
    if (text === undefined) return undefined;
    try {
        const value: unknown = JSON.parse(text);
        if (typeof value !== 'object' || value === null || !('pid' in value)) return undefined;
        const {pid} = value;
        if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) return undefined;
        const ticks = 'startTicks' in value ? value.startTicks : undefined;
        return {pid, startTicks: typeof ticks === 'string' ? ticks : undefined};
    } catch {
        return undefined;
    }
}

/** A process of that number runs, and it is the one that took the lock, not a later one with a reused number. */
function isAlive(owner: LockOwner): boolean {
    try {
        process.kill(owner.pid, 0);
    } catch (error) {
        // EPERM: it runs, as another user.
        if (errorCode(error) !== 'EPERM') return false;
    }
    const ticks = startTicks(owner.pid);
    return ticks === undefined || owner.startTicks === undefined || ticks === owner.startTicks;
}

/** Field 22 of /proc/pid/stat; the command before it may hold spaces and parentheses. */
function startTicks(pid: number): string | undefined {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    } catch {
        return undefined;
    }
}

function readIfThere(path: string): string | undefined {
    try {
        return readFileSync(path, 'utf8');
    } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
    }
}
