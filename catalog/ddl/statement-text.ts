/**
 * The text of one statement, to be edited in place: what the twin must not see is blanked out, so that positions in
 * its errors still point into the text that the client sent.
 *
 * What must stay true: offsets are bytes of UTF-8, as in parse trees; ranges never overlap.
 */
import {scanSync} from 'libpg-query';

export interface Token {
    readonly start: number;
    readonly end: number;
    readonly text: string;
}

interface Edit {
    readonly start: number;
    readonly end: number;
    readonly replacement: string;
}

export class StatementText {
    readonly sql: string;
    readonly #bytes: Buffer;
    readonly #edits: Edit[] = [];
    #tokens: readonly Token[] | undefined;

    constructor(sql: string) {
        this.sql = sql;
        this.#bytes = Buffer.from(sql);
    }

    /** All tokens but comments. */
    get tokens(): readonly Token[] {
        this.#tokens ??= scanSync(this.sql).tokens.filter((token) => !token.tokenName.endsWith('COMMENT'));
        return this.#tokens;
    }

    /** Index of the token that starts at `location`, or of the first after it. */
    tokenAt(location: number): number {
        const index = this.tokens.findIndex((token) => token.start >= location);
        return index < 0 ? this.tokens.length : index;
    }

    tokenText(index: number): string {
        return this.tokens[index]?.text.toLowerCase() ?? '';
    }

    slice(start: number, end: number): string {
        return this.#bytes.toString('utf8', start, end);
    }

    /** Puts `replacement`, padded with spaces to the same length, in place of the bytes. */
    replace(start: number, end: number, replacement = ''): void {
        this.#edits.push({start, end, replacement});
    }

    blankTokens(first: number, last: number, replacement = ''): void {
        const start = this.tokens[first]?.start;
        const end = this.tokens[last]?.end;
        if (start !== undefined && end !== undefined) this.replace(start, end, replacement);
    }

    /** Index of the token that closes the parenthesis at `open`. */
    closing(open: number): number {
        let depth = 0;
        for (let index = open; index < this.tokens.length; index++) {
            const text = this.tokenText(index);
            if (text === '(' || text === '[') depth++;
            else if (text === ')' || text === ']') {
                depth--;
                if (depth === 0) return index;
            }
        }
        return this.tokens.length - 1;
    }

    /** Index of the last token of the list item that begins at `first`: before the next comma or closing parenthesis. */
    endOfItem(first: number): number {
        let depth = 0;
        for (let index = first; index < this.tokens.length; index++) {
            const text = this.tokenText(index);
            if (text === '(' || text === '[') depth++;
            else if (text === ')' || text === ']') {
                if (depth === 0) return index - 1;
                depth--;
            } else if (text === ',' && depth === 0) return index - 1;
            else if (text === ';') return index - 1;
        }
        return this.tokens.length - 1;
    }

    edited(): string {
        const parts: string[] = [];
        let offset = 0;
        for (const edit of this.#edits.toSorted((a, b) => a.start - b.start)) {
            parts.push(this.slice(offset, edit.start));
            // Characters, not bytes: positions in errors count characters.
            const width = characterCount(this.slice(edit.start, edit.end));
            parts.push(edit.replacement.padEnd(width));
            offset = edit.end;
        }
        parts.push(this.slice(offset, this.#bytes.length));
        return parts.join('');
    }

    /** 1-based, in characters, of a byte offset. */
    position(location: number): number {
        return characterCount(this.slice(0, location)) + 1;
    }
}

/** Code points, as PostgreSQL counts characters. */
function characterCount(text: string): number {
    let count = 0;
    for (const _ of text) count++;
    return count;
}
