/**
 * Cuts a string of statements apart at its top-level semicolons, so that Tidewire's own statements can stand among
 * PostgreSQL's in one simple query.
 *
 * What must stay true: a semicolon inside quotes, comments, parentheses (CREATE RULE … DO (a; b)) or the body of a
 * SQL-standard function (BEGIN ATOMIC … END) ends nothing. The rules are those of psql's own splitter (psqlscan.l).
 * A text without a closing quote is one statement up to the end: the grammar says what is wrong with it.
 */
import {nextToken} from './scanner.ts';

export interface StatementText {
    readonly text: string;
    /** Where `text` begins in the whole string, in UTF-16 code units. */
    readonly offset: number;
}

/** Empty statements are left out; comments before and after a statement are not part of it. */
export function splitStatements(sql: string): StatementText[] {
    const statements: StatementText[] = [];
    let start = -1;
    let end = -1;
    let parentheses = 0;
    let block = new FunctionBody();
    const push = (): void => {
        if (start >= 0) statements.push({text: sql.slice(start, end), offset: start});
        start = -1;
        parentheses = 0;
        block = new FunctionBody();
    };
    let at = 0;
    for (;;) {
        const token = nextToken(sql, at);
        if (token.kind === 'end') break;
        at = token.end;
        if (token.kind === 'symbol') {
            if (token.text === ';' && parentheses === 0 && block.depth === 0) {
                push();
                continue;
            }
            if (token.text === '(') parentheses++;
            else if (token.text === ')' && parentheses > 0) parentheses--;
        } else if (token.kind === 'word' && parentheses === 0) {
            block.word(token.text);
        }
        if (start < 0) start = token.start;
        end = token.end;
    }
    push();
    return statements;
}

/** Follows BEGIN … END (and CASE … END within) of CREATE [OR REPLACE] FUNCTION | PROCEDURE. */
class FunctionBody {
    depth = 0;
    #words = 0;
    #head = '';

    word(word: string): void {
        if (this.#words < 4) this.#head += `${word} `;
        this.#words++;
        if (!/^create (?:or replace )?(?:function|procedure) /.test(this.#head)) return;
        if (word === 'begin') this.depth++;
        else if (word === 'case' && this.depth > 0) this.depth++;
        else if (word === 'end' && this.depth > 0) this.depth--;
    }
}
