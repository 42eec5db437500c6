/**
 * The port of work inside one transaction of the twin. Implemented by `twin.ts`; DDL, the reference path and the
 * catalog path are written against this.
 *
 * What must stay true: a transaction is exclusive and short; after an error only the end of the transaction follows.
 */
import type {PgErrorFields} from '../errors.ts';

export interface TwinField {
    readonly name: string;
    readonly tableOid: number;
    readonly attnum: number;
    readonly typeOid: number;
    /** pg_type.typlen: bytes, -1 = variable. */
    readonly typeLength: number;
    readonly typmod: number;
}

/** A warning or notice of the twin, in the form the wire writes. */
export interface TwinNotice extends Omit<PgErrorFields, 'severity' | 'cause'> {
    readonly severity: string;
    readonly code: string;
    readonly message: string;
}

export interface TwinResult {
    /** null for statements that return no rows. Formats are those asked for. */
    readonly fields: readonly TwinField[] | null;
    /** Bodies of DataRow messages (column count, then length and bytes per column): can be forwarded as they are. */
    readonly rows: readonly Buffer[];
    readonly tag: string;
    readonly notices: readonly TwinNotice[];
}

export interface TwinDescription {
    readonly parameterTypes: number[];
    readonly fields: TwinField[] | null;
}

export interface TwinParameter {
    readonly bytes: Uint8Array;
    /** 0 text, 1 binary. */
    readonly format: 0 | 1;
}

export interface TwinRequest {
    readonly sql: string;
    readonly parameterTypes?: readonly number[];
    readonly parameters?: readonly (TwinParameter | null)[];
    /** As in Bind: none = all text, one = for all columns, else one per column. */
    readonly resultFormats?: readonly number[];
}

export interface TwinTransaction {
    /** The oid by which the session knows an object that its own transaction created; any other oid as it is. */
    sessionOid(oid: number): number;
    describe(sql: string, parameterTypes: readonly number[]): Promise<TwinDescription>;
    execute(request: TwinRequest): Promise<TwinResult>;
    /** Simple protocol: several statements, one result each. */
    simple(sql: string): Promise<TwinResult[]>;
    /**
     * Loads COPY data in text format. `table` and `columns` are quoted identifiers. Returns the number of rows.
     * Constraints of the table are checked as COPY does.
     */
    copyIn(
        table: string,
        columns: readonly string[],
        chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    ): Promise<number>;
}
