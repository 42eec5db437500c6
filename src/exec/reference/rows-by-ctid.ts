/**
 * Which copied row stands where on the twin.
 *
 * What must stay true: COPY into an empty table writes rows in their order, so the n-th `ctid` is the n-th row's. That
 * holds before the statement itself writes to the table.
 */
import {strict as assert} from 'node:assert';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {quoteQualified} from '../../../catalog/quoting.ts';
import {textsOfRow} from '../../../catalog/twin/backend-messages.ts';
import type {ReferenceRun} from './reference-path.ts';
import {asServer} from './server-rights.ts';
import type {LoadedRow} from './table-rows.ts';

/** Asked for before the statement runs when the statement writes to the table. */
export async function rowsByCtid(run: ReferenceRun, table: TableDescriptor): Promise<Map<number, LoadedRow>> {
    const loaded = run.tables.get(table.tableId)?.rows ?? [];
    const result = new Map<number, LoadedRow>();
    if (loaded.length === 0) return result;
    // Rows of one page are numbered from 1 without gaps: the last one of each page says it all.
    const [pages] = await asServer(run.t, run.session, [
        `SELECT (ctid::pg_catalog.text::pg_catalog.point)[0]::pg_catalog.int8, pg_catalog.count(*) ` +
            `FROM ONLY ${quoteQualified(table.schema, table.name)} GROUP BY 1 ORDER BY 1`,
    ]);
    let next = 0;
    for (const row of pages?.rows ?? []) {
        const [block, count] = textsOfRow(row).map(Number);
        for (let offset = 1; offset <= (count ?? 0); offset++) {
            const one = loaded[next++];
            if (one !== undefined) result.set((block ?? 0) * 0x1_0000 + offset, one);
        }
    }
    assert(next === loaded.length, 'every copied row is found on the twin');
    return result;
}
