/**
 * For the crash test: commits transactions, many at a time, and says which are acknowledged, until it is killed.
 * Transaction n inserts rows 3n, 3n+1 and 3n+2 and adds one to the counter in row -1 (made by the first).
 */
import {writeSync} from 'node:fs';
import {lock} from '../locks.ts';
import {currentRow} from '../row-writes.ts';
import {Transaction} from '../transaction.ts';
import {CRASH_TABLE} from './crash-table.ts';
import {TestCore} from './fixture.ts';

const IN_FLIGHT = 20;
const [directory = '', first = '0'] = process.argv.slice(2);
const core = await TestCore.open(directory, {cacheBytes: 100_000});
const store = core.store(CRASH_TABLE);
let next = Number(first);

async function commitOne(n: number): Promise<void> {
    const transaction = new Transaction(n);
    core.writes.enter(transaction, store);
    for (let i = 0; i < 3; i++) core.writes.insert(transaction, store, 0, [3 * n + i, n], 'error');
    const counter = store.headOf(0, -1);
    lock(transaction, counter);
    const current = currentRow(transaction, counter);
    if (current === null) core.writes.insert(transaction, store, 0, [-1, 1], 'error');
    else core.writes.update(transaction, counter, current, [-1, Number(current.values[1]) + 1]);
    await core.committer.whenVisible(core.committer.commit(transaction));
    writeSync(1, `${n}\n`);
}

async function commitForEver(): Promise<void> {
    for (;;) await commitOne(next++);
}

await Promise.all(Array.from({length: IN_FLIGHT}, () => commitForEver()));
