/**
 * LIKE and ILIKE: PostgreSQL's MatchText (like_match.c) on UTF-16, with the common shapes of pattern taken apart once.
 *
 * What must stay true: `_` is one character, a surrogate pair included; a trailing escape character is an error only
 * when matching reaches it, as in PostgreSQL.
 */
import {PgError} from '../../../catalog/errors.ts';
import {lowerCase} from './letter-case.ts';

export type Matcher = (text: string) => boolean;

/** `escape` undefined = backslash, '' = none. */
export function compileLike(pattern: string, escape: string | undefined, caseInsensitive: boolean): Matcher {
    const canonical = escape === undefined ? pattern : withBackslash(pattern, escape);
    const wanted = caseInsensitive ? lowerCase(canonical) : canonical;
    const matches = simpleMatcher(wanted) ?? ((text: string) => matchText(text, 0, wanted, 0) === true);
    return caseInsensitive ? (text) => matches(lowerCase(text)) : matches;
}

/** like_escape: the pattern rewritten for a backslash. */
function withBackslash(pattern: string, escape: string): string {
    const [character, ...others] = escape;
    if (character === undefined) return pattern.replaceAll('\\', '\\\\');
    if (others.length > 0) {
        throw new PgError('22025', 'invalid escape string', {hint: 'Escape string must be empty or one character.'});
    }
    if (character === '\\') return pattern;
    let result = '';
    let afterEscape = false;
    for (const each of pattern) {
        if (each === character && !afterEscape) {
            result += '\\';
            afterEscape = true;
        } else if (each === '\\') {
            // A doubled escape has been taken as one above; a plain backslash is made literal.
            result += afterEscape ? '\\' : '\\\\';
            afterEscape = false;
        } else {
            result += each;
            afterEscape = false;
        }
    }
    return result;
}

/** Exact text, prefix, suffix and infix; undefined when it takes more. */
function simpleMatcher(pattern: string): Matcher | undefined {
    if (/[_\\]/.test(pattern)) return undefined;
    const parts = pattern.split('%');
    const [first = '', second = '', third = ''] = parts;
    if (parts.length === 1) return (text) => text === first;
    if (parts.length === 2) {
        if (second === '') return (text) => text.startsWith(first);
        if (first === '') return (text) => text.endsWith(second);
        const shortest = first.length + second.length;
        return (text) => text.length >= shortest && text.startsWith(first) && text.endsWith(second);
    }
    if (parts.length === 3 && first === '' && third === '') return (text) => text.includes(second);
    return undefined;
}

/** true, false, or 'abort': the text has ended, so no later start of a % can match either. */
function matchText(text: string, at: number, pattern: string, from: number): boolean | 'abort' {
    let t = at;
    let p = from;
    while (t < text.length && p < pattern.length) {
        const code = pattern.charCodeAt(p);
        if (code === 92) {
            p++;
            if (p >= pattern.length) throw trailingEscape();
            if (pattern.charCodeAt(p) !== text.charCodeAt(t)) return false;
        } else if (code === 37) {
            return matchAfterPercent(text, t, pattern, p + 1);
        } else if (code === 95) {
            t += characterLength(text, t);
            p++;
            continue;
        } else if (code !== text.charCodeAt(t)) {
            return false;
        }
        t++;
        p++;
    }
    if (t < text.length) return false;
    while (p < pattern.length && pattern.charCodeAt(p) === 37) p++;
    return p >= pattern.length ? true : 'abort';
}

function matchAfterPercent(text: string, at: number, pattern: string, from: number): boolean | 'abort' {
    let t = at;
    let p = from;
    for (; p < pattern.length; p++) {
        const code = pattern.charCodeAt(p);
        if (code === 37) continue;
        if (code !== 95) break;
        if (t >= text.length) return 'abort';
        t += characterLength(text, t);
    }
    if (p >= pattern.length) return true;
    let first = pattern.charCodeAt(p);
    if (first === 92) {
        if (p + 1 >= pattern.length) throw trailingEscape();
        first = pattern.charCodeAt(p + 1);
    }
    for (; t < text.length; t += characterLength(text, t)) {
        if (text.charCodeAt(t) !== first) continue;
        const matched = matchText(text, t, pattern, p);
        if (matched !== false) return matched;
    }
    return 'abort';
}

function trailingEscape(): PgError {
    return new PgError('22025', 'LIKE pattern must not end with escape character');
}

function characterLength(text: string, at: number): number {
    const code = text.charCodeAt(at);
    return code >= 0xd800 && code < 0xdc00 ? 2 : 1;
}
