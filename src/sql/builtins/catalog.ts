/**
 * The tables of built-ins, parsed once into maps: operators, functions, casts and types of pg_catalog by name and oid.
 *
 * What must stay true: types are oids here; a line of a table that names an unknown type is a bug of generate.ts.
 */
import assert from 'node:assert/strict';
import {CASTS} from './casts.ts';
import {FUNCTIONS} from './functions.ts';
import {OPERATORS} from './operators.ts';
import {TYPES} from './types.ts';

export interface BuiltinType {
    readonly oid: number;
    readonly name: string;
    /** pg_type.typtype: b base, p pseudo, r range, m multirange. */
    readonly kind: string;
    readonly category: string;
    readonly preferred: boolean;
    /** Element type of a true array, else 0. */
    readonly element: number;
    readonly array: number;
}

export interface BuiltinOperator {
    readonly name: string;
    /** 0 for a prefix operator. */
    readonly left: number;
    readonly right: number;
    readonly result: number;
}

export interface BuiltinFunction {
    readonly name: string;
    readonly args: readonly number[];
    readonly result: number;
    readonly kind: 'function' | 'aggregate' | 'ordered-set' | 'hypothetical-set' | 'window';
    /** Direct arguments of an ordered-set aggregate. */
    readonly directArgs: number;
    readonly volatility: 'i' | 's' | 'v';
    readonly returnsSet: boolean;
    readonly variadic: boolean;
    readonly hasDefaults: boolean;
    readonly hasOutParameters: boolean;
}

export interface BuiltinCast {
    readonly context: 'implicit' | 'assignment' | 'explicit';
    readonly method: 'function' | 'io' | 'binary';
}

const typesByOid = new Map<number, BuiltinType>();
const typesByName = new Map<string, BuiltinType>();
const operators = new Map<string, BuiltinOperator[]>();
const functions = new Map<string, BuiltinFunction[]>();
const casts = new Map<number, Map<number, BuiltinCast>>();

export function builtinType(oid: number): BuiltinType | undefined {
    return typesByOid.get(oid);
}

/** By pg_type.typname: `int4`, `_text`. */
export function builtinTypeNamed(name: string): BuiltinType | undefined {
    return typesByName.get(name);
}

export function operatorsNamed(name: string): readonly BuiltinOperator[] {
    return operators.get(name) ?? [];
}

/** All overloads, or none when the name is not in the table. */
export function functionsNamed(name: string): readonly BuiltinFunction[] {
    return functions.get(name) ?? [];
}

export function castBetween(source: number, target: number): BuiltinCast | undefined {
    return casts.get(source)?.get(target);
}

function rows(table: string): readonly (readonly string[])[] {
    return table
        .trim()
        .split('\n')
        .map((line) => line.split(' '));
}

function oidOf(name: string | undefined): number {
    const type = typesByName.get(name ?? '');
    assert(type !== undefined, `no type ${name}`);
    return type.oid;
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
    const list = map.get(key);
    if (list === undefined) map.set(key, [value]);
    else list.push(value);
}

for (const [oid, name, kind, category, preferred, element, array] of rows(TYPES)) {
    assert(name !== undefined && kind !== undefined && category !== undefined);
    const type: BuiltinType = {
        oid: Number(oid),
        name,
        kind,
        category,
        preferred: preferred === '1',
        element: Number(element),
        array: Number(array),
    };
    typesByOid.set(type.oid, type);
    typesByName.set(name, type);
}

for (const [name, left, right, result] of rows(OPERATORS)) {
    assert(name !== undefined);
    push(operators, name, {name, left: left === '-' ? 0 : oidOf(left), right: oidOf(right), result: oidOf(result)});
}

const KINDS = {f: 'function', a: 'aggregate', o: 'ordered-set', h: 'hypothetical-set', w: 'window'} as const;

for (const [name, args, result, flags] of rows(FUNCTIONS)) {
    assert(name !== undefined && args !== undefined && flags !== undefined);
    const parts = /^([faohw])(\d*)([isv])(s?)(v?)(d?)(o?)$/.exec(flags);
    assert(parts !== null, flags);
    push(functions, name, {
        name,
        args: args === '-' ? [] : args.split(',').map(oidOf),
        result: oidOf(result),
        kind: KINDS[parts[1] as keyof typeof KINDS],
        directArgs: Number(parts[2] ?? 0),
        volatility: parts[3] as 'i' | 's' | 'v',
        returnsSet: parts[4] !== '',
        variadic: parts[5] !== '',
        hasDefaults: parts[6] !== '',
        hasOutParameters: parts[7] !== '',
    });
}

const CONTEXTS = {i: 'implicit', a: 'assignment', e: 'explicit'} as const;
const METHODS = {f: 'function', i: 'io', b: 'binary'} as const;

for (const [source, target, how] of rows(CASTS)) {
    assert(how !== undefined);
    const cast: BuiltinCast = {
        context: CONTEXTS[how.charAt(0) as keyof typeof CONTEXTS],
        method: METHODS[how.charAt(1) as keyof typeof METHODS],
    };
    const from = oidOf(source);
    const targets = casts.get(from) ?? new Map<number, BuiltinCast>();
    targets.set(oidOf(target), cast);
    casts.set(from, targets);
}
