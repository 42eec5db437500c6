/**
 * What the twin must know of the session a statement comes from, so that `current_user`, `search_path`, time zones and
 * the session's own uncommitted DDL come out as that session expects. One backend serves every session: the context is
 * applied before each task, and only where it differs from what the backend has.
 *
 * What must stay true: `settingsVersion` grows with every change of `settings`, `user` or `sessionUser` of a session;
 * two contexts with equal `sessionId` and `settingsVersion` are the same settings.
 */

/** One SQL text for the twin. */
export interface TwinStatement {
    readonly sql: string;
    /** True: runs with the server's own rights (it writes our options into system catalogs). */
    readonly system: boolean;
}

/** DDL that the session's open transaction has run: replayed, in order, before every task of that session. */
export interface PendingDdl {
    /** SQL texts as the twin runs them, our own options already taken out. */
    readonly statements: readonly TwinStatement[];
    readonly user: string;
    /** Settings that the meaning of the text depends on, search_path included. */
    readonly settings: ReadonlyMap<string, string>;
    /**
     * All objects that the transaction has created so far, by their names after this DDL, with the oids the session was
     * told. A replay gives them other oids: results are translated. Only the list of the last DDL is used.
     */
    readonly created: readonly CreatedObject[];
}

export interface CreatedObject {
    readonly kind: 'relation' | 'type';
    readonly schema: string;
    readonly name: string;
    readonly oid: number;
}

export interface SessionContext {
    readonly sessionId: number;
    /** The current role (`current_user`). */
    readonly user: string;
    readonly sessionUser: string;
    readonly superuser: boolean;
    /** Settings that differ from the server's defaults: search_path, TimeZone, DateStyle, … */
    readonly settings: ReadonlyMap<string, string>;
    readonly settingsVersion: number;
    readonly pendingDdl: readonly PendingDdl[];
}

/** The context of the server itself: rebuilding, reading back. */
export function systemContext(user: string): SessionContext {
    return {
        sessionId: 0,
        user,
        sessionUser: user,
        superuser: true,
        settings: new Map([['search_path', 'pg_catalog']]),
        settingsVersion: 0,
        pendingDdl: [],
    };
}
