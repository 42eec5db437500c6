/** A live query as an endless COPY: formats, pace and ends. */
import {describe, expect, it} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import {copyOut} from './copy-out.ts';
import {LiveEvent, makeBatch} from './live-event.ts';
import {LiveQueue} from './live-queue.ts';
import {nextTurn} from './test-support.ts';

const JSON_TEXT = '{"op":"insert","row":{"a":"x\\n\\"y\\\\"}}';

function batch(...jsons: string[]) {
    return makeBatch(
        1,
        jsons.map((json) => new LiveEvent('insert', 1, json)),
    );
}

async function firstLines(format: 'text' | 'csv' | 'json'): Promise<string[]> {
    const queue = new LiveQueue(1000);
    queue.send(batch(JSON_TEXT, '{}'));
    let closed = 0;
    for await (const lines of copyOut(queue, format, {close: () => closed++})) {
        expect(closed).toBe(0);
        queue.end({error: undefined, lastSeq: 1});
        return lines.map(String);
    }
    throw new Error('no lines');
}

describe('COPY out', () => {
    it('writes one event a line in each format', async () => {
        expect(await firstLines('text')).toEqual(['{"op":"insert","row":{"a":"x\\\\n\\\\"y\\\\\\\\"}}\n', '{}\n']);
        expect(await firstLines('csv')).toEqual([
            '"{""op"":""insert"",""row"":{""a"":""x\\n\\""y\\\\""}}"\n',
            '"{}"\n',
        ]);
        expect(await firstLines('json')).toEqual([`${JSON_TEXT}\n`, '{}\n']);
    });

    it('encodes an event once for all who share it', async () => {
        const shared = batch('{}');
        const seen: Buffer[] = [];
        for (let reader = 0; reader < 2; reader++) {
            const queue = new LiveQueue(1000);
            queue.send(shared);
            queue.end({error: undefined, lastSeq: 1});
            for await (const lines of copyOut(queue, 'text', {close: () => undefined})) seen.push(...lines);
        }
        expect(seen[0]).toBe(seen[1]);
    });

    it('gives what was taken before the error that ends it', async () => {
        const queue = new LiveQueue(1000);
        queue.send(batch('{}'));
        queue.end({error: new PgError('57014', 'killed'), lastSeq: 1});
        const seen: string[] = [];
        const read = async (): Promise<void> => {
            for await (const lines of copyOut(queue, 'json', {close: () => undefined})) seen.push(...lines.map(String));
        };
        await expect(read()).rejects.toMatchObject({code: '57014'});
        expect(seen).toEqual(['{}\n']);
    });

    it('ends the subscription when the reader leaves, and when it leaves while waiting', async () => {
        let closed = 0;
        const queue = new LiveQueue(1000);
        queue.send(batch('{}'));
        const close = (): void => {
            closed++;
            if (queue.ended === undefined) queue.end({error: undefined, lastSeq: 1});
        };
        const lines = copyOut(queue, 'text', {close});
        await lines.next();
        const waiting = lines.next();
        await nextTurn();
        close();
        expect(await waiting).toEqual({value: undefined, done: true});
        expect(closed).toBe(2);
    });
});

describe('the queue', () => {
    it('refuses what does not fit, takes any batch when empty, and tells when there is room', async () => {
        const queue = new LiveQueue(100);
        expect(queue.send(batch('x'.repeat(500)))).toBe('ok');
        expect(queue.send(batch('y'))).toBe('full');
        expect(queue.bytes).toBe(500);
        let room = false;
        void queue.drained().then(() => (room = true));
        await nextTurn();
        expect(room).toBe(false);
        const reader = queue.batches();
        await reader.next();
        await nextTurn();
        expect(room).toBe(true);
        expect(queue.send(batch('y'))).toBe('ok');
        queue.end({error: undefined, lastSeq: 1});
        await queue.drained();
        expect((await reader.next()).done).toBe(false);
        expect((await reader.next()).done).toBe(true);
    });
});
