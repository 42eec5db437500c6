/**
 * A scanner for SQL text: words, quoted names, strings, numbers and single symbols with their places in the source.
 * It exists because Tidewire's own statements are not in PostgreSQL's grammar, and because a string of several
 * statements must be cut apart before the parts that are PostgreSQL's can be parsed.
 *
 * What must stay true: quotes, comments and dollar quotes open and close exactly where PostgreSQL's scanner says
 * (documentation, section 4.1 "Lexical Structure"; standard_conforming_strings on). The scanner never throws: what is
 * not closed is a token of kind 'unterminated' that reaches to the end, and the caller or the grammar complains.
 * Offsets are in UTF-16 code units.
 */

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol' | 'unterminated' | 'end';

export interface Token {
    readonly kind: TokenKind;
    readonly start: number;
    readonly end: number;
    /** word: lower case; quoted and string: the value with quoting undone; otherwise as written. */
    readonly text: string;
    /** True for forms whose value this scanner does not decode: E'', B'', X'', U&'', U&"". */
    readonly opaque: boolean;
}

const NEWLINE = /[\n\r]/;
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const NUMBER = /(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?/y;
const PARAMETER = /\$[0-9]+/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const STRING_PREFIX = /^(?:[eEbBxXnN]|[uU]&)$/;

/** The first offset at or after `offset` that is neither white space nor inside a comment. */
export function skipBlank(sql: string, offset: number): number {
    let at = offset;
    while (at < sql.length) {
        const code = sql.charCodeAt(at);
        if (code === 32 || (code >= 9 && code <= 13)) {
            at++;
        } else if (code === 45 && sql.charCodeAt(at + 1) === 45) {
            at = endOfLine(sql, at);
        } else if (code === 47 && sql.charCodeAt(at + 1) === 42) {
            const end = endOfBlockComment(sql, at);
            if (end < 0) return at;
            at = end;
        } else {
            return at;
        }
    }
    return at;
}

/** Reads the token that starts at or after `offset`. At the end of the text: kind 'end'. */
export function nextToken(sql: string, offset: number): Token {
    const start = skipBlank(sql, offset);
    if (start >= sql.length) return token('end', start, start, '');
    const char = sql.charAt(start);
    switch (char) {
        case "'":
            return stringToken(sql, start, start, false);
        case '"':
            return quotedName(sql, start, start, false);
        case '$':
            return dollarToken(sql, start);
        case '/':
            // skipBlank passes over closed comments only.
            if (sql.charAt(start + 1) === '*') return token('unterminated', start, sql.length, '/*');
            return token('symbol', start, start + 1, char);
        default:
    }
    const prefixEnd = start + (sql.charAt(start + 1) === '&' ? 2 : 1);
    const quote = sql.charAt(prefixEnd);
    if ((quote === "'" || quote === '"') && STRING_PREFIX.test(sql.slice(start, prefixEnd))) {
        if (quote === "'") return prefixedString(sql, start, prefixEnd);
        if (prefixEnd === start + 2) return quotedName(sql, start, prefixEnd, true);
    }
    const word = match(WORD, sql, start);
    if (word !== undefined) return token('word', start, start + word.length, foldCase(word));
    const number = match(NUMBER, sql, start);
    if (number !== undefined) return token('number', start, start + number.length, number);
    return token('symbol', start, start + 1, char);
}

/** Unquoted names fold ASCII letters only, as PostgreSQL does in a UTF-8 database. */
function foldCase(word: string): string {
    return word.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function token(kind: TokenKind, start: number, end: number, text: string, opaque = false): Token {
    return {kind, start, end, text, opaque};
}

function match(pattern: RegExp, sql: string, offset: number): string | undefined {
    pattern.lastIndex = offset;
    return pattern.exec(sql)?.[0];
}

function endOfLine(sql: string, offset: number): number {
    let at = offset;
    while (at < sql.length && !NEWLINE.test(sql.charAt(at))) at++;
    return at;
}

/** Block comments nest. -1 when it is not closed. */
function endOfBlockComment(sql: string, offset: number): number {
    let depth = 0;
    let at = offset;
    while (at < sql.length) {
        const pair = sql.slice(at, at + 2);
        if (pair === '/*') {
            depth++;
            at += 2;
        } else if (pair === '*/') {
            depth--;
            at += 2;
            if (depth === 0) return at;
        } else {
            at++;
        }
    }
    return -1;
}

function prefixedString(sql: string, start: number, quoteAt: number): Token {
    const prefix = sql.charAt(start).toLowerCase();
    // N'…' is a plain string.
    return stringToken(sql, start, quoteAt, prefix !== 'n', prefix === 'e');
}

/** `quoteAt` is the place of the opening quote. A string goes on in the next line: 'a'<newline>'b' is 'ab'. */
function stringToken(sql: string, start: number, quoteAt: number, opaque: boolean, backslash = false): Token {
    let text = '';
    let at = quoteAt + 1;
    for (;;) {
        const from = at;
        while (at < sql.length && sql.charAt(at) !== "'") at += backslash && sql.charAt(at) === '\\' ? 2 : 1;
        if (at >= sql.length) return token('unterminated', start, sql.length, "'");
        text += sql.slice(from, at);
        if (sql.charAt(at + 1) === "'") {
            text += "'";
            at += 2;
            continue;
        }
        const continued = continuation(sql, at + 1);
        if (continued < 0) return token('string', start, at + 1, text, opaque);
        at = continued + 1;
    }
}

/** The place of the quote that continues a string after white space with a newline in it, or -1. */
function continuation(sql: string, offset: number): number {
    let newline = false;
    let at = offset;
    while (at < sql.length) {
        const char = sql.charAt(at);
        if (char === '-' && sql.charAt(at + 1) === '-') {
            at = endOfLine(sql, at);
            continue;
        }
        if (char === "'") return newline ? at : -1;
        if (!/[ \t\n\r\f\v]/.test(char)) return -1;
        if (NEWLINE.test(char)) newline = true;
        at++;
    }
    return -1;
}

function quotedName(sql: string, start: number, quoteAt: number, opaque: boolean): Token {
    let text = '';
    let from = quoteAt + 1;
    for (;;) {
        const at = sql.indexOf('"', from);
        if (at < 0) return token('unterminated', start, sql.length, '"');
        text += sql.slice(from, at);
        if (sql.charAt(at + 1) !== '"') return token('quoted', start, at + 1, text, opaque);
        text += '"';
        from = at + 2;
    }
}

function dollarToken(sql: string, start: number): Token {
    const parameter = match(PARAMETER, sql, start);
    if (parameter !== undefined) return token('parameter', start, start + parameter.length, parameter);
    const tag = match(DOLLAR_TAG, sql, start);
    if (tag === undefined) return token('symbol', start, start + 1, '$');
    const close = sql.indexOf(tag, start + tag.length);
    if (close < 0) return token('unterminated', start, sql.length, tag);
    return token('string', start, close + tag.length, sql.slice(start + tag.length, close));
}
