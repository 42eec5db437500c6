/**
 * DDL joined with rows: plans DDL statements, prepares what they mean for stored rows, and commits catalog and rows
 * together. README.md beside this file has the order of events.
 *
 * What must stay true: the catalog changes only by a commit of the log; what a transaction prepared and did not commit
 * leaves nothing behind.
 */
import {join} from 'node:path';
import {type CatalogChange, NO_CHANGE} from '../../../catalog/catalog-change.ts';
import type {CatalogView} from '../../../catalog/catalog.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {planDdl} from '../../../catalog/ddl/plan.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {initialCatalog} from '../../../catalog/initial-catalog.ts';
import {quoteIdentifier, quoteLiteral} from '../../../catalog/quoting.ts';
import {recordsOfChange} from '../../../catalog/records.ts';
import {FIRST_SUPERUSER} from '../../../catalog/roles.ts';
import {SystemRelations} from '../../../catalog/system/relations.ts';
import {TwinSynchroniser} from '../../../catalog/twin-synchroniser.ts';
import {Twin} from '../../../catalog/twin/twin.ts';
import {catalogKey} from '../../../storage/hot/keys.ts';
import {scramPasswordMatches} from '../../../wire/scram.ts';
import type {Database} from '../../database.ts';
import type {TransactionDdl} from '../../session/session-transaction.ts';
import type {Session} from '../../session/session.ts';
import {Transaction} from '../../txn/transaction.ts';
import type {Plan} from '../plan.ts';
import type {Statement} from '../planner.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from '../utility/plans.ts';
import {intoClauseOf, readCreateTableAs, runCreateTableAs} from './create-table-as.ts';
import {commitDdl, rangesLeft} from './ddl-commit.ts';
import {runDdlStatement} from './ddl-statement.ts';
import {DurableIds} from './id-allocator.ts';
import {passwordVerifier} from './password-verifier.ts';
import {RangeCollector} from './range-collector.ts';
import {isStorageStatement, runStorageStatement} from './storage-statements.ts';
import {truncateTables} from './truncate.ts';

export class DdlExecutor {
    readonly ids: DurableIds;
    readonly #database: Database;
    readonly #collector: RangeCollector;

    constructor(database: Database) {
        this.#database = database;
        this.ids = new DurableIds(database.committer, (key) => database.hot.getSync(key));
        this.#collector = new RangeCollector(database);
    }

    makeTwin(directory: string): Twin {
        const {catalog, name} = this.#database;
        const synchroniser = new TwinSynchroniser({catalog, onRebound: (change) => this.#rebound(change)});
        return new Twin({
            directory,
            database: name,
            systemSql: SystemRelations.sql(),
            synchronise: synchroniser.synchronise,
        });
    }

    /** After recovery, before the first session. */
    async initialise(): Promise<void> {
        const {catalog, settings, twin, logger} = this.#database;
        if (catalog.role(FIRST_SUPERUSER) === undefined) {
            await this.#commitByServer(initialCatalog(join(settings.data, 'segments')));
        }
        if (settings.superuserPassword !== '') await this.#setSuperuserPassword(settings.superuserPassword);
        this.#collector.collectUnknown(catalog, this.ids.firstFree);
        // In the background: a new directory takes seconds, and the first statements may not need it.
        twin.prepare().catch((error: unknown) => logger.warn(error, 'preparing the twin'));
    }

    /** Background work ends at its next step. */
    async close(): Promise<void> {
        await this.#collector.close();
    }

    /** Plans DDL of the catalog, of storages, CREATE TABLE AS and SELECT INTO. */
    // oxlint-disable-next-line require-await -- planners of statements are asynchronous
    async plan(statement: Statement, context: StatementContext): Promise<Plan> {
        if (statement.kind === 'own') {
            const {own} = statement;
            if (!isStorageStatement(own)) throw notSupported('this statement');
            const command = own.kind.toUpperCase();
            return commandPlan(context, (executing) => runStorageStatement(own, executing), {writes: true, command});
        }
        if (this.createsTableFromQuery(statement)) {
            const as = readCreateTableAs(statement);
            return commandPlan(context, (executing) => runCreateTableAs(as, executing, this.ids), {
                writes: true,
                command: 'CREATE TABLE AS',
            });
        }
        const plan = planDdl(statement.sql, {scramVerifier: passwordVerifier});
        if (plan === undefined) throw notSupported('this statement');
        return commandPlan(
            context,
            (executing) => {
                const {inBlock, manyStatements} = executing.session.transaction;
                if (plan.outsideTransaction && (inBlock || manyStatements)) {
                    throw new PgError(
                        '25001',
                        `${plan.tag || 'DROP INDEX'} CONCURRENTLY cannot run inside a transaction block`,
                    );
                }
                return runDdlStatement(plan, executing, this.ids);
            },
            {writes: true, command: plan.tag},
        );
    }

    /** True for CREATE TABLE AS and SELECT INTO. */
    createsTableFromQuery(statement: Extract<Statement, {kind: 'parsed'}>): boolean {
        return 'CreateTableAsStmt' in statement.tree || intoClauseOf(statement.tree) !== undefined;
    }

    async commit(session: Session, transaction: Transaction, ddl: readonly TransactionDdl[]): Promise<void> {
        const services = {
            database: this.#database,
            ids: this.ids,
            collect: this.#collector.collect.bind(this.#collector),
        };
        await commitDdl(services, session, transaction, ddl);
    }

    /** The transaction, or its part after a savepoint, was rolled back; its rows are undone already. */
    discard(ddl: readonly TransactionDdl[]): void {
        const {stores, sequences, startedVector, catalog} = this.#database;
        const changes = ddl.map((entry) => entry.change);
        for (const {after} of changes.flatMap((change) => change.tables)) {
            if (after === undefined) continue;
            stores.discard(after);
            startedVector?.mirror.invalidate(after.tableId);
        }
        for (const {sequenceId} of changes.flatMap((change) => change.restarted)) sequences.undoRestart(sequenceId);
        // What came before in the same transaction may be tentative as well, and stays.
        const kept = new Set(changes.flatMap((change) => change.tables).map(({before}) => before));
        const left = rangesLeft(catalog, changes);
        const tables = new Set(left.tables);
        const indexes = new Set(left.indexes);
        for (const table of kept) {
            if (table === undefined || stores.tentative(table) === undefined) continue;
            tables.delete(table.tableId);
            for (const {indexId} of table.indexes) indexes.delete(indexId);
        }
        this.#collector.collect({tables, indexes});
    }

    async truncate(
        tables: readonly TableDescriptor[],
        restartIdentity: boolean,
        context: StatementContext,
    ): Promise<void> {
        await truncateTables(tables, restartIdentity, context, this.ids);
    }

    /** Whether values of the type must satisfy a condition: a domain with checks or NOT NULL, at any depth. */
    hasCheckedDomain(oid: number, catalog: CatalogView): boolean {
        const type = catalog.types.get(oid);
        if (type === undefined) return false;
        if (type.elementOid !== 0) return this.hasCheckedDomain(type.elementOid, catalog);
        if (type.kind !== 'domain') return false;
        for (const domain of catalog.userTypes()) {
            if (domain.oid !== oid) continue;
            if (domain.notNull || domain.checks.length > 0) return true;
            return domain.base !== undefined && this.hasCheckedDomain(domain.base.oid, catalog);
        }
        return false;
    }

    /** The twin was made anew: the catalog has other oids now. Nothing else may have changed. */
    #rebound(change: CatalogChange): void {
        const {catalog, stores, logger} = this.#database;
        for (const {after} of change.tables) if (after !== undefined) stores.rename(after);
        this.#write(change, catalog.ddlSeq, []);
        logger.info({tables: change.tables.length}, 'the catalog has the oids of a new twin');
    }

    /**
     * The verifier goes to the catalog, and to the DDL log for the twin, which is not started for it. A password that
     * is the role's already changes nothing.
     */
    async #setSuperuserPassword(password: string): Promise<void> {
        const {catalog} = this.#database;
        const before = catalog.role(FIRST_SUPERUSER);
        if (before === undefined) throw new Error('a database has its first superuser');
        if (before.verifier !== undefined && (await scramPasswordMatches(before.verifier, password))) return;
        const verifier = passwordVerifier(password);
        const sql = `ALTER ROLE ${quoteIdentifier(FIRST_SUPERUSER)} PASSWORD ${quoteLiteral(verifier)}`;
        await this.#commitByServer({
            ...NO_CHANGE,
            roles: [{before, after: {...before, verifier}}],
            ddl: [{sql, user: FIRST_SUPERUSER, settings: new Map()}],
        });
    }

    async #commitByServer(change: CatalogChange): Promise<void> {
        const {catalog, committer} = this.#database;
        const seq = this.#write(change, catalog.ddlSeq, [() => catalog.apply(change)]);
        await committer.whenVisible(seq);
    }

    #write(change: CatalogChange, ddlSeq: number, onVisible: readonly (() => void)[]): number {
        const transaction = new Transaction(0);
        for (const {key, value} of recordsOfChange(change, ddlSeq)) {
            transaction.operations.push({
                key: catalogKey('other', key),
                value: value === undefined ? null : Buffer.from(value),
            });
        }
        transaction.onVisible.push(...onVisible);
        return this.#database.committer.commit(transaction);
    }
}
