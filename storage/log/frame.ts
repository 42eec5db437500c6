/**
 * The unit of the commit log on disk: a frame. A group (what one sync makes durable) is one frame, or several when it
 * is larger than a frame or than what is left of the file.
 *
 *     offset  bytes  frame header, little-endian
 *      0      4      magic "TWf1"
 *      4      4      CRC-32 of everything from offset 8 to the end of the payload
 *      8      4      payload length
 *     12      4      flags: 1 = last frame of its group
 *     16      4      index of the frame in its group, from 0
 *     20      4      nonce: random, the same for all frames that one run of the server writes
 *     24      8      group number, one more for each group
 *     32      8      number of the file that the frame is in
 *     40      8      last sequence of the group before (0 = none)
 *     48      8      first sequence in the group
 *     56      8      last sequence in the group
 *     64             payload; frames begin at multiples of 8
 *
 * The payloads of a group's frames, joined, are entries: length (4), sequence (8), payload.
 *
 * What must stay true: the file number keeps frames of a recycled file from being taken for new ones; the nonce keeps
 * frames of a torn group from being joined with those of a later group of the same number.
 */
import {crc32} from 'node:zlib';
import {StorageError} from '../errors.ts';

export const FRAME_HEADER_BYTES = 64;
export const ENTRY_HEADER_BYTES = 12;
const FRAME_MAGIC = 0x31665754;
const FRAME_MAGIC_BYTES = Buffer.from('TWf1', 'latin1');
const FLAG_LAST = 1;
const TWO_POW_32 = 4294967296;

export interface FrameFields {
    readonly last: boolean;
    readonly index: number;
    readonly nonce: number;
    readonly group: number;
    readonly file: number;
    readonly previousSeq: number;
    readonly firstSeq: number;
    readonly lastSeq: number;
}

export interface Frame extends FrameFields {
    /** A view. */
    readonly payload: Buffer;
    /** Offset of what follows the frame. */
    readonly end: number;
}

/** Numbers are below 2^53. */
export function writeU64(target: Buffer, value: number, offset: number): void {
    target.writeUInt32LE(value % TWO_POW_32, offset);
    target.writeUInt32LE(Math.floor(value / TWO_POW_32), offset + 4);
}

export function readU64(source: Buffer, offset: number): number {
    return source.readUInt32LE(offset + 4) * TWO_POW_32 + source.readUInt32LE(offset);
}

/** Bytes that a frame of `payloadBytes` takes in the file. */
export function frameBytes(payloadBytes: number): number {
    return (FRAME_HEADER_BYTES + payloadBytes + 7) & ~7;
}

/** Fills in the header of the frame in `buffer`, whose payload is already at FRAME_HEADER_BYTES. */
export function sealFrame(buffer: Buffer, payloadBytes: number, fields: FrameFields): void {
    buffer.writeUInt32LE(FRAME_MAGIC, 0);
    buffer.writeUInt32LE(payloadBytes, 8);
    buffer.writeUInt32LE(fields.last ? FLAG_LAST : 0, 12);
    buffer.writeUInt32LE(fields.index, 16);
    buffer.writeUInt32LE(fields.nonce, 20);
    writeU64(buffer, fields.group, 24);
    writeU64(buffer, fields.file, 32);
    writeU64(buffer, fields.previousSeq, 40);
    writeU64(buffer, fields.firstSeq, 48);
    writeU64(buffer, fields.lastSeq, 56);
    buffer.writeUInt32LE(crc32(buffer.subarray(8, FRAME_HEADER_BYTES + payloadBytes)), 4);
}

/** The frame at `offset`, or undefined when there is none that is whole, undamaged and written for this file. */
export function parseFrame(buffer: Buffer, offset: number, file: number): Frame | undefined {
    if (offset + FRAME_HEADER_BYTES > buffer.length || buffer.readUInt32LE(offset) !== FRAME_MAGIC) return undefined;
    if (readU64(buffer, offset + 32) !== file) return undefined;
    const payloadStart = offset + FRAME_HEADER_BYTES;
    const payloadEnd = payloadStart + buffer.readUInt32LE(offset + 8);
    if (payloadEnd > buffer.length) return undefined;
    if (buffer.readUInt32LE(offset + 4) !== crc32(buffer.subarray(offset + 8, payloadEnd))) return undefined;
    return {
        last: (buffer.readUInt32LE(offset + 12) & FLAG_LAST) !== 0,
        index: buffer.readUInt32LE(offset + 16),
        nonce: buffer.readUInt32LE(offset + 20),
        group: readU64(buffer, offset + 24),
        file,
        previousSeq: readU64(buffer, offset + 40),
        firstSeq: readU64(buffer, offset + 48),
        lastSeq: readU64(buffer, offset + 56),
        payload: buffer.subarray(payloadStart, payloadEnd),
        end: offset + frameBytes(payloadEnd - payloadStart),
    };
}

/** The first whole frame at or after `offset` that `wanted` accepts. */
export function findFrame(
    buffer: Buffer,
    offset: number,
    file: number,
    wanted: (frame: Frame) => boolean,
): Frame | undefined {
    for (let at = offset; ; at++) {
        at = buffer.indexOf(FRAME_MAGIC_BYTES, at);
        if (at < 0) return undefined;
        const frame = at % 8 === 0 ? parseFrame(buffer, at, file) : undefined;
        if (frame !== undefined && wanted(frame)) return frame;
    }
}

/** Visits the entries of a whole group's payload. */
export function visitEntries(payload: Buffer, visit: (seq: number, payload: Buffer) => void): void {
    let offset = 0;
    while (offset < payload.length) {
        const start = offset + ENTRY_HEADER_BYTES;
        const end = start <= payload.length ? start + payload.readUInt32LE(offset) : Infinity;
        if (end > payload.length) throw new StorageError('corrupt', 'a group in the commit log has a damaged entry');
        visit(readU64(payload, offset + 4), payload.subarray(start, end));
        offset = end;
    }
}
