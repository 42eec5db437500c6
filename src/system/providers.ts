/**
 * The live truth behind `system.*`, `pg_stat_activity` and `pg_locks`: rows made when a statement names them.
 *
 * What must stay true: a session that is not a superuser's sees of others only what PostgreSQL would show it: no text of
 * their statements, no segments or counts of rows that it cannot read. Columns: catalog/system/definitions.ts.
 */
import type {SystemRow} from '../../catalog/system/relations.ts';
import type {Database} from '../database.ts';
import type {SessionContextState} from '../session/statement-context.ts';
import {activityRow, cursorRows, lockRows, preparedRows, sessionRow} from './session-rows.ts';
import {segmentRows, storageRows, tableRows} from './storage-rows.ts';
import {instant, text} from './system-text.ts';

type Rows = (context: SessionContextState) => readonly SystemRow[] | Promise<readonly SystemRow[]>;

export function provideSystemRelations(database: Database): void {
    const relations: Readonly<Record<string, Rows>> = {
        'system.tables': (context) => tableRows(database, context),
        'system.segments': (context) => segmentRows(database, context),
        'system.storages': () => storageRows(database),
        'system.jobs': () => jobRows(database),
        'system.live_queries': (context) => liveRows(database, context),
        'system.sessions': (context) => sessionsSeen(database, context).map((session) => sessionRow(database, session)),
        'pg_catalog.pg_stat_activity': (context) =>
            [...database.sessions.values()].map((session) => activityRow(session, context)),
        'pg_catalog.pg_locks': () => lockRows(database),
        'pg_catalog.pg_prepared_statements': (context) => preparedRows(context.session),
        'pg_catalog.pg_cursors': (context) => cursorRows(context.session),
    };
    for (const [name, rows] of Object.entries(relations)) {
        database.reference.systemRelations.provide(name, (twinContext) => {
            const session = database.sessions.get(twinContext.sessionId);
            return session === undefined ? [] : rows(session.context);
        });
    }
}

function sessionsSeen(database: Database, context: SessionContextState) {
    const {superuser, user} = context.identity;
    return [...database.sessions.values()].filter((session) => superuser || session.identity.sessionUser === user);
}

function jobRows(database: Database): SystemRow[] {
    return database.jobs
        .list()
        .map((job) => [
            job.id,
            job.type,
            job.status,
            text(job.table_name === '' ? undefined : job.table_name),
            text(job.rows_done),
            text(job.rows_total),
            text(job.bytes_done),
            null,
            text(job.attempts),
            text(job.error),
            instant(job.created),
            instant(job.started),
            instant(job.finished),
            text(job.took_ms),
            'local',
        ]);
}

function liveRows(database: Database, context: SessionContextState): SystemRow[] {
    const {superuser, user} = context.identity;
    const rows: SystemRow[] = [];
    for (const live of database.live.list()) {
        if (!superuser && live.user !== user) continue;
        rows.push([
            live.id,
            live.user,
            text(live.sessionId),
            text(database.sessions.get(live.sessionId)?.connection.remoteAddress),
            live.query,
            `${live.schema}.${live.table}`,
            'row by row',
            live.state,
            text(live.eventCount),
            text(live.waitingBytes),
            text(live.startSeq),
            text(live.lastSeq),
            text(live.sharedBy),
            instant(live.startedAtMs),
        ]);
    }
    return rows;
}
