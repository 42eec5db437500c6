/**
 * Names inside strings, as nextval('s'), regclass and search_path take them: `a.b`, `"A".b`, `"$user", public`.
 * Source: SplitIdentifierString in PostgreSQL's varlena.c.
 */
import {PgError} from '../../catalog/errors.ts';

/** PostgreSQL cuts identifiers at this size. */
const NAME_BYTES_MAX = 63;
const BLANK = /[ \t\n\r\f\v]/;

/** The parts of a possibly qualified name: unquoted parts in lower case. Throws 42602 for what is no name. */
export function parseQualifiedName(text: string): string[] {
    const parts = splitIdentifiers(text, '.');
    if (parts === undefined || parts.length === 0) throw new PgError('42602', 'invalid name syntax');
    return parts;
}

/** The schemas in a search_path setting, `$user` replaced. Throws 22023 for what is no list of names. */
export function parseSearchPath(text: string, user: string): string[] {
    const names = splitIdentifiers(text, ',');
    if (names === undefined) {
        throw new PgError('22023', `invalid value for parameter "search_path": "${text}"`, {
            detail: 'List syntax is invalid.',
        });
    }
    return names.map((name) => (name === '$user' ? user : name));
}

/** undefined when the text is no list of identifiers; an empty text is the empty list. */
function splitIdentifiers(text: string, separator: string): string[] | undefined {
    const names: string[] = [];
    let at = skipBlanks(text, 0);
    if (at === text.length) return names;
    for (;;) {
        const start = at;
        let name = '';
        if (text[at] === '"') {
            at++;
            for (;;) {
                const end = text.indexOf('"', at);
                if (end < 0) return undefined;
                name += text.slice(at, end);
                at = end + 1;
                if (text[at] !== '"') break;
                name += '"';
                at++;
            }
        } else {
            while (at < text.length && text[at] !== separator && !BLANK.test(text[at] ?? '')) at++;
            if (at === start) return undefined;
            name = lowerAscii(text.slice(start, at));
        }
        names.push(cut(name));
        at = skipBlanks(text, at);
        if (at === text.length) return names;
        if (text[at] !== separator) return undefined;
        at = skipBlanks(text, at + 1);
    }
}

function skipBlanks(text: string, start: number): number {
    let at = start;
    while (at < text.length && BLANK.test(text[at] ?? '')) at++;
    return at;
}

/** In UTF-8 only ASCII letters are folded. */
function lowerAscii(text: string): string {
    return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function cut(name: string): string {
    if (name.length * 3 <= NAME_BYTES_MAX || Buffer.byteLength(name) <= NAME_BYTES_MAX) return name;
    let bytes = 0;
    let kept = '';
    for (const character of name) {
        bytes += Buffer.byteLength(character);
        if (bytes > NAME_BYTES_MAX) break;
        kept += character;
    }
    return kept;
}
