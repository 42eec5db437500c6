import {expect, test} from 'vitest';
import {IdleMemory} from './idle-memory.ts';

const MIB = 1024 * 1024;

test('a heap that has grown is collected once the server is idle, and once only', () => {
    let heap = 50 * MIB;
    let lastBusyMs = 0;
    let collections = 0;
    const memory = new IdleMemory(
        {lastBusyMs: () => lastBusyMs},
        () => {
            collections++;
            heap = 80 * MIB;
        },
        () => heap,
    );
    heap = 900 * MIB;
    lastBusyMs = Infinity;
    memory.check(100_000);
    lastBusyMs = 99_000;
    memory.check(100_000);
    expect(collections).toBe(0);
    memory.check(110_000);
    memory.check(120_000);
    expect(collections).toBe(1);
});
