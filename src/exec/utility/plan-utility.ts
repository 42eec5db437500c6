/**
 * Plans every statement that is neither a query nor a change of rows: one case per kind of parse tree. DDL goes to the
 * DDL executor.
 *
 * What must stay true: a statement that is not listed here is refused, never accepted and ignored.
 */
import {asFields, type AstFields} from '../../../catalog/ddl/ast.ts';
import {isDdlKind} from '../../../catalog/ddl/plan.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {tagOf} from '../../sql/nodes.ts';
import type {OwnStatement} from '../../sql/own-statements/own-statement.ts';
import {planCopy} from '../copy/plan-copy.ts';
import type {Plan} from '../plan.ts';
import type {Planner, Statement} from '../planner.ts';
import type {StatementContext} from '../statement-context.ts';
import {planClose, planDeclare, planFetch} from './cursor-statements.ts';
import {planExplain} from './explain.ts';
import {
    planCopySubscribe,
    planExplainSubscribe,
    planLiveListen,
    planLiveUnlisten,
    planSubscribe,
} from './live-statements.ts';
import {planCall, planCheckpoint, planJob, planTruncate, planVacuum, tableNamed} from './maintenance-statements.ts';
import {planListen, planNotify, planUnlisten} from './notification-statements.ts';
import {commandPlan} from './plans.ts';
import {planDeallocate, planExecute, planPrepare} from './prepare-statements.ts';
import {planDiscard, planVariableSet, planVariableShow} from './setting-statements.ts';
import {stop} from './system-functions.ts';
import {planSetConstraints, planTransaction} from './transaction-statements.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

export async function planUtility(
    statement: Statement,
    parameterTypes: readonly number[],
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    // A utility statement has no parameters: PostgreSQL accepts types for them in Parse and ignores what is not used.
    const declared = parameterTypes.length;
    if (statement.kind === 'own') return await planOwn(statement, context, planner);
    const kind = tagOf(statement.tree);
    const fields = asFields(statement.tree[kind]);
    if (isDdlKind(kind, fields)) return await context.database.ddl.plan(statement, context);
    const plan = await planParsed(statement, kind, fields, context, planner);
    return declared === 0 ? plan : {...plan, parameterTypes};
}

async function planParsed(
    statement: Parsed,
    kind: string,
    fields: AstFields,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    switch (kind) {
        case 'TransactionStmt':
            return planTransaction(fields, context);
        case 'VariableSetStmt':
            return planVariableSet(statement.sql, fields, context);
        case 'VariableShowStmt':
            return await planVariableShow(fields, context);
        case 'DiscardStmt':
            return planDiscard(fields, context);
        case 'ConstraintsSetStmt':
            return planSetConstraints(fields, context);
        case 'ListenStmt':
            return planListen(fields, context);
        case 'UnlistenStmt':
            return planUnlisten(fields, context);
        case 'NotifyStmt':
            return planNotify(fields, context);
        case 'PrepareStmt':
            return planPrepare(statement, fields, context);
        case 'ExecuteStmt':
            return await planExecute(statement, fields, context, planner);
        case 'DeallocateStmt':
            return planDeallocate(fields, context);
        case 'DeclareCursorStmt':
            return await planDeclare(statement, fields, context, planner);
        case 'FetchStmt':
            return planFetch(fields, context);
        case 'ClosePortalStmt':
            return planClose(fields, context);
        case 'ExplainStmt':
            return await planExplain(statement, fields, context, planner);
        case 'CreateTableAsStmt':
            return await context.database.ddl.plan(statement, context);
        case 'TruncateStmt':
            return planTruncate(fields, context);
        case 'VacuumStmt':
            return planVacuum(fields, context);
        case 'CheckPointStmt':
            return planCheckpoint(context);
        case 'CallStmt':
            return planCall(fields, context);
        case 'CopyStmt':
            return await planCopy(statement, context, planner);
        default:
            throw refused(kind, context);
    }
}

const REFUSED: Readonly<Record<string, readonly [string, string?]>> = {
    DoStmt: ['DO', 'Send the statements themselves.'],
    LoadStmt: ['LOAD'],
    ReindexStmt: ['REINDEX', 'Indexes are kept with the rows and need no rebuilding.'],
    ClusterStmt: ['CLUSTER', 'Rows are kept in the order of the primary key.'],
};

function refused(kind: string, context: StatementContext): PgError {
    if (kind === 'LockStmt') {
        const {inBlock, manyStatements} = context.session.transaction;
        if (!inBlock && !manyStatements) {
            return new PgError('25P01', 'LOCK TABLE can only be used in transaction blocks');
        }
        return notSupported('LOCK TABLE', 'Lock the rows: SELECT … FOR UPDATE.');
    }
    const [what, hint] = REFUSED[kind] ?? ['this statement'];
    return notSupported(what, hint);
}

async function planOwn(
    statement: Extract<Statement, {kind: 'own'}>,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    const {own} = statement;
    switch (own.kind) {
        case 'listen':
            return await planLiveListen(own, context, planner);
        case 'unlisten':
            return planLiveUnlisten(own, context);
        case 'subscribe':
            return await planSubscribe(own, context, planner);
        case 'copy subscribe':
            return await planCopySubscribe(own, context, planner);
        case 'explain subscribe':
            return planExplainSubscribe(own, context, planner);
        case 'kill live query':
        case 'kill job':
            return planKill(own, context);
        case 'storage flush':
        case 'storage compact': {
            const table = tableNamed(context, own.table.schema, own.table.name);
            const verb = own.kind === 'storage flush' ? 'flush' : 'compact';
            return planJob(verb, table, context, own.kind.toUpperCase());
        }
        case 'storage flush all':
        case 'storage compact all':
            return planStorageAll(own, context);
        default:
            return await context.database.ddl.plan(statement, context);
    }
}

function planKill(own: Extract<OwnStatement, {kind: 'kill live query' | 'kill job'}>, context: StatementContext): Plan {
    const isJob = own.kind === 'kill job';
    return commandPlan(context, (executing) => {
        if (stop(isJob ? 'cancel_job' : 'kill_live_query', own.id, executing)) return own.kind.toUpperCase();
        throw new PgError('42704', `${isJob ? 'job' : 'live query'} "${own.id}" does not exist`);
    });
}

function planStorageAll(
    own: Extract<OwnStatement, {kind: 'storage flush all' | 'storage compact all'}>,
    context: StatementContext,
): Plan {
    const verb = own.kind === 'storage flush all' ? 'flush' : 'compact';
    if (own.schema !== undefined && context.catalog.schema(own.schema) === undefined) {
        throw new PgError('3F000', `schema "${own.schema}" does not exist`);
    }
    if (!context.identity.superuser) throw new PgError('42501', `must be superuser to ${verb} all tables`);
    return commandPlan(context, async ({database, catalog}) => {
        for (const table of catalog.tables()) {
            if (own.schema === undefined || table.schema === own.schema) await database.jobs[verb](table);
        }
        return own.kind.toUpperCase();
    });
}
