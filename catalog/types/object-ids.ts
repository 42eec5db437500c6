/**
 * oid and its aliases, xid, cid and xid8. The aliases (regclass, regtype …) are read and written as numbers: their names
 * live in the catalog, and statements that need them are answered by the twin.
 */
import {notSupported} from '../errors.ts';
import {checkLength, invalidSyntax, valueOutOfRange} from './input-errors.ts';
import {compareBigints, compareNumbers, printInt8} from './integers.ts';
import {codec} from './pg-type.ts';
import type {Codec} from './pg-type.ts';
import {trimSpace} from './whitespace.ts';

/** As C's strtoul with base 0: octal and hexadecimal prefixes, and a minus sign wraps around. */
function parseUnsigned(text: string, typeName: string, bits: bigint): bigint {
    const match = /^([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(trimSpace(text));
    if (match === null) throw invalidSyntax(typeName, text);
    const digits = match[2] ?? '0';
    const octal = /^0\d/.test(digits);
    if (octal && !/^[0-7]+$/.test(digits)) throw invalidSyntax(typeName, text);
    const value = BigInt(octal ? `0o${digits}` : digits);
    const limit = 1n << bits;
    const inRange = match[1] === '-' ? value <= limit / 2n : value < limit;
    if (!inRange) throw valueOutOfRange(typeName, text);
    return match[1] === '-' ? BigInt.asUintN(Number(bits), -value) : value;
}

function unsigned32Codec(parse: (text: string) => number): Codec {
    return codec<number>({
        parse,
        print: (value) => '' + value,
        receive: (bytes, offset, length) => {
            checkLength(length, 4);
            return bytes.readUInt32BE(offset);
        },
        send: (value) => {
            const bytes = Buffer.allocUnsafe(4);
            bytes.writeUInt32BE(value, 0);
            return bytes;
        },
        compare: compareNumbers,
        hashKey: (value) => value,
    });
}

export const oidCodec = unsigned32Codec((text) => Number(parseUnsigned(text, 'oid', 32n)));
export const xidCodec = unsigned32Codec((text) => Number(parseUnsigned(text, 'xid', 32n)));
export const cidCodec = unsigned32Codec((text) => Number(parseUnsigned(text, 'cid', 32n)));

/** `typeName`: regclass and its kin. '-' is no object. */
export function objectAliasCodec(typeName: string): Codec {
    return unsigned32Codec((text) => {
        const word = trimSpace(text);
        if (word === '-') return 0;
        if (!/^\d+$/.test(word)) throw notSupported(`input of type ${typeName} by name`);
        return Number(parseUnsigned(word, 'oid', 32n));
    });
}

export const xid8Codec = codec<bigint>({
    parse: (text) => parseUnsigned(text, 'xid8', 64n),
    print: printInt8,
    receive: (bytes, offset, length) => {
        checkLength(length, 8);
        return bytes.readBigUInt64BE(offset);
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(8);
        bytes.writeBigUInt64BE(value, 0);
        return bytes;
    },
    compare: compareBigints,
    hashKey: (value) => value,
});
