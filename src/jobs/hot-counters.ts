/**
 * About how many rows and bytes of a table are hot, and since when: enough to decide whether its flush policy asks for a
 * flush, at the price of a few additions per commit.
 *
 * What must stay true: only tables with a flush policy are counted. An update of a cold row makes it hot and is not
 * known from an update of a hot one: so updates are counted apart, and when they could matter the rows are counted anew.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {CommittedTransaction, RowVersion} from '../txn/row-version.ts';

const ROW_OVERHEAD_BYTES = 40;
/** Between two counts of one table. */
const RECOUNT_INTERVAL_MS = 60_000;

interface Counter {
    rows: number;
    bytes: number;
    updates: number;
    /** Monotonic time of the oldest change that is not flushed; undefined when there is none. */
    sinceMs: number | undefined;
    countedAtMs: number;
}

export type FlushReason = 'due' | 'count first' | undefined;

export class HotCounters {
    readonly #counters = new Map<number, Counter>();
    readonly #nowMs: () => number;

    /** @param nowMs A monotonic clock. */
    constructor(nowMs: () => number) {
        this.#nowMs = nowMs;
    }

    note(transaction: CommittedTransaction): void {
        for (const table of transaction.truncated) this.#counters.delete(table.tableId);
        for (const {tableId, now} of transaction.altered) if (now === undefined) this.#counters.delete(tableId);
        for (const {table, before, after} of transaction.changes) {
            const policy = table.options.flushPolicy;
            const counter = policy === undefined ? undefined : this.#counters.get(table.tableId);
            if (counter === undefined) continue;
            if (before === null) counter.rows++;
            else if (after === null) counter.rows = Math.max(0, counter.rows - 1);
            else counter.updates++;
            if (policy?.bytes !== undefined) {
                counter.bytes = Math.max(0, counter.bytes + sizeOf(after) - sizeOf(before));
            }
            if (after !== null) counter.sinceMs ??= this.#nowMs();
        }
    }

    /** What a look at the hot store has found. */
    counted(tableId: number, rows: number, bytes: number): void {
        const sinceMs = rows === 0 ? undefined : (this.#counters.get(tableId)?.sinceMs ?? this.#nowMs());
        this.#counters.set(tableId, {rows, bytes, updates: 0, sinceMs, countedAtMs: this.#nowMs()});
    }

    /** Before a flush takes its snapshot: everything counted by now is on its way, what comes later is new. */
    flushing(tableId: number): void {
        const counter = this.#counters.get(tableId);
        if (counter !== undefined) Object.assign(counter, {rows: 0, bytes: 0, updates: 0, sinceMs: undefined});
    }

    /** The flush failed: nobody knows what is hot. */
    forget(tableId: number): void {
        this.#counters.delete(tableId);
    }

    /** 'count first' = the table was not counted yet, or updates may have made as many rows hot as the policy allows. */
    reason(table: TableDescriptor): FlushReason {
        const policy = table.options.flushPolicy;
        if (policy === undefined) return undefined;
        const counter = this.#counters.get(table.tableId);
        if (counter === undefined) return 'count first';
        const now = this.#nowMs();
        const {rows = Infinity, bytes = Infinity, intervalMs = Infinity} = policy;
        if (counter.rows >= rows || counter.bytes >= bytes) return 'due';
        if (counter.sinceMs !== undefined && now - counter.sinceMs >= intervalMs) return 'due';
        const perhaps = counter.rows + counter.updates >= rows;
        return perhaps && now - counter.countedAtMs >= RECOUNT_INTERVAL_MS ? 'count first' : undefined;
    }
}

function sizeOf(version: RowVersion | null): number {
    if (version === null) return 0;
    let bytes = ROW_OVERHEAD_BYTES;
    for (const value of version.values) bytes += datumBytes(value);
    return bytes;
}

function datumBytes(value: Datum): number {
    if (typeof value === 'string') return value.length + 2;
    if (value instanceof Uint8Array) return value.length + 2;
    if (value !== null && typeof value === 'object') return 'elements' in value ? 8 + 8 * value.elements.length : 16;
    return value === null ? 0 : 6;
}
