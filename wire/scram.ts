/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL's server plays it, and the verifier that is stored for a password.
 *
 * What must stay true:
 * - An unknown user, or one without a usable verifier, sees the same steps, with a salt that is the same every time, and
 *   fails only at the end: nobody learns which users exist.
 * - Secrets are compared in constant time.
 * - Channel binding is not offered: 'p' is refused, 'n' and 'y' are bound to the `c=` attribute.
 */

import {createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual} from 'node:crypto';
import {promisify} from 'node:util';
import {ProtocolError, protocolViolation} from './protocol-error.ts';
import {saslPrep} from './sasl-prep.ts';

export const SCRAM_MECHANISM = 'SCRAM-SHA-256';
const ITERATIONS_DEFAULT = 4096;
/** A stored verifier that asks for more work than this per password check is refused as malformed. */
const ITERATIONS_MAX = 10_000_000;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 18;
const VERIFIER = /^SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/;

const deriveKey = promisify(pbkdf2);

interface ScramSecret {
    readonly iterations: number;
    readonly salt: Buffer;
    readonly storedKey: Buffer;
    readonly serverKey: Buffer;
}

function hmac(key: Uint8Array, data: string | Uint8Array): Buffer {
    return createHmac('sha256', key).update(data).digest();
}

function sha256(data: Uint8Array): Buffer {
    return createHash('sha256').update(data).digest();
}

async function makeSecret(password: string, salt: Buffer, iterations: number): Promise<ScramSecret> {
    const saltedPassword = await deriveKey(saslPrep(password), salt, iterations, KEY_BYTES, 'sha256');
    return {
        iterations,
        salt,
        storedKey: sha256(hmac(saltedPassword, 'Client Key')),
        serverKey: hmac(saltedPassword, 'Server Key'),
    };
}

function parseVerifier(verifier: string): ScramSecret | undefined {
    const match = VERIFIER.exec(verifier);
    const [, iterations = '', salt = '', storedKey = '', serverKey = ''] = match ?? [];
    const secret = {
        iterations: Number(iterations),
        salt: Buffer.from(salt, 'base64'),
        storedKey: Buffer.from(storedKey, 'base64'),
        serverKey: Buffer.from(serverKey, 'base64'),
    };
    return match !== null && secret.iterations >= 1 && secret.iterations <= ITERATIONS_MAX ? secret : undefined;
}

/** PostgreSQL's stored form of a password: `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`. */
export async function scramVerifier(password: string): Promise<string> {
    const secret = await makeSecret(password, randomBytes(SALT_BYTES), ITERATIONS_DEFAULT);
    const base64 = (bytes: Buffer): string => bytes.toString('base64');
    return `${SCRAM_MECHANISM}$${secret.iterations}:${base64(secret.salt)}$${base64(secret.storedKey)}:${base64(secret.serverKey)}`;
}

/** True for the stored form of a password, so that it can be told from a password (CREATE ROLE … PASSWORD takes both). */
export function isScramVerifier(text: string): boolean {
    return parseVerifier(text) !== undefined;
}

/** Whether the password is the verifier's. False for a malformed verifier. */
export async function scramPasswordMatches(verifier: string, password: string): Promise<boolean> {
    const secret = parseVerifier(verifier);
    if (secret === undefined) {
        return false;
    }
    const candidate = await makeSecret(password, secret.salt, secret.iterations);
    return timingSafeEqual(candidate.storedKey, secret.storedKey);
}

/** The secret of a user who does not exist: the salt depends on the name and the server's mock key alone. */
function mockSecret(user: string, mockKey: Buffer): ScramSecret {
    return {
        iterations: ITERATIONS_DEFAULT,
        salt: hmac(mockKey, user).subarray(0, SALT_BYTES),
        storedKey: randomBytes(KEY_BYTES),
        serverKey: randomBytes(KEY_BYTES),
    };
}

function malformed(detail: string): ProtocolError {
    return protocolViolation('malformed SCRAM message', detail);
}

/** One exchange: `first` answers client-first-message, `final` answers client-final-message. */
export class ScramExchange {
    readonly #secret: ScramSecret;
    readonly #doomed: boolean;
    readonly #serverNonce: string;
    #gs2Header = '';
    #clientFirstBare = '';
    #serverFirst = '';
    #nonce = '';

    constructor(
        user: string,
        verifier: string | undefined,
        mockKey: Buffer,
        serverNonce = randomBytes(NONCE_BYTES).toString('base64'),
    ) {
        const secret = verifier === undefined ? undefined : parseVerifier(verifier);
        this.#doomed = secret === undefined;
        this.#secret = secret ?? mockSecret(user, mockKey);
        this.#serverNonce = serverNonce;
    }

    /** Returns server-first-message. */
    first(clientFirst: string): string {
        const match = /^([^,]*),([^,]*),(.*)$/s.exec(clientFirst);
        const [, flag = '', authorizationId = '', bare = ''] = match ?? [];
        if (match === null) {
            throw malformed('The message is not a client-first-message.');
        }
        if (flag.startsWith('p=')) {
            throw malformed(
                'The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.',
            );
        }
        if (flag !== 'n' && flag !== 'y') {
            throw malformed('Unexpected channel-binding flag.');
        }
        if (authorizationId !== '') {
            throw new ProtocolError('FATAL', '0A000', 'client uses authorization identity, but it is not supported');
        }
        if (bare.startsWith('m=')) {
            throw new ProtocolError('FATAL', '0A000', 'client requires an unsupported SCRAM extension');
        }
        // The name in n= is not used: the start-up packet has said who the user is.
        const clientNonce = /^n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?$/s.exec(bare)?.[1];
        if (clientNonce === undefined) {
            throw malformed('The client nonce is missing or has non-printable characters.');
        }
        this.#gs2Header = `${flag},,`;
        this.#clientFirstBare = bare;
        this.#nonce = clientNonce + this.#serverNonce;
        this.#serverFirst = `r=${this.#nonce},s=${this.#secret.salt.toString('base64')},i=${this.#secret.iterations}`;
        return this.#serverFirst;
    }

    /** Returns server-final-message, or undefined when the proof is wrong. */
    final(clientFinal: string): string | undefined {
        const match = /^(c=([^,]*),r=([^,]*)(?:,.*)?),p=([A-Za-z0-9+/]+={0,2})$/s.exec(clientFinal);
        const [, withoutProof = '', binding = '', nonce = '', proofText = ''] = match ?? [];
        const proof = Buffer.from(proofText, 'base64');
        if (match === null || proof.length !== KEY_BYTES) {
            throw malformed('The message is not a client-final-message.');
        }
        if (binding !== Buffer.from(this.#gs2Header).toString('base64')) {
            throw protocolViolation('unexpected SCRAM channel-binding attribute in client-final-message');
        }
        if (nonce !== this.#nonce) {
            throw protocolViolation('invalid SCRAM response', 'Nonce does not match.');
        }
        const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
        const clientSignature = hmac(this.#secret.storedKey, authMessage);
        const clientKey = proof.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
        const right = timingSafeEqual(sha256(clientKey), this.#secret.storedKey);
        return right && !this.#doomed ? `v=${hmac(this.#secret.serverKey, authMessage).toString('base64')}` : undefined;
    }
}
