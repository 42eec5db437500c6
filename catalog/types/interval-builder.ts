/**
 * Adds up the parts of interval input: whole units, and fractions that spill into smaller ones.
 * Source: AdjustFractMicroseconds, AdjustFractDays, AdjustFractYears and their kin in datetime.c.
 *
 * What must stay true: fractions are rounded with the same floating-point steps as the original, so the last
 * microsecond agrees. `overflowed` is set instead of throwing, because another syntax may still be tried.
 */
import type {Interval} from './datum.ts';
import {INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, makeInterval} from './interval-limits.ts';

const MICROS_PER_DAY = 86_400_000_000;

export type IntervalUnit =
    | 'microsecond'
    | 'millisecond'
    | 'second'
    | 'minute'
    | 'hour'
    | 'day'
    | 'week'
    | 'month'
    | 'year'
    | 'decade'
    | 'century'
    | 'millennium';

const MICROS_OF: Partial<Record<IntervalUnit, number>> = {
    microsecond: 1,
    millisecond: 1000,
    second: 1_000_000,
    minute: 60_000_000,
    hour: 3_600_000_000,
};
const YEARS_OF: Partial<Record<IntervalUnit, number>> = {year: 1, decade: 10, century: 100, millennium: 1000};

function roundHalfEven(value: number): number {
    const floor = Math.floor(value);
    const rest = value - floor;
    return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

export class IntervalBuilder {
    overflowed = false;
    #years = 0;
    #months = 0;
    #days = 0;
    #micros = 0n;

    /** `value` is the whole part, `fraction` the rest with the same sign. */
    add(unit: IntervalUnit, value: bigint, fraction: number): void {
        const micros = MICROS_OF[unit];
        const years = YEARS_OF[unit];
        if (micros !== undefined) {
            this.addMicros(value * BigInt(micros));
            this.#addFractionOfMicros(fraction, micros);
        } else if (years !== undefined) {
            this.#years = this.#check32(this.#years + this.#small(value) * years);
            this.#months = this.#check32(this.#months + roundHalfEven(fraction * years * 12));
        } else if (unit === 'day') {
            this.#days = this.#check32(this.#days + this.#small(value));
            this.#addFractionOfMicros(fraction, MICROS_PER_DAY);
        } else if (unit === 'week') {
            this.#days = this.#check32(this.#days + this.#small(value) * 7);
            this.#addFractionOfDays(fraction, 7);
        } else {
            this.#months = this.#check32(this.#months + this.#small(value));
            this.#addFractionOfDays(fraction, 30);
        }
    }

    addMicros(micros: bigint): void {
        this.#micros += micros;
        if (this.#micros > INT64_MAX || this.#micros < INT64_MIN) this.overflowed = true;
    }

    get micros(): bigint {
        return this.#micros;
    }

    negateMicros(): void {
        this.#micros = -this.#micros;
    }

    negate(): void {
        this.#years = -this.#years;
        this.#months = -this.#months;
        this.#days = -this.#days;
        this.#micros = -this.#micros;
        if (this.#micros > INT64_MAX || this.#days > INT32_MAX || this.#months > INT32_MAX) this.overflowed = true;
    }

    /** Throws 22008 when years and months together are too many. */
    build(): Interval {
        return makeInterval(this.#years * 12 + this.#months, this.#days, this.#micros);
    }

    #addFractionOfMicros(fraction: number, scale: number): void {
        if (fraction === 0) return;
        const scaled = fraction * scale;
        let whole = Math.trunc(scaled);
        const rest = scaled - whole;
        if (rest > 0.5) whole++;
        else if (rest < -0.5) whole--;
        this.addMicros(BigInt(whole));
    }

    #addFractionOfDays(fraction: number, scale: number): void {
        if (fraction === 0) return;
        const scaled = fraction * scale;
        const whole = Math.trunc(scaled);
        this.#days = this.#check32(this.#days + whole);
        this.#addFractionOfMicros(scaled - whole, MICROS_PER_DAY);
    }

    #small(value: bigint): number {
        if (value > 2_147_483_647n || value < -2_147_483_648n) this.overflowed = true;
        return Number(value);
    }

    #check32(value: number): number {
        if (value > INT32_MAX || value < INT32_MIN) this.overflowed = true;
        return value;
    }
}
