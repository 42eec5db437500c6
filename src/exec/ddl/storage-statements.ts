/**
 * CREATE, ALTER and DROP STORAGE. They are records of the catalog and not part of the DDL log; the twin shows them as
 * tablespaces.
 *
 * What must stay true: a type that the server cannot read from and write to is refused, not kept.
 */
import {PgError} from '../../../catalog/errors.ts';
import {FIRST_SUPERUSER} from '../../../catalog/roles.ts';
import {planStorage, type StorageStatement} from '../../../catalog/storage-ddl.ts';
import {storagesSql} from '../../../catalog/storages.ts';
import {actAs} from '../../../catalog/twin/pending-replay.ts';
import type {PendingDdl} from '../../../catalog/twin/session-context.ts';
import type {OwnStatement} from '../../sql/own-statements/own-statement.ts';
import type {StatementContext} from '../statement-context.ts';

type StorageOwnStatement = Extract<OwnStatement, {kind: 'create storage' | 'alter storage' | 'drop storage'}>;

/** Options of each type that the object layer can open. */
const OPTION_NAMES: Readonly<Record<string, readonly string[]>> = {filesystem: ['path']};
/** Other spellings of KalamDB's list. */
const OPTION_ALIASES: Readonly<Record<string, string>> = {base_directory: 'path'};

export function isStorageStatement(own: OwnStatement): own is StorageOwnStatement {
    return own.kind === 'create storage' || own.kind === 'alter storage' || own.kind === 'drop storage';
}

/** Returns the command tag. */
export function runStorageStatement(own: StorageOwnStatement, context: StatementContext): string {
    for (const statement of statementsOf(own)) runOne(statement, context);
    return own.kind.toUpperCase();
}

function statementsOf(own: StorageOwnStatement): StorageStatement[] {
    switch (own.kind) {
        case 'create storage': {
            const options = native(own.options);
            const type = own.type.toLowerCase();
            checkType(type);
            if (!options.has('path'))
                throw new PgError('22023', 'a storage of type "filesystem" needs the option "path"');
            return [{...own, type, options}];
        }
        case 'alter storage':
            if (own.reset.includes('path')) throw new PgError('22023', 'the option "path" cannot be reset');
            return [{...own, set: native(own.set)}];
        case 'drop storage':
            return own.names.map((name) => ({kind: 'drop storage', name, ifExists: own.ifExists}));
    }
}

function native(options: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    return new Map([...options].map(([name, value]) => [OPTION_ALIASES[name] ?? name, value]));
}

function checkType(type: string): void {
    if (Object.hasOwn(OPTION_NAMES, type)) return;
    throw new PgError('0A000', `storages of type "${type}" are not supported`, {
        hint: "Use TYPE 'filesystem' WITH (path = '/…').",
    });
}

function runOne(statement: StorageStatement, context: StatementContext): void {
    const {identity, catalog} = context;
    const {change, notices} = planStorage(statement, {
        known: catalog,
        user: identity.user,
        superuser: identity.superuser,
        optionNames: (type) => OPTION_NAMES[type],
    });
    for (const notice of notices) context.notice({...notice});
    if (change.storages.length === 0) return;
    const after = catalog.overlay([change]);
    context.write();
    context.session.transaction.addDdl({change, pending: pendingOf(context, storagesSql(after.storages()))});
}

function pendingOf(context: StatementContext, sql: string): PendingDdl {
    return {
        statements: [
            {sql: `${actAs(FIRST_SUPERUSER, FIRST_SUPERUSER, new Map(), FIRST_SUPERUSER)}; ${sql}`, system: true},
        ],
        user: context.identity.user,
        settings: new Map<string, string>(),
        created: context.twinContext.pendingDdl.at(-1)?.created ?? [],
    };
}
