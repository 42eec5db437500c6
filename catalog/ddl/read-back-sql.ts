/**
 * The queries that read the state of user objects back from the twin's pg_catalog, each row one JSON text.
 *
 * What must stay true: run with search_path = pg_catalog (so every name in an expression is qualified) and with ISO
 * dates in UTC (so missing values parse); numbers that may pass 2^53 are texts.
 */

const USER_SCHEMA = `n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'system')`;

/** What reading back needs of settings. Run with the server's rights. */
export const READ_SETTINGS_SQL = [
    `SET LOCAL search_path TO pg_catalog`,
    `SET LOCAL DateStyle TO ISO`,
    `SET LOCAL IntervalStyle TO postgres`,
    `SET LOCAL TimeZone TO 'UTC'`,
    `SET LOCAL bytea_output TO hex`,
    `SET LOCAL extra_float_digits TO 1`,
].join('; ');

/**
 * oid, relkind, schema, whether anything of the relation was written by this transaction, numbers of indexes and of
 * checks (dropping one leaves no row behind to look at). Rows of system schemas only when written.
 */
export const SIGNATURE_SQL = `
WITH now AS (SELECT pg_current_xact_id()::xid AS xid),
touched AS (
    SELECT c.oid FROM pg_class c, now WHERE c.xmin = xid
    UNION SELECT attrelid FROM pg_attribute a, now WHERE a.xmin = xid
    UNION SELECT adrelid FROM pg_attrdef d, now WHERE d.xmin = xid
    UNION SELECT indrelid FROM pg_index i, now WHERE i.xmin = xid
    UNION SELECT conrelid FROM pg_constraint k, now WHERE k.xmin = xid AND conrelid <> 0
    UNION SELECT seqrelid FROM pg_sequence s, now WHERE s.xmin = xid
    UNION SELECT ev_class FROM pg_rewrite r, now WHERE r.xmin = xid
    UNION SELECT unnest(ARRAY[objid, refobjid]) FROM pg_depend p, now
        WHERE p.xmin = xid AND classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
),
indexes AS (SELECT indrelid, count(*) AS n FROM pg_index GROUP BY 1),
checks AS (SELECT conrelid, count(*) AS n FROM pg_constraint WHERE contype = 'c' GROUP BY 1)
SELECT c.oid, c.relkind, n.nspname, (t.oid IS NOT NULL)::int, coalesce(i.n, 0), coalesce(k.n, 0), c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN touched t ON t.oid = c.oid LEFT JOIN indexes i ON i.indrelid = c.oid LEFT JOIN checks k ON k.conrelid = c.oid
WHERE c.relkind IN ('r', 'v', 'S', 'm', 'p', 'f') AND n.nspname !~ '^pg_toast'
  AND (${USER_SCHEMA} OR t.oid IS NOT NULL)`;

export interface TableJson {
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    readonly options: readonly string[];
    readonly rules: number;
    readonly columns: readonly ColumnJson[];
    readonly indexes: readonly IndexJson[];
    readonly checks: readonly {readonly name: string; readonly sql: string}[];
    /** contype of constraints that we do not have. */
    readonly foreign: readonly string[];
}

export interface ColumnJson {
    readonly attnum: number;
    readonly name: string;
    readonly type: number;
    readonly typeName: string;
    readonly typmod: number;
    readonly notNull: boolean;
    readonly default: string | null;
    readonly identity: string;
    readonly generated: string;
    readonly sequence: string | null;
    readonly missing: string | null;
}

export interface IndexJson {
    readonly oid: number;
    readonly name: string;
    readonly method: string;
    readonly unique: boolean;
    readonly primary: boolean;
    readonly nullsNotDistinct: boolean;
    readonly columns: readonly number[];
    readonly options: readonly number[];
    readonly defaultOrder: boolean;
    readonly constraint: string | null;
    readonly definition: string;
    readonly predicate: string | null;
    readonly expressions: readonly (string | null)[];
}

export function tablesSql(oids: readonly number[]): string {
    return `
SELECT json_build_object('oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
  'owner', pg_get_userbyid(c.relowner), 'options', coalesce(c.reloptions, '{}'),
  'columns', coalesce((SELECT json_agg(json_build_object('attnum', a.attnum, 'name', a.attname,
      'type', a.atttypid::bigint, 'typeName', format_type(a.atttypid, a.atttypmod), 'typmod', a.atttypmod,
      'notNull', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity,
      'generated', a.attgenerated,
      'sequence', (SELECT p.objid::regclass::text FROM pg_depend p JOIN pg_class s ON s.oid = p.objid
          WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass AND s.relkind = 'S'
            AND p.refobjid = c.oid AND p.refobjsubid = a.attnum AND p.deptype IN ('a', 'i') ORDER BY p.objid LIMIT 1),
      'missing', CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
  'indexes', coalesce((SELECT json_agg(json_build_object('oid', i.indexrelid::bigint, 'name', ic.relname,
      'method', am.amname, 'unique', i.indisunique, 'primary', i.indisprimary,
      'nullsNotDistinct', i.indnullsnotdistinct,
      'columns', (SELECT json_agg(v ORDER BY o) FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(v, o)
          WHERE o <= i.indnkeyatts),
      'options', (SELECT json_agg(v ORDER BY o) FROM unnest(i.indoption::int2[]) WITH ORDINALITY u(v, o)),
      'defaultOrder', NOT EXISTS (SELECT FROM unnest(i.indclass::oid[]) k JOIN pg_opclass oc ON oc.oid = k
          WHERE NOT oc.opcdefault) AND NOT EXISTS (SELECT
            FROM unnest(i.indcollation::oid[]) WITH ORDINALITY l(v, o)
            JOIN pg_attribute ia ON ia.attrelid = c.oid AND ia.attnum = (i.indkey::int2[])[o - 1]
            WHERE l.v <> 0 AND l.v <> ia.attcollation),
      'constraint', (SELECT k.conname FROM pg_constraint k WHERE k.conindid = i.indexrelid
          AND k.conrelid = c.oid AND k.contype IN ('p', 'u')),
      'definition', pg_get_indexdef(i.indexrelid), 'predicate', pg_get_expr(i.indpred, i.indrelid),
      'expressions', (SELECT json_agg(CASE WHEN v = 0 THEN pg_get_indexdef(i.indexrelid, o::int, false) END ORDER BY o)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(v, o) WHERE o <= i.indnkeyatts)) ORDER BY i.indexrelid)
    FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
    WHERE i.indrelid = c.oid), '[]'),
  'checks', coalesce((SELECT json_agg(json_build_object('name', k.conname, 'sql', pg_get_expr(k.conbin, k.conrelid))
      ORDER BY k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'), '[]'),
  'foreign', coalesce((SELECT json_agg(k.contype) FROM pg_constraint k WHERE k.conrelid = c.oid
      AND (k.contype IN ('f', 'x', 't') OR k.condeferrable)), '[]'),
  'rules', (SELECT count(*) FROM pg_inherits h WHERE h.inhrelid = c.oid))::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (${oids.join(', ')})`;
}

export interface ViewJson {
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    readonly options: readonly string[];
    readonly definition: string;
    readonly columns: readonly {
        readonly attnum: number;
        readonly name: string;
        readonly type: number;
        readonly typmod: number;
    }[];
}

export function viewsSql(oids: readonly number[]): string {
    return `
SELECT json_build_object('oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
  'owner', pg_get_userbyid(c.relowner), 'options', coalesce(c.reloptions, '{}'),
  'definition', pg_get_viewdef(c.oid),
  'columns', coalesce((SELECT json_agg(json_build_object('attnum', a.attnum, 'name', a.attname,
      'type', a.atttypid::bigint, 'typmod', a.atttypmod) ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'))::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (${oids.join(', ')})`;
}

export interface SequenceJson {
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    readonly type: number;
    readonly start: string;
    readonly increment: string;
    readonly min: string;
    readonly max: string;
    readonly cache: string;
    readonly cycle: boolean;
    readonly ownedBy: {
        readonly schema: string;
        readonly table: string;
        readonly attnum: number;
        readonly identity: boolean;
    } | null;
    readonly acl: readonly string[] | null;
}

export function sequencesSql(oids: readonly number[]): string {
    return `
SELECT json_build_object('oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
  'owner', pg_get_userbyid(c.relowner), 'type', s.seqtypid::bigint, 'start', s.seqstart::text,
  'increment', s.seqincrement::text, 'min', s.seqmin::text, 'max', s.seqmax::text, 'cache', s.seqcache::text,
  'cycle', s.seqcycle, 'acl', c.relacl::text[],
  'ownedBy', (SELECT json_build_object('schema', tn.nspname, 'table', t.relname, 'attnum', p.refobjsubid,
      'identity', p.deptype = 'i')
    FROM pg_depend p JOIN pg_class t ON t.oid = p.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.refclassid = 'pg_class'::regclass
      AND p.refobjsubid > 0 AND p.deptype IN ('a', 'i') LIMIT 1))::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.oid IN (${oids.join(', ')})`;
}

export interface TypeJson {
    readonly kind: 'e' | 'd';
    readonly oid: number;
    readonly arrayOid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    readonly labels: readonly {readonly label: string; readonly order: number}[];
    readonly base: number;
    readonly baseTypmod: number;
    readonly notNull: boolean;
    readonly default: string | null;
    readonly checks: readonly {readonly name: string; readonly sql: string}[];
}

export const TYPES_SQL = `
SELECT json_build_object('kind', t.typtype, 'oid', t.oid::bigint, 'arrayOid', t.typarray::bigint,
  'schema', n.nspname, 'name', t.typname, 'owner', pg_get_userbyid(t.typowner),
  'labels', coalesce((SELECT json_agg(json_build_object('label', e.enumlabel, 'order', e.enumsortorder)
      ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '[]'),
  'base', t.typbasetype::bigint, 'baseTypmod', t.typtypmod, 'notNull', t.typnotnull, 'default', t.typdefault,
  'checks', coalesce((SELECT json_agg(json_build_object('name', k.conname, 'sql', pg_get_expr(k.conbin, 0))
      ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '[]'))::text
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd') AND ${USER_SCHEMA}`;

export const SCHEMAS_SQL = `
SELECT json_build_object('oid', n.oid::bigint, 'name', n.nspname, 'owner', pg_get_userbyid(n.nspowner))::text
FROM pg_namespace n WHERE ${USER_SCHEMA} AND n.nspname !~ '^pg_'`;

export interface RoleJson {
    readonly oid: number;
    readonly name: string;
    readonly login: boolean;
    readonly superuser: boolean;
    readonly inherit: boolean;
    readonly createDatabase: boolean;
    readonly createRole: boolean;
    readonly replication: boolean;
    readonly bypassRowSecurity: boolean;
    readonly connectionLimit: number;
    readonly verifier: string | null;
    /** Seconds since 1970, "Infinity" or null. */
    readonly validUntil: string | null;
    readonly memberOf: readonly string[];
    readonly settings: readonly string[];
}

/** PostgreSQL's own roles (pg_monitor, …) are left out. */
export const ROLES_SQL = `
SELECT json_build_object('oid', r.oid::bigint, 'name', r.rolname, 'login', r.rolcanlogin, 'superuser', r.rolsuper,
  'inherit', r.rolinherit, 'createDatabase', r.rolcreatedb, 'createRole', r.rolcreaterole,
  'replication', r.rolreplication, 'bypassRowSecurity', r.rolbypassrls, 'connectionLimit', r.rolconnlimit,
  'verifier', r.rolpassword, 'validUntil', extract(epoch FROM r.rolvaliduntil)::text,
  'memberOf', coalesce((SELECT json_agg(DISTINCT g.rolname) FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid
      WHERE m.member = r.oid), '[]'),
  'settings', coalesce((SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0),
      '{}'))::text
FROM pg_authid r WHERE r.oid = 10 OR r.oid >= 16384`;
