/**
 * A ResponseWriter that hands rows over as texts instead of sending them: for COPY TO, EXECUTE of expressions, binary
 * FETCH and EXPLAIN ANALYZE. Any plan's rows can be read through it.
 *
 * What must stay true: the plan was started with text formats (no result formats), so that every value comes as text;
 * congestion is that of the real writer, so that a slow client slows the query.
 */
import {strict as assert} from 'node:assert';
import type {CopyInData, ErrorFields, FieldDescription, ResponseWriter} from '../../../wire/handler.ts';

export type TextRow = (string | null)[];

const DATA_ROW = 0x44;

export class RowTextWriter implements ResponseWriter {
    readonly #writer: ResponseWriter;
    readonly #onRow: (row: TextRow) => void;
    #row: TextRow = [];

    constructor(writer: ResponseWriter, onRow: (row: TextRow) => void) {
        this.#writer = writer;
        this.#onRow = onRow;
    }

    beginRow(_columnCount: number): void {
        this.#row = [];
    }

    endRow(): void {
        this.#onRow(this.#row);
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

    /** Whole DataRow messages, as the reference path forwards them. */
    raw(bytes: Uint8Array): void {
        const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        let at = 0;
        while (at < buffer.length) {
            assert(buffer[at] === DATA_ROW, 'a message other than DataRow among rows');
            const end = at + 1 + buffer.readInt32BE(at + 1);
            this.#onRow(readDataRow(buffer, at + 5));
            at = end;
        }
    }

    notice(fields: ErrorFields): void {
        this.#writer.notice(fields);
    }

    get bufferedBytes(): number {
        return this.#writer.bufferedBytes;
    }

    get congested(): boolean {
        return this.#writer.congested;
    }

    drained(): Promise<void> {
        return this.#writer.drained();
    }

    flush(): void {
        this.#writer.flush();
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

    parseComplete(): void {
        notRows();
    }

    bindComplete(): void {
        notRows();
    }

    closeComplete(): void {
        notRows();
    }

    noData(): void {
        notRows();
    }

    parameterDescription(_typeOids: readonly number[]): void {
        notRows();
    }

    rowDescription(_fields: readonly FieldDescription[], _formats: readonly number[]): void {
        notRows();
    }

    commandComplete(_tag: string): void {
        notRows();
    }

    emptyQueryResponse(): void {
        notRows();
    }

    portalSuspended(): void {
        notRows();
    }

    parameterStatus(_name: string, _value: string): void {
        notRows();
    }

    notification(_processId: number, _channel: string, _payload: string): void {
        notRows();
    }

    copyOutResponse(_binary: boolean, _columnCount: number): void {
        notRows();
    }

    copyData(_bytes: Uint8Array): void {
        notRows();
    }

    copyDone(): void {
        notRows();
    }

    copyIn(_binary: boolean, _columnCount: number): CopyInData {
        return notRows();
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

function notRows(): never {
    assert.fail('a message other than rows from a plan');
}
