/**
 * Plans of SELECTs with effect calls in their list: each call is replaced by the array of its arguments, and made here
 * with what the twin has evaluated (see effect-calls.ts).
 *
 * What must stay true: the client sees the column as PostgreSQL describes it, not the array in its place.
 */
import {StatementText} from '../../../catalog/ddl/statement-text.ts';
import {textsOfRow} from '../../../catalog/twin/backend-messages.ts';
import type {Datum, PgArray} from '../../../catalog/types/datum.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import {selectTag} from '../point/select.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import {formatOf} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';
import {RawRows} from './data-rows.ts';
import {basePlan, type Described} from './described.ts';
import {type Arguments, type EffectCall, effectCalls, EFFECTS} from './effect-calls.ts';
import {executeOnTwin} from './reference-path.ts';
import {Splices} from './splices.ts';

export function planReferenceEffects(described: Described): Plan {
    const {parameterTypes, dependencies, systemColumns, fields} = described;
    const columns = fields?.length ?? 0;
    const calls = effectCalls(described.tree);
    const spliced = withArguments(described.sql, calls).apply();
    return {
        ...basePlan(described),
        async start(context, parameters): Promise<StartedStatement> {
            const {signal} = context;
            const formats: number[] = [];
            for (let i = 0; i < columns; i++) {
                formats.push(calls.some(({column}) => column === i) ? 0 : formatOf(parameters.resultFormats, i));
            }
            try {
                const text = {sql: spliced.sql, parameterTypes, ours: 0, columns};
                const result = await context.database.reference.run(context, {dependencies, systemColumns}, ({t}) =>
                    executeOnTwin(t, context, text, {...parameters, resultFormats: formats}),
                );
                const rows: Buffer[] = [];
                for (const row of result.rows) {
                    const values = new Map<number, Buffer | null>();
                    for (const {column, name} of calls) {
                        signal.throwIfAborted();
                        const value = await EFFECTS.get(name)?.(context, argumentsOf(row, column, context));
                        values.set(column, bytesOf(value ?? null, formatOf(parameters.resultFormats, column)));
                    }
                    rows.push(withValues(row, values));
                }
                return {rows: new RawRows(rows, 0, columns), tag: selectTag};
            } catch (error) {
                throw described.relocate(error, spliced);
            }
        },
    };
}

/** Each call becomes the array of its arguments' texts. */
function withArguments(sql: string, calls: readonly EffectCall[]): Splices {
    const splices = new Splices(sql);
    const text = new StatementText(sql);
    for (const {call} of calls) {
        const first = text.tokenAt((call as {readonly location?: number}).location ?? 0);
        let open = first;
        while (text.tokenText(open) !== '(') open++;
        const close = text.closing(open);
        const args: string[] = [];
        for (let index = open + 1; index < close;) {
            const last = text.endOfItem(index);
            args.push(`(${text.slice(text.tokens[index]?.start ?? 0, text.tokens[last]?.end ?? 0)})::pg_catalog.text`);
            index = last + 2;
        }
        const array = `ARRAY[${args.join(', ')}]::pg_catalog.text[]`;
        splices.replace(text.tokens[first]?.start ?? 0, text.tokens[close]?.end ?? 0, array);
    }
    return splices;
}

const TEXT_ARRAY = 1009;

function argumentsOf(row: Buffer, column: number, context: StatementContext): Arguments {
    const text = textsOfRow(row)[column];
    if (text === null || text === undefined) return [];
    const array = context.catalog.types.require(TEXT_ARRAY).parse(text, DEFAULT_OUTPUT_SETTINGS) as PgArray;
    return array.elements.map((element: Datum) => element as string | null);
}

function bytesOf(value: string | boolean | null, format: number): Buffer | null {
    if (value === null) return null;
    if (typeof value === 'string') return Buffer.from(value);
    return format === 1 ? Buffer.from([value ? 1 : 0]) : Buffer.from(value ? 't' : 'f');
}

/** The row with some of its columns replaced. */
function withValues(row: Buffer, values: ReadonlyMap<number, Buffer | null>): Buffer {
    const parts: Buffer[] = [row.subarray(0, 2)];
    let at = 2;
    for (let column = 0; column < row.readUInt16BE(0); column++) {
        const length = row.readInt32BE(at);
        const end = at + 4 + Math.max(length, 0);
        const value = values.get(column);
        if (value === undefined) parts.push(row.subarray(at, end));
        else {
            const header = Buffer.allocUnsafe(4);
            header.writeInt32BE(value === null ? -1 : value.length, 0);
            parts.push(header, ...(value === null ? [] : [value]));
        }
        at = end;
    }
    return Buffer.concat(parts);
}
