/** The two shapes of utility plans: a command that gives a tag, and one that gives rows that are all there. */
import type {Datum} from '../../../catalog/types/datum.ts';
import {BUILTIN_TYPES} from '../../../catalog/types/builtin.ts';
import type {Awaitable, FieldDescription} from '../../../wire/handler.ts';
import type {Parameters, Plan, StartedStatement} from '../plan.ts';
import {columnEncoders, DatumRows} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';

export interface CommandOptions {
    readonly writes?: boolean;
    readonly command?: string;
    readonly endsTransaction?: boolean;
}

function base(context: StatementContext, options: CommandOptions): Omit<Plan, 'start' | 'fields'> {
    return {
        path: 'utility',
        reason: 'a command',
        parameterTypes: [],
        catalogVersion: context.catalog.version,
        writes: options.writes ?? false,
        ...(options.command === undefined ? {} : {command: options.command}),
        endsTransaction: options.endsTransaction ?? false,
    };
}

/** `run` gives the tag. */
export function commandPlan(
    context: StatementContext,
    run: (context: StatementContext) => Awaitable<string>,
    options: CommandOptions = {},
): Plan {
    return {
        ...base(context, options),
        fields: null,
        start(executing): Awaitable<StartedStatement> {
            const tag = run(executing);
            return tag instanceof Promise ? tag.then(finished) : finished(tag);
        },
    };
}

export function finished(tag: string): StartedStatement {
    return {rows: null, tag: () => tag};
}

export function field(name: string, typeOid: number): FieldDescription {
    const type = BUILTIN_TYPES.find((candidate) => candidate.oid === typeOid);
    return {name, tableOid: 0, attnum: 0, typeOid, typeLength: type?.length ?? -1, typmod: -1};
}

/** Rows of built-in types. `tag` as in StartedStatement. */
export function rowsPlan(
    context: StatementContext,
    fields: readonly FieldDescription[],
    run: (context: StatementContext, parameters: Parameters) => Awaitable<readonly (readonly Datum[])[]>,
    tag: (rows: number) => string,
    options: CommandOptions = {},
): Plan {
    return {
        ...base(context, options),
        fields,
        start(executing, parameters): Awaitable<StartedStatement> {
            const answer = (rows: readonly (readonly Datum[])[]): StartedStatement => {
                const types = fields.map((each) => executing.catalog.types.require(each.typeOid));
                const encoders = columnEncoders(types, parameters.resultFormats);
                return {rows: new DatumRows(rows, encoders, executing.output), tag};
            };
            const rows = run(executing, parameters);
            return rows instanceof Promise ? rows.then(answer) : answer(rows);
        },
    };
}
