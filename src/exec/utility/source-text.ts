/**
 * Pieces of a statement's own text: the query within PREPARE, DECLARE, EXPLAIN, COPY, and the arguments of EXECUTE. The
 * grammar says where nodes begin, not where they end, so the pieces are found by PostgreSQL's lexical rules.
 *
 * What must stay true: only statements that the grammar accepted come here, so what is looked for is there.
 */
import {strict as assert} from 'node:assert';
import {nextToken, type Token} from '../../sql/own-statements/scanner.ts';

export interface TextPiece {
    readonly text: string;
    /** Where it begins, in the statement's text. */
    readonly offset: number;
}

/** Tokens of the text with their parenthesis depth (that of the parenthesis itself is the outer one). */
function* tokensOf(sql: string, from = 0): Iterable<{token: Token; depth: number}> {
    let depth = 0;
    for (let token = nextToken(sql, from); token.kind !== 'end'; token = nextToken(sql, token.end)) {
        if (token.kind === 'symbol' && token.text === ')') depth--;
        yield {token, depth};
        if (token.kind === 'symbol' && token.text === '(') depth++;
    }
}

/** What follows the first of these words outside of parentheses. */
export function textAfterWord(sql: string, word: string): TextPiece {
    for (const {token, depth} of tokensOf(sql)) {
        if (depth === 0 && token.kind === 'word' && token.text === word) return pieceFrom(sql, token.end);
    }
    return assert.fail(`no ${word} in the statement`);
}

/** What follows the last of these words outside of parentheses. */
export function textAfterLastWord(sql: string, word: string): TextPiece {
    let end: number | undefined;
    for (const {token, depth} of tokensOf(sql)) {
        if (depth === 0 && token.kind === 'word' && token.text === word) end = token.end;
    }
    assert(end !== undefined, `no ${word} in the statement`);
    return pieceFrom(sql, end);
}

/** What stands within the first pair of parentheses. */
export function textInParentheses(sql: string): TextPiece {
    let start: number | undefined;
    for (const {token, depth} of tokensOf(sql)) {
        if (depth !== 0 || token.kind !== 'symbol') continue;
        if (token.text === '(' && start === undefined) start = token.end;
        else if (token.text === ')' && start !== undefined) {
            const piece = pieceFrom(sql, start);
            return {text: sql.slice(piece.offset, token.start).trimEnd(), offset: piece.offset};
        }
    }
    return assert.fail('no parentheses in the statement');
}

/** The statement that EXPLAIN is asked about. */
export function textAfterExplain(sql: string): TextPiece {
    let at = nextToken(sql, 0).end;
    const next = nextToken(sql, at);
    // `EXPLAIN (SELECT 1)` has a query in parentheses, `EXPLAIN (ANALYZE) …` has options.
    if (next.kind === 'symbol' && next.text === '(' && !startsQuery(nextToken(sql, next.end))) {
        for (const {token, depth} of tokensOf(sql, next.start)) {
            if (depth === 0 && token.kind === 'symbol' && token.text === ')') return pieceFrom(sql, token.end);
        }
    }
    for (let token = next; token.kind === 'word'; token = nextToken(sql, at)) {
        if (!['analyze', 'analyse', 'verbose'].includes(token.text)) break;
        at = token.end;
    }
    return pieceFrom(sql, at);
}

function startsQuery(token: Token): boolean {
    return (
        (token.kind === 'word' && ['select', 'with', 'values', 'table'].includes(token.text)) ||
        (token.kind === 'symbol' && token.text === '(')
    );
}

function pieceFrom(sql: string, from: number): TextPiece {
    const offset = nextToken(sql, from).start;
    return {text: sql.slice(offset).trimEnd(), offset};
}
