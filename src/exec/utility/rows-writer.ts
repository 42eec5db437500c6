/**
 * A ResponseWriter that takes rows and nothing else, for plans whose rows do not go to the client as they are: the base
 * of those that hand them over as texts or as bytes.
 *
 * What must stay true: congestion is that of the real writer, so that a slow client slows the query.
 */
import {strict as assert} from 'node:assert';
import type {CopyInData, ErrorFields, FieldDescription, ResponseWriter} from '../../../wire/handler.ts';

const DATA_ROW = 0x44;

export abstract class RowsWriter implements ResponseWriter {
    readonly #writer: ResponseWriter;

    constructor(writer: ResponseWriter) {
        this.#writer = writer;
    }

    abstract beginRow(columnCount: number): void;
    abstract endRow(): void;
    abstract valueNull(): void;
    abstract valueText(text: string): void;
    abstract valueAscii(text: string): void;
    abstract valueIntText(value: number): void;
    abstract valueBytes(bytes: Uint8Array): void;
    abstract valueInt16(value: number): void;
    abstract valueInt32(value: number): void;
    abstract valueInt64(value: bigint): void;
    abstract valueFloat32(value: number): void;
    abstract valueFloat64(value: number): void;
    abstract valueBool(value: boolean): void;
    /** A DataRow's body: the number of columns, then the length and the bytes of each. */
    abstract rowBody(body: Buffer): void;

    /** Whole DataRow messages, as the reference path forwards them. */
    raw(bytes: Uint8Array): void {
        const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        let at = 0;
        while (at < buffer.length) {
            assert(buffer[at] === DATA_ROW, 'a message other than DataRow among rows');
            const end = at + 1 + buffer.readInt32BE(at + 1);
            this.rowBody(buffer.subarray(at + 5, end));
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

function notRows(): never {
    assert.fail('a message other than rows from a plan');
}
