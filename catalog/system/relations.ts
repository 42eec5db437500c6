/**
 * The relations that show the server's own state: system.tables, system.segments, … and PostgreSQL's pg_stat_activity
 * and pg_locks. In the twin each is a view over a JSON text in a setting, so that nothing of ours stands in the catalogs
 * and nothing is stored: before a statement that names them, their rows are put into the setting for its transaction.
 *
 * What must stay true: the views of pg_catalog have exactly PostgreSQL's columns; rows are what the provider gives for
 * that session at that moment; a view whose rows were not loaded is empty.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../errors.ts';
import {quoteIdentifier, quoteLiteral} from '../quoting.ts';
import {FIRST_SUPERUSER} from '../roles.ts';
import type {SessionContext} from '../twin/session-context.ts';
import type {TwinTransaction} from '../twin/twin-transaction.ts';
import {SYSTEM_RELATIONS, type SystemRelation} from './definitions.ts';

/** One value per column, as text that the column's type reads; null = NULL. */
export type SystemRow = readonly (string | null)[];
export type RowProvider = (context: SessionContext) => readonly SystemRow[] | Promise<readonly SystemRow[]>;

/** Rows of one system relation that one statement may see. */
const ROWS_MAX = 100_000;

export class SystemRelations {
    readonly #providers = new Map<string, RowProvider>();

    /** Given once by the composition root. `name` as in `SYSTEM_RELATIONS`, with its schema. */
    provide(name: string, provider: RowProvider): void {
        assert(
            SYSTEM_RELATIONS.some((relation) => fullName(relation) === name),
            `no system relation ${name}`,
        );
        this.#providers.set(name, provider);
    }

    /** Full names of the system relations among relations as written; an unqualified name finds those of pg_catalog. */
    named(relations: Iterable<{readonly schema: string | undefined; readonly name: string}>): string[] {
        const found = new Set<string>();
        for (const {schema, name} of relations) {
            const relation = SYSTEM_RELATIONS.find(
                (candidate) => candidate.name === name && (schema ?? 'pg_catalog') === candidate.schema,
            );
            if (relation !== undefined) found.add(fullName(relation));
        }
        return [...found];
    }

    /** Puts the rows of the named relations in place, for the rest of the transaction. */
    async load(t: TwinTransaction, names: readonly string[], context: SessionContext): Promise<void> {
        if (names.length === 0) return;
        const parts = [`SET LOCAL ROLE NONE`, `SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(FIRST_SUPERUSER)}`];
        for (const name of names) {
            const rows = (await this.#providers.get(name)?.(context)) ?? [];
            if (rows.length > ROWS_MAX) throw new PgError('54000', `${name} has more than ${ROWS_MAX} rows`);
            parts.push(
                `SELECT pg_catalog.tidewire_set_config(${quoteLiteral(settingOf(name))}, ` +
                    `${quoteLiteral(JSON.stringify(rows))}, true)`,
            );
        }
        parts.push(`SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(context.sessionUser)}`);
        if (context.user !== context.sessionUser) parts.push(`SET LOCAL ROLE ${quoteIdentifier(context.user)}`);
        await t.simple(parts.join('; '));
    }

    /** DDL for a new twin. */
    static sql(): string {
        const parts = [
            `CREATE SCHEMA system`,
            `COMMENT ON SCHEMA system IS 'state of the server'`,
            `GRANT USAGE ON SCHEMA system TO PUBLIC`,
        ];
        for (const relation of SYSTEM_RELATIONS) parts.push(viewSql(relation));
        return parts.join(';\n');
    }
}

function fullName(relation: SystemRelation): string {
    return `${relation.schema}.${relation.name}`;
}

/** `tidewire.system_tables` */
function settingOf(name: string): string {
    return `tidewire.${name.replace('.', '_')}`;
}

function viewSql(relation: SystemRelation): string {
    const name = `${relation.schema}.${quoteIdentifier(relation.name)}`;
    const setting = `pg_catalog.current_setting(${quoteLiteral(settingOf(fullName(relation)))}, true)`;
    const columns = Object.entries(relation.columns).map(
        ([column, type], index) =>
            `(r ->> ${index})::pg_catalog.${type}${type === 'name' ? ' COLLATE "C"' : ''} AS ${quoteIdentifier(column)}`,
    );
    return (
        `CREATE OR REPLACE VIEW ${name} AS SELECT ${columns.join(', ')} FROM ` +
        `pg_catalog.json_array_elements(coalesce(nullif(${setting}, ''), '[]')::pg_catalog.json) AS e (r);\n` +
        `GRANT SELECT ON ${name} TO PUBLIC`
    );
}
