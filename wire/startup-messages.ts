/**
 * The server's messages of the start: authentication, negotiation and the cancel key. They are rare, so each is made as
 * a buffer of its own.
 */

import {AUTHENTICATION, BACKEND_KEY_DATA, NEGOTIATE_PROTOCOL_VERSION} from './message-types.ts';

const SASL = 10;
const SASL_CONTINUE = 11;
const SASL_FINAL = 12;

function message(type: number, ...parts: readonly Uint8Array[]): Buffer {
    const body = Buffer.concat(parts);
    const header = Buffer.alloc(5);
    header[0] = type;
    header.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([header, body]);
}

function int32(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
}

export function authenticationOk(): Buffer {
    return message(AUTHENTICATION, int32(0));
}

export function authenticationSasl(mechanisms: readonly string[]): Buffer {
    return message(AUTHENTICATION, int32(SASL), Buffer.from(`${mechanisms.join('\0')}\0\0`));
}

export function authenticationSaslContinue(data: string): Buffer {
    return message(AUTHENTICATION, int32(SASL_CONTINUE), Buffer.from(data));
}

export function authenticationSaslFinal(data: string): Buffer {
    return message(AUTHENTICATION, int32(SASL_FINAL), Buffer.from(data));
}

export function backendKeyData(processId: number, secret: Uint8Array): Buffer {
    return message(BACKEND_KEY_DATA, int32(processId), secret);
}

/**
 * The documentation speaks of the newest minor version; PostgreSQL sends, and libpq expects, the whole version number,
 * and never one above what the client asked for.
 */
export function negotiateProtocolVersion(minor: number, unknownOptions: readonly string[]): Buffer {
    const names = unknownOptions.map((name) => `${name}\0`).join('');
    return message(
        NEGOTIATE_PROTOCOL_VERSION,
        int32((3 << 16) | minor),
        int32(unknownOptions.length),
        Buffer.from(names),
    );
}
