/**
 * Reading the text form of arrays: `{a,"b c",NULL}`, nested, with optional bounds `[0:1]={…}`.
 * Source: PostgreSQL documentation, "Arrays"; ReadArrayStr in arrayfuncs.c for the errors.
 */
import {PgError} from '../errors.ts';
import type {Datum, PgArray} from './datum.ts';
import type {PgType} from './pg-type.ts';
import type {OutputSettings} from './settings.ts';
import {isSpaceCode} from './whitespace.ts';

const DIMENSIONS_MAX = 6;
const ELEMENTS_MAX = 134_217_727;

export function parseArrayText(text: string, element: PgType, settings?: OutputSettings): PgArray {
    return new ArrayReader(text, element, settings).read();
}

interface Bounds {
    readonly dims: readonly number[];
    readonly lowerBounds: readonly number[];
}

class ArrayReader {
    readonly #text: string;
    readonly #element: PgType;
    readonly #settings: OutputSettings | undefined;
    readonly #elements: Datum[] = [];
    /** Length of each dimension, or -1 while its first instance is being read. */
    readonly #dims: number[] = [];
    /** Depth at which elements stand; 0 = none seen yet. */
    #elementDepth = 0;
    #at = 0;

    constructor(text: string, element: PgType, settings: OutputSettings | undefined) {
        this.#text = text;
        this.#element = element;
        this.#settings = settings;
    }

    read(): PgArray {
        const bounds = this.#readBounds();
        this.#skipSpace();
        if (this.#text[this.#at] !== '{') {
            throw this.#malformed(
                bounds === undefined
                    ? 'Array value must start with "{" or dimension information.'
                    : 'Array contents must start with "{".',
            );
        }
        this.#at++;
        this.#readLevel(1);
        this.#skipSpace();
        if (this.#at < this.#text.length) throw this.#malformed('Junk after closing right brace.');
        return this.#finish(bounds);
    }

    #finish(bounds: Bounds | undefined): PgArray {
        const empty = this.#elements.length === 0;
        const dims = empty ? [] : this.#dims;
        if (bounds === undefined) return {dims, lowerBounds: dims.map(() => 1), elements: this.#elements};
        if (bounds.dims.length !== dims.length || bounds.dims.some((dim, level) => dim !== dims[level])) {
            throw this.#malformed('Specified array dimensions do not match array contents.');
        }
        return {dims, lowerBounds: bounds.lowerBounds, elements: this.#elements};
    }

    #readBounds(): Bounds | undefined {
        const dims: number[] = [];
        const lowerBounds: number[] = [];
        for (;;) {
            this.#skipSpace();
            if (this.#text[this.#at] !== '[') break;
            this.#at++;
            if (dims.length >= DIMENSIONS_MAX) throw this.#tooManyDimensions();
            const first = this.#readBound();
            let lower = 1;
            let upper = first;
            if (this.#text[this.#at] === ':') {
                this.#at++;
                lower = first;
                upper = this.#readBound();
            }
            if (this.#text[this.#at] !== ']') throw this.#malformed('Missing "]" after array dimensions.');
            this.#at++;
            if (upper < lower) throw new PgError('2202E', 'upper bound cannot be less than lower bound');
            lowerBounds.push(lower);
            dims.push(upper - lower + 1);
        }
        if (dims.length === 0) return undefined;
        if (this.#text[this.#at] !== '=') throw this.#malformed('Missing "=" after array dimensions.');
        this.#at++;
        return {dims, lowerBounds};
    }

    #readBound(): number {
        const match = /^[+-]?\d+/.exec(this.#text.slice(this.#at, this.#at + 24));
        if (match === null) throw this.#malformed('"[" must introduce explicitly-specified array dimensions.');
        this.#at += match[0].length;
        const value = Number(match[0]);
        if (value > 2147483647 || value < -2147483648)
            throw new PgError('54000', 'array bound is out of integer range');
        return value;
    }

    /** After the opening brace of a level, reads up to and with its closing brace. */
    #readLevel(depth: number): void {
        if (depth > DIMENSIONS_MAX) throw this.#tooManyDimensions();
        if (this.#dims.length < depth) {
            if (this.#elementDepth > 0) throw this.#uneven();
            this.#dims.push(-1);
        }
        let count = 0;
        let expectItem = true;
        for (;;) {
            this.#skipSpace();
            const char = this.#text[this.#at];
            if (char === undefined) throw this.#malformed('Unexpected end of input.');
            if (char === '}') {
                if (expectItem && count > 0) throw this.#malformed('Unexpected "}" character.');
                this.#at++;
                break;
            }
            if (char === ',') {
                if (expectItem) throw this.#malformed('Unexpected "," character.');
                this.#at++;
                expectItem = true;
                continue;
            }
            if (char === '{') {
                if (!expectItem) throw this.#malformed('Unexpected "{" character.');
                if (this.#elementDepth > 0 && depth >= this.#elementDepth) throw this.#uneven();
                this.#at++;
                this.#readLevel(depth + 1);
            } else {
                if (!expectItem) throw this.#malformed('Incorrectly quoted array element.');
                if (this.#dims.length > depth) throw this.#uneven();
                this.#elementDepth = depth;
                this.#readElement();
            }
            expectItem = false;
            count++;
        }
        const known = this.#dims[depth - 1] ?? -1;
        if (known < 0) this.#dims[depth - 1] = count;
        else if (known !== count) throw this.#uneven();
    }

    #readElement(): void {
        if (this.#elements.length >= ELEMENTS_MAX) {
            throw new PgError('54000', `array size exceeds the maximum allowed (${ELEMENTS_MAX})`);
        }
        const text = this.#text;
        let at = this.#at;
        let value = '';
        const quoted = text[at] === '"';
        let escaped = false;
        if (quoted) {
            at++;
            for (; text[at] !== '"'; at++) {
                if (text[at] === '\\') at++;
                const char = text[at];
                if (char === undefined) throw this.#malformed('Unexpected end of input.');
                value += char;
            }
            at++;
        } else {
            // Blanks at the end are no part of the value, unless they were escaped.
            let kept = 0;
            for (;;) {
                let char = text[at];
                if (char === undefined) throw this.#malformed('Unexpected end of input.');
                if (char === '"') throw this.#malformed('Incorrectly quoted array element.');
                if (char === '{') throw this.#malformed('Unexpected "{" character.');
                if (char === ',' || char === '}') break;
                const space = isSpaceCode(char.charCodeAt(0));
                if (char === '\\') {
                    escaped = true;
                    at++;
                    char = text[at];
                    if (char === undefined) throw this.#malformed('Unexpected end of input.');
                }
                value += char;
                at++;
                if (!space) kept = value.length;
            }
            value = value.slice(0, kept);
        }
        this.#at = at;
        const isNull = !quoted && !escaped && value.length === 4 && value.toLowerCase() === 'null';
        this.#elements.push(isNull ? null : this.#element.parse(value, this.#settings));
    }

    #skipSpace(): void {
        while (isSpaceCode(this.#text.charCodeAt(this.#at))) this.#at++;
    }

    #malformed(detail: string): PgError {
        return new PgError('22P02', `malformed array literal: "${this.#text}"`, {detail});
    }

    #uneven(): PgError {
        return this.#malformed('Multidimensional arrays must have sub-arrays with matching dimensions.');
    }

    #tooManyDimensions(): PgError {
        return new PgError('54000', `number of array dimensions exceeds the maximum allowed (${DIMENSIONS_MAX})`);
    }
}
