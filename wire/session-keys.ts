/**
 * Process ids and the secrets that a CancelRequest must show. A process id names one connection and is not given out
 * again while that connection lives.
 */

import {strict as assert} from 'node:assert';
import {randomBytes, timingSafeEqual} from 'node:crypto';

const PROCESS_ID_MAX = 0x7fff_ffff;
/** Protocol 3.0 has room for four bytes; 3.2 allows up to 256, and PostgreSQL sends 32. */
const SECRET_BYTES_3_0 = 4;
const SECRET_BYTES_3_2 = 32;

interface SessionKey {
    secret: Buffer | undefined;
    readonly cancel: () => void;
}

export class SessionKeys {
    readonly #keys = new Map<number, SessionKey>();
    #lastProcessId = 0;

    /** A process id for a new connection. Until it has a secret it cannot be cancelled. */
    register(cancel: () => void): number {
        assert(this.#keys.size < PROCESS_ID_MAX);
        do {
            this.#lastProcessId = this.#lastProcessId === PROCESS_ID_MAX ? 1 : this.#lastProcessId + 1;
        } while (this.#keys.has(this.#lastProcessId));
        this.#keys.set(this.#lastProcessId, {secret: undefined, cancel});
        return this.#lastProcessId;
    }

    issueSecret(processId: number, protocolMinor: number): Buffer {
        const key = this.#keys.get(processId);
        assert(key !== undefined && key.secret === undefined);
        key.secret = randomBytes(protocolMinor >= 2 ? SECRET_BYTES_3_2 : SECRET_BYTES_3_0);
        return key.secret;
    }

    /** Cancels what the session does, if the secret is its own. */
    cancel(processId: number, secret: Buffer): void {
        const key = this.#keys.get(processId);
        if (key?.secret?.length === secret.length && timingSafeEqual(key.secret, secret)) {
            key.cancel();
        }
    }

    release(processId: number): void {
        this.#keys.delete(processId);
    }
}
