/**
 * The entries that a secondary index has for a row. A unique entry's key is the indexed values; any other entry's key
 * ends with the row's key, so that equal values stand side by side. The value of every entry is the row's key.
 *
 * What must stay true: entries are a function of the row's values alone, so the entry of an old version can always be
 * computed again to remove it.
 */
import type {IndexDescriptor, TableDescriptor} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {encodeKey} from '../../catalog/types/key.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import {indexKey} from '../../storage/hot/keys.ts';

export class IndexWriter {
    readonly index: IndexDescriptor;
    readonly positions: readonly number[];
    readonly types: readonly PgType[];
    readonly #nullsDistinct: boolean;

    constructor(index: IndexDescriptor, table: TableDescriptor, columnTypes: readonly PgType[]) {
        this.index = index;
        this.positions = index.columns.map((attnum) => table.columns.findIndex((column) => column.attnum === attnum));
        this.types = this.positions.map((position) => columnTypes[position]).filter((type) => type !== undefined);
        this.#nullsDistinct = !index.nullsNotDistinct;
    }

    /** False for indexes on expressions or with a predicate: they exist in the catalog but have no entries. */
    get maintained(): boolean {
        return this.index.plain;
    }

    /** True when the row's entry excludes all other rows with the same values. */
    excludes(values: readonly Datum[]): boolean {
        if (!this.index.unique) return false;
        if (!this.#nullsDistinct) return true;
        return this.positions.every((position) => values[position] !== null);
    }

    keyValues(values: readonly Datum[]): Datum[] {
        return this.positions.map((position) => values[position] ?? null);
    }

    /** The LevelDB key of the row's entry. */
    entryKey(owner: number, values: readonly Datum[], rowKeyBytes: Buffer): Buffer {
        const encoded = encodeKey(this.types, this.keyValues(values), this.index.descending);
        const full = this.excludes(values) ? encoded : Buffer.concat([encoded, rowKeyBytes]);
        return indexKey(this.index.indexId, owner, full);
    }

    /** The LevelDB key of the one entry that unique key values (none NULL) can have. */
    keyEntry(owner: number, values: readonly Datum[]): Buffer {
        return indexKey(this.index.indexId, owner, encodeKey(this.types, values, this.index.descending));
    }

    /** The LevelDB key prefix of all entries with these leading values. */
    prefix(owner: number, leading: readonly Datum[]): Buffer {
        const types = this.types.slice(0, leading.length);
        return indexKey(
            this.index.indexId,
            owner,
            encodeKey(types, leading, this.index.descending.slice(0, leading.length)),
        );
    }

    sameKey(before: readonly Datum[], after: readonly Datum[]): boolean {
        for (let i = 0; i < this.positions.length; i++) {
            const position = this.positions[i] ?? 0;
            const a = before[position] ?? null;
            const b = after[position] ?? null;
            if (a === b) continue;
            if (a === null || b === null) return false;
            if (this.types[i]?.compare(a, b) !== 0) return false;
        }
        return true;
    }
}
