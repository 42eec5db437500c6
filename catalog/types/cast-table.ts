/**
 * Which casts exist and where they may be applied without being asked for: pg_cast for the types that values can have
 * here, and the rules that PostgreSQL adds to it (find_coercion_pathway): casts through text, between arrays, to and
 * from domains. Source: PostgreSQL documentation, "CREATE CAST" and "pg_cast".
 *
 * What must stay true: the table equals pg_cast; a test compares them.
 */
import {OID} from './oids.ts';
import type {PgType} from './pg-type.ts';
import type {TypeRegistry} from './registry.ts';

export type CastContext = 'implicit' | 'assignment' | 'explicit';

/** Source type: target types, by context. The object-id aliases are added below. */
const TABLE: Readonly<Record<string, {readonly i?: string; readonly a?: string; readonly e?: string}>> = {
    bool: {a: 'text bpchar varchar', e: 'int4'},
    bytea: {e: 'int8 int2 int4'},
    char: {i: 'text', a: 'bpchar varchar', e: 'int4'},
    name: {i: 'text', a: 'bpchar varchar'},
    int8: {i: 'float4 float8 numeric', a: 'int2 int4', e: 'bytea'},
    int2: {i: 'int8 int4 float4 float8 numeric', e: 'bytea'},
    int4: {i: 'int8 float4 float8 numeric', a: 'int2', e: 'bool bytea char'},
    text: {i: 'name bpchar varchar regclass', a: 'char'},
    json: {a: 'jsonb'},
    cidr: {i: 'inet', a: 'text bpchar varchar'},
    float4: {i: 'float8', a: 'int8 int2 int4 numeric'},
    float8: {a: 'int8 int2 int4 float4 numeric'},
    inet: {a: 'text cidr bpchar varchar'},
    bpchar: {i: 'name text bpchar varchar', a: 'char'},
    varchar: {i: 'name text bpchar varchar regclass', a: 'char'},
    date: {i: 'timestamp timestamptz'},
    time: {i: 'time interval timetz'},
    timestamp: {i: 'timestamp timestamptz', a: 'date time'},
    timestamptz: {i: 'timestamptz', a: 'date time timestamp timetz'},
    interval: {i: 'interval', a: 'time'},
    timetz: {i: 'timetz', a: 'time'},
    numeric: {i: 'float4 float8 numeric', a: 'int8 int2 int4'},
    jsonb: {a: 'json', e: 'bool int8 int2 int4 float4 float8 numeric'},
    regproc: {i: 'regprocedure'},
    regprocedure: {i: 'regproc'},
    regoper: {i: 'regoperator'},
    regoperator: {i: 'regoper'},
    xid8: {e: 'xid'},
};

const OBJECT_ALIASES = [
    'regproc',
    'regprocedure',
    'regoper',
    'regoperator',
    'regclass',
    'regtype',
    'regconfig',
    'regdictionary',
    'regnamespace',
    'regrole',
    'regcollation',
] as const;

const CONTEXTS = {i: 'implicit', a: 'assignment', e: 'explicit'} as const;

function pairKey(from: number, to: number): number {
    return from * 65_536 + to;
}

function makeCasts(): ReadonlyMap<number, CastContext> {
    const casts = new Map<number, CastContext>();
    const oids: Readonly<Record<string, number>> = OID;
    const add = (from: string, to: string, context: CastContext): void => {
        casts.set(pairKey(oids[from] ?? 0, oids[to] ?? 0), context);
    };
    for (const [from, row] of Object.entries(TABLE)) {
        for (const context of ['i', 'a', 'e'] as const) {
            for (const to of row[context]?.split(' ') ?? []) add(from, to, CONTEXTS[context]);
        }
    }
    for (const alias of ['oid', ...OBJECT_ALIASES]) {
        for (const integer of ['int2', 'int4', 'int8']) add(integer, alias, 'implicit');
        add(alias, 'int4', 'assignment');
        add(alias, 'int8', 'assignment');
        if (alias === 'oid') continue;
        add(alias, 'oid', 'implicit');
        add('oid', alias, 'implicit');
    }
    return casts;
}

const CASTS = makeCasts();

/** The row of pg_cast alone; `undefined` when it has none. */
export function catalogCast(from: number, to: number): CastContext | undefined {
    return CASTS.get(pairKey(from, to));
}

/**
 * The weakest context in which PostgreSQL casts one type to the other; `undefined` when it never does. A cast from a type
 * to itself is implicit. Without a registry only built-in scalar types are known.
 */
export function castContext(fromOid: number, toOid: number, registry?: TypeRegistry): CastContext | undefined {
    if (fromOid === toOid) return 'implicit';
    const from = registry?.get(fromOid);
    const to = registry?.get(toOid);
    const fromBase = from?.baseOid ?? fromOid;
    const toBase = to?.baseOid ?? toOid;
    if (fromBase === toBase || fromOid === OID.unknown) return 'implicit';
    const listed = catalogCast(fromBase, toBase);
    if (listed !== undefined) return listed;
    if (from?.element !== undefined && to?.element !== undefined) {
        const elements = castContext(from.element.oid, to.element.oid, registry);
        if (elements !== undefined) return elements;
    }
    return throughText(categoryOf(from, fromBase), categoryOf(to, toBase));
}

const STRING_OIDS: ReadonlySet<number> = new Set<number>([OID.text, OID.varchar, OID.bpchar, OID.name]);

function categoryOf(type: PgType | undefined, oid: number): string {
    return type?.category ?? (STRING_OIDS.has(oid) ? 'S' : 'U');
}

/** Any type can be assigned to a string; a string is turned into any type only when asked. */
function throughText(fromCategory: string, toCategory: string): CastContext | undefined {
    if (toCategory === 'S') return 'assignment';
    return fromCategory === 'S' ? 'explicit' : undefined;
}
