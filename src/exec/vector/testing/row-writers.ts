/** Test and bench support: writers of rows that record them, or only count their bytes. */
import type {ResponseWriter} from '../../../../wire/handler.ts';

type RowMethods = Pick<
    ResponseWriter,
    | 'beginRow'
    | 'endRow'
    | 'valueNull'
    | 'valueText'
    | 'valueAscii'
    | 'valueBytes'
    | 'valueInt16'
    | 'valueInt32'
    | 'valueInt64'
    | 'valueFloat32'
    | 'valueFloat64'
    | 'valueBool'
    | 'valueIntText'
    | 'congested'
    | 'drained'
>;

/** Rows as the bytes of their values. */
export class RecordingWriter implements RowMethods {
    readonly rows: (Buffer | null)[][] = [];
    /** Congested after every so many rows; then `drained` resolves later. */
    congestedEvery = 0;
    drains = 0;
    #row: (Buffer | null)[] = [];

    get congested(): boolean {
        return this.congestedEvery > 0 && this.rows.length % this.congestedEvery === 0;
    }

    async drained(): Promise<void> {
        this.drains++;
        await new Promise((resolve) => setImmediate(resolve));
    }

    asWriter(): ResponseWriter {
        return this as unknown as ResponseWriter;
    }

    beginRow(): void {
        this.#row = [];
    }

    endRow(): void {
        this.rows.push(this.#row);
    }

    valueNull(): void {
        this.#row.push(null);
    }

    valueText(text: string): void {
        this.#row.push(Buffer.from(text));
    }

    valueAscii(text: string): void {
        this.#row.push(Buffer.from(text, 'latin1'));
    }

    valueBytes(bytes: Uint8Array): void {
        this.#row.push(Buffer.from(bytes));
    }

    valueInt16(value: number): void {
        const bytes = Buffer.alloc(2);
        bytes.writeInt16BE(value);
        this.#row.push(bytes);
    }

    valueInt32(value: number): void {
        const bytes = Buffer.alloc(4);
        bytes.writeInt32BE(value);
        this.#row.push(bytes);
    }

    valueInt64(value: bigint): void {
        const bytes = Buffer.alloc(8);
        bytes.writeBigInt64BE(value);
        this.#row.push(bytes);
    }

    valueFloat32(value: number): void {
        const bytes = Buffer.alloc(4);
        bytes.writeFloatBE(value);
        this.#row.push(bytes);
    }

    valueFloat64(value: number): void {
        const bytes = Buffer.alloc(8);
        bytes.writeDoubleBE(value);
        this.#row.push(bytes);
    }

    valueBool(value: boolean): void {
        this.#row.push(Buffer.of(value ? 1 : 0));
    }

    valueIntText(value: number): void {
        this.valueAscii(String(value));
    }
}

/** Counts values and does nothing else. */
export class NullWriter implements RowMethods {
    readonly congested = false;
    values = 0;

    async drained(): Promise<void> {
        await Promise.resolve();
    }

    asWriter(): ResponseWriter {
        return this as unknown as ResponseWriter;
    }

    beginRow(): void {
        this.values++;
    }

    endRow(): void {
        this.values++;
    }

    valueNull(): void {
        this.values++;
    }

    valueText(): void {
        this.values++;
    }

    valueAscii(): void {
        this.values++;
    }

    valueBytes(): void {
        this.values++;
    }

    valueInt16(): void {
        this.values++;
    }

    valueInt32(): void {
        this.values++;
    }

    valueInt64(): void {
        this.values++;
    }

    valueFloat32(): void {
        this.values++;
    }

    valueFloat64(): void {
        this.values++;
    }

    valueBool(): void {
        this.values++;
    }

    valueIntText(): void {
        this.values++;
    }
}
