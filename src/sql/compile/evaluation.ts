/**
 * What an expression may ask of the session and transaction that it is evaluated in.
 */
import type {OutputSettings} from '../../../catalog/types/settings.ts';

export interface EvaluationContext {
    readonly settings: OutputSettings;
    /** now(): start of the transaction, microseconds since 2000-01-01 UTC. */
    readonly transactionMicros: bigint;
    readonly statementMicros: bigint;
    readonly user: string;
    readonly sessionUser: string;
    /** First existing schema of the search path; null when there is none. */
    readonly schema: string | null;
    readonly database: string;
    /** Sequences by name as written: `s`, `public.s`, `"My seq"`. */
    nextval(sequence: string): bigint;
    currval(sequence: string): bigint;
    lastval(): bigint;
    setval(sequence: string, value: bigint, isCalled: boolean): bigint;
    /** 0 <= x < 1 */
    random(): number;
    /** clock_timestamp(), microseconds since 2000-01-01 UTC. */
    clockMicros(): bigint;
}
