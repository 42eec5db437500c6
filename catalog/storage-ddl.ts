/**
 * CREATE, ALTER and DROP STORAGE, after recognition: the checks, and the change of the catalog. The twin is told by
 * `storagesSql`, of all storages at once; storages are records of their own and not part of the DDL log.
 *
 * What must stay true: a storage that a table uses, and `local`, cannot be dropped.
 */
import type {CatalogView} from './catalog.ts';
import {type CatalogChange, NO_CHANGE} from './catalog-change.ts';
import {nearestName} from './ddl/nearest.ts';
import {PgError, notSupported} from './errors.ts';
import {LOCAL_STORAGE, type StorageDescriptor} from './storages.ts';
import type {TwinNotice} from './twin/twin-transaction.ts';

/** As recognised: names of options in lower case. */
export type StorageStatement =
    | {
          readonly kind: 'create storage';
          readonly name: string;
          readonly ifNotExists: boolean;
          readonly type: string;
          readonly options: ReadonlyMap<string, string>;
      }
    | {
          readonly kind: 'alter storage';
          readonly name: string;
          readonly set: ReadonlyMap<string, string>;
          readonly reset: readonly string[];
          readonly renameTo: string | undefined;
      }
    | {readonly kind: 'drop storage'; readonly name: string; readonly ifExists: boolean};

export interface StorageDdlEnvironment {
    readonly known: CatalogView;
    readonly user: string;
    readonly superuser: boolean;
    /** Option names of each storage type; undefined = no such type. */
    readonly optionNames: (type: string) => readonly string[] | undefined;
}

export interface StorageOutcome {
    readonly tag: string;
    readonly notices: readonly TwinNotice[];
    readonly change: CatalogChange;
}

/** Decides what the statement does. Changes nothing. */
export function planStorage(statement: StorageStatement, environment: StorageDdlEnvironment): StorageOutcome {
    const tag = statement.kind.toUpperCase();
    if (!environment.superuser) {
        throw new PgError(
            '42501',
            `permission denied to ${statement.kind.replace(' storage', '')} storage "${statement.name}"`,
            {
                hint: 'Must be superuser to define storages.',
            },
        );
    }
    const before = environment.known.storage(statement.name);
    if (statement.kind === 'create storage') {
        if (before === undefined)
            return {tag, notices: [], change: difference(undefined, created(statement, environment))};
        if (!statement.ifNotExists) throw new PgError('42710', `storage "${statement.name}" already exists`);
        return {
            tag,
            notices: [notice('42710', `storage "${statement.name}" already exists, skipping`)],
            change: NO_CHANGE,
        };
    }
    if (before === undefined) {
        if (statement.kind === 'drop storage' && statement.ifExists) {
            const text = `storage "${statement.name}" does not exist, skipping`;
            return {tag, notices: [notice('00000', text)], change: NO_CHANGE};
        }
        throw new PgError('42704', `storage "${statement.name}" does not exist`);
    }
    if (statement.kind === 'drop storage') {
        refuseUsed(before.name, environment.known);
        return {tag, notices: [], change: difference(before, undefined)};
    }
    if (statement.renameTo !== undefined) {
        throw notSupported('renaming of a storage', 'Create another storage and move the tables to it.');
    }
    const options = new Map(before.options);
    for (const name of statement.reset) options.delete(name);
    for (const [name, value] of statement.set) options.set(name, value);
    checkOptions(before.type, options, environment);
    return {tag, notices: [], change: difference(before, {...before, options})};
}

function created(
    statement: Extract<StorageStatement, {kind: 'create storage'}>,
    environment: StorageDdlEnvironment,
): StorageDescriptor {
    checkOptions(statement.type, statement.options, environment);
    return {name: statement.name, type: statement.type, options: statement.options, owner: environment.user};
}

function checkOptions(type: string, options: ReadonlyMap<string, string>, environment: StorageDdlEnvironment): void {
    const known = environment.optionNames(type);
    if (known === undefined) throw new PgError('22023', `unrecognized storage type "${type}"`);
    for (const name of options.keys()) {
        if (known.includes(name)) continue;
        const nearest = nearestName(name, known);
        throw new PgError('22023', `unrecognized parameter "${name}"`, {
            hint:
                nearest === undefined
                    ? `Options of storages of type ${type} are ${known.join(', ')}.`
                    : `Perhaps you meant the parameter "${nearest}".`,
        });
    }
}

function refuseUsed(name: string, known: CatalogView): void {
    if (name === LOCAL_STORAGE) throw new PgError('2BP01', `cannot drop storage "${name}": it is the default`);
    const users = [...known.tables()].filter((table) => table.options.storage === name);
    if (users.length === 0) return;
    const names = users.slice(0, 10).map((table) => `table ${table.schema}.${table.name}`);
    throw new PgError('2BP01', `cannot drop storage "${name}" because tables use it`, {
        detail: names.join('\n') + (users.length > 10 ? `\nand ${users.length - 10} others` : ''),
        hint: "Move them first: ALTER TABLE … SET (storage = 'local').",
    });
}

function difference(before: StorageDescriptor | undefined, after: StorageDescriptor | undefined): CatalogChange {
    return {
        ...NO_CHANGE,
        storages: [{...(before === undefined ? {} : {before}), ...(after === undefined ? {} : {after})}],
    };
}

function notice(code: string, message: string): TwinNotice {
    return {severity: 'NOTICE', code, message};
}
