/**
 * inet and cidr. Binary form: family (2 = IPv4, 3 = IPv6), prefix length, is_cidr, address length, address.
 * Source: PostgreSQL documentation, "Network Address Types"; network.c.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../errors.ts';
import {invalidSyntax} from './input-errors.ts';
import {compareAddresses, hasHostBits, printAddress, readAddress} from './network-address.ts';
import type {NetworkAddress} from './network-address.ts';
import {codec} from './pg-type.ts';
import type {Codec} from './pg-type.ts';

const FAMILY_IPV4 = 2;
const FAMILY_IPV6 = 3;

/** The address behind a Datum of inet or cidr. */
export function addressOf(value: string): NetworkAddress {
    const address = readAddress(value, false);
    assert(address !== undefined, `no canonical address: ${value}`);
    return address;
}

function receiveAddress(bytes: Buffer, offset: number, length: number, typeName: string): NetworkAddress {
    const family = bytes[offset];
    const bits = bytes[offset + 1] ?? 0;
    const size = bytes[offset + 3];
    if (length < 4) throw new PgError('08P01', 'insufficient data left in message');
    if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) {
        throw new PgError('22P03', `invalid address family in external "${typeName}" value`);
    }
    const expected = family === FAMILY_IPV4 ? 4 : 16;
    if (bits > expected * 8) throw new PgError('22P03', `invalid bits in external "${typeName}" value`);
    if (size !== expected || length !== 4 + expected) {
        throw new PgError('22P03', `invalid length in external "${typeName}" value`);
    }
    return {bytes: [...bytes.subarray(offset + 4, offset + 4 + expected)], bits};
}

function networkCodec(typeName: 'inet' | 'cidr'): Codec {
    const isCidr = typeName === 'cidr';
    return codec<string>({
        parse: (text) => {
            const address = readAddress(text, isCidr);
            if (address === undefined) throw invalidSyntax(typeName, text);
            if (isCidr && hasHostBits(address)) {
                throw new PgError('22P02', `invalid cidr value: "${text}"`, {
                    detail: 'Value has bits set to right of mask.',
                });
            }
            return printAddress(address, isCidr);
        },
        print: (value) => value,
        receive: (bytes, offset, length) => {
            const address = receiveAddress(bytes, offset, length, typeName);
            if (isCidr && hasHostBits(address)) {
                throw new PgError('22P03', 'invalid external "cidr" value', {
                    detail: 'Value has bits set to right of mask.',
                });
            }
            return printAddress(address, isCidr);
        },
        send: (value) => {
            const {bytes, bits} = addressOf(value);
            const family = bytes.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
            return Buffer.from([family, bits, isCidr ? 1 : 0, bytes.length, ...bytes]);
        },
        compare: (a, b) => (a === b ? 0 : compareAddresses(addressOf(a), addressOf(b))),
        hashKey: (value) => value,
    });
}

export const inetCodec = networkCodec('inet');
export const cidrCodec = networkCodec('cidr');
