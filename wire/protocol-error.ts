/**
 * The errors that the wire itself raises, with PostgreSQL's SQLSTATE and text, and the reading of any thrown value as
 * the fields of an ErrorResponse.
 *
 * What must stay true: a value counts as an expected error only when it has a severity, a five-character code and a
 * message. Node's own errors have five-character codes too (EPIPE, EPERM), but no severity: they are internal errors.
 */

import type {ErrorFields} from './handler.ts';

export class ProtocolError extends Error implements ErrorFields {
    override readonly name = 'ProtocolError';
    readonly severity: 'ERROR' | 'FATAL';
    readonly code: string;
    readonly detail: string | undefined;

    constructor(severity: 'ERROR' | 'FATAL', code: string, message: string, detail?: string) {
        super(message);
        this.severity = severity;
        this.code = code;
        this.detail = detail;
    }
}

/** The client broke the protocol: 08P01, and the connection ends. */
export function protocolViolation(message: string, detail?: string): ProtocolError {
    return new ProtocolError('FATAL', '08P01', message, detail);
}

export function connectionLost(): ProtocolError {
    return new ProtocolError('FATAL', '08006', 'connection to client lost');
}

const INTERNAL_ERROR = 'XX000';
const SEVERITIES: ReadonlySet<unknown> = new Set(['ERROR', 'FATAL', 'PANIC']);
const SQLSTATE = /^[0-9A-Z]{5}$/;

function isExpectedError(error: unknown): error is ErrorFields {
    if (typeof error !== 'object' || error === null) {
        return false;
    }
    const fields = error as Partial<Record<keyof ErrorFields, unknown>>;
    return (
        SEVERITIES.has(fields.severity) &&
        typeof fields.code === 'string' &&
        SQLSTATE.test(fields.code) &&
        typeof fields.message === 'string'
    );
}

/** The fields to send for any thrown value. A value that is not an expected error becomes XX000 with its message. */
export function errorFields(error: unknown): ErrorFields {
    if (isExpectedError(error)) {
        return error;
    }
    return {
        severity: 'ERROR',
        code: INTERNAL_ERROR,
        message: error instanceof Error ? error.message : String(error),
    };
}

/** During start-up every error is fatal, as in PostgreSQL. The fields are named one by one: an Error's message is not enumerable. */
export function asFatal(fields: ErrorFields): ErrorFields {
    return {
        severity: 'FATAL',
        code: fields.code,
        message: fields.message,
        detail: fields.detail,
        hint: fields.hint,
        where: fields.where,
    };
}

/** True when the value is not an expected error: a bug that the operator should hear of. */
export function isInternal(error: unknown): boolean {
    return !isExpectedError(error) || error.code === INTERNAL_ERROR;
}

export function isFatal(fields: ErrorFields): boolean {
    return fields.severity === 'FATAL' || fields.severity === 'PANIC';
}
