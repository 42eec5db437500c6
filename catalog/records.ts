/**
 * The catalog as records of the hot store: one key and one JSON text per object.
 *
 * Layout of a key: `<kind>/<id>`; kinds: table, sequence and role by our id, view, type and schema by schema and name,
 * storage by name, ddl by sequence number in 12 digits, so that keys sort in order of the log.
 * Layout of a value: {"v": 1, "o": object}; values JSON lacks are written as one-key objects: {"$bigint": "1"},
 * {"$bytes": base64}, {"$number": "NaN"}, {"$map": [[key, value], …]}, {"$undefined": true} (kept, because descriptors are
 * compared deeply).
 *
 * What must stay true: decoding what was encoded gives a deeply equal object; an unknown version or kind is an error,
 * never skipped.
 */
import {strict as assert} from 'node:assert';
import type {LoggedDdl} from './catalog.ts';
import {type CatalogChange, type Difference, NO_CHANGE} from './catalog-change.ts';
import type {CatalogState} from './catalog-state.ts';

const RECORD_VERSION = 1;

export interface CatalogRecord {
    readonly key: string;
    readonly value: string;
}

/** A record to put, or (value undefined) to delete. */
export interface CatalogRecordChange {
    readonly key: string;
    readonly value: string | undefined;
}

type Kind = 'table' | 'sequence' | 'view' | 'type' | 'schema' | 'role' | 'storage' | 'ddl';

const COLLECTIONS = ['tables', 'sequences', 'views', 'types', 'schemas', 'roles', 'storages'] as const;
type Collection = (typeof COLLECTIONS)[number];

const KIND_OF: Readonly<Record<Collection, Kind>> = {
    tables: 'table',
    sequences: 'sequence',
    views: 'view',
    types: 'type',
    schemas: 'schema',
    roles: 'role',
    storages: 'storage',
};

interface Identified {
    readonly tableId?: number;
    readonly sequenceId?: number;
    readonly roleId?: number;
    readonly schema?: string;
    readonly name: string;
}

function keyOf(kind: Kind, object: Identified): string {
    if (kind === 'table') return `table/${object.tableId}`;
    if (kind === 'sequence') return `sequence/${object.sequenceId}`;
    if (kind === 'role') return `role/${object.roleId}`;
    return object.schema === undefined
        ? `${kind}/${object.name}`
        : `${kind}/${JSON.stringify([object.schema, object.name])}`;
}

function ddlKey(seq: number): string {
    return `ddl/${String(seq).padStart(12, '0')}`;
}

/** What a committed change does to the records. `ddlSeq` is `Catalog.ddlSeq` before the change. */
export function recordsOfChange(change: CatalogChange, ddlSeq: number): CatalogRecordChange[] {
    const puts = new Map<string, string>();
    const deletes = new Set<string>();
    for (const collection of COLLECTIONS) {
        const kind = KIND_OF[collection];
        for (const {before, after} of change[collection] as readonly Difference<Identified>[]) {
            if (before !== undefined) deletes.add(keyOf(kind, before));
            if (after !== undefined) puts.set(keyOf(kind, after), encode(after));
        }
    }
    for (const [index, entry] of change.ddl.entries()) {
        const seq = ddlSeq + 1 + index;
        puts.set(ddlKey(seq), encode({seq, ...entry} satisfies LoggedDdl));
    }
    const changes: CatalogRecordChange[] = [];
    for (const key of deletes) if (!puts.has(key)) changes.push({key, value: undefined});
    for (const [key, value] of puts) changes.push({key, value});
    return changes;
}

export function recordsOfState(state: CatalogState, ddlLog: readonly LoggedDdl[]): CatalogRecord[] {
    const records: CatalogRecord[] = [];
    for (const collection of COLLECTIONS) {
        for (const object of state[collection].values() as Iterable<Identified>) {
            records.push({key: keyOf(KIND_OF[collection], object), value: encode(object)});
        }
    }
    for (const entry of ddlLog) records.push({key: ddlKey(entry.seq), value: encode(entry)});
    return records;
}

export function decodeRecords(records: Iterable<CatalogRecord>): {change: CatalogChange; ddlLog: LoggedDdl[]} {
    const found: Record<string, {after: unknown}[]> = {};
    for (const collection of COLLECTIONS) found[KIND_OF[collection]] = [];
    const ddlLog: LoggedDdl[] = [];
    for (const {key, value} of records) {
        const kind = key.slice(0, key.indexOf('/'));
        const object = decode(value);
        if (kind === 'ddl') ddlLog.push(object as LoggedDdl);
        else {
            assert(found[kind] !== undefined, `a catalog record of an unknown kind: ${key}`);
            found[kind].push({after: object});
        }
    }
    const entries = COLLECTIONS.map((collection) => [collection, found[KIND_OF[collection]]] as const);
    return {change: {...NO_CHANGE, ...(Object.fromEntries(entries) as Partial<CatalogChange>)}, ddlLog};
}

export function encode(object: unknown): string {
    return JSON.stringify({v: RECORD_VERSION, o: object}, replacer);
}

export function decode(text: string): unknown {
    const {v, o} = JSON.parse(text) as {v: number; o: unknown};
    assert.equal(v, RECORD_VERSION, 'a catalog record of an unknown version');
    return revive(o);
}

function replacer(this: unknown, _key: string, value: unknown): unknown {
    if (value === undefined) return {$undefined: true};
    if (typeof value === 'bigint') return {$bigint: String(value)};
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
        return {$number: Object.is(value, -0) ? '-0' : String(value)};
    }
    if (value instanceof Map) return {$map: [...value]};
    if (value instanceof Uint8Array) return {$bytes: Buffer.from(value).toString('base64')};
    // A Buffer has turned itself into this shape before it comes here.
    if (isBufferJson(value)) return {$bytes: Buffer.from(value.data).toString('base64')};
    return value;
}

function isBufferJson(value: unknown): value is {type: 'Buffer'; data: number[]} {
    if (typeof value !== 'object' || value === null || !('type' in value) || !('data' in value)) return false;
    return value.type === 'Buffer' && Array.isArray(value.data);
}

function revive(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(revive);
    const tagged = value as {$bigint?: string; $number?: string; $map?: unknown[]; $bytes?: string; $undefined?: true};
    if (tagged.$undefined !== undefined) return undefined;
    if (tagged.$bigint !== undefined) return BigInt(tagged.$bigint);
    if (tagged.$number !== undefined) return Number(tagged.$number);
    if (tagged.$map !== undefined) return new Map(tagged.$map.map(revive) as [unknown, unknown][]);
    if (tagged.$bytes !== undefined) return Uint8Array.from(Buffer.from(tagged.$bytes, 'base64'));
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}
