/** What all plans of writing statements have in common. */
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {FieldDescription} from '../../../wire/handler.ts';
import type {BoundStatement} from '../../sql/bound.ts';
import type {PathName, Plan, StartedStatement} from '../plan.ts';
import {columnEncoders, DatumRows} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';

export interface PlanShape {
    readonly bound: BoundStatement;
    /** Of RETURNING. */
    readonly fields: readonly FieldDescription[] | null;
    readonly types: readonly PgType[];
    readonly registry: TypeRegistry;
    readonly catalogVersion: number;
}

export function writingPlan(shape: PlanShape, path: PathName, reason: string): Omit<Plan, 'start'> {
    return {
        path,
        reason,
        parameterTypes: shape.bound.parameterTypes,
        fields: shape.fields,
        catalogVersion: shape.catalogVersion,
        writes: true,
        endsTransaction: false,
    };
}

export function finished(
    shape: Pick<PlanShape, 'types'>,
    context: StatementContext,
    tag: string,
    rows: (readonly Datum[])[] | null,
    formats: readonly number[],
): StartedStatement {
    return {
        rows: rows === null ? null : new DatumRows(rows, columnEncoders(shape.types, formats), context.output),
        // As PostgreSQL: with RETURNING, the rows that this Execute has given.
        tag:
            rows === null
                ? () => tag
                : (pulled) => (pulled === rows.length ? tag : tag.replace(/\d+$/, String(pulled))),
    };
}
