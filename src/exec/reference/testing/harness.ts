/**
 * For tests: a database of real parts (twin, catalog, commit log, hot store, vectorised engine) joined by hand, on which
 * every statement takes the reference path; and a PostgreSQL beside it that is told the same.
 *
 * What must stay true: both sides run the same text; what is compared is rows, tags and errors.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PGlite} from '@electric-sql/pglite';
import {PgError} from '../../../../catalog/errors.ts';
import type {SequenceDescriptor} from '../../../../catalog/catalog-change.ts';
import type {TableDescriptor} from '../../../../catalog/descriptor.ts';
import {FIRST_SUPERUSER} from '../../../../catalog/roles.ts';
import {sessionOf, TestDatabase} from '../../../../catalog/test-database.ts';
import {readAnswers, textsOfRow} from '../../../../catalog/twin/backend-messages.ts';
import {FrontendBatch} from '../../../../catalog/twin/frontend-messages.ts';
import type {SessionContext} from '../../../../catalog/twin/session-context.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../../catalog/types/settings.ts';
import {CommitLog} from '../../../../storage/log/commit-log.ts';
import {HotStore} from '../../../../storage/hot/hot-store.ts';
import type {ErrorFields, ResponseWriter} from '../../../../wire/handler.ts';
import type {Database} from '../../../database.ts';
import {bindStatement} from '../../../sql/binder/bind.ts';
import type {BindContext} from '../../../sql/binder/context.ts';
import type {BoundStatement} from '../../../sql/bound.ts';
import type {EvaluationContext} from '../../../sql/compile/evaluation.ts';
import {loadParser, StatementParser} from '../../../sql/parse.ts';
import type {Node} from '../../../sql/nodes.ts';
import {HotRows} from '../../../tiers/hot-source.ts';
import {TableTiers} from '../../../tiers/table-tiers.ts';
import {tableInput} from '../../../tiers/table-inputs.ts';
import {Committer} from '../../../txn/committer.ts';
import {LockWait, waitForLock} from '../../../txn/locks.ts';
import {RowCache} from '../../../txn/row-cache.ts';
import {RowWrites} from '../../../txn/row-writes.ts';
import {Sequences} from '../../../txn/sequences.ts';
import {TableStore} from '../../../txn/table-store.ts';
import {TableStores} from '../../../txn/table-stores.ts';
import {Transaction} from '../../../txn/transaction.ts';
import {UniqueSlots} from '../../../txn/unique-slots.ts';
import {VisibilityWait} from '../../../txn/waits.ts';
import type {Parameters, Plan} from '../../plan.ts';
import type {DrawnSequences, Identity, StatementContext} from '../../statement-context.ts';
import {VectorExecutor} from '../../vector/executor.ts';
import {typeCodec} from '../../vector/type-codec.ts';
import {TableWriter} from '../../write/table-writer.ts';
import {planReference} from '../plan.ts';
import {ReferencePath} from '../reference-path.ts';

export interface Answer {
    readonly rows: readonly (readonly (string | null)[])[];
    readonly tag: string;
    readonly notices: readonly string[];
}

export interface Failure {
    readonly code: string;
    readonly message: string;
    readonly position: number | undefined;
}

const DAY_2000_MICROS = 946_684_800_000_000n;

export class Harness {
    readonly ddl: TestDatabase;
    readonly database: Database;
    readonly postgres: PGlite;
    readonly #directory: string;
    readonly #vector: VectorExecutor;
    readonly #close: () => Promise<void>;

    private constructor(
        ddl: TestDatabase,
        database: Database,
        postgres: PGlite,
        directory: string,
        vector: VectorExecutor,
        close: () => Promise<void>,
    ) {
        this.ddl = ddl;
        this.database = database;
        this.postgres = postgres;
        this.#directory = directory;
        this.#vector = vector;
        this.#close = close;
    }

    static async open(referenceRowsMax = 1000): Promise<Harness> {
        await loadParser();
        const directory = await mkdtemp(join(tmpdir(), 'tidewire-reference-'));
        const ddl = await TestDatabase.open();
        const {catalog} = ddl;
        const hot = await HotStore.open(join(directory, 'hot'), {cacheBytes: 1 << 20, writeBufferBytes: 1 << 20});
        const fatal = (error: unknown): void => {
            throw error;
        };
        const log = await CommitLog.open(join(directory, 'log'), {fileBytes: 1 << 20, onFatal: fatal});
        await log.replay(0, () => undefined);
        const cache = new RowCache(1 << 24);
        const slots = new UniqueSlots((key) => hot.getSync(key));
        const state = {seq: 0, nextRowid: 1, updatedNs: 0n};
        const clockNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
        const committer = new Committer({log, hot, cache, slots, state, clockNs, fatal});
        const tiers = new Map<number, TableTiers>();
        const tiersOf = (tableId: number): TableTiers => {
            const known = tiers.get(tableId) ?? new TableTiers(tableId);
            tiers.set(tableId, known);
            return known;
        };
        const stores = new TableStores({
            make: (table, types) => new TableStore(table, types ?? catalog.types, hot, cache, tiersOf(table.tableId)),
            committed: (tableId) => catalog.tableById(tableId),
        });
        const store = (table: TableDescriptor): TableStore => stores.get(table);
        const codec = typeCodec(catalog.types);
        const vector = await VectorExecutor.open(new HotRows(committer, hot, store), codec, {
            directory: join(directory, 'mirror'),
            memoryBytesMax: 256 << 20,
            threads: 1,
            readersMax: 4,
            bufferedChangesMax: 10_000,
        });
        committer.subscribe((transaction) => vector.mirror.onCommitted(transaction));
        const parser = new StatementParser();
        const bindContext = (context: StatementContext, parameterTypes: readonly number[]): BindContext => ({
            catalog: {
                table: (schema, name) => catalog.table(schema, name, context.searchPath),
                view: (schema, name) => catalog.view(schema, name, context.searchPath),
            },
            types: catalog.types,
            parameterTypes,
            settings: context.output,
        });
        const database = {
            name: 'tide',
            settings: {referenceRowsMax},
            sessions: new Map(),
            catalog,
            twin: ddl.twin,
            committer,
            writes: new RowWrites(slots, () => committer.allocateRowid()),
            sequences: new Sequences(committer),
            typeCodec: codec,
            planner: {
                parser,
                bind: (tree: Node, types: readonly number[], context: StatementContext): BoundStatement =>
                    bindStatement(tree, bindContext(context, types)),
            },
            store,
            tiers: tiersOf,
            tableWriter: (table: TableDescriptor, context: StatementContext) =>
                new TableWriter(
                    store(table),
                    bindContext(context, []),
                    {sources: [{table}], types: catalog.types},
                    {of: () => undefined, isChecked: (oid) => catalog.types.get(oid)?.kind === 'domain'},
                ),
            tableInput: (context: StatementContext, table: TableDescriptor) =>
                tableInput(database as unknown as Database, context, table),
            vector: () => Promise.resolve(vector),
            isDemoted: (tableId: number, attnum: number) => vector.mirror.isDemoted(tableId, attnum),
            lockNotAvailable: (table: string) =>
                new PgError('55P03', `could not obtain lock on row in relation "${table}"`),
        };
        const whole = database as unknown as Database;
        Object.assign(database, {reference: new ReferencePath(whole)});
        const postgres = await PGlite.create();
        await postgres.exec(`SET TimeZone = 'UTC'`);
        const close = async (): Promise<void> => {
            await committer.drain();
            await log.close();
            await hot.close();
        };
        return new Harness(ddl, whole, postgres, directory, vector, close);
    }

    async close(): Promise<void> {
        await this.#close();
        this.#vector.close();
        await this.ddl.close();
        await this.postgres.close();
        await rm(this.#directory, {recursive: true, force: true});
    }

    /** DDL on both sides. */
    async define(...statements: readonly string[]): Promise<void> {
        for (const sql of statements) {
            await this.ddl.ddl(sql);
            await this.postgres.exec(sql.replaceAll(/WITH \(type = '\w+'[^)]*\)/gu, ''));
        }
    }

    session(user = FIRST_SUPERUSER): TestSession {
        return new TestSession(this.database, user);
    }

    /** What PostgreSQL answers. */
    async oracle(sql: string): Promise<Answer | Failure> {
        const bytes = await this.postgres.execProtocolRaw(new FrontendBatch().query(sql).take());
        const answer = readAnswers(bytes)[0];
        if (answer === undefined) throw new Error('no answer');
        const {error, results} = answer;
        if (error !== null) return {code: error.code, message: error.message, position: error.position};
        const result = results.at(-1);
        return {
            rows: (result?.rows ?? []).map(textsOfRow),
            tag: result?.tag ?? '',
            notices: (result?.notices ?? []).map((notice) => notice.message),
        };
    }
}

export class TestSession implements DrawnSequences {
    readonly #database: Database;
    readonly #identity: Identity;
    readonly #twinContext: SessionContext;
    readonly #drawn = new Map<number, bigint>();
    #lastSequenceId: number | undefined;
    transaction: Transaction | null = null;
    inBlock = false;
    signal = new AbortController().signal;

    constructor(database: Database, user: string) {
        this.#database = database;
        const role = database.catalog.role(user);
        this.#identity = {user, sessionUser: user, roleId: role?.roleId ?? 0, superuser: role?.superuser ?? false};
        this.#twinContext = sessionOf(user, {search_path: 'public', timezone: 'UTC'});
    }

    get lastSequenceId(): number | undefined {
        return this.#lastSequenceId;
    }

    lastOf(sequenceId: number): bigint | undefined {
        return this.#drawn.get(sequenceId);
    }

    drawn(sequenceId: number, value: bigint): void {
        this.#drawn.set(sequenceId, value);
        this.#lastSequenceId = sequenceId;
    }

    nextval(sequence: SequenceDescriptor): bigint {
        const value = this.#database.sequences.next(sequence);
        this.drawn(sequence.sequenceId, value);
        return value;
    }

    /** Runs one statement on the reference path; commits unless in a block. */
    async run(sql: string, values: readonly (string | null)[] = []): Promise<Answer | Failure> {
        const notices: string[] = [];
        const context = this.#context(notices);
        try {
            const answer = await this.#execute(sql, values, context, notices);
            if (!this.inBlock) await this.commit();
            return answer;
        } catch (error) {
            this.rollback();
            if (!(error instanceof PgError)) throw error;
            return {code: error.code, message: error.message, position: error.position};
        }
    }

    async plan(sql: string, context = this.#context([])): Promise<Plan> {
        const [statement, second] = this.#database.planner.parser.parse(sql);
        if (statement === undefined || second !== undefined) throw new Error('one statement');
        return await planReference(statement, [], 'a test', context);
    }

    async commit(): Promise<void> {
        const {transaction} = this;
        this.transaction = null;
        this.inBlock = false;
        const {committer} = this.#database;
        if (transaction !== null) await committer.whenVisible(committer.commit(transaction));
    }

    rollback(): void {
        if (this.transaction !== null) this.#database.committer.rollback(this.transaction);
        this.transaction = null;
        this.inBlock = false;
    }

    async #execute(
        sql: string,
        values: readonly (string | null)[],
        context: StatementContext,
        notices: readonly string[],
    ): Promise<Answer> {
        const plan = await this.plan(sql, context);
        const parameters: Parameters = {
            values: [],
            raw: values.map((text) => (text === null ? null : {bytes: Buffer.from(text), format: 0})),
            resultFormats: [],
        };
        for (;;) {
            const mark = this.transaction?.mark() ?? EMPTY_MARK;
            try {
                const started = await plan.start(context, parameters);
                const rows: (string | null)[][] = [];
                const pulled = await started.rows?.pull(0, rowCollector(rows));
                return {rows, tag: started.tag(pulled?.rows ?? 0), notices};
            } catch (error) {
                this.transaction?.rollbackTo(mark);
                if (error instanceof LockWait) await waitForLock(context.write(), error.lock, 0);
                else if (error instanceof VisibilityWait) await this.#database.committer.whenVisible(error.seq);
                else throw error;
            }
        }
    }

    #context(notices: string[]): StatementContext {
        const database = this.#database;
        const current = (): Transaction | null => this.transaction;
        const write = (): Transaction => (this.transaction ??= new Transaction(1));
        const base = {
            database,
            catalog: database.catalog,
            identity: this.#identity,
            processId: 1,
            snapshotSeq: 0,
            fixSnapshot: () => undefined,
            write,
            evaluation: evaluationOf(this.#identity.user),
            drawnSequences: this,
            output: DEFAULT_OUTPUT_SETTINGS,
            twinContext: this.#twinContext,
            allUsers: false,
            searchPath: ['public'],
            writer: rowCollector([]),
            setting: () => '',
            notice: (fields: ErrorFields) => void notices.push(fields.message),
            onCancel: () => undefined,
            checkCancelled: () => undefined,
            signal: this.signal,
        };
        Object.defineProperty(base, 'transaction', {get: current});
        return base as unknown as StatementContext;
    }
}

const EMPTY_MARK = new Transaction(0).mark();

function evaluationOf(user: string): EvaluationContext {
    const micros = (): bigint => BigInt(Date.now()) * 1000n - DAY_2000_MICROS;
    const refuse = (): never => {
        throw new Error('sequences are drawn by the session');
    };
    return {
        settings: DEFAULT_OUTPUT_SETTINGS,
        transactionMicros: micros(),
        statementMicros: micros(),
        user,
        sessionUser: user,
        schema: 'public',
        database: 'tide',
        nextval: refuse,
        currval: refuse,
        lastval: refuse,
        setval: refuse,
        random: Math.random,
        clockMicros: micros,
    };
}

/** A writer that keeps the text of each value. */
export function rowCollector(rows: (string | null)[][]): ResponseWriter {
    let row: (string | null)[] = [];
    const text = (value: unknown): void => void row.push(String(value));
    const writer = {
        beginRow: () => void (row = []),
        endRow: () => void rows.push(row),
        valueNull: () => void row.push(null),
        valueText: text,
        valueAscii: text,
        valueIntText: text,
        valueBytes: (bytes: Uint8Array) => void row.push(Buffer.from(bytes).toString('utf8')),
        congested: false,
        drained: () => Promise.resolve(),
    };
    return writer as unknown as ResponseWriter;
}
