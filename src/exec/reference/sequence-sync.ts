/**
 * Sequences on the twin: given our state before a statement, and asked for theirs after it.
 *
 * What must stay true: a number is never given out twice. While the statement runs on the twin others may draw from the
 * same sequence here; then what the statement drew is thrown away and it runs again with numbers set aside for it.
 * Source of the rules: PostgreSQL documentation, section 9.17, and nextval/setval in commands/sequence.c.
 */
import type {SequenceDescriptor} from '../../../catalog/catalog-change.ts';
import {PgError} from '../../../catalog/errors.ts';
import {quoteLiteral, quoteQualified} from '../../../catalog/quoting.ts';
import {textsOfRow} from '../../../catalog/twin/backend-messages.ts';
import type {SessionContext} from '../../../catalog/twin/session-context.ts';
import type {TwinTransaction} from '../../../catalog/twin/twin-transaction.ts';
import type {DrawnSequences, StatementContext} from '../statement-context.ts';
import type {Dependencies} from './dependencies.ts';
import {asServer} from './server-rights.ts';

export interface SequenceValue {
    readonly lastValue: bigint;
    readonly isCalled: boolean;
}

/** Numbers set aside on the second attempt, beyond those the first one drew. */
const RESERVE_LEAST = 32n;
const ATTEMPTS_MAX = 16;

interface Lease {
    readonly sequence: SequenceDescriptor;
    /** What the twin starts from. */
    readonly start: SequenceValue;
    /** What our own state was left at while the twin runs. */
    held: SequenceValue;
    /** What the twin was set to, and what it says afterwards. */
    given: SequenceValue;
    after: SequenceValue | undefined;
    /** currval on the twin afterwards. */
    drawn: bigint | undefined;
}

/** Runs `work` until the numbers that it drew on the twin are its own. */
export async function withSequences<T>(
    context: StatementContext,
    dependencies: Dependencies,
    work: (sync: SequenceSync) => Promise<T>,
): Promise<T> {
    const reserve = new Map<number, bigint>();
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const sync = new SequenceSync(context, dependencies, reserve);
        let result: T;
        try {
            result = await work(sync);
        } catch (error) {
            sync.giveBack();
            throw error;
        }
        if (sync.settle()) return result;
    }
    throw new PgError('40001', 'could not draw from a sequence that others draw from at the same time');
}

export class SequenceSync {
    readonly #context: StatementContext;
    readonly #dependencies: Dependencies;
    readonly #reserve: Map<number, bigint>;
    readonly #leases: Lease[];

    constructor(context: StatementContext, dependencies: Dependencies, reserve: Map<number, bigint>) {
        this.#context = context;
        this.#dependencies = dependencies;
        this.#reserve = reserve;
        this.#leases = dependencies.sequences.map((sequence) => this.#lease(sequence));
    }

    #lease(sequence: SequenceDescriptor): Lease {
        const {sequences} = this.#context.database;
        const start = valueOf(sequences.state(sequence));
        const count = this.#reserve.get(sequence.sequenceId) ?? 0n;
        let held = start;
        if (count > 0n) {
            held = {lastValue: clamp(start.lastValue + count * sequence.increment, sequence), isCalled: true};
            sequences.set(sequence, held.lastValue, true);
        }
        return {sequence, start, held, given: start, after: undefined, drawn: undefined};
    }

    /** Brings the twin's sequences to our state. */
    async before(t: TwinTransaction, session: SessionContext): Promise<void> {
        if (this.#leases.length === 0 && !this.#dependencies.lastval) return;
        const statements = ['DISCARD SEQUENCES'];
        const {drawnSequences: drawn} = this.#context;
        for (const lease of this.#leases) {
            if (this.#dependencies.currval) pushCurrval(lease.sequence, drawn, statements);
        }
        if (this.#dependencies.lastval) pushLastval(this.#context, drawn, statements);
        for (const lease of this.#leases) {
            lease.given = givenValue(lease, this.#dependencies);
            statements.push(setvalSql(lease.sequence, lease.given));
        }
        await asServer(t, session, statements);
    }

    /** Reads what the statement has left. */
    async after(t: TwinTransaction, session: SessionContext): Promise<void> {
        if (this.#leases.length === 0) return;
        const results = await asServer(
            t,
            session,
            this.#leases.map(({sequence}) => `SELECT last_value, is_called FROM ${nameOf(sequence)}`),
        );
        this.#leases.forEach((lease, index) => {
            const row = results[index]?.rows[0];
            if (row === undefined) return;
            const [lastValue, isCalled] = textsOfRow(row);
            lease.after = {lastValue: BigInt(lastValue ?? 0), isCalled: isCalled === 't'};
        });
        const changed = this.#leases.filter((lease) => hasChanged(lease) && lease.after?.isCalled === true);
        const current = await asServer(
            t,
            session,
            changed.map(({sequence}) => `SELECT pg_catalog.currval(${quoteLiteral(nameOf(sequence))})`),
        );
        changed.forEach((lease, index) => {
            const row = current[index]?.rows[0];
            const text = row === undefined ? null : textsOfRow(row)[0];
            if (typeof text === 'string') lease.drawn = BigInt(text);
        });
    }

    /** Makes the numbers ours. False: others drew the same ones; the statement must run again. */
    settle(): boolean {
        const {sequences} = this.#context.database;
        const lost = this.#leases.filter((lease) => hasChanged(lease) && !this.#isOwn(lease));
        if (lost.length > 0) {
            for (const lease of lost) {
                const drawn = distance(lease.start.lastValue, lease.after?.lastValue ?? 0n, lease.sequence);
                this.#reserve.set(lease.sequence.sequenceId, drawn * 2n + RESERVE_LEAST);
            }
            this.giveBack();
            return false;
        }
        for (const lease of this.#leases) {
            const {sequence, after, held} = lease;
            if (!hasChanged(lease) || after === undefined) this.#restore(lease);
            else if (this.#dependencies.setval || same(valueOf(sequences.state(sequence)), held)) {
                sequences.set(sequence, after.lastValue, after.isCalled);
            }
            if (lease.drawn !== undefined) this.#context.drawnSequences.drawn(sequence.sequenceId, lease.drawn);
        }
        return true;
    }

    /** Nothing was drawn after all. */
    giveBack(): void {
        for (const lease of this.#leases) this.#restore(lease);
    }

    /** What the statement drew was still there to be drawn: nobody else has moved, or it stayed within its reserve. */
    #isOwn(lease: Lease): boolean {
        // setval says itself where the sequence goes on, as between two sessions of PostgreSQL.
        if (this.#dependencies.setval) return true;
        const {sequence, start, held, after} = lease;
        if (same(valueOf(this.#context.database.sequences.state(sequence)), held) && same(start, held)) return true;
        if (after === undefined || same(start, held)) return false;
        const reserved = distance(start.lastValue, held.lastValue, sequence);
        return distance(start.lastValue, after.lastValue, sequence) <= reserved;
    }

    /** Takes back what was set aside, unless others went on from there. */
    #restore({sequence, start, held}: Lease): void {
        const {sequences} = this.#context.database;
        if (same(start, held) || !same(valueOf(sequences.state(sequence)), held)) return;
        sequences.set(sequence, start.lastValue, start.isCalled);
    }
}

function valueOf(state: SequenceValue): SequenceValue {
    return {lastValue: state.lastValue, isCalled: state.isCalled};
}

function same(a: SequenceValue, b: SequenceValue): boolean {
    return a.lastValue === b.lastValue && a.isCalled === b.isCalled;
}

function hasChanged(lease: Lease): boolean {
    return lease.after !== undefined && !same(lease.given, lease.after);
}

/** Steps from one value to another; a sequence that wrapped around counts as all its numbers. */
function distance(from: bigint, to: bigint, sequence: SequenceDescriptor): bigint {
    const steps = (to - from) / sequence.increment;
    if (steps >= 0n) return steps;
    const all = (sequence.max - sequence.min) / sequence.increment;
    return all < 0n ? -all : all;
}

function clamp(value: bigint, {min, max}: SequenceDescriptor): bigint {
    if (value > max) return max;
    return value < min ? min : value;
}

function nameOf(sequence: SequenceDescriptor): string {
    return quoteQualified(sequence.schema, sequence.name);
}

function setvalSql(sequence: SequenceDescriptor, {lastValue, isCalled}: SequenceValue): string {
    return `SELECT pg_catalog.setval(${quoteLiteral(nameOf(sequence))}, ${lastValue}, ${isCalled})`;
}

/**
 * With `isCalled` false, setval leaves currval and lastval alone: where the statement asks for them, "5, called" is said
 * as "6, not called".
 */
function givenValue({sequence, start}: Lease, {currval, lastval}: Dependencies): SequenceValue {
    if ((!currval && !lastval) || !start.isCalled) return start;
    const next = start.lastValue + sequence.increment;
    return next > sequence.max || next < sequence.min ? start : {lastValue: next, isCalled: false};
}

function pushCurrval(sequence: SequenceDescriptor, drawn: DrawnSequences, statements: string[]): void {
    const value = drawn.lastOf(sequence.sequenceId);
    if (value !== undefined) statements.push(setvalSql(sequence, {lastValue: value, isCalled: true}));
}

/** lastval speaks of nextval alone: so the number is drawn once more. */
function pushLastval(context: StatementContext, drawn: DrawnSequences, statements: string[]): void {
    const {lastSequenceId} = drawn;
    const sequence = lastSequenceId === undefined ? undefined : context.catalog.sequenceById(lastSequenceId);
    const value = lastSequenceId === undefined ? undefined : drawn.lastOf(lastSequenceId);
    if (sequence === undefined || value === undefined) return;
    statements.push(
        setvalSql(sequence, {lastValue: value, isCalled: false}),
        `SELECT pg_catalog.nextval(${quoteLiteral(nameOf(sequence))})`,
    );
}
