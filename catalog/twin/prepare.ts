/**
 * Makes the twin's directory. PostgreSQL's initdb takes about 3 s and 700 MB of memory, so it runs once, in a child
 * process that ends, and never in the server.
 *
 * What must stay true: a directory is either complete and stamped, or it is made again: the child works in a
 * neighbouring directory that is renamed at the end, then stamped. The stamp names everything the content depends on.
 * The twin never syncs its files, so a directory last used before a restart of the machine is not trusted.
 */
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {uptime} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {bootstrapSql} from './bootstrap.ts';

const STAMP_FILE = 'tidewire.stamp';
const ERROR_TEXT_MAX = 4_000;

export interface PrepareOptions {
    /** Name that `current_database()` gives. */
    readonly database: string;
    /** SQL of the system relations, run last. */
    readonly systemSql: string;
}

const running = new Map<string, Promise<void>>();

/** Makes the directory unless it is there and usable. Calls for one directory share one run. */
export function prepareTwinDirectory(directory: string, options: PrepareOptions): Promise<void> {
    const now = running.get(directory);
    if (now !== undefined) return now;
    const run = prepare(directory, options).finally(() => running.delete(directory));
    running.set(directory, run);
    return run;
}

/** Removes the directory, so that the next start makes a new one. */
export async function wipeTwinDirectory(directory: string): Promise<void> {
    await running.get(directory);
    await rm(directory, {recursive: true, force: true});
}

async function prepare(directory: string, options: PrepareOptions): Promise<void> {
    const stamp = await expectedStamp(options);
    if ((await readStamp(directory)) === stamp) return;
    await rm(directory, {recursive: true, force: true});
    const making = `${directory}.making`;
    await rm(making, {recursive: true, force: true});
    await mkdir(dirname(directory), {recursive: true});
    await runChild(making, options);
    await rename(making, directory);
    await writeFile(join(directory, STAMP_FILE), stamp);
}

async function readStamp(directory: string): Promise<string | undefined> {
    try {
        return await readFile(join(directory, STAMP_FILE), 'utf8');
    } catch {
        return undefined; // Missing or unreadable: made again.
    }
}

async function expectedStamp(options: PrepareOptions): Promise<string> {
    const require = createRequire(import.meta.url);
    const packageFile = join(dirname(require.resolve('@electric-sql/pglite')), '..', 'package.json');
    const {version} = JSON.parse(await readFile(packageFile, 'utf8')) as {version: string};
    const hash = createHash('sha256').update(bootstrapSql(options)).digest('hex').slice(0, 16);
    return JSON.stringify({format: 1, postgres: version, bootstrap: hash, boot: await bootIdentity()});
}

/** Same until the machine restarts. */
async function bootIdentity(): Promise<string> {
    try {
        return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    } catch {
        // Elsewhere: the time of the start, coarse enough not to move with the clock's small corrections.
        return String(Math.round((Date.now() / 1000 - uptime()) / 600));
    }
}

function runChild(directory: string, options: PrepareOptions): Promise<void> {
    return new Promise((resolve, reject) => {
        const script = fileURLToPath(new URL('./prepare-child.ts', import.meta.url));
        const child = spawn(process.execPath, [script], {
            stdio: ['pipe', 'ignore', 'pipe'],
            env: {...process.env, NODE_OPTIONS: ''},
        });
        let errors = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
            errors = (errors + text).slice(-ERROR_TEXT_MAX);
        });
        child.once('error', reject);
        child.once('close', (code) => {
            if (code === 0) resolve();
            else reject(new Error(`the catalog's directory could not be made (exit ${code}): ${errors}`));
        });
        child.stdin.end(JSON.stringify({directory, database: options.database, sql: bootstrapSql(options)}));
    });
}
