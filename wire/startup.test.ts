import {connect as tlsConnect, createSecureContext} from 'node:tls';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {WireServer, type WireServerOptions} from './server.ts';
import {TEST_CERTIFICATE, TEST_KEY} from './testing/certificate.ts';
import {FakeAcceptor} from './testing/fake-handler.ts';
import {
    cancelRequest,
    eventually,
    frame,
    GSSENC_REQUEST,
    pause,
    query,
    RawClient,
    settled,
    SSL_REQUEST,
    startup,
    startupPacket,
} from './testing/raw-client.ts';

describe('start-up', () => {
    let acceptor: FakeAcceptor;
    let server: WireServer;
    let port: number;
    const clients: RawClient[] = [];

    async function listen(options: Partial<WireServerOptions> = {}): Promise<void> {
        server = new WireServer({acceptor, ...options});
        ({port} = await server.listen('127.0.0.1', 0));
    }

    async function client(...first: Uint8Array[]): Promise<RawClient> {
        const made = await RawClient.connect(port);
        clients.push(made);
        if (first.length > 0) {
            made.send(...first);
        }
        return made;
    }

    beforeEach(() => {
        acceptor = new FakeAcceptor();
    });

    afterEach(async () => {
        for (const made of clients.splice(0)) {
            made.close();
        }
        await server.shutdown(0);
    });

    test('answers the start-up packet with parameters, key and ReadyForQuery', async () => {
        await listen();
        const one = await client(startup({user: 'alice', application_name: 'näme', options: '-c x=1'}));
        const messages = await one.until('Z');
        expect(messages.map(({type}) => type).join('')).toBe('RSSSSSKZ');
        expect(messages.find(({type}) => type === 'K')?.body).toHaveLength(8);
        expect(acceptor.requests[0]).toMatchObject({
            user: 'alice',
            database: 'alice',
            protocolMinor: 0,
            loopback: true,
        });
        expect(acceptor.requests[0]?.parameters.get('application_name')).toBe('näme');
        expect(server.connections).toBe(1);
    });

    test('refuses SSL and GSS encryption in either order, once each', async () => {
        await listen();
        for (const requests of [
            [SSL_REQUEST, GSSENC_REQUEST],
            [GSSENC_REQUEST, SSL_REQUEST],
        ]) {
            const one = await client();
            for (const request of requests) {
                one.send(request);
                expect(await one.byte()).toBe('N');
            }
            one.send(startup({user: 'alice'}));
            expect(await one.types('Z')).toBe('RSSSSSKZ');
        }
        const twice = await client(SSL_REQUEST);
        expect(await twice.byte()).toBe('N');
        twice.send(SSL_REQUEST);
        expect(await twice.error()).toMatchObject({C: '0A000'});
    });

    test('takes a start-up packet split at any byte', async () => {
        await listen();
        const packet = Buffer.concat([SSL_REQUEST, startup({user: 'alice', database: 'd'})]);
        for (let at = 1; at < packet.length; at += 1) {
            const one = await client();
            await one.sendSplit(packet, at);
            expect(await one.byte()).toBe('N');
            expect(await one.types('Z')).toBe('RSSSSSKZ');
            one.close();
        }
    });

    test('gives protocol 3.2 a key of 32 bytes, without negotiation', async () => {
        await listen();
        const one = await client(startup({user: 'alice'}, 0x0003_0002));
        const messages = await one.until('Z');
        expect(messages.map(({type}) => type).join('')).toBe('RSSSSSKZ');
        expect(messages.find(({type}) => type === 'K')?.body).toHaveLength(36);
        expect(acceptor.requests[0]?.protocolMinor).toBe(2);
    });

    test('negotiates newer minor versions and unknown protocol options down', async () => {
        await listen();
        const grease = await client(startup({user: 'alice', '_pq_.test_protocol_negotiation': ''}, 0x0003_270f));
        const [negotiation, ...rest] = await grease.until('Z');
        expect(negotiation?.type).toBe('v');
        expect(negotiation?.body.readInt32BE(0)).toBe(0x0003_0002);
        expect(negotiation?.body.readInt32BE(4)).toBe(1);
        expect(negotiation?.body.toString('utf8', 8)).toBe('_pq_.test_protocol_negotiation\0');
        expect(rest.map(({type}) => type).join('')).toBe('RSSSSSKZ');
        expect(acceptor.requests[0]?.parameters.has('_pq_.test_protocol_negotiation')).toBe(false);
        // Never a version above the client's own.
        const option = await client(startup({user: 'alice', '_pq_.x': '1'}));
        const [answer] = await option.until('Z');
        expect([answer?.type, answer?.body.readInt32BE(0)]).toEqual(['v', 0x0003_0000]);
    });

    test('refuses what is no start-up packet, with PostgreSQL’s errors', async () => {
        await listen();
        const cases: [Buffer, string, string][] = [
            [
                startup({user: 'a'}, 0x0002_0000),
                '0A000',
                'unsupported frontend protocol 2.0: server supports 3.0 to 3.2',
            ],
            [
                startup({user: 'a'}, 0x0004_0000),
                '0A000',
                'unsupported frontend protocol 4.0: server supports 3.0 to 3.2',
            ],
            [startup({database: 'a'}), '28000', 'no PostgreSQL user name specified in startup packet'],
            [startup({user: ''}), '28000', 'no PostgreSQL user name specified in startup packet'],
            [startup({user: 'a', replication: 'database'}), '0A000', 'replication connections are not supported'],
            [
                startupPacket(0x0003_0000, Buffer.from('user\0a\0')),
                '08P01',
                'invalid startup packet layout: expected terminator as last byte',
            ],
            [
                startupPacket(0x0003_0000, Buffer.from('user\0a\0\0more')),
                '08P01',
                'invalid startup packet layout: expected terminator as last byte',
            ],
            [startupPacket(0x0003_0000, Buffer.alloc(10_000)), '08P01', 'invalid length of startup packet'],
            [Buffer.from('GET / HTTP/1.1\r\n\r\n'), '08P01', 'invalid length of startup packet'],
        ];
        for (const [packet, code, message] of cases) {
            const one = await client(packet);
            expect(await one.error()).toMatchObject({S: 'FATAL', V: 'FATAL', C: code, M: message});
            expect(await one.end()).toHaveLength(0);
        }
        expect(server.unauthenticated).toBe(0);
    });

    test('the acceptor’s refusal is sent as fatal', async () => {
        await listen();
        acceptor.methods.set('nobody', {severity: 'ERROR', code: '3D000', message: 'database "x" does not exist'});
        const one = await client(startup({user: 'nobody'}));
        expect(await one.error()).toMatchObject({S: 'FATAL', C: '3D000', M: 'database "x" does not exist'});
        await one.end();
        expect(acceptor.handlers).toHaveLength(0);
    });

    test('a client that does not get through its start-up in time is cut off', async () => {
        await listen({startupMsMax: 60});
        for (const first of [Buffer.alloc(0), SSL_REQUEST, startup({user: 'a'}).subarray(0, 9)]) {
            const one = await client(first);
            if (first === SSL_REQUEST) {
                await one.byte();
            }
            expect(await one.error()).toMatchObject({S: 'FATAL', C: '57014'});
            await one.end();
        }
        const session = await client(startup({user: 'a'}));
        await session.until('Z');
        await pause(90);
        session.send(query('still here'));
        expect(await session.types('Z')).toBe('TDCZ');
    });

    test('a flood before authentication is not stored', async () => {
        await listen();
        acceptor.methods.set('slow', {method: 'scram-sha-256', verifier: undefined});
        const one = await client(startup({user: 'slow'}));
        expect((await one.message()).type).toBe('R');
        one.send(frame('p', Buffer.alloc(20_000)));
        expect(await one.error()).toMatchObject({C: '08P01', M: 'invalid message length'});
        // While the acceptor thinks, what the client sends waits in the kernel.
        const gate = Promise.withResolvers<void>();
        acceptor.opening = gate.promise;
        const eager = await client(startup({user: 'eager'}));
        eager.send(Buffer.alloc(30_000_000));
        expect(await settled(() => eager.socket.writableLength)).toBeGreaterThan(10_000_000);
        gate.resolve();
        await eager.error();
    });

    test('a session that opens after its client has gone is closed at once', async () => {
        await listen();
        const gate = Promise.withResolvers<void>();
        acceptor.opening = gate.promise;
        const one = await client(startup({user: 'a'}));
        await eventually(() => server.connections === 1);
        one.close();
        await pause(20);
        gate.resolve();
        await eventually(() => acceptor.handlers.length === 1 && server.connections === 0);
        expect(acceptor.last.closedTimes).toBe(1);
    });

    describe('with TLS', () => {
        const tls = createSecureContext({key: TEST_KEY, cert: TEST_CERTIFICATE});

        test('upgrades after SSLRequest, and refuses GSS first', async () => {
            await listen({tls});
            const plain = await client(GSSENC_REQUEST);
            expect(await plain.byte()).toBe('N');
            plain.send(SSL_REQUEST);
            expect(await plain.byte()).toBe('S');
            plain.socket.removeAllListeners('data');
            const secured = new RawClient(tlsConnect({socket: plain.socket, ca: TEST_CERTIFICATE, host: 'localhost'}));
            secured.send(startup({user: 'alice'}));
            expect(await secured.types('Z')).toBe('RSSSSSKZ');
            secured.send(query('rows 3000'));
            expect((await secured.until('Z')).length).toBe(3003);
            secured.close();
            await eventually(() => server.connections === 0);
        });

        test('refuses plaintext that was sent along with SSLRequest', async () => {
            await listen({tls});
            const one = await client(SSL_REQUEST, startup({user: 'injected'}));
            expect(await one.error()).toMatchObject({C: '08P01', M: 'received unencrypted data after SSL request'});
            await one.end();
            expect(acceptor.requests).toHaveLength(0);
        });

        test('takes a direct TLS connection that names the protocol, and no other', async () => {
            await listen({tls});
            const options = {port, host: 'localhost', ca: TEST_CERTIFICATE};
            const direct = new RawClient(tlsConnect({...options, ALPNProtocols: ['postgresql']}));
            direct.send(startup({user: 'alice'}));
            expect(await direct.types('Z')).toBe('RSSSSSKZ');
            direct.close();
            const nameless = new RawClient(tlsConnect(options));
            expect(await nameless.error()).toMatchObject({C: '08P01'});
            nameless.close();
        });

        test('a failed TLS handshake ends that connection only', async () => {
            await listen({tls});
            const broken = await client(SSL_REQUEST);
            expect(await broken.byte()).toBe('S');
            broken.send(Buffer.from('this is no TLS record at all'));
            await broken.end();
            const fine = await client(startup({user: 'alice'}));
            expect(await fine.types('Z')).toBe('RSSSSSKZ');
            await eventually(() => server.unauthenticated === 0);
        });
    });

    describe('a cancel request', () => {
        async function sleeping(minor: number): Promise<{one: RawClient; processId: number; secret: Buffer}> {
            const one = await client(startup({user: 'alice'}, 0x0003_0000 + minor));
            const key = (await one.until('Z')).find(({type}) => type === 'K')?.body ?? Buffer.alloc(4);
            one.send(query('sleep'));
            await eventually(() => acceptor.last.calls.includes('query sleep'));
            return {one, processId: key.readInt32BE(0), secret: key.subarray(4)};
        }

        test('with the right key cancels the statement and closes without a word', async () => {
            await listen();
            for (const minor of [0, 2]) {
                const {one, processId, secret} = await sleeping(minor);
                const canceller = await client(cancelRequest(processId, secret));
                expect(await canceller.end()).toHaveLength(0);
                expect(await one.error()).toMatchObject({S: 'ERROR', C: '57014'});
                expect(await one.types('Z')).toBe('Z');
            }
        });

        test('with a wrong key does nothing', async () => {
            await listen();
            const {one, processId, secret} = await sleeping(2);
            const wrong = Buffer.from(secret);
            wrong[31] = (wrong[31] ?? 0) ^ 1;
            for (const packet of [
                cancelRequest(processId, wrong),
                cancelRequest(processId, secret.subarray(0, 4)),
                cancelRequest(processId + 1, secret),
            ]) {
                expect(await (await client(packet)).end()).toHaveLength(0);
            }
            expect(acceptor.last.cancelledTimes).toBe(0);
            acceptor.last.wake();
            expect(await one.types('Z')).toBe('TDCZ');
        });
    });
});
