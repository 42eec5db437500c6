/**
 * SELECT set_config(…), current_setting(…) and pg_notify(…) in their plain form: constants or parameters as arguments,
 * no FROM. They change or read the session, which the twin that runs other functions cannot.
 *
 * What must stay true: any other form is left to the other paths, never half understood here.
 */
import {type AstFields, type AstNode, asFields, isTrue, nodesOf, numberOf, textOf} from '../../../catalog/ddl/ast.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {Node} from '../../sql/nodes.ts';
import {selectTag} from '../point/select.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {notify} from './notification-statements.ts';
import {field, rowsPlan} from './plans.ts';
import {applySetting, showSetting} from './setting-statements.ts';

interface SessionFunction {
    readonly argumentTypes: readonly number[];
    readonly argumentsMin: number;
    readonly resultType: number;
    run(context: StatementContext, args: readonly Datum[]): Promise<Datum> | Datum;
}

const VOID = 2278;

const FUNCTIONS: Readonly<Record<string, SessionFunction>> = {
    set_config: {
        argumentTypes: [OID.text, OID.text, OID.bool],
        argumentsMin: 3,
        resultType: OID.text,
        async run(context, [name, value, isLocal]) {
            if (name === null) throw new PgError('22004', 'SET requires parameter name');
            return await applySetting(context, {
                name: name as string,
                value: value === null ? undefined : (value as string),
                isLocal: isLocal === true,
            });
        },
    },
    current_setting: {
        argumentTypes: [OID.text, OID.bool],
        argumentsMin: 1,
        resultType: OID.text,
        async run(context, [name, missingOk]) {
            if (name === null) return null;
            try {
                return await showSetting(name as string, context);
            } catch (error) {
                if (missingOk === true && error instanceof PgError && error.code === '42704') return null;
                throw error;
            }
        },
    },
    pg_notify: {
        argumentTypes: [OID.text, OID.text],
        argumentsMin: 2,
        resultType: VOID,
        run(context, [channel, payload]) {
            notify(context, (channel ?? '') as string, (payload ?? '') as string);
            return '';
        },
    },
};

/** An argument: a value, or the number of a parameter, from 0. */
type Argument = {readonly value: Datum} | {readonly parameter: number};

interface Call {
    readonly name: string;
    readonly call: SessionFunction;
    readonly args: readonly Argument[];
}

const ALLOWED_FIELDS: ReadonlySet<string> = new Set(['targetList', 'limitOption', 'op']);

/** undefined: another statement. */
export function sessionFunctionPlan(tree: Node, context: StatementContext): Plan | undefined {
    const select = asFields(tree['SelectStmt']);
    if (Object.keys(select).some((name) => !ALLOWED_FIELDS.has(name))) return undefined;
    const calls: Call[] = [];
    for (const target of nodesOf(select, 'targetList')) {
        const call = readCall(target.fields);
        if (call === undefined) return undefined;
        calls.push(call);
    }
    if (calls.length === 0) return undefined;
    const parameterTypes = parameterTypesOf(calls);
    if (parameterTypes === undefined) return undefined;
    const plan = rowsPlan(
        context,
        calls.map(({name, call}) => field(name, call.resultType)),
        async (executing, {values}) => {
            const row: Datum[] = [];
            for (const {call, args} of calls) {
                const given = args.map((arg) => ('value' in arg ? arg.value : (values[arg.parameter] ?? null)));
                row.push(await call.run(executing, given));
            }
            return [row];
        },
        selectTag,
    );
    return {...plan, parameterTypes};
}

function readCall(target: AstFields): Call | undefined {
    const call = asFields(asFields(target['val'])['FuncCall']);
    const names = nodesOf(call, 'funcname').map((part) => textOf(part.fields, 'sval') ?? '');
    const name = names.at(-1) ?? '';
    if (names.length > 2 || (names.length === 2 && names[0] !== 'pg_catalog') || !Object.hasOwn(FUNCTIONS, name)) {
        return undefined;
    }
    const known = FUNCTIONS[name];
    const nodes = nodesOf(call, 'args');
    if (known === undefined || nodes.length < known.argumentsMin || nodes.length > known.argumentTypes.length) {
        return undefined;
    }
    const args: Argument[] = [];
    for (const [index, node] of nodes.entries()) {
        const argument = readArgument(node, known.argumentTypes[index] ?? 0);
        if (argument === undefined) return undefined;
        args.push(argument);
    }
    return {name: textOf(target, 'name') ?? name, call: known, args};
}

function readArgument({kind, fields}: AstNode, typeOid: number): Argument | undefined {
    if (kind === 'ParamRef') return {parameter: numberOf(fields, 'number') - 1};
    if (kind !== 'A_Const') return undefined;
    if (isTrue(fields, 'isnull')) return {value: null};
    if (typeOid === OID.bool) {
        if (fields['boolval'] === undefined) return undefined;
        return {value: isTrue(asFields(fields['boolval']), 'boolval')};
    }
    if (fields['sval'] === undefined) return undefined;
    return {value: textOf(asFields(fields['sval']), 'sval') ?? ''};
}

/** undefined when a parameter is missing or has two types: PostgreSQL says what is wrong. */
function parameterTypesOf(calls: readonly Call[]): readonly number[] | undefined {
    const types: number[] = [];
    for (const {call, args} of calls) {
        for (const [index, arg] of args.entries()) {
            if (!('parameter' in arg)) continue;
            const wanted = call.argumentTypes[index] ?? 0;
            if (arg.parameter < 0 || (types[arg.parameter] ?? wanted) !== wanted) return undefined;
            types[arg.parameter] = wanted;
        }
    }
    for (let i = 0; i < types.length; i++) if (types[i] === undefined) return undefined;
    return types;
}
