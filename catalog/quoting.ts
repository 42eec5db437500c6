/**
 * Quoting of names and strings for SQL that is sent to the twin. Source: PostgreSQL documentation, section 4.1.
 *
 * What must stay true: the result is one token whatever the input, also with standard_conforming_strings off.
 */

export function quoteIdentifier(name: string): string {
    return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(text: string): string {
    const doubled = text.replaceAll("'", "''");
    return text.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

export function quoteQualified(schema: string, name: string): string {
    return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}
