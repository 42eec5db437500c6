/**
 * What statements that send more than rows write to: COPY and live queries. It can be ended, so that a statement whose
 * client has been answered already, because it was cancelled, sends nothing into the answer of the next one.
 *
 * What must stay true: after `end` every method that sends throws. Waiting for a slow client ends with a cancel.
 */
import type {CopyInData, ErrorFields, FieldDescription, ResponseWriter} from '../../wire/handler.ts';

export class StatementWriter implements ResponseWriter {
    readonly #writer: ResponseWriter;
    readonly #cancelled: () => Error | undefined;
    #ended: Error | undefined;
    /** Who waits for the client. */
    #waits = new Set<(error: Error) => void>();

    /** `cancelled` says whether the running statement was. */
    constructor(writer: ResponseWriter, cancelled: () => Error | undefined) {
        this.#writer = writer;
        this.#cancelled = cancelled;
    }

    end(error: Error): void {
        this.#ended = error;
        this.cancelWaits(error);
    }

    cancelWaits(error: Error): void {
        const waits = this.#waits;
        if (waits.size === 0) return;
        this.#waits = new Set();
        for (const reject of waits) reject(error);
    }

    get #open(): ResponseWriter {
        if (this.#ended !== undefined) throw this.#ended;
        return this.#writer;
    }

    get bufferedBytes(): number {
        return this.#writer.bufferedBytes;
    }

    get congested(): boolean {
        return this.#ended !== undefined || this.#writer.congested;
    }

    async drained(): Promise<void> {
        await this.#untilCancelled(this.#open.drained());
    }

    async #untilCancelled<T>(waited: Promise<T>): Promise<T> {
        const {promise, reject} = Promise.withResolvers<never>();
        const error = this.#ended ?? this.#cancelled();
        if (error !== undefined) reject(error);
        this.#waits.add(reject);
        try {
            return await Promise.race([waited, promise]);
        } finally {
            this.#waits.delete(reject);
        }
    }

    flush(): void {
        this.#open.flush();
    }

    parseComplete(): void {
        this.#open.parseComplete();
    }

    bindComplete(): void {
        this.#open.bindComplete();
    }

    closeComplete(): void {
        this.#open.closeComplete();
    }

    noData(): void {
        this.#open.noData();
    }

    parameterDescription(typeOids: readonly number[]): void {
        this.#open.parameterDescription(typeOids);
    }

    rowDescription(fields: readonly FieldDescription[], formats: readonly number[]): void {
        this.#open.rowDescription(fields, formats);
    }

    raw(bytes: Uint8Array): void {
        this.#open.raw(bytes);
    }

    commandComplete(tag: string): void {
        this.#open.commandComplete(tag);
    }

    emptyQueryResponse(): void {
        this.#open.emptyQueryResponse();
    }

    portalSuspended(): void {
        this.#open.portalSuspended();
    }

    notice(fields: ErrorFields): void {
        this.#open.notice(fields);
    }

    parameterStatus(name: string, value: string): void {
        this.#open.parameterStatus(name, value);
    }

    notification(processId: number, channel: string, payload: string): void {
        this.#open.notification(processId, channel, payload);
    }

    beginRow(columnCount: number): void {
        this.#open.beginRow(columnCount);
    }

    valueNull(): void {
        this.#open.valueNull();
    }

    valueText(text: string): void {
        this.#open.valueText(text);
    }

    valueAscii(text: string): void {
        this.#open.valueAscii(text);
    }

    valueBytes(bytes: Uint8Array): void {
        this.#open.valueBytes(bytes);
    }

    valueInt16(value: number): void {
        this.#open.valueInt16(value);
    }

    valueInt32(value: number): void {
        this.#open.valueInt32(value);
    }

    valueInt64(value: bigint): void {
        this.#open.valueInt64(value);
    }

    valueFloat32(value: number): void {
        this.#open.valueFloat32(value);
    }

    valueFloat64(value: number): void {
        this.#open.valueFloat64(value);
    }

    valueBool(value: boolean): void {
        this.#open.valueBool(value);
    }

    valueIntText(value: number): void {
        this.#open.valueIntText(value);
    }

    endRow(): void {
        this.#open.endRow();
    }

    copyOutResponse(binary: boolean, columnCount: number): void {
        this.#open.copyOutResponse(binary, columnCount);
    }

    copyData(bytes: Uint8Array): void {
        this.#open.copyData(bytes);
    }

    copyDone(): void {
        this.#open.copyDone();
    }

    copyIn(binary: boolean, columnCount: number): CopyInData {
        const chunks = this.#open.copyIn(binary, columnCount)[Symbol.asyncIterator]();
        return {
            [Symbol.asyncIterator]: () => ({
                next: () => this.#untilCancelled(chunks.next()),
                return: async () => (await chunks.return?.()) ?? {done: true, value: undefined},
            }),
        };
    }
}
