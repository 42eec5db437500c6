/**
 * Dead rows of one segment: a set of row ids, iterated in ascending order.
 *
 * Row ids are grouped by their upper bits into blocks of 65536. A block is a sorted array of offsets while it is small
 * and a bitmap of 8 KiB from then on, as in Roaring bitmaps: so memory is at most 2 bytes a row and 8 KiB a block,
 * whatever is deleted.
 *
 *     byte     version (1)
 *     varint   count of row ids
 *     varints  differences between neighbours, ascending; the first one from 0
 *     fixed    CRC-32 of everything before it (4 bytes, little-endian)
 *
 * What must stay true: at most ROWS_MAX row ids: a segment has no more rows.
 */
import {crc32} from 'node:zlib';
import {asBuffer, ByteReader, ByteWriter} from '../bytes.ts';
import {StorageError} from '../errors.ts';

const VERSION = 1;
const BLOCK_SIZE = 65536;
/** From here on a bitmap is smaller than the array. */
const ARRAY_LENGTH_MAX = 4096;
const BITMAP_WORDS = BLOCK_SIZE / 32;
export const ROWS_MAX = 100_000_000;

interface Block {
    size: number;
    /** Sorted offsets, the first `size` of them, or a bitmap. */
    offsets: Uint16Array | undefined;
    bitmap: Uint32Array | undefined;
}

export class DeletionVector {
    readonly #blocks = new Map<number, Block>();
    #size = 0;

    constructor(rowids: Iterable<number> = []) {
        for (const rowid of rowids) this.add(rowid);
    }

    get size(): number {
        return this.#size;
    }

    /** False when it was there already. Throws StorageError `invalid` for what is no row id, `full` past ROWS_MAX. */
    add(rowid: number): boolean {
        if (!Number.isSafeInteger(rowid) || rowid < 0) throw new StorageError('invalid', `${rowid} is no row id`);
        if (this.#size >= ROWS_MAX) throw new StorageError('full', `a segment has at most ${ROWS_MAX} rows`);
        const number = Math.floor(rowid / BLOCK_SIZE);
        let block = this.#blocks.get(number);
        if (block === undefined) {
            block = {size: 0, offsets: new Uint16Array(4), bitmap: undefined};
            this.#blocks.set(number, block);
        }
        if (!addToBlock(block, rowid % BLOCK_SIZE)) return false;
        this.#size++;
        return true;
    }

    has(rowid: number): boolean {
        const block = this.#blocks.get(Math.floor(rowid / BLOCK_SIZE));
        if (block === undefined) return false;
        const offset = rowid % BLOCK_SIZE;
        if (block.bitmap !== undefined) return hasBit(block.bitmap, offset);
        const {offsets, size} = block;
        if (offsets === undefined) return false;
        const at = lowerBound(offsets, size, offset);
        return at < size && offsets[at] === offset;
    }

    /** Ascending. */
    *[Symbol.iterator](): IterableIterator<number> {
        for (const number of [...this.#blocks.keys()].sort((a, b) => a - b)) {
            const block = this.#blocks.get(number);
            if (block === undefined) continue;
            const base = number * BLOCK_SIZE;
            if (block.offsets !== undefined) {
                for (let i = 0; i < block.size; i++) yield base + (block.offsets[i] ?? 0);
            } else if (block.bitmap !== undefined) {
                for (let offset = 0; offset < BLOCK_SIZE; offset++) {
                    if (hasBit(block.bitmap, offset)) yield base + offset;
                }
            }
        }
    }

    serialise(): Buffer {
        const writer = new ByteWriter(16 + this.#size * 2);
        writer.byte(VERSION);
        writer.varint(this.#size);
        let previous = 0;
        for (const rowid of this) {
            writer.varint(rowid - previous);
            previous = rowid;
        }
        const result = Buffer.allocUnsafe(writer.length + 4);
        writer.buffer.copy(result, 0, 0, writer.length);
        result.writeUInt32LE(crc32(result.subarray(0, writer.length)), writer.length);
        return result;
    }

    /** Throws StorageError `corrupt` or `version`. */
    static deserialise(bytes: Uint8Array): DeletionVector {
        const buffer = asBuffer(bytes);
        const end = buffer.length - 4;
        if (end < 2 || buffer.readUInt32LE(end) !== crc32(buffer.subarray(0, end))) {
            throw new StorageError('corrupt', 'damaged deletion vector: its checksum does not fit');
        }
        const reader = new ByteReader(buffer.subarray(0, end), 'deletion vector');
        const version = reader.byte();
        if (version !== VERSION) throw new StorageError('version', `deletion vector format ${version} is not known`);
        const vector = new DeletionVector();
        const count = reader.varint();
        let previous = 0;
        for (let i = 0; i < count; i++) {
            previous += reader.varint();
            if (!vector.add(previous)) reader.fail('a row id is in it twice');
        }
        if (!reader.done) reader.fail('something follows the last row id');
        return vector;
    }
}

function addToBlock(block: Block, offset: number): boolean {
    const {bitmap, offsets} = block;
    if (bitmap !== undefined) {
        if (hasBit(bitmap, offset)) return false;
        setBit(bitmap, offset);
    } else if (offsets !== undefined) {
        const at = lowerBound(offsets, block.size, offset);
        if (at < block.size && offsets[at] === offset) return false;
        if (block.size >= ARRAY_LENGTH_MAX) turnIntoBitmap(block, offsets, offset);
        else block.offsets = insert(offsets, block.size, at, offset);
    }
    block.size++;
    return true;
}

function insert(offsets: Uint16Array, size: number, at: number, offset: number): Uint16Array {
    let target = offsets;
    if (size === offsets.length) {
        target = new Uint16Array(size * 2);
        target.set(offsets);
    }
    target.copyWithin(at + 1, at, size);
    target[at] = offset;
    return target;
}

function turnIntoBitmap(block: Block, offsets: Uint16Array, added: number): void {
    const bitmap = new Uint32Array(BITMAP_WORDS);
    for (let i = 0; i < block.size; i++) setBit(bitmap, offsets[i] ?? 0);
    setBit(bitmap, added);
    block.bitmap = bitmap;
    block.offsets = undefined;
}

function lowerBound(offsets: Uint16Array, size: number, wanted: number): number {
    let low = 0;
    let high = size;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if ((offsets[middle] ?? 0) < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}

function hasBit(bitmap: Uint32Array, offset: number): boolean {
    return (((bitmap[offset >>> 5] ?? 0) >>> (offset & 31)) & 1) === 1;
}

function setBit(bitmap: Uint32Array, offset: number): void {
    bitmap[offset >>> 5] = (bitmap[offset >>> 5] ?? 0) | (1 << (offset & 31));
}
