/**
 * What a failed DuckDB statement means. DuckDB may evaluate what PostgreSQL would not (a filter's terms in another
 * order), so an error of its runtime does not say that PostgreSQL fails too: such a statement is run again on the
 * reference path, and `likely` is what to answer when that path cannot take it.
 */
import {PgError} from '../../../catalog/errors.ts';

/** Not an error of the user: PostgreSQL's answer is not known here. */
export class RetryOnReferencePath extends Error {
    override readonly name = 'RetryOnReferencePath';
    /** The error PostgreSQL would most likely raise, when DuckDB's says so. */
    readonly likely: PgError | undefined;

    constructor(reason: string, likely?: PgError, cause?: unknown) {
        super(reason, cause === undefined ? undefined : {cause});
        this.likely = likely;
    }
}

export function canceled(): PgError {
    return new PgError('57014', 'canceling statement due to user request');
}

const INTEGER_NAMES: Readonly<Record<string, string>> = {INT16: 'smallint', INT32: 'integer', INT64: 'bigint'};

/** Turns anything DuckDB throws into a PgError that is certain, or into a retry. */
export function failureOf(error: unknown, wasCanceled: boolean): Error {
    if (error instanceof PgError || error instanceof RetryOnReferencePath) return error;
    const text = error instanceof Error ? error.message : String(error);
    if (text.startsWith('INTERRUPT') || text.includes('Interrupted')) return canceled();
    if (wasCanceled) return canceled();
    if (text.startsWith('Out of Memory')) {
        return new PgError('53200', 'out of memory', {
            detail: 'The query needs more memory than the vectorised engine may use.',
            cause: error,
        });
    }
    return new RetryOnReferencePath(`DuckDB: ${text}`, likelyError(text), error);
}

function likelyError(text: string): PgError | undefined {
    if (text.includes('TW_RETRY')) return undefined;
    if (text.startsWith('Out of Range Error')) {
        const integer = /of (INT16|INT32|INT64)\b/.exec(text)?.[1];
        const name = integer === undefined ? 'value' : INTEGER_NAMES[integer];
        return new PgError('22003', `${name} out of range`);
    }
    if (text.startsWith('Conversion Error')) {
        const integer = /destination type (INT16|INT32|INT64)\b/.exec(text)?.[1];
        if (integer !== undefined) return new PgError('22003', `${INTEGER_NAMES[integer]} out of range`);
    }
    if (text.includes('More than one row returned by a subquery')) {
        return new PgError('21000', 'more than one row returned by a subquery used as an expression');
    }
    return undefined;
}
