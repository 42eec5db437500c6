/**
 * Plans COPY: which direction, which table or query, and what of PostgreSQL's COPY is refused.
 */
import {asFields} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {Node} from '../../sql/nodes.ts';
import {tagOf} from '../../sql/nodes.ts';
import type {Plan} from '../plan.ts';
import type {Planner, Statement} from '../planner.ts';
import {requirePrivileges} from '../privileges.ts';
import type {StatementContext} from '../statement-context.ts';
import {textAfterLastWord, textInParentheses} from '../utility/source-text.ts';
import {planCopyFrom} from './copy-from.ts';
import {type CopyStatement, readCopyOptions, readCopyStatement} from './copy-options.ts';
import {copyTarget, insertOf, selectOf} from './copy-target.ts';
import {planCopyTo} from './copy-to.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

export async function planCopy(statement: Parsed, context: StatementContext, planner: Planner): Promise<Plan> {
    const fields = asFields(statement.tree['CopyStmt']);
    const copy = readCopyStatement(fields);
    refuseFiles(copy);
    const options = readCopyOptions(fields, copy.isFrom);
    if (copy.isFrom) {
        const where = copy.hasWhere ? textAfterLastWord(statement.sql, 'where').text : undefined;
        const target = copyTarget(copy, context);
        await requirePrivileges(insertOf(target), context);
        return planCopyFrom({target, options, where}, context.catalog.version);
    }
    if (copy.table !== undefined) {
        const target = copyTarget(copy, context);
        const [select] = planner.split(selectOf(target));
        if (select === undefined || select.kind !== 'parsed') throw new PgError('XX000', 'COPY made no query');
        const inner = await planner.planQuery(select, [], context);
        return planCopyTo(inner, options, target.table);
    }
    const inner = await planner.planQuery(queryOf(statement, copy.query as Node), [], context);
    return planCopyTo(inner, options, undefined);
}

function queryOf(statement: Parsed, tree: Node): Parsed {
    const kind = tagOf(tree);
    const content = asFields(tree[kind]);
    if (kind === 'SelectStmt' && content['intoClause'] !== undefined) throw notSupported('COPY (SELECT INTO)');
    if (kind !== 'SelectStmt' && content['returningClause'] === undefined && content['returningList'] === undefined) {
        throw new PgError('0A000', 'COPY query must have a RETURNING clause');
    }
    const {text, offset} = textInParentheses(statement.sql);
    return {kind: 'parsed', sql: text, offset: statement.offset + offset, tree, endsTransaction: false};
}

/** Files and programs are the server's own: no client may reach them. */
function refuseFiles(copy: CopyStatement): void {
    if (copy.file === undefined) return;
    const what = copy.isProgram
        ? `COPY ${copy.isFrom ? 'FROM' : 'TO'} PROGRAM`
        : `COPY ${copy.isFrom ? 'FROM' : 'TO'} a file of the server`;
    throw new PgError('42501', `${what} is not allowed`, {
        hint: `Use COPY ${copy.isFrom ? 'FROM STDIN' : 'TO STDOUT'}. psql's \\copy command works for a file of the client.`,
    });
}
