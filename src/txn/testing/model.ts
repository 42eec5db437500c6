/**
 * What transactions should do, in the simplest way: committed rows in a map, each session's changes in a map over it.
 * Random statements are run on it and on the real thing by the property test.
 */
import type {Datum} from '../../../catalog/types/datum.ts';
import type {TableStore} from '../table-store.ts';

export interface ModelRow {
    readonly rowid: number;
    readonly owner: number;
    readonly values: readonly Datum[];
}

/** Row id → row, null for one that is deleted. */
export type Overlay = Map<number, ModelRow | null>;

export class Model {
    readonly store: TableStore;
    readonly committed = new Map<number, ModelRow>();

    constructor(store: TableStore) {
        this.store = store;
    }

    /** What a session sees. */
    view(overlay: Overlay): Map<number, ModelRow> {
        const rows = new Map(this.committed);
        for (const [rowid, row] of overlay) {
            if (row === null) rows.delete(rowid);
            else rows.set(rowid, row);
        }
        return rows;
    }

    /** Names of all keys that the row excludes others from. */
    keysOf(row: ModelRow): string[] {
        const {store} = this;
        const {bytes} = store.keyOfRow(row.values, row.rowid);
        const keys = [`pk/${row.owner}/${bytes.toString('hex')}`];
        for (const index of store.indexes) {
            if (index.excludes(row.values)) keys.push(index.entryKey(row.owner, row.values, bytes).toString('hex'));
        }
        return keys;
    }

    /** The row of the view that has one of the row's keys. */
    conflict(view: ReadonlyMap<number, ModelRow>, row: ModelRow): ModelRow | undefined {
        const keys = new Set(this.keysOf(row));
        for (const other of view.values()) {
            if (other.rowid !== row.rowid && this.keysOf(other).some((key) => keys.has(key))) return other;
        }
        return undefined;
    }

    /** All keys that the overlay takes, gives up or changes the row of. */
    touched(overlay: Overlay): Set<string> {
        const keys = new Set<string>();
        for (const [rowid, row] of overlay) {
            const before = this.committed.get(rowid);
            if (before !== undefined) for (const key of this.keysOf(before)) keys.add(key);
            if (row !== null) for (const key of this.keysOf(row)) keys.add(key);
        }
        return keys;
    }

    commit(overlay: Overlay): void {
        for (const [rowid, row] of overlay) {
            if (row === null) this.committed.delete(rowid);
            else this.committed.set(rowid, row);
        }
    }
}
