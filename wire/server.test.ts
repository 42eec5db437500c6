import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {WireServer, type WireServerOptions} from './server.ts';
import {FakeAcceptor} from './testing/fake-handler.ts';
import {eventually, query, RawClient, startup} from './testing/raw-client.ts';

describe('WireServer', () => {
    let acceptor: FakeAcceptor;
    let server: WireServer;
    let port: number;

    async function listen(options: Partial<WireServerOptions> = {}): Promise<void> {
        server = new WireServer({acceptor, ...options});
        ({port} = await server.listen('127.0.0.1', 0));
    }

    beforeEach(() => {
        acceptor = new FakeAcceptor();
    });

    afterEach(async () => {
        await server.shutdown(0);
    });

    test('refuses sessions past connectionsMax after the start-up packet, and takes new ones when some have ended', async () => {
        await listen({connectionsMax: 2});
        const first = await RawClient.open(port);
        await RawClient.open(port);
        expect(server.connections).toBe(2);
        const third = await RawClient.connect(port);
        third.send(startup({user: 'a'}));
        expect(await third.error()).toMatchObject({S: 'FATAL', C: '53300', M: 'sorry, too many clients already'});
        await third.end();
        first.close();
        await eventually(() => server.connections === 1);
        await RawClient.open(port);
        expect(server.connections).toBe(2);
    });

    test('clients that never authenticate are bounded and take no session’s slot', async () => {
        await listen({connectionsMax: 1, unauthenticatedMax: 3});
        const silent = await Promise.all([1, 2, 3].map(() => RawClient.connect(port)));
        await eventually(() => server.unauthenticated === 3);
        const refused = await RawClient.connect(port);
        expect(await refused.error()).toMatchObject({C: '53300'});
        await refused.end();
        silent[0]?.close();
        await eventually(() => server.unauthenticated === 2);
        await RawClient.open(port);
        expect(server.connections).toBe(1);
        for (const client of silent) {
            client.close();
        }
    });

    test('shutdown ends idle sessions at once and busy ones after their message', async () => {
        await listen();
        const idle = await RawClient.open(port);
        const starting = await RawClient.connect(port);
        const busy = await RawClient.open(port);
        const handler = acceptor.last;
        busy.send(query('sleep'), query('never handled'));
        await eventually(() => handler.calls.includes('query sleep'));
        const stopped = server.shutdown(10_000);
        const reason = 'terminating connection due to administrator command';
        expect(await idle.error()).toMatchObject({S: 'FATAL', C: '57P01', M: reason});
        expect(await starting.error()).toMatchObject({S: 'FATAL', C: '57P03'});
        expect(handler.closedTimes).toBe(0);
        handler.wake();
        expect(await busy.types('Z')).toBe('TDCZ');
        expect(await busy.error()).toMatchObject({S: 'FATAL', C: '57P01', M: reason});
        await stopped;
        expect(acceptor.handlers.map((each) => each.closedTimes)).toEqual([1, 1]);
        expect(handler.calls).not.toContain('query never handled');
        await expect(RawClient.connect(port)).rejects.toThrow('ECONNREFUSED');
    });

    test('shutdown cuts busy sessions off when their grace is over', async () => {
        await listen();
        const busy = await RawClient.open(port);
        busy.send(query('sleep'));
        await eventually(() => acceptor.last.calls.includes('query sleep'));
        await server.shutdown(30);
        expect(await busy.error()).toMatchObject({S: 'FATAL', C: '57P01'});
        expect([acceptor.last.cancelledTimes, acceptor.last.closedTimes]).toEqual([1, 1]);
        expect(server.connections).toBe(0);
    });

    test('shutdown waits for the pipeline in hand only up to its next ReadyForQuery', async () => {
        await listen();
        const client = await RawClient.open(port);
        client.send(query('later a'), query('later b'));
        await eventually(() => acceptor.last.calls.includes('query later a'));
        const stopped = server.shutdown(10_000);
        expect(await client.types('Z')).toBe('TDCZ');
        expect(await client.error()).toMatchObject({C: '57P01'});
        await stopped;
    });

    test('closeAll tells everyone why', async () => {
        await listen();
        const clients = await Promise.all([1, 2, 3].map(() => RawClient.open(port)));
        server.closeAll({severity: 'FATAL', code: '57P02', message: 'crash'});
        for (const client of clients) {
            expect(await client.error()).toMatchObject({C: '57P02', M: 'crash'});
        }
    });

    test('listening on a taken port is an error', async () => {
        await listen();
        const other = new WireServer({acceptor});
        await expect(other.listen('127.0.0.1', port)).rejects.toThrow('EADDRINUSE');
    });
});
