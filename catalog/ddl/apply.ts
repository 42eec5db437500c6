/**
 * Runs planned DDL on the twin and says what changed. Used in three ways: a statement by itself (committed at once), a
 * statement inside a transaction block (the twin rolls back; the session keeps the change as an overlay), and the
 * commit of such a block (the replayed statements are read back once more, now with oids that stay).
 *
 * What must stay true: everything that is refused is refused before the twin commits; `change` is complete, so that the
 * catalog, after `apply(change)`, equals what reading everything from the twin would give.
 */
import {isDeepStrictEqual} from 'node:util';
import {
    type CatalogChange,
    type DdlLogEntry,
    type Difference,
    NO_CHANGE,
    type RestartedSequence,
    type RetypedColumn,
    type SequenceDescriptor,
} from '../catalog-change.ts';
import type {CatalogView} from '../catalog.ts';
import type {TableDescriptor} from '../descriptor.ts';
import {PgError} from '../errors.ts';
import {FIRST_SUPERUSER} from '../roles.ts';
import {TypeRegistry} from '../types/registry.ts';
import {APPLIED_MARKER} from '../twin/bootstrap.ts';
import {DDL_SETTINGS, actAs, runPending} from '../twin/pending-replay.ts';
import type {CreatedObject, PendingDdl, SessionContext} from '../twin/session-context.ts';
import type {TwinNotice, TwinTransaction} from '../twin/twin-transaction.ts';
import type {RelationName} from './ast.ts';
import {CatalogState} from '../catalog-state.ts';
import type {DdlPlan} from './plan.ts';
import {READ_SETTINGS_SQL} from './read-back-sql.ts';
import * as read from './read-back.ts';

export interface DdlEnvironment {
    /** What is committed. */
    readonly committed: CatalogView;
    /** What the session sees: `committed`, or an overlay of it. */
    readonly known: CatalogView;
    readonly ids: read.IdAllocator;
}

export interface DdlOutcome {
    readonly tag: string;
    readonly notices: readonly TwinNotice[];
    readonly change: CatalogChange;
    /** For `SessionContext.pendingDdl` when the statement is part of a transaction block. */
    readonly pending: PendingDdl;
}

/** Runs `plan` in `t`, which must have been opened with `session` as its context. */
export async function applyDdl(
    t: TwinTransaction,
    plan: DdlPlan,
    session: SessionContext,
    environment: DdlEnvironment,
): Promise<DdlOutcome> {
    for (const storage of plan.storages) {
        if (environment.known.storage(storage) === undefined) {
            throw new PgError('42704', `storage "${storage}" does not exist`, {hint: 'CREATE STORAGE makes one.'});
        }
    }
    const settings = ddlSettings(session.settings);
    const results = await runPending(t, {statements: plan.statements, user: session.user, settings}, FIRST_SUPERUSER);
    const scope = {everything: plan.everything, roles: plan.roles};
    const changed = await readChanges(t, environment, environment.known, scope);
    const ddl: DdlLogEntry = {sql: plan.logSql, user: session.user, settings};
    const known = environment.known.overlay([changed]);
    const change: CatalogChange = {
        ...changed,
        retyped: retypedColumns(plan, environment.known, session),
        restarted: restartedSequences(plan, known, session),
        // A statement that did nothing (IF NOT EXISTS) is logged all the same: it may have set a comment or a right.
        ddl: [ddl],
    };
    return {
        tag: plan.tag === '' ? (results.at(-1)?.tag ?? '') : plan.tag,
        notices: results.flatMap((result) => result.notices),
        change,
        pending: {
            statements: plan.statements,
            user: session.user,
            settings,
            created: createdObjects(environment.committed, known),
        },
    };
}

/**
 * At COMMIT of a transaction block with DDL: `t` was opened with the session's context, so all of it has been replayed.
 * Returns one change against the committed state. `changes` are those of the statements, in order.
 */
export async function commitPendingDdl(
    t: TwinTransaction,
    changes: readonly CatalogChange[],
    environment: DdlEnvironment,
): Promise<CatalogChange> {
    // Final oids are wanted, so the translation to the session's is not used.
    const final = await readChanges(t, environment, environment.committed, {everything: true, roles: true}, true);
    return {
        ...final,
        storages: changes.flatMap((change) => change.storages),
        retyped: changes.flatMap((change) => change.retyped),
        restarted: changes.flatMap((change) => change.restarted),
        ddl: changes.flatMap((change) => change.ddl),
    };
}

/** In the transaction that commits DDL: the twin has the log up to `seq`. */
export async function markApplied(t: TwinTransaction, seq: number): Promise<void> {
    await t.simple(
        `SET LOCAL ROLE NONE; SET LOCAL SESSION AUTHORIZATION "${FIRST_SUPERUSER}"; ` +
            `UPDATE pg_catalog.pg_description SET description = '${seq}' WHERE ${APPLIED_MARKER}`,
    );
}

export function ddlSettings(settings: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const kept = new Map<string, string>();
    for (const name of DDL_SETTINGS) {
        const value = settings.get(name) ?? settings.get(name.toLowerCase());
        if (value !== undefined) kept.set(name, value);
    }
    return kept;
}

export interface ReadScope {
    /** Every object is read, not only those touched. */
    readonly everything: boolean;
    readonly roles: boolean;
    /** The twin is new: objects are matched by name. */
    readonly rebuilding?: boolean;
}

/** What the twin has, as differences from `base`. */
export async function readChanges(
    t: TwinTransaction,
    environment: DdlEnvironment,
    base: CatalogView,
    scope: ReadScope,
    finalOids = false,
): Promise<CatalogChange> {
    await t.simple(`${actAs(FIRST_SUPERUSER, FIRST_SUPERUSER, new Map(), FIRST_SUPERUSER)}; ${READ_SETTINGS_SQL}`);
    const sessionOid = finalOids ? (oid: number): number => oid : (oid: number): number => t.sessionOid(oid);
    const signatures = await read.readSignatures(t);
    read.refuseSystemChanges(signatures);
    const rebuilding = scope.rebuilding === true;
    const untyped = {...environment, sessionOid, rebuilding, types: base.types};
    // A new twin gives all objects new oids: those without an id of ours are the same when their names are.
    const identity = (object: {readonly oid: number; readonly schema?: string; readonly name: string}) =>
        rebuilding ? JSON.stringify([object.schema, object.name]) : object.oid;
    const types = differences([...base.userTypes()], await read.readTypes(t, untyped), identity);
    const context = {...untyped, types: typesWith(base, types)};
    const chosen = chooseRelations(signatures, base, sessionOid, scope);
    const tables = await read.readTables(t, chosen.tables, context);
    const views = await read.readViews(t, chosen.views, context);
    const sequences = await read.readSequences(t, chosen.sequences, context);
    const schemas = await read.readSchemas(t);
    const roles = scope.roles ? await read.readRoles(t, context) : undefined;
    return {
        ...NO_CHANGE,
        types,
        tables: differences(chosen.knownTables, tables, (table) => table.tableId).map(withNextVersion),
        views: differences(chosen.knownViews, views, identity),
        sequences: differences(chosen.knownSequences, sequences, (sequence) => sequence.sequenceId),
        schemas: differences([...base.schemas()], schemas, identity),
        roles: roles === undefined ? [] : differences([...base.roles()], roles, (role) => role.roleId),
    };
}

function typesWith(base: CatalogView, types: CatalogChange['types']): TypeRegistry {
    if (types.length === 0) return base.types;
    const state = new CatalogState();
    for (const type of base.userTypes()) state.types.add(type);
    state.types.apply(types);
    const registry = new TypeRegistry();
    registry.setDynamic(state.dynamicTypes());
    return registry;
}

/** Which relations to read, and what was known of those and of the ones that are gone. */
function chooseRelations(
    signatures: readonly read.Signature[],
    base: CatalogView,
    sessionOid: (oid: number) => number,
    scope: ReadScope,
) {
    const present = new Set(signatures.map((signature) => sessionOid(signature.oid)));
    const chosen = new Set<number>();
    const isChosen = (signature: read.Signature): boolean => {
        if (scope.everything || signature.touched) return true;
        const oid = sessionOid(signature.oid);
        if (signature.kind !== 'r') return false;
        const table = base.tableByOid(oid);
        return table?.indexes.length !== signature.indexCount || table.checks.length !== signature.checkCount;
    };
    const oidsOf = (kind: string): number[] =>
        signatures
            .filter((signature) => signature.kind === kind && isChosen(signature))
            .map((signature) => {
                chosen.add(sessionOid(signature.oid));
                return signature.oid;
            });
    const [tables, views, sequences] = [oidsOf('r'), oidsOf('v'), oidsOf('S')];
    const known = <T extends {readonly oid: number}>(objects: Iterable<T>): T[] =>
        [...objects].filter((object) => scope.everything || chosen.has(object.oid) || !present.has(object.oid));
    return {
        tables,
        views,
        sequences,
        knownTables: known(base.tables()),
        knownViews: known(base.views()),
        knownSequences: known(base.sequences()),
    };
}

function differences<T>(
    before: readonly T[],
    after: readonly T[],
    id: (object: T) => number | string,
): Difference<T>[] {
    const olds = new Map(before.map((object) => [id(object), object]));
    const found: Difference<T>[] = [];
    for (const now of after) {
        const old = olds.get(id(now));
        olds.delete(id(now));
        if (old === undefined) found.push({after: now});
        else if (!isDeepStrictEqual(old, now)) found.push({before: old, after: now});
    }
    for (const old of olds.values()) found.push({before: old});
    return found;
}

function withNextVersion(difference: Difference<TableDescriptor>): Difference<TableDescriptor> {
    const {before, after} = difference;
    if (before === undefined || after === undefined) return difference;
    return {before, after: {...after, version: before.version + 1}};
}

/** Everything that `known` has and `committed` has not. */
function createdObjects(committed: CatalogView, known: CatalogView): CreatedObject[] {
    const created: CreatedObject[] = [];
    for (const {schema, name, oid, tableId} of known.tables()) {
        if (committed.tableById(tableId) === undefined) created.push({kind: 'relation', schema, name, oid});
    }
    for (const {schema, name, oid, sequenceId} of known.sequences()) {
        if (committed.sequenceById(sequenceId) === undefined) created.push({kind: 'relation', schema, name, oid});
    }
    const views = new Set([...committed.views()].map((view) => view.oid));
    for (const {schema, name, oid} of known.views()) {
        if (!views.has(oid)) created.push({kind: 'relation', schema, name, oid});
    }
    const types = new Set([...committed.userTypes()].map((type) => type.oid));
    for (const {schema, name, oid, arrayOid} of known.userTypes()) {
        if (types.has(oid)) continue;
        created.push({kind: 'type', schema, name, oid}, {kind: 'type', schema, name: `_${name}`, oid: arrayOid});
    }
    return created;
}

function findTable(view: CatalogView, relation: RelationName, session: SessionContext): TableDescriptor | undefined {
    return view.table(relation.schema, relation.name, searchPathOf(session));
}

function retypedColumns(plan: DdlPlan, before: CatalogView, session: SessionContext): RetypedColumn[] {
    return plan.retyped.flatMap(({relation, column, usingSql}) => {
        const table = findTable(before, relation, session);
        const attnum = table?.columns.find((candidate) => candidate.name === column)?.attnum;
        return table === undefined || attnum === undefined ? [] : [{tableId: table.tableId, attnum, usingSql}];
    });
}

function restartedSequences(plan: DdlPlan, after: CatalogView, session: SessionContext): RestartedSequence[] {
    return plan.restarts.flatMap(({relation, column, value}) => {
        const sequence = restartedSequence(relation, column, after, session);
        return sequence === undefined ? [] : [{sequenceId: sequence.sequenceId, value: value ?? sequence.start}];
    });
}

function restartedSequence(
    relation: RelationName,
    column: string | undefined,
    after: CatalogView,
    session: SessionContext,
): SequenceDescriptor | undefined {
    if (column === undefined) return after.sequence(relation.schema, relation.name, searchPathOf(session));
    const table = findTable(after, relation, session);
    const attnum = table?.columns.find((candidate) => candidate.name === column)?.attnum;
    for (const sequence of after.sequences()) {
        const {ownedBy} = sequence;
        if (ownedBy?.schema === table?.schema && ownedBy?.table === table?.name && ownedBy?.attnum === attnum) {
            return sequence;
        }
    }
    return undefined;
}

/** The schemas of a search_path setting, in order. */
export function searchPathOf(session: Pick<SessionContext, 'settings' | 'user'>): string[] {
    const text = session.settings.get('search_path') ?? '"$user", public';
    const names: string[] = [];
    for (const [, quoted, plain] of text.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/gu)) {
        const name = quoted === undefined ? (plain ?? '').toLowerCase() : quoted.replaceAll('""', '"');
        names.push(name === '$user' ? session.user : name);
    }
    return names;
}
