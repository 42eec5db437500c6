/**
 * UNION, INTERSECT and EXCEPT: transformSetOperationTree of PostgreSQL's analyze.c.
 *
 * What must stay true: the arms are cast to the unified column types explicitly; a literal of unknown type in an arm
 * is read as the unified type, not as text first.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {TypeRef} from '../../../catalog/descriptor.ts';
import type {BoundQuery, BoundSetOperation, OutputColumn} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {SelectStmt} from '../nodes.ts';
import {coerce} from './coerce.ts';
import type {StatementState} from './context.ts';
import {castColumns} from './query-columns.ts';
import type {QueryScope} from './scope.ts';
import type {QueryOptions} from './select.ts';
import {bindLimit, bindQuery, sortByOutput} from './select.ts';
import {canCoerce, commonType, isSortable} from './types.ts';

const OPERATIONS = {SETOP_UNION: 'union', SETOP_INTERSECT: 'intersect', SETOP_EXCEPT: 'except'} as const;

export function bindSetOperation(
    state: StatementState,
    scope: QueryScope,
    stmt: SelectStmt,
    ctes: BoundSetOperation['ctes'],
    _options: QueryOptions,
): BoundSetOperation {
    if (stmt.lockingClause !== undefined) throw new Unsupported('FOR UPDATE of a set operation');
    if (stmt.larg === undefined || stmt.rarg === undefined || stmt.op === undefined || stmt.op === 'SETOP_NONE') {
        throw new Unsupported('set operation');
    }
    const left = bindQuery(state, scope, stmt.larg, {resolveUnknowns: false});
    const right = bindQuery(state, scope, stmt.rarg, {resolveUnknowns: false});
    const op = OPERATIONS[stmt.op];
    const all = stmt.all === true;
    const combined = combine(state, left, right, op, all);
    const orderBy = sortByOutput(state, combined.columns, stmt.sortClause ?? []);
    scope.clause = 'limit';
    const {limit, offset, withTies} = bindLimit(state, scope, stmt);
    if (withTies) throw new Unsupported('WITH TIES of a set operation');
    return {kind: 'setop', ctes, op, all, ...combined, orderBy, limit, offset};
}

/** Unifies the columns of two arms and casts both to them. */
export function combine(
    state: StatementState,
    left: BoundQuery,
    right: BoundQuery,
    op: BoundSetOperation['op'],
    all: boolean,
): {left: BoundQuery; right: BoundQuery; columns: readonly OutputColumn[]} {
    if (left.columns.length !== right.columns.length) throw new Unsupported('set operation of different widths');
    const types = left.columns.map((column, i): TypeRef => {
        const other = right.columns[i] ?? column;
        const pair = [column.type.oid, other.type.oid];
        const oid = commonType(state, pair);
        if (oid === undefined) throw new Unsupported('set operation types do not unify');
        if (!pair.every((each) => canCoerce(state, each, oid, 'implicit'))) throw new Unsupported('set operation');
        const needsEquality = !all || op !== 'union';
        if (needsEquality && !isSortable(state, oid)) throw new Unsupported('set operation on this type');
        const sameType = column.type.oid === oid && other.type.oid === oid;
        return {oid, typmod: sameType && column.type.typmod === other.type.typmod ? column.type.typmod : -1};
    });
    const columns = left.columns.map((column, i) => ({
        name: column.name,
        type: types[i] ?? column.type,
        tableOid: 0,
        attnum: 0,
    }));
    return {left: castArm(state, left, types), right: castArm(state, right, types), columns};
}

function castArm(state: StatementState, arm: BoundQuery, types: readonly TypeRef[]): BoundQuery {
    if (arm.kind !== 'select' || !arm.columns.some((column) => column.type.oid === OID.unknown)) {
        return castColumns(arm, types);
    }
    const targets = arm.targets.map((target, i) =>
        target.expr.type.oid === OID.unknown
            ? {...target, expr: coerce(state, target.expr, types[i]?.oid ?? OID.text, 'implicit')}
            : target,
    );
    const columns = arm.columns.map((column, i) => ({...column, type: targets[i]?.expr.type ?? column.type}));
    return castColumns({...arm, targets, columns}, types);
}
