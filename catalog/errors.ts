/**
 * Every expected error of the database: a SQLSTATE, PostgreSQL's own message text, and the fields that clients read.
 * Source: PostgreSQL documentation, appendix A (error codes) and section 55.8 (error and notice message fields).
 *
 * A bug is an `assert`; whatever a user or the world can cause is a `PgError`. The wire encodes any thrown value that
 * has these fields, so it needs not to know this class.
 */

export interface PgErrorFields {
    readonly severity?: 'ERROR' | 'FATAL' | 'PANIC';
    readonly detail?: string | undefined;
    readonly hint?: string | undefined;
    /** 1-based, in characters of the statement text. */
    readonly position?: number | undefined;
    readonly schema?: string | undefined;
    readonly table?: string | undefined;
    readonly column?: string | undefined;
    readonly dataType?: string | undefined;
    readonly constraint?: string | undefined;
    readonly where?: string | undefined;
    readonly cause?: unknown;
}

export class PgError extends Error {
    override readonly name = 'PgError';
    readonly severity: 'ERROR' | 'FATAL' | 'PANIC';
    /** Five-character SQLSTATE. */
    readonly code: string;
    readonly detail: string | undefined;
    readonly hint: string | undefined;
    readonly position: number | undefined;
    readonly schema: string | undefined;
    readonly table: string | undefined;
    readonly column: string | undefined;
    readonly dataType: string | undefined;
    readonly constraint: string | undefined;
    readonly where: string | undefined;

    constructor(code: string, message: string, fields: PgErrorFields = {}) {
        super(message, fields.cause === undefined ? undefined : {cause: fields.cause});
        this.code = code;
        this.severity = fields.severity ?? 'ERROR';
        this.detail = fields.detail;
        this.hint = fields.hint;
        this.position = fields.position;
        this.schema = fields.schema;
        this.table = fields.table;
        this.column = fields.column;
        this.dataType = fields.dataType;
        this.constraint = fields.constraint;
        this.where = fields.where;
    }
}

/** The constructs Tidewire does not have yet are refused, never accepted and ignored. */
export function notSupported(what: string, hint?: string): PgError {
    return new PgError('0A000', `${what} is not supported`, {hint});
}
