/**
 * What the rest of the database knows of a table: read back from the twin's pg_catalog after each DDL and kept in the
 * hot store. Immutable: a change of the table makes a new descriptor with a higher `version`.
 *
 * What must stay true: `tableId` names the stored rows: it is never reused, and changes only when all rows are replaced
 * at once (TRUNCATE, a rewrite); `attnum` is the stable identity of a column and the
 * field number of its values in stored rows; oids belong to the present twin and may change when it is rebuilt.
 */
import type {Datum} from './types/datum.ts';

export type TableKind = 'shared' | 'user' | 'stream';

/** A reference to a type, as pg_attribute has it. */
export interface TypeRef {
    readonly oid: number;
    /** -1 where the type has no modifier. */
    readonly typmod: number;
}

export interface ColumnDescriptor {
    /** pg_attribute.attnum: 1-based, stable, never reused. */
    readonly attnum: number;
    readonly name: string;
    readonly type: TypeRef;
    readonly notNull: boolean;
    /** SQL text of the default (pg_get_expr), or undefined. Identity columns have `identity` and no default. */
    readonly defaultSql: string | undefined;
    /** 'a' = GENERATED ALWAYS AS IDENTITY, 'd' = BY DEFAULT. */
    readonly identity: 'a' | 'd' | undefined;
    /** Schema-qualified sequence behind a serial or identity column. */
    readonly sequence: string | undefined;
    /** Value of rows written before the column was added (pg_attribute.attmissingval). */
    readonly missing: Datum;
}

export interface IndexDescriptor {
    /** Our own stable id. */
    readonly indexId: number;
    readonly oid: number;
    readonly name: string;
    readonly unique: boolean;
    readonly primary: boolean;
    readonly nullsNotDistinct: boolean;
    /** attnums of the key columns in order; 0 for an expression. */
    readonly columns: readonly number[];
    /** true for DESC, per key column. */
    readonly descending: readonly boolean[];
    /** Name of the constraint when the index stands behind one. */
    readonly constraint: string | undefined;
    /** True when the point path may use it: plain columns, no predicate, btree. */
    readonly plain: boolean;
    /** pg_get_indexdef. */
    readonly definition: string;
    /** SQL of a partial index's predicate, or undefined. */
    readonly predicateSql: string | undefined;
    /** SQL of each expression key, by position; undefined for plain columns. */
    readonly expressionsSql: readonly (string | undefined)[];
}

export interface CheckDescriptor {
    readonly name: string;
    /** SQL text of the condition (pg_get_expr of conbin). */
    readonly sql: string;
}

export interface TableOptions {
    readonly kind: TableKind;
    readonly storage: string;
    /** Milliseconds; undefined = rows do not expire. */
    readonly ttlMs: number | undefined;
    readonly flushPolicy: {readonly rows?: number; readonly bytes?: number; readonly intervalMs?: number} | undefined;
    readonly compression: 'zstd' | 'snappy' | 'gzip' | 'none';
}

export interface TableDescriptor {
    readonly tableId: number;
    /** Grows with every change of this table. */
    readonly version: number;
    /** pg_class.oid in the present twin. */
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    /** Live columns in attnum order. */
    readonly columns: readonly ColumnDescriptor[];
    /** The primary key's index, or undefined: then rows are keyed by their hidden row id. */
    readonly primaryKey: IndexDescriptor | undefined;
    /** All indexes, the primary key included. */
    readonly indexes: readonly IndexDescriptor[];
    readonly checks: readonly CheckDescriptor[];
    readonly options: TableOptions;
    /** Rows last written before this expired under an earlier, shorter time to live, and never come back. */
    readonly expiredNs?: bigint;
}

/** Rows with an older `_updated` have expired; undefined = none do. */
export function expiryCutoffNs({options, expiredNs}: TableDescriptor): bigint | undefined {
    const {ttlMs} = options;
    if (ttlMs === undefined) return expiredNs;
    const cutoffNs = BigInt(Date.now() - ttlMs) * 1_000_000n;
    return expiredNs !== undefined && expiredNs > cutoffNs ? expiredNs : cutoffNs;
}

/** System columns of every table, with attnums outside of those of PostgreSQL. Hidden from `SELECT *`. */
export const SYSTEM_COLUMNS = {
    _seq: {attnum: -101, typeOid: 20},
    _updated: {attnum: -102, typeOid: 1184},
} as const;

/** Internal columns, never visible to SQL of users. */
export const ROWID_ATTNUM = -103;
export const OWNER_ATTNUM = -104;
/** Number of the segment a row was read from; 0 for hot rows. */
export const SEGMENT_ATTNUM = -105;
/** `_updated` as the nanoseconds that are stored. */
export const UPDATED_NS_ATTNUM = -106;
