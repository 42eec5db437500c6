/**
 * Lines of COPY TO. Source: PostgreSQL documentation, COPY, "File Formats"; CopyAttributeOutText and
 * CopyAttributeOutCSV in copyto.c.
 *
 * What must stay true: what is written is read back the same by COPY FROM with the same options.
 */
import type {CopyOptions} from './copy-options.ts';

export interface CopyPrinter {
    /** One line with its line end; null = NULL. */
    line(values: readonly (string | null)[]): string;
    header(names: readonly string[]): string;
}

const ESCAPES: Readonly<Record<string, string>> = {
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\\': '\\\\',
};

export class TextPrinter implements CopyPrinter {
    readonly #delimiter: string;
    readonly #null: string;
    readonly #special: RegExp;
    readonly #specials: RegExp;

    constructor(options: CopyOptions) {
        this.#delimiter = options.delimiter;
        this.#null = options.null;
        const delimiter = options.delimiter.replace(/[\]^\\-]/, '\\$&');
        this.#special = new RegExp(`[\\b\\f\\n\\r\\t\\v\\\\${delimiter}]`);
        this.#specials = new RegExp(this.#special, 'g');
    }

    line(values: readonly (string | null)[]): string {
        let line = '';
        for (let i = 0; i < values.length; i++) {
            const value = values[i] ?? null;
            if (i > 0) line += this.#delimiter;
            line += value === null ? this.#null : this.#escape(value);
        }
        return `${line}\n`;
    }

    header(names: readonly string[]): string {
        return this.line(names);
    }

    #escape(value: string): string {
        if (!this.#special.test(value)) return value;
        return value.replace(this.#specials, (char) => ESCAPES[char] ?? `\\${char}`);
    }
}

export class CsvPrinter implements CopyPrinter {
    readonly #delimiter: string;
    readonly #null: string;
    readonly #quote: string;
    readonly #forceQuote: readonly boolean[];
    readonly #needsQuote: RegExp;
    readonly #escaped: RegExp;
    readonly #escape: string;

    /** `forceQuote`: one per column. */
    constructor(options: CopyOptions, forceQuote: readonly boolean[]) {
        this.#delimiter = options.delimiter;
        this.#null = options.null;
        this.#quote = options.quote;
        this.#escape = options.escape;
        this.#forceQuote = forceQuote;
        this.#needsQuote = new RegExp(`[\\n\\r${classOf(options.delimiter)}${classOf(options.quote)}]`);
        this.#escaped = new RegExp(`[${classOf(options.quote)}${classOf(options.escape)}]`, 'g');
    }

    line(values: readonly (string | null)[]): string {
        let line = '';
        for (let i = 0; i < values.length; i++) {
            const value = values[i] ?? null;
            if (i > 0) line += this.#delimiter;
            if (value === null) line += this.#null;
            else line += this.#field(value, this.#forceQuote[i] === true, values.length === 1);
        }
        return `${line}\n`;
    }

    header(names: readonly string[]): string {
        return `${names.map((name) => this.#field(name, false, names.length === 1)).join(this.#delimiter)}\n`;
    }

    #field(value: string, forced: boolean, single: boolean): string {
        // A lone \. would be taken for the end of the data.
        const quoted = forced || value === this.#null || this.#needsQuote.test(value) || (single && value === '\\.');
        if (!quoted) return value;
        return this.#quote + value.replace(this.#escaped, (char) => this.#escape + char) + this.#quote;
    }
}

/** A character within the brackets of a regular expression. */
function classOf(char: string): string {
    return /[\]^\\-]/.test(char) ? `\\${char}` : char;
}
