/**
 * jsonb: kept as its canonical text, which is what clients are sent. Order: object > array > boolean > number > string >
 * null; larger containers are greater. Binary form: a version byte 1, then the text.
 * Source: PostgreSQL documentation, "jsonb Indexing"; compareJsonbContainers in jsonb_util.c.
 */
import {PgError} from '../errors.ts';
import {readJson} from './json-reader.ts';
import type {JsonEntry, JsonNode} from './json-reader.ts';
import {compareNumeric, stripZeros} from './numeric-text.ts';
import {codec} from './pg-type.ts';
import {checkText, compareText, decodeUtf8} from './utf8.ts';

const VERSION = 1;

export function parseJsonb(text: string): string {
    return printJsonb(readJson(checkText(text)));
}

// eslint-disable-next-line no-control-regex -- control characters are exactly what has to be escaped
const NEEDS_ESCAPE = /["\\\x00-\x1f]/;
// eslint-disable-next-line no-control-regex -- as above
const TO_ESCAPE = /["\\\x00-\x1f]/g;

/** escape_json: only quotes, backslashes and control characters are escaped. */
export function quoteJsonString(value: string): string {
    if (!NEEDS_ESCAPE.test(value)) return `"${value}"`;
    return `"${value.replaceAll(TO_ESCAPE, escapeCharacter)}"`;
}

function escapeCharacter(char: string): string {
    switch (char) {
        case '"':
        case '\\':
            return `\\${char}`;
        case '\b':
            return '\\b';
        case '\f':
            return '\\f';
        case '\n':
            return '\\n';
        case '\r':
            return '\\r';
        case '\t':
            return '\\t';
        default:
            return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
    }
}

/** `number` writes the numbers: as they are, or stripped for keys. */
export function printJsonb(node: JsonNode, number: (value: string) => string = (value) => value): string {
    const pieces: string[] = [];
    writeNode(node, number, pieces);
    return pieces.join('');
}

function writeNode(node: JsonNode, number: (value: string) => string, pieces: string[]): void {
    if (node.kind === 'array') {
        for (let at = 0; at < node.items.length; at++) {
            pieces.push(at === 0 ? '[' : ', ');
            writeNode(node.items[at] ?? NOTHING, number, pieces);
        }
        pieces.push(node.items.length === 0 ? '[]' : ']');
    } else if (node.kind === 'object') {
        for (let at = 0; at < node.entries.length; at++) {
            const entry = node.entries[at];
            pieces.push(at === 0 ? '{' : ', ', quoteJsonString(entry?.key ?? ''), ': ');
            writeNode(entry?.value ?? NOTHING, number, pieces);
        }
        pieces.push(node.entries.length === 0 ? '{}' : '}');
    } else if (node.kind === 'string') pieces.push(quoteJsonString(node.value));
    else if (node.kind === 'number') pieces.push(number(node.value));
    else if (node.kind === 'boolean') pieces.push(node.value ? 'true' : 'false');
    else pieces.push('null');
}

const NOTHING: JsonNode = {kind: 'null'};

const RANK = {null: 0, string: 1, number: 2, boolean: 3, array: 4, object: 5} as const;

function isScalar(node: JsonNode): boolean {
    return node.kind !== 'array' && node.kind !== 'object';
}

/** A scalar at the top counts as an array of one element, which is why the empty array comes before every scalar. */
function compareTop(a: JsonNode, b: JsonNode): number {
    const aScalar = isScalar(a);
    const bScalar = isScalar(b);
    if (aScalar === bScalar) return compareNodes(a, b);
    if (aScalar) return b.kind === 'object' ? -1 : b.kind === 'array' && b.items.length === 0 ? 1 : -1;
    return -compareTop(b, a);
}

function compareNodes(a: JsonNode, b: JsonNode): number {
    if (a.kind === 'string' && b.kind === 'string') return compareText(a.value, b.value);
    if (a.kind === 'number' && b.kind === 'number') return compareNumeric(a.value, b.value);
    if (a.kind === 'boolean' && b.kind === 'boolean') return Number(a.value) - Number(b.value);
    if (a.kind === 'array' && b.kind === 'array') return compareItems(a.items, b.items);
    if (a.kind === 'object' && b.kind === 'object') return compareEntries(a.entries, b.entries);
    return RANK[a.kind] - RANK[b.kind];
}

function compareItems(a: readonly JsonNode[], b: readonly JsonNode[]): number {
    if (a.length !== b.length) return a.length - b.length;
    for (const [at, left] of a.entries()) {
        const right = b[at];
        const order = right === undefined ? 1 : compareNodes(left, right);
        if (order !== 0) return order;
    }
    return 0;
}

function compareEntries(a: readonly JsonEntry[], b: readonly JsonEntry[]): number {
    if (a.length !== b.length) return a.length - b.length;
    for (const [at, left] of a.entries()) {
        const right = b[at];
        if (right === undefined) return 1;
        const order = compareText(left.key, right.key) || compareNodes(left.value, right.value);
        if (order !== 0) return order;
    }
    return 0;
}

export const jsonbCodec = codec<string>({
    parse: parseJsonb,
    print: (value) => value,
    receive: (bytes, offset, length) => {
        const version = bytes[offset];
        if (length < 1 || version !== VERSION) {
            throw new PgError('XX000', `unsupported jsonb version number ${version ?? 0}`);
        }
        return parseJsonb(decodeUtf8(bytes, offset + 1, length - 1));
    },
    send: (value) => {
        const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(value, 'utf8'));
        bytes[0] = VERSION;
        bytes.write(value, 1, 'utf8');
        return bytes;
    },
    compare: (a, b) => (a === b ? 0 : compareTop(readJson(a), readJson(b))),
    hashKey: (value) => printJsonb(readJson(value), stripZeros),
});
