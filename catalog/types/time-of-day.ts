/**
 * time and timetz. timetz orders by the instant in UTC first, then by zone.
 * Source: PostgreSQL documentation, "Date/Time Types"; timetz_cmp_internal in date.c.
 */
import {PgError} from '../errors.ts';
import {MICROS_PER_DAY} from './civil.ts';
import {printOffset, printTimeOfDay} from './date-style.ts';
import {decodeTimeOfDay} from './datetime-decode.ts';
import type {TimeTz} from './datum.ts';
import {checkLength} from './input-errors.ts';
import {compareNumbers} from './integers.ts';
import {codec} from './pg-type.ts';

/** No zone is further from Greenwich: 15:59:59. */
const ZONE_SECONDS_MAX = 57_600;

function readTime(bytes: Buffer, offset: number): number {
    const micros = Number(bytes.readBigInt64BE(offset));
    if (micros < 0 || micros > MICROS_PER_DAY) throw new PgError('22008', 'time out of range');
    return micros;
}

export const timeCodec = codec<number>({
    parse: (text, settings) => decodeTimeOfDay(text, 'time', settings).micros,
    print: printTimeOfDay,
    receive: (bytes, offset, length) => {
        checkLength(length, 8);
        return readTime(bytes, offset);
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(8);
        bytes.writeBigInt64BE(BigInt(value), 0);
        return bytes;
    },
    compare: compareNumbers,
    hashKey: (value) => value,
});

/** Microseconds in UTC, from -16 h to 40 h: what timetz orders by first. */
export function timetzInstant(value: TimeTz): number {
    return value.micros + value.zone * 1_000_000;
}

export const timetzCodec = codec<TimeTz>({
    parse: (text, settings) => {
        const decoded = decodeTimeOfDay(text, 'time with time zone', settings);
        return {micros: decoded.micros, zone: 0 - decoded.offsetSeconds};
    },
    print: (value) => printTimeOfDay(value.micros) + printOffset(0 - value.zone),
    receive: (bytes, offset, length) => {
        checkLength(length, 12);
        const micros = readTime(bytes, offset);
        const zone = bytes.readInt32BE(offset + 8);
        if (zone <= -ZONE_SECONDS_MAX || zone >= ZONE_SECONDS_MAX) {
            throw new PgError('22009', 'time zone displacement out of range');
        }
        return {micros, zone};
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(12);
        bytes.writeBigInt64BE(BigInt(value.micros), 0);
        bytes.writeInt32BE(value.zone, 8);
        return bytes;
    },
    compare: (a, b) => timetzInstant(a) - timetzInstant(b) || a.zone - b.zone,
    hashKey: (value) => `${value.micros},${value.zone}`,
});
