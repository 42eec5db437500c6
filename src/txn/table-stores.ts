/**
 * The stores of all tables: one for each committed table, and one for each version of a table that an open transaction
 * has made by DDL and not committed yet.
 *
 * What must stay true: a descriptor leads to one store for as long as it counts. What is committed is shared by all
 * sessions; what is tentative belongs to the transaction that holds the table's exclusive lock. A descriptor that
 * counts no more leads to a retired store, in which nothing can be written.
 */
import assert from 'node:assert/strict';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import type {TypeRegistry} from '../../catalog/types/registry.ts';
import type {TableStore} from './table-store.ts';

export interface TableStoresOptions {
    /** `types` undefined = the committed ones. */
    readonly make: (table: TableDescriptor, types?: TypeRegistry) => TableStore;
    /** The committed descriptor. */
    readonly committed: (tableId: number) => TableDescriptor | undefined;
}

export class TableStores {
    readonly #make: TableStoresOptions['make'];
    readonly #committed: (tableId: number) => TableDescriptor | undefined;
    readonly #shared = new Map<number, TableStore>();
    readonly #tentative = new Map<TableDescriptor, TableStore>();
    readonly #tentativeTypes = new Map<TableDescriptor, TypeRegistry>();
    /** Tentative descriptors that were rolled back: their version numbers may come again. */
    readonly #discarded = new WeakSet<TableDescriptor>();

    constructor(options: TableStoresOptions) {
        this.#make = options.make;
        this.#committed = options.committed;
    }

    get(table: TableDescriptor): TableStore {
        const shared = this.#shared.get(table.tableId);
        return shared !== undefined && shared.table === table ? shared : this.#find(table, shared);
    }

    #find(table: TableDescriptor, shared: TableStore | undefined): TableStore {
        const tentative = this.#tentative.get(table);
        if (tentative !== undefined) return tentative;
        const committed = this.#committed(table.tableId);
        if (committed?.version === table.version && !this.#discarded.has(table)) {
            if (shared !== undefined) return shared;
            const store = this.#make(committed);
            this.#shared.set(table.tableId, store);
            return store;
        }
        const outdated = this.#make(table);
        outdated.retired = true;
        return outdated;
    }

    /** The store of what is committed, if anybody has asked for it. */
    shared(tableId: number): TableStore | undefined {
        return this.#shared.get(tableId);
    }

    tentative(table: TableDescriptor): TableStore | undefined {
        return this.#tentative.get(table);
    }

    /** A type that an open transaction has made, for the tables that it has made with it. */
    tentativeType(oid: number): PgType | undefined {
        for (const types of this.#tentativeTypes.values()) {
            const type = types.get(oid);
            if (type !== undefined) return type;
        }
        return undefined;
    }

    /** DDL of an open transaction has made this version; `types` are those the transaction sees. */
    addTentative(table: TableDescriptor, types: TypeRegistry): TableStore {
        assert(!this.#tentative.has(table), 'a version is made once');
        const store = this.#make(table, types);
        this.#tentative.set(table, store);
        this.#tentativeTypes.set(table, types);
        return store;
    }

    /** The DDL was rolled back. */
    discard(table: TableDescriptor): void {
        const store = this.#tentative.get(table);
        this.#tentative.delete(table);
        this.#tentativeTypes.delete(table);
        this.#discarded.add(table);
        if (store !== undefined) retire(store);
    }

    /** Of several versions made by one transaction this one is committed, as `final`: the others go. */
    publish(table: TableDescriptor, final: TableDescriptor): void {
        const store = this.#tentative.get(table);
        assert(store !== undefined, 'a tentative version is published');
        this.#tentative.delete(table);
        this.#tentativeTypes.delete(table);
        const before = this.#shared.get(final.tableId);
        if (before !== undefined) retire(before);
        assert(store.table === final, 'the store has its final descriptor');
        this.#shared.set(final.tableId, store);
    }

    /** The committed table has new names or oids. */
    rename(final: TableDescriptor): void {
        this.#shared.get(final.tableId)?.become(final);
    }

    /** The table is gone. */
    forget(tableId: number): void {
        const store = this.#shared.get(tableId);
        this.#shared.delete(tableId);
        if (store !== undefined) retire(store);
    }
}

function retire(store: TableStore): void {
    store.retired = true;
    store.clear();
}
