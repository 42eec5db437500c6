/**
 * The leaves that point queries are made of: a number column, compared or added to a constant or parameter.
 *
 * What must stay true: the same answers as the general way; no allocation, one closure deep.
 */
import {OID} from '../../../catalog/types/oids.ts';
import type {Expr, OperatorExpr} from '../bound.ts';
import {columnIndex} from './compile-expression.ts';
import {int4} from './number-operators.ts';
import type {CompileScope, Evaluate, Frame} from './scope.ts';

/** undefined when the expression has not that shape. */
export function fastOperator(expr: OperatorExpr, scope: CompileScope): Evaluate | undefined {
    const {left, right, op} = expr;
    if (left?.kind !== 'column' || left.level !== 0 || left.source !== 0 || left.column < 0) return undefined;
    if (left.type.oid !== OID.int4 || right.type.oid !== OID.int4) return undefined;
    const index = columnIndex(left, scope);
    if (right.kind === 'const')
        return typeof right.value === 'number' ? withConstant(op, index, right.value) : undefined;
    return right.kind === 'param' ? withParameter(op, index, right) : undefined;
}

function valueAt(frame: Frame, index: number): number | null {
    return frame.row0 === null ? null : ((frame.row0.values[index] ?? null) as number | null);
}

function withConstant(op: string, index: number, constant: number): Evaluate | undefined {
    switch (op) {
        case '=':
            return (frame) => {
                const value = valueAt(frame, index);
                return value === null ? null : value === constant;
            };
        case '<':
            return (frame) => {
                const value = valueAt(frame, index);
                return value === null ? null : value < constant;
            };
        case '>':
            return (frame) => {
                const value = valueAt(frame, index);
                return value === null ? null : value > constant;
            };
        case '+':
            return (frame) => {
                const value = valueAt(frame, index);
                return value === null ? null : int4(value + constant);
            };
        case '-':
            return (frame) => {
                const value = valueAt(frame, index);
                return value === null ? null : int4(value - constant);
            };
        default:
            return undefined;
    }
}

function withParameter(
    op: string,
    index: number,
    {index: parameter}: Extract<Expr, {kind: 'param'}>,
): Evaluate | undefined {
    switch (op) {
        case '=':
            return (frame) => {
                const value = valueAt(frame, index);
                const other = frame.parameters[parameter] as number | null;
                return value === null || other === null ? null : value === other;
            };
        case '+':
            return (frame) => {
                const value = valueAt(frame, index);
                const other = frame.parameters[parameter] as number | null;
                return value === null || other === null ? null : int4(value + other);
            };
        case '-':
            return (frame) => {
                const value = valueAt(frame, index);
                const other = frame.parameters[parameter] as number | null;
                return value === null || other === null ? null : int4(value - other);
            };
        default:
            return undefined;
    }
}
