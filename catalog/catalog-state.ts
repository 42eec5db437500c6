/**
 * The maps behind a catalog: each kind of object by id, by oid and by schema and name.
 *
 * What must stay true: the three maps of an index hold the same objects; within a change, removals come before
 * additions, so that two objects may swap names.
 */
import type {
    CatalogChange,
    Difference,
    SchemaDescriptor,
    SequenceDescriptor,
    TypeDescriptor,
    ViewDescriptor,
} from './catalog-change.ts';
import type {TableDescriptor} from './descriptor.ts';
import type {RoleDescriptor} from './roles.ts';
import type {StorageDescriptor} from './storages.ts';
import type {DynamicType} from './types/registry.ts';

interface Identity<T> {
    readonly id: (object: T) => number | string;
    readonly oid: (object: T) => number;
    readonly schema: (object: T) => string;
    readonly name: (object: T) => string;
}

export class ObjectIndex<T> {
    readonly #identity: Identity<T>;
    readonly #byId: Map<number | string, T>;
    readonly #byOid: Map<number, T>;
    /** Schema, then name. */
    readonly #byName: Map<string, Map<string, T>>;

    constructor(identity: Identity<T>, objects: Iterable<T> = []) {
        this.#identity = identity;
        this.#byId = new Map();
        this.#byOid = new Map();
        this.#byName = new Map();
        for (const object of objects) this.add(object);
    }

    byId(id: number | string): T | undefined {
        return this.#byId.get(id);
    }

    byOid(oid: number): T | undefined {
        return this.#byOid.get(oid);
    }

    /** Without a schema: the first on the search path. */
    find(schema: string | undefined, name: string, searchPath: readonly string[]): T | undefined {
        if (schema !== undefined) return this.#byName.get(schema)?.get(name);
        for (const candidate of searchPath) {
            const object = this.#byName.get(candidate)?.get(name);
            if (object !== undefined) return object;
        }
        return undefined;
    }

    values(): Iterable<T> {
        return this.#byId.values();
    }

    copy(): ObjectIndex<T> {
        return new ObjectIndex(this.#identity, this.#byId.values());
    }

    apply(differences: readonly Difference<T>[]): void {
        for (const {before} of differences) if (before !== undefined) this.remove(before);
        for (const {after} of differences) if (after !== undefined) this.add(after);
    }

    add(object: T): void {
        const {id, oid, schema, name} = this.#identity;
        this.#byId.set(id(object), object);
        if (oid(object) !== 0) this.#byOid.set(oid(object), object);
        const names = this.#byName.get(schema(object)) ?? new Map<string, T>();
        names.set(name(object), object);
        this.#byName.set(schema(object), names);
    }

    /** By id: what is held may be another version than what is given. */
    remove(object: T): void {
        const {id, oid, schema, name} = this.#identity;
        const held = this.#byId.get(id(object));
        if (held === undefined) return;
        this.#byId.delete(id(held));
        if (this.#byOid.get(oid(held)) === held) this.#byOid.delete(oid(held));
        const names = this.#byName.get(schema(held));
        if (names?.get(name(held)) !== held) return;
        names.delete(name(held));
        if (names.size === 0) this.#byName.delete(schema(held));
    }
}

interface Qualified {
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
}

function qualified<T extends Qualified>(id: (object: T) => number | string): Identity<T> {
    return {id, oid: (object) => object.oid, schema: (object) => object.schema, name: (object) => object.name};
}

export class CatalogState {
    tables = new ObjectIndex<TableDescriptor>(qualified((table) => table.tableId));
    views = new ObjectIndex<ViewDescriptor>(qualified((view) => view.oid));
    sequences = new ObjectIndex<SequenceDescriptor>(qualified((sequence) => sequence.sequenceId));
    types = new ObjectIndex<TypeDescriptor>(qualified((type) => type.oid));
    schemas = new ObjectIndex<SchemaDescriptor>({
        id: (schema) => schema.oid,
        oid: (schema) => schema.oid,
        schema: () => '',
        name: (schema) => schema.name,
    });
    roles = new ObjectIndex<RoleDescriptor>({
        id: (role) => role.roleId,
        oid: (role) => role.oid,
        schema: () => '',
        name: (role) => role.name,
    });
    storages = new ObjectIndex<StorageDescriptor>({
        id: (storage) => storage.name,
        oid: () => 0,
        schema: () => '',
        name: (storage) => storage.name,
    });

    copy(): CatalogState {
        const copy = new CatalogState();
        copy.tables = this.tables.copy();
        copy.views = this.views.copy();
        copy.sequences = this.sequences.copy();
        copy.types = this.types.copy();
        copy.schemas = this.schemas.copy();
        copy.roles = this.roles.copy();
        copy.storages = this.storages.copy();
        return copy;
    }

    apply(change: CatalogChange): void {
        this.tables.apply(change.tables);
        this.views.apply(change.views);
        this.sequences.apply(change.sequences);
        this.types.apply(change.types);
        this.schemas.apply(change.schemas);
        this.roles.apply(change.roles);
        this.storages.apply(change.storages);
    }

    /** For `TypeRegistry.setDynamic`. */
    dynamicTypes(): DynamicType[] {
        const dynamic: DynamicType[] = [];
        for (const {kind, oid, arrayOid, schema, name, labels, sortOrders, base, notNull} of this.types.values()) {
            if (kind === 'enum') dynamic.push({kind, oid, arrayOid, schema, name, labels, sortOrders});
            else if (base !== undefined) dynamic.push({kind, oid, arrayOid, schema, name, base, notNull});
        }
        return dynamic;
    }
}
