import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {DataDirectory} from './data-directory.ts';

let base: string;
let root: string;

beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'data-directory-'));
    root = join(base, 'data');
});

afterEach(() => rmSync(base, {recursive: true}));

const OPEN_AND_SAY = `
    const {DataDirectory} = await import(process.argv[1]);
    try { DataDirectory.open(process.argv[2]); console.log('open'); if (process.argv[3]) setInterval(() => {}, 1000); }
    catch (error) { console.log(error.kind); }`;
const childArguments = (hold: boolean) => [
    '--input-type=module',
    '-e',
    OPEN_AND_SAY,
    join(import.meta.dirname, 'data-directory.ts'),
    root,
    ...(hold ? ['hold'] : []),
];

/** What another process says when it opens the directory; it ends without closing it. */
function openElsewhere(): string {
    return spawnSync(process.execPath, childArguments(false), {encoding: 'utf8'}).stdout.trim();
}

describe('the data directory', () => {
    test('is made with its parts and its version, and is opened again', () => {
        const first = DataDirectory.open(root);
        expect(first.created).toBe(true);
        for (const path of Object.values(first.paths)) expect(existsSync(path)).toBe(true);
        expect(readFileSync(join(root, 'VERSION'), 'utf8')).toBe('tidewire data directory, layout 1\n');
        first.close();
        const second = DataDirectory.open(root);
        expect(second.created).toBe(false);
        second.close();
        second.close();
        expect(existsSync(join(root, 'server.pid'))).toBe(false);
    });

    test('is refused while another process has it, with the pid', async () => {
        const child = spawn(process.execPath, childArguments(true), {stdio: ['ignore', 'pipe', 'inherit']});
        const ended = new Promise((resolve) => child.once('exit', resolve));
        await new Promise((resolve) => child.stdout.once('data', resolve));
        try {
            expect(() => DataDirectory.open(root)).toThrow(new RegExp(`in use by the server with pid ${child.pid}$`));
        } finally {
            child.kill('SIGKILL');
            await ended;
        }
        // After kill -9 its lock is still there, and is taken over.
        expect(existsSync(join(root, 'server.pid'))).toBe(true);
        const own = DataDirectory.open(root);
        expect(openElsewhere()).toBe('locked');
        own.close();
        expect(openElsewhere()).toBe('open');
    });

    test('is refused to the process that has it open already', () => {
        const own = DataDirectory.open(root);
        expect(() => DataDirectory.open(root)).toThrow(/in use/);
        own.close();
    });

    test.runIf(process.platform === 'linux')(
        'is free when the pid of the lock belongs to another process by now',
        () => {
            DataDirectory.open(root).close();
            writeFileSync(join(root, 'server.pid'), JSON.stringify({pid: process.pid, startTicks: '1'}));
            DataDirectory.open(root).close();
            writeFileSync(join(root, 'server.pid'), 'half a lo');
            DataDirectory.open(root).close();
        },
    );

    test('is never a directory that holds other things', () => {
        writeFileSync(join(base, 'precious'), '');
        expect(() => DataDirectory.open(base)).toThrow(/not empty and is not a Tidewire data directory/);
        expect(existsSync(join(base, 'server.pid'))).toBe(false);
    });

    test('of another layout is refused and left alone', () => {
        DataDirectory.open(root).close();
        writeFileSync(join(root, 'VERSION'), 'tidewire data directory, layout 2\n');
        expect(() => DataDirectory.open(root)).toThrow(/has layout 2; this version reads layout 1/);
        writeFileSync(join(root, 'VERSION'), 'something else');
        expect(() => DataDirectory.open(root)).toThrow(/is damaged/);
        expect(existsSync(join(root, 'server.pid'))).toBe(false);
    });

    test('that cannot be made is an error of the system', () => {
        expect(() => DataDirectory.open('/dev/null/data')).toThrow(/could not open the data directory/);
    });
});
