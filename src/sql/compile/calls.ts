/**
 * Function calls to closures: by the tables of registered functions, and by hand where arguments may be NULL, are
 * constants, or are of any type.
 */
import type {Datum, PgArray} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {Expr, FunctionExpr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import {compileNode} from './compile-expression.ts';
import {compileDateTrunc, compileExtract} from './datetime-fields.ts';
import './datetime-functions.ts';
import './json-functions.ts';
import './number-functions.ts';
import './text-functions.ts';
import {callOf} from './registry.ts';
import type {CompileScope, Evaluate} from './scope.ts';
import {typesOf} from './scope.ts';

type Compile = (expr: FunctionExpr, scope: CompileScope) => Evaluate;

/** undefined when the function is not covered. */
export function baseCallOf(expr: FunctionExpr, scope: CompileScope): Evaluate | undefined {
    const special = SPECIAL[expr.name];
    if (special !== undefined) return special(expr, scope);
    const types = typesOf(scope);
    const call = callOf(
        expr.name,
        expr.args.map((arg) => types.get(arg.type.oid)?.baseOid ?? arg.type.oid),
    );
    if (call === undefined) return undefined;
    const compiled = expr.args.map((arg) => compileNode(arg, scope));
    return (frame) => {
        const values: Datum[] = [];
        let hasNull = false;
        for (const arg of compiled) {
            const value = arg(frame);
            if (value === null) hasNull = true;
            values.push(value);
        }
        return hasNull ? null : call(values, frame.context);
    };
}

function sequenceOf(expr: FunctionExpr): string {
    const [first] = expr.args;
    if (first?.kind !== 'const' || typeof first.value !== 'string') throw new Unsupported('sequence');
    return first.value;
}

/** Values as their type prints them, which is what concat() and its like put together. */
function printed(arg: Expr, scope: CompileScope): Evaluate {
    const type = typesOf(scope).get(arg.type.oid);
    if (type === undefined) throw new Unsupported('concat');
    const evaluate = compileNode(arg, scope);
    return (frame) => {
        const value = evaluate(frame);
        return value === null ? null : type.print(value, frame.context.settings);
    };
}

function arrayFunction(apply: (array: PgArray, argument: Datum) => Datum): Compile {
    return (expr, scope) => {
        const [array, argument] = expr.args.map((arg) => compileNode(arg, scope));
        if (array === undefined) throw new Unsupported(expr.name);
        return (frame) => {
            const list = array(frame) as PgArray | null;
            const other = argument === undefined ? null : argument(frame);
            if (list === null || (argument !== undefined && other === null)) return null;
            return apply(list, other);
        };
    };
}

const SPECIAL: Readonly<Record<string, Compile>> = {
    nextval: (expr) => {
        const sequence = sequenceOf(expr);
        return ({context}) => context.nextval(sequence);
    },
    currval: (expr) => {
        const sequence = sequenceOf(expr);
        return ({context}) => context.currval(sequence);
    },
    lastval: () => (frame) => frame.context.lastval(),
    setval: (expr, scope) => {
        const sequence = sequenceOf(expr);
        const [value, isCalled] = expr.args.slice(1).map((arg) => compileNode(arg, scope));
        if (value === undefined) throw new Unsupported('setval');
        return (frame) => {
            const next = value(frame);
            const called = isCalled === undefined ? true : isCalled(frame);
            if (next === null || called === null) return null;
            return frame.context.setval(sequence, next as bigint, called === true);
        };
    },
    concat: (expr, scope) => {
        const args = expr.args.map((arg) => printed(arg, scope));
        return (frame) => {
            let result = '';
            for (const arg of args) result += (arg(frame) ?? '') as string;
            return result;
        };
    },
    concat_ws: (expr, scope) => {
        const [separator, ...rest] = expr.args;
        if (separator === undefined) throw new Unsupported('concat_ws');
        const between = compileNode(separator, scope);
        const args = rest.map((arg) => printed(arg, scope));
        return (frame) => {
            const text = between(frame);
            if (text === null) return null;
            const values = args.map((arg) => arg(frame) as string | null).filter((value) => value !== null);
            return values.join(text as string);
        };
    },
    num_nulls: (expr, scope) => {
        const args = expr.args.map((arg) => compileNode(arg, scope));
        return (frame) => args.filter((arg) => arg(frame) === null).length;
    },
    num_nonnulls: (expr, scope) => {
        const args = expr.args.map((arg) => compileNode(arg, scope));
        return (frame) => args.filter((arg) => arg(frame) !== null).length;
    },
    quote_nullable: quoteNullable,
    date_trunc: compileDateTrunc,
    extract: compileExtract,
    date_part: compileExtract,
    cardinality: arrayFunction((array) => array.elements.length),
    array_length: arrayFunction((array, dimension) => array.dims[(dimension as number) - 1] ?? null),
    array_ndims: arrayFunction((array) => (array.dims.length === 0 ? null : array.dims.length)),
    array_lower: arrayFunction((array, dimension) => array.lowerBounds[(dimension as number) - 1] ?? null),
    array_upper: arrayFunction((array, dimension) => {
        const index = (dimension as number) - 1;
        const [length, lower] = [array.dims[index], array.lowerBounds[index]];
        return length === undefined || lower === undefined ? null : lower + length - 1;
    }),
};

function quoteNullable(expr: FunctionExpr, scope: CompileScope): Evaluate {
    const [arg] = expr.args;
    if (arg === undefined || arg.type.oid !== OID.text) throw new Unsupported('quote_nullable');
    const quote = callOf('quote_literal', [OID.text]);
    if (quote === undefined) throw new Unsupported('quote_nullable');
    const evaluate = compileNode(arg, scope);
    return (frame) => {
        const value = evaluate(frame);
        return value === null ? 'NULL' : quote([value], frame.context);
    };
}
