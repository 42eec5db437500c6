/**
 * What one transaction leaves in the commit log: the physical changes of the hot store, so that replay needs no catalog
 * and no decoding. Layout (version 1, integers little-endian):
 *
 *   u8 version | f64 next row id | i64 newest `_updated` (ns) | u32 count | count × operation
 *   operation: u32 key length | i32 value length (-1 = delete) | key | value
 *
 * The commit log frames, orders and checksums records.
 */
import type {PreparedOperations, StoreOperation} from './transaction.ts';

const VERSION = 1;
const HEADER_BYTES = 1 + 8 + 8 + 4;

export interface CommitRecord {
    readonly nextRowid: number;
    readonly updatedNs: bigint;
    readonly operations: readonly StoreOperation[];
}

/** `prepared` follow the operations, in the order given. */
export function encodeCommitRecord(record: CommitRecord, prepared: readonly PreparedOperations[] = []): Buffer {
    let size = HEADER_BYTES + operationsBytes(record.operations);
    let count = record.operations.length;
    for (const part of prepared) {
        size += part.encoded.length;
        count += part.operations.length;
    }
    const bytes = Buffer.allocUnsafe(size);
    bytes[0] = VERSION;
    bytes.writeDoubleLE(record.nextRowid, 1);
    bytes.writeBigInt64LE(record.updatedNs, 9);
    bytes.writeUInt32LE(count, 17);
    let at = writeOperations(record.operations, bytes, HEADER_BYTES);
    for (const {encoded} of prepared) {
        bytes.set(encoded, at);
        at += encoded.length;
    }
    return bytes;
}

/** For transactions so large that encoding them at once would hold up everybody else. */
export function prepareOperations(operations: readonly StoreOperation[]): PreparedOperations {
    const encoded = Buffer.allocUnsafe(operationsBytes(operations));
    writeOperations(operations, encoded, 0);
    return {operations, encoded};
}

function operationsBytes(operations: readonly StoreOperation[]): number {
    let size = 0;
    for (const {key, value} of operations) size += 8 + key.length + (value === null ? 0 : value.length);
    return size;
}

function writeOperations(operations: readonly StoreOperation[], bytes: Buffer, start: number): number {
    let at = start;
    for (const {key, value} of operations) {
        bytes.writeUInt32LE(key.length, at);
        bytes.writeInt32LE(value === null ? -1 : value.length, at + 4);
        at += 8;
        bytes.set(key, at);
        at += key.length;
        if (value !== null) {
            bytes.set(value, at);
            at += value.length;
        }
    }
    return at;
}

export function decodeCommitRecord(bytes: Buffer): CommitRecord {
    if (bytes[0] !== VERSION) throw new Error(`commit record of unknown version ${bytes[0]}`);
    const operations: StoreOperation[] = [];
    const count = bytes.readUInt32LE(17);
    let at = HEADER_BYTES;
    for (let i = 0; i < count; i++) {
        const keyLength = bytes.readUInt32LE(at);
        const valueLength = bytes.readInt32LE(at + 4);
        at += 8;
        const key = bytes.subarray(at, at + keyLength);
        at += keyLength;
        if (valueLength < 0) operations.push({key, value: null});
        else {
            operations.push({key, value: bytes.subarray(at, at + valueLength)});
            at += valueLength;
        }
    }
    if (at !== bytes.length) throw new Error('commit record with trailing bytes');
    return {nextRowid: bytes.readDoubleLE(1), updatedNs: bytes.readBigInt64LE(9), operations};
}
