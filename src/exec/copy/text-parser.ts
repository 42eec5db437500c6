/**
 * COPY FROM in text format. Source: PostgreSQL documentation, COPY, "Text Format"; CopyReadLineText and
 * CopyReadAttributesText in copyfromparse.c.
 *
 * What must stay true: a line without a backslash, which is most of them, is cut by the engine's own `split`. A
 * backslash takes the next character with it whatever it is, a line end or a delimiter too.
 */
import type {CopyOptions} from './copy-options.ts';
import {CopyInput, decodeUtf8} from './copy-input.ts';
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

const BACKSLASH = 92;

export class TextParser implements CopyParser {
    readonly #shape: CopyShape;
    readonly #delimiter: string;
    readonly #null: string;
    readonly #default: string | undefined;
    readonly #header: CopyOptions['header'];
    readonly #input = new CopyInput();
    #lineEnd: LineEnd | undefined;
    /** Text after the last line end. */
    #partial = '';
    /** Lines that ended in a backslash: their line ends are data. */
    #continued = '';
    #ended = false;
    lineNumber = 0;

    constructor(options: CopyOptions, shape: CopyShape) {
        this.#shape = shape;
        this.#delimiter = options.delimiter;
        this.#null = options.null;
        this.#default = options.default;
        this.#header = options.header;
    }

    *push(chunk: Buffer): Iterable<CopyRecord> {
        if (this.#ended) return;
        const text = this.#read(() => this.#input.push(chunk));
        if (text !== '') yield* this.#lines(text, false);
    }

    *finish(): Iterable<CopyRecord> {
        if (this.#ended) return;
        const text = this.#read(() => this.#input.finish());
        if (text !== '' || this.#partial !== '' || this.#continued !== '') yield* this.#lines(text, true);
    }

    #read(read: () => string): string {
        try {
            return read();
        } catch (error) {
            throw atPlace(error, copyContext(this.#shape.table, this.lineNumber + 1, undefined));
        }
    }

    *#lines(text: string, last: boolean): Iterable<CopyRecord> {
        const all = this.#partial + text;
        this.#lineEnd ??= lineEndOf(all);
        if (this.#lineEnd === undefined && !last) {
            this.#partial = all;
            return;
        }
        const lineEnd = (this.#lineEnd ??= '\n');
        const lines = all.split(lineEnd);
        this.#partial = last ? '' : (lines.pop() ?? '');
        if (last && lines.at(-1) === '' && this.#continued === '') lines.pop();
        for (let i = 0; i < lines.length; i++) {
            let line = lines[i] as string;
            if (this.#continued !== '') {
                line = this.#continued + line;
                this.#continued = '';
            }
            const escaped = line.includes('\\');
            if (escaped && endsInEscape(line) && !(last && i === lines.length - 1)) {
                // Such a line end is not counted.
                this.#continued = line + lineEnd;
                continue;
            }
            this.lineNumber++;
            const record = this.#record(line, escaped);
            if (record === 'end') {
                this.#ended = true;
                return;
            }
            if (record !== undefined) yield record;
        }
    }

    #record(line: string, escaped: boolean): CopyRecord | 'end' | undefined {
        const {lineNumber} = this;
        this.#checkLine(line, escaped);
        if (escaped && line === '\\.') return 'end';
        try {
            const fields = escaped ? this.#escapedFields(line) : this.#plainFields(line);
            if (lineNumber === 1 && this.#header !== 'none') {
                if (this.#header === 'match') checkHeader(this.#shape, fields, this.#null);
                return undefined;
            }
            if (fields.length !== this.#shape.columns.length) checkFieldCount(this.#shape, fields.length);
            return {fields, line, lineNumber};
        } catch (error) {
            throw atPlace(error, copyContext(this.#shape.table, lineNumber, {line}));
        }
    }

    /** What PostgreSQL finds while it reads the line, and so without the line's text in the context. */
    #checkLine(line: string, escaped: boolean): void {
        try {
            if (LINE_BREAK.test(line)) checkLineBreaks(escaped ? line.replaceAll(/\\[\s\S]/g, '') : line);
            if (escaped && line !== '\\.' && endMarkerWithin(line)) {
                throw badFormat('end-of-copy marker is not alone on its line');
            }
        } catch (error) {
            throw atPlace(error, copyContext(this.#shape.table, this.lineNumber, undefined));
        }
    }

    #plainFields(line: string): CopyField[] {
        // A table without columns has no fields in an empty line.
        if (line === '' && this.#shape.columns.length === 0) return [];
        const fields: CopyField[] = line.split(this.#delimiter);
        // The usual markers hold a backslash and cannot be here.
        if (!this.#null.includes('\\')) replaceAll(fields, this.#null, null);
        if (this.#default !== undefined) replaceAll(fields, this.#default, undefined);
        return fields;
    }

    #escapedFields(line: string): CopyField[] {
        const fields: CopyField[] = [];
        let start = 0;
        let escapes = false;
        const delimiter = this.#delimiter.charCodeAt(0);
        for (let at = 0; at <= line.length; at++) {
            const code = at === line.length ? delimiter : line.charCodeAt(at);
            if (code === BACKSLASH) {
                escapes = true;
                at++;
                // A backslash at the very end stands for itself; the field still has to be closed.
                if (at === line.length) at--;
                continue;
            }
            if (code !== delimiter) continue;
            const raw = line.slice(start, at);
            // Markers are compared before escapes are undone.
            if (raw === this.#null) fields.push(null);
            else if (this.#default !== undefined && raw === this.#default) fields.push(undefined);
            else fields.push(escapes ? unescape(raw) : raw);
            start = at + 1;
            escapes = false;
        }
        return fields;
    }
}

function replaceAll(fields: CopyField[], marker: string, value: null | undefined): void {
    for (let i = 0; i < fields.length; i++) if (fields[i] === marker) fields[i] = value;
}

/** The line end of the first line is that of all; undefined when no line has ended yet. */
function lineEndOf(text: string): LineEnd | undefined {
    for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code === BACKSLASH) at++;
        else if (code === 10) return '\n';
        else if (code === 13) return text.charCodeAt(at + 1) === 10 ? '\r\n' : '\r';
    }
    return undefined;
}

const LINE_BREAK = /[\r\n]/;

/** A line break that is not the data's own line end must be escaped. */
function checkLineBreaks(line: string): void {
    const found = LINE_BREAK.exec(line);
    if (found === null) return;
    const what = found[0] === '\r' ? 'carriage return' : 'newline';
    throw badFormat(
        `literal ${what} found in data`,
        `Use "${found[0] === '\r' ? '\\r' : '\\n'}" to represent ${what}.`,
    );
}

/** True when an odd number of backslashes stands at the end. */
function endsInEscape(line: string): boolean {
    let at = line.length;
    while (at > 0 && line.charCodeAt(at - 1) === BACKSLASH) at--;
    return (line.length - at) % 2 === 1;
}

/** `\.` anywhere but alone. */
function endMarkerWithin(line: string): boolean {
    if (!line.includes('\\.')) return false;
    for (let at = line.indexOf('\\'); at >= 0 && at < line.length; at = line.indexOf('\\', at + 2)) {
        if (line[at + 1] === '.') return true;
    }
    return false;
}

const ESCAPES: Readonly<Record<string, string>> = {b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v'};

/** Undoes the escapes of one field: \b \f \n \r \t \v, \ooo, \xhh, and \c for any other c. */
export function unescape(raw: string): string {
    // Octal and hexadecimal escapes name bytes, which together must be UTF-8.
    if (/\\(?:[0-7]|x[0-9a-fA-F])/.test(raw)) return unescapeBytes(raw);
    // A backslash with nothing behind it is dropped.
    return raw.replace(/\\([\s\S]|$)/g, (_, char: string) => ESCAPES[char] ?? char);
}

function unescapeBytes(raw: string): string {
    const parts: Buffer[] = [];
    const pattern = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|([\s\S]))|([^\\]+)|\\$/g;
    for (const [, octal, hex, char, plain] of raw.matchAll(pattern)) {
        if (octal !== undefined) parts.push(Buffer.from([Number.parseInt(octal, 8) & 0xff]));
        else if (hex !== undefined) parts.push(Buffer.from([Number.parseInt(hex, 16)]));
        else if (char !== undefined) parts.push(Buffer.from(ESCAPES[char] ?? char));
        else if (plain !== undefined) parts.push(Buffer.from(plain));
    }
    return decodeUtf8(Buffer.concat(parts));
}
