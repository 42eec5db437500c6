#!/usr/bin/env node
/**
 * The command `tidewire`. Plain JavaScript, so that any Node from 20 on can read it: the program itself is TypeScript
 * that needs Node 24. An older Node starts it again with the Node 24 that npm installed beside it.
 *
 * What must stay true: signals reach the program, and its exit code is ours.
 */
import {spawn} from 'node:child_process';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const NODE_MAJOR_NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_NEEDED) {
    const {main} = await import('./main.ts');
    await main();
} else {
    startAgain(findNode());
}

/** The executable of the optional dependency for this platform, or undefined. */
function findNode() {
    const platform = process.platform === 'win32' ? 'win' : process.platform;
    const executable = process.platform === 'win32' ? 'node.exe' : 'node';
    try {
        const manifest = createRequire(import.meta.url).resolve(`node-${platform}-${process.arch}/package.json`);
        return join(dirname(manifest), 'bin', executable);
    } catch {
        return undefined;
    }
}

/** @param {string | undefined} node */
function startAgain(node) {
    if (node === undefined) {
        process.stderr.write(
            `tidewire: needs Node ${NODE_MAJOR_NEEDED} and this is ${process.version}; ` +
                'run "npm ci" without "--omit=optional", or install a newer Node\n',
        );
        process.exitCode = 1;
        return;
    }
    const main = join(dirname(fileURLToPath(import.meta.url)), 'main.ts');
    const child = spawn(node, [main, ...process.argv.slice(2)], {stdio: 'inherit'});
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('error', (error) => {
        process.stderr.write(`tidewire: cannot start ${node}: ${error.message}\n`);
        process.exitCode = 1;
    });
    child.on('exit', (code) => {
        process.exitCode = code ?? 1;
    });
}
