/**
 * Datums to DataRow messages: one encoder per column, chosen once per plan and result format.
 *
 * What must stay true: text is what PostgreSQL prints under the session's settings; binary is PostgreSQL's send format.
 */
import type {Datum} from '../../catalog/types/datum.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import type {OutputSettings} from '../../catalog/types/settings.ts';
import type {ResponseWriter} from '../../wire/handler.ts';
import type {PullResult, RowSource} from './plan.ts';

export type ColumnEncoder = (value: Datum, writer: ResponseWriter, settings: OutputSettings) => void;

const TEXT_LIKE = new Set([25, 1043, 1042, 19, 114, 3802]);
const ASCII_TEXT = new Set([1700, 2950]);

function textEncoder(type: PgType): ColumnEncoder {
    switch (type.baseOid) {
        case 21:
        case 23:
            return (value, writer) => writer.valueIntText(value as number);
        case 20:
            return (value, writer) => writer.valueAscii((value as bigint).toString());
        case 16:
            return (value, writer) => writer.valueAscii(value === true ? 't' : 'f');
        default:
            if (TEXT_LIKE.has(type.baseOid) || type.kind === 'enum') {
                return (value, writer) => writer.valueText(value as string);
            }
            if (ASCII_TEXT.has(type.baseOid)) return (value, writer) => writer.valueAscii(value as string);
            return (value, writer, settings) => writer.valueText(type.print(value, settings));
    }
}

function binaryEncoder(type: PgType): ColumnEncoder {
    switch (type.baseOid) {
        case 21:
            return (value, writer) => writer.valueInt16(value as number);
        case 23:
        case 26:
            return (value, writer) => writer.valueInt32(value as number);
        case 20:
        case 1114:
        case 1184:
            // Timestamps are kept in the unit and epoch of the binary format.
            return (value, writer) => writer.valueInt64(value as bigint);
        case 700:
            return (value, writer) => writer.valueFloat32(value as number);
        case 701:
            return (value, writer) => writer.valueFloat64(value as number);
        case 16:
            return (value, writer) => writer.valueBool(value as boolean);
        default:
            if (TEXT_LIKE.has(type.baseOid) && type.baseOid !== 3802) {
                return (value, writer) => writer.valueText(value as string);
            }
            return (value, writer) => writer.valueBytes(type.send(value));
    }
}

/** Encoders for the columns under the formats of a Bind message. */
export function columnEncoders(types: readonly PgType[], formats: readonly number[]): ColumnEncoder[] {
    return types.map((type, column) => (formatOf(formats, column) === 1 ? binaryEncoder(type) : textEncoder(type)));
}

export function formatOf(formats: readonly number[], column: number): number {
    if (formats.length === 0) return 0;
    return (formats.length === 1 ? formats[0] : formats[column]) ?? 0;
}

export function writeRow(
    row: readonly Datum[],
    encoders: readonly ColumnEncoder[],
    writer: ResponseWriter,
    settings: OutputSettings,
): void {
    writer.beginRow(encoders.length);
    for (let column = 0; column < encoders.length; column++) {
        const value = row[column] ?? null;
        const encode = encoders[column];
        if (value === null || encode === undefined) writer.valueNull();
        else encode(value, writer, settings);
    }
    writer.endRow();
}

/** Rows that are all there already. */
export class DatumRows implements RowSource {
    readonly #rows: readonly (readonly Datum[])[];
    readonly #encoders: readonly ColumnEncoder[];
    readonly #settings: OutputSettings;
    #next = 0;

    constructor(rows: readonly (readonly Datum[])[], encoders: readonly ColumnEncoder[], settings: OutputSettings) {
        this.#rows = rows;
        this.#encoders = encoders;
        this.#settings = settings;
    }

    pull(rowsMax: number, writer: ResponseWriter): PullResult | Promise<PullResult> {
        const start = this.#next;
        const end = rowsMax === 0 ? this.#rows.length : Math.min(this.#rows.length, start + rowsMax);
        while (this.#next < end) {
            const row = this.#rows[this.#next++];
            if (row !== undefined) writeRow(row, this.#encoders, writer, this.#settings);
            if (writer.congested) return this.#pullSlowly(start, end, rowsMax, writer);
        }
        return this.#result(start, rowsMax);
    }

    async #pullSlowly(start: number, end: number, rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        while (this.#next < end) {
            await writer.drained();
            while (this.#next < end && !writer.congested) {
                const row = this.#rows[this.#next++];
                if (row !== undefined) writeRow(row, this.#encoders, writer, this.#settings);
            }
        }
        return this.#result(start, rowsMax);
    }

    #result(start: number, rowsMax: number): PullResult {
        // As PostgreSQL: a portal that gave exactly the rows asked for does not know yet that it is done.
        const rows = this.#next - start;
        return {rows, done: rowsMax === 0 || rows < rowsMax};
    }

    cancel(): void {
        this.#next = this.#rows.length;
    }

    close(): void {
        this.#next = this.#rows.length;
    }
}
