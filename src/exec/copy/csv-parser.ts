/**
 * COPY FROM in CSV format. Source: PostgreSQL documentation, COPY, "CSV Format"; CopyReadLineText and
 * CopyReadAttributesCSV in copyfromparse.c.
 *
 * What must stay true: a record ends at a line end outside of quotes; quotes may open and close anywhere in a field; a
 * quoted field is never NULL or DEFAULT unless FORCE_NULL says so. A line without a quote is cut by `split`.
 */
import {CopyInput} from './copy-input.ts';
import {chosenColumns, type CopyOptions} from './copy-options.ts';
import {
    atPlace,
    badFormat,
    checkFieldCount,
    checkHeader,
    copyContext,
    type CopyField,
    type CopyParser,
    type CopyRecord,
    type CopyShape,
    type LineEnd,
} from './copy-records.ts';
import {PgError} from '../../../catalog/errors.ts';

/** Characters of one record, line ends within quotes included. */
const RECORD_CHARACTERS_MAX = 256 * 1024 * 1024;

export class CsvParser implements CopyParser {
    readonly #shape: CopyShape;
    readonly #options: CopyOptions;
    readonly #forceNotNull: readonly boolean[] | undefined;
    readonly #forceNull: readonly boolean[] | undefined;
    readonly #input = new CopyInput();
    #lineEnd: LineEnd | undefined;
    /** Text after the last line end. */
    #partial = '';
    /** A record whose quote is still open. */
    #open: string | undefined;
    #headerDone: boolean;
    #anyRecord = false;
    /** Number of the line `\.` that may have been the last. */
    #marker: number | undefined;
    /** Of the record at hand: its first line. */
    #startLine = 0;
    lineNumber = 0;

    /** `table`: with all its columns, copied or not. */
    constructor(options: CopyOptions, shape: CopyShape, table: Parameters<typeof chosenColumns>[2]) {
        this.#shape = shape;
        this.#options = options;
        const flags = (choice: CopyOptions['forceNull'], name: string): boolean[] | undefined =>
            choice.length === 0 ? undefined : chosenColumns(choice, shape.columns, table, name);
        this.#forceNotNull = flags(options.forceNotNull, 'FORCE_NOT_NULL');
        this.#forceNull = flags(options.forceNull, 'FORCE_NULL');
        this.#headerDone = options.header === 'none';
    }

    *push(chunk: Buffer): Iterable<CopyRecord> {
        const text = this.#read(() => this.#input.push(chunk));
        if (text !== '') yield* this.#lines(text, false);
    }

    *finish(): Iterable<CopyRecord> {
        const text = this.#read(() => this.#input.finish());
        if (text !== '' || this.#partial !== '') yield* this.#lines(text, true);
        if (this.#open === undefined) return;
        const where = copyContext(this.#shape.table, this.lineNumber, {line: this.#open});
        throw atPlace(badFormat('unterminated CSV quoted field'), where);
    }

    #read(read: () => string): string {
        try {
            return read();
        } catch (error) {
            throw atPlace(error, copyContext(this.#shape.table, this.lineNumber + 1, undefined));
        }
    }

    *#lines(text: string, last: boolean): Iterable<CopyRecord> {
        const {quote, escape} = this.#options;
        const all = this.#partial + text;
        this.#lineEnd ??= csvLineEndOf(all, quote, escape);
        if (this.#lineEnd === undefined && !last) {
            this.#partial = all;
            if (all.length > RECORD_CHARACTERS_MAX) throw recordTooLong();
            return;
        }
        const lineEnd = (this.#lineEnd ??= '\n');
        const lines = all.split(lineEnd);
        this.#partial = last ? '' : (lines.pop() ?? '');
        const lastEnded = last && lines.at(-1) === '';
        if (lastEnded) lines.pop();
        for (let i = 0; i < lines.length; i++) {
            const line = lines[i] as string;
            const quoted = line.includes(quote);
            const wasOpen = this.#open !== undefined;
            const isOpen = quoted || wasOpen ? opensQuote(line, wasOpen, quote, escape) : false;
            const record = this.#open === undefined ? line : this.#open + lineEnd + line;
            if (!wasOpen) this.#startLine = this.lineNumber + 1;
            this.lineNumber = this.#startLine;
            if (LINE_BREAK.test(line)) this.#checkOutsideQuotes(line, wasOpen, lineEnd);
            if (!isOpen && wasOpen) this.lineNumber += this.#linesWithin(record, lineEnd);
            if (isOpen) {
                if (record.length > RECORD_CHARACTERS_MAX) throw recordTooLong();
                this.#open = record;
                if (last && i === lines.length - 1) {
                    if (lastEnded) this.#open += lineEnd;
                    this.lineNumber = this.#startLine + this.#linesWithin(this.#open, lineEnd);
                }
                continue;
            }
            this.#open = undefined;
            this.#anyRecord = true;
            // It was not the end: a value like any other.
            if (this.#marker !== undefined) {
                const held = this.#record('\\.', false, this.#marker);
                this.#marker = undefined;
                if (held !== undefined) yield held;
            }
            // Clients before PostgreSQL 18 send the end marker also with CSV; only the last line can be one.
            if (record === '\\.') {
                this.#marker = this.lineNumber;
                continue;
            }
            const read = this.#record(record, quoted || wasOpen, this.lineNumber);
            if (read !== undefined) yield read;
        }
    }

    /** PostgreSQL counts line ends within quotes, and takes them for carriage returns until a line has ended. */
    #linesWithin(record: string, lineEnd: LineEnd): number {
        const counted = this.#anyRecord && lineEnd === '\n' ? '\n' : '\r';
        let count = 0;
        for (let at = record.indexOf(counted); at >= 0; at = record.indexOf(counted, at + 1)) count++;
        return count;
    }

    #record(line: string, quoted: boolean, lineNumber: number): CopyRecord | undefined {
        try {
            const fields = quoted ? this.#quotedFields(line) : this.#plainFields(line);
            if (!this.#headerDone) {
                this.#headerDone = true;
                if (this.#options.header === 'match') checkHeader(this.#shape, fields, this.#options.null);
                return undefined;
            }
            if (fields.length !== this.#shape.columns.length) checkFieldCount(this.#shape, fields.length);
            return {fields, line, lineNumber};
        } catch (error) {
            throw atPlace(error, copyContext(this.#shape.table, lineNumber, {line}));
        }
    }

    #plainFields(line: string): CopyField[] {
        if (line === '' && this.#shape.columns.length === 0) return [];
        const fields: CopyField[] = line.split(this.#options.delimiter);
        for (let i = 0; i < fields.length; i++) fields[i] = this.#valueOf(fields[i] as string, false, i);
        return fields;
    }

    #quotedFields(line: string): CopyField[] {
        const {delimiter, quote, escape} = this.#options;
        const fields: CopyField[] = [];
        let value = '';
        let sawQuote = false;
        let open = false;
        let start = 0;
        for (let at = 0; at < line.length; at++) {
            const char = line[at] as string;
            if (open) {
                const next = line[at + 1];
                if (char === escape && (next === escape || next === quote)) {
                    value += line.slice(start, at) + next;
                    at++;
                    start = at + 1;
                } else if (char === quote) {
                    value += line.slice(start, at);
                    open = false;
                    start = at + 1;
                }
            } else if (char === quote) {
                value += line.slice(start, at);
                sawQuote = true;
                open = true;
                start = at + 1;
            } else if (char === delimiter) {
                fields.push(this.#valueOf(value + line.slice(start, at), sawQuote, fields.length));
                value = '';
                sawQuote = false;
                start = at + 1;
            }
        }
        fields.push(this.#valueOf(value + line.slice(start), sawQuote, fields.length));
        return fields;
    }

    #valueOf(text: string, quoted: boolean, column: number): CopyField {
        const {null: nullText, default: defaultText} = this.#options;
        if (text === nullText) {
            if (quoted) return this.#forceNull?.[column] === true ? null : text;
            return this.#forceNotNull?.[column] === true ? text : null;
        }
        if (!quoted && defaultText !== undefined && text === defaultText) return undefined;
        return text;
    }

    /** A line break within quotes is data; one outside that is not the data's own line end is a mistake. */
    #checkOutsideQuotes(line: string, wasOpen: boolean, lineEnd: LineEnd): void {
        const {quote, escape} = this.#options;
        let open = wasOpen;
        for (let at = 0; at < line.length; at++) {
            const char = line[at];
            if (open && char === escape && (line[at + 1] === escape || line[at + 1] === quote)) at++;
            else if (char === quote) open = !open;
            else if (!open && (char === '\r' || char === '\n')) {
                const before = this.#open === undefined ? line.slice(0, at) : this.#open + lineEnd + line.slice(0, at);
                const number = this.#startLine + this.#linesWithin(before, lineEnd);
                throw atPlace(unquoted(char), copyContext(this.#shape.table, number, undefined));
            }
        }
    }
}

const LINE_BREAK = /[\r\n]/;

function unquoted(text: string): Error {
    const what = text.includes('\r') ? 'carriage return' : 'newline';
    return badFormat(`unquoted ${what} found in data`, `Use quoted CSV field to represent ${what}.`);
}

function recordTooLong(): PgError {
    return new PgError('54000', 'a line of COPY data is too long', {
        detail: `A record may have at most ${RECORD_CHARACTERS_MAX} characters.`,
    });
}

/** Whether a quote is open at the end of the line. */
function opensQuote(line: string, wasOpen: boolean, quote: string, escape: string): boolean {
    let open = wasOpen;
    if (escape === quote) {
        // A doubled quote closes and opens again: only the number of quotes counts.
        for (let at = line.indexOf(quote); at >= 0; at = line.indexOf(quote, at + 1)) open = !open;
        return open;
    }
    for (let at = 0; at < line.length; at++) {
        const char = line[at];
        if (open && char === escape && (line[at + 1] === escape || line[at + 1] === quote)) at++;
        else if (char === quote) open = !open;
    }
    return open;
}

/** The first line end outside of quotes; undefined when there is none yet. */
function csvLineEndOf(text: string, quote: string, escape: string): LineEnd | undefined {
    let open = false;
    for (let at = 0; at < text.length; at++) {
        const char = text[at];
        if (open && char === escape && (text[at + 1] === escape || text[at + 1] === quote)) at++;
        else if (char === quote) open = !open;
        else if (!open && char === '\n') return '\n';
        else if (!open && char === '\r') return text[at + 1] === '\n' ? '\r\n' : '\r';
    }
    return undefined;
}
