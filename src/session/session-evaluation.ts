/**
 * What expressions may ask of their session: times, names, sequences.
 *
 * What must stay true: now() is fixed when first asked for within a transaction, at the earlier of that and the
 * statement's time; nextval is never rolled back.
 */
import {isGranted, type SequencePrivilege} from '../../catalog/acl.ts';
import type {SequenceDescriptor} from '../../catalog/catalog-change.ts';
import {PgError} from '../../catalog/errors.ts';
import type {OutputSettings} from '../../catalog/types/settings.ts';
import type {DrawnSequences} from '../exec/statement-context.ts';
import type {EvaluationContext} from '../sql/compile/evaluation.ts';
import type {Session} from './session.ts';
import {readOnlyError} from './session-transaction.ts';
import type {SessionContextState} from './statement-context.ts';

/** Microseconds from 1970-01-01 to 2000-01-01. */
const EPOCH_2000_MICROS = 946_684_800_000_000n;

export function nowMicros(): bigint {
    const ms = performance.timeOrigin + performance.now();
    return BigInt(Math.floor(ms * 1000)) - EPOCH_2000_MICROS;
}

export class SessionEvaluation implements EvaluationContext, DrawnSequences {
    readonly #session: Session;
    readonly #statement: SessionContextState;
    /** Last value of each sequence this session has drawn. */
    readonly #current: Map<number, bigint>;
    #last: {readonly sequenceId: number} | undefined;

    /** `previous`: of the same session, whose values it goes on with. */
    constructor(session: Session, statement: SessionContextState, previous?: SessionEvaluation) {
        this.#session = session;
        this.#statement = statement;
        this.#current = previous === undefined ? new Map() : previous.#current;
        this.#last = previous === undefined ? undefined : previous.#last;
    }

    get settings(): OutputSettings {
        return this.#session.settings.output;
    }

    get transactionMicros(): bigint {
        const {transaction} = this.#session;
        if (transaction.startMicros === 0n) {
            const now = this.#statement.fixStatementTime();
            if (!transaction.inBlock) return now;
            transaction.startMicros = now;
        }
        return transaction.startMicros;
    }

    get statementMicros(): bigint {
        return this.#statement.fixStatementTime();
    }

    clockMicros(): bigint {
        return nowMicros();
    }

    random(): number {
        return Math.random();
    }

    get user(): string {
        return this.#session.identity.user;
    }

    get sessionUser(): string {
        return this.#session.identity.sessionUser;
    }

    get database(): string {
        return this.#session.database.name;
    }

    get schema(): string | null {
        return (
            this.#session.settings.searchPath.find((name) => this.#statement.catalog.schema(name) !== undefined) ?? null
        );
    }

    nextval(name: string): bigint {
        if (this.#session.transaction.isReadOnly) throw readOnlyError('nextval()');
        const sequence = this.#statement.sequenceNamed(name);
        // The numbers of an identity column come with the right to insert.
        if (!sequence.identity) this.#require(sequence, ['U', 'w']);
        const value = this.#session.database.sequences.next(sequence);
        this.#dependOnLog();
        this.#current.set(sequence.sequenceId, value);
        this.#last = sequence;
        return value;
    }

    currval(name: string): bigint {
        const sequence = this.#statement.sequenceNamed(name);
        this.#require(sequence, ['U', 'r']);
        const value = this.#current.get(sequence.sequenceId);
        if (value === undefined) {
            throw new PgError('55000', `currval of sequence "${sequence.name}" is not yet defined in this session`);
        }
        return value;
    }

    lastval(): bigint {
        const value = this.#last === undefined ? undefined : this.#current.get(this.#last.sequenceId);
        if (value === undefined) throw new PgError('55000', 'lastval is not yet defined in this session');
        return value;
    }

    setval(name: string, value: bigint, isCalled: boolean): bigint {
        if (this.#session.transaction.isReadOnly) throw readOnlyError('setval()');
        const sequence = this.#statement.sequenceNamed(name);
        this.#require(sequence, ['w']);
        this.#session.database.sequences.set(sequence, value, isCalled);
        this.#dependOnLog();
        if (isCalled) {
            this.#current.set(sequence.sequenceId, value);
        }
        return value;
    }

    /** @throws PgError 42501 when the role has none of these rights. */
    #require(sequence: SequenceDescriptor, privileges: readonly SequencePrivilege[]): void {
        const {superuser, user} = this.#session.identity;
        if (superuser || isGranted(sequence, privileges, user, this.#statement.catalog)) return;
        throw new PgError('42501', `permission denied for sequence ${sequence.name}`);
    }

    /** A number that is told must never come again: the transaction is answered when the log has it. */
    #dependOnLog(): void {
        const {committer, sequences} = this.#session.database;
        if (sequences.loggedSeq > committer.visibleSeq) this.#session.transaction.write().dependOn(sequences.loggedSeq);
    }

    get lastSequenceId(): number | undefined {
        return this.#last?.sequenceId;
    }

    lastOf(sequenceId: number): bigint | undefined {
        return this.#current.get(sequenceId);
    }

    /** DISCARD SEQUENCES. */
    forgetSequences(): void {
        this.#current.clear();
        this.#last = undefined;
    }

    /** The reference path drew from the sequence in our place. */
    drawn(sequenceId: number, value: bigint): void {
        this.#current.set(sequenceId, value);
        this.#last = {sequenceId};
    }
}
