/**
 * SELECT system.kill_live_query('id') and SELECT system.cancel_job('id'): functions of the server itself, recognised in
 * exactly this form. KILL LIVE QUERY and KILL JOB are the same as commands.
 */
import {asFields, nodesOf, textOf} from '../../../catalog/ddl/ast.ts';
import {PgError} from '../../../catalog/errors.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {Node} from '../../sql/nodes.ts';
import {selectTag} from '../point/select.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {field, rowsPlan} from './plans.ts';

export type SystemFunction = 'kill_live_query' | 'cancel_job';

/** undefined: the statement is an ordinary one. */
export function systemFunctionPlan(tree: Node, context: StatementContext): Plan | undefined {
    const select = asFields(tree['SelectStmt']);
    const [target, second] = nodesOf(select, 'targetList');
    if (target === undefined || second !== undefined || select['fromClause'] !== undefined) return undefined;
    const call = asFields(asFields(target.fields['val'])['FuncCall']);
    const [schema, name] = nodesOf(call, 'funcname').map((part) => textOf(part.fields, 'sval'));
    if (schema !== 'system' || (name !== 'kill_live_query' && name !== 'cancel_job')) return undefined;
    const [arg, more] = nodesOf(call, 'args');
    const id = arg?.kind === 'A_Const' ? textOf(asFields(arg.fields['sval']), 'sval') : undefined;
    if (id === undefined || more !== undefined || select['whereClause'] !== undefined) {
        throw new PgError('0A000', `this use of system.${name} is not supported`, {
            hint: `Use exactly SELECT system.${name}('id').`,
        });
    }
    const column = field(textOf(target.fields, 'name') ?? name, OID.bool);
    return rowsPlan(context, [column], (executing) => [[stop(name, id, executing)]], selectTag);
}

/** False when there is nothing with this id. @throws PgError 42501. */
export function stop(kind: SystemFunction, id: string, context: StatementContext): boolean {
    const {database, identity} = context;
    if (kind === 'kill_live_query') {
        const info = database.live.list().find((each) => each.id === id);
        if (info === undefined) return false;
        if (!identity.superuser && info.user !== identity.user) {
            throw new PgError('42501', 'must be superuser or the same role to end a live query of another role');
        }
        return database.live.kill(id);
    }
    if (!identity.superuser) throw new PgError('42501', 'must be superuser to cancel a job');
    return database.jobs.cancel(id);
}
