/**
 * Tables of compiled operators and functions, by name and argument types.
 *
 * What must stay true: entries are strict (never called with NULL) unless they are registered otherwise; the
 * representation of each argument is what datum.ts says of its type. What is not in the table is `Unsupported`.
 */
import assert from 'node:assert/strict';
import type {Datum} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import {builtinTypeNamed} from '../builtins/catalog.ts';
import type {EvaluationContext} from './evaluation.ts';

export type Unary = (value: Datum, context: EvaluationContext) => Datum;
export type Binary = (left: Datum, right: Datum, context: EvaluationContext) => Datum;
export type Call = (args: readonly Datum[], context: EvaluationContext) => Datum;

const unaries = new Map<string, Unary>();
const binaries = new Map<string, Binary>();
const calls = new Map<string, Call>();

export type TypeWord = keyof typeof OID | `_${string}`;

export function oid(word: TypeWord): number {
    const found = word in OID ? OID[word as keyof typeof OID] : builtinTypeNamed(word)?.oid;
    assert(found !== undefined, word);
    return found;
}

/** A prefix operator. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller states the representation
export function prefix<A extends Datum>(op: string, type: TypeWord, evaluate: (value: A) => Datum): void {
    unaries.set(`${op} ${oid(type)}`, (value) => evaluate(value as A));
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller states the representation
export function infix<A extends Datum, B extends Datum>(
    op: string,
    left: TypeWord,
    right: TypeWord,
    evaluate: (left: A, right: B, context: EvaluationContext) => Datum,
): void {
    binaries.set(`${op} ${oid(left)} ${oid(right)}`, evaluate as unknown as Binary);
}

/** `lower(text)` is `define('lower', ['text'], …)`. Arguments arrive spread. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller states the representation
export function define<Args extends readonly Datum[]>(
    name: string,
    types: readonly TypeWord[],
    evaluate: (...args: Args) => Datum,
): void {
    defineIn(name, types, (_context, ...args: Args) => evaluate(...args));
}

/** A function that needs the session. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller states the representation
export function defineIn<Args extends readonly Datum[]>(
    name: string,
    types: readonly TypeWord[],
    evaluate: (context: EvaluationContext, ...args: Args) => Datum,
): void {
    const key = `${name} ${types.map(oid).join(' ')}`;
    assert(!calls.has(key), key);
    calls.set(key, (args, context) => evaluate(context, ...(args as unknown as Args)));
}

export function unaryOf(op: string, type: number): Unary | undefined {
    return unaries.get(`${op} ${type}`);
}

export function binaryOf(op: string, left: number, right: number): Binary | undefined {
    return binaries.get(`${op} ${left} ${right}`);
}

export function callOf(name: string, types: readonly number[]): Call | undefined {
    return calls.get(`${name} ${types.join(' ')}`);
}
