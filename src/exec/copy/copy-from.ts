/**
 * COPY table FROM STDIN: parses the client's chunks, builds rows and writes them in batches within the statement's
 * transaction.
 *
 * What must stay true: input is consumed once, so waits (locks, cold rows) are waited out here and the batch is written
 * again; between batches the event loop gets its turn; nothing is visible before the transaction commits.
 */
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {quoteQualified} from '../../../catalog/quoting.ts';
import {Unsupported} from '../../sql/bound.ts';
import {compilePredicate, type Frame} from '../../sql/compile/compile-expression.ts';
import {pendingVersion} from '../point/read.ts';
import type {Plan, StartedStatement} from '../plan.ts';
import {ownerOf, type StatementContext} from '../statement-context.ts';
import {isWait, settleWait} from '../utility/waits.ts';
import {DEFAULT, type InsertPlan, insertRows} from '../write/insert.ts';
import type {TableWriter} from '../write/table-writer.ts';
import type {CopyOptions} from './copy-options.ts';
import {BinaryRows, type ReadRow, type RowsRead, TextRows} from './copy-rows.ts';
import {atPlace, copyContext, type CopyParser, type CopyRecord} from './copy-records.ts';
import type {CopyTarget} from './copy-target.ts';
import {CsvParser} from './csv-parser.ts';
import {type CopyRow, RowBuilder} from './row-builder.ts';
import {TextParser} from './text-parser.ts';

/** Rows written in one synchronous step. */
const BATCH_ROWS = 1000;
/** The loop goes on without giving others a turn for at most so long. */
const TURN_MS_MAX = 10;

export interface CopyFrom {
    readonly target: CopyTarget;
    readonly options: CopyOptions;
    /** SQL text of WHERE, or undefined. */
    readonly where: string | undefined;
}

export function planCopyFrom(copy: CopyFrom, catalogVersion: number): Plan {
    return {
        path: 'utility',
        reason: 'COPY',
        parameterTypes: [],
        fields: null,
        catalogVersion,
        writes: true,
        command: 'COPY FROM',
        endsTransaction: false,
        async start(context): Promise<StartedStatement> {
            const rows = await new CopyFromRun(copy, context).run();
            return {rows: null, tag: () => `COPY ${rows}`};
        },
    };
}

export function makeParser(copy: Pick<CopyFrom, 'target' | 'options'>): CopyParser {
    const {table, columns} = copy.target;
    const shape = {table: table.name, columns: columns.map((column) => column.name)};
    if (copy.options.format === 'text') return new TextParser(copy.options, shape);
    return new CsvParser(copy.options, shape, table);
}

class CopyFromRun {
    readonly #copy: CopyFrom;
    readonly #context: StatementContext;
    readonly #writer: TableWriter;
    readonly #source: RowsRead;
    readonly #plan: InsertPlan;
    readonly #filter: ((row: CopyRow) => readonly Datum[] | undefined) | undefined;
    readonly #batch = new Batch();
    #written = 0;

    constructor(copy: CopyFrom, context: StatementContext) {
        const {table, columns} = copy.target;
        const {database} = context;
        this.#copy = copy;
        this.#context = context;
        this.#writer = database.tableWriter(table, context);
        if (this.#writer.needsTwin !== undefined) {
            throw notSupported(
                `COPY into table "${table.name}"`,
                `It has what only single statements check (${this.#writer.needsTwin}): use INSERT.`,
            );
        }
        if (copy.options.freeze) assertFreezable(copy.target, context);
        const positions = columns.map((column) => table.columns.indexOf(column));
        const defaulted = table.columns.map((_, i) => i).filter((i) => !positions.includes(i));
        this.#source =
            copy.options.format === 'binary'
                ? new BinaryRows(table.name, columns, context.catalog.types)
                : new TextRows(
                      makeParser(copy),
                      new RowBuilder({
                          table: table.name,
                          columns,
                          hasDefault: positions.map((position) => this.#writer.hasDefault(position)),
                          types: context.catalog.types,
                          settings: context.output,
                          options: copy.options,
                          notice: (fields) => context.notice(fields),
                      }),
                  );
        this.#filter = copy.where === undefined ? undefined : this.#compileFilter(copy.where, positions, defaulted);
        const {store} = this.#writer;
        const base = {store, writer: this.#writer, conflict: null, returning: null};
        // After the filter, which sees whole rows, nothing is left to its default.
        this.#plan =
            this.#filter === undefined
                ? {...base, positions, defaulted}
                : {...base, positions: table.columns.map((_, i) => i), defaulted: []};
    }

    async run(): Promise<number> {
        const {writer} = this.#context;
        const isBinary = this.#copy.options.format === 'binary';
        const data = writer.copyIn(isBinary, this.#copy.target.columns.length);
        let turnEnds = performance.now() + TURN_MS_MAX;
        for await (const chunk of data) {
            for (const read of this.#source.push(chunk)) {
                if (!this.#add(read)) continue;
                await this.#flush();
                if (performance.now() < turnEnds) continue;
                await new Promise((resolve) => setImmediate(resolve));
                turnEnds = performance.now() + TURN_MS_MAX;
            }
        }
        for (const read of this.#source.finish()) if (this.#add(read)) await this.#flush();
        await this.#flush();
        this.#source.reportSkipped();
        return this.#written;
    }

    /** True when the batch is full. */
    #add({row, record}: ReadRow): boolean {
        if (row === undefined) return false;
        const kept = this.#filter === undefined ? row : this.#filtered(row, record);
        if (kept === undefined) return false;
        this.#batch.add(kept, record);
        return this.#batch.size === BATCH_ROWS;
    }

    #filtered(row: CopyRow, record: CopyRecord): readonly Datum[] | undefined {
        try {
            return this.#filter?.(row);
        } catch (error) {
            throw atPlace(error, copyContext(this.#copy.target.table.name, record.lineNumber, this.#lineOf(record)));
        }
    }

    /** A tuple of the binary format has no text to show. */
    #lineOf({line}: CopyRecord): {readonly line: string} | undefined {
        return this.#copy.options.format === 'binary' ? undefined : {line};
    }

    /** Writes the batch whole; after a wait, whole again. */
    async #flush(): Promise<void> {
        const batch = this.#batch;
        if (batch.size === 0) return;
        const context = this.#context;
        context.checkCancelled();
        const mark = context.write().mark();
        for (;;) {
            try {
                batch.rewind();
                this.#written += insertRows(this.#plan, context, batch, []).inserted;
                batch.clear();
                break;
            } catch (error) {
                if (!isWait(error)) throw this.#placed(error);
                context.write().rollbackTo(mark);
                await settleWait(context, error);
            }
        }
        const {committer} = context.database;
        if (committer.mustWait) await committer.whenApplied(committer.visibleSeq);
    }

    /** PostgreSQL finds duplicate keys when it no longer has the line's text, the other errors before. */
    #placed(error: unknown): unknown {
        const record = this.#batch.current;
        if (record === undefined) return error;
        const place = error instanceof PgError && error.code === '23505' ? undefined : this.#lineOf(record);
        return atPlace(error, copyContext(this.#copy.target.table.name, record.lineNumber, place));
    }

    #compileFilter(
        where: string,
        positions: readonly number[],
        defaulted: readonly number[],
    ): (row: CopyRow) => readonly Datum[] | undefined {
        const {table} = this.#copy.target;
        const context = this.#context;
        const predicate = compileWhere(where, this.#copy.target, context);
        const owner = ownerOf(context, table.options.kind);
        const {evaluation} = context;
        return (row) => {
            const values = table.columns.map((): Datum => null);
            positions.forEach((position, i) => {
                const value = row[i];
                values[position] = value === DEFAULT ? this.#writer.defaultOf(position, evaluation) : (value ?? null);
            });
            for (const position of defaulted) values[position] = this.#writer.defaultOf(position, evaluation);
            const frame: Frame = {
                row0: pendingVersion(owner, 0, values),
                row1: null,
                parameters: [],
                context: evaluation,
            };
            return predicate(frame) ? values : undefined;
        };
    }
}

function compileWhere(where: string, target: CopyTarget, context: StatementContext): (frame: Frame) => boolean {
    const {table} = target;
    try {
        const sql = `SELECT (${where}) FROM ${quoteQualified(table.schema, table.name)}`;
        const [expr] = context.database.planner.bindExpressions(sql, context);
        if (expr === undefined) throw new Unsupported('no condition');
        return compilePredicate(expr, {sources: [{table}], types: context.catalog.types});
    } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        throw notSupported(
            `this WHERE of COPY (${error.message})`,
            'COPY into another table and INSERT … SELECT from it.',
        );
    }
}

/** FREEZE promises that nobody else can see the table's rows: it must be new, or new again, in this transaction. */
function assertFreezable(target: CopyTarget, context: StatementContext): void {
    if (context.database.catalog.tableById(target.table.tableId) === undefined) return;
    throw new PgError(
        '55000',
        'cannot perform COPY FREEZE because the table was not created or truncated in the current subtransaction',
    );
}

/** The rows of one synchronous step; iterating remembers which row is being written. */
class Batch implements Iterable<readonly (Datum | typeof DEFAULT)[]> {
    #rows: (readonly (Datum | typeof DEFAULT)[])[] = [];
    #records: CopyRecord[] = [];
    #at = -1;

    get size(): number {
        return this.#rows.length;
    }

    get current(): CopyRecord | undefined {
        return this.#records[this.#at];
    }

    add(row: readonly (Datum | typeof DEFAULT)[], record: CopyRecord): void {
        this.#rows.push(row);
        this.#records.push(record);
    }

    rewind(): void {
        this.#at = -1;
    }

    clear(): void {
        this.#rows = [];
        this.#records = [];
        this.#at = -1;
    }

    [Symbol.iterator](): Iterator<readonly (Datum | typeof DEFAULT)[]> {
        return {
            next: () => {
                const value = this.#rows[++this.#at];
                return value === undefined ? {done: true, value: undefined} : {done: false, value};
            },
        };
    }
}
