/**
 * Small durable-file operations that every part of storage needs.
 *
 * What must stay true: a file created or renamed is only there after a power loss when its directory was synced too.
 */
import {closeSync, fsyncSync, openSync, renameSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {dirname} from 'node:path';

/** Windows cannot open directories, and its file systems journal names by themselves. */
const DIRECTORIES_SYNC = process.platform !== 'win32';

export async function syncDirectory(path: string): Promise<void> {
    if (!DIRECTORIES_SYNC) return;
    const handle = await open(path, 'r');
    try {
        await handle.sync();
    } finally {
        await handle.close();
    }
}

export function syncDirectorySync(path: string): void {
    if (!DIRECTORIES_SYNC) return;
    const descriptor = openSync(path, 'r');
    try {
        fsyncSync(descriptor);
    } finally {
        closeSync(descriptor);
    }
}

/** Replaces the file as a whole: after a crash it has the old content or the new. */
export function writeFileDurablySync(path: string, content: string): void {
    const temporary = `${path}.tmp`;
    const descriptor = openSync(temporary, 'w', 0o600);
    try {
        writeFileSync(descriptor, content);
        fsyncSync(descriptor);
    } finally {
        closeSync(descriptor);
    }
    renameSync(temporary, path);
    syncDirectorySync(dirname(path));
}
