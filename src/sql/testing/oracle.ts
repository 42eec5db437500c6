/**
 * For tests: a real PostgreSQL with a small schema, the same schema as descriptors, and Describe on both sides.
 *
 * What must stay true: the descriptors are read from PostgreSQL's own catalog, so that a difference found by a test is
 * the binder's and not the schema's.
 */
import {PGlite, protocol} from '@electric-sql/pglite';
import type {ColumnDescriptor, IndexDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {TypeRegistry} from '../../../catalog/types/registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import type {BindContext, ViewDefinition} from '../binder/context.ts';
import {loadParser} from '../parse.ts';

export interface DescribedColumn {
    readonly name: string;
    readonly oid: number;
    readonly typmod: number;
    readonly tableOid: number;
    readonly attnum: number;
}

export interface Description {
    readonly parameters: readonly number[];
    readonly columns: readonly DescribedColumn[];
}

export interface Oracle {
    readonly postgres: PGlite;
    readonly context: BindContext;
    readonly tables: ReadonlyMap<string, TableDescriptor>;
    /** Parse and Describe; undefined when PostgreSQL raises an error. */
    describe(sql: string): Promise<Description | undefined>;
    close(): Promise<void>;
}

export async function startOracle(schemaSql: string): Promise<Oracle> {
    await loadParser();
    const postgres = await PGlite.create();
    await postgres.exec(`SET TimeZone = 'UTC'; ${schemaSql}`);
    const tables = await readTables(postgres);
    const views = await readViews(postgres);
    const types = new TypeRegistry();
    types.setDynamic(await readEnums(postgres));
    const visible = (schema: string | undefined): boolean => schema === undefined || schema === 'public';
    const context: BindContext = {
        catalog: {
            table: (schema, name) => (visible(schema) ? tables.get(name) : undefined),
            view: (schema, name) => (visible(schema) ? views.get(name) : undefined),
        },
        types,
        parameterTypes: [],
        settings: DEFAULT_OUTPUT_SETTINGS,
    };
    return {
        postgres,
        context,
        tables,
        describe: (sql) => describe(postgres, sql),
        close: () => postgres.close(),
    };
}

async function describe(postgres: PGlite, sql: string): Promise<Description | undefined> {
    const parameters: number[] = [];
    const columns: DescribedColumn[] = [];
    try {
        for (const message of [protocol.serialize.parse({text: sql}), protocol.serialize.describe({type: 'S'})]) {
            const {messages} = await postgres.execProtocol(message, {throwOnError: true});
            for (const answer of messages) {
                if (answer instanceof protocol.messages.ParameterDescriptionMessage)
                    parameters.push(...answer.dataTypeIDs);
                if (!(answer instanceof protocol.messages.RowDescriptionMessage)) continue;
                for (const field of answer.fields) {
                    columns.push({
                        name: field.name,
                        oid: field.dataTypeID,
                        typmod: field.dataTypeModifier,
                        tableOid: field.tableID,
                        attnum: field.columnID,
                    });
                }
            }
        }
        return {parameters, columns};
    } catch {
        return undefined;
    } finally {
        await postgres.execProtocol(protocol.serialize.sync(), {throwOnError: false});
    }
}

interface TableRow {
    readonly oid: number;
    readonly name: string;
}

async function readTables(postgres: PGlite): Promise<Map<string, TableDescriptor>> {
    const tables = new Map<string, TableDescriptor>();
    const {rows} = await postgres.query<TableRow>(
        `select oid::int, relname::text as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    );
    for (const {oid, name} of rows) {
        const columns = await readColumns(postgres, oid);
        const indexes = await readIndexes(postgres, oid);
        tables.set(name, {
            tableId: oid,
            version: 1,
            oid,
            schema: 'public',
            name,
            owner: 'postgres',
            columns,
            primaryKey: indexes.find((index) => index.primary),
            indexes,
            checks: [],
            options: {
                kind: 'shared',
                storage: 'local',
                ttlMs: undefined,
                flushPolicy: undefined,
                compression: 'none',
            },
        });
    }
    return tables;
}

async function readColumns(postgres: PGlite, table: number): Promise<ColumnDescriptor[]> {
    const {rows} = await postgres.query<{
        attnum: number;
        name: string;
        oid: number;
        typmod: number;
        notnull: boolean;
        identity: string;
    }>(`select attnum::int, attname::text as name, atttypid::int as oid, atttypmod as typmod, attnotnull as notnull,
            attidentity::text as identity
        from pg_attribute where attrelid = ${table} and attnum > 0 and not attisdropped order by attnum`);
    return rows.map((row) => ({
        attnum: row.attnum,
        name: row.name,
        type: {oid: row.oid, typmod: row.typmod},
        notNull: row.notnull,
        defaultSql: undefined,
        identity: row.identity === 'a' || row.identity === 'd' ? row.identity : undefined,
        sequence: undefined,
        missing: null,
    }));
}

async function readIndexes(postgres: PGlite, table: number): Promise<IndexDescriptor[]> {
    const {rows} = await postgres.query<{
        oid: number;
        name: string;
        unique: boolean;
        primary: boolean;
        columns: number[];
        definition: string;
        predicate: string | null;
    }>(`select indexrelid::int as oid, relname::text as name, indisunique as unique, indisprimary as primary,
            indkey::int2[] as columns, pg_get_indexdef(indexrelid) as definition,
            pg_get_expr(indpred, indrelid) as predicate
        from pg_index join pg_class on pg_class.oid = indexrelid where indrelid = ${table} order by indexrelid`);
    return rows.map((row) => ({
        indexId: row.oid,
        oid: row.oid,
        name: row.name,
        unique: row.unique,
        primary: row.primary,
        nullsNotDistinct: false,
        columns: row.columns,
        descending: row.columns.map(() => false),
        constraint: row.primary ? row.name : undefined,
        plain: true,
        definition: row.definition,
        predicateSql: row.predicate ?? undefined,
        expressionsSql: row.columns.map(() => undefined),
    }));
}

async function readViews(postgres: PGlite): Promise<Map<string, ViewDefinition>> {
    const views = new Map<string, ViewDefinition>();
    const {rows} = await postgres.query<{oid: number; name: string; sql: string}>(
        `select oid::int, relname::text as name, pg_get_viewdef(oid) as sql from pg_class
         where relkind = 'v' and relnamespace = 'public'::regnamespace`,
    );
    for (const {oid, name, sql} of rows) {
        const columns = (await readColumns(postgres, oid)).map(({name: column, type}) => ({name: column, type}));
        views.set(name, {oid, definitionSql: sql, columns});
    }
    return views;
}

async function readEnums(postgres: PGlite): Promise<Parameters<TypeRegistry['setDynamic']>[0]> {
    const {rows} = await postgres.query<{oid: number; array: number; name: string; labels: string[]}>(
        `select t.oid::int, typarray::int as array, typname::text as name,
            array_agg(enumlabel::text order by enumsortorder) as labels
         from pg_type t join pg_enum e on e.enumtypid = t.oid group by t.oid`,
    );
    return rows.map((row) => ({
        kind: 'enum',
        oid: row.oid,
        arrayOid: row.array,
        name: row.name,
        schema: 'public',
        labels: row.labels,
    }));
}
