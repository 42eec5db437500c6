/**
 * The three moments of DDL, each one transaction of the twin: a statement by itself, a statement of a transaction
 * block, and the COMMIT of such a block.
 *
 * What must stay true: the record is durable before the twin commits. If the server stops in between, the twin is behind
 * and replays; if recording fails, the twin rolls back. DDL is serialised by the twin's queue, so the sequence numbers
 * of the log have no gaps.
 */
import {strict as assert} from 'node:assert';
import type {Catalog, CatalogView} from '../catalog.ts';
import type {CatalogChange} from '../catalog-change.ts';
import {type CatalogRecordChange, recordsOfChange} from '../records.ts';
import type {StorageOutcome} from '../storage-ddl.ts';
import {storagesSql} from '../storages.ts';
import {FIRST_SUPERUSER} from '../roles.ts';
import {actAs} from '../twin/pending-replay.ts';
import type {SessionContext} from '../twin/session-context.ts';
import type {Twin, TwinTaskOptions} from '../twin/twin.ts';
import type {TwinTransaction} from '../twin/twin-transaction.ts';
import {type DdlOutcome, applyDdl, commitPendingDdl, markApplied} from './apply.ts';
import type {DdlPlan} from './plan.ts';
import type {IdAllocator} from './read-back.ts';

export interface DdlServices {
    readonly twin: Twin;
    readonly catalog: Catalog;
    readonly ids: IdAllocator;
    /**
     * Makes the change durable in the commit log (`records` are those of the hot store) and does what storage must do.
     * When it rejects, nothing has happened. `catalog.apply(change)` follows when it resolves.
     */
    readonly record: (change: CatalogChange, records: readonly CatalogRecordChange[]) => Promise<void>;
}

type Signal = Pick<TwinTaskOptions, 'signal'>;

/** A DDL statement outside of a transaction block. */
export function runDdl(
    services: DdlServices,
    plan: DdlPlan,
    session: SessionContext,
    options: Signal = {},
): Promise<DdlOutcome> {
    const {catalog, ids} = services;
    return committed(services, session, options, async (t) => {
        const outcome = await applyDdl(t, plan, session, {committed: catalog, known: catalog, ids});
        return {result: outcome, change: outcome.change};
    });
}

/** A DDL statement in a transaction block: `known` is the session's overlay; `session` has its pending DDL so far. */
export function tryDdl(
    services: DdlServices,
    plan: DdlPlan,
    session: SessionContext,
    known: CatalogView,
    options: Signal = {},
): Promise<DdlOutcome> {
    const {catalog, ids} = services;
    return services.twin.transaction(session, (t) => applyDdl(t, plan, session, {committed: catalog, known, ids}), {
        ...options,
        commit: false,
    });
}

/** COMMIT of a transaction block: `changes` are those of its DDL statements, in order. */
export function commitDdl(
    services: DdlServices,
    changes: readonly CatalogChange[],
    session: SessionContext,
    options: Signal = {},
): Promise<CatalogChange> {
    const {catalog, ids} = services;
    return committed(services, session, options, async (t) => {
        const known = catalog.overlay(changes);
        const change = await commitPendingDdl(t, changes, {committed: catalog, known, ids});
        return {result: change, change};
    });
}

/** A planned CREATE | ALTER | DROP STORAGE. */
export async function runStorageDdl(
    services: DdlServices,
    outcome: StorageOutcome,
    session: SessionContext,
): Promise<void> {
    if (outcome.change.storages.length === 0) return;
    await committed(services, session, {}, async (t) => {
        const after = services.catalog.overlay([outcome.change]);
        await t.simple(actAs(FIRST_SUPERUSER, FIRST_SUPERUSER, new Map(), FIRST_SUPERUSER));
        await t.simple(storagesSql(after.storages()));
        return {result: undefined, change: outcome.change};
    });
}

/**
 * Runs `work`, records its change and commits. Once recording begins it can no longer be cancelled, and once it is
 * recorded it has happened, whatever becomes of the twin: one that did not commit catches up when it starts again.
 */
async function committed<T>(
    services: DdlServices,
    session: SessionContext,
    options: Signal,
    work: (t: TwinTransaction) => Promise<{result: T; change: CatalogChange}>,
): Promise<T> {
    const {catalog} = services;
    const cancel = new AbortController();
    const onAbort = (): void => cancel.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, {once: true});
    if (options.signal?.aborted === true) onAbort();
    let recorded: {result: T} | undefined;
    const run = async (t: TwinTransaction): Promise<void> => {
        const {result, change} = await work(t);
        const seq = catalog.ddlSeq;
        if (change.ddl.length > 0) await markApplied(t, seq + change.ddl.length);
        cancel.signal.throwIfAborted();
        options.signal?.removeEventListener('abort', onAbort);
        await services.record(change, recordsOfChange(change, seq));
        catalog.apply(change);
        recorded = {result};
    };
    try {
        await services.twin.transaction(session, run, {commit: true, signal: cancel.signal});
    } catch (error) {
        if (recorded === undefined) throw error;
    } finally {
        options.signal?.removeEventListener('abort', onAbort);
    }
    assert(recorded !== undefined, 'a transaction that committed was recorded');
    return recorded.result;
}
