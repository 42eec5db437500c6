/**
 * Raw access to DuckDB's vectors: typed arrays of a chunk's columns, and strings without one native call each. The
 * only file that touches the bindings below `@duckdb/node-api`, whose own vector classes allocate a BigInt per
 * validity test and an object per value.
 *
 * What must stay true: arrays returned are copies, valid after the chunk is gone. A string of more than 12 bytes is
 * only a pointer in its vector: it is fetched before the chunk can be collected.
 */
import bindings from '@duckdb/node-bindings';
import type {DuckDBDataChunk} from '@duckdb/node-api';

export type RawVector = bindings.Vector;

/** Rows in a full vector. */
export const VECTOR_ROWS = bindings.vector_size();

const STRING_BYTES = 16;
const INLINE_BYTES_MAX = 12;
/**
 * Two valid addresses at most a page apart lie on the same or on neighbouring pages, so every byte between them is
 * mapped: strings that close are read in one call.
 */
const GAP_BYTES_MAX = 2048;
/** Bytes fetched in one call for a run of strings. */
const RUN_BYTES_MAX = 4 << 20;

export function columnVector(chunk: DuckDBDataChunk, column: number): RawVector {
    return bindings.data_chunk_get_vector(chunk.chunk, column);
}

export function listChild(vector: RawVector): RawVector {
    return bindings.list_vector_get_child(vector);
}

export function listChildCount(vector: RawVector): number {
    return bindings.list_vector_get_size(vector);
}

/** The values of a fixed-width vector. */
export function vectorBytes(vector: RawVector, byteCount: number): Uint8Array {
    return bindings.vector_get_data(vector, byteCount);
}

/** One bit a row, 1 = valid, least significant first; undefined when every row is valid. */
export function vectorValidity(vector: RawVector, rowCount: number): Uint8Array | undefined {
    const bytes = bindings.vector_get_validity(vector, ((rowCount + 63) >> 6) << 3) as Uint8Array | null | undefined;
    return bytes ?? undefined;
}

export function isValid(validity: Uint8Array | undefined, row: number): boolean {
    return validity === undefined || (((validity[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
}

/** Where each string of a VARCHAR or BLOB vector is: `buffers[bufferOf[row]]` from `starts[row]`, `lengths[row]` bytes. */
export interface StringColumn {
    readonly buffers: readonly Buffer[];
    readonly bufferOf: Int32Array;
    readonly starts: Int32Array;
    readonly lengths: Int32Array;
}

export function readStrings(vector: RawVector, rowCount: number, validity: Uint8Array | undefined): StringColumn {
    const raw = vectorBytes(vector, rowCount * STRING_BYTES);
    const words = new Uint32Array(raw.buffer, raw.byteOffset, rowCount * 4);
    const buffers: Buffer[] = [Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)];
    const bufferOf = new Int32Array(rowCount);
    const starts = new Int32Array(rowCount);
    const lengths = new Int32Array(rowCount);
    // The run of strings not fetched yet: rows [runRow, row), addresses [runStart, runEnd) relative to its high word.
    let runRow = -1;
    let runStart = 0;
    let runEnd = 0;
    for (let row = 0; row < rowCount; row++) {
        if (!isValid(validity, row)) continue;
        const length = words[row * 4] ?? 0;
        lengths[row] = length;
        if (length <= INLINE_BYTES_MAX) {
            starts[row] = row * STRING_BYTES + 4;
            continue;
        }
        // User-space addresses have 47 bits: exact in a double.
        const address = (words[row * 4 + 2] ?? 0) + (words[row * 4 + 3] ?? 0) * 4294967296;
        const gap = address - runEnd;
        if (runRow < 0 || gap < 0 || gap > GAP_BYTES_MAX || address + length - runStart > RUN_BYTES_MAX) {
            if (runRow >= 0) fetchRun(raw, runRow, runEnd - runStart, buffers);
            runRow = row;
            runStart = address;
        }
        bufferOf[row] = buffers.length;
        starts[row] = address - runStart;
        runEnd = address + length;
    }
    if (runRow >= 0) fetchRun(raw, runRow, runEnd - runStart, buffers);
    return {buffers, bufferOf, starts, lengths};
}

function fetchRun(raw: Uint8Array, row: number, byteCount: number, buffers: Buffer[]): void {
    const pointerOffset = raw.byteOffset + row * STRING_BYTES + 8;
    const bytes = bindings.get_data_from_pointer(raw.buffer as ArrayBuffer, pointerOffset, byteCount);
    buffers.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

export function writeBytes(vector: RawVector, source: ArrayBufferView, byteCount: number): void {
    bindings.copy_data_to_vector(vector, 0, source.buffer as ArrayBuffer, source.byteOffset, byteCount);
}

export function writeValidity(vector: RawVector, bits: Uint8Array): void {
    bindings.vector_ensure_validity_writable(vector);
    bindings.copy_data_to_vector_validity(vector, 0, bits.buffer as ArrayBuffer, bits.byteOffset, bits.byteLength);
}

export function writeString(vector: RawVector, row: number, text: string): void {
    bindings.vector_assign_string_element(vector, row, text);
}

export function writeBlob(vector: RawVector, row: number, bytes: Uint8Array): void {
    bindings.vector_assign_string_element_len(vector, row, bytes);
}

export function resetChunk(chunk: DuckDBDataChunk, rowCount: number): void {
    bindings.data_chunk_reset(chunk.chunk);
    bindings.data_chunk_set_size(chunk.chunk, rowCount);
}
