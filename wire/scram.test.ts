import {createHash, createHmac, pbkdf2Sync} from 'node:crypto';
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {saslPrep} from './sasl-prep.ts';
import {isScramVerifier, ScramExchange, scramPasswordMatches, scramVerifier} from './scram.ts';

const MOCK_KEY = Buffer.alloc(32, 1);

/** The client's side, for a given server-first-message. */
function clientFinal(password: string, firstBare: string, serverFirst: string, binding = 'biws'): string {
    const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
    const clientKey = createHmac('sha256', salted).update('Client Key').digest();
    const storedKey = createHash('sha256').update(clientKey).digest();
    const withoutProof = `c=${binding},r=${nonce}`;
    const signature = createHmac('sha256', storedKey).update(`${firstBare},${serverFirst},${withoutProof}`).digest();
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    return `${withoutProof},p=${proof.toString('base64')}`;
}

function exchange(verifier: string | undefined, password: string): string | undefined {
    const server = new ScramExchange('alice', verifier, MOCK_KEY);
    const serverFirst = server.first('n,,n=,r=abc');
    return server.final(clientFinal(password, 'n=,r=abc', serverFirst));
}

describe('SCRAM-SHA-256', () => {
    let postgres: PGlite;

    beforeAll(async () => {
        postgres = await PGlite.create();
    });

    afterAll(async () => {
        await postgres.close();
    });

    test('plays the exchange of RFC 7677', () => {
        // Section 3 of the RFC; the verifier follows from its password "pencil", salt and iterations.
        const salt = 'W22ZaJ0SNY7soEsUEjb6gQ==';
        const salted = pbkdf2Sync('pencil', Buffer.from(salt, 'base64'), 4096, 32, 'sha256');
        const clientKey = createHmac('sha256', salted).update('Client Key').digest();
        const stored = createHash('sha256').update(clientKey).digest('base64');
        const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
        const verifier = `SCRAM-SHA-256$4096:${salt}$${stored}:${serverKey}`;
        const server = new ScramExchange('user', verifier, MOCK_KEY, '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0');
        expect(server.first('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')).toBe(
            `r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=${salt},i=4096`,
        );
        const reply = server.final(
            'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,' +
                'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
        );
        expect(reply).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
    });

    test('accepts the right password and no other', async () => {
        const verifier = await scramVerifier('secret');
        expect(exchange(verifier, 'secret')).toMatch(/^v=/);
        expect(exchange(verifier, 'Secret')).toBeUndefined();
        expect(exchange(undefined, 'secret')).toBeUndefined();
        expect(exchange('md5abcdef', 'secret')).toBeUndefined();
    });

    test('verifiers are exchangeable with PostgreSQL, also for passwords that are normalised', async () => {
        for (const [index, password] of [
            'secret',
            'pässwörd',
            'I\u00adX',
            '\u2168',
            'a\u00a0b',
            'tab\u0007é',
            '㌀',
        ].entries()) {
            await postgres.exec(`create role r${index} password '${password}'`);
            const {rows} = await postgres.query<{rolpassword: string}>(
                `select rolpassword from pg_authid where rolname = 'r${index}'`,
            );
            const theirs = rows[0]?.rolpassword ?? '';
            expect(isScramVerifier(theirs)).toBe(true);
            expect(await scramPasswordMatches(theirs, password), password).toBe(true);
            expect(await scramPasswordMatches(theirs, `${password}x`)).toBe(false);
            // PostgreSQL stores a verifier as it is, and anything else as a password.
            const ours = await scramVerifier(password);
            await postgres.exec(`alter role r${index} password '${ours}'`);
            const stored = await postgres.query(`select 1 from pg_authid where rolpassword = '${ours}'`);
            expect(stored.rows).toHaveLength(1);
        }
    });

    test('an unknown user sees the same salt every time, and another than other users', () => {
        const saltOf = (user: string, key = MOCK_KEY): string | undefined =>
            /s=([^,]+)/.exec(new ScramExchange(user, undefined, key).first('n,,n=,r=abc'))?.[1];
        expect(saltOf('mallory')).toBe(saltOf('mallory'));
        expect(saltOf('mallory')).not.toBe(saltOf('trudy'));
        expect(saltOf('mallory')).not.toBe(saltOf('mallory', Buffer.alloc(32, 2)));
        expect(Buffer.from(saltOf('mallory') ?? '', 'base64')).toHaveLength(16);
    });

    test('binds the channel-binding flag to the proof', async () => {
        const verifier = await scramVerifier('secret');
        const server = new ScramExchange('alice', verifier, MOCK_KEY);
        const serverFirst = server.first('y,,n=,r=abc');
        expect(server.final(clientFinal('secret', 'n=,r=abc', serverFirst, 'eSws'))).toMatch(/^v=/);
        expect(() => server.final(clientFinal('secret', 'n=,r=abc', serverFirst, 'biws'))).toThrow(
            'unexpected SCRAM channel-binding attribute',
        );
    });

    test('refuses malformed messages', () => {
        const first = (message: string) => (): string => new ScramExchange('a', undefined, MOCK_KEY).first(message);
        for (const message of [
            '',
            'n',
            'n,,',
            'x,,n=,r=a',
            'p=tls-unique,,n=,r=a',
            'n,,n=,r=',
            'n,,r=a',
            'n,,n=,r=\u0001',
        ]) {
            expect(first(message)).toThrow('malformed SCRAM message');
        }
        expect(first('n,a=bob,n=,r=a')).toThrow('authorization identity');
        expect(first('n,,m=ext,n=,r=a')).toThrow('unsupported SCRAM extension');
        const server = new ScramExchange('a', undefined, MOCK_KEY);
        const serverFirst = server.first('n,,n=,r=abc');
        expect(() => server.final('c=biws,r=abc')).toThrow('malformed SCRAM message');
        const right = clientFinal('x', 'n=,r=abc', serverFirst);
        expect(() => server.final(right.replace('r=abc', 'r=abd'))).toThrow('invalid SCRAM response');
    });
});

describe('saslPrep', () => {
    test('follows the examples of RFC 4013', () => {
        expect(saslPrep('I\u00adX')).toBe('IX');
        expect(saslPrep('user')).toBe('user');
        expect(saslPrep('\u00aa')).toBe('a');
        expect(saslPrep('\u2168')).toBe('IX');
    });
});
