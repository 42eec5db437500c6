/**
 * Old names of catalog columns, mapped to those of the twin's PostgreSQL. psql before 17 asks `\l` and `\dO` for columns
 * that PostgreSQL 17 renamed.
 *
 * What must stay true: only whole names outside of strings are changed, and only in statements of the catalog path; a
 * text without an old name costs one search.
 */

const RENAMED: Readonly<Record<string, string>> = {
    daticulocale: 'datlocale',
    colliculocale: 'colllocale',
};

const MAYBE = /iculocale/iu;
/** Strings, quoted names and comments are skipped whole; then a plain name. */
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[^]*?\*\/|\b(?:dat|coll)iculocale\b/giu;

export function withPresentNames(sql: string): string {
    if (!MAYBE.test(sql)) return sql;
    return sql.replaceAll(TOKEN, (token) => RENAMED[token.toLowerCase()] ?? token);
}
