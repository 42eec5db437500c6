/**
 * What a new row must satisfy before it is written: NOT NULL, domain constraints, CHECK. In PostgreSQL's order and words.
 */
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import type {Frame} from '../../sql/compile/compile-expression.ts';
import type {TableStore} from '../../txn/table-store.ts';

export interface CompiledCheck {
    readonly name: string;
    /** NULL counts as satisfied. */
    readonly satisfied: (frame: Frame) => boolean;
}

/** `frame.row0` must be the new row. */
export function checkRow(
    store: TableStore,
    values: readonly Datum[],
    checks: readonly CompiledCheck[],
    frame: Frame,
): void {
    const {table} = store;
    for (let i = 0; i < table.columns.length; i++) {
        const column = table.columns[i];
        if (column === undefined || !column.notNull || values[i] !== null) continue;
        throw new PgError(
            '23502',
            `null value in column "${column.name}" of relation "${table.name}" violates not-null constraint`,
            {
                detail: failingRow(store, values),
                schema: table.schema,
                table: table.name,
                column: column.name,
            },
        );
    }
    for (const check of checks) {
        if (check.satisfied(frame)) continue;
        throw new PgError('23514', `new row for relation "${table.name}" violates check constraint "${check.name}"`, {
            detail: failingRow(store, values),
            schema: table.schema,
            table: table.name,
            constraint: check.name,
        });
    }
}

/** Values are cut at 64 characters, as PostgreSQL does. */
const VALUE_CHARACTERS_MAX = 64;

export function failingRow(store: TableStore, values: readonly Datum[]): string {
    const texts = values.map((value, i) => {
        if (value === null) return 'null';
        const text = store.typeAt(i).print(value, DEFAULT_OUTPUT_SETTINGS);
        return text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}...` : text;
    });
    return `Failing row contains (${texts.join(', ')}).`;
}
