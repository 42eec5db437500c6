/**
 * The body of ErrorResponse and NoticeResponse (PostgreSQL documentation, "Error and Notice Message Fields"): a list of
 * a type byte and a string each, ended by a zero byte.
 *
 * What must stay true: S, V, C and M are always there. A zero byte inside a field would end it early and make the rest
 * read as other fields, so it is taken out.
 */

import type {ErrorFields} from './handler.ts';

const NUL = '\0';

function field(type: string, value: string | number | undefined): string {
    return value === undefined ? '' : `${type}${String(value).replaceAll(NUL, '')}${NUL}`;
}

export function encodeErrorBody(fields: ErrorFields): Buffer {
    return Buffer.from(
        field('S', fields.severity) +
            field('V', fields.severity) +
            field('C', fields.code) +
            field('M', fields.message) +
            field('D', fields.detail) +
            field('H', fields.hint) +
            field('P', fields.position) +
            field('W', fields.where) +
            field('s', fields.schema) +
            field('t', fields.table) +
            field('c', fields.column) +
            field('d', fields.dataType) +
            field('n', fields.constraint) +
            NUL,
        'utf8',
    );
}
