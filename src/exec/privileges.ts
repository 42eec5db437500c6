/**
 * The privileges of roles that are no superusers. PostgreSQL checks them when it starts a statement, after it has typed
 * it, and EXPLAIN starts a statement without running it: so the twin explains each statement once, as the session's
 * role, with the role's grants, memberships, columns and views as PostgreSQL has them.
 *
 * What must stay true: no plan of a role that is no superuser leaves the planner without this. What the twin says
 * holds for the catalog version the plan was made for: GRANT and REVOKE make a new one. A statement that cannot be
 * explained without its parameters' values is explained again with them at each start, never let through.
 */
import {PgError} from '../../catalog/errors.ts';
import {tagOf} from '../sql/nodes.ts';
import type {Parameters, Plan} from './plan.ts';
import {dependenciesOf} from './reference/dependencies.ts';
import {dependencySource, movedError, type ReferenceStatement, twinStatement} from './reference/described.ts';
import {mentionsOf} from './reference/mentions.ts';
import {twinParameters} from './reference/reference-path.ts';
import {asServer} from './reference/server-rights.ts';
import type {SplicedText} from './reference/splices.ts';
import {addSystemColumnsSql} from './reference/system-columns.ts';
import type {StatementContext} from './statement-context.ts';

export interface CheckedPlan {
    readonly plan: Plan;
    /** The role may run every statement that names the same things. */
    readonly granted: boolean;
}

/** The plan, or one that fails as PostgreSQL does when it is started. */
export async function withPrivileges(
    plan: Plan,
    statement: ReferenceStatement,
    context: StatementContext,
): Promise<CheckedPlan> {
    if (context.identity.superuser || !namesRelations(plan, statement)) return {plan, granted: true};
    try {
        await explain(statement, plan.parameterTypes, undefined, context);
        return {plan, granted: true};
    } catch (error) {
        // With a position it is an error of names, found while the statement is read: the rights to a schema.
        if (!(error instanceof PgError) || (error.code === '42501' && error.position !== undefined)) throw error;
        if (error.code === '42501') {
            const refuse = (): never => {
                throw error;
            };
            return {plan: {...plan, start: refuse, explain: refuse}, granted: false};
        }
        // The planner has evaluated something that fails, perhaps only for NULLs: the right values say.
        return {
            plan: {
                ...plan,
                needsRaw: true,
                async start(executing, parameters) {
                    await explain(statement, plan.parameterTypes, parameters, executing);
                    return await plan.start(executing, parameters);
                },
            },
            granted: false,
        };
    }
}

/** For commands that are no queries and need the rights of one. @throws PgError 42501. */
export async function requirePrivileges(sql: string, context: StatementContext): Promise<void> {
    if (context.identity.superuser) return;
    const [parsed] = context.database.planner.parser.parse(sql);
    if (parsed !== undefined) await explain({sql, tree: parsed.tree, offset: 0}, [], undefined, context);
}

/** Without relations there is nothing to check; what runs on the twin as it is, is checked there. */
function namesRelations(plan: Plan, {tree}: ReferenceStatement): boolean {
    const tag = tagOf(tree);
    if (tag !== 'SelectStmt') return true;
    const mentions = mentionsOf({[tag]: tree[tag]});
    return mentions.relations.length > 0 && plan.path !== 'reference';
}

async function explain(
    statement: ReferenceStatement,
    parameterTypes: readonly number[],
    parameters: Parameters | undefined,
    context: StatementContext,
): Promise<void> {
    const {twinContext, signal} = context;
    const mentions = mentionsOf(statement.tree);
    const dependencies = dependenciesOf(mentions, dependencySource(context));
    const text = twinStatement(statement, mentions, dependencies, context);
    const values =
        parameters === undefined ? parameterTypes.map(() => null) : twinParameters(context, parameterTypes, parameters);
    await context.database.twin
        .transaction(
            twinContext,
            async (t) => {
                if (text.systemColumns) await asServer(t, twinContext, addSystemColumnsSql(dependencies.tables));
                await t.execute({sql: PREFIX + text.sql, parameterTypes, parameters: values});
            },
            {commit: false, signal},
        )
        .catch((error: unknown) => {
            throw relocated(error, statement, text.spliced);
        });
}

const PREFIX = 'EXPLAIN ';

/** With its position in what the user sent. */
function relocated(error: unknown, {offset}: ReferenceStatement, spliced: SplicedText | undefined): unknown {
    if (!(error instanceof PgError) || error.position === undefined) return error;
    const inText = error.position - PREFIX.length;
    return movedError(error, (spliced?.originalPosition(inText) ?? inText) + offset);
}
