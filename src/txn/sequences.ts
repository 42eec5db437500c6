/**
 * Sequences: the numbers behind serial, identity and nextval. Never rolled back, as in PostgreSQL.
 *
 * What must stay true: a number is given out only when the commit log will know, before any commit that can contain it
 * is durable, that it is used up. So a reservation of `AHEAD` numbers is logged, in order, before the first of them is
 * used; after a crash up to `AHEAD` numbers are skipped, as PostgreSQL skips up to 32.
 */
import type {SequenceDescriptor} from '../../catalog/catalog-change.ts';
import {PgError} from '../../catalog/errors.ts';
import {sequenceKey} from '../../storage/hot/keys.ts';
import type {Committer} from './committer.ts';
import {type StoreOperation, Transaction} from './transaction.ts';

const AHEAD = 32n;

export interface SequenceState {
    /** The last number given out, or the one to give out next when `isCalled` is false. */
    lastValue: bigint;
    isCalled: boolean;
    /** Numbers up to this one may be given out without a new log record. */
    reserved: bigint | undefined;
}

export class Sequences {
    readonly #committer: Committer;
    readonly #states = new Map<number, SequenceState>();
    #loggedSeq = 0;
    /** Restarted by an open transaction: how they were before. Nothing is logged for them until it commits. */
    readonly #restarts = new Map<number, SequenceState | undefined>();

    constructor(committer: Committer) {
        this.#committer = committer;
    }

    /** Commit that has all numbers given out so far: who is told of one must wait for it, or commit after it. */
    get loggedSeq(): number {
        return this.#loggedSeq;
    }

    restore(sequenceId: number, lastValue: bigint, isCalled: boolean): void {
        this.#states.set(sequenceId, {lastValue, isCalled, reserved: undefined});
    }

    /** ALTER SEQUENCE … RESTART and the like in a transaction that has not committed yet; it holds the table's lock. */
    restart(sequenceId: number, value: bigint): void {
        if (!this.#restarts.has(sequenceId)) this.#restarts.set(sequenceId, this.#states.get(sequenceId));
        this.#states.set(sequenceId, {lastValue: value, isCalled: false, reserved: undefined});
    }

    /** What the commit of the restart has to log; undefined when it was undone. */
    restarted(sequenceId: number): SequenceState | undefined {
        return this.#restarts.has(sequenceId) ? this.#states.get(sequenceId) : undefined;
    }

    /** The restart is committed. */
    keepRestart(sequenceId: number, value: bigint): void {
        if (!this.#restarts.delete(sequenceId)) this.restore(sequenceId, value, false);
    }

    undoRestart(sequenceId: number): void {
        if (!this.#restarts.has(sequenceId)) return;
        const before = this.#restarts.get(sequenceId);
        this.#restarts.delete(sequenceId);
        if (before === undefined) this.#states.delete(sequenceId);
        else this.#states.set(sequenceId, before);
    }

    /** Its increment or bounds are others now: numbers reserved under the old ones do not count. */
    changed(sequenceId: number): void {
        const state = this.#states.get(sequenceId);
        if (state !== undefined) state.reserved = undefined;
    }

    forget(sequenceId: number): void {
        this.#states.delete(sequenceId);
    }

    state(sequence: SequenceDescriptor): SequenceState {
        let state = this.#states.get(sequence.sequenceId);
        if (state === undefined) {
            state = {lastValue: sequence.start, isCalled: false, reserved: undefined};
            this.#states.set(sequence.sequenceId, state);
        }
        return state;
    }

    next(sequence: SequenceDescriptor): bigint {
        const state = this.state(sequence);
        const value = state.isCalled ? advance(sequence, state.lastValue) : state.lastValue;
        const up = sequence.increment > 0n;
        const wrapped = state.isCalled && (up ? value < state.lastValue : value > state.lastValue);
        if (state.reserved === undefined || wrapped || (up ? value > state.reserved : value < state.reserved)) {
            let reserved = value + sequence.increment * AHEAD;
            if (reserved > sequence.max) reserved = sequence.max;
            if (reserved < sequence.min) reserved = sequence.min;
            if (this.#restarts.size === 0 || !this.#restarts.has(sequence.sequenceId)) {
                this.#log(sequence.sequenceId, reserved, true);
                state.reserved = reserved;
            }
        }
        state.lastValue = value;
        state.isCalled = true;
        return value;
    }

    set(sequence: SequenceDescriptor, value: bigint, isCalled: boolean): void {
        if (value < sequence.min || value > sequence.max) {
            throw new PgError(
                '22003',
                `setval: value ${value} is out of bounds for sequence "${sequence.name}" (${sequence.min}..${sequence.max})`,
            );
        }
        const state = this.state(sequence);
        this.#log(sequence.sequenceId, value, isCalled);
        state.lastValue = value;
        state.isCalled = isCalled;
        state.reserved = isCalled ? value : undefined;
    }

    /** At an orderly stop: gives back what is reserved and not used, so that the next start leaves no gap. */
    settle(): void {
        for (const [sequenceId, state] of this.#states) {
            if (state.reserved === undefined || this.#restarts.has(sequenceId)) continue;
            state.reserved = undefined;
            this.#log(sequenceId, state.lastValue, state.isCalled);
        }
    }

    /** The operation that makes a sequence start anew within a transaction (CREATE, RESTART, TRUNCATE RESTART IDENTITY). */
    static operation(sequenceId: number, value: bigint, isCalled: boolean): StoreOperation {
        return {key: sequenceKey(sequenceId), value: Buffer.from(JSON.stringify({value: value.toString(), isCalled}))};
    }

    static decode(bytes: Buffer): {value: bigint; isCalled: boolean} {
        const {value, isCalled} = JSON.parse(bytes.toString('utf8')) as {value: string; isCalled: boolean};
        return {value: BigInt(value), isCalled};
    }

    /** Not awaited: the log keeps its order, so what depends on this becomes durable after it. */
    #log(sequenceId: number, value: bigint, isCalled: boolean): void {
        const transaction = new Transaction(0);
        transaction.operations.push(Sequences.operation(sequenceId, value, isCalled));
        this.#loggedSeq = this.#committer.commit(transaction);
    }
}

function advance(sequence: SequenceDescriptor, value: bigint): bigint {
    const next = value + sequence.increment;
    if (sequence.increment > 0n && next > sequence.max) {
        if (sequence.cycle) return sequence.min;
        throw new PgError('2200H', `nextval: reached maximum value of sequence "${sequence.name}" (${sequence.max})`);
    }
    if (sequence.increment < 0n && next < sequence.min) {
        if (sequence.cycle) return sequence.max;
        throw new PgError('2200H', `nextval: reached minimum value of sequence "${sequence.name}" (${sequence.min})`);
    }
    return next;
}
