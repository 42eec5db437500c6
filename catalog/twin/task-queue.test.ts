/** The queue of the twin: in order, one at a time, bounded. */
import {describe, expect, it} from 'vitest';
import {TaskQueue} from './task-queue.ts';

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describe('the task queue', () => {
    it('runs one task at a time in order, and goes on after a failure', async () => {
        const queue = new TaskQueue(10);
        const log: string[] = [];
        const task = (name: string) => async (): Promise<string> => {
            log.push(`${name} begins`);
            await tick();
            log.push(`${name} ends`);
            if (name === 'b') throw new Error('b failed');
            return name;
        };
        const results = await Promise.allSettled([queue.run(task('a')), queue.run(task('b')), queue.run(task('c'))]);
        expect(results.map(({status}) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    });

    it('refuses what is past its bound', async () => {
        const queue = new TaskQueue(1);
        const running = queue.run(tick);
        const waiting = queue.run(tick);
        await expect(queue.run(tick)).rejects.toMatchObject({code: '53400'});
        await Promise.all([running, waiting]);
        await queue.run(tick);
    });

    it('lets a waiting task be withdrawn', async () => {
        const queue = new TaskQueue(5);
        const controller = new AbortController();
        const running = queue.run(tick);
        let ran = false;
        const waiting = queue.run(async () => {
            ran = true;
        }, controller.signal);
        controller.abort(new Error('cancelled'));
        await expect(waiting).rejects.toThrow('cancelled');
        await running;
        await queue.idle();
        expect([ran, queue.length]).toEqual([false, 0]);
    });
});
