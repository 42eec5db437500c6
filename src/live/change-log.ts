/**
 * The last committed transactions in memory, for live queries that resume or that could not keep up while they opened.
 *
 * What must stay true: it begins when the first live query asks; it is bounded by age and by an estimate of its bytes,
 * and the oldest go first; what is given out is complete from the sequence asked for, or refused. Row versions are
 * copied without their history, which would otherwise be kept alive.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import type {AlteredTable, ChangeFeed, CommittedTransaction, RowChange, RowVersion} from '../txn/row-version.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {ChangeHistory} from './open-subscription.ts';

const BYTES_MAX = 64 * 1024 * 1024;
const TRANSACTION_BYTES = 160;
const VERSION_BYTES = 120;
const VALUE_BYTES = 16;
/** Entries dropped from the front before the array is cut. */
const CUT_ENTRIES = 1024;

interface Entry {
    readonly transaction: CommittedTransaction;
    readonly bytes: number;
    readonly atMs: number;
}

export class ChangeLog implements ChangeHistory {
    readonly #feed: ChangeFeed;
    readonly #retentionMs: number;
    readonly #nowMs: () => number;
    readonly #bytesMax: number;
    #entries: Entry[] = [];
    #first = 0;
    #bytes = 0;
    /** The DDL of the entries, oldest first. */
    #altered: {readonly seq: number; readonly tables: readonly AlteredTable[]}[] = [];
    /** Everything after this sequence is kept; undefined = not begun. */
    #fromSeq: number | undefined;
    #leave: (() => void) | undefined;

    constructor(feed: ChangeFeed, retentionMs: number, nowMs: () => number, bytesMax = BYTES_MAX) {
        this.#feed = feed;
        this.#retentionMs = retentionMs;
        this.#nowMs = nowMs;
        this.#bytesMax = bytesMax;
    }

    get bytes(): number {
        return this.#bytes;
    }

    begin(): void {
        if (this.#leave !== undefined || this.#retentionMs === 0) return;
        this.#fromSeq = this.#feed.visibleSeq;
        this.#leave = this.#feed.subscribe((transaction) => this.#add(transaction));
    }

    close(): void {
        this.#leave?.();
        this.#leave = undefined;
        this.#fromSeq = undefined;
        this.#entries = [];
        this.#altered = [];
        this.#first = 0;
        this.#bytes = 0;
    }

    since(seq: number): AsyncIterable<CommittedTransaction> | undefined {
        this.#trim();
        if (this.#fromSeq === undefined || seq < this.#fromSeq) return undefined;
        return this.#read(seq);
    }

    tableAt(table: TableDescriptor, seq: number): TableDescriptor | undefined {
        let then: TableDescriptor | undefined = table;
        for (const {seq: alteredSeq, tables} of this.#altered.toReversed()) {
            if (alteredSeq <= seq) break;
            const id: number = then.tableId;
            const altered = tables.find(({now}) => now?.tableId === id);
            if (altered === undefined) continue;
            then = altered.was;
            if (then === undefined) return undefined;
        }
        return then;
    }

    /** Found anew at each step, so that nothing is held; what was trimmed meanwhile ends the reading with an error. */
    async *#read(seq: number): AsyncIterable<CommittedTransaction> {
        const until = this.#feed.visibleSeq;
        let position = seq;
        while (position < until) {
            if (this.#fromSeq === undefined || position < this.#fromSeq) return;
            const entry = this.#entries[this.#after(position)];
            if (entry === undefined || entry.transaction.seq > until) return;
            yield entry.transaction;
            position = entry.transaction.seq;
        }
    }

    /** Index of the first entry with a higher sequence. */
    #after(seq: number): number {
        let low = this.#first;
        let high = this.#entries.length;
        while (low < high) {
            const middle = (low + high) >>> 1;
            if ((this.#entries[middle]?.transaction.seq ?? 0) <= seq) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    #add(transaction: CommittedTransaction): void {
        let bytes = TRANSACTION_BYTES;
        const changes = transaction.changes.map((change): RowChange => {
            bytes += versionBytes(change.before) + versionBytes(change.after);
            return {...change, before: alone(change.before), after: alone(change.after)};
        });
        this.#entries.push({transaction: {...transaction, changes, notifications: []}, bytes, atMs: this.#nowMs()});
        this.#bytes += bytes;
        if (transaction.altered.length > 0) this.#altered.push({seq: transaction.seq, tables: transaction.altered});
        this.#trim();
    }

    #trim(): void {
        const oldestMs = this.#nowMs() - this.#retentionMs;
        for (;;) {
            const entry = this.#entries[this.#first];
            if (entry === undefined || (this.#bytes <= this.#bytesMax && entry.atMs >= oldestMs)) break;
            this.#bytes -= entry.bytes;
            this.#fromSeq = entry.transaction.seq;
            this.#first++;
            if (this.#altered[0]?.seq === entry.transaction.seq) this.#altered.shift();
        }
        if (this.#first < CUT_ENTRIES || this.#first * 2 < this.#entries.length) return;
        this.#entries = this.#entries.slice(this.#first);
        this.#first = 0;
    }
}

function alone(version: RowVersion | null): RowVersion | null {
    return version === null || version.previous === null ? version : {...version, previous: null};
}

function versionBytes(version: RowVersion | null): number {
    if (version === null) return 0;
    let bytes = VERSION_BYTES;
    for (const value of version.values) bytes += VALUE_BYTES + valueBytes(value);
    return bytes;
}

function valueBytes(value: Datum): number {
    if (typeof value === 'string') return value.length;
    if (value instanceof Uint8Array) return value.length;
    if (typeof value === 'object' && value !== null && 'elements' in value) {
        let bytes = 64;
        for (const element of value.elements) bytes += VALUE_BYTES + valueBytes(element);
        return bytes;
    }
    return 0;
}
