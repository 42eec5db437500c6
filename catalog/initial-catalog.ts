/**
 * What a new database has: the schema public, the first superuser and the local storage. The same objects are in a new
 * twin, so that both agree from the start.
 *
 * What must stay true: the oids are PostgreSQL's fixed ones; role id 1 is the first superuser's for ever.
 */
import {type CatalogChange, NO_CHANGE} from './catalog-change.ts';
import {FIRST_SUPERUSER} from './roles.ts';
import {LOCAL_STORAGE} from './storages.ts';

const PUBLIC_SCHEMA_OID = 2200;
const BOOTSTRAP_SUPERUSER_OID = 10;
export const FIRST_ROLE_ID = 1;

/** `localPath`: where segments of the local storage are kept. */
export function initialCatalog(localPath: string): CatalogChange {
    return {
        ...NO_CHANGE,
        schemas: [{after: {oid: PUBLIC_SCHEMA_OID, name: 'public', owner: 'pg_database_owner'}}],
        roles: [
            {
                after: {
                    roleId: FIRST_ROLE_ID,
                    oid: BOOTSTRAP_SUPERUSER_OID,
                    name: FIRST_SUPERUSER,
                    login: true,
                    superuser: true,
                    inherit: true,
                    createDatabase: true,
                    createRole: true,
                    replication: true,
                    bypassRowSecurity: true,
                    connectionLimit: -1,
                    verifier: undefined,
                    validUntilMs: undefined,
                    memberOf: [],
                    settings: [],
                },
            },
        ],
        storages: [
            {
                after: {
                    name: LOCAL_STORAGE,
                    type: 'filesystem',
                    options: new Map([['path', localPath]]),
                    owner: FIRST_SUPERUSER,
                },
            },
        ],
    };
}
