/**
 * The SCRAM-SHA-256 verifier of a password that stands in DDL, made at once: planning DDL is synchronous.
 *
 * What must stay true: the result is what wire/scram.ts checks logins against; a verifier is taken as it is.
 */
import {createHash, createHmac, pbkdf2Sync, randomBytes} from 'node:crypto';
import {isScramVerifier, SCRAM_MECHANISM} from '../../../wire/scram.ts';
import {saslPrep} from '../../../wire/sasl-prep.ts';

const ITERATIONS = 4096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

export function passwordVerifier(password: string): string {
    if (isScramVerifier(password)) return password;
    const salt = randomBytes(SALT_BYTES);
    const salted = pbkdf2Sync(saslPrep(password), salt, ITERATIONS, KEY_BYTES, 'sha256');
    const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
    const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
    const serverKey = hmac('Server Key').toString('base64');
    return `${SCRAM_MECHANISM}$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
