import {describe, expect, test} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import type {CommittedTransaction, RowVersion} from '../txn/row-version.ts';
import type {SegmentMeta} from '../../storage/segments/manifest.ts';
import {makeTable} from '../tiers/testing/tiers-fixture.ts';
import {compactionGroups} from './compaction-groups.ts';
import {HotCounters} from './hot-counters.ts';
import {HISTORY_MAX, JobQueue, QUEUED_MAX} from './job-queue.ts';

describe('the queue of jobs', () => {
    test('runs one at a time, in order, and tells what each did', async () => {
        const queue = new JobQueue();
        const log: string[] = [];
        const work = (name: string) => async (): Promise<string> => {
            log.push(`${name} begins`);
            await new Promise((resolve) => setTimeout(resolve, 2));
            log.push(`${name} ends`);
            return name;
        };
        const results = await Promise.all([
            queue.add('flush', 'public.a', undefined, work('a')),
            queue.add('flush', 'public.b', undefined, work('b')),
        ]);
        expect(results).toEqual(['a', 'b']);
        expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
        expect(queue.list().map(({id, table_name, status}) => [id, table_name, status])).toEqual([
            ['2', 'public.b', 'completed'],
            ['1', 'public.a', 'completed'],
        ]);
        expect(queue.list()[0]?.took_ms).toBeGreaterThan(1);
    });

    test('time taken is never zero', async () => {
        const queue = new JobQueue();
        await queue.add('flush', '', undefined, () => Promise.resolve());
        expect(queue.list()[0]?.took_ms).toBeGreaterThanOrEqual(0.001);
    });

    test('a failed job says why, and the next one runs', async () => {
        const queue = new JobQueue();
        await expect(queue.add('flush', '', undefined, () => Promise.reject(new Error('full')))).rejects.toThrow(
            'full',
        );
        expect(queue.list()[0]).toMatchObject({status: 'failed', error: 'full', attempts: 1});
        expect(await queue.add('flush', '', undefined, () => Promise.resolve(1))).toBe(1);
    });

    test('a table that was changed meanwhile is tried again, a few times', async () => {
        const queue = new JobQueue();
        let attempts = 0;
        const changed = (): Promise<number> => {
            if (++attempts < 3) return Promise.reject(new PgError('40001', 'changed'));
            return Promise.resolve(attempts);
        };
        expect(await queue.add('flush', '', undefined, changed)).toBe(3);
        attempts = -10;
        await expect(queue.add('flush', '', undefined, changed)).rejects.toMatchObject({code: '40001'});
        expect(queue.list()[0]?.attempts).toBe(3);
    });

    test('cancels what waits at once and what runs through its signal', async () => {
        const queue = new JobQueue();
        const running = queue.add('flush', 'a', undefined, async (job) => {
            await new Promise((resolve) => job.abort.signal.addEventListener('abort', resolve));
            job.abort.signal.throwIfAborted();
        });
        let ran = false;
        const waiting = queue.add('flush', 'b', undefined, () => Promise.resolve((ran = true)));
        expect(queue.list()[0]).toMatchObject({status: 'queued', table_name: 'b'});
        expect(queue.has('flush', 'b')).toBe(true);
        expect([queue.cancel('2'), queue.cancel('1'), queue.cancel('3')]).toEqual([true, true, false]);
        await expect(running).rejects.toMatchObject({code: '57014'});
        await expect(waiting).rejects.toMatchObject({code: '57014'});
        expect(ran).toBe(false);
        expect(queue.cancel('1')).toBe(false);
        expect(queue.list().map(({status}) => status)).toEqual(['cancelled', 'cancelled']);
    });

    test('history and queue are bounded', async () => {
        const queue = new JobQueue();
        for (let i = 0; i < HISTORY_MAX + 5; i++) await queue.add('flush', '', undefined, () => Promise.resolve());
        expect(queue.list()).toHaveLength(HISTORY_MAX);
        expect(queue.list().at(-1)?.id).toBe('6');
        const {promise, resolve} = Promise.withResolvers<void>();
        const jobs = Array.from({length: QUEUED_MAX + 1}, () => queue.add('flush', '', undefined, () => promise));
        await expect(queue.add('flush', '', undefined, () => promise)).rejects.toMatchObject({code: '53400'});
        resolve();
        await Promise.all(jobs);
    });

    test('stop cancels everything and takes no more', async () => {
        const queue = new JobQueue();
        const running = queue.add('flush', '', undefined, async (job) => {
            await new Promise((resolve) => job.abort.signal.addEventListener('abort', resolve));
            job.abort.signal.throwIfAborted();
        });
        const ended = expect(running).rejects.toMatchObject({code: '57014'});
        await queue.stop();
        await ended;
        await expect(queue.add('flush', '', undefined, () => Promise.resolve())).rejects.toMatchObject({code: '57P01'});
    });
});

describe('a flush policy', () => {
    const table = (flushPolicy: {rows?: number; bytes?: number; intervalMs?: number}): ReturnType<typeof makeTable> =>
        makeTable({tableId: 1, name: 't', columns: [{name: 'a', oid: 25}], options: {flushPolicy}});
    const version = (text: string): RowVersion => ({
        rowid: 1,
        seq: 1,
        updatedNs: 1n,
        owner: 0,
        values: [text],
        deleted: false,
        previous: null,
    });
    const commit = (
        of: ReturnType<typeof makeTable>,
        changes: [RowVersion | null, RowVersion | null][],
    ): CommittedTransaction => ({
        seq: 1,
        changes: changes.map(([before, after]) => ({table: of, owner: 0, rowid: 1, seq: 1, before, after})),
        truncated: [],
        altered: [],
        notifications: [],
        expired: false,
    });

    test('by rows counts what is inserted, less what is deleted', () => {
        const counters = new HotCounters(() => 0);
        const t = table({rows: 3});
        expect(counters.reason(t)).toBe('count first');
        counters.counted(1, 1, 100);
        counters.note(
            commit(t, [
                [null, version('a')],
                [version('a'), null],
                [null, version('b')],
            ]),
        );
        expect(counters.reason(t)).toBeUndefined();
        counters.note(commit(t, [[null, version('c')]]));
        expect(counters.reason(t)).toBe('due');
        counters.flushing(1);
        expect(counters.reason(t)).toBeUndefined();
    });

    test('by rows looks again when updates may have made cold rows hot, at most once a minute', () => {
        let now = 0;
        const counters = new HotCounters(() => now);
        const t = table({rows: 2});
        counters.counted(1, 0, 0);
        counters.note(
            commit(t, [
                [version('a'), version('b')],
                [version('c'), version('d')],
            ]),
        );
        expect(counters.reason(t)).toBeUndefined();
        now = 60_000;
        expect(counters.reason(t)).toBe('count first');
        counters.counted(1, 1, 10);
        expect(counters.reason(t)).toBeUndefined();
    });

    test('by bytes and by age', () => {
        let now = 0;
        const counters = new HotCounters(() => now);
        const big = table({bytes: 1000});
        counters.counted(1, 0, 0);
        counters.note(commit(big, [[null, version('x'.repeat(2000))]]));
        expect(counters.reason(big)).toBe('due');
        const old = table({intervalMs: 5000});
        counters.flushing(1);
        now = 100_000;
        expect(counters.reason(old)).toBeUndefined();
        counters.note(commit(old, [[null, version('x')]]));
        expect(counters.reason(old)).toBeUndefined();
        now = 105_000;
        expect(counters.reason(old)).toBe('due');
    });
});

test('a compaction takes dirty and small segments, in groups of bounded size', () => {
    const segment = (segmentId: number, rows: number): SegmentMeta => ({segmentId, rows}) as SegmentMeta;
    const dead = new Map([[2, 1]]);
    const groups = (segments: SegmentMeta[]): number[][] =>
        compactionGroups(segments, (id) => dead.get(id) ?? 0).map((group) => group.map(({segmentId}) => segmentId));
    expect(groups([segment(1, 500_000), segment(3, 10)])).toEqual([]);
    expect(groups([segment(1, 500_000), segment(2, 400_000), segment(3, 10), segment(4, 99_000)])).toEqual([[2, 3, 4]]);
    // A clean one alone would be written as it is.
    expect(groups([segment(1, 10), segment(2, 499_999), segment(3, 10)])).toEqual([[2]]);
});
