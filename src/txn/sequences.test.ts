import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {SequenceDescriptor} from '../../catalog/catalog-change.ts';
import {parseIdKey, SEQUENCE_RANGE} from '../../storage/hot/keys.ts';
import {Sequences} from './sequences.ts';
import {TestCore} from './testing/fixture.ts';

const INT8_MAX = 2n ** 63n - 1n;

function sequence(options: Partial<SequenceDescriptor> = {}): SequenceDescriptor {
    const base = {
        sequenceId: 5,
        oid: 5,
        schema: 'public',
        name: 's',
        start: 1n,
        increment: 1n,
        min: 1n,
        max: INT8_MAX,
        cycle: false,
    };
    return {...base, ...options} as SequenceDescriptor;
}

let directory: string;
let core: TestCore;
beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tidewire-sequences-'));
    core = await TestCore.open(directory);
});
afterEach(async () => {
    await core.close();
    rmSync(directory, {recursive: true, force: true});
});

async function reopen(how: 'close' | 'abandon'): Promise<void> {
    await core[how]();
    core = await TestCore.open(directory);
    for await (const page of core.hot.pages(SEQUENCE_RANGE, 10)) {
        for (const [key, value] of page) {
            const {value: last, isCalled} = Sequences.decode(value);
            core.sequences.restore(parseIdKey(key), last, isCalled);
        }
    }
}

const draw = (of: SequenceDescriptor, count: number): bigint[] =>
    Array.from({length: count}, () => core.sequences.next(of));

describe('a sequence', () => {
    test('counts by its increment from its start', () => {
        expect(draw(sequence(), 3)).toEqual([1n, 2n, 3n]);
        expect(draw(sequence({sequenceId: 6, increment: -5n, start: -1n, min: -100n, max: -1n}), 3)).toEqual([
            -1n,
            -6n,
            -11n,
        ]);
    });

    test('ends with 2200H, or begins again when it cycles', () => {
        const short = {start: 2n, min: 1n, max: 3n};
        expect(draw(sequence(short), 2)).toEqual([2n, 3n]);
        expect(() => core.sequences.next(sequence(short))).toThrow(
            expect.objectContaining({code: '2200H', message: 'nextval: reached maximum value of sequence "s" (3)'}),
        );
        expect(draw(sequence({...short, sequenceId: 6, cycle: true}), 5)).toEqual([2n, 3n, 1n, 2n, 3n]);
        const down = sequence({sequenceId: 7, increment: -2n, start: 3n, min: 1n, max: 4n, cycle: true});
        expect(draw(down, 4)).toEqual([3n, 1n, 4n, 2n]);
    });

    test.each(['close', 'abandon'] as const)(
        'never gives a number again after %s, and skips at most 32',
        async (how) => {
            for (const [i, increment] of [1n, -3n].entries()) {
                const of = sequence({sequenceId: 10 + i, increment, min: -INT8_MAX, start: 0n});
                const before = draw(of, 40).at(-1) ?? 0n;
                await reopen(how);
                const after = core.sequences.next(of);
                const steps = (after - before) / increment;
                expect(steps).toBeGreaterThan(0n);
                expect(steps).toBeLessThanOrEqual(33n);
            }
        },
    );

    test('setval is kept, with and without the number being used', async () => {
        core.sequences.set(sequence(), 100n, true);
        core.sequences.set(sequence({sequenceId: 6}), 200n, false);
        await reopen('abandon');
        expect(core.sequences.next(sequence())).toBe(101n);
        expect(core.sequences.next(sequence({sequenceId: 6}))).toBe(200n);
        expect(() => core.sequences.set(sequence({max: 5n}), 6n, true)).toThrow(
            expect.objectContaining({code: '22003'}),
        );
    });

    test('writes to the log once for 33 numbers', () => {
        const before = core.committer.enqueuedSeq;
        draw(sequence(), 66);
        expect(core.committer.enqueuedSeq - before).toBe(2);
        expect(core.sequences.loggedSeq).toBe(core.committer.enqueuedSeq);
    });
});
