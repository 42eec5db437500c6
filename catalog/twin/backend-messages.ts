/**
 * Reads the backend messages that the twin answers with. Source: PostgreSQL documentation, section 54.7 and 54.8.
 *
 * What must stay true: DataRow bodies are views of the answer, never copied; every ErrorResponse becomes a PgError.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../errors.ts';
import type {TwinField, TwinNotice, TwinResult} from './twin-transaction.ts';

/** The answer to the messages up to one ReadyForQuery: one Query, or everything up to one Sync. */
export interface TwinAnswer {
    readonly results: TwinResult[];
    /** Of the last ParameterDescription. */
    readonly parameterTypes: number[] | null;
    /** Of the last RowDescription that no CommandComplete followed. */
    readonly fields: TwinField[] | null;
    readonly error: PgError | null;
    /** Byte of the ReadyForQuery. */
    readonly status: 'I' | 'T' | 'E';
    /** Notices that belong to no result. */
    readonly notices: TwinNotice[];
}

/** One answer per ReadyForQuery. */
export function readAnswers(answer: Uint8Array): TwinAnswer[] {
    const answers: TwinAnswer[] = [];
    const buffer = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
    let results: TwinResult[] = [];
    let parameterTypes: number[] | null = null;
    let fields: TwinField[] | null = null;
    let rows: Buffer[] = [];
    let notices: TwinNotice[] = [];
    let error: PgError | null = null;
    let offset = 0;
    while (offset < buffer.length) {
        const type = buffer[offset];
        const length = buffer.readInt32BE(offset + 1);
        const start = offset + 5;
        const end = offset + 1 + length;
        assert(end <= buffer.length, 'the twin answers in whole messages');
        switch (type) {
            case 0x44: // DataRow
                rows.push(buffer.subarray(start, end));
                break;
            case 0x54: // RowDescription
                fields = readFields(buffer, start);
                break;
            case 0x43: // CommandComplete
                results.push({fields, rows, tag: buffer.toString('utf8', start, end - 1), notices});
                fields = null;
                rows = [];
                notices = [];
                break;
            case 0x49: // EmptyQueryResponse
                results.push({fields: null, rows: [], tag: '', notices});
                notices = [];
                break;
            case 0x74: // ParameterDescription
                parameterTypes = readOids(buffer, start);
                break;
            case 0x6e: // NoData
                fields = null;
                break;
            case 0x45: // ErrorResponse
                error ??= errorOf(readErrorFields(buffer, start, end));
                rows = [];
                break;
            case 0x4e: // NoticeResponse
                notices.push(readErrorFields(buffer, start, end));
                break;
            case 0x5a: // ReadyForQuery
                answers.push({
                    results,
                    parameterTypes,
                    fields,
                    error,
                    status: String.fromCharCode(buffer[start] ?? 0) as 'I' | 'T' | 'E',
                    notices,
                });
                results = [];
                parameterTypes = null;
                fields = null;
                rows = [];
                notices = [];
                error = null;
                break;
            default: // ParseComplete, BindComplete, ParameterStatus, CopyInResponse, BackendKeyData, …
                break;
        }
        offset = end;
    }
    return answers;
}

function readOids(buffer: Buffer, start: number): number[] {
    const count = buffer.readUInt16BE(start);
    const oids: number[] = [];
    for (let index = 0; index < count; index++) oids.push(buffer.readUInt32BE(start + 2 + index * 4));
    return oids;
}

function readFields(buffer: Buffer, start: number): TwinField[] {
    const count = buffer.readUInt16BE(start);
    const fields: TwinField[] = [];
    let offset = start + 2;
    for (let index = 0; index < count; index++) {
        const nameEnd = buffer.indexOf(0, offset);
        fields.push({
            name: buffer.toString('utf8', offset, nameEnd),
            tableOid: buffer.readUInt32BE(nameEnd + 1),
            attnum: buffer.readInt16BE(nameEnd + 5),
            typeOid: buffer.readUInt32BE(nameEnd + 7),
            typeLength: buffer.readInt16BE(nameEnd + 11),
            typmod: buffer.readInt32BE(nameEnd + 13),
        });
        offset = nameEnd + 19;
    }
    return fields;
}

function readErrorFields(buffer: Buffer, start: number, end: number): TwinNotice {
    const texts = new Map<string, string>();
    let offset = start;
    while (offset < end && buffer[offset] !== 0) {
        const textEnd = buffer.indexOf(0, offset + 1);
        texts.set(String.fromCharCode(buffer[offset] ?? 0), buffer.toString('utf8', offset + 1, textEnd));
        offset = textEnd + 1;
    }
    const position = texts.get('P');
    return {
        severity: texts.get('V') ?? texts.get('S') ?? 'ERROR',
        code: texts.get('C') ?? 'XX000',
        message: texts.get('M') ?? '',
        detail: texts.get('D'),
        hint: texts.get('H'),
        position: position === undefined ? undefined : Number(position),
        schema: texts.get('s'),
        table: texts.get('t'),
        column: texts.get('c'),
        dataType: texts.get('d'),
        constraint: texts.get('n'),
        where: texts.get('W'),
    };
}

function errorOf(fields: TwinNotice): PgError {
    const severity = fields.severity === 'FATAL' || fields.severity === 'PANIC' ? fields.severity : 'ERROR';
    return new PgError(fields.code, fields.message, {...fields, severity});
}

/** Columns of a text-format DataRow body: null or the text. */
export function textsOfRow(row: Buffer): (string | null)[] {
    const count = row.readUInt16BE(0);
    const texts: (string | null)[] = [];
    let offset = 2;
    for (let index = 0; index < count; index++) {
        const length = row.readInt32BE(offset);
        offset += 4;
        if (length < 0) texts.push(null);
        else {
            texts.push(row.toString('utf8', offset, offset + length));
            offset += length;
        }
    }
    return texts;
}
