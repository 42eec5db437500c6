/**
 * Every type the database knows: the built-in ones, made once, and those the user declared (enums, domains), which
 * follow the catalog.
 *
 * What must stay true: a lookup by oid is one map access. `setDynamic` replaces all declared types at once, so a plan
 * that kept a PgType must be compiled again when the catalog version changes.
 */
import {strict as assert} from 'node:assert';
import type {TypeRef} from '../descriptor.ts';
import {notSupported, PgError} from '../errors.ts';
import {arrayType} from './array.ts';
import {BUILTIN_TYPES} from './builtin.ts';
import {enumType} from './enum.ts';
import {makeType} from './pg-type.ts';
import type {PgType} from './pg-type.ts';
import {UPDATED_TIME, UPDATED_TIME_OID} from './updated-time.ts';

interface DynamicIdentity {
    readonly oid: number;
    /** 0 = none. */
    readonly arrayOid: number;
    readonly name: string;
    readonly schema: string;
}

export interface EnumDescription extends DynamicIdentity {
    readonly kind: 'enum';
    /** In the order of the enum. */
    readonly labels: readonly string[];
    /**
     * pg_enum.enumsortorder of each label. Index keys hold it, because it stays when labels are added between others.
     * Absent: 1, 2, 3 …, as CREATE TYPE numbers them.
     */
    readonly sortOrders?: readonly number[];
}

export interface DomainDescription extends DynamicIdentity {
    readonly kind: 'domain';
    /** What the domain is declared over: may be another domain, an enum or an array. */
    readonly base: TypeRef;
    readonly notNull: boolean;
}

export type DynamicType = EnumDescription | DomainDescription;

export class TypeRegistry {
    readonly #byOid = new Map<number, PgType>();
    readonly #byName = new Map<string, PgType>();
    #dynamicOids: number[] = [];
    #dynamicNames: string[] = [];

    constructor() {
        for (const type of BUILTIN_TYPES) {
            this.#byOid.set(type.oid, type);
            this.#byName.set(type.name, type);
        }
        this.#byOid.set(UPDATED_TIME_OID, UPDATED_TIME);
    }

    get(oid: number): PgType | undefined {
        return this.#byOid.get(oid);
    }

    /** Throws 42704 for an oid that is no type's, 0A000 for a type of PostgreSQL that values cannot have here. */
    require(oid: number): PgType {
        const type = this.#byOid.get(oid);
        if (type !== undefined) return type;
        // User-declared objects are numbered from 16384 on.
        if (oid >= 16384 || oid === 0) throw new PgError('42704', `type with OID ${oid} does not exist`);
        throw notSupported(`the type with OID ${oid}`);
    }

    /** By pg_type.typname, or by `schema.name` for a declared type. */
    byName(name: string): PgType | undefined {
        return this.#byName.get(name);
    }

    setDynamic(types: readonly DynamicType[]): void {
        for (const oid of this.#dynamicOids) this.#byOid.delete(oid);
        for (const name of this.#dynamicNames) this.#byName.delete(name);
        this.#dynamicOids = [];
        this.#dynamicNames = [];
        for (const description of types) {
            if (description.kind === 'enum') this.#add(enumType(description), description);
        }
        // Domains may be declared over each other: each round adds those whose base is known.
        let waiting = types.filter((description) => description.kind === 'domain');
        while (waiting.length > 0) {
            const unresolved = waiting.filter((description) => !this.#addDomain(description));
            // A domain over a type that values cannot have here is left out: `require` then refuses it.
            if (unresolved.length === waiting.length) return;
            waiting = unresolved;
        }
    }

    #addDomain(description: DomainDescription): boolean {
        const base = this.#byOid.get(description.base.oid);
        if (base === undefined) return false;
        const identity = {
            ...base,
            oid: description.oid,
            name: description.name,
            sqlName: description.name,
            preferred: false,
            arrayOid: description.arrayOid,
            kind: 'domain',
            baseOid: base.baseOid,
            base: description.base,
            notNull: description.notNull,
        } as const;
        this.#add(makeType(identity, base), description);
        return true;
    }

    #add(type: PgType, description: DynamicType): void {
        assert(!this.#byOid.has(type.oid), `two types with oid ${type.oid}`);
        this.#put(type, description.schema);
        if (type.arrayOid !== 0) this.#put(arrayType(type, `_${type.name}`), description.schema);
    }

    #put(type: PgType, schema: string): void {
        this.#byOid.set(type.oid, type);
        this.#dynamicOids.push(type.oid);
        for (const name of [`${schema}.${type.name}`, type.name]) {
            if (this.#byName.has(name)) continue;
            this.#byName.set(name, type);
            this.#dynamicNames.push(name);
        }
    }
}
