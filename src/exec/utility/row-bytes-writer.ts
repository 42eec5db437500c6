/**
 * A ResponseWriter that hands rows over as the bodies of DataRow messages, which are also the tuples of COPY in binary
 * format.
 *
 * What must stay true: a body is handed over once its row is complete, and is good only until the next row begins.
 */
import type {ResponseWriter} from '../../../wire/handler.ts';
import {RowsWriter} from './rows-writer.ts';

const BYTES_AT_FIRST = 1024;

export class RowBytesWriter extends RowsWriter {
    readonly #onRow: (body: Buffer) => void;
    #buffer = Buffer.alloc(BYTES_AT_FIRST);
    #end = 0;

    constructor(writer: ResponseWriter, onRow: (body: Buffer) => void) {
        super(writer);
        this.#onRow = onRow;
    }

    beginRow(columnCount: number): void {
        this.#buffer.writeInt16BE(columnCount, 0);
        this.#end = 2;
    }

    endRow(): void {
        this.#onRow(this.#buffer.subarray(0, this.#end));
    }

    rowBody(body: Buffer): void {
        this.#onRow(body);
    }

    valueNull(): void {
        this.#end = this.#buffer.writeInt32BE(-1, this.#room(0));
    }

    valueText(text: string): void {
        const length = Buffer.byteLength(text);
        const at = this.#sized(length);
        this.#buffer.write(text, at);
        this.#end = at + length;
    }

    valueAscii(text: string): void {
        this.valueText(text);
    }

    valueIntText(value: number): void {
        this.valueText(String(value));
    }

    valueBytes(bytes: Uint8Array): void {
        const at = this.#sized(bytes.length);
        this.#buffer.set(bytes, at);
        this.#end = at + bytes.length;
    }

    valueInt16(value: number): void {
        this.#end = this.#buffer.writeInt16BE(value, this.#sized(2));
    }

    valueInt32(value: number): void {
        this.#end = this.#buffer.writeInt32BE(value, this.#sized(4));
    }

    valueInt64(value: bigint): void {
        this.#end = this.#buffer.writeBigInt64BE(value, this.#sized(8));
    }

    valueFloat32(value: number): void {
        this.#end = this.#buffer.writeFloatBE(value, this.#sized(4));
    }

    valueFloat64(value: number): void {
        this.#end = this.#buffer.writeDoubleBE(value, this.#sized(8));
    }

    valueBool(value: boolean): void {
        this.#end = this.#buffer.writeUInt8(value ? 1 : 0, this.#sized(1));
    }

    /** Writes the length of a value and makes room for it. Gives where it begins. */
    #sized(length: number): number {
        const at = this.#room(length);
        return this.#buffer.writeInt32BE(length, at);
    }

    #room(length: number): number {
        const needed = this.#end + 4 + length;
        if (needed > this.#buffer.length) {
            const grown = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
            this.#buffer.copy(grown, 0, 0, this.#end);
            this.#buffer = grown;
        }
        return this.#end;
    }
}
