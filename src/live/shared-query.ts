/**
 * One live query as many may share it: turns changes into events once, whoever listens.
 *
 * What must stay true: a change is decided on the old and on the new row, each laid out for `change.table`, and gives
 * at most one event; a change of another owner's row gives none, whatever the operation. A new version of the table,
 * also one with other rows under a new id, is met by compiling again, or by an error that ends the query.
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
    #table: TableDescriptor;
    #layout: LiveLayout;

    constructor(plan: LivePlan) {
        this.plan = plan;
        this.#table = plan.table;
        this.#layout = plan.layout(plan.table);
    }

    /** As the last transaction that was dispatched left it: TRUNCATE and rewriting give it a new id. */
    get table(): TableDescriptor {
        return this.#table;
    }

    /** Equal queries over one table have one. */
    get key(): string {
        return sharedKey(this.#table.tableId, this.plan);
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
        const known = this.#layout.table;
        if (known !== table && (known.version !== table.version || known.tableId !== table.tableId)) {
            this.#layout = this.plan.layout(table);
        }
        return this.#layout;
    }

    /** A type was altered (a value added to an enum, …): closures hold types as they were. */
    recompile(): void {
        this.#layout = this.plan.compile(this.#table);
    }

    /** @throws PgError when the query cannot go on over the table as it is now. */
    meetAlter(now: TableDescriptor | undefined): void {
        if (now === undefined) throw dropped(this.#table);
        this.layout(now);
        this.#table = now;
    }

    /**
     * What a transaction of the change log means to this query alone: the events after `afterSeq`, and the error that
     * ends the query, if the transaction does. Gives exactly what dispatch gives.
     * @param tableIds All ids that the table has had since the reading began: new ones are added.
     */
    replay(
        transaction: CommittedTransaction,
        afterSeq: number,
        tableIds: Set<number>,
    ): {events: LiveEvent[]; failure: PgError | undefined} {
        const events: LiveEvent[] = [];
        try {
            const truncateSeq = truncateSeqOf(transaction);
            if (truncateSeq > afterSeq && transaction.truncated.some(({tableId}) => tableIds.has(tableId))) {
                events.push(markEvent('truncate', truncateSeq));
            }
            for (const {tableId, was, now} of transaction.altered) {
                if (!tableIds.has(tableId)) continue;
                if (now === undefined) throw dropped(was ?? this.#table);
                this.layout(now);
                tableIds.add(now.tableId);
            }
            for (const change of transaction.changes) {
                if (!tableIds.has(change.table.tableId) || change.owner !== this.plan.owner) continue;
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
}

export function sharedKey(tableId: number, plan: LivePlan): string {
    return `${tableId} ${plan.key}`;
}

function dropped({schema, name}: TableDescriptor): PgError {
    return new PgError('42P01', `relation "${name}" does not exist`, {
        detail: 'The table of the live query was dropped.',
        schema,
        table: name,
    });
}

/**
 * TRUNCATE has no row: its mark stands just before the changes that the same transaction made after it, where the
 * commit has left a `_seq` free, so that resuming at the mark repeats none of them and skips none.
 */
export function truncateSeqOf(transaction: CommittedTransaction): number {
    const [first] = transaction.changes;
    return first === undefined ? transaction.seq : first.seq - 1;
}
