/**
 * ISO 8601 intervals: with designators (`P1Y2M3DT4H5M6S`) and the alternative format (`P0001-02-03T04:05:06`).
 * Source: PostgreSQL documentation, section 8.5.4; DecodeISO8601Interval in datetime.c.
 */
import type {IntervalBuilder, IntervalUnit} from './interval-builder.ts';

const DATE_UNITS: Readonly<Record<string, IntervalUnit>> = {Y: 'year', M: 'month', W: 'week', D: 'day'};
const TIME_UNITS: Readonly<Record<string, IntervalUnit>> = {H: 'hour', M: 'minute', S: 'second'};

/** Adds the interval to the builder; false when the text is no ISO 8601 interval. */
export function readIsoInterval(text: string, builder: IntervalBuilder): boolean {
    if (text.length < 2 || !text.startsWith('P')) return false;
    return new IsoReader(text, builder).read();
}

class IsoReader {
    readonly #text: string;
    readonly #builder: IntervalBuilder;
    #at = 1;
    #value = 0n;
    #fraction = 0;
    #digits = 0;

    constructor(text: string, builder: IntervalBuilder) {
        this.#text = text;
        this.#builder = builder;
    }

    read(): boolean {
        let inDate = true;
        let haveField = false;
        while (this.#at < this.#text.length) {
            if (this.#text[this.#at] === 'T') {
                inDate = false;
                haveField = false;
                this.#at++;
                continue;
            }
            if (!this.#readNumber()) return false;
            const letter = this.#text[this.#at];
            const unit = letter === undefined ? undefined : (inDate ? DATE_UNITS : TIME_UNITS)[letter];
            if (unit !== undefined) {
                this.#at++;
                this.#take(unit);
                haveField = true;
                continue;
            }
            if (haveField) return false;
            if (!inDate) return this.#readAlternativeTime();
            if (!this.#readAlternativeDate()) return false;
            inDate = this.#at >= this.#text.length;
        }
        return true;
    }

    #take(unit: IntervalUnit): void {
        this.#builder.add(unit, this.#value, this.#fraction);
    }

    #readNumber(): boolean {
        const match = /^(-?)(\d*)(\.\d*)?/.exec(this.#text.slice(this.#at));
        if (match === null || match[0] === '' || match[0] === '-') return false;
        const negative = match[1] === '-';
        const whole = BigInt(match[2] === '' ? 0 : (match[2] ?? 0));
        const fraction = match[3] === undefined ? 0 : Number(`0${match[3]}0`);
        if (whole > 9_223_372_036_854_775_807n) this.#builder.overflowed = true;
        this.#value = negative ? -whole : whole;
        this.#fraction = negative ? 0 - fraction : fraction;
        this.#digits = match[2]?.length ?? 0;
        this.#at += match[0].length;
        return true;
    }

    /** After the first number: `yyyymmdd`, or `yyyy[-mm[-dd]]`. Stops at the end or after the T. */
    #readAlternativeDate(): boolean {
        if (this.#digits === 8 && (this.#atEnd() || this.#peek() === 'T')) {
            const whole = this.#value;
            this.#builder.add('year', whole / 10_000n, 0);
            this.#builder.add('month', (whole / 100n) % 100n, 0);
            this.#builder.add('day', whole % 100n, this.#fraction);
            return this.#atEnd() || this.#skip('T');
        }
        this.#take('year');
        if (this.#atEnd() || this.#skip('T')) return true;
        if (!this.#skip('-') || !this.#readNumber()) return false;
        this.#take('month');
        if (this.#atEnd() || this.#skip('T')) return true;
        if (!this.#skip('-') || !this.#readNumber()) return false;
        this.#take('day');
        return this.#atEnd() || this.#skip('T');
    }

    /** After the first number: `hhmmss`, or `hh[:mm[:ss]]`, up to the end. */
    #readAlternativeTime(): boolean {
        if (this.#digits === 6 && this.#atEnd()) {
            const whole = this.#value;
            this.#builder.add('hour', whole / 10_000n, 0);
            this.#builder.add('minute', (whole / 100n) % 100n, 0);
            this.#builder.add('second', whole % 100n, this.#fraction);
            return true;
        }
        this.#take('hour');
        if (this.#atEnd()) return true;
        if (!this.#skip(':') || !this.#readNumber()) return false;
        this.#take('minute');
        if (this.#atEnd()) return true;
        if (!this.#skip(':') || !this.#readNumber()) return false;
        this.#take('second');
        return this.#atEnd();
    }

    #atEnd(): boolean {
        return this.#at >= this.#text.length;
    }

    #peek(): string | undefined {
        return this.#text[this.#at];
    }

    #skip(char: string): boolean {
        if (this.#text[this.#at] !== char) return false;
        this.#at++;
        return true;
    }
}
