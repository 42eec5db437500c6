/**
 * uuid: kept as lower-case text with dashes, whose order is the order of the bytes.
 * Source: PostgreSQL documentation, "UUID Type": braces, capitals and other groupings of four digits are read too.
 */
import {checkLength, invalidSyntax} from './input-errors.ts';
import {codec} from './pg-type.ts';

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const LOOSE = /^(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}$/;

function fromHex(hex: string): string {
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function parseUuid(text: string): string {
    if (CANONICAL.test(text)) return text;
    const lower = text.toLowerCase();
    const bare = lower.startsWith('{') && lower.endsWith('}') ? lower.slice(1, -1) : lower;
    if (!LOOSE.test(bare)) throw invalidSyntax('uuid', text);
    return fromHex(bare.replaceAll('-', ''));
}

export function uuidBytes(value: string): Buffer {
    return Buffer.from(value.replaceAll('-', ''), 'hex');
}

export const uuidCodec = codec<string>({
    parse: parseUuid,
    print: (value) => value,
    receive: (bytes, offset, length) => {
        checkLength(length, 16);
        return fromHex(bytes.toString('hex', offset, offset + 16));
    },
    send: uuidBytes,
    compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    hashKey: (value) => value,
});
