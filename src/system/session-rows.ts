/** Sessions and the locks they hold, as system.sessions, pg_stat_activity and pg_locks show them. */
import type {SystemRow} from '../../catalog/system/relations.ts';
import type {Database} from '../database.ts';
import type {Session} from '../session/session.ts';
import type {SessionContextState} from '../session/statement-context.ts';
import {Head} from '../txn/head.ts';
import type {AdvisoryKey} from '../txn/advisory-locks.ts';
import {TableStore} from '../txn/table-store.ts';
import {instant, text} from './system-text.ts';

/** As PostgreSQL cuts statements in pg_stat_activity (track_activity_query_size). */
const QUERY_CHARACTERS_MAX = 1024;
const HIDDEN_QUERY = '<insufficient privilege>';

function stateOf(session: Session): string {
    if (session.running) return 'active';
    const status = session.transactionStatus();
    if (status === 'I') return 'idle';
    return status === 'T' ? 'idle in transaction' : 'idle in transaction (aborted)';
}

function transactionStartMs(session: Session): number | undefined {
    return session.transaction.inBlock || session.running ? session.queryStartedAtMs : undefined;
}

export function sessionRow(database: Database, session: Session): SystemRow {
    const live = database.live.list().filter((query) => query.sessionId === session.processId).length;
    return [
        text(session.processId),
        session.identity.sessionUser,
        session.settings.get('application_name'),
        session.connection.remoteAddress,
        stateOf(session),
        instant(session.startedAtMs),
        instant(transactionStartMs(session)),
        session.currentQuery.slice(0, QUERY_CHARACTERS_MAX),
        text(live),
    ];
}

export function activityRow(session: Session, viewer: SessionContextState): SystemRow {
    const {superuser, user} = viewer.identity;
    const visible = superuser || session.identity.sessionUser === user;
    const hidden = (value: string | null): string | null => (visible ? value : null);
    const role = viewer.catalog.role(session.identity.sessionUser);
    const waiting = session.transaction.current?.waitingFor ?? null;
    return [
        '5',
        viewer.database.name,
        text(session.processId),
        null,
        text(role?.oid),
        session.identity.sessionUser,
        session.settings.get('application_name'),
        hidden(session.connection.remoteAddress),
        null,
        hidden(text(session.connection.remotePort)),
        hidden(instant(session.startedAtMs)),
        hidden(instant(transactionStartMs(session))),
        hidden(session.queryStartedAtMs === 0 ? null : instant(session.queryStartedAtMs)),
        hidden(instant(session.stateChangedAtMs)),
        hidden(waiting === null ? (session.running ? null : 'Client') : 'Lock'),
        hidden(
            waiting === null
                ? session.running
                    ? null
                    : 'ClientRead'
                : waiting instanceof TableStore
                  ? 'relation'
                  : 'tuple',
        ),
        hidden(stateOf(session)),
        null,
        null,
        null,
        visible ? session.currentQuery.slice(0, QUERY_CHARACTERS_MAX) : HIDDEN_QUERY,
        'client backend',
    ];
}

/** One row per table a transaction has written or locked, and one per lock that it waits for. */
export function lockRows(database: Database): SystemRow[] {
    const rows: SystemRow[] = [];
    for (const session of database.sessions.values()) {
        const transaction = session.transaction.current;
        if (transaction === null) continue;
        const exclusive = new Set<TableStore>();
        const sharing = new Set<TableStore>(transaction.writing);
        for (const lock of transaction.locked) {
            if (lock instanceof TableStore) exclusive.add(lock);
            else if (lock instanceof Head) sharing.add(lock.store);
        }
        for (const store of sharing) {
            if (!exclusive.has(store)) rows.push(lockRow(session, 'relation', store, 'RowExclusiveLock', true));
        }
        for (const store of exclusive) rows.push(lockRow(session, 'relation', store, 'AccessExclusiveLock', true));
        const {waitingFor} = transaction;
        if (waitingFor instanceof TableStore)
            rows.push(lockRow(session, 'relation', waitingFor, 'AccessExclusiveLock', false));
        else if (waitingFor instanceof Head)
            rows.push(lockRow(session, 'tuple', waitingFor.store, 'ExclusiveLock', false));
    }
    for (const {key, held, waiters} of database.advisoryLocks.list()) {
        for (const [holder, {exclusive, shared}] of held) {
            if (exclusive > 0) rows.push(advisoryRow(holder.owner.processId, key, 'ExclusiveLock', true));
            if (shared > 0) rows.push(advisoryRow(holder.owner.processId, key, 'ShareLock', true));
        }
        for (const {transaction} of waiters ?? []) {
            rows.push(advisoryRow(transaction.processId, key, 'ExclusiveLock', false));
        }
    }
    return rows;
}

function advisoryRow(processId: number, key: AdvisoryKey, mode: string, granted: boolean): SystemRow {
    const {classid, objid, objsubid} = key;
    const pid = text(processId);
    const place = [text(classid), text(objid), text(objsubid)];
    return ['advisory', '5', null, null, null, null, null, ...place, `${pid}/1`, pid, mode, text(granted), 'f', null];
}

function lockRow(session: Session, type: string, store: TableStore, mode: string, granted: boolean): SystemRow {
    const oid = text(store.table.oid);
    const pid = text(session.processId);
    return [type, '5', oid, null, null, null, null, null, null, null, `${pid}/1`, pid, mode, text(granted), 'f', null];
}

/** Of the session itself: pg_prepared_statements. */
export function preparedRows(session: Session): SystemRow[] {
    const rows: SystemRow[] = [];
    for (const [name, {text: statement, plan, preparedAtMs, fromSql}] of session.statements) {
        if (name === '') continue;
        const results = plan?.fields?.map((field) => field.typeOid);
        rows.push([
            name,
            statement,
            instant(preparedAtMs),
            arrayText(plan?.parameterTypes ?? []),
            results === undefined ? null : arrayText(results),
            text(fromSql),
            '0',
            '0',
        ]);
    }
    return rows;
}

/** Of the session itself: pg_cursors. */
export function cursorRows(session: Session): SystemRow[] {
    return [...session.cursors.list()].map((cursor) => [
        cursor.name,
        cursor.statement,
        text(cursor.withHold),
        'f',
        text(cursor.scroll !== 'no'),
        instant(cursor.createdAtMs),
    ]);
}

function arrayText(oids: readonly number[]): string {
    return `{${oids.join(',')}}`;
}
