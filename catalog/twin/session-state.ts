/**
 * Which session's settings the twin's backend has now, and the statements that bring it to another session's. One
 * backend serves all sessions, so this runs before every task; equal contexts cost two comparisons.
 *
 * What must stay true: settings are applied outside of transactions, each in its own Query, so that one refused value
 * neither stops the others nor is undone by a ROLLBACK of the task. After a restart `forget` is called.
 */
import {quoteIdentifier, quoteLiteral} from '../quoting.ts';
import type {FrontendBatch} from './frontend-messages.ts';
import type {SessionContext} from './session-context.ts';

/**
 * Settings that Tidewire itself acts upon: the twin must not see them (a read-only or timed-out twin could not be
 * loaded), except that their values are shown by `pg_settings`, which the server answers.
 */
const KEPT_FROM_TWIN: ReadonlySet<string> = new Set([
    'statement_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
    'idle_session_timeout',
    'transaction_timeout',
    'default_transaction_read_only',
    'transaction_read_only',
    'default_transaction_isolation',
    'transaction_isolation',
    'default_transaction_deferrable',
    'transaction_deferrable',
    'client_encoding',
    'session_authorization',
    'role',
    'client_min_messages',
    'allow_system_table_mods',
    'session_replication_role',
    'default_tablespace',
    'temp_tablespaces',
]);

export class SessionState {
    readonly #superuser: string;
    #sessionId = -1;
    #settingsVersion = -1;
    #user: string;
    #sessionUser: string;
    #settings: ReadonlyMap<string, string> = new Map();

    constructor(superuser: string) {
        this.#superuser = superuser;
        this.#user = superuser;
        this.#sessionUser = superuser;
    }

    /** The backend has started anew. */
    forget(): void {
        this.#sessionId = -1;
        this.#settingsVersion = -1;
        this.#user = this.#superuser;
        this.#sessionUser = this.#superuser;
        this.#settings = new Map();
    }

    /** Appends what is needed to `batch` and returns the number of Query messages appended. */
    apply(context: SessionContext, batch: FrontendBatch): number {
        const sameUser = context.user === this.#user && context.sessionUser === this.#sessionUser;
        if (sameUser && context.sessionId === this.#sessionId && context.settingsVersion === this.#settingsVersion) {
            return 0;
        }
        const changes = settingChanges(this.#settings, context.settings);
        let queryCount = 0;
        if (!sameUser || changes.length > 0) {
            batch.query(`SET ROLE NONE; SET SESSION AUTHORIZATION ${quoteIdentifier(this.#superuser)}`);
            for (const change of changes) batch.query(change);
            batch.query(becomeSql(context));
            queryCount = changes.length + 2;
        }
        this.#sessionId = context.sessionId;
        this.#settingsVersion = context.settingsVersion;
        this.#user = context.user;
        this.#sessionUser = context.sessionUser;
        this.#settings = context.settings;
        return queryCount;
    }
}

function becomeSql(context: SessionContext): string {
    const authorization = `SET SESSION AUTHORIZATION ${quoteIdentifier(context.sessionUser)}`;
    if (context.user === context.sessionUser) return authorization;
    return `${authorization}; SET ROLE ${quoteIdentifier(context.user)}`;
}

function settingChanges(now: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
    const changes: string[] = [];
    for (const name of now.keys()) {
        if (!wanted.has(name) && !keptFromTwin(name)) changes.push(`RESET ${quoteSetting(name)}`);
    }
    for (const [name, value] of wanted) {
        if (now.get(name) !== value && !keptFromTwin(name)) {
            changes.push(`SELECT pg_catalog.tidewire_set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`);
        }
    }
    return changes;
}

function keptFromTwin(name: string): boolean {
    return KEPT_FROM_TWIN.has(name.toLowerCase());
}

/** A setting's name may have two parts (`app.user`). */
function quoteSetting(name: string): string {
    return name.split('.').map(quoteIdentifier).join('.');
}
