/**
 * What a new twin is given beyond PostgreSQL's own initdb: the database's name, the first superuser's name, our version
 * text, functions that must not reach around our rules, storages as tablespaces, and the system relations.
 *
 * What must stay true: idempotence is not needed (it runs once, on a fresh directory); nothing of ours shows up in
 * `\d`, `\dn`, `\dt` or information_schema except the `system` schema, which is real.
 */
import {FIRST_SUPERUSER} from '../roles.ts';
import {quoteLiteral} from '../quoting.ts';
import {INITIAL_DATABASE} from './backend-options.ts';
import type {PrepareOptions} from './prepare.ts';

export const TIDEWIRE_VERSION = '0.1.0';

/** DDL is marked as applied by the text of this row of pg_description: no psql command and no tool shows it. */
export const APPLIED_MARKER = 'objoid = 0 AND classoid = 0 AND objsubid = 0';

const BOOTSTRAP_PARTS: readonly string[] = [
    `UPDATE pg_authid SET rolname = ${quoteLiteral(FIRST_SUPERUSER)} WHERE oid = 10`,
    `INSERT INTO pg_description (objoid, classoid, objsubid, description) VALUES (0, 0, 0, '0')`,
    // Says who answers, in the form that clients parse ("PostgreSQL <version> (…) on …").
    ...replaceFunction(
        'version()',
        `text LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT 'PostgreSQL ' || pg_catalog.current_setting('server_version')
            || ' (Tidewire ${TIDEWIRE_VERSION}) on node, 64-bit' $$`,
    ),
    // Storages are tablespaces without a directory; where they are stands in their options. Built-in functions are
    // called by their fixed oid whatever their row says, so each is taken away before ours gets its name.
    ...replaceFunction(
        'pg_tablespace_location(oid)',
        `text LANGUAGE sql STABLE PARALLEL SAFE STRICT AS $$
        SELECT coalesce((SELECT substr(o, 10) FROM pg_catalog.pg_tablespace s, unnest(s.spcoptions) o
            WHERE s.oid = $1 AND o LIKE 'location=%'), '') $$`,
    ),
    ...replaceFunction('pg_tablespace_size(oid)', 'bigint LANGUAGE sql STABLE STRICT AS $$ SELECT 0::bigint $$'),
    ...replaceFunction('pg_tablespace_size(name)', 'bigint LANGUAGE sql STABLE STRICT AS $$ SELECT 0::bigint $$'),
    // One backend serves all sessions with the rights of its first user: a session must not become another. The
    // built-in function stays for the server, under a name that nobody else may call.
    `UPDATE pg_proc SET proname = 'tidewire_set_config' WHERE oid = 'set_config(text,text,boolean)'::regprocedure`,
    `REVOKE ALL ON FUNCTION pg_catalog.tidewire_set_config(text, text, boolean) FROM PUBLIC`,
    `CREATE FUNCTION pg_catalog.set_config(setting_name text, new_value text, is_local boolean)
        RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF lower(setting_name) IN ('role', 'session_authorization') OR EXISTS (
                SELECT FROM pg_catalog.pg_settings s WHERE s.name = lower(setting_name) AND s.context <> 'user')
            THEN
                RAISE insufficient_privilege USING MESSAGE =
                    format('permission denied to set parameter "%s"', setting_name);
            END IF;
            RETURN pg_catalog.tidewire_set_config(setting_name, new_value, is_local);
        END $$`,
];

function replaceFunction(signature: string, definition: string): string[] {
    return [
        `DELETE FROM pg_proc WHERE oid = ${quoteLiteral(`pg_catalog.${signature}`)}::regprocedure`,
        `CREATE FUNCTION pg_catalog.${signature} RETURNS ${definition}`,
    ];
}

/** SQL text for the child that makes the directory. */
export function bootstrapSql(options: PrepareOptions): string {
    return [
        ...BOOTSTRAP_PARTS,
        options.systemSql,
        `UPDATE pg_database SET datname = ${quoteLiteral(options.database)} WHERE datname = '${INITIAL_DATABASE}'`,
    ].join(';\n');
}
