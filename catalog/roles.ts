/**
 * Roles: who may log in and what they may do. They live in our catalog (truth) and in the twin (what pg_roles says).
 *
 * What must stay true: a password is kept as its SCRAM-SHA-256 verifier only; its clear text is neither stored, logged
 * nor sent to the twin. `roleId` is ours, stable and never reused: it is the owner of rows in `user` tables.
 */

export interface RoleDescriptor {
    readonly roleId: number;
    /** pg_authid.oid in the present twin. */
    readonly oid: number;
    readonly name: string;
    readonly login: boolean;
    readonly superuser: boolean;
    readonly inherit: boolean;
    readonly createDatabase: boolean;
    readonly createRole: boolean;
    readonly replication: boolean;
    readonly bypassRowSecurity: boolean;
    /** -1 = no limit. */
    readonly connectionLimit: number;
    /** SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, or undefined: no password. */
    readonly verifier: string | undefined;
    /** Milliseconds since 1970, Infinity, or undefined: the password does not expire. */
    readonly validUntilMs: number | undefined;
    /** Names of the roles this one is a direct member of. */
    readonly memberOf: readonly string[];
    /** ALTER ROLE … SET: `name=value`, applied when a session of the role starts. */
    readonly settings: readonly string[];
}

export const FIRST_SUPERUSER = 'tidewire';
/** Makes the verifier of a clear password; a text that is a verifier already is returned as it is. */
export type ScramVerifier = (password: string) => string;
