/**
 * The exchange that proves who a user is (PostgreSQL documentation, "SASL Authentication").
 *
 * What must stay true: every failure to prove it reads the same, 28P01, whether the user is unknown, has no password or
 * gave a wrong one.
 */

import type {Channel} from './channel.ts';
import type {AuthenticationMethod} from './handler.ts';
import {ProtocolError, protocolViolation} from './protocol-error.ts';
import {SCRAM_MECHANISM, ScramExchange} from './scram.ts';
import {authenticationSasl, authenticationSaslContinue, authenticationSaslFinal} from './startup-messages.ts';
import {decodeUtf8} from './text.ts';

export interface AuthenticationContext {
    readonly channel: Channel;
    /** Resolves when the next frame is in the channel's reader. */
    nextFrame(): Promise<void>;
    /** Makes the salts of unknown users; the same for the life of the server. */
    readonly mockKey: Buffer;
}

/** Resolves when the user is who they say; throws FATAL errors. Does not send AuthenticationOk. */
export async function authenticate(
    user: string,
    method: AuthenticationMethod,
    context: AuthenticationContext,
): Promise<void> {
    if (method.method === 'trust') {
        return;
    }
    const {writer} = context.channel;
    const exchange = new ScramExchange(user, method.verifier, context.mockKey);
    writer.raw(authenticationSasl([SCRAM_MECHANISM]));
    writer.flush();
    await context.nextFrame();
    writer.raw(authenticationSaslContinue(exchange.first(readInitialResponse(context.channel))));
    writer.flush();
    await context.nextFrame();
    const {buffer, start, end} = context.channel.reader;
    const serverFinal = exchange.final(decodeUtf8(buffer, start, end));
    if (serverFinal === undefined) {
        throw new ProtocolError('FATAL', '28P01', `password authentication failed for user "${user}"`);
    }
    writer.raw(authenticationSaslFinal(serverFinal));
}

/** SASLInitialResponse: the mechanism, and the length and bytes of the first message. */
function readInitialResponse(channel: Channel): string {
    const {buffer, start, end} = channel.reader;
    const mechanismEnd = buffer.indexOf(0, start);
    if (mechanismEnd === -1 || mechanismEnd + 5 > end) {
        throw protocolViolation('invalid SASL response');
    }
    if (buffer.toString('latin1', start, mechanismEnd) !== SCRAM_MECHANISM) {
        throw protocolViolation('client selected an invalid SASL authentication mechanism');
    }
    const data = mechanismEnd + 5;
    // PostgreSQL allows -1, no initial response, for which SCRAM has no use.
    if (buffer.readInt32BE(mechanismEnd + 1) !== end - data) {
        throw protocolViolation('invalid SASL response');
    }
    return decodeUtf8(buffer, data, end);
}
