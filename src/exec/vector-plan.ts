/**
 * SELECT on the vectorised path: printed for DuckDB with the values of this execution, run at a snapshot, streamed.
 *
 * What must stay true: what DuckDB cannot answer with certainty is run again on the reference path, as long as no row
 * has been written to the client: so the first rows are held back until there are many, or all.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {FieldDescription, ResponseWriter} from '../../wire/handler.ts';
import {type BoundQuery, type BoundStatement, Unsupported} from '../sql/bound.ts';
import {RetryOnReferencePath} from './vector/failures.ts';
import type {VectorResult, VectorSnapshot} from './vector/executor.ts';
import {type PrintedQuery, printQuery} from './vector/printer/queries.ts';
import {pruningPredicates} from './vector/pruning.ts';
import type {TableInput} from './vector/table-input.ts';
import type {PruningPredicate} from '../../storage/parquet/pruning.ts';
import {chunkDatums, writeRows} from './vector/results.ts';
import type {Parameters, Plan, PullResult, RowSource, StartedStatement} from './plan.ts';
import {columnEncoders, writeRow, type ColumnEncoder} from './row-writer.ts';
import {selectTag} from './point/select.ts';
import type {StatementContext} from './statement-context.ts';

type Chunk = NonNullable<Awaited<ReturnType<VectorResult['fetch']>>>;

/** Rows held back before the first is written: a failure up to here is answered by the reference path. */
const HELD_ROWS = 65_536;

export interface VectorPlanShape {
    readonly bound: BoundStatement;
    readonly query: BoundQuery;
    readonly fields: readonly FieldDescription[];
    readonly reason: string;
    readonly catalogVersion: number;
    /** Takes over when DuckDB cannot say. */
    readonly reference: Plan;
}

/** Throws Unsupported when the query is not certain to get PostgreSQL's answer. */
export function planVector(shape: VectorPlanShape, context: StatementContext): Plan {
    print(
        shape.query,
        context,
        shape.bound.parameterTypes.map(() => null),
    );
    return {
        path: 'vectorised',
        reason: shape.reason,
        parameterTypes: shape.bound.parameterTypes,
        fields: shape.fields,
        catalogVersion: shape.catalogVersion,
        writes: false,
        endsTransaction: false,
        async start(executing, parameters): Promise<StartedStatement> {
            try {
                return await start(shape, executing, parameters);
            } catch (error) {
                if (!(error instanceof RetryOnReferencePath) && !(error instanceof Unsupported)) throw error;
                return await startReference(shape, executing, parameters, error);
            }
        },
    };
}

async function startReference(
    shape: VectorPlanShape,
    context: StatementContext,
    parameters: Parameters,
    failure: RetryOnReferencePath | Unsupported,
): Promise<StartedStatement> {
    try {
        return await shape.reference.start(context, parameters);
    } catch (error) {
        // Too many rows for the reference path: what DuckDB said is then the best answer.
        if (
            failure instanceof RetryOnReferencePath &&
            failure.likely !== undefined &&
            error instanceof PgError &&
            error.code === '54000'
        ) {
            throw failure.likely;
        }
        throw error;
    }
}

export function print(query: BoundQuery, context: StatementContext, parameters: readonly Datum[]): PrintedQuery {
    const {database, evaluation, identity} = context;
    return printQuery(query, {
        codec: database.typeCodec,
        isDemoted: (tableId, attnum) => database.isDemoted(tableId, attnum),
        values: {
            parameters,
            value: (name) => {
                switch (name) {
                    case 'now':
                    case 'current_timestamp':
                        return evaluation.transactionMicros;
                    case 'current_user':
                        return identity.user;
                    case 'session_user':
                        return identity.sessionUser;
                    case 'current_catalog':
                        return database.name;
                    default:
                        throw new Unsupported(name);
                }
            },
        },
    });
}

/** A snapshot of the tables as this statement sees them; the caller closes it. */
export async function openSnapshot(
    context: StatementContext,
    tables: readonly TableDescriptor[],
    narrowing?: SnapshotNarrowing,
): Promise<VectorSnapshot> {
    const {database, signal} = context;
    const executor = await database.vector();
    const snapshot = await executor.snapshot(
        tables,
        () => {
            const inputs = new Map<number, TableInput>();
            for (const table of tables) {
                const input = database.tableInput(context, table, narrowing?.predicates(table) ?? []);
                inputs.set(table.tableId, input);
                narrowing?.read(input.segments.length, database.tiers(table.tableId).manifest.segments.length);
            }
            return {seq: database.committer.visibleSeq, inputs};
        },
        signal,
    );
    context.onCancel(() => snapshot.cancel());
    return snapshot;
}

/** Which segments a query needs, and what came of it. */
export interface SnapshotNarrowing {
    predicates(table: TableDescriptor): readonly PruningPredicate[];
    read(segments: number, of: number): void;
}

class QueryNarrowing implements SnapshotNarrowing {
    readonly #query: BoundQuery;
    readonly #parameters: readonly Datum[];
    readonly #context: StatementContext;
    #byTable: ReadonlyMap<number, readonly PruningPredicate[]> | undefined;
    segmentsRead = 0;
    segmentsPruned = 0;

    constructor(query: BoundQuery, parameters: readonly Datum[], context: StatementContext) {
        this.#query = query;
        this.#parameters = parameters;
        this.#context = context;
    }

    predicates(table: TableDescriptor): readonly PruningPredicate[] {
        const {database} = this.#context;
        if (!database.tiers(table.tableId).hasSegments) return [];
        this.#byTable ??= pruningPredicates(this.#query, this.#parameters, database.typeCodec);
        return this.#byTable.get(table.tableId) ?? [];
    }

    read(segments: number, of: number): void {
        this.segmentsRead += segments;
        this.segmentsPruned += of - segments;
    }
}

async function start(
    shape: VectorPlanShape,
    context: StatementContext,
    parameters: Parameters,
): Promise<StartedStatement> {
    const printed = print(shape.query, context, parameters.values);
    const narrowing = new QueryNarrowing(shape.query, parameters.values, context);
    const snapshot = await openSnapshot(context, shape.bound.tables, narrowing);
    try {
        const result = await snapshot.run(printed, context.output.timeZone);
        const held: Chunk[] = [];
        let heldRows = 0;
        let ended = false;
        while (heldRows < HELD_ROWS) {
            const chunk = await result.fetch();
            if (chunk === null) {
                ended = true;
                break;
            }
            held.push(chunk);
            heldRows += chunk.rowCount;
        }
        if (ended) await snapshot.close();
        return {
            rows: new VectorRows(context, printed, parameters.resultFormats, held, ended ? null : {result, snapshot}),
            tag: selectTag,
            statistics: () => [`Segments: ${narrowing.segmentsRead} read, ${narrowing.segmentsPruned} pruned`],
        };
    } catch (error) {
        await snapshot.close();
        throw error;
    }
}

interface Rest {
    readonly result: VectorResult;
    readonly snapshot: VectorSnapshot;
}

class VectorRows implements RowSource {
    readonly #context: StatementContext;
    readonly #printed: PrintedQuery;
    readonly #formats: readonly number[];
    #held: Chunk[];
    #rest: Rest | null;
    /** For pulls of some rows: what is left of the chunk at hand. */
    #rows: Datum[][] = [];
    #next = 0;
    #encoders: ColumnEncoder[] | undefined;

    constructor(
        context: StatementContext,
        printed: PrintedQuery,
        formats: readonly number[],
        held: Chunk[],
        rest: Rest | null,
    ) {
        this.#context = context;
        this.#printed = printed;
        this.#formats = formats;
        this.#held = held;
        this.#rest = rest;
        rest?.snapshot.park();
    }

    async pull(rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        this.#rest?.snapshot.unpark();
        try {
            if (rowsMax === 0) {
                const rows = this.#writeBuffered(0, writer) + (await this.#writeAll(writer));
                return {rows, done: true};
            }
            return await this.#pullSome(rowsMax, writer);
        } catch (error) {
            await this.close();
            throw error instanceof RetryOnReferencePath ? tooLate(error) : error;
        } finally {
            this.#rest?.snapshot.park();
        }
    }

    async #writeAll(writer: ResponseWriter): Promise<number> {
        const {catalog, output} = this.#context;
        const {types} = catalog;
        const written = await writeRows(
            () => this.#fetch(),
            {plans: this.#printed.columns, formats: this.#formats, types, settings: output},
            writer,
        );
        await this.close();
        return written;
    }

    async #pullSome(rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        let written = 0;
        for (;;) {
            written += this.#writeBuffered(rowsMax - written, writer);
            if (written === rowsMax) return {rows: written, done: false};
            if (writer.congested) await writer.drained();
            const chunk = await this.#fetch();
            if (chunk === null) {
                await this.close();
                return {rows: written, done: true};
            }
            this.#rows = chunkDatums(chunk, this.#printed.columns, this.#context.catalog.types);
            this.#next = 0;
        }
    }

    /** Writes rows of the chunk at hand; 0 = all of it. */
    #writeBuffered(rowsMax: number, writer: ResponseWriter): number {
        const left = this.#rows.length - this.#next;
        const count = rowsMax === 0 ? left : Math.min(left, rowsMax);
        if (count === 0) return 0;
        const {catalog, output} = this.#context;
        this.#encoders ??= columnEncoders(
            this.#printed.columns.map((column) => catalog.types.require(column.typeOid)),
            this.#formats,
        );
        for (let i = 0; i < count; i++) writeRow(this.#rows[this.#next++] ?? [], this.#encoders, writer, output);
        return count;
    }

    async #fetch(): Promise<Chunk | null> {
        const held = this.#held.shift();
        if (held !== undefined) return held;
        return this.#rest === null ? null : await this.#rest.result.fetch();
    }

    cancel(): void {
        this.#held = [];
        this.#rest?.snapshot.cancel();
    }

    async close(): Promise<void> {
        this.#held = [];
        this.#rows = [];
        this.#next = 0;
        const rest = this.#rest;
        this.#rest = null;
        if (rest !== null) await rest.snapshot.close();
    }
}

/** Rows are already with the client: the reference path can no longer take over. */
function tooLate(error: RetryOnReferencePath): PgError {
    return (
        error.likely ??
        new PgError('0A000', 'the query failed after its first rows were sent', {
            detail: error.message,
            hint: 'Run it with a LIMIT or a narrower condition, so that the reference path can answer it.',
            cause: error,
        })
    );
}
