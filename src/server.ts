/**
 * The composition root: settings in, a running server out. Joins the database with the wire.
 *
 * What must stay true: the port is open only when the database has recovered; stopping ends sessions, makes everything
 * durable and flushes nothing; a failure of the commit log ends the process, because what comes after it could be lost.
 */
import {readFileSync} from 'node:fs';
import {createSecureContext, type SecureContext} from 'node:tls';
import type {Logger} from 'pino';
import {PgError} from '../catalog/errors.ts';
import {FIRST_SUPERUSER} from '../catalog/roles.ts';
import type {Acceptor, ConnectionControl, OpenedSession, ResponseWriter, StartupRequest} from '../wire/handler.ts';
import {WireServer} from '../wire/server.ts';
import {authenticate, identify} from './auth/identity.ts';
import type {RunningServer} from './cli/command-line.ts';
import type {Settings} from './config/settings.ts';
import {Database} from './database.ts';
import {IdleMemory} from './jobs/idle-memory.ts';
import {Session} from './session/session.ts';
import {loadParser} from './sql/parse.ts';

export async function startServer(settings: Settings, logger: Logger): Promise<RunningServer> {
    await loadParser();
    const database = await Database.open(settings, logger, (error) => {
        logger.fatal(error, 'the commit log failed: ending, so that nothing unsafe is acknowledged');
        process.exit(70);
    });
    const wire = new WireServer({
        acceptor: acceptorOf(database),
        messageBytesMax: settings.messageBytesMax,
        startupMsMax: settings.authenticationTimeoutMs,
        connectionsMax: settings.maxConnections,
        report: (error) => logger.error(error, 'unexpected error'),
        ...tlsOf(settings),
    });
    try {
        refuseOpenDoor(settings, database);
        const {port} = await wire.listen(settings.host, settings.port);
        const memory = new IdleMemory({lastBusyMs: () => lastBusyMs(database)});
        memory.start();
        logger.info({host: settings.host, port, data: settings.data}, 'accepting connections');
        return {
            host: settings.host,
            port,
            async stop(): Promise<void> {
                logger.info('stopping');
                memory.stop();
                await wire.shutdown(settings.shutdownGraceMs);
                await database.close();
                logger.info('stopped');
            },
        };
    } catch (error) {
        await database.close();
        throw error;
    }
}

function lastBusyMs(database: Database): number {
    let last = 0;
    for (const session of database.sessions.values()) {
        if (session.running) return Infinity;
        last = Math.max(last, session.stateChangedAtMs);
    }
    return last;
}

function acceptorOf(database: Database): Acceptor {
    return {
        authenticate: (request) => authenticate(database, request),
        open(request: StartupRequest, writer: ResponseWriter, connection: ConnectionControl): OpenedSession {
            const identity = identify(database, request);
            const session = new Session(database, request, connection, writer, identity);
            database.sessions.set(session.processId, session);
            return {handler: session, parameters: session.settings.initialReport()};
        },
    };
}

/** A role without a password is trusted from loopback; an address that others can reach needs one. */
function refuseOpenDoor(settings: Settings, database: Database): void {
    if (/^(127\.|::1$|localhost$)/.test(settings.host)) return;
    const superuser = database.catalog.role(FIRST_SUPERUSER);
    if (superuser?.verifier !== undefined) return;
    throw new PgError(
        '28000',
        `the superuser "${FIRST_SUPERUSER}" has no password, so the server listens on loopback only`,
        {
            hint: 'Set superuser_password, or ALTER ROLE … PASSWORD while it listens on 127.0.0.1.',
        },
    );
}

function tlsOf(settings: Settings): {readonly tls?: SecureContext} {
    if (settings.tlsCertFile === '' && settings.tlsKeyFile === '') return {};
    if (settings.tlsCertFile === '' || settings.tlsKeyFile === '') {
        throw new PgError('F0000', 'tls_cert_file and tls_key_file are needed together');
    }
    return {
        tls: createSecureContext({cert: readFileSync(settings.tlsCertFile), key: readFileSync(settings.tlsKeyFile)}),
    };
}
