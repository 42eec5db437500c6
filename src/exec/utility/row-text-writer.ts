/**
 * A ResponseWriter that hands rows over as texts instead of sending them: for COPY TO, EXECUTE of expressions, binary
 * FETCH and EXPLAIN ANALYZE. Any plan's rows can be read through it.
 *
 * What must stay true: the plan was started with text formats (no result formats), so that every value comes as text.
 */
import {strict as assert} from 'node:assert';
import type {ResponseWriter} from '../../../wire/handler.ts';
import {RowsWriter} from './rows-writer.ts';

export type TextRow = (string | null)[];

export class RowTextWriter extends RowsWriter {
    readonly #onRow: (row: TextRow) => void;
    #row: TextRow = [];

    constructor(writer: ResponseWriter, onRow: (row: TextRow) => void) {
        super(writer);
        this.#onRow = onRow;
    }

    beginRow(_columnCount: number): void {
        this.#row = [];
    }

    endRow(): void {
        this.#onRow(this.#row);
    }

    rowBody(body: Buffer): void {
        this.#onRow(readDataRow(body, 0));
    }

    valueNull(): void {
        this.#row.push(null);
    }

    valueText(text: string): void {
        this.#row.push(text);
    }

    valueAscii(text: string): void {
        this.#row.push(text);
    }

    valueIntText(value: number): void {
        this.#row.push(String(value));
    }

    /** Text that was bytes already. */
    valueBytes(bytes: Uint8Array): void {
        this.#row.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    }

    valueInt16(_value: number): void {
        binary();
    }

    valueInt32(_value: number): void {
        binary();
    }

    valueInt64(_value: bigint): void {
        binary();
    }

    valueFloat32(_value: number): void {
        binary();
    }

    valueFloat64(_value: number): void {
        binary();
    }

    valueBool(_value: boolean): void {
        binary();
    }
}

/** The values of a DataRow message whose column count stands at `start`. */
export function readDataRow(buffer: Buffer, start: number): TextRow {
    const count = buffer.readInt16BE(start);
    const row: TextRow = [];
    let at = start + 2;
    for (let column = 0; column < count; column++) {
        const length = buffer.readInt32BE(at);
        at += 4;
        if (length < 0) row.push(null);
        else {
            row.push(buffer.toString('utf8', at, at + length));
            at += length;
        }
    }
    return row;
}

function binary(): never {
    assert.fail('a binary value among rows that were asked for as text');
}
