/**
 * What one transaction is in the commit log: its row changes, and named sections that storage does not look into
 * (catalog JSON, DDL, notifications, sequences, manifest changes).
 *
 *     byte     version (1)
 *     items, to the end of the record:
 *       byte     op 1..63: a change
 *         varint   table id
 *         varint   owner
 *         bytes    key (length as varint, then bytes)
 *         bytes    row (empty where the op has none)
 *       byte     64: a section
 *         string   name (length as varint, then UTF-8)
 *         bytes    content
 *
 * What must stay true: the log's own checksum and length protect the record, so it has none; items keep the order in
 * which they were given; an unknown op is refused, because replay must never skip what it does not understand.
 */
import assert from 'node:assert/strict';
import {asBuffer, ByteReader, ByteWriter} from '../bytes.ts';
import {StorageError} from '../errors.ts';

/** What an entry does. Stored: never change a number. */
export const LOG_OP = {
    /** `key` has the row `row` now. */
    put: 1,
    /** `key` has no row any more. */
    delete: 2,
    /** A row in a segment is dead: key = deletion-vector key (see hot/keys.ts), row empty. */
    coldDelete: 3,
    /** `key` is a row that lives in a segment: row = the encoded stub. */
    putStub: 4,
    /** All rows of the table (of `owner`, when it is not 0) are gone; key and row empty. */
    truncate: 5,
    /** A raw put of the hot key `key`, outside the row space (manifests, settings). */
    rawPut: 6,
    /** A raw delete of the hot key `key`. */
    rawDelete: 7,
} as const;

export type LogOp = (typeof LOG_OP)[keyof typeof LOG_OP];

export interface LogEntry {
    readonly op: LogOp;
    readonly tableId: number;
    /** Owner's role id for `user` tables, else 0. */
    readonly owner: number;
    readonly key: Buffer;
    readonly row: Buffer;
}

export interface TransactionRecord {
    readonly entries: readonly LogEntry[];
    /** Content by name. */
    readonly sections: ReadonlyMap<string, Buffer>;
}

const VERSION = 1;
const OP_MAX = LOG_OP.rawDelete;
const SECTION = 64;
const SECTION_NAME_LENGTH_MAX = 64;
const EMPTY = Buffer.alloc(0);
/** From this size on, the record's buffer is handed over instead of being kept for the next one. */
export const HANDED_OVER_BYTES = 1024 * 1024;

/**
 * Builds records one after the other in one buffer: `begin`, any number of `entry` and `section`, `finish`. The result
 * of `finish` is valid until the next `begin`; from HANDED_OVER_BYTES on it belongs to the caller.
 */
export class TransactionRecordEncoder {
    readonly #writer = new ByteWriter(16 * 1024);
    readonly #sectionNames = new Set<string>();

    begin(): void {
        this.#writer.length = 0;
        this.#writer.byte(VERSION);
        this.#sectionNames.clear();
    }

    entry(op: LogOp, tableId: number, owner: number, key: Uint8Array, row: Uint8Array = EMPTY): void {
        const writer = this.#writer;
        writer.byte(op);
        writer.varint(tableId);
        writer.varint(owner);
        writer.bytes(key);
        writer.bytes(row);
    }

    /** A name is given at most once in a record. */
    section(name: string, content: Uint8Array): void {
        assert(!this.#sectionNames.has(name), `section "${name}" is already in the record`);
        assert(name.length > 0 && name.length <= SECTION_NAME_LENGTH_MAX, 'a section needs a short name');
        this.#sectionNames.add(name);
        this.#writer.byte(SECTION);
        this.#writer.string(name);
        this.#writer.bytes(content);
    }

    /** Bytes so far. */
    get bytes(): number {
        return this.#writer.length;
    }

    finish(): Buffer {
        const record = this.#writer.buffer.subarray(0, this.#writer.length);
        if (this.#writer.buffer.length >= HANDED_OVER_BYTES) this.#writer.buffer = Buffer.allocUnsafeSlow(16 * 1024);
        this.#writer.length = 0;
        return record;
    }
}

export interface TransactionRecordVisitor {
    entry(op: LogOp, tableId: number, owner: number, key: Buffer, row: Buffer): void;
    section(name: string, content: Buffer): void;
}

/** Key, row and content are views of `bytes`: who keeps them copies them. Throws StorageError `corrupt` or `version`. */
export function visitTransactionRecord(bytes: Uint8Array, visitor: TransactionRecordVisitor): void {
    const reader = new ByteReader(asBuffer(bytes), 'transaction record');
    const version = reader.byte();
    if (version !== VERSION) throw new StorageError('version', `transaction record format ${version} is not known`);
    while (!reader.done) {
        const op = reader.byte();
        if (op === SECTION) {
            visitor.section(reader.string(), reader.bytes());
        } else if (op >= 1 && op <= OP_MAX) {
            visitor.entry(op as LogOp, reader.varint(), reader.varint(), reader.bytes(), reader.bytes());
        } else {
            reader.fail(`op ${op} is not known`);
        }
    }
}

export function decodeTransactionRecord(bytes: Uint8Array): TransactionRecord {
    const entries: LogEntry[] = [];
    const sections = new Map<string, Buffer>();
    visitTransactionRecord(bytes, {
        entry: (op, tableId, owner, key, row) => entries.push({op, tableId, owner, key, row}),
        section(name, content) {
            if (sections.has(name))
                throw new StorageError('corrupt', `section "${name}" is twice in a transaction record`);
            sections.set(name, content);
        },
    });
    return {entries, sections};
}
