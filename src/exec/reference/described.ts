/**
 * A statement as the twin describes it, with everything that running it there needs to know: the base of every plan of
 * the reference path.
 *
 * What must stay true: errors of the twin are the user's, with positions in the user's own text; the tree's locations
 * belong to `sql`.
 */
import {PgError} from '../../../catalog/errors.ts';
import {withPresentNames} from '../../../catalog/twin/compatibility.ts';
import type {TwinDescription} from '../../../catalog/twin/twin-transaction.ts';
import type {FieldDescription} from '../../../wire/handler.ts';
import type {Node, RangeVar} from '../../sql/nodes.ts';
import {notSupported} from '../../../catalog/errors.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {dependenciesOf, type Dependencies, type DependencySource} from './dependencies.ts';
import {effectCalls} from './effect-calls.ts';
import {type Mentions, mentionsOf} from './mentions.ts';
import {asServer} from './server-rights.ts';
import {Splices, type SplicedText} from './splices.ts';
import {addSystemColumnsSql, writeOutStars} from './system-columns.ts';

export interface ReferenceStatement {
    readonly sql: string;
    readonly tree: Node;
    /** Of `sql` in the whole query string, in characters. */
    readonly offset: number;
}

export interface Described {
    /** The text to edit further: the user's, with stars written out where hidden columns are named. */
    readonly sql: string;
    /** Parsed from `sql`. */
    readonly tree: Node;
    readonly mentions: Mentions;
    readonly dependencies: Dependencies;
    /** The twin's tables get `_seq` and `_updated` for this statement. */
    readonly systemColumns: boolean;
    readonly parameterTypes: readonly number[];
    readonly fields: readonly FieldDescription[] | null;
    readonly reason: string;
    readonly catalogVersion: number;
    /** An error about `sql`, as one about the query string. */
    readonly relocate: (error: unknown, spliced?: SplicedText) => unknown;
}

export async function describeStatement(
    statement: ReferenceStatement,
    parameterTypes: readonly number[],
    reason: string,
    context: StatementContext,
): Promise<Described> {
    const mentions = mentionsOf(statement.tree);
    if (mentions.modifyingCte) {
        throw notSupported(
            'a WITH query that inserts, updates or deletes',
            'Run it as a statement of its own, in one transaction.',
        );
    }
    if (mentions.into) throw notSupported('SELECT INTO', 'Use CREATE TABLE … AS.');
    const carriedCalls = new Set(effectCalls(statement.tree).map(({call}) => call));
    const dependencies = dependenciesOf(mentions, {...dependencySource(context), carriedCalls});
    const text = twinStatement(statement, mentions, dependencies, context);
    const relocate = (error: unknown, spliced?: SplicedText): unknown => {
        if (!(error instanceof PgError) || error.position === undefined) return error;
        const position = spliced === undefined ? error.position : spliced.originalPosition(error.position);
        return movedError(error, (text.spliced?.originalPosition(position) ?? position) + statement.offset);
    };
    let description: TwinDescription;
    try {
        description = await describe(text.sql, parameterTypes, text.systemColumns ? dependencies : undefined, context);
    } catch (error) {
        throw relocate(error);
    }
    return {
        sql: text.sql,
        tree: treeOf(text.sql, context),
        mentions,
        dependencies,
        systemColumns: text.systemColumns,
        parameterTypes: description.parameterTypes,
        fields: description.fields,
        reason,
        catalogVersion: context.catalog.version,
        relocate,
    };
}

/** What all plans of this path have in common. */
export function basePlan(described: Described): Omit<Plan, 'start'> {
    const {dependencies} = described;
    return {
        path: 'reference',
        reason: described.reason,
        parameterTypes: described.parameterTypes,
        fields: described.fields,
        catalogVersion: described.catalogVersion,
        writes: false,
        endsTransaction: false,
        needsRaw: true,
        explain: () => [
            ...dependencies.tables.map((table) => `Copy rows of "${table.schema}"."${table.name}"`),
            ...dependencies.systemRelations.map((name) => `Copy rows of ${name}`),
            ...dependencies.sequences.map((sequence) => `Copy sequence "${sequence.schema}"."${sequence.name}"`),
        ],
    };
}

export function dependencySource(context: StatementContext): DependencySource {
    const {catalog, database, searchPath} = context;
    return {
        catalog,
        searchPath,
        parse: (sql) => database.planner.parser.parse(sql),
        systemRelations: (relations) => database.reference.systemRelations.named(relations),
    };
}

export function treeOf(sql: string, context: StatementContext): Node {
    const [parsed, second] = context.database.planner.parser.parse(sql);
    if (parsed === undefined || second !== undefined) throw new PgError('XX000', 'one statement was expected');
    return parsed.tree;
}

interface StatementSql {
    readonly sql: string;
    readonly spliced: SplicedText | undefined;
    readonly systemColumns: boolean;
}

/** The statement as the twin can read it. */
export function twinStatement(
    statement: ReferenceStatement,
    mentions: Mentions,
    dependencies: Dependencies,
    context: StatementContext,
): StatementSql {
    if (dependencies.tables.length === 0) {
        // Nothing of the user's own: a catalog query, perhaps with names of an older PostgreSQL.
        return {sql: withPresentNames(statement.sql), spliced: undefined, systemColumns: false};
    }
    const systemColumns = mentions.systemColumns && addSystemColumnsSql(dependencies.tables).length > 0;
    if (!systemColumns) return {sql: statement.sql, spliced: undefined, systemColumns};
    const splices = new Splices(statement.sql);
    const findTable = (relation: RangeVar) => {
        const table = context.catalog.table(relation.schemaname, relation.relname, context.searchPath);
        if (table !== undefined && relation.schemaname === undefined && mentions.cteNames.has(relation.relname)) {
            throw notSupported(
                `a WITH query with the name of a table, "${table.name}", in a statement that names _seq or _updated`,
                'Give it another name.',
            );
        }
        return table;
    };
    writeOutStars(statement.sql, treeOf(statement.sql, context), findTable, splices);
    const spliced = splices.apply();
    return {sql: spliced.sql, spliced, systemColumns};
}

/** With tables that lack a column that is named: inside a transaction that adds it. */
async function describe(
    sql: string,
    parameterTypes: readonly number[],
    added: Dependencies | undefined,
    context: StatementContext,
): Promise<TwinDescription> {
    const {signal, twinContext} = context;
    const {twin} = context.database;
    if (added === undefined) return await twin.describe(twinContext, sql, parameterTypes, signal);
    return await twin.transaction(
        twinContext,
        async (t) => {
            await asServer(t, twinContext, addSystemColumnsSql(added.tables));
            return await t.describe(sql, parameterTypes);
        },
        {commit: false, signal},
    );
}

export function movedError(error: PgError, position: number): PgError {
    return new PgError(error.code, error.message, {
        severity: error.severity,
        detail: error.detail,
        hint: error.hint,
        position,
        schema: error.schema,
        table: error.table,
        column: error.column,
        dataType: error.dataType,
        constraint: error.constraint,
        where: error.where,
        cause: error,
    });
}
