/**
 * int2, int4 and int8: the codecs of the hottest types. Binary form: big endian, two's complement.
 */
import {checkLength} from './input-errors.ts';
import {parseInt2, parseInt4, parseInt8} from './integer-text.ts';
import {codec} from './pg-type.ts';

export function compareNumbers(a: number, b: number): number {
    return a < b ? -1 : a > b ? 1 : 0;
}

export function compareBigints(a: bigint, b: bigint): number {
    return a < b ? -1 : a > b ? 1 : 0;
}

export const int2Codec = codec<number>({
    parse: parseInt2,
    print: (value) => '' + value,
    receive: (bytes, offset, length) => {
        checkLength(length, 2);
        return bytes.readInt16BE(offset);
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(2);
        bytes.writeInt16BE(value, 0);
        return bytes;
    },
    compare: compareNumbers,
    hashKey: (value) => value,
});

export const int4Codec = codec<number>({
    parse: parseInt4,
    print: (value) => '' + value,
    receive: (bytes, offset, length) => {
        checkLength(length, 4);
        return bytes.readInt32BE(offset);
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(4);
        bytes.writeInt32BE(value, 0);
        return bytes;
    },
    compare: compareNumbers,
    hashKey: (value) => value,
});

/** Numbers print several times faster than bigints, and nearly all values are safe integers. */
export function printInt8(value: bigint): string {
    const small = Number(value);
    return Number.isSafeInteger(small) ? '' + small : value.toString();
}

export function receiveInt8(bytes: Buffer, offset: number, length: number): bigint {
    checkLength(length, 8);
    return bytes.readBigInt64BE(offset);
}

export function sendInt8(value: bigint): Uint8Array {
    const bytes = Buffer.allocUnsafe(8);
    const small = Number(value);
    if (!Number.isSafeInteger(small)) {
        bytes.writeBigInt64BE(value, 0);
        return bytes;
    }
    // Two words as numbers are four times as fast as one bigint.
    const high = Math.floor(small / 4_294_967_296);
    const low = (small - high * 4_294_967_296) | 0;
    bytes[0] = high >> 24;
    bytes[1] = high >> 16;
    bytes[2] = high >> 8;
    bytes[3] = high;
    bytes[4] = low >> 24;
    bytes[5] = low >> 16;
    bytes[6] = low >> 8;
    bytes[7] = low;
    return bytes;
}

export const int8Codec = codec<bigint>({
    parse: parseInt8,
    print: printInt8,
    receive: receiveInt8,
    send: sendInt8,
    compare: compareBigints,
    hashKey: (value) => value,
});
