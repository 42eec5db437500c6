/**
 * PREPARE, EXECUTE and DEALLOCATE. The statements are those of the protocol's Parse: one namespace, as in PostgreSQL.
 */
import {type AstFields, isTrue, nodesOf, textOf} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {bindTypeName} from '../../sql/binder/type-names.ts';
import {StatementState} from '../../sql/binder/context.ts';
import {Unsupported} from '../../sql/bound.ts';
import type {TypeName} from '../../sql/nodes.ts';
import type {FieldDescription} from '../../../wire/handler.ts';
import {NO_PARAMETERS, type Parameters, type Plan, type StartedStatement} from '../plan.ts';
import type {Planner, Statement} from '../planner.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from './plans.ts';
import {RowTextWriter, type TextRow} from './row-text-writer.ts';
import {textAfterWord, textInParentheses} from './source-text.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

export function planPrepare(statement: Parsed, fields: AstFields, context: StatementContext): Plan {
    const name = textOf(fields, 'name') ?? '';
    const types = nodesOf(fields, 'argtypes').map((node) => typeOid(node.fields, context));
    const {text} = textAfterWord(statement.sql, 'as');
    return commandPlan(context, async ({session}) => {
        await session.prepareNamed(name, text, types);
        return 'PREPARE';
    });
}

/** 0 for `unknown`, which means: to be inferred. */
function typeOid(fields: AstFields, context: StatementContext): number {
    const name = fields as unknown as TypeName;
    const shown = nodesOf(fields, 'names').at(-1);
    const text = shown === undefined ? '' : (textOf(shown.fields, 'sval') ?? '');
    if (text === 'unknown') return 0;
    try {
        return bindTypeName(new StatementState(context.database.bindContext(context, [])), name).oid;
    } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        if (error.message.startsWith('type ')) throw new PgError('42704', `type "${text}" does not exist`);
        throw notSupported(`a parameter of type ${text}`);
    }
}

export async function planExecute(
    statement: Parsed,
    fields: AstFields,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    const name = textOf(fields, 'name') ?? '';
    const args = nodesOf(fields, 'params');
    const {plan: inner} = await context.session.prepared(name);
    if (inner === null) return commandPlan(context, () => '');
    return {
        path: 'utility',
        reason: `EXECUTE by the ${inner.path} path: ${inner.reason}`,
        parameterTypes: [],
        fields: inner.fields,
        catalogVersion: context.catalog.version,
        writes: inner.writes,
        command: inner.command ?? firstWord((await context.session.prepared(name)).sql),
        endsTransaction: false,
        async start(executing, parameters): Promise<StartedStatement> {
            const {plan} = await executing.session.prepared(name);
            if (plan === null || !sameColumns(plan.fields, inner.fields) || plan.writes !== inner.writes) {
                throw new PgError('0A000', 'cached plan must not change result type');
            }
            if (args.length !== plan.parameterTypes.length) {
                throw new PgError('42601', `wrong number of parameters for prepared statement "${name}"`, {
                    detail: `Expected ${plan.parameterTypes.length} parameters but got ${args.length}.`,
                });
            }
            const texts =
                args.length === 0 ? [] : await argumentTexts(statement, plan.parameterTypes, executing, planner);
            return await plan.start(executing, parametersOf(texts, plan, executing, parameters.resultFormats));
        },
    };
}

export function firstWord(sql: string): string {
    return (/[a-z]+/i.exec(sql)?.[0] ?? '').toUpperCase();
}

function sameColumns(a: readonly FieldDescription[] | null, b: readonly FieldDescription[] | null): boolean {
    if (a === null || b === null) return a === b;
    return a.length === b.length && a.every((field, i) => field.typeOid === b[i]?.typeOid && field.name === b[i]?.name);
}

/** The arguments, which may be any expressions without tables, as the texts of values of the parameters' types. */
async function argumentTexts(
    statement: Parsed,
    types: readonly number[],
    context: StatementContext,
    planner: Planner,
): Promise<TextRow> {
    const {text} = textInParentheses(statement.sql);
    const names = types.map((_, i) => `p${i}`);
    const casts = types.map((oid, i) => `CAST(p${i} AS ${context.catalog.types.require(oid).sqlName})`);
    // The cast is that of the parameter's type, as PostgreSQL coerces arguments of EXECUTE.
    const sql = `SELECT ${casts.join(', ')} FROM (SELECT ${text}) AS arguments (${names.join(', ')})`;
    const [select] = planner.split(sql);
    if (select === undefined || select.kind !== 'parsed') throw new PgError('XX000', 'EXECUTE made no query');
    const plan = await planner.planQuery(select, [], context);
    const started = await plan.start(context, NO_PARAMETERS);
    let row: TextRow = [];
    const collector = new RowTextWriter(context.writer, (values) => {
        row = values;
    });
    await started.rows?.pull(0, collector);
    await started.rows?.close();
    return row;
}

function parametersOf(
    texts: TextRow,
    plan: Plan,
    context: StatementContext,
    resultFormats: readonly number[],
): Parameters {
    const values = texts.map((text, i): Datum => {
        if (text === null) return null;
        return context.catalog.types.require(plan.parameterTypes[i] ?? 0).parse(text, context.output);
    });
    const raw = texts.map((text) => (text === null ? null : ({bytes: Buffer.from(text), format: 0} as const)));
    return {values, raw, resultFormats};
}

export function planDeallocate(fields: AstFields, context: StatementContext): Plan {
    const name = textOf(fields, 'name');
    if (name === undefined || isTrue(fields, 'isall')) {
        return commandPlan(context, ({session}) => {
            session.deallocateAll();
            return 'DEALLOCATE ALL';
        });
    }
    return commandPlan(context, ({session}) => {
        if (session.deallocate(name)) return 'DEALLOCATE';
        throw new PgError('26000', `prepared statement "${name}" does not exist`);
    });
}
