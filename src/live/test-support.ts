/**
 * A small database in memory for the tests and the bench of this folder: one table with versions, a change feed, a
 * retained log and snapshots that take their time; and a compiler for the few expressions that the tests use.
 */
import type {ColumnDescriptor, TableDescriptor, TableKind} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {OID} from '../../catalog/types/oids.ts';
import {TypeRegistry} from '../../catalog/types/registry.ts';
import {type BoundSelect, type Expr, Unsupported} from '../sql/bound.ts';
import type {ChangeFeed, CommittedTransaction, RowChange, RowVersion} from '../txn/row-version.ts';
import {type EvaluateRow, type ExpressionCompiler, type LivePlan, prepareLivePlan} from './live-plan.ts';
import type {ChangeHistory, LiveSnapshot} from './open-subscription.ts';
import type {LiveSink} from './subscription.ts';

export const TYPES = new TypeRegistry();

const PLAIN = {typmod: -1};
const BOOL = {oid: OID.bool, ...PLAIN};

export const INT4 = {oid: OID.int4, ...PLAIN};
export const TEXT = {oid: OID.text, ...PLAIN};

export function columnDescriptor(attnum: number, name: string, oid: number = OID.int4): ColumnDescriptor {
    return {
        attnum,
        name,
        type: {oid, typmod: -1},
        notNull: false,
        defaultSql: undefined,
        identity: undefined,
        sequence: undefined,
        missing: null,
    };
}

/** t(id int4, filler int4, k int4, v int4, name text) */
export function tableDescriptor(kind: TableKind = 'shared', tableId = 1, name = 't'): TableDescriptor {
    return {
        tableId,
        version: 1,
        oid: 20_000 + tableId,
        schema: 'public',
        name,
        owner: 'alice',
        columns: [
            columnDescriptor(1, 'id'),
            columnDescriptor(2, 'filler'),
            columnDescriptor(3, 'k'),
            columnDescriptor(4, 'v'),
            columnDescriptor(5, 'name', OID.text),
        ],
        primaryKey: undefined,
        indexes: [],
        checks: [],
        options: {kind, storage: 'local', ttlMs: undefined, flushPolicy: undefined, compression: 'zstd'},
    };
}

export function column(attnum: number, name: string, oid: number = OID.int4): Expr {
    return {kind: 'column', level: 0, source: 0, column: attnum, name, type: {oid, typmod: -1}};
}

export function constant(value: Datum, oid: number = OID.int4): Expr {
    return {kind: 'const', value, type: {oid, typmod: -1}};
}

export function operator(left: Expr, op: string, right: Expr): Expr {
    return {kind: 'operator', op, left, right, type: op === '/' || op === '+' ? INT4 : BOOL};
}

export function not(arg: Expr): Expr {
    return {kind: 'not', arg, type: BOOL};
}

export function all(kind: 'and' | 'or', ...args: readonly Expr[]): Expr {
    return {kind, args, type: BOOL};
}

export function isNull(arg: Expr): Expr {
    return {kind: 'isnull', arg, negated: false, type: BOOL};
}

export function inList(arg: Expr, list: readonly Expr[]): Expr {
    return {kind: 'in', arg, list, negated: false, type: BOOL};
}

export function select(
    table: TableDescriptor,
    where: Expr | null,
    targets: readonly Expr[] = table.columns.map(({attnum, name, type}) => column(attnum, name, type.oid)),
): BoundSelect {
    const named = targets.map((expr, index) => ({expr, name: expr.kind === 'column' ? expr.name : `c${index}`}));
    return {
        kind: 'select',
        ctes: [],
        sources: [{kind: 'table', alias: table.name, table}],
        from: [{kind: 'source', source: 0}],
        where,
        groupBy: null,
        having: null,
        targets: named,
        distinct: 'none',
        orderBy: [],
        limit: null,
        limitWithTies: false,
        offset: null,
        columns: named.map(({expr, name}) => ({name, type: expr.type, tableOid: 0, attnum: 0})),
        hasAggregates: false,
    };
}

/** Three-valued evaluation of the expressions above. */
export const COMPILER: ExpressionCompiler = {
    compile(expr, table, parameters): EvaluateRow {
        const inner = (arg: Expr): EvaluateRow => COMPILER.compile(arg, table, parameters);
        switch (expr.kind) {
            case 'const':
                return () => expr.value;
            case 'param':
                return () => parameters[expr.index] ?? null;
            case 'column': {
                const at = table.columns.findIndex(({attnum}) => attnum === expr.column);
                return (row) => row.values[at] ?? null;
            }
            case 'not': {
                const arg = inner(expr.arg);
                return (row) => negate(arg(row));
            }
            case 'isnull': {
                const arg = inner(expr.arg);
                return (row) => (arg(row) === null) !== expr.negated;
            }
            case 'and':
            case 'or': {
                const args = expr.args.map(inner);
                const decisive = expr.kind === 'or';
                return (row) => combine(args, row, decisive);
            }
            case 'in':
                return inner(all('or', ...expr.list.map((item) => operator(expr.arg, '=', item))));
            case 'operator': {
                if (expr.left === null) throw new Unsupported('a prefix operator');
                const left = inner(expr.left);
                const right = inner(expr.right);
                return (row) => operate(expr.op, left(row), right(row));
            }
            default:
                throw new Unsupported(`the expression ${expr.kind}`);
        }
    },
};

function negate(value: Datum): Datum {
    return value === null ? null : value !== true;
}

function combine(args: readonly EvaluateRow[], row: Parameters<EvaluateRow>[0], decisive: boolean): Datum {
    let unknown = false;
    for (const arg of args) {
        const value = arg(row);
        if (value === decisive) return decisive;
        if (value === null) unknown = true;
    }
    return unknown ? null : !decisive;
}

function operate(op: string, left: Datum, right: Datum): Datum {
    if (left === null || right === null) return null;
    if (op === '=') return left === right;
    if (typeof left !== 'number' || typeof right !== 'number') throw new Unsupported(`operator ${op}`);
    if (op === '<') return left < right;
    if (op === '>') return left > right;
    if (op === '+') return left + right;
    if (right === 0) throw new PgError('22012', 'division by zero');
    return Math.trunc(left / right);
}

export function livePlan(bound: BoundSelect, roleId = 0, parameters: readonly Datum[] = []): LivePlan {
    return prepareLivePlan({
        text: JSON.stringify(bound.where),
        select: bound,
        parameters,
        roleId,
        settingsKey: 'UTC',
        userKey: String(roleId),
        compiler: COMPILER,
        types: TYPES,
    });
}

export type Write =
    | {readonly do: 'insert'; readonly values: readonly Datum[]; readonly owner?: number}
    | {readonly do: 'update'; readonly rowid: number; readonly values: readonly Datum[]}
    | {readonly do: 'delete'; readonly rowid: number};

export class FakeDatabase implements ChangeFeed, ChangeHistory {
    table: TableDescriptor;
    visibleSeq = 0;
    readonly rows = new Map<number, RowVersion>();
    readonly log: CommittedTransaction[] = [];
    /** Transactions up to here are no longer in the log. */
    retainedFrom = 0;
    /** Awaited before each row of a snapshot. */
    pause: () => Promise<void> = () => Promise.resolve();
    readonly #listeners = new Set<(transaction: CommittedTransaction) => void>();
    #nextRowid = 1;

    constructor(table: TableDescriptor = tableDescriptor()) {
        this.table = table;
    }

    get listenerCount(): number {
        return this.#listeners.size;
    }

    subscribe(listener: (transaction: CommittedTransaction) => void): () => void {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
    }

    /** One transaction; `truncate` empties the table before the writes. Several writes to one row count as one. */
    commit(writes: readonly Write[], options: {truncate?: boolean; expired?: boolean} = {}): CommittedTransaction {
        const was = this.table;
        const truncate = options.truncate === true;
        if (truncate) {
            this.visibleSeq++;
            this.rows.clear();
            this.table = {...was, tableId: was.tableId + 100, version: was.version + 1};
        }
        const changes = writes.map((write) => this.#apply(write));
        return this.#publish({
            changes,
            truncated: truncate ? [was] : [],
            altered: truncate ? [{tableId: was.tableId, was, now: this.table}] : [],
            expired: options.expired ?? false,
        });
    }

    /** Another table, without rows. */
    create(now: TableDescriptor): CommittedTransaction {
        this.visibleSeq++;
        const altered = [{tableId: now.tableId, was: undefined, now}];
        return this.#publish({changes: [], truncated: [], altered, expired: false});
    }

    /** Rows are laid out anew for the columns of `now`, which may have a new id: a rewrite. */
    alter(now: TableDescriptor | undefined): CommittedTransaction {
        const before = this.table;
        this.visibleSeq++;
        if (now === undefined) {
            this.rows.clear();
        } else {
            this.table = now;
            for (const [rowid, version] of this.rows) {
                const values = now.columns.map(({attnum}) => {
                    const at = before.columns.findIndex((candidate) => candidate.attnum === attnum);
                    return version.values[at] ?? null;
                });
                this.rows.set(rowid, {...version, values});
            }
        }
        return this.#publish({
            changes: [],
            truncated: now === undefined ? [before] : [],
            altered: [{tableId: before.tableId, was: before, now}],
            expired: false,
        });
    }

    /** The query run afresh: each row's JSON, sorted. */
    query(plan: LivePlan): string[] {
        const layout = plan.layout(this.table);
        return [...this.rows.values()]
            .filter((row) => row.owner === plan.owner && layout.matches(row))
            .map((row) => layout.encode(row))
            .toSorted();
    }

    readonly snapshot = async (plan: LivePlan): Promise<LiveSnapshot> => {
        await this.pause();
        const rows = [...this.rows.values()].filter((row) => row.owner === plan.owner);
        const {pause} = this;
        async function* read(): AsyncIterable<RowVersion> {
            for (const row of rows) {
                await pause();
                yield row;
            }
        }
        return {seq: this.visibleSeq, table: this.table, rows: read()};
    };

    since(seq: number): AsyncIterable<CommittedTransaction> | undefined {
        if (seq < this.retainedFrom) return undefined;
        const transactions = this.log.filter((transaction) => transaction.seq > seq);
        const {pause} = this;
        return (async function* read() {
            for (const transaction of transactions) {
                await pause();
                yield transaction;
            }
        })();
    }

    tableAt(table: TableDescriptor, seq: number): TableDescriptor | undefined {
        let then: TableDescriptor | undefined = table;
        for (const {altered} of this.log.filter((transaction) => transaction.seq > seq).toReversed()) {
            const found = altered.find(({now}) => now?.tableId === then?.tableId);
            if (found !== undefined) then = found.was;
        }
        return then;
    }

    #apply(write: Write): RowChange {
        const seq = ++this.visibleSeq;
        const rowid = write.do === 'insert' ? this.#nextRowid++ : write.rowid;
        const before = this.rows.get(rowid) ?? null;
        const owner = write.do === 'insert' ? (write.owner ?? 0) : (before?.owner ?? 0);
        let after: RowVersion | null = null;
        if (write.do === 'delete') {
            this.rows.delete(rowid);
        } else {
            const {values} = write;
            after = {rowid, seq, updatedNs: BigInt(seq), owner, values, deleted: false, previous: null};
            this.rows.set(rowid, after);
        }
        return {table: this.table, owner, rowid, seq, before, after};
    }

    #publish(parts: Pick<CommittedTransaction, 'changes' | 'truncated' | 'altered' | 'expired'>): CommittedTransaction {
        const transaction = {...parts, seq: this.visibleSeq, notifications: []};
        this.log.push(transaction);
        for (const listener of this.#listeners) listener(transaction);
        return transaction;
    }
}

/** Keeps all it gets. */
export class CollectingSink implements LiveSink {
    readonly events: {op: string; _seq: string; row?: unknown; old?: unknown; code?: string}[] = [];
    readonly jsons: string[] = [];
    ended: {error: PgError | undefined; lastSeq: number | undefined} | undefined;
    full = false;
    #room: PromiseWithResolvers<void> | undefined;

    send(batch: {events: readonly {json: string}[]}): 'ok' | 'full' {
        if (this.full) return 'full';
        for (const {json} of batch.events) {
            this.jsons.push(json);
            this.events.push(JSON.parse(json) as CollectingSink['events'][number]);
        }
        return 'ok';
    }

    drained(): Promise<void> {
        this.#room ??= Promise.withResolvers();
        return this.#room.promise;
    }

    makeRoom(): void {
        this.full = false;
        this.#room?.resolve();
        this.#room = undefined;
    }

    end(end: {error: PgError | undefined; lastSeq: number | undefined}): void {
        this.ended = end;
        this.#room?.resolve();
    }
}

/** A generator of repeatable random numbers (mulberry32). */
export function randomSource(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
    };
}

export function nextTurn(): Promise<void> {
    return new Promise((resolve) => {
        setImmediate(resolve);
    });
}
