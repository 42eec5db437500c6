/**
 * The first packets of a connection (PostgreSQL documentation, "Start-up", and ProcessStartupPacket): a request for
 * encryption, a request to cancel, or the start-up message with its parameters.
 *
 * What must stay true: a newer minor version or an unknown protocol option (`_pq_.…`) is negotiated, never refused and
 * never taken silently. A newer major version, or version 2, is refused with PostgreSQL's text.
 */

import type {StartupRequest} from './handler.ts';
import {ProtocolError, protocolViolation} from './protocol-error.ts';
import {decodeUtf8} from './text.ts';

export const PROTOCOL_MINOR_LATEST = 2;
const PROTOCOL_MAJOR = 3;
const CANCEL_REQUEST = 80_877_102;
const SSL_REQUEST = 80_877_103;
const GSSENC_REQUEST = 80_877_104;
const PROTOCOL_OPTION_PREFIX = '_pq_.';
const SECRET_BYTES_MAX = 256;

export interface StartupMessage {
    readonly kind: 'startup';
    readonly user: string;
    readonly database: string;
    readonly parameters: ReadonlyMap<string, string>;
    /** As agreed: the client's, or ours when the client asked for more. */
    readonly protocolMinor: number;
    /** Whether NegotiateProtocolVersion must be sent, and the options it must name. */
    readonly negotiate: boolean;
    readonly unknownOptions: readonly string[];
}

export type StartupPacket =
    | StartupMessage
    | {readonly kind: 'ssl'}
    | {readonly kind: 'gss'}
    | {readonly kind: 'cancel'; readonly processId: number; readonly secret: Buffer};

/** Reads the packet in `buffer[start, end)`, without its length word. Throws FATAL errors. */
export function readStartupPacket(buffer: Buffer, start: number, end: number): StartupPacket {
    const code = buffer.readUInt32BE(start);
    const body = start + 4;
    switch (code) {
        case SSL_REQUEST:
            return {kind: 'ssl'};
        case GSSENC_REQUEST:
            return {kind: 'gss'};
        case CANCEL_REQUEST:
            return readCancelRequest(buffer, body, end);
        default:
            return readStartupMessage(code, buffer, body, end);
    }
}

export function unsupportedProtocol(code: number): ProtocolError {
    return new ProtocolError(
        'FATAL',
        '0A000',
        `unsupported frontend protocol ${code >>> 16}.${code & 0xffff}: ` +
            `server supports ${PROTOCOL_MAJOR}.0 to ${PROTOCOL_MAJOR}.${PROTOCOL_MINOR_LATEST}`,
    );
}

/** A second request for the same encryption is read as a protocol version, as PostgreSQL does. */
export function repeatedRequest(kind: 'ssl' | 'gss'): ProtocolError {
    return unsupportedProtocol(kind === 'ssl' ? SSL_REQUEST : GSSENC_REQUEST);
}

function readCancelRequest(buffer: Buffer, start: number, end: number): StartupPacket {
    const secretBytes = end - start - 4;
    if (secretBytes < 1 || secretBytes > SECRET_BYTES_MAX) {
        throw protocolViolation('invalid length of cancel request packet');
    }
    return {kind: 'cancel', processId: buffer.readInt32BE(start), secret: buffer.subarray(start + 4, end)};
}

function readStartupMessage(code: number, buffer: Buffer, start: number, end: number): StartupMessage {
    if (code >>> 16 !== PROTOCOL_MAJOR) {
        throw unsupportedProtocol(code);
    }
    const askedMinor = code & 0xffff;
    const parameters = new Map<string, string>();
    const unknownOptions: string[] = [];
    for (const [name, value] of readParameters(buffer, start, end)) {
        if (name.startsWith(PROTOCOL_OPTION_PREFIX)) {
            unknownOptions.push(name);
        } else {
            parameters.set(name, value);
        }
    }
    refuseReplication(parameters.get('replication'));
    const user = parameters.get('user') ?? '';
    if (user === '') {
        throw new ProtocolError('FATAL', '28000', 'no PostgreSQL user name specified in startup packet');
    }
    const database = parameters.get('database') ?? '';
    return {
        kind: 'startup',
        user,
        database: database === '' ? user : database,
        parameters,
        protocolMinor: Math.min(askedMinor, PROTOCOL_MINOR_LATEST),
        negotiate: askedMinor > PROTOCOL_MINOR_LATEST || unknownOptions.length > 0,
        unknownOptions,
    };
}

function* readParameters(buffer: Buffer, start: number, end: number): Generator<readonly [string, string]> {
    let position = start;
    while (position < end && buffer[position] !== 0) {
        const nameEnd = buffer.indexOf(0, position);
        const valueEnd = nameEnd === -1 ? -1 : buffer.indexOf(0, nameEnd + 1);
        if (valueEnd === -1 || valueEnd >= end) {
            break;
        }
        yield [decodeUtf8(buffer, position, nameEnd), decodeUtf8(buffer, nameEnd + 1, valueEnd)];
        position = valueEnd + 1;
    }
    if (position !== end - 1 || buffer[position] !== 0) {
        throw protocolViolation('invalid startup packet layout: expected terminator as last byte');
    }
}

/** A replication connection speaks other messages; it must not be taken for an ordinary one. */
function refuseReplication(value: string | undefined): void {
    if (value !== undefined && !/^(false|off|no|0)$/i.test(value)) {
        throw new ProtocolError('FATAL', '0A000', 'replication connections are not supported');
    }
}

/** What the acceptor is told. */
export function startupRequest(message: StartupMessage, remoteAddress: string): StartupRequest {
    // A dual-stack socket shows IPv4 clients as mapped IPv6 addresses.
    const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '');
    return {
        user: message.user,
        database: message.database,
        parameters: message.parameters,
        protocolMinor: message.protocolMinor,
        remoteAddress: address,
        loopback: address === '::1' || address.startsWith('127.'),
    };
}
