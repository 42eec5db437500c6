/**
 * DataRow bodies as the twin sends them: forwarded to the client, or read into datums.
 * Source: PostgreSQL documentation, section 54.7 (DataRow).
 *
 * What must stay true: a body is a view of the twin's answer and is never changed; a value goes out as it came in.
 */
import type {Datum} from '../../../catalog/types/datum.ts';
import type {PgType} from '../../../catalog/types/pg-type.ts';
import type {ResponseWriter} from '../../../wire/handler.ts';
import type {PullResult, RowSource} from '../plan.ts';

/** Rows written between two looks at the client's backlog. */
const ROWS_BETWEEN_CHECKS = 64;

/** Rows that are all there, in the formats the client asked for. The first `skipped` columns stay behind. */
export class RawRows implements RowSource {
    readonly #rows: readonly Buffer[];
    readonly #skipped: number;
    readonly #columns: number;
    #next = 0;

    constructor(rows: readonly Buffer[], skipped: number, columns: number) {
        this.#rows = rows;
        this.#skipped = skipped;
        this.#columns = columns;
    }

    pull(rowsMax: number, writer: ResponseWriter): PullResult | Promise<PullResult> {
        const start = this.#next;
        const end = rowsMax === 0 ? this.#rows.length : Math.min(this.#rows.length, start + rowsMax);
        this.#writeSome(end, writer);
        if (this.#next < end) return this.#pullSlowly(start, end, rowsMax, writer);
        return this.#result(start, rowsMax);
    }

    cancel(): void {
        this.#next = this.#rows.length;
    }

    close(): void {
        this.#next = this.#rows.length;
    }

    async #pullSlowly(start: number, end: number, rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        while (this.#next < end) {
            await writer.drained();
            this.#writeSome(end, writer);
        }
        return this.#result(start, rowsMax);
    }

    /** Writes until the client is behind. */
    #writeSome(end: number, writer: ResponseWriter): void {
        while (this.#next < end) {
            const stop = Math.min(end, this.#next + ROWS_BETWEEN_CHECKS);
            while (this.#next < stop) {
                const row = this.#rows[this.#next++];
                if (row !== undefined) this.#write(row, writer);
            }
            if (writer.congested) return;
        }
    }

    #write(row: Buffer, writer: ResponseWriter): void {
        writer.beginRow(this.#columns);
        let at = offsetOf(row, this.#skipped);
        for (let column = 0; column < this.#columns; column++) {
            const length = row.readInt32BE(at);
            at += 4;
            if (length < 0) writer.valueNull();
            else {
                writer.valueBytes(row.subarray(at, at + length));
                at += length;
            }
        }
        writer.endRow();
    }

    #result(start: number, rowsMax: number): PullResult {
        // As PostgreSQL: a portal that gave exactly the rows asked for does not know yet that it is done.
        const rows = this.#next - start;
        return {rows, done: rowsMax === 0 || rows < rowsMax};
    }
}

/** Where the column's length stands. */
function offsetOf(row: Buffer, column: number): number {
    let at = 2;
    for (let i = 0; i < column; i++) {
        const length = row.readInt32BE(at);
        at += length < 0 ? 4 : 4 + length;
    }
    return at;
}

/** Columns in binary format, from column `first` on, one for each type. */
export function readDatums(row: Buffer, first: number, types: readonly PgType[]): Datum[] {
    const values: Datum[] = [];
    let at = offsetOf(row, first);
    for (const type of types) {
        const length = row.readInt32BE(at);
        at += 4;
        if (length < 0) values.push(null);
        else {
            values.push(type.receive(row, at, length));
            at += length;
        }
    }
    return values;
}

/** A `ctid` in binary format as one number; undefined for NULL. */
export function readCtid(row: Buffer, column: number): number | undefined {
    const at = offsetOf(row, column);
    if (row.readInt32BE(at) < 0) return undefined;
    return row.readUInt32BE(at + 4) * 0x1_0000 + row.readUInt16BE(at + 8);
}
