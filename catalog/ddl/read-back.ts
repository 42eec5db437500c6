/**
 * Reads descriptors back from the twin and matches them with those known, so that our own ids stay with their objects.
 *
 * What must stay true: an object keeps its id when the known state (the catalog, or a transaction's overlay) has its oid, or
 * else its schema and name; ids are never given twice.
 * The value of rows older than a column (`missing`) is decided once, when the column is added, and kept from then on.
 */
import type {CatalogView} from '../catalog.ts';
import type {SchemaDescriptor, SequenceDescriptor, TypeDescriptor, ViewDescriptor} from '../catalog-change.ts';
import {
    type CheckDescriptor,
    type ColumnDescriptor,
    expiryCutoffNs,
    type IndexDescriptor,
    type TableDescriptor,
    type TableOptions,
} from '../descriptor.ts';
import {PgError, notSupported} from '../errors.ts';
import type {RoleDescriptor} from '../roles.ts';
import {textsOfRow} from '../twin/backend-messages.ts';
import type {TwinResult, TwinTransaction} from '../twin/twin-transaction.ts';
import type {Datum} from '../types/datum.ts';
import type {TypeRegistry} from '../types/registry.ts';
import * as sql from './read-back-sql.ts';
import {isSystemSchema} from './refusals.ts';
import {tableOptions} from './table-options.ts';

export type IdKind = 'table' | 'index' | 'sequence' | 'role';

/** Gives ids that were never given before, also across restarts. */
export interface IdAllocator {
    next(kind: IdKind): number;
}

export interface ReadContext {
    /** What the reading session sees: where ids come from when oids are new. */
    readonly known: CatalogView;
    readonly types: TypeRegistry;
    readonly ids: IdAllocator;
    /** The oid the session knows an object by (see pending-replay.ts). */
    readonly sessionOid: (oid: number) => number;
    /** True when the twin is new, and with it all oids: objects are matched by name alone. */
    readonly rebuilding: boolean;
}

/** One relation of the twin. */
export interface Signature {
    readonly oid: number;
    readonly kind: string;
    readonly schema: string;
    readonly touched: boolean;
    readonly indexCount: number;
    readonly checkCount: number;
    readonly name: string;
}

export async function readSignatures(t: TwinTransaction): Promise<Signature[]> {
    const [result] = await t.simple(sql.SIGNATURE_SQL);
    return (result?.rows ?? []).map((row) => {
        const [oid, kind, schema, touched, indexes, checks, name] = textsOfRow(row);
        return {
            oid: Number(oid),
            kind: kind ?? '',
            schema: schema ?? '',
            touched: touched === '1',
            indexCount: Number(indexes),
            checkCount: Number(checks),
            name: name ?? '',
        };
    });
}

function jsonRows<T>(result: TwinResult | undefined): T[] {
    return (result?.rows ?? []).map((row) => JSON.parse(textsOfRow(row)[0] ?? 'null') as T);
}

async function query<T>(t: TwinTransaction, text: string): Promise<T[]> {
    const [result] = await t.simple(text);
    return jsonRows<T>(result);
}

export async function readTables(
    t: TwinTransaction,
    oids: readonly number[],
    context: ReadContext,
): Promise<TableDescriptor[]> {
    if (oids.length === 0) return [];
    const tables = await query<sql.TableJson>(t, sql.tablesSql(oids));
    return tables.map((json) => tableOf(json, context)).sort((a, b) => a.tableId - b.tableId);
}

/** The descriptor known for an object of the twin, by oid or by name. */
export function knownTable(
    oid: number,
    schema: string,
    name: string,
    context: ReadContext,
): TableDescriptor | undefined {
    const byOid = context.rebuilding ? undefined : context.known.tableByOid(oid);
    // No single statement drops a table and makes another of its name, so a known name is the known table.
    return byOid ?? context.known.table(schema, name, []);
}

function tableOf(json: sql.TableJson, context: ReadContext): TableDescriptor {
    refuseUnknownParts(json, context);
    const known = knownTable(context.sessionOid(json.oid), json.schema, json.name, context);
    const indexes = json.indexes.map((index) => indexOf(index, known, context));
    const options = tableOptions(json.options);
    const expiredNs = expiredNsOf(known, options, context);
    return {
        tableId: known?.tableId ?? context.ids.next('table'),
        version: known?.version ?? 1,
        oid: context.sessionOid(json.oid),
        schema: json.schema,
        name: json.name,
        owner: json.owner,
        columns: json.columns.map((column) => columnOf(column, known, context)),
        primaryKey: indexes.find((index) => index.primary),
        indexes,
        checks: json.checks.map((check): CheckDescriptor => ({name: check.name, sql: check.sql})),
        options,
        ...(expiredNs === undefined ? {} : {expiredNs}),
    };
}

/** What has expired stays so when rows are given more time. */
function expiredNsOf(
    known: TableDescriptor | undefined,
    {ttlMs}: TableOptions,
    {rebuilding}: ReadContext,
): bigint | undefined {
    if (known === undefined) return undefined;
    const earlierMs = known.options.ttlMs;
    const isLonger = earlierMs !== undefined && (ttlMs === undefined || ttlMs > earlierMs);
    return isLonger && !rebuilding ? expiryCutoffNs(known) : known.expiredNs;
}

function refuseUnknownParts(json: sql.TableJson, context: ReadContext): void {
    for (const column of json.columns) {
        if (column.generated !== '')
            throw notSupported('a generated column', 'Use a view, or an index on the expression.');
        if (context.types.get(context.sessionOid(column.type)) === undefined) {
            throw new PgError('0A000', `a column of type ${column.typeName} is not supported`, {
                detail: `Column "${column.name}" of table "${json.name}" has that type.`,
                hint: 'Use text or jsonb.',
                schema: json.schema,
                table: json.name,
                column: column.name,
            });
        }
    }
    if (json.foreign.length > 0) throw notSupported('a constraint of this kind');
    if (json.rules > 0) throw notSupported('inheritance');
}

function columnOf(json: sql.ColumnJson, known: TableDescriptor | undefined, context: ReadContext): ColumnDescriptor {
    const before = known?.columns.find((column) => column.attnum === json.attnum);
    const typeOid = context.sessionOid(json.type);
    return {
        attnum: json.attnum,
        name: json.name,
        type: {oid: typeOid, typmod: json.typmod},
        notNull: json.notNull,
        defaultSql: json.default ?? undefined,
        identity: json.identity === 'a' || json.identity === 'd' ? json.identity : undefined,
        sequence: json.sequence ?? undefined,
        missing: missingOf(json, typeOid, before, context),
    };
}

/** A column that was there keeps the value; after a change of its type storage has rewritten the rows. */
function missingOf(
    json: sql.ColumnJson,
    typeOid: number,
    before: ColumnDescriptor | undefined,
    context: ReadContext,
): Datum {
    if (before !== undefined && (context.rebuilding || before.type.oid === typeOid)) return before.missing;
    if (json.missing === null) return null;
    return context.types.require(typeOid).parse(json.missing);
}

function indexOf(json: sql.IndexJson, known: TableDescriptor | undefined, context: ReadContext): IndexDescriptor {
    const before =
        known?.indexes.find((index) => index.oid === json.oid) ??
        known?.indexes.find((index) => index.name === json.name);
    const expressionsSql = json.expressions.map((text) => text ?? undefined);
    return {
        indexId: before?.indexId ?? context.ids.next('index'),
        oid: json.oid,
        name: json.name,
        unique: json.unique,
        primary: json.primary,
        nullsNotDistinct: json.nullsNotDistinct,
        columns: json.columns,
        // indoption bit 0 = DESC, bit 1 = NULLS FIRST; only indexes with PostgreSQL's default NULL order are plain.
        descending: json.columns.map((_, at) => ((json.options[at] ?? 0) & 1) === 1),
        constraint: json.constraint ?? undefined,
        plain:
            json.method === 'btree' &&
            json.predicate === null &&
            !json.columns.includes(0) &&
            json.defaultOrder &&
            json.options.slice(0, json.columns.length).every((option) => option === 0 || option === 3),
        definition: json.definition,
        predicateSql: json.predicate ?? undefined,
        expressionsSql,
    };
}

export async function readViews(
    t: TwinTransaction,
    oids: readonly number[],
    context: ReadContext,
): Promise<ViewDescriptor[]> {
    if (oids.length === 0) return [];
    const views = await query<sql.ViewJson>(t, sql.viewsSql(oids));
    return views.map((json): ViewDescriptor => {
        const check = json.options.find((option) => option.startsWith('check_option='))?.slice(13);
        return {
            oid: context.sessionOid(json.oid),
            schema: json.schema,
            name: json.name,
            owner: json.owner,
            definitionSql: json.definition,
            columns: json.columns.map(({attnum, name, type, typmod}) => ({
                attnum,
                name,
                type: {oid: context.sessionOid(type), typmod},
            })),
            checkOption: check === 'local' || check === 'cascaded' ? check : 'none',
            securityInvoker: json.options.some((option) => /^security_invoker=(?:true|on|1|yes)$/u.test(option)),
        };
    });
}

export async function readSequences(
    t: TwinTransaction,
    oids: readonly number[],
    context: ReadContext,
): Promise<SequenceDescriptor[]> {
    if (oids.length === 0) return [];
    const sequences = await query<sql.SequenceJson>(t, sql.sequencesSql(oids));
    return sequences.map((json): SequenceDescriptor => {
        const known = knownSequence(json, context);
        return {
            sequenceId: known?.sequenceId ?? context.ids.next('sequence'),
            oid: context.sessionOid(json.oid),
            schema: json.schema,
            name: json.name,
            owner: json.owner,
            typeOid: json.type,
            start: BigInt(json.start),
            increment: BigInt(json.increment),
            min: BigInt(json.min),
            max: BigInt(json.max),
            cache: BigInt(json.cache),
            cycle: json.cycle,
            ownedBy:
                json.ownedBy === null
                    ? undefined
                    : {schema: json.ownedBy.schema, table: json.ownedBy.table, attnum: json.ownedBy.attnum},
            identity: json.ownedBy?.identity ?? false,
            acl: json.acl ?? undefined,
        };
    });
}

function knownSequence(json: sql.SequenceJson, context: ReadContext): SequenceDescriptor | undefined {
    const byOid = context.rebuilding ? undefined : context.known.sequenceByOid(context.sessionOid(json.oid));
    return byOid ?? context.known.sequence(json.schema, json.name, []);
}

export async function readTypes(t: TwinTransaction, context: ReadContext): Promise<TypeDescriptor[]> {
    const types = await query<sql.TypeJson>(t, sql.TYPES_SQL);
    return types.map((json) => ({
        kind: json.kind === 'e' ? 'enum' : 'domain',
        oid: context.sessionOid(json.oid),
        arrayOid: context.sessionOid(json.arrayOid),
        schema: json.schema,
        name: json.name,
        owner: json.owner,
        labels: json.labels.map((label) => label.label),
        sortOrders: json.labels.map((label) => label.order),
        base: json.kind === 'd' ? {oid: context.sessionOid(json.base), typmod: json.baseTypmod} : undefined,
        notNull: json.notNull,
        defaultSql: json.default ?? undefined,
        checks: json.checks,
    }));
}

export async function readSchemas(t: TwinTransaction): Promise<SchemaDescriptor[]> {
    return query<SchemaDescriptor>(t, sql.SCHEMAS_SQL);
}

export async function readRoles(t: TwinTransaction, context: ReadContext): Promise<RoleDescriptor[]> {
    const roles = await query<sql.RoleJson>(t, sql.ROLES_SQL);
    return roles.map((json): RoleDescriptor => {
        const byOid = context.rebuilding ? undefined : context.known.roleByOid(json.oid);
        const known = byOid ?? context.known.role(json.name);
        return {
            roleId: known?.roleId ?? context.ids.next('role'),
            oid: json.oid,
            name: json.name,
            login: json.login,
            superuser: json.superuser,
            inherit: json.inherit,
            createDatabase: json.createDatabase,
            createRole: json.createRole,
            replication: json.replication,
            bypassRowSecurity: json.bypassRowSecurity,
            connectionLimit: json.connectionLimit,
            verifier: json.verifier ?? undefined,
            validUntilMs: json.validUntil === null ? undefined : Number(json.validUntil) * 1000,
            memberOf: json.memberOf,
            settings: json.settings,
        };
    });
}

/** Statements must not reach PostgreSQL's own catalogs or the system relations. */
export function refuseSystemChanges(signatures: readonly Signature[]): void {
    for (const signature of signatures) {
        if (signature.touched && isSystemSchema(signature.schema)) {
            throw new PgError('42501', `permission denied: "${signature.name}" is a system catalog`, {
                schema: signature.schema,
                table: signature.name,
            });
        }
    }
}
