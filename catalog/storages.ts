/**
 * Storages: named places for cold rows. Declared by CREATE STORAGE, shown in the twin as tablespaces.
 *
 * What must stay true: `local` always exists and cannot be dropped; option values may be secrets (keys of an object
 * store), so the twin is only told the location, never the secret options.
 */

import {quoteLiteral} from './quoting.ts';

export interface StorageDescriptor {
    readonly name: string;
    /** Driver: 'filesystem', 's3', … as storage/objects knows it. */
    readonly type: string;
    /** Driver options as given: bucket, prefix, endpoint, … */
    readonly options: ReadonlyMap<string, string>;
    readonly owner: string;
}

export const LOCAL_STORAGE = 'local';

/** Option names whose values are never shown or logged. */
const SECRET_OPTION = /secret|password|token|access_key|credential|private/u;

export function isSecretOption(name: string): boolean {
    return SECRET_OPTION.test(name.toLowerCase());
}

/** What `\db` shows: a URL-like text without secrets. */
export function storageLocation(storage: StorageDescriptor): string {
    const option = (name: string): string => storage.options.get(name) ?? '';
    const path =
        option('path') || [option('bucket') || option('container'), option('prefix')].filter(Boolean).join('/');
    return storage.type === 'filesystem' ? path : `${storage.type}://${path}`;
}

/** SQL that makes the twin's tablespaces those of `storages`. Oids of those that stay do not change. */
export function storagesSql(storages: Iterable<StorageDescriptor>): string {
    const rows = [...storages].map(
        (storage) =>
            `(${quoteLiteral(storage.name)}::name, ${quoteLiteral(`location=${storageLocation(storage)}`)}::text, ` +
            `coalesce((SELECT oid FROM pg_catalog.pg_authid WHERE rolname = ${quoteLiteral(storage.owner)}), 10))`,
    );
    const values = `(VALUES ${rows.join(', ')}) AS s (name, location, owner)`;
    const ours = `t.oid >= ${FIRST_TABLESPACE_OID}`;
    if (rows.length === 0) return `DELETE FROM pg_catalog.pg_tablespace t WHERE ${ours}`;
    return [
        `DELETE FROM pg_catalog.pg_tablespace t WHERE ${ours} AND spcname NOT IN (SELECT name FROM ${values})`,
        `UPDATE pg_catalog.pg_tablespace t SET spcoptions = ARRAY[location], spcowner = owner FROM ${values} ` +
            `WHERE ${ours} AND spcname = name AND (spcoptions, spcowner) IS DISTINCT FROM (ARRAY[location], owner)`,
        `INSERT INTO pg_catalog.pg_tablespace (oid, spcname, spcowner, spcoptions) ` +
            `SELECT (SELECT greatest(max(oid)::bigint, ${FIRST_TABLESPACE_OID - 1}) FROM pg_catalog.pg_tablespace) ` +
            `+ row_number() OVER (), name, owner, ARRAY[location] FROM ${values} ` +
            `WHERE name NOT IN (SELECT spcname FROM pg_catalog.pg_tablespace)`,
    ].join('; ');
}

/** Above all oids that PostgreSQL gives for a long time: only tablespaces are compared with it. */
const FIRST_TABLESPACE_OID = 2_000_000_000;
