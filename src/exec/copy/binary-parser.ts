/**
 * COPY FROM in binary format: from chunks to the bytes of each field.
 * Source: PostgreSQL documentation, COPY, "Binary Format"; CopyReadBinaryAttribute in copyfromparse.c.
 *
 * What must stay true: at most one unfinished tuple is kept, and it is bounded; fields are views of the client's bytes.
 */
import {PgError} from '../../../catalog/errors.ts';
import {badFormat, type CopyShape} from './copy-records.ts';

export const BINARY_SIGNATURE = Buffer.from('PGCOPY\n\u00ff\r\n\0', 'latin1');
/** Signature, flags, length of the header extension. */
const HEADER_BYTES = BINARY_SIGNATURE.length + 8;
const FLAG_OIDS = 1 << 16;
/** One tuple: as much as a line of text may have. */
const TUPLE_BYTES_MAX = 256 * 1024 * 1024;

export interface BinaryRecord {
    /** null = NULL. */
    readonly fields: readonly (Buffer | null)[];
    /** 1-based number of the tuple. */
    readonly lineNumber: number;
}

export class BinaryParser {
    readonly #shape: CopyShape;
    #buffer: Buffer = Buffer.alloc(0);
    #at = 0;
    /** Chunks not joined to `#buffer` yet, until the tuple at hand may be whole. */
    #waiting: Buffer[] = [];
    #waitingBytes = 0;
    #neededBytes = 0;
    #headerRead = false;
    #ended = false;
    lineNumber = 0;

    constructor(shape: CopyShape) {
        this.#shape = shape;
    }

    *push(chunk: Buffer): Iterable<BinaryRecord> {
        this.#waiting.push(chunk);
        this.#waitingBytes += chunk.length;
        if (this.#buffer.length - this.#at + this.#waitingBytes < this.#neededBytes) return;
        this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), ...this.#waiting]);
        this.#at = 0;
        this.#waiting = [];
        this.#waitingBytes = 0;
        this.#neededBytes = 0;
        if (!this.#headerRead && !this.#readHeader()) return;
        for (;;) {
            const record = this.#readTuple();
            if (record === undefined) break;
            yield record;
        }
        if (this.#ended && this.#at < this.#buffer.length) throw badFormat('received copy data after EOF marker');
    }

    /** The trailer may be missing, as long as no tuple has begun. */
    finish(): void {
        if (!this.#headerRead) throw badFormat('COPY file signature not recognized');
        if (this.#buffer.length - this.#at + this.#waitingBytes > 0 && !this.#ended) {
            throw badFormat('unexpected EOF in COPY data');
        }
    }

    #readHeader(): boolean {
        const buffer = this.#buffer;
        const signature = buffer.subarray(0, BINARY_SIGNATURE.length);
        if (!signature.equals(BINARY_SIGNATURE.subarray(0, signature.length))) {
            throw badFormat('COPY file signature not recognized');
        }
        if (!this.#has(HEADER_BYTES)) return false;
        const flags = buffer.readUInt32BE(BINARY_SIGNATURE.length);
        if ((flags & FLAG_OIDS) !== 0) throw badFormat('invalid COPY file header (WITH OIDS)');
        if (flags > 0xffff) throw badFormat('unrecognized critical flags in COPY file header');
        const extensionBytes = buffer.readInt32BE(BINARY_SIGNATURE.length + 4);
        if (extensionBytes < 0) throw badFormat('invalid COPY file header (wrong length)');
        if (!this.#has(HEADER_BYTES + extensionBytes)) return false;
        this.#at = HEADER_BYTES + extensionBytes;
        this.#headerRead = true;
        return true;
    }

    /** Whether so many bytes are there from the start of the tuple on; if not, they are waited for. */
    #has(bytes: number): boolean {
        if (this.#buffer.length - this.#at >= bytes) return true;
        if (bytes > TUPLE_BYTES_MAX) {
            throw new PgError('54000', `a row of COPY data is longer than ${TUPLE_BYTES_MAX / 1024 / 1024} MB`);
        }
        this.#neededBytes = bytes;
        return false;
    }

    #readTuple(): BinaryRecord | undefined {
        if (this.#ended || !this.#has(2)) return undefined;
        const count = this.#buffer.readInt16BE(this.#at);
        if (count === -1) {
            this.#ended = true;
            this.#at += 2;
            return undefined;
        }
        const wanted = this.#shape.columns.length;
        if (count !== wanted) throw badFormat(`row field count is ${count}, expected ${wanted}`);
        const fields: (Buffer | null)[] = [];
        let end = 2;
        for (let i = 0; i < count; i++) {
            if (!this.#has(end + 4)) return undefined;
            const length = this.#buffer.readInt32BE(this.#at + end);
            end += 4;
            if (length === -1) {
                fields.push(null);
                continue;
            }
            if (length < 0) throw badFormat('invalid field size');
            if (!this.#has(end + length)) return undefined;
            fields.push(this.#buffer.subarray(this.#at + end, this.#at + end + length));
            end += length;
        }
        this.#at += end;
        return {fields, lineNumber: ++this.lineNumber};
    }
}
