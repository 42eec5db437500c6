/**
 * A cursor over the tokens of one statement, with PostgreSQL's own syntax errors. Every recogniser reads through it.
 *
 * What must stay true: each error is 42601 and carries the 1-based position, in characters, of the token it is about.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {QualifiedName} from './own-statement.ts';
import {nextToken, type Token} from './scanner.ts';

export class StatementReader {
    readonly sql: string;
    #token: Token;

    constructor(sql: string, offset = 0) {
        this.sql = sql;
        this.#token = nextToken(sql, offset);
    }

    get token(): Token {
        return this.#token;
    }

    /** The token after the present one. */
    peek(): Token {
        return nextToken(this.sql, this.#token.end);
    }

    next(): Token {
        const token = this.#token;
        this.#token = nextToken(this.sql, token.end);
        return token;
    }

    /** Goes on reading at `offset`. */
    seek(offset: number): void {
        this.#token = nextToken(this.sql, offset);
    }

    isWord(word: string): boolean {
        return this.#token.kind === 'word' && this.#token.text === word;
    }

    isSymbol(symbol: string): boolean {
        return this.#token.kind === 'symbol' && this.#token.text === symbol;
    }

    takeWord(word: string): boolean {
        if (!this.isWord(word)) return false;
        this.next();
        return true;
    }

    takeSymbol(symbol: string): boolean {
        if (!this.isSymbol(symbol)) return false;
        this.next();
        return true;
    }

    expectWord(word: string): void {
        if (!this.takeWord(word)) throw this.unexpected(`Expected ${word.toUpperCase()}.`);
    }

    expectSymbol(symbol: string): void {
        if (!this.takeSymbol(symbol)) throw this.unexpected(`Expected "${symbol}".`);
    }

    /** An unquoted or quoted name. */
    expectName(what: string): string {
        const {kind, opaque, text} = this.#token;
        if ((kind !== 'word' && kind !== 'quoted') || opaque) throw this.unexpected(`Expected ${what}.`);
        if (text === '') throw this.failure('zero-length delimited identifier', this.#token);
        this.next();
        return text;
    }

    expectQualifiedName(what: string): QualifiedName {
        const first = this.expectName(what);
        if (!this.takeSymbol('.')) return {schema: undefined, name: first};
        return {schema: first, name: this.expectName(what)};
    }

    /** A plain or dollar-quoted string. */
    expectString(what: string): string {
        if (this.#token.kind !== 'string' || this.#token.opaque) {
            throw this.unexpected(`Expected ${what} as a quoted string.`);
        }
        return this.next().text;
    }

    /** A string, a name or a number with its sign, as text. */
    expectValue(what: string): string {
        if (this.isSymbol('-') || this.isSymbol('+')) {
            const sign = this.next().text;
            if (this.#token.kind !== 'number') throw this.unexpected(`Expected ${what}.`);
            return (sign === '-' ? '-' : '') + this.next().text;
        }
        const {kind, opaque} = this.#token;
        if (opaque || (kind !== 'word' && kind !== 'quoted' && kind !== 'string' && kind !== 'number')) {
            throw this.unexpected(`Expected ${what}.`);
        }
        return this.next().text;
    }

    /** The statement ends here; one closing semicolon is allowed. */
    expectEnd(): void {
        this.takeSymbol(';');
        if (this.#token.kind !== 'end') throw this.unexpected();
    }

    /** PostgreSQL's words for a token that does not fit. */
    unexpected(hint?: string): PgError {
        const token = this.#token;
        if (token.kind === 'end') return this.failure('syntax error at end of input', token, hint);
        if (token.kind === 'unterminated') return this.#unterminated(token);
        return this.failure(`syntax error at or near "${this.sql.slice(token.start, token.end)}"`, token, hint);
    }

    failure(message: string, token: Token, hint?: string): PgError {
        return new PgError('42601', message, {position: characterPosition(this.sql, token.start), hint});
    }

    #unterminated(token: Token): PgError {
        const near = this.sql.slice(token.start);
        const messages: Record<string, string> = {
            "'": 'unterminated quoted string',
            '"': 'unterminated quoted identifier',
            '/*': 'unterminated /* comment',
        };
        return this.failure(
            `${messages[token.text] ?? 'unterminated dollar-quoted string'} at or near "${near}"`,
            token,
        );
    }
}

/** 1-based position in characters (code points) of an offset in UTF-16 units. */
export function characterPosition(sql: string, offset: number): number {
    let position = 1;
    for (let at = 0; at < offset; position++) {
        const code = sql.codePointAt(at);
        at += code !== undefined && code > 0xffff ? 2 : 1;
    }
    return position;
}
