/**
 * One pass over all rows of a table: converts them, finds those that violate what was added, and writes what the new
 * version needs: index entries beside the old rows, or the rows themselves under a new table id.
 *
 * What must stay true: everything goes straight to LevelDB under ids that nothing refers to yet, and is durable before
 * the commit that does (`checkpoint`); row ids, `_seq` and `_updated` stay; the transaction's own uncommitted writes
 * become uncommitted writes of the new version.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import {HotBatch} from '../../../storage/hot/hot-store.ts';
import {rowKey} from '../../../storage/hot/keys.ts';
import type {IndexWriter} from '../../txn/index-writer.ts';
import type {RowVersion} from '../../txn/row-version.ts';
import type {TableStore} from '../../txn/table-store.ts';
import {pendingVersion} from '../point/read.ts';
import type {StatementContext} from '../statement-context.ts';
import {ownWrites, scanRows} from './row-scan.ts';

/** The values of a row under the new version. */
export type ConvertRow = (row: RowVersion) => readonly Datum[] | Promise<readonly Datum[]>;

export interface RebuildJob {
    readonly context: StatementContext;
    readonly before: TableStore;
    readonly after: TableStore;
    /** The rows get a new table id; otherwise only `indexes` get entries. */
    readonly rewrite: boolean;
    readonly indexes: readonly IndexWriter[];
    readonly convert: ConvertRow;
    /** Throws for a row that the new version does not allow. */
    readonly check: (row: RowVersion) => void;
    /** attnums of `before` that are looked at; undefined = all. */
    readonly wanted: ReadonlySet<number> | undefined;
}

export async function rebuildTable(job: RebuildJob): Promise<void> {
    const {context, before} = job;
    const {hot} = context.database;
    const writer = new RebuildWriter(job);
    let writing: Promise<void> = Promise.resolve();
    for await (const page of scanRows(context, before, job.wanted)) {
        const rows: RowVersion[] = [];
        for (const row of page.rows) {
            const converted = job.convert(row);
            const values = converted instanceof Promise ? await converted : converted;
            const now = {...row, values};
            job.check(now);
            rows.push(now);
        }
        // One page is written while the next is read.
        await writing;
        const batch = await writer.batchOf(rows, page.hot);
        writing = batch.size === 0 ? Promise.resolve() : hot.writeAside(batch);
        writing.catch(() => undefined);
    }
    await writing;
    await checkOwnWrites(job);
    if (writer.written) await hot.checkpoint();
}

async function checkOwnWrites(job: RebuildJob): Promise<void> {
    for (const {head, pending} of ownWrites(job.context, job.before)) {
        if (pending.values === null) continue;
        const version = pendingVersion(head.owner, pending.rowid, pending.values);
        job.check({...version, values: await job.convert(version)});
    }
}

class RebuildWriter {
    readonly #job: RebuildJob;
    readonly #hot: StatementContext['database']['hot'];
    written = false;

    constructor(job: RebuildJob) {
        this.#job = job;
        this.#hot = job.context.database.hot;
    }

    async batchOf(rows: readonly RowVersion[], hot: boolean): Promise<HotBatch> {
        const batch = new HotBatch();
        const {after, rewrite, indexes} = this.#job;
        const keys = rows.map((row) => after.keyOfRow(row.values, row.rowid).bytes);
        if (rewrite) await this.#addRows(batch, rows, keys);
        for (const index of indexes) await this.#addEntries(batch, index, rows, keys, hot || rewrite);
        this.written ||= batch.size > 0;
        return batch;
    }

    async #addRows(batch: HotBatch, rows: readonly RowVersion[], keys: readonly Buffer[]): Promise<void> {
        const {after} = this.#job;
        const primary = after.table.primaryKey;
        const storeKeys = rows.map((row, i) => rowKey(after.table.tableId, row.owner, keys[i] ?? EMPTY));
        if (primary !== undefined) {
            const double = await this.#firstDouble(storeKeys);
            if (double !== undefined) {
                throw duplicated(after, after.keyPositions, rows[double]?.values ?? [], primary.name);
            }
        }
        for (const [i, row] of rows.entries()) batch.put(storeKeys[i] ?? EMPTY, after.codec.encode(row));
    }

    async #addEntries(
        batch: HotBatch,
        index: IndexWriter,
        rows: readonly RowVersion[],
        keys: readonly Buffer[],
        hot: boolean,
    ): Promise<void> {
        // Cold rows have entries in unique indexes only.
        if (!hot && !index.index.unique) return;
        const entries = rows.map((row, i) => index.entryKey(row.owner, row.values, keys[i] ?? EMPTY));
        if (index.index.unique) {
            const double = await this.#firstDouble(entries);
            if (double !== undefined) {
                throw duplicated(this.#job.after, index.positions, rows[double]?.values ?? [], index.index.name);
            }
        }
        for (const [i, entry] of entries.entries()) batch.put(entry, keys[i] ?? EMPTY);
    }

    /** Place of the first key that is written already or stands among them twice. */
    async #firstDouble(keys: readonly Buffer[]): Promise<number | undefined> {
        const seen = new Set<string>();
        const stored = this.written ? await this.#hot.getMany([...keys]) : [];
        for (const [i, key] of keys.entries()) {
            const name = key.toString('latin1');
            if (stored[i] !== undefined || seen.has(name)) return i;
            seen.add(name);
        }
        return undefined;
    }
}

const EMPTY = Buffer.alloc(0);

export function duplicated(
    store: TableStore,
    positions: readonly number[],
    values: readonly Datum[],
    index: string,
): PgError {
    const {table} = store;
    const names = positions.map((position) => table.columns[position]?.name ?? '').join(', ');
    const texts = positions.map((position) => {
        const value = values[position] ?? null;
        return value === null ? 'null' : store.typeAt(position).print(value, DEFAULT_OUTPUT_SETTINGS);
    });
    return new PgError('23505', `could not create unique index "${index}"`, {
        detail: `Key (${names})=(${texts.join(', ')}) is duplicated.`,
        schema: table.schema,
        table: table.name,
        constraint: index,
    });
}

export function containsNull(table: TableDescriptor, column: string): PgError {
    return new PgError('23502', `column "${column}" of relation "${table.name}" contains null values`, {
        schema: table.schema,
        table: table.name,
        column,
    });
}

export function violatedBySomeRow(table: TableDescriptor, constraint: string): PgError {
    return new PgError(
        '23514',
        `check constraint "${constraint}" of relation "${table.name}" is violated by some row`,
        {
            schema: table.schema,
            table: table.name,
            constraint,
        },
    );
}
