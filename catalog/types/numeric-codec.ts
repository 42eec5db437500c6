/**
 * numeric's codec. Binary form (numeric_send): int16 digit count, int16 weight, uint16 sign, uint16 display scale, then
 * digits in base 10000.
 */
import {codec} from './pg-type.ts';
import {invalidBinary, wrongBinaryLength} from './input-errors.ts';
import {PgError} from '../errors.ts';
import {compareNumeric, parseNumeric, SCALE_MAX, stripZeros} from './numeric-text.ts';

const SIGN_NEGATIVE = 0x4000;
const SIGN_NAN = 0xc000;
const SIGN_INFINITY = 0xd000;
const SIGN_NEGATIVE_INFINITY = 0xf000;

function specialBytes(sign: number): Uint8Array {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16BE(sign, 4);
    // PostgreSQL reads a display scale out of the header bits of its infinities; readers ignore it.
    if (sign !== SIGN_NAN) bytes.writeUInt16BE(0x20, 6);
    return bytes;
}

export function sendNumeric(value: string): Uint8Array {
    if (value === 'NaN') return specialBytes(SIGN_NAN);
    if (value === 'Infinity') return specialBytes(SIGN_INFINITY);
    if (value === '-Infinity') return specialBytes(SIGN_NEGATIVE_INFINITY);
    const negative = value.charCodeAt(0) === 45;
    const point = value.indexOf('.');
    const end = point < 0 ? value.length : point;
    const scale = point < 0 ? 0 : value.length - point - 1;
    const integer = value.slice(negative ? 1 : 0, end);
    const fraction = point < 0 ? '' : value.slice(point + 1);
    const integerGroups = Math.ceil(integer.length / 4);
    const digits = integer.padStart(integerGroups * 4, '0') + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
    const groups = digits.length / 4;
    let first = 0;
    while (first < groups && digits.startsWith('0000', first * 4)) first++;
    let last = groups;
    while (last > first && digits.startsWith('0000', (last - 1) * 4)) last--;
    const bytes = Buffer.allocUnsafe(8 + (last - first) * 2);
    bytes.writeInt16BE(last - first, 0);
    bytes.writeInt16BE(last === first ? 0 : integerGroups - 1 - first, 2);
    bytes.writeUInt16BE(negative ? SIGN_NEGATIVE : 0, 4);
    bytes.writeUInt16BE(scale, 6);
    for (let group = first; group < last; group++) {
        bytes.writeInt16BE(Number(digits.slice(group * 4, group * 4 + 4)), 8 + (group - first) * 2);
    }
    return bytes;
}

export function receiveNumeric(bytes: Buffer, offset: number, length: number): string {
    if (length < 8) throw wrongBinaryLength(length, 8);
    const count = bytes.readUInt16BE(offset);
    const weight = bytes.readInt16BE(offset + 2);
    const sign = bytes.readUInt16BE(offset + 4);
    const scale = bytes.readUInt16BE(offset + 6);
    if (length !== 8 + count * 2) throw wrongBinaryLength(length, 8 + count * 2);
    if (sign === SIGN_NAN) return 'NaN';
    if (sign === SIGN_INFINITY) return 'Infinity';
    if (sign === SIGN_NEGATIVE_INFINITY) return '-Infinity';
    if (sign !== 0 && sign !== SIGN_NEGATIVE) throw new PgError('22P03', 'invalid sign in external "numeric" value');
    if (scale > SCALE_MAX) throw new PgError('22P03', 'invalid scale in external "numeric" value');
    let digits = '';
    for (let at = 0; at < count; at++) {
        const digit = bytes.readUInt16BE(offset + 8 + at * 2);
        if (digit > 9999) throw new PgError('22P03', 'invalid digit in external "numeric" value');
        digits += String(digit).padStart(4, '0');
    }
    const integerLength = (weight + 1) * 4;
    if (count === 0) return parseNumeric(scale === 0 ? '0' : `0.${'0'.repeat(scale)}`);
    if (integerLength > 131_072 + 4) throw invalidBinary('numeric');
    const integer = integerLength <= 0 ? '0' : digits.slice(0, integerLength).padEnd(integerLength, '0');
    const fraction = integerLength <= 0 ? '0'.repeat(-integerLength) + digits : digits.slice(integerLength);
    // Digits beyond the display scale are cut, not rounded, as numeric_recv does.
    const shown = fraction.padEnd(scale, '0').slice(0, scale);
    return parseNumeric(`${sign === 0 ? '' : '-'}${integer}${scale === 0 ? '' : `.${shown}`}`);
}

export const numericCodec = codec<string>({
    parse: parseNumeric,
    print: (value) => value,
    receive: receiveNumeric,
    send: sendNumeric,
    compare: compareNumeric,
    hashKey: stripZeros,
});
