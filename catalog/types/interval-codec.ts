/**
 * interval: months, days and microseconds, kept apart. Order: a month counts 30 days, a day 24 hours.
 * Source: PostgreSQL documentation, "Interval Input" and "Interval Output"; interval_cmp_value in timestamp.c.
 */
import type {Interval} from './datum.ts';
import {checkLength} from './input-errors.ts';
import {parseInterval} from './interval-input.ts';
import {printInterval} from './interval-output.ts';
import {codec} from './pg-type.ts';

/** The number that intervals are compared by: microseconds, up to 79 bits. */
export function intervalSpan(value: Interval): bigint {
    return (BigInt(value.months) * 30n + BigInt(value.days)) * 86_400_000_000n + value.micros;
}

export function compareIntervals(a: Interval, b: Interval): number {
    const left = intervalSpan(a);
    const right = intervalSpan(b);
    return left < right ? -1 : left > right ? 1 : 0;
}

export const intervalCodec = codec<Interval>({
    parse: parseInterval,
    print: (value, settings) => printInterval(value, settings.intervalStyle),
    receive: (bytes, offset, length) => {
        checkLength(length, 16);
        return {
            micros: bytes.readBigInt64BE(offset),
            days: bytes.readInt32BE(offset + 8),
            months: bytes.readInt32BE(offset + 12),
        };
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(16);
        bytes.writeBigInt64BE(value.micros, 0);
        bytes.writeInt32BE(value.days, 8);
        bytes.writeInt32BE(value.months, 12);
        return bytes;
    },
    compare: compareIntervals,
    hashKey: intervalSpan,
});
