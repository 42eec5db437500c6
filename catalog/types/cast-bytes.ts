/**
 * Casts between integers and bytea (PostgreSQL 18): big endian, two's complement. Shorter input is read as unsigned,
 * longer input is out of range. Source: PostgreSQL documentation, "Binary String Functions"; bytea.c.
 */
import {resultOutOfRange} from './input-errors.ts';

const NAMES = {2: 'smallint', 4: 'integer', 8: 'bigint'} as const;

export function integerToBytea(value: bigint, size: 2 | 4 | 8): Uint8Array {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigInt64BE(value, 0);
    return bytes.subarray(8 - size);
}

export function byteaToInteger(value: Uint8Array, size: 2 | 4 | 8): number | bigint {
    if (value.length > size) throw resultOutOfRange(NAMES[size]);
    let result = 0n;
    for (const byte of value) result = result * 256n + BigInt(byte);
    const signed = BigInt.asIntN(size * 8, result);
    return size === 8 ? signed : Number(signed);
}
