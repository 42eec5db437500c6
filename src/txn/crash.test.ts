/** A server that is killed loses no transaction that was acknowledged, keeps none in part and none twice. */
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {TestCore} from './testing/fixture.ts';
import {CRASH_TABLE} from './testing/crash-table.ts';

const CHILD = join(import.meta.dirname, 'testing', 'crash-child.ts');
const ROUNDS = 4;

/** What the child acknowledged until it was killed. */
async function runUntilKilled(directory: string, first: number, acknowledgements: number): Promise<number[]> {
    const child = spawn(process.execPath, [CHILD, directory, String(first)], {stdio: ['ignore', 'pipe', 'inherit']});
    let output = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
        output += text;
        if (output.split('\n').length > acknowledgements) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.on('close', resolve));
    return output.split('\n').slice(0, -1).map(Number);
}

test('acknowledged commits are there exactly once after kill -9', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tidewire-crash-'));
    try {
        const acknowledged = new Set<number>();
        let first = 0;
        for (let round = 0; round < ROUNDS; round++) {
            for (const n of await runUntilKilled(directory, first, 50 * 3 ** round)) acknowledged.add(n);
            const core = await TestCore.open(directory);
            const store = core.store(CRASH_TABLE);
            const rows = await core.storedRows(store);
            const rowsOf = new Map<number, number>();
            let counter = 0;
            for (const {values} of rows) {
                const [id, n] = values as [number, number];
                if (id === -1) counter = n;
                else rowsOf.set(n, (rowsOf.get(n) ?? 0) + 1);
            }
            for (const n of acknowledged) expect(rowsOf.get(n)).toBe(3);
            for (const count of rowsOf.values()) expect(count).toBe(3);
            expect(counter).toBe(rowsOf.size);
            expect(new Set(rows.map((row) => row.rowid)).size).toBe(rows.length);
            expect(new Set(rows.map((row) => row.seq)).size).toBe(rows.length);
            expect(core.committer.allocateRowid()).toBeGreaterThan(Math.max(...rows.map((row) => row.rowid)));
            expect(await core.storedEntries(store)).toEqual(core.expectedEntries(store, rows));
            first = Math.max(...rowsOf.keys()) + 1;
            // Every other time without a shutdown, so that the next start replays once more.
            await (round % 2 === 0 ? core.close() : core.abandon());
        }
        expect(acknowledged.size).toBeGreaterThan(1000);
    } finally {
        rmSync(directory, {recursive: true, force: true});
    }
});
