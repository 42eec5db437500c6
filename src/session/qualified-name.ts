/** Names inside strings, as nextval('s'), regclass and search_path take them: `a.b`, `"A".b`. */
import {PgError} from '../../catalog/errors.ts';

/** The parts of a possibly qualified name: unquoted parts in lower case. Throws 42602 for what is no name. */
export function parseQualifiedName(text: string): string[] {
    const parts: string[] = [];
    let at = 0;
    const invalid = (): PgError => new PgError('42602', 'invalid name syntax');
    for (;;) {
        while (text[at] === ' ') at++;
        if (text[at] === '"') {
            let name = '';
            at++;
            for (;;) {
                const end = text.indexOf('"', at);
                if (end < 0) throw invalid();
                name += text.slice(at, end);
                at = end + 1;
                if (text[at] !== '"') break;
                name += '"';
                at++;
            }
            if (name === '') throw invalid();
            parts.push(name);
        } else {
            const match = /^[\p{L}_\u0080-\uffff][\p{L}\p{N}_$\u0080-\uffff]*/u.exec(text.slice(at));
            if (match === null) throw invalid();
            parts.push(match[0].toLowerCase());
            at += match[0].length;
        }
        while (text[at] === ' ') at++;
        if (at === text.length) return parts;
        if (text[at] !== '.') throw invalid();
        at++;
    }
}

/** The schemas in a search_path setting. */
export function parseSearchPath(text: string, user: string): string[] {
    const names: string[] = [];
    const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,"]*))\s*(?:,|$)/gy;
    let match = pattern.exec(text);
    while (match !== null && match[0] !== '') {
        const name = match[1] === undefined ? (match[2] ?? '').trim().toLowerCase() : match[1].replaceAll('""', '"');
        if (name !== '') names.push(name === '$user' ? user : name);
        match = pattern.exec(text);
    }
    return names;
}
