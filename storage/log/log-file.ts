/**
 * The files of the commit log: names, headers, making them ready and putting them away.
 *
 *     0000000000000001.log   a file with its number; numbers have no gaps
 *     spare-*                recycled: its blocks are written already, its content means nothing
 *     prepare.tmp            being made ready; worth nothing after a crash
 *
 *     offset  bytes  file header, little-endian, padded to 512
 *      0      8      magic "TWCLOG01"
 *      8      4      CRC-32 of bytes 12..32
 *     12      4      format version (1)
 *     16      8      file number
 *     24      8      capacity: bytes of the file
 *
 * Every block of a file is written with zeros before use, so that a sync later changes no metadata of the file system.
 *
 * What must stay true: a file gets its number by a rename, after its header is durable; a spare's header is not touched
 * before the rename that made it a spare is durable.
 */
import {open, readdir, rename, rm, type FileHandle} from 'node:fs/promises';
import {join} from 'node:path';
import {crc32} from 'node:zlib';
import {StorageError} from '../errors.ts';
import {syncDirectory} from '../files.ts';
import {readU64, writeU64} from './frame.ts';

/** Where the first frame is. */
export const FILE_HEADER_BYTES = 512;
const FILE_MAGIC = 'TWCLOG01';
const FORMAT = 1;
const FILE_NAME = /^(\d{16})\.log$/;
const SPARE_NAME = /^spare-\d{16}$/;
const PREPARED_NAME = 'prepare.tmp';
const ZEROS = Buffer.alloc(1024 * 1024);

export interface LogFile {
    readonly number: number;
    readonly path: string;
    readonly capacity: number;
}

export interface LogFileList {
    readonly files: readonly LogFile[];
    readonly spares: readonly string[];
}

function fileName(number: number): string {
    return `${String(number).padStart(16, '0')}.log`;
}

export function spareName(number: number): string {
    return `spare-${String(number).padStart(16, '0')}`;
}

/** Numbered files in order, headers checked, and spares; a file left half made ready is removed. */
export async function listLogFiles(directory: string): Promise<LogFileList> {
    const files: LogFile[] = [];
    const spares: string[] = [];
    for (const name of (await readdir(directory)).sort()) {
        const number = FILE_NAME.exec(name)?.[1];
        if (number !== undefined) files.push(await readHeader(join(directory, name), Number(number)));
        else if (SPARE_NAME.test(name)) spares.push(join(directory, name));
        else if (name === PREPARED_NAME) await rm(join(directory, name));
    }
    return {files, spares};
}

async function readHeader(path: string, number: number): Promise<LogFile> {
    const handle = await open(path, 'r');
    try {
        const header = Buffer.alloc(32);
        const {bytesRead} = await handle.read(header, 0, 32, 0);
        const {size} = await handle.stat();
        const sound = bytesRead === 32 && header.toString('latin1', 0, 8) === FILE_MAGIC;
        if (!sound || header.readUInt32LE(8) !== crc32(header.subarray(12, 32))) {
            throw new StorageError('corrupt', `commit log file "${path}" has a damaged header`);
        }
        const format = header.readUInt32LE(12);
        if (format !== FORMAT) throw new StorageError('version', `commit log format ${format} is not known`);
        const capacity = readU64(header, 24);
        if (readU64(header, 16) !== number || capacity > size) {
            throw new StorageError('corrupt', `commit log file "${path}" is not what its header says`);
        }
        return {number, path, capacity};
    } finally {
        await handle.close();
    }
}

/** Makes a file ready, from a spare of the right size when one is given, and gives it its number, durably. */
export async function prepareLogFile(
    directory: string,
    number: number,
    capacity: number,
    spare: string | undefined,
): Promise<LogFile> {
    const prepared = join(directory, PREPARED_NAME);
    if (spare !== undefined) {
        await rename(spare, prepared);
        await syncDirectory(directory);
    }
    const handle = await open(prepared, spare === undefined ? 'w' : 'r+');
    try {
        if ((await handle.stat()).size !== capacity) await fillWithZeros(handle, capacity);
        await handle.write(encodeHeader(number, capacity), 0, FILE_HEADER_BYTES, 0);
        await handle.sync();
    } finally {
        await handle.close();
    }
    const path = join(directory, fileName(number));
    await rename(prepared, path);
    await syncDirectory(directory);
    return {number, path, capacity};
}

async function fillWithZeros(handle: FileHandle, capacity: number): Promise<void> {
    await handle.truncate(0);
    for (let offset = 0; offset < capacity; offset += ZEROS.length) {
        await handle.write(ZEROS, 0, Math.min(ZEROS.length, capacity - offset), offset);
    }
}

function encodeHeader(number: number, capacity: number): Buffer {
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    header.write(FILE_MAGIC, 0, 'latin1');
    header.writeUInt32LE(FORMAT, 12);
    writeU64(header, number, 16);
    writeU64(header, capacity, 24);
    header.writeUInt32LE(crc32(header.subarray(12, 32)), 8);
    return header;
}
