/**
 * Modifiers of interval: a range of fields (YEAR TO MONTH …) and a number of fractional digits.
 * Layout: range in the upper 16 bits as a mask of field numbers, precision in the lower 16, 0xFFFF for full.
 * Source: AdjustIntervalForTypmod in timestamp.c.
 */
import type {Interval} from './datum.ts';
import {isFiniteInterval, makeInterval} from './interval-limits.ts';
import {roundMicrosBig} from './round-micros.ts';

const MONTH = 1 << 1;
const YEAR = 1 << 2;
const DAY = 1 << 3;
const HOUR = 1 << 10;
const MINUTE = 1 << 11;
const SECOND = 1 << 12;
const FULL_RANGE = 0x7fff;
const MICROS_PER_HOUR = 3_600_000_000n;
const MICROS_PER_MINUTE = 60_000_000n;

export function applyIntervalTypmod(value: Interval, typmod: number): Interval {
    if (!isFiniteInterval(value)) return value;
    const range = (typmod >> 16) & 0x7fff;
    const precision = typmod & 0xffff;
    let {months, days, micros} = value;
    if (range !== FULL_RANGE) {
        if (range === YEAR) {
            months = Math.trunc(months / 12) * 12;
            days = 0;
            micros = 0n;
        } else if ((range & ~(YEAR | MONTH)) === 0) {
            days = 0;
            micros = 0n;
        } else if (range === DAY) {
            micros = 0n;
        } else if ((range & (SECOND | MINUTE)) === 0 && (range & HOUR) !== 0) {
            micros -= micros % MICROS_PER_HOUR;
        } else if ((range & SECOND) === 0 && (range & MINUTE) !== 0) {
            micros -= micros % MICROS_PER_MINUTE;
        }
    }
    return makeInterval(months, days, precision <= 6 ? roundMicrosBig(micros, precision) : micros);
}
