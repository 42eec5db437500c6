/**
 * Functions and operators on text, as varlena.c and oracle_compat.c have them. Lengths and positions count characters
 * (code points).
 *
 * What must stay true: results past the size that PostgreSQL can hold are refused before they are built.
 */
import {createHash} from 'node:crypto';
import {PgError} from '../../../catalog/errors.ts';
import {trimBlanks} from '../../../catalog/types/text-types.ts';
import {lowerCase, upperCase} from './letter-case.ts';
import {define, infix} from './registry.ts';

/** MaxAllocSize of PostgreSQL, less its header. */
const TEXT_BYTES_MAX = 1_073_741_819;
const SURROGATES = /[\ud800-\udfff]/;

infix<string, string>('||', 'text', 'text', (a, b) => a + b);
infix<string, string>('^@', 'text', 'text', (a, b) => a.startsWith(b));

/** Code points; an array only when the text needs it. */
function characters(text: string): string | string[] {
    return SURROGATES.test(text) ? Array.from(text) : text;
}

function slice(text: string, from: number, to: number): string {
    const all = characters(text);
    return typeof all === 'string' ? all.slice(from, to) : all.slice(from, to).join('');
}

export function characterLength(text: string): number {
    return characters(text).length;
}

define<[string]>('lower', ['text'], lowerCase);
define<[string]>('upper', ['text'], upperCase);
for (const name of ['length', 'char_length', 'character_length']) {
    define<[string]>(name, ['text'], characterLength);
    define<[string]>(name, ['bpchar'], (text) => characterLength(trimBlanks(text)));
}
define<[string]>('octet_length', ['text'], (text) => Buffer.byteLength(text));
define<[string]>('octet_length', ['bpchar'], (text) => Buffer.byteLength(text));
define<[string]>('bit_length', ['text'], (text) => 8 * Buffer.byteLength(text));

for (const name of ['substr', 'substring']) {
    define<[string, number]>(name, ['text', 'int4'], (text, start) => slice(text, Math.max(start - 1, 0), Infinity));
    define<[string, number, number]>(name, ['text', 'int4', 'int4'], substring);
}

function substring(text: string, start: number, length: number): string {
    if (length < 0) throw new PgError('22011', 'negative substring length not allowed');
    const end = start - 1 + length;
    return end <= 0 ? '' : slice(text, Math.max(start - 1, 0), end);
}

define<[string, number]>('left', ['text', 'int4'], (text, count) =>
    slice(text, 0, count < 0 ? Math.max(characterLength(text) + count, 0) : count));
define<[string, number]>('right', ['text', 'int4'], (text, count) => {
    const length = characterLength(text);
    return slice(text, count < 0 ? Math.min(-count, length) : Math.max(length - count, 0), length);
});

define<[string, string, string]>('replace', ['text', 'text', 'text'], (text, from, to) =>
    from === '' ? text : text.split(from).join(to));
define<[string, string, string]>('translate', ['text', 'text', 'text'], (text, from, to) => {
    const targets = Array.from(to);
    const map = new Map<string, string>();
    for (const [i, character] of Array.from(from).entries())
        if (!map.has(character)) map.set(character, targets[i] ?? '');
    let result = '';
    for (const character of text) result += map.get(character) ?? character;
    return result;
});

function trimmer(left: boolean, right: boolean): (text: string, set: string) => string {
    return (text, set) => {
        const wanted = new Set(set);
        const all = Array.from(text);
        let from = 0;
        let to = all.length;
        if (left) while (from < to && wanted.has(all[from] ?? '')) from++;
        if (right) while (to > from && wanted.has(all[to - 1] ?? '')) to--;
        return all.slice(from, to).join('');
    };
}

for (const [name, left, right] of [
    ['btrim', true, true],
    ['ltrim', true, false],
    ['rtrim', false, true],
] as const) {
    const trim = trimmer(left, right);
    define<[string, string]>(name, ['text', 'text'], trim);
    define<[string]>(name, ['text'], (text) => trim(text, ' '));
}

/** 1-based, 0 = not found. */
function position(text: string, part: string): number {
    const index = text.indexOf(part);
    return index < 0 ? 0 : characterLength(text.slice(0, index)) + 1;
}
define<[string, string]>('position', ['text', 'text'], position);
define<[string, string]>('strpos', ['text', 'text'], position);
define<[string, string]>('starts_with', ['text', 'text'], (text, start) => text.startsWith(start));

define<[string, number]>('repeat', ['text', 'int4'], (text, count) => {
    if (count <= 0) return '';
    requireLength(Buffer.byteLength(text) * count);
    return text.repeat(count);
});
define<[string]>('reverse', ['text'], (text) => Array.from(text).reverse().join(''));

function requireLength(bytes: number): void {
    if (bytes > TEXT_BYTES_MAX) throw new PgError('54000', 'requested length too large');
}

function pad(text: string, length: number, fill: string, atLeft: boolean): string {
    const all = Array.from(text);
    const wanted = Math.max(length, 0);
    if (all.length >= wanted) return all.slice(0, wanted).join('');
    const filler = Array.from(fill);
    if (filler.length === 0) return text;
    requireLength(wanted * 4);
    const missing = wanted - all.length;
    const repeated =
        fill.repeat(Math.floor(missing / filler.length)) + filler.slice(0, missing % filler.length).join('');
    return atLeft ? repeated + text : text + repeated;
}
for (const [name, atLeft] of [
    ['lpad', true],
    ['rpad', false],
] as const) {
    define<[string, number, string]>(name, ['text', 'int4', 'text'], (text, length, fill) =>
        pad(text, length, fill, atLeft),
    );
    define<[string, number]>(name, ['text', 'int4'], (text, length) => pad(text, length, ' ', atLeft));
}

define<[string, string, number]>('split_part', ['text', 'text', 'int4'], (text, separator, field) => {
    if (field === 0) throw new PgError('22023', 'field position must not be zero');
    if (text === '') return '';
    if (separator === '') return field === 1 || field === -1 ? text : '';
    const parts = text.split(separator);
    return parts.at(field > 0 ? field - 1 : field) ?? '';
});

define<[string]>('md5', ['text'], (text) => createHash('md5').update(text).digest('hex'));
define<[Uint8Array]>('md5', ['bytea'], (bytes) => createHash('md5').update(bytes).digest('hex'));
for (const [name, algorithm] of [
    ['sha224', 'sha224'],
    ['sha256', 'sha256'],
    ['sha384', 'sha384'],
    ['sha512', 'sha512'],
] as const) {
    define<[Uint8Array]>(name, ['bytea'], (bytes) => new Uint8Array(createHash(algorithm).update(bytes).digest()));
}

define<[string]>('ascii', ['text'], (text) => text.codePointAt(0) ?? 0);
define<[number]>('chr', ['int4'], (code) => {
    if (code < 0) throw new PgError('54000', 'character number must be positive');
    if (code === 0) throw new PgError('54000', 'null character not permitted');
    if (code > 0x10ffff) throw new PgError('54000', `requested character too large for encoding: ${code}`);
    if (code >= 0xd800 && code <= 0xdfff) {
        throw new PgError('54000', `requested character not valid for encoding: ${code}`);
    }
    return String.fromCodePoint(code);
});
define<[number]>('to_hex', ['int4'], (value) => (value >>> 0).toString(16));
define<[bigint]>('to_hex', ['int8'], (value) => BigInt.asUintN(64, value).toString(16));
define<[string]>('quote_literal', ['text'], (text) => {
    const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
    return text.includes('\\') ? `E${quoted}` : quoted;
});

define<[Uint8Array, string]>('encode', ['bytea', 'text'], (bytes, format) => {
    if (format.toLowerCase() === 'hex') return Buffer.from(bytes).toString('hex');
    if (format.toLowerCase() === 'base64') {
        return Buffer.from(bytes)
            .toString('base64')
            .replaceAll(/(.{76})(?=.)/g, '$1\n');
    }
    throw new PgError('0A000', `encode of format "${format}" is not supported here`);
});
define<[Uint8Array]>('length', ['bytea'], (bytes) => bytes.length);
define<[Uint8Array]>('octet_length', ['bytea'], (bytes) => bytes.length);
infix<Uint8Array, Uint8Array>('||', 'bytea', 'bytea', (a, b) => new Uint8Array(Buffer.concat([a, b])));
