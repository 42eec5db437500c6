/**
 * What both parsers of COPY FROM share: the record they hand out, the line end that the data uses, and the errors that
 * name a line.
 */
import {PgError} from '../../../catalog/errors.ts';

/** null = NULL, undefined = the column's default. */
export type CopyField = string | null | undefined;

export interface CopyRecord {
    readonly fields: CopyField[];
    /** The line as it came, for error messages. */
    readonly line: string;
    /** 1-based number of its last line. */
    readonly lineNumber: number;
}

export interface CopyShape {
    /** Names of the columns in the order of the fields. */
    readonly columns: readonly string[];
    readonly table: string;
}

export interface CopyParser {
    /** The records that end within the next chunk. */
    push(chunk: Buffer): Iterable<CopyRecord>;
    /** What is left at the end of the data. */
    finish(): Iterable<CopyRecord>;
    /** Where the parser is: for errors raised within it. */
    readonly lineNumber: number;
}

export type LineEnd = '\n' | '\r' | '\r\n';

/** As MAX_COPY_DATA_DISPLAY in copyfrom.c. */
const SHOWN_BYTES_MAX = 100;

function shown(text: string): string {
    if (text.length * 3 <= SHOWN_BYTES_MAX || Buffer.byteLength(text) <= SHOWN_BYTES_MAX) return text;
    let end = Math.min(text.length, SHOWN_BYTES_MAX);
    while (Buffer.byteLength(text.slice(0, end)) > SHOWN_BYTES_MAX) end--;
    if (/[\ud800-\udbff]$/.test(text.slice(0, end))) end--;
    return `${text.slice(0, end)}...`;
}

/** The context line of errors: `COPY t, line 3, column x: "abc"`. */
export function copyContext(
    table: string,
    lineNumber: number,
    place:
        | {readonly line: string}
        | {readonly column: string; readonly value: CopyField}
        | {readonly binaryColumn: string}
        | undefined,
): string {
    const start = `COPY ${table}, line ${lineNumber}`;
    if (place === undefined) return start;
    if ('binaryColumn' in place) return `${start}, column ${place.binaryColumn}`;
    if ('line' in place) return `${start}: "${shown(place.line)}"`;
    if (typeof place.value !== 'string') return `${start}, column ${place.column}: null input`;
    return `${start}, column ${place.column}: "${shown(place.value)}"`;
}

/** The same error with the place in the data. */
export function atPlace(error: unknown, where: string): unknown {
    if (!(error instanceof PgError) || error.where !== undefined) return error;
    const {severity, detail, hint, position, schema, table, column, dataType, constraint} = error;
    const fields = {severity, detail, hint, position, schema, table, column, dataType, constraint};
    return new PgError(error.code, error.message, {...fields, where, cause: error});
}

export function badFormat(message: string, hint?: string): PgError {
    return new PgError('22P04', message, {hint});
}

/** Checks the number of fields of a record. */
export function checkFieldCount(shape: CopyShape, count: number): void {
    if (count === shape.columns.length) return;
    if (count > shape.columns.length) throw badFormat('extra data after last expected column');
    throw badFormat(`missing data for column "${shape.columns[count] ?? ''}"`);
}

/** HEADER MATCH. */
export function checkHeader(shape: CopyShape, fields: readonly CopyField[], nullText: string): void {
    const wanted = shape.columns;
    if (fields.length !== wanted.length) {
        throw badFormat(`wrong number of fields in header line: got ${fields.length}, expected ${wanted.length}`);
    }
    wanted.forEach((name, index) => {
        const field = fields[index];
        const number = index + 1;
        if (typeof field !== 'string') {
            throw badFormat(
                `column name mismatch in header line field ${number}: got null value ("${nullText}"), expected "${name}"`,
            );
        }
        if (field !== name) {
            throw badFormat(`column name mismatch in header line field ${number}: got "${field}", expected "${name}"`);
        }
    });
}
