/**
 * The errors that reading a value can end in, in PostgreSQL's words. One place, because a dozen types share them.
 */
import {PgError} from '../errors.ts';

/** `typeName` is the SQL name: `integer`, `double precision`. */
export function invalidSyntax(typeName: string, text: string): PgError {
    return new PgError('22P02', `invalid input syntax for type ${typeName}: "${text}"`);
}

/** As the integer types say it. */
export function valueOutOfRange(typeName: string, text: string): PgError {
    return new PgError('22003', `value "${text}" is out of range for type ${typeName}`);
}

/** The result of an operation or cast does not fit: `integer out of range`. */
export function resultOutOfRange(typeName: string): PgError {
    return new PgError('22003', `${typeName} out of range`);
}

export function invalidDatetimeSyntax(typeName: string, text: string): PgError {
    return new PgError('22007', `invalid input syntax for type ${typeName}: "${text}"`);
}

export function datetimeFieldOverflow(text: string): PgError {
    return new PgError('22008', `date/time field value out of range: "${text}"`);
}

/** The client sent a binary value of a length that the type does not have. */
export function wrongBinaryLength(length: number, expected: number): PgError {
    return length < expected
        ? new PgError('08P01', 'insufficient data left in message')
        : new PgError('22P03', 'incorrect binary data format in bind parameter');
}

export function invalidBinary(typeName: string): PgError {
    return new PgError('22P03', `invalid binary representation of type ${typeName}`);
}

export function checkLength(length: number, expected: number): void {
    if (length !== expected) throw wrongBinaryLength(length, expected);
}
