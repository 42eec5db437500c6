/**
 * The lines of EXPLAIN SUBSCRIBE TO …: how a live query is kept and what a write costs it.
 *
 * What must stay true: it tells what the plan does, from the plan itself.
 */
import type {LivePlan} from './live-plan.ts';

export function explainLivePlan(plan: LivePlan): string[] {
    const {table, equality, select, owner} = plan;
    const lines = [`Live Query on ${table.schema}.${table.name}`];
    if (owner !== 0) lines.push('  Rows: those of the current user');
    lines.push(select.where === null ? '  Decided: every change' : '  Decided: row by row, on the old and the new row');
    if (equality === undefined) {
        lines.push('  Found by: every change of the table');
    } else {
        const name = table.columns.find(({attnum}) => attnum === equality.attnum)?.name ?? String(equality.attnum);
        const {length} = equality.keys;
        lines.push(`  Found by: ${name}, ${length} ${length === 1 ? 'value' : 'values'}`);
    }
    return lines;
}
