/**
 * RowDescription as bytes, so that a plan can keep it and send it with one copy (`ResponseWriter.raw`).
 */

import {strict as assert} from 'node:assert';
import type {FieldDescription} from './handler.ts';
import {ROW_DESCRIPTION} from './message-types.ts';

const FIXED_BYTES_PER_FIELD = 18;

/** The format of one column, given the codes as Bind sends them: none = text, one = for all, else one per column. */
function formatOf(formats: readonly number[], index: number): number {
    return (formats.length === 1 ? formats[0] : formats[index]) ?? 0;
}

/** The whole message, with type and length. `formats` as in `BindMessage.resultFormats`. */
export function encodeRowDescription(fields: readonly FieldDescription[], formats: readonly number[]): Buffer {
    assert(formats.length <= 1 || formats.length === fields.length, 'one format, or one per column');
    const names = fields.map((field) => Buffer.from(field.name.replaceAll('\0', ''), 'utf8'));
    const nameBytes = names.reduce((sum, name) => sum + name.length + 1, 0);
    const message = Buffer.allocUnsafeSlow(7 + nameBytes + fields.length * FIXED_BYTES_PER_FIELD);
    message[0] = ROW_DESCRIPTION;
    message.writeInt32BE(message.length - 1, 1);
    message.writeUInt16BE(fields.length, 5);
    let position = 7;
    for (const [index, field] of fields.entries()) {
        const name = names[index];
        assert(name !== undefined);
        position += name.copy(message, position);
        message[position] = 0;
        message.writeUInt32BE(field.tableOid, position + 1);
        message.writeInt16BE(field.attnum, position + 5);
        message.writeUInt32BE(field.typeOid, position + 7);
        message.writeInt16BE(field.typeLength, position + 11);
        message.writeInt32BE(field.typmod, position + 13);
        message.writeInt16BE(formatOf(formats, index), position + 17);
        position += FIXED_BYTES_PER_FIELD + 1;
    }
    assert(position === message.length);
    return message;
}
