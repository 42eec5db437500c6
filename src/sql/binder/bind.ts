/**
 * The binder's entry: a statement's parse tree and what the catalog says, to a bound tree.
 *
 * What must stay true: anything not resolved with certainty throws `Unsupported`, errors of the user included: the
 * reference path's real PostgreSQL then reports them with its own words and position.
 */
import type {TableDescriptor, TypeRef} from '../../../catalog/descriptor.ts';
import type {BoundStatement, Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {Node} from '../nodes.ts';
import {as, tagOf} from '../nodes.ts';
import {parseStatements} from '../parse.ts';
import {coerceToBoolean, coerceToTarget} from './coerce.ts';
import type {BindContext} from './context.ts';
import {StatementState} from './context.ts';
import {bindExpression} from './expressions.ts';
import {tableScope} from './from.ts';
import {bindDelete, bindInsert, bindUpdate} from './modify.ts';
import {QueryScope} from './scope.ts';
import {bindQueryNode} from './select.ts';

export function bindStatement(tree: Node, context: BindContext): BoundStatement {
    const state = new StatementState(context);
    const statement = bindByTag(state, tree);
    return {
        statement,
        parameterTypes: state.finishedParameterTypes(),
        tables: state.tables,
        rowLock: state.rowLock,
        dependsOnSettings: state.dependsOnSettings,
    };
}

function bindByTag(state: StatementState, tree: Node): BoundStatement['statement'] {
    if (as(tree, 'SelectStmt') !== undefined) {
        return bindQueryNode(state, undefined, tree, {resolveUnknowns: true, isTop: true});
    }
    const insert = as(tree, 'InsertStmt');
    if (insert !== undefined) return bindInsert(state, insert);
    const update = as(tree, 'UpdateStmt');
    if (update !== undefined) return bindUpdate(state, update);
    const remove = as(tree, 'DeleteStmt');
    if (remove !== undefined) return bindDelete(state, remove);
    throw new Unsupported(tagOf(tree));
}

/** A CHECK constraint's condition over source 0 = the table. */
export function bindCheck(sql: string, table: TableDescriptor, context: BindContext): Expr {
    const state = new StatementState(context);
    const scope = tableScope(table, table.name, true);
    scope.clause = 'check';
    return coerceToBoolean(state, bindExpression(state, scope, parseExpression(sql)));
}

/** A column's default, cast to the column's type. It sees no columns. */
export function bindDefault(sql: string, table: TableDescriptor, attnum: number, context: BindContext): Expr {
    const column = table.columns.find((each) => each.attnum === attnum);
    if (column === undefined) throw new Unsupported('column');
    const state = new StatementState(context);
    const scope = new QueryScope();
    scope.clause = 'values';
    return coerceToTarget(state, bindExpression(state, scope, parseExpression(sql)), column.type, 'assignment');
}

/** What a column's values become under another type: an expression over source 0 = the table, cast as an assignment is. */
export function bindConversion(sql: string, table: TableDescriptor, type: TypeRef, context: BindContext): Expr {
    const state = new StatementState(context);
    const scope = tableScope(table, table.name, true);
    scope.clause = 'check';
    return coerceToTarget(state, bindExpression(state, scope, parseExpression(sql)), type, 'assignment');
}

function parseExpression(sql: string): Node {
    const [statement] = parseStatements(`SELECT ${sql}`);
    const target = as(as(statement?.tree, 'SelectStmt')?.targetList?.[0], 'ResTarget');
    if (target?.val === undefined) throw new Unsupported('expression');
    return target.val;
}
