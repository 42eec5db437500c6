/** The shape of a statement of the corpus, and how the short forms expand. */

export interface CorpusStatement {
    readonly sql: string;
    /** For statements that write: a query of what they left, run in the same transaction, which is then rolled back. */
    readonly check: string | undefined;
    /** Sums and averages of floats: their last digits depend on the order of the rows. */
    readonly approximate: boolean;
}

export function reads(statements: readonly string[]): CorpusStatement[] {
    return statements.map((sql) => ({sql: sql.trim(), check: undefined, approximate: false}));
}

export function approximateReads(statements: readonly string[]): CorpusStatement[] {
    return statements.map((sql) => ({sql: sql.trim(), check: undefined, approximate: true}));
}

/** Statements that write, each with the query that shows what it did. */
export function writes(check: string, statements: readonly string[]): CorpusStatement[] {
    return statements.map((sql) => ({sql: sql.trim(), check, approximate: false}));
}
