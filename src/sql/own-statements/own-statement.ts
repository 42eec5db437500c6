/**
 * What Tidewire's own statements say, after recognition: one variant per statement. These are the statements that
 * PostgreSQL's grammar cannot parse, or (LISTEN "SELECT …") would cut at 63 bytes.
 *
 * What must stay true: a statement of PostgreSQL is never one of these, and what is accepted here is complete: every
 * word of the statement is in the variant, nothing is dropped.
 */

/** A query's text as it stands in the source. */
export interface QueryText {
    readonly text: string;
    /** Where `text` begins in the statement, so that positions of errors in it can be moved; may be negative. */
    readonly offset: number;
}

/** As written; absent options have their defaults decided by the live queries. */
export interface SubscribeOptions {
    readonly snapshot?: boolean;
    readonly fromSeq?: number;
    readonly lastRows?: number;
    readonly batchSize?: number;
}

export interface Subscribe {
    readonly query: QueryText;
    readonly options: SubscribeOptions;
}

export type CopyFormat = 'text' | 'csv' | 'json';

/** A table's name as written, quoting undone. */
export interface QualifiedName {
    readonly schema: string | undefined;
    readonly name: string;
}

export type OwnStatement =
    /** LISTEN "SELECT …": `channel` is the quoted text, whole, and is what notifications carry as their channel. */
    | {readonly kind: 'listen'; readonly channel: string}
    | {readonly kind: 'unlisten'; readonly channel: string}
    | {readonly kind: 'subscribe'; readonly subscribe: Subscribe}
    | {readonly kind: 'copy subscribe'; readonly subscribe: Subscribe; readonly format: CopyFormat}
    | {readonly kind: 'explain subscribe'; readonly subscribe: Subscribe}
    | {readonly kind: 'kill live query'; readonly id: string}
    | {readonly kind: 'kill job'; readonly id: string}
    | {readonly kind: 'storage flush' | 'storage compact'; readonly table: QualifiedName}
    /** `schema` undefined = all schemas. */
    | {readonly kind: 'storage flush all' | 'storage compact all'; readonly schema: string | undefined}
    | {
          readonly kind: 'create storage';
          readonly name: string;
          readonly ifNotExists: boolean;
          readonly type: string;
          /** Names in lower case. */
          readonly options: ReadonlyMap<string, string>;
      }
    | {
          readonly kind: 'alter storage';
          readonly name: string;
          readonly set: ReadonlyMap<string, string>;
          readonly reset: readonly string[];
          readonly renameTo: string | undefined;
      }
    | {readonly kind: 'drop storage'; readonly names: readonly string[]; readonly ifExists: boolean};
