/**
 * What compiled expressions read: row versions of one or two tables, parameters, and the session.
 *
 * What must stay true: `values[i]` of a row version belongs to `table.columns[i]`; source 0 is `row0`, source 1 `row1`.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {EvaluationContext} from './evaluation.ts';

export interface Frame {
    row0: RowVersion | null;
    row1: RowVersion | null;
    parameters: readonly Datum[];
    context: EvaluationContext;
}

export type Evaluate = (frame: Frame) => Datum;

export interface CompileScope {
    /** By source index. */
    readonly sources: readonly {readonly table: TableDescriptor}[];
    /** With the declared types (enums, domains); built-in types alone when absent. */
    readonly types?: TypeRegistry;
}

const BUILTIN = new TypeRegistry();

export function typesOf(scope: CompileScope): TypeRegistry {
    return scope.types ?? BUILTIN;
}
