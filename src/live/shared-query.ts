/**
 * One live query as many may share it: turns changes into events once, whoever listens.
 *
 * What must stay true: a change is decided on the old and on the new row, each laid out for `change.table`, and gives
 * at most one event; a change of another owner's row gives none, whatever the operation. A new version of the table is
 * met by compiling again, or by an error that ends the query.
 */
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {CommittedTransaction, RowChange} from '../txn/row-version.ts';
import {type LiveEvent, markEvent, rowEvent} from './live-event.ts';
import type {LiveLayout, LivePlan} from './live-plan.ts';
import type {Subscription} from './subscription.ts';

export class SharedQuery {
    readonly plan: LivePlan;
    readonly members = new Set<Subscription>();
    /** Events of the transaction that is being dispatched. */
    pending: LiveEvent[] = [];
    /** Set while `pending` is in use: why the query ends after these events. */
    failure: PgError | undefined;
    touched = false;
    /** The change last asked about: a change may find the query by its old and by its new key. */
    askedSeq = -1;
    #layout: LiveLayout;

    constructor(plan: LivePlan) {
        this.plan = plan;
        this.#layout = plan.layout(plan.table);
    }

    /** @throws PgError when the row makes an expression fail (division by zero, …) or the table has changed too much. */
    eventOf(change: RowChange): LiveEvent | undefined {
        const layout = this.layout(change.table);
        const {before, after, seq} = change;
        const was = before !== null && !before.deleted && layout.matches(before);
        const is = after !== null && !after.deleted && layout.matches(after);
        if (is) {
            const row = layout.encode(after);
            if (was) return rowEvent('update', seq, row, layout.encode(before));
            return rowEvent(before === null || before.deleted ? 'insert' : 'enter', seq, row, undefined);
        }
        if (!was) return undefined;
        return rowEvent(after === null || after.deleted ? 'delete' : 'leave', seq, undefined, layout.encode(before));
    }

    /** The plan compiled for this version of the table; the last one is kept. */
    layout(table: TableDescriptor): LiveLayout {
        if (this.#layout.table !== table && this.#layout.table.version !== table.version) {
            this.#layout = this.plan.layout(table);
        }
        return this.#layout;
    }

    /** A type was altered (a value added to an enum, …): closures hold types as they were. */
    recompile(): void {
        this.#layout = this.plan.compile(this.#layout.table);
    }

    /**
     * What a transaction of the change log means to this query alone: the events after `afterSeq`, and the error that
     * ends the query, if the transaction does. Gives exactly what dispatch gives.
     */
    replay(transaction: CommittedTransaction, afterSeq: number): {events: LiveEvent[]; failure: PgError | undefined} {
        const events: LiveEvent[] = [];
        const {tableId} = this.plan.table;
        try {
            const truncateSeq = truncateSeqOf(transaction);
            if (truncateSeq > afterSeq && transaction.truncated.some((table) => table.tableId === tableId)) {
                events.push(markEvent('truncate', truncateSeq));
            }
            for (const {tableId: alteredId, now} of transaction.altered) {
                if (alteredId === tableId) this.meetAlter(now);
                // The log before has another set of rows.
                else if (now?.tableId === tableId) throw replaced(now);
            }
            for (const change of transaction.changes) {
                if (change.table.tableId !== tableId || change.owner !== this.plan.owner) continue;
                if (change.seq <= afterSeq) continue;
                const event = this.eventOf(change);
                if (event !== undefined) events.push(event);
            }
        } catch (error) {
            if (!(error instanceof PgError)) throw error;
            return {events, failure: error};
        }
        return {events, failure: undefined};
    }

    /** @throws PgError when the query cannot go on over the table as it is now. */
    meetAlter(now: TableDescriptor | undefined): void {
        if (now !== undefined) {
            if (now.tableId !== this.plan.table.tableId) throw replaced(now);
            this.layout(now);
            return;
        }
        const {schema, name} = this.plan.table;
        throw new PgError('42P01', `relation "${name}" does not exist`, {
            detail: 'The table of the live query was dropped.',
            schema,
            table: name,
        });
    }
}

/** TRUNCATE, or a change of the table that wrote its rows anew. */
function replaced(table: TableDescriptor): PgError {
    return new PgError('55000', `the rows of the live query's table "${table.name}" were replaced`, {
        detail: 'The table was truncated, or altered in a way that wrote its rows anew.',
        hint: 'Subscribe again, with a snapshot.',
        schema: table.schema,
        table: table.name,
    });
}

/**
 * TRUNCATE has no row and so no `_seq` of its own: its mark stands just before the changes that the same transaction
 * made after it, so that resuming at the mark repeats none of them and skips none.
 */
export function truncateSeqOf(transaction: CommittedTransaction): number {
    const [first] = transaction.changes;
    return first === undefined ? transaction.seq : first.seq - 1;
}
