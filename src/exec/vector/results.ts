/**
 * Results of DuckDB as rows on the wire, or as datums. A chunk is read column by column into typed arrays, then
 * written row by row; the common types go from array to wire without a string or an object in between.
 *
 * What must stay true: the same bytes as PostgreSQL sends for the same datum, type, format and settings. A client that
 * does not read stops the query at the next chunk, not the server.
 */
import {strict as assert} from 'node:assert';
import type {DuckDBDataChunk} from '@duckdb/node-api';
import type {Datum} from '../../../catalog/types/datum.ts';
import {divideNumeric} from '../../../catalog/types/numeric.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import type {OutputSettings} from '../../../catalog/types/settings.ts';
import type {ResponseWriter} from '../../../wire/handler.ts';
import {int16s, int32s, int64s, readColumn} from './chunk-reader.ts';
import type {OutputPlan} from './printer/queries.ts';
import type {TypeLookup} from './type-codec.ts';
import {decimalType, OID} from './type-map.ts';
import type {StringColumn} from './vector-access.ts';
import {columnVector, isValid, readStrings, vectorBytes, vectorValidity} from './vector-access.ts';

export interface ResultFormat {
    readonly plans: readonly OutputPlan[];
    /** As in BindMessage.resultFormats; empty = all text. */
    readonly formats: readonly number[];
    readonly types: TypeLookup;
    readonly settings: OutputSettings;
}

/** Rows written between two looks at the client's backlog. */
const ROWS_BETWEEN_CHECKS = 512;

/** Writes the rows of a result; `chunks` is pulled only when the client keeps up. Returns how many were written. */
export async function writeRows(
    fetch: () => Promise<DuckDBDataChunk | null>,
    format: ResultFormat,
    writer: ResponseWriter,
): Promise<number> {
    const columns = format.plans.map((plan, index) => cellWriter(plan, formatOf(format.formats, index), format));
    let total = 0;
    for (;;) {
        const chunk = await fetch();
        if (chunk === null || chunk.rowCount === 0) return total;
        const {rowCount} = chunk;
        for (const column of columns) column.load(chunk, rowCount);
        for (let start = 0; start < rowCount; start += ROWS_BETWEEN_CHECKS) {
            writeSlice(columns, writer, start, Math.min(start + ROWS_BETWEEN_CHECKS, rowCount));
            if (writer.congested) await writer.drained();
        }
        total += rowCount;
    }
}

/** All rows of a chunk as datums, row by row. */
export function chunkDatums(chunk: DuckDBDataChunk, plans: readonly OutputPlan[], types: TypeLookup): Datum[][] {
    const {rowCount} = chunk;
    const columns = plans.map((plan) => readPlan(chunk, plan, rowCount, types));
    const rows: Datum[][] = [];
    for (let row = 0; row < rowCount; row++) rows.push(columns.map((column) => column[row] ?? null));
    return rows;
}

function writeSlice(columns: readonly CellWriter[], writer: ResponseWriter, start: number, end: number): void {
    for (let row = start; row < end; row++) {
        writer.beginRow(columns.length);
        for (let index = 0; index < columns.length; index++) (columns[index] as CellWriter).write(writer, row);
        writer.endRow();
    }
}

function formatOf(formats: readonly number[], index: number): number {
    return (formats.length === 1 ? formats[0] : formats[index]) ?? 0;
}

function readPlan(chunk: DuckDBDataChunk, plan: OutputPlan, rowCount: number, types: TypeLookup): Datum[] {
    if (plan.kind === 'average') {
        const sums = readColumn(columnVector(chunk, plan.sum), decimalType(38, plan.scale), rowCount);
        const counts = int64s(columnVector(chunk, plan.count), rowCount);
        return sums.map((sum, row) => (sum === null ? null : divideNumeric(sum as string, String(counts[row]))));
    }
    const type = types.get(plan.typeOid);
    const parse = type === undefined ? undefined : (text: string): Datum => type.parse(text);
    return readColumn(columnVector(chunk, plan.column), plan.duck, rowCount, parse);
}

interface CellWriter {
    load(chunk: DuckDBDataChunk, rowCount: number): void;
    write(writer: ResponseWriter, row: number): void;
}

function cellWriter(plan: OutputPlan, format: number, options: ResultFormat): CellWriter {
    if (plan.kind === 'plain') {
        const {kind} = plan.duck;
        const type = options.types.get(plan.typeOid);
        const binary = format === 1;
        if (kind === 'int4' || kind === 'int2') return new SmallIntegerCells(plan.column, kind, binary);
        if (kind === 'int8' && plan.typeOid === OID.int8) return new BigIntegerCells(plan.column, binary);
        if (kind === 'bool') return new BooleanCells(plan.column, binary);
        if (kind === 'float8' && binary) return new DoubleCells(plan.column);
        // Text is the same in both formats; jsonb has a version byte in binary, names are cut nowhere here.
        const sameBytes = type?.category === 'S' || type?.category === 'E';
        if (kind === 'text' && (!binary || sameBytes)) return new TextCells(plan.column);
    }
    return new DatumCells(plan, options.types.require(plan.typeOid), format === 1, options);
}

class SmallIntegerCells implements CellWriter {
    readonly #column: number;
    readonly #kind: 'int2' | 'int4';
    readonly #binary: boolean;
    #values: Int16Array | Int32Array = new Int32Array(0);
    #validity: Uint8Array | undefined;

    constructor(column: number, kind: 'int2' | 'int4', binary: boolean) {
        this.#column = column;
        this.#kind = kind;
        this.#binary = binary;
    }

    load(chunk: DuckDBDataChunk, rowCount: number): void {
        const vector = columnVector(chunk, this.#column);
        this.#values = this.#kind === 'int2' ? int16s(vector, rowCount) : int32s(vector, rowCount);
        this.#validity = vectorValidity(vector, rowCount);
    }

    write(writer: ResponseWriter, row: number): void {
        const value = this.#values[row] ?? 0;
        if (!isValid(this.#validity, row)) writer.valueNull();
        else if (!this.#binary) writer.valueIntText(value);
        else if (this.#kind === 'int2') writer.valueInt16(value);
        else writer.valueInt32(value);
    }
}

class BigIntegerCells implements CellWriter {
    readonly #column: number;
    readonly #binary: boolean;
    #values: BigInt64Array = new BigInt64Array(0);
    #words: Int32Array = new Int32Array(0);
    #validity: Uint8Array | undefined;

    constructor(column: number, binary: boolean) {
        this.#column = column;
        this.#binary = binary;
    }

    load(chunk: DuckDBDataChunk, rowCount: number): void {
        const vector = columnVector(chunk, this.#column);
        this.#values = int64s(vector, rowCount);
        this.#words = new Int32Array(this.#values.buffer, this.#values.byteOffset, rowCount * 2);
        this.#validity = vectorValidity(vector, rowCount);
    }

    write(writer: ResponseWriter, row: number): void {
        if (!isValid(this.#validity, row)) {
            writer.valueNull();
            return;
        }
        if (this.#binary) {
            writer.valueInt64(this.#values[row] ?? 0n);
            return;
        }
        const low = this.#words[row * 2] ?? 0;
        // Most values fit 32 bits: then no BigInt is made.
        if (this.#words[row * 2 + 1] === low >> 31) writer.valueIntText(low);
        else writer.valueAscii(String(this.#values[row]));
    }
}

const BINARY_TRUE = Uint8Array.of(1);
const BINARY_FALSE = Uint8Array.of(0);

class BooleanCells implements CellWriter {
    readonly #column: number;
    readonly #binary: boolean;
    #values = new Uint8Array(0);
    #validity: Uint8Array | undefined;

    constructor(column: number, binary: boolean) {
        this.#column = column;
        this.#binary = binary;
    }

    load(chunk: DuckDBDataChunk, rowCount: number): void {
        const vector = columnVector(chunk, this.#column);
        this.#values = new Uint8Array(vectorBytes(vector, rowCount));
        this.#validity = vectorValidity(vector, rowCount);
    }

    write(writer: ResponseWriter, row: number): void {
        const value = this.#values[row] !== 0;
        if (!isValid(this.#validity, row)) writer.valueNull();
        else if (this.#binary) writer.valueBytes(value ? BINARY_TRUE : BINARY_FALSE);
        else writer.valueAscii(value ? 't' : 'f');
    }
}

class DoubleCells implements CellWriter {
    readonly #column: number;
    #values = new Float64Array(0);
    #validity: Uint8Array | undefined;

    constructor(column: number) {
        this.#column = column;
    }

    load(chunk: DuckDBDataChunk, rowCount: number): void {
        const vector = columnVector(chunk, this.#column);
        const bytes = vectorBytes(vector, rowCount * 8);
        this.#values = new Float64Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, rowCount);
        this.#validity = vectorValidity(vector, rowCount);
    }

    write(writer: ResponseWriter, row: number): void {
        if (isValid(this.#validity, row)) writer.valueFloat64(this.#values[row] ?? 0);
        else writer.valueNull();
    }
}

class TextCells implements CellWriter {
    readonly #column: number;
    #strings: StringColumn | undefined;
    #validity: Uint8Array | undefined;

    constructor(column: number) {
        this.#column = column;
    }

    load(chunk: DuckDBDataChunk, rowCount: number): void {
        const vector = columnVector(chunk, this.#column);
        this.#validity = vectorValidity(vector, rowCount);
        this.#strings = readStrings(vector, rowCount, this.#validity);
    }

    write(writer: ResponseWriter, row: number): void {
        if (!isValid(this.#validity, row)) {
            writer.valueNull();
            return;
        }
        const strings = this.#strings;
        assert(strings !== undefined);
        const start = strings.starts[row] ?? 0;
        const bytes = strings.buffers[strings.bufferOf[row] ?? 0];
        assert(bytes !== undefined);
        writer.valueBytes(bytes.subarray(start, start + (strings.lengths[row] ?? 0)));
    }
}

/** Every other type: by way of the datum, with the type's own text or binary form. */
class DatumCells implements CellWriter {
    readonly #plan: OutputPlan;
    readonly #type: PgType;
    readonly #binary: boolean;
    readonly #options: ResultFormat;
    #values: Datum[] = [];

    constructor(plan: OutputPlan, type: PgType, binary: boolean, options: ResultFormat) {
        this.#plan = plan;
        this.#type = type;
        this.#binary = binary;
        this.#options = options;
    }

    load(chunk: DuckDBDataChunk, rowCount: number): void {
        this.#values = readPlan(chunk, this.#plan, rowCount, this.#options.types);
    }

    write(writer: ResponseWriter, row: number): void {
        const value = this.#values[row] ?? null;
        if (value === null) writer.valueNull();
        else if (this.#binary) writer.valueBytes(this.#type.send(value));
        else writer.valueText(this.#type.print(value, this.#options.settings));
    }
}
