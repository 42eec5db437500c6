/**
 * The program: gives the command line the real world (arguments, environment, streams, signals, server). Everything
 * that decides anything is in `command-line.ts`, where tests can reach it.
 */
import {readFileSync} from 'node:fs';
import {enableCompileCache, flushCompileCache} from 'node:module';
import {fileURLToPath} from 'node:url';
import {setFlagsFromString} from 'node:v8';
import {pino} from 'pino';
import {runCommandLine} from './command-line.ts';

// V8's optimising compiler for WebAssembly takes several hundred megabytes for a moment for each of PostgreSQL's largest
// functions (parser and twin); the baseline code is a third slower and runs only for statements that are new.
setFlagsFromString('--no-wasm-tier-up');
setFlagsFromString('--no-wasm-dynamic-tiering');

// Types are stripped and modules compiled once per version of the code: a later start takes a fifth of the time.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/tidewire', import.meta.url)));
/** After the start is over, so that it does not delay the first clients. */
const COMPILE_CACHE_FLUSH_MS = 3000;

export async function main(): Promise<void> {
    await runCommandLine(process.argv.slice(2), {
        env: process.env,
        version: readVersion(),
        writeOut: (text) => process.stdout.write(text),
        writeError: (text) => process.stderr.write(text),
        onSignal: (signal, listener) => process.on(signal, listener),
        exit: (code) => process.exit(code),
        nowMs: () => performance.now(),
        createLogger: (level) => pino({level}, pino.destination({fd: 2, sync: true})),
        // Loaded late: --help and --version need none of the engines.
        startServer: async (settings, logger) => {
            const {startServer} = await import('../server.ts');
            const server = await startServer(settings, logger);
            setTimeout(flushCompileCache, COMPILE_CACHE_FLUSH_MS).unref();
            return server;
        },
    });
}

function readVersion(): string {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    return (JSON.parse(manifest) as {version: string}).version;
}

if (import.meta.main) await main();
