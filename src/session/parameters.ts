/** Reads one value of a Bind message into a datum. Integers in text format are read in place, without a string. */
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {TypeRegistry} from '../../catalog/types/registry.ts';
import type {OutputSettings} from '../../catalog/types/settings.ts';
import {decodeUtf8} from '../../wire/text.ts';

const INT4 = 23;
const MALFORMED = 'incorrect binary data format in bind parameter';
const DIGITS_MAX = 9;

export function readParameter(
    types: TypeRegistry,
    typeOid: number,
    format: 0 | 1,
    buffer: Buffer,
    offset: number,
    length: number,
    index: number,
    settings: OutputSettings,
): Datum {
    if (length < 0) return null;
    if (typeOid === INT4 && format === 0) {
        const value = readSmallInteger(buffer, offset, length);
        if (value !== undefined) return value;
    }
    const type = types.require(typeOid);
    if (format === 0) return type.parse(decodeUtf8(buffer, offset, offset + length), settings);
    try {
        return type.receive(buffer, offset, length);
    } catch (error) {
        const malformed = error instanceof PgError && error.message === MALFORMED;
        if (malformed || error instanceof RangeError) {
            throw new PgError('22P03', `${MALFORMED} ${index + 1}`, {cause: error});
        }
        throw error;
    }
}

/** An optional sign and at most nine digits; undefined for anything else. */
function readSmallInteger(buffer: Buffer, offset: number, length: number): number | undefined {
    const end = offset + length;
    let at = offset;
    const negative = buffer[at] === 0x2d;
    if (negative) at++;
    if (at === end || end - at > DIGITS_MAX) return undefined;
    let value = 0;
    for (; at < end; at++) {
        const digit = (buffer[at] ?? 0) - 0x30;
        if (digit < 0 || digit > 9) return undefined;
        value = value * 10 + digit;
    }
    // Not `-value`: there is no negative zero among integers.
    return negative ? 0 - value : value;
}
