/** SELECT and VALUES on the reference path: run verbatim, the twin's rows forwarded as they are. */
import {selectTag} from '../point/select.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import {RawRows} from './data-rows.ts';
import {basePlan, type Described} from './described.ts';
import {executeOnTwin} from './reference-path.ts';

export function planReferenceRead(described: Described): Plan {
    const {sql, parameterTypes, dependencies, systemColumns, fields} = described;
    const columns = fields?.length ?? 0;
    return {
        ...basePlan(described),
        // A drawn number is not undone, but a read-only transaction may not draw it.
        writes: described.mentions.functions.some(({name}) => name === 'nextval' || name === 'setval'),
        async start(context, parameters): Promise<StartedStatement> {
            try {
                const result = await context.database.reference.run(context, {dependencies, systemColumns}, ({t}) =>
                    executeOnTwin(t, context, {sql, parameterTypes, ours: 0, columns}, parameters),
                );
                return {rows: new RawRows(result.rows, 0, columns), tag: selectTag};
            } catch (error) {
                throw described.relocate(error);
            }
        },
    };
}
