/**
 * The catalog in memory: what exists, found synchronously by id or by name. Committed state changes by `apply`, one
 * committed change at a time; a transaction with uncommitted DDL looks through an overlay with the same interface.
 *
 * What must stay true: truth is outside (commit log and hot store): this is what `restore` and `apply` were given.
 * `version` grows with every change. Descriptors are immutable.
 */
import type {
    CatalogChange,
    SchemaDescriptor,
    SequenceDescriptor,
    TypeDescriptor,
    ViewDescriptor,
} from './catalog-change.ts';
import {CatalogState} from './catalog-state.ts';
import type {TableDescriptor} from './descriptor.ts';
import {type CatalogRecord, decodeRecords, recordsOfState} from './records.ts';
import type {RoleDescriptor} from './roles.ts';
import type {StorageDescriptor} from './storages.ts';
import {TypeRegistry} from './types/registry.ts';

export interface CatalogView {
    /** Grows with each change: plans made for an older version are stale. */
    readonly version: number;
    /** Types as this view sees them, with the enums and domains of the open transaction. */
    readonly types: TypeRegistry;
    table(schema: string | undefined, name: string, searchPath: readonly string[]): TableDescriptor | undefined;
    tableById(tableId: number): TableDescriptor | undefined;
    tableByOid(oid: number): TableDescriptor | undefined;
    view(schema: string | undefined, name: string, searchPath: readonly string[]): ViewDescriptor | undefined;
    sequence(schema: string | undefined, name: string, searchPath: readonly string[]): SequenceDescriptor | undefined;
    sequenceById(sequenceId: number): SequenceDescriptor | undefined;
    sequenceByOid(oid: number): SequenceDescriptor | undefined;
    type(schema: string | undefined, name: string, searchPath: readonly string[]): TypeDescriptor | undefined;
    schema(name: string): SchemaDescriptor | undefined;
    role(name: string): RoleDescriptor | undefined;
    roleById(roleId: number): RoleDescriptor | undefined;
    roleByOid(oid: number): RoleDescriptor | undefined;
    storage(name: string): StorageDescriptor | undefined;
    tables(): Iterable<TableDescriptor>;
    views(): Iterable<ViewDescriptor>;
    sequences(): Iterable<SequenceDescriptor>;
    userTypes(): Iterable<TypeDescriptor>;
    schemas(): Iterable<SchemaDescriptor>;
    roles(): Iterable<RoleDescriptor>;
    storages(): Iterable<StorageDescriptor>;
    /** The same, with uncommitted changes of one transaction on top. */
    overlay(changes: readonly CatalogChange[]): CatalogView;
}

/** One entry of the DDL log, as `CatalogChange.ddl` with its place. */
export interface LoggedDdl {
    readonly seq: number;
    readonly sql: string;
    readonly user: string;
    readonly settings: ReadonlyMap<string, string>;
}

/** Committed versions count from 1 and never get here. */
const OVERLAY_VERSIONS_FROM = 2 ** 50;
let overlays = 0;

export class Catalog implements CatalogView {
    #state = new CatalogState();
    #types = new TypeRegistry();
    #version = 1;
    #ddlLog: LoggedDdl[] = [];

    get version(): number {
        return this.#version;
    }

    get types(): TypeRegistry {
        return this.#types;
    }

    /** The DDL log, oldest first. The twin says which part of it it has. */
    get ddlLog(): readonly LoggedDdl[] {
        return this.#ddlLog;
    }

    /** Sequence number of the last logged DDL; 0 when there is none. */
    get ddlSeq(): number {
        return this.#ddlLog.at(-1)?.seq ?? 0;
    }

    table(schema: string | undefined, name: string, searchPath: readonly string[]): TableDescriptor | undefined {
        return this.#state.tables.find(schema, name, searchPath);
    }

    tableById(tableId: number): TableDescriptor | undefined {
        return this.#state.tables.byId(tableId);
    }

    tableByOid(oid: number): TableDescriptor | undefined {
        return this.#state.tables.byOid(oid);
    }

    view(schema: string | undefined, name: string, searchPath: readonly string[]): ViewDescriptor | undefined {
        return this.#state.views.find(schema, name, searchPath);
    }

    sequence(schema: string | undefined, name: string, searchPath: readonly string[]): SequenceDescriptor | undefined {
        return this.#state.sequences.find(schema, name, searchPath);
    }

    sequenceById(sequenceId: number): SequenceDescriptor | undefined {
        return this.#state.sequences.byId(sequenceId);
    }

    sequenceByOid(oid: number): SequenceDescriptor | undefined {
        return this.#state.sequences.byOid(oid);
    }

    type(schema: string | undefined, name: string, searchPath: readonly string[]): TypeDescriptor | undefined {
        return this.#state.types.find(schema, name, searchPath);
    }

    schema(name: string): SchemaDescriptor | undefined {
        return this.#state.schemas.find('', name, []);
    }

    role(name: string): RoleDescriptor | undefined {
        return this.#state.roles.find('', name, []);
    }

    roleById(roleId: number): RoleDescriptor | undefined {
        return this.#state.roles.byId(roleId);
    }

    roleByOid(oid: number): RoleDescriptor | undefined {
        return this.#state.roles.byOid(oid);
    }

    storage(name: string): StorageDescriptor | undefined {
        return this.#state.storages.find('', name, []);
    }

    tables(): Iterable<TableDescriptor> {
        return this.#state.tables.values();
    }

    views(): Iterable<ViewDescriptor> {
        return this.#state.views.values();
    }

    sequences(): Iterable<SequenceDescriptor> {
        return this.#state.sequences.values();
    }

    userTypes(): Iterable<TypeDescriptor> {
        return this.#state.types.values();
    }

    schemas(): Iterable<SchemaDescriptor> {
        return this.#state.schemas.values();
    }

    roles(): Iterable<RoleDescriptor> {
        return this.#state.roles.values();
    }

    storages(): Iterable<StorageDescriptor> {
        return this.#state.storages.values();
    }

    overlay(changes: readonly CatalogChange[]): CatalogView {
        if (changes.length === 0) return this;
        const copy = new Catalog();
        copy.#state = this.#state.copy();
        copy.#types = this.#types;
        copy.#ddlLog = this.#ddlLog.slice();
        for (const change of changes) copy.#applyState(change, change.types.length > 0);
        // Plans of the transaction must never count as made for a committed state, or for another overlay.
        copy.#version = OVERLAY_VERSIONS_FROM + ++overlays;
        return copy;
    }

    /** A change was committed. Returns the new version. */
    apply(change: CatalogChange): number {
        this.#applyState(change, false);
        if (change.types.length > 0) this.#types.setDynamic(this.#state.dynamicTypes());
        for (const entry of change.ddl) this.#ddlLog.push({seq: this.ddlSeq + 1, ...entry});
        return this.#version;
    }

    /** All there is, as records: the content of a new, empty hot store. */
    serialise(): CatalogRecord[] {
        return recordsOfState(this.#state, this.#ddlLog);
    }

    /** From the records of the hot store, in any order. The catalog must be new. */
    restore(records: Iterable<CatalogRecord>): void {
        const {change, ddlLog} = decodeRecords(records);
        this.#applyState(change, false);
        this.#types.setDynamic(this.#state.dynamicTypes());
        this.#ddlLog = [...ddlLog].sort((a, b) => a.seq - b.seq);
    }

    #applyState(change: CatalogChange, ownTypes: boolean): void {
        this.#state.apply(change);
        this.#version++;
        if (!ownTypes) return;
        this.#types = new TypeRegistry();
        this.#types.setDynamic(this.#state.dynamicTypes());
    }
}
