import {createHook} from 'node:async_hooks';
import {serialize} from 'pg-protocol';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {WireServer} from './server.ts';
import {FakeAcceptor, type FakeHandler} from './testing/fake-handler.ts';
import {errorOf, eventually, extended, frame, pause, query, RawClient, settled, sync} from './testing/raw-client.ts';

const MEBIBYTE = 1_048_576;

describe('the session', () => {
    const acceptor = new FakeAcceptor();
    const reported: unknown[] = [];
    const server = new WireServer({acceptor, report: (error) => reported.push(error), messageBytesMax: 20_000_000});
    let port: number;

    beforeAll(async () => {
        ({port} = await server.listen('127.0.0.1', 0));
    });

    afterAll(async () => {
        await server.shutdown(0);
    });

    async function open(): Promise<{client: RawClient; handler: FakeHandler}> {
        const client = await RawClient.open(port);
        return {client, handler: acceptor.last};
    }

    /** What the server answers to these bytes, up to the given number of ReadyForQuery. */
    async function answers(client: RawClient, bytes: Uint8Array, readyCount = 1): Promise<string> {
        client.send(bytes);
        let types = '';
        for (let ready = 0; ready < readyCount; ready += 1) {
            types += await client.types('Z');
        }
        return types;
    }

    test('answers simple and extended queries', async () => {
        const {client} = await open();
        expect(await answers(client, query('select'))).toBe('TDCZ');
        expect(await answers(client, query(''))).toBe('IZ');
        expect(await answers(client, Buffer.concat([extended('select', ['x', null]), sync()]))).toBe('12DCZ');
        expect(await answers(client, query('copyout'))).toBe('HddcCZ');
        client.close();
    });

    test('answers a pipeline in order, each Sync with its ReadyForQuery', async () => {
        const {client} = await open();
        const pipeline = Buffer.concat([
            extended('a'),
            extended('later b'),
            sync(),
            query('c'),
            query('later d'),
            extended('e'),
            sync(),
        ]);
        expect(await answers(client, pipeline, 4)).toBe('12DC12DCZTDCZTDCZ12DCZ');
        client.close();
    });

    test('an error skips to Sync, whether it is thrown or rejected, and the rest is not handled', async () => {
        const {client, handler} = await open();
        for (const bad of ['error', 'reject', 'reject later']) {
            handler.calls.length = 0;
            const pipeline = Buffer.concat([
                extended('good'),
                extended(bad),
                extended('skipped'),
                query('skipped too'),
                serialize.flush(),
                sync(),
                extended('after'),
                sync(),
            ]);
            expect(await answers(client, pipeline, 2)).toBe('12DC12EZ12DCZ');
            expect(handler.calls.filter((call) => call.includes('skipped'))).toEqual([]);
            expect(handler.calls).toContain('failed 42P01');
            expect(handler.calls.filter((call) => call === 'sync')).toHaveLength(2);
        }
        client.close();
    });

    test('an error in a simple query is followed by ReadyForQuery and skips nothing', async () => {
        const {client} = await open();
        expect(await answers(client, Buffer.concat([query('error'), query('next')]), 2)).toBe('EZTDCZ');
        expect(await answers(client, Buffer.concat([query('reject later'), query('next')]), 2)).toBe('EZTDCZ');
        client.close();
    });

    test('an error of Sync itself comes before its ReadyForQuery', async () => {
        const {client, handler} = await open();
        expect(await answers(client, Buffer.concat([extended('sync error'), sync()]))).toBe('12DCEZ');
        expect(handler.calls).toContain('failed 40001');
        client.close();
    });

    test('sends every field of an error, and takes back a half-written row', async () => {
        const {client} = await open();
        client.send(query('error'));
        expect(await client.error()).toEqual({
            S: 'ERROR',
            V: 'ERROR',
            C: '42P01',
            M: 'relation "x" does not exist',
            D: 'a detail',
            H: 'a hint',
            P: '15',
            W: 'a place',
            s: 's',
            t: 't',
            c: 'c',
            d: 'd',
            n: 'n',
        });
        await client.until('Z');
        expect(await answers(client, query('half'))).toBe('EZ');
        client.close();
    });

    test('an unexpected error is XX000, is reported, and the session goes on', async () => {
        const {client} = await open();
        client.send(query('bug'));
        expect(await client.error()).toMatchObject({S: 'ERROR', C: 'XX000', M: 'x is not a function'});
        await client.until('Z');
        expect(reported.at(-1)).toBeInstanceOf(TypeError);
        expect(await answers(client, query('select'))).toBe('TDCZ');
        client.close();
    });

    test('a fatal error ends the session', async () => {
        const {client, handler} = await open();
        client.send(query('fatal'));
        expect(await client.error()).toMatchObject({S: 'FATAL', C: '57P01'});
        expect(await client.end()).toHaveLength(0);
        expect(handler.closedTimes).toBe(1);
    });

    test('Flush sends what has been answered, without ReadyForQuery', async () => {
        const {client} = await open();
        client.send(serialize.parse({text: 'select'}), serialize.describe({type: 'S'}), serialize.flush());
        expect(await client.types('T')).toBe('1tT');
        expect(await answers(client, sync())).toBe('Z');
        client.close();
    });

    test('ReadyForQuery does not wait for the next message’s handler', async () => {
        const {client, handler} = await open();
        client.send(query('first'), query('sleep'));
        expect(await client.types('Z')).toBe('TDCZ');
        handler.wake();
        expect(await client.types('Z')).toBe('TDCZ');
        client.close();
    });

    test('Describe, Close and Terminate reach the handler', async () => {
        const {client, handler} = await open();
        const messages = Buffer.concat([
            serialize.parse({name: 's', text: '$1 $2', types: [25, 4_000_000_000]}),
            serialize.bind({portal: 'p', statement: 's', values: ['1', '2']}),
            serialize.describe({type: 'S', name: 's'}),
            serialize.describe({type: 'P', name: 'p'}),
            serialize.execute({portal: 'p', rows: 7}),
            serialize.close({type: 'P', name: 'p'}),
            serialize.close({type: 'S', name: 's'}),
            sync(),
        ]);
        expect(await answers(client, messages)).toBe('12tTTDC33Z');
        expect(handler.calls.slice(1)).toEqual([
            'parse s [$1 $2] 25,4000000000',
            'bind p s ["1","2"] 00 0',
            'describe statement s',
            'describe portal p',
            'execute p 7',
            'close portal p',
            'close statement s',
            'sync',
            'ready',
        ]);
        client.send(serialize.end());
        expect(await client.end()).toHaveLength(0);
        expect([handler.closedTimes, handler.cancelledTimes]).toEqual([1, 0]);
    });

    test('function calls are refused, and the session goes on', async () => {
        const {client} = await open();
        client.send(frame('F', Buffer.alloc(10)));
        expect(await client.error()).toMatchObject({S: 'ERROR', C: '0A000'});
        expect(await client.types('Z')).toBe('Z');
        client.close();
    });

    test('an unknown subtype of Describe or Close is an error of that message only, as in PostgreSQL', async () => {
        const {client} = await open();
        client.send(Buffer.concat([frame('D', 'Xname\0'), frame('S')]));
        expect(await client.error()).toMatchObject({S: 'ERROR', C: '08P01', M: 'invalid DESCRIBE message subtype 88'});
        expect(await client.types('Z')).toBe('Z');
        client.send(Buffer.concat([frame('C', 'Xname\0'), frame('S')]));
        expect(await client.error()).toMatchObject({S: 'ERROR', C: '08P01', M: 'invalid CLOSE message subtype 88'});
        expect(await client.types('Z')).toBe('Z');
        client.close();
    });

    test('malformed, oversized and unknown messages end their own connection with 08P01', async () => {
        const {client: bystander} = await open();
        const bad: [Buffer, string][] = [
            [frame('Q', 'no terminator'), 'invalid string in message'],
            [frame('Q', ''), 'invalid string in message'],
            [frame('Q', 'a\0b\0'), 'invalid message format'],
            [frame('Q', '', 20_000_001), 'invalid message length'],
            [frame('Q', '', 3), 'invalid message length'],
            [frame('S', '', 20_000), 'invalid message length'],
            [frame('S', 'x'), 'invalid message format'],
            [frame('z'), 'invalid frontend message type 122'],
            [frame('p', 'password\0'), 'invalid frontend message type 112'],
            [frame('E', '\0\0\0'), 'insufficient data left in message'],
            [frame('P', 's\0select\0\0\x02\0\0\0\x01'), 'insufficient data left in message'],
            [frame('B', '\0'), 'invalid string in message'],
        ];
        for (const [bytes, message] of bad) {
            const {client, handler} = await open();
            client.send(bytes);
            expect(await client.error()).toMatchObject({S: 'FATAL', C: '08P01', M: message});
            expect(await client.end()).toHaveLength(0);
            await eventually(() => handler.closedTimes === 1);
        }
        expect(await answers(bystander, query('fine'))).toBe('TDCZ');
        bystander.close();
    });

    test('text that is not UTF-8 is an error of that statement only', async () => {
        const {client} = await open();
        client.send(frame('Q', Buffer.from([0x61, 0xff, 0])));
        expect(await client.error()).toMatchObject({
            S: 'ERROR',
            C: '22021',
            M: 'invalid byte sequence for encoding "UTF8": 0xff',
        });
        await client.until('Z');
        client.send(frame('P', Buffer.from([0, 0x61, 0xc3, 0, 0, 0])), sync());
        expect(errorOf((await client.until('Z'))[0]?.body ?? Buffer.alloc(0))).toMatchObject({C: '22021'});
        client.close();
    });

    test('any chunking of a stream gives the same calls and the same answers', async () => {
        const stream = Buffer.concat([
            serialize.parse({name: 'st', text: '$1 $2'}),
            serialize.bind({statement: 'st', values: ['é', null]}),
            serialize.execute({}),
            sync(),
            query('later x'),
            extended('error'),
            query('skipped'),
            sync(),
            query('copyin'),
            frame('d', 'one'),
            frame('d', 'two'),
            frame('c'),
            query(''),
        ]);
        const expected = '12DCZTDCZ12EZGCZIZ';
        const reference = await open();
        expect(await answers(reference.client, stream, 5)).toBe(expected);
        const {calls} = reference.handler;
        reference.client.close();
        for (let at = 1; at < stream.length; at += 1) {
            const {client, handler} = await open();
            await client.sendSplit(stream, at);
            expect(await answers(client, Buffer.alloc(0), 5), `split at ${at}`).toBe(expected);
            expect(handler.calls).toEqual(calls);
            expect(handler.copied.join('')).toBe('onetwo');
            client.close();
        }
    });

    test('synchronous handlers are served without a single promise', async () => {
        const {client, handler} = await open();
        client.send(serialize.parse({name: 's', text: '$1'}), sync());
        await client.until('Z');
        let promises = 0;
        const hook = createHook({
            init: (_id, type) => {
                promises += type === 'PROMISE' ? 1 : 0;
            },
        });
        let handled = 0;
        const originalSync = handler.sync.bind(handler);
        handler.sync = () => {
            handled += 1;
            if (handled === 1) {
                hook.enable();
            } else if (handled === 100) {
                hook.disable();
            }
            return originalSync();
        };
        const one = [serialize.bind({statement: 's', values: ['x']}), serialize.execute({}), sync()];
        await answers(client, Buffer.concat(Array.from({length: 100}, () => Buffer.concat(one))), 100);
        expect([handled, promises]).toEqual([100, 0]);
        client.close();
    });

    test('a large message that straddles chunks arrives whole', async () => {
        const {client} = await open();
        const text = 'é'.repeat(3_000_000);
        client.send(extended('$1', [text]), sync());
        const messages = await client.until('Z');
        expect(messages.map(({type}) => type).join('')).toBe('12DCZ');
        expect(messages[2]?.body.toString('utf8', 6) === text).toBe(true);
        client.close();
    });

    describe('back-pressure', () => {
        test('a client that stops reading holds its handler back, in bounded memory', async () => {
            const {client, handler} = await open();
            client.socket.pause();
            client.send(query('rows 60000'));
            await eventually(() => handler.bufferedBytesMost > MEBIBYTE);
            await pause(50);
            expect(handler.bufferedBytesMost).toBeLessThan(MEBIBYTE + 100_000);
            client.socket.destroy();
            await eventually(() => handler.closedTimes === 1);
        });

        test('a client that pipelines without reading is not read any further', async () => {
            const {client, handler} = await open();
            client.socket.pause();
            const one = Buffer.concat([extended('$1', ['y'.repeat(10_000)]), sync()]);
            for (let index = 0; index < 3000; index += 1) {
                client.socket.write(one);
            }
            await settled(() => handler.calls.length);
            const syncs = handler.calls.filter((call) => call === 'sync').length;
            expect(syncs).toBeLessThan(3000);
            expect(handler.writer.bufferedBytes).toBeLessThan(MEBIBYTE + 200_000);
            client.socket.resume();
            for (let index = 0; index < 3000; index += 1) {
                expect(await client.types('Z')).toBe('12DCZ');
            }
            client.close();
        });

        test('messages that wait for a pending handler are bounded', async () => {
            const {client, handler} = await open();
            client.send(query('sleep'));
            await eventually(() => handler.calls.includes('query sleep'));
            client.socket.write(Buffer.concat(Array.from({length: 3000}, () => query('x'.repeat(10_000)))));
            expect(await settled(() => client.socket.writableLength)).toBeGreaterThan(15_000_000);
            handler.wake();
            expect((await answers(client, Buffer.alloc(0), 3001)).length).toBe(4 * 3001);
            client.close();
        });
    });

    describe('a connection that is dropped', () => {
        test('in the middle of a query cancels and closes the handler, once', async () => {
            for (const drop of ['destroy', 'resetAndDestroy', 'end'] as const) {
                const {client, handler} = await open();
                client.send(query('sleep'));
                await eventually(() => handler.calls.includes('query sleep'));
                client.socket[drop]();
                await eventually(() => handler.closedTimes === 1);
                await pause(10);
                expect([handler.closedTimes, handler.cancelledTimes]).toEqual([1, 1]);
                client.close();
            }
        });

        test('in the middle of COPY ends the handler’s reading', async () => {
            const {client, handler} = await open();
            client.send(query('copyin'), frame('d', 'one'));
            await client.types('G');
            await eventually(() => handler.copied.length === 1);
            client.socket.destroy();
            await eventually(() => handler.closedTimes === 1);
            expect(handler.cancelledTimes).toBe(1);
        });

        test('while idle closes the handler without cancelling', async () => {
            const {client, handler} = await open();
            client.socket.destroy();
            await eventually(() => handler.closedTimes === 1);
            expect(handler.cancelledTimes).toBe(0);
            await expect(handler.writer.drained()).rejects.toMatchObject({code: '08006'});
            expect(handler.writer.congested).toBe(true);
        });
    });

    test('a handler can write to an idle session and end it', async () => {
        const {client, handler} = await open();
        handler.writer.notification(handler.control.processId, 'news', 'hello');
        handler.writer.flush();
        expect((await client.message()).body.toString('utf8', 4)).toBe('news\0hello\0');
        handler.control.terminate({severity: 'FATAL', code: '57P01', message: 'bye'});
        expect(await client.error()).toMatchObject({S: 'FATAL', C: '57P01', M: 'bye'});
        await client.end();
        expect(handler.closedTimes).toBe(1);
    });

    describe('COPY from the client', () => {
        const data = Buffer.concat([frame('d', 'one'), frame('d', 'two')]);

        test('in a simple query', async () => {
            const {client, handler} = await open();
            expect(await answers(client, Buffer.concat([query('copyin'), data, frame('c'), query('next')]), 2)).toBe(
                'GCZTDCZ',
            );
            expect(handler.copied).toEqual(['one', 'two']);
            client.close();
        });

        test('in the extended protocol, where a Sync before the data counts for nothing', async () => {
            const {client, handler} = await open();
            const messages = Buffer.concat([extended('copyin'), sync(), serialize.flush(), data, frame('c'), sync()]);
            expect(await answers(client, Buffer.concat([messages, query('next')]), 2)).toBe('12GCZTDCZ');
            expect(handler.copied).toEqual(['one', 'two']);
            client.close();
        });

        test('that the client fails is 57014', async () => {
            const {client} = await open();
            client.send(query('copyin'), data, frame('f', 'no more\0'));
            expect(await client.error()).toMatchObject({C: '57014', M: 'COPY from stdin failed: no more'});
            expect(await client.types('Z')).toBe('Z');
            client.close();
        });

        test('that the handler fails swallows the rest: data in the simple protocol, all until Sync in the extended', async () => {
            const {client} = await open();
            expect(await answers(client, query('copyfail').subarray(0, 0), 0)).toBe('');
            client.send(query('copyfail'), data);
            expect(await client.types('Z')).toBe('GEZ');
            expect(await answers(client, Buffer.concat([data, frame('c'), query('next')]))).toBe('TDCZ');
            client.send(extended('copyfail'), data);
            expect(await client.types('E')).toBe('12GE');
            expect(
                await answers(client, Buffer.concat([data, frame('c'), query('skipped'), sync(), query('x')]), 2),
            ).toBe('ZTDCZ');
            client.close();
        });

        test('that the handler stops reading early goes on after it', async () => {
            const {client} = await open();
            expect(
                await answers(client, Buffer.concat([query('copybreak'), data, data, frame('c'), query('next')]), 2),
            ).toBe('GCZTDCZ');
            client.close();
        });

        test('any other message in it is a protocol violation', async () => {
            const {client, handler} = await open();
            client.send(query('copyin'), data, query('select'));
            expect(await client.error()).toMatchObject({
                S: 'FATAL',
                C: '08P01',
                M: 'unexpected message type 0x51 during COPY from stdin',
            });
            await eventually(() => handler.closedTimes === 1);
        });

        test('faster than the handler reads is held back at the client', async () => {
            const {client, handler} = await open();
            client.send(query('copywait'));
            await client.types('G');
            const chunk = frame('d', Buffer.alloc(10_000, 65));
            client.socket.write(Buffer.concat(Array.from({length: 3000}, () => chunk)));
            client.send(frame('c'));
            expect(await settled(() => client.socket.writableLength)).toBeGreaterThan(15_000_000);
            handler.wake();
            expect(await client.types('Z')).toBe('CZ');
            expect(handler.copied.reduce((sum, text) => sum + text.length, 0)).toBe(30_000_000);
            client.close();
        });
    });
});
