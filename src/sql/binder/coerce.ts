/**
 * Coercion of bound expressions: coerce_type and coerce_to_target_type of PostgreSQL's parse_coerce.c. Literals of
 * unknown type are read here, parameters of unknown type get theirs here.
 *
 * What must stay true: the result has exactly the wanted type; a literal that PostgreSQL would refuse, or whose value
 * changes with the clock, is `Unsupported`.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {TypeRef} from '../../../catalog/descriptor.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {CastExpr, Expr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {StatementState} from './context.ts';
import type {CoercionContext} from './types.ts';
import {
    ANY,
    BOOL,
    categoryOf,
    coercionPathway,
    commonType,
    elementOid,
    isDomain,
    isPolymorphic,
    isSupported,
    plain,
} from './types.ts';

/** Types whose literals depend on session settings. */
const SETTINGS_CATEGORIES = new Set(['D', 'T']);
const CLOCK_WORDS = /now|today|tomorrow|yesterday/i;

/** coerce_type: without a type modifier. */
export function coerce(state: StatementState, expr: Expr, target: number, context: CoercionContext): Expr {
    const source = expr.type.oid;
    if (source === target) return expr;
    if (source === OID.unknown && target === ANY) {
        // Functions that take anything read a literal as text, but a parameter's type stays open: an error.
        if (expr.kind === 'param') throw new Unsupported('parameter without a type');
        return coerceUnknown(state, expr, OID.text, -1);
    }
    if (source === OID.unknown) return coerceUnknown(state, expr, target, -1);
    if (target === ANY) return expr;
    if (isPolymorphic(target)) throw new Unsupported('polymorphic coercion');
    if (isDomain(state, target)) throw new Unsupported('coercion to a domain');
    if (!isSupported(state, target)) throw new Unsupported(`type ${target}`);
    if (coercionPathway(state, source, target, context) === undefined) throw new Unsupported('no such cast');
    return castNode(expr, plain(target), context);
}

/** coerce_to_target_type: with the length coercion that a type modifier asks for. */
export function coerceToTarget(state: StatementState, expr: Expr, target: TypeRef, context: CoercionContext): Expr {
    if (isDomain(state, target.oid) && expr.type.oid !== target.oid) throw new Unsupported('coercion to a domain');
    if (expr.type.oid === OID.unknown) {
        // The input function of interval alone is given the modifier; all others are coerced afterwards.
        const value = coerceUnknown(state, expr, target.oid, target.oid === OID.interval ? target.typmod : -1);
        return applyTypmod(value, target, context);
    }
    return applyTypmod(coerce(state, expr, target.oid, context), target, context);
}

function applyTypmod(expr: Expr, target: TypeRef, context: CoercionContext): Expr {
    if (expr.type.typmod === target.typmod) return expr;
    // One cast node can do both steps: conversion, then length.
    if (expr.kind === 'cast' && expr.type.typmod === -1 && expr.context === context) {
        return castNode(expr.arg, target, context);
    }
    return castNode(expr, target, context);
}

function castNode(arg: Expr, type: TypeRef, context: CoercionContext): CastExpr {
    return {kind: 'cast', type, arg, context};
}

function coerceUnknown(state: StatementState, expr: Expr, target: number, typmod: number): Expr {
    if (target === OID.unknown) return expr;
    if (expr.kind === 'param') {
        state.determineParameter(expr.index, target);
        if (!isSupported(state, target)) throw new Unsupported(`parameter of type ${target}`);
        return {kind: 'param', index: expr.index, type: plain(target)};
    }
    if (expr.kind !== 'const') throw new Unsupported('expression of unknown type');
    if (isDomain(state, target) || isPolymorphic(target)) throw new Unsupported('literal of a domain');
    if (expr.value === null) return {kind: 'const', type: plain(target), value: null};
    if (typeof expr.value !== 'string') throw new Unsupported('literal');
    return {kind: 'const', type: plain(target), value: readLiteral(state, expr.value, target, typmod)};
}

function readLiteral(state: StatementState, text: string, target: number, typmod: number): Datum {
    const type = state.context.types.get(target);
    if (type === undefined || !isSupported(state, target)) throw new Unsupported(`literal of type ${target}`);
    if (typmod >= 0) throw new Unsupported('interval fields');
    const element = elementOid(state, target);
    if (SETTINGS_CATEGORIES.has(categoryOf(state, element === 0 ? target : element).category)) {
        if (CLOCK_WORDS.test(text)) throw new Unsupported('literal that depends on the clock');
        state.dependsOnSettings = true;
    }
    try {
        return type.parse(text, state.context.settings);
    } catch (error) {
        if (error instanceof PgError) throw new Unsupported('invalid literal');
        throw error;
    }
}

/** coerce_to_boolean */
export function coerceToBoolean(state: StatementState, expr: Expr): Expr {
    if (expr.type.oid === OID.bool) return expr;
    return coerceToTarget(state, expr, BOOL, 'assignment');
}

/** An output column or sort key of unknown type becomes text. */
export function resolveUnknown(state: StatementState, expr: Expr): Expr {
    return expr.type.oid === OID.unknown ? coerce(state, expr, OID.text, 'implicit') : expr;
}

/** Brings all to the type that select_common_type chooses. */
export function unify(state: StatementState, exprs: readonly Expr[]): {type: TypeRef; exprs: Expr[]} {
    const oid = commonType(
        state,
        exprs.map((expr) => expr.type.oid),
    );
    if (oid === undefined) throw new Unsupported('types do not unify');
    const coerced = exprs.map((expr) => coerce(state, expr, oid, 'implicit'));
    return {type: {oid, typmod: commonTypmod(coerced.map((expr) => expr.type))}, exprs: coerced};
}

/** The modifier when all have the same, else none. */
export function commonTypmod(types: readonly TypeRef[]): number {
    const first = types[0]?.typmod ?? -1;
    return types.every((type) => type.typmod === first) ? first : -1;
}
