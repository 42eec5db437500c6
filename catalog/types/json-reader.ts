/**
 * Reads JSON by RFC 8259 with PostgreSQL's errors, into a tree that keeps numbers exact.
 * Source: PostgreSQL documentation, "JSON Types"; jsonapi.c for tokens and error details, report_json_context in
 * jsonfuncs.c for the context line.
 *
 * What must stay true: nesting is bounded, so hostile input cannot overflow the stack.
 */
import {PgError} from '../errors.ts';
import {parseNumeric} from './numeric-text.ts';
import {compareText} from './utf8.ts';

export type JsonNode =
    | {readonly kind: 'null'}
    | {readonly kind: 'string'; readonly value: string}
    /** A canonical numeric. */
    | {readonly kind: 'number'; readonly value: string}
    | {readonly kind: 'boolean'; readonly value: boolean}
    | {readonly kind: 'array'; readonly items: readonly JsonNode[]}
    /** Each key once, the last one given, ordered by length in bytes and then by bytes. */
    | {readonly kind: 'object'; readonly entries: readonly JsonEntry[]};

export interface JsonEntry {
    readonly key: string;
    readonly value: JsonNode;
}

/** Leaves room on the stack for whoever calls. PostgreSQL's own limit depends on max_stack_depth in the same way. */
export const JSON_DEPTH_MAX = 1000;
const CONTEXT_CHARACTERS = 50;

const NULL_NODE: JsonNode = {kind: 'null'};
const TRUE_NODE: JsonNode = {kind: 'boolean', value: true};
const FALSE_NODE: JsonNode = {kind: 'boolean', value: false};

export function readJson(text: string): JsonNode {
    return new JsonReader(text).read();
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z0-9_\u0080-\uffff.+-]+/y;
const PLAIN_WORD = /[A-Za-z0-9_\u0080-\uffff]+/y;
const ESCAPES: Readonly<Record<string, string>> = {
    '"': '"',
    '\\': '\\',
    '/': '/',
    b: '\b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
};

class JsonReader {
    readonly #text: string;
    #at = 0;
    #depth = 0;

    constructor(text: string) {
        this.#text = text;
    }

    read(): JsonNode {
        const node = this.#readValue();
        this.#skipSpace();
        if (this.#at < this.#text.length) throw this.#unexpected('Expected end of input');
        return node;
    }

    #skipSpace(): void {
        for (;;) {
            const code = this.#text.charCodeAt(this.#at);
            if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
            this.#at++;
        }
    }

    #readValue(): JsonNode {
        this.#skipSpace();
        const char = this.#text[this.#at];
        if (char === '"') return {kind: 'string', value: this.#readString()};
        if (char === '{') return this.#readObject();
        if (char === '[') return this.#readArray();
        if (char !== undefined && /[-0-9]/.test(char)) return {kind: 'number', value: this.#readNumber()};
        const word = this.#matchAt(PLAIN_WORD);
        if (word === 'true' || word === 'false' || word === 'null') {
            this.#at += word.length;
            return word === 'null' ? NULL_NODE : word === 'true' ? TRUE_NODE : FALSE_NODE;
        }
        throw this.#unexpected('Expected JSON value');
    }

    #enter(): void {
        if (++this.#depth > JSON_DEPTH_MAX) {
            throw new PgError('54001', 'stack depth limit exceeded', {
                hint: 'The value is nested too deeply.',
            });
        }
    }

    #readArray(): JsonNode {
        this.#enter();
        this.#at++;
        const items: JsonNode[] = [];
        this.#skipSpace();
        if (this.#text[this.#at] === ']') this.#at++;
        else {
            for (let more = true; more;) {
                items.push(this.#readValue());
                this.#skipSpace();
                more = this.#text[this.#at] === ',';
                if (!more && this.#text[this.#at] !== ']') throw this.#unexpected('Expected "," or "]"');
                this.#at++;
            }
        }
        this.#depth--;
        return {kind: 'array', items};
    }

    #readObject(): JsonNode {
        this.#enter();
        this.#at++;
        const entries = new Map<string, JsonNode>();
        this.#skipSpace();
        if (this.#text[this.#at] === '}') this.#at++;
        else {
            let expected = 'Expected string or "}"';
            for (let more = true; more;) {
                this.#skipSpace();
                if (this.#text[this.#at] !== '"') throw this.#unexpected(expected);
                const key = this.#readString();
                this.#skipSpace();
                if (this.#text[this.#at] !== ':') throw this.#unexpected('Expected ":"');
                this.#at++;
                entries.set(key, this.#readValue());
                this.#skipSpace();
                more = this.#text[this.#at] === ',';
                if (!more && this.#text[this.#at] !== '}') throw this.#unexpected('Expected "," or "}"');
                this.#at++;
                expected = 'Expected string';
            }
        }
        this.#depth--;
        return {kind: 'object', entries: sortEntries(entries)};
    }

    #readNumber(): string {
        const number = this.#matchAt(NUMBER);
        const word = this.#matchAt(WORD);
        if (number === '' || word.length > number.length) {
            const end = this.#at + Math.max(1, word.length);
            throw this.#invalid(`Token "${this.#text.slice(this.#at, end)}" is invalid.`, end);
        }
        this.#at += number.length;
        return parseNumeric(number);
    }

    #readString(): string {
        const start = ++this.#at;
        let value = '';
        let from = start;
        for (;;) {
            const code = this.#text.charCodeAt(this.#at);
            if (code !== code) throw this.#invalid('Token "' + this.#text.slice(start - 1) + '" is invalid.', this.#at);
            if (code === 34) break;
            if (code < 32) {
                const hex = code.toString(16).padStart(2, '0');
                throw this.#invalid(`Character with value 0x${hex} must be escaped.`, this.#at);
            }
            if (code !== 92) {
                this.#at++;
                continue;
            }
            value += this.#text.slice(from, this.#at) + this.#readEscape();
            from = this.#at;
        }
        value += this.#text.slice(from, this.#at);
        this.#at++;
        return value;
    }

    #readEscape(): string {
        const letter = this.#text[this.#at + 1];
        if (letter === undefined) {
            const start = this.#text.lastIndexOf('"', this.#at);
            throw this.#invalid(`Token "${this.#text.slice(start)}" is invalid.`, this.#text.length);
        }
        if (letter !== 'u') {
            const plain = ESCAPES[letter];
            const shown = String.fromCodePoint(this.#text.codePointAt(this.#at + 1) ?? 0);
            if (plain === undefined) {
                throw this.#invalid(`Escape sequence "\\${shown}" is invalid.`, this.#at + 1 + shown.length);
            }
            this.#at += 2;
            return plain;
        }
        const unit = this.#readUnicodeEscape();
        if (unit >= 0xdc00 && unit <= 0xdfff) throw this.#badLowSurrogate();
        if (unit < 0xd800 || unit > 0xdbff) return String.fromCharCode(unit);
        if (!this.#text.startsWith('\\u', this.#at)) throw this.#badLowSurrogate();
        const low = this.#readUnicodeEscape();
        if (low >= 0xd800 && low <= 0xdbff) {
            throw this.#invalid('Unicode high surrogate must not follow a high surrogate.', this.#at);
        }
        if (low < 0xdc00 || low > 0xdfff) throw this.#badLowSurrogate();
        return String.fromCharCode(unit, low);
    }

    #badLowSurrogate(): PgError {
        return this.#invalid('Unicode low surrogate must follow a high surrogate.', this.#at);
    }

    #readUnicodeEscape(): number {
        const digits = /^[0-9a-fA-F]{0,4}/.exec(this.#text.slice(this.#at + 2, this.#at + 6))?.[0] ?? '';
        if (digits.length < 4) {
            const end = Math.min(this.#text.length, this.#at + 3 + digits.length);
            throw this.#invalid('"\\u" must be followed by four hexadecimal digits.', end);
        }
        this.#at += 6;
        const unit = parseInt(digits, 16);
        if (unit === 0) {
            throw new PgError('22P05', 'unsupported Unicode escape sequence', {
                detail: '\\u0000 cannot be converted to text.',
                where: this.#context(this.#at),
            });
        }
        return unit;
    }

    #matchAt(pattern: RegExp): string {
        pattern.lastIndex = this.#at;
        return pattern.exec(this.#text)?.[0] ?? '';
    }

    /** The token here is wrong: either no token at all, or not one that may stand here. */
    #unexpected(expected: string): PgError {
        const char = this.#text[this.#at];
        if (char === undefined) return this.#invalid('The input string ended unexpectedly.', this.#text.length);
        let token = char;
        if (char === '"') {
            const start = this.#at;
            this.#readString();
            token = this.#text.slice(start, this.#at);
            this.#at = start;
        } else if (/[-0-9]/.test(char)) {
            const start = this.#at;
            this.#readNumber();
            token = this.#text.slice(start, this.#at);
            this.#at = start;
        } else if (!/[{}[\]:,]/.test(char)) {
            token = this.#matchAt(PLAIN_WORD);
            if (token === '') token = char;
            if (token !== 'true' && token !== 'false' && token !== 'null') {
                return this.#invalid(`Token "${token}" is invalid.`, this.#at + token.length);
            }
        }
        return this.#invalid(`${expected}, but found "${token}".`, this.#at + token.length);
    }

    #invalid(detail: string, end: number): PgError {
        return new PgError('22P02', 'invalid input syntax for type json', {detail, where: this.#context(end)});
    }

    /** The text of the line up to the end of the bad token, at most about 50 characters of it. */
    #context(end: number): string {
        const head = this.#text.slice(0, end);
        const line = head.split('\n').length;
        const lineStart = head.lastIndexOf('\n') + 1;
        let start = Math.max(lineStart, end - CONTEXT_CHARACTERS + 1);
        if (start - lineStart <= 3) start = lineStart;
        const next = this.#text[end];
        const suffix = next === undefined || next === '\n' || next === '\r' ? '' : '...';
        return `JSON data, line ${line}: ${start > lineStart ? '...' : ''}${this.#text.slice(start, end)}${suffix}`;
    }
}

function sortEntries(entries: ReadonlyMap<string, JsonNode>): readonly JsonEntry[] {
    const sorted: JsonEntry[] = [];
    for (const [key, value] of entries) sorted.push({key, value});
    if (sorted.length < 2) return sorted;
    return sorted.sort((a, b) => Buffer.byteLength(a.key) - Buffer.byteLength(b.key) || compareText(a.key, b.key));
}
