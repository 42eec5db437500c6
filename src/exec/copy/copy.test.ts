/** Reading and writing COPY data, compared with PostgreSQL: rows, errors and their context lines. */
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {PgError} from '../../../catalog/errors.ts';
import {asFields} from '../../../catalog/ddl/ast.ts';
import {loadParser, parseStatements} from '../../sql/parse.ts';
import {type CopyOptions, chosenColumns, readCopyOptions} from './copy-options.ts';
import {CsvPrinter, TextPrinter} from './copy-printer.ts';
import type {CopyField} from './copy-records.ts';
import {CsvParser} from './csv-parser.ts';
import {TextParser} from './text-parser.ts';

let oracle: PGlite;

beforeAll(async () => {
    await loadParser();
    oracle = await PGlite.create();
    await oracle.exec('CREATE TABLE t (a text, b text)');
}, 60_000);

afterAll(async () => {
    await oracle.close();
});

const COLUMNS = ['a', 'b'];
const TABLE = {name: 't', columns: COLUMNS.map((name) => ({name}))};

function optionsOf(sql: string): CopyOptions {
    const [statement] = parseStatements(sql);
    const fields = asFields(statement?.tree['CopyStmt']);
    return readCopyOptions(fields, fields['is_from'] === true);
}

interface Outcome {
    readonly rows?: readonly (readonly CopyField[])[];
    readonly code?: string | undefined;
    readonly message?: string;
    readonly where?: string | undefined;
}

function outcomeOf(error: unknown): Outcome {
    const {code, message, where} = error as {code?: string; message: string; where?: string};
    return {code, message, where};
}

/** `cut`: the data comes in chunks of so many bytes. */
function ours(options: string, data: Buffer, cut: number): Outcome {
    try {
        const read = optionsOf(`COPY t FROM STDIN ${options}`);
        const shape = {table: 't', columns: COLUMNS};
        const parser = read.format === 'text' ? new TextParser(read, shape) : new CsvParser(read, shape, TABLE);
        const rows: (readonly CopyField[])[] = [];
        for (let at = 0; at < data.length; at += cut) {
            for (const record of parser.push(data.subarray(at, at + cut))) rows.push(record.fields);
        }
        for (const record of parser.finish()) rows.push(record.fields);
        return {rows};
    } catch (error) {
        if (!(error instanceof PgError)) throw error;
        return outcomeOf(error);
    }
}

async function theirs(options: string, data: Buffer): Promise<Outcome> {
    try {
        await oracle.exec('TRUNCATE t');
        await oracle.query(`COPY t FROM '/dev/blob' ${options}`, [], {blob: new Blob([Uint8Array.from(data)])});
        const {rows} = await oracle.query<[string | null, string | null]>('SELECT a, b FROM t', [], {rowMode: 'array'});
        return {rows};
    } catch (error) {
        return outcomeOf(error);
    }
}

const INPUTS: readonly (readonly [string, string])[] = [
    ['', 'x\ty\n'],
    ['', 'x\ty'],
    ['', ''],
    ['', '\n'],
    ['', 'x\\ty\tz\\nw\n\\N\t\\\\N\n'],
    ['', 'a\\b\\f\\v\\r\tb\\q\\\\\n'],
    ['', '\\101\\7\\1234\t\\x41\\x4g\\x\n'],
    ['', 'a\\\tb\tc\n'],
    ['', 'a\\\nb\tc\nd\te\n'],
    ['', 'a\tb\n\\.\nc\td\n'],
    ['', 'a\tb\\.\n'],
    ['', 'a\n'],
    ['', 'a\tb\tc\n'],
    ['', 'a\tb\r\nc\td\r\n'],
    ['', 'a\tb\rc\td\r'],
    ['', 'a\tb\nc\rx\td\n'],
    ['', 'a\tb\\'],
    ['', '\\303\\244\tü€😀\n'],
    ['', '\\377\tb\n'],
    ["(delimiter '|', null 'NULL')", 'NULL|nULL\na\\|b|\n'],
    ["(delimiter ',', null '')", ',\n'],
    ['(header)', 'x\ty\na\tb\n'],
    ['(header match)', 'a\tb\n1\t2\n'],
    ['(header match)', 'a\tc\n1\t2\n'],
    ['(header match)', 'a\n1\t2\n'],
    ['(header match)', 'a\t\\N\n1\t2\n'],
    ['(format csv)', 'x,y\n"a,b","c ""d"""\n'],
    ['(format csv)', 'x,\n"",y\n,""\n'],
    ['(format csv)', '"a\nb",c\n"a\r\nb",d\n'],
    ['(format csv)', '"a\r\nb",c\r\nx,y\r\n'],
    ['(format csv)', '"a\nb",c\r\n"x\ny",z\r\n'],
    ['(format csv)', 'a"b,c"d,e\n'],
    ['(format csv)', '"abc,d\n'],
    ['(format csv)', 'a\rb,c\nd,e\n'],
    ['(format csv)', 'x,y\na\rb,c\n'],
    ['(format csv)', 'x\n'],
    ['(format csv)', 'x,y,z\n'],
    ['(format csv)', 'x,\\N\n'],
    ["(format csv, escape '\\')", '"a\\"b\\\\c\\d",x\n'],
    ["(format csv, quote '''', delimiter ';', null 'n')", "'a''b';n\n'n';x\n"],
    ['(format csv, force_null (a, b))', '"",x\n,""\n'],
    ['(format csv, force_not_null (a))', ',\n'],
    ['(format csv, force_not_null *, force_null *)', ',""\n'],
    ['(format csv, header)', 'foo,"b\nar"\nx,y\n'],
    ['(format csv, header match)', 'a,b\nx,y\n'],
    ['(format csv, header match)', 'b,a\nx,y\n'],
    ["(format csv, default 'DD')", 'x,y\n"DD",z\n'],
];

const BAD_OPTIONS: readonly string[] = [
    "(delimiter 'ab')",
    "(delimiter 'a')",
    "(delimiter E'\\n')",
    "(delimiter '\\')",
    "(null E'a\\nb')",
    "(quote 'x')",
    "(escape 'x')",
    "(format csv, quote 'ab')",
    "(format csv, escape 'ab')",
    "(format csv, quote ',')",
    "(format csv, null 'a,b')",
    "(format csv, null 'a\"b')",
    '(force_quote (a))',
    '(format csv, force_quote (a))',
    '(force_null (a))',
    '(format csv, force_null (zzz))',
    '(format csv, force_null 5)',
    '(format xml)',
    '(foo)',
    '(format csv, format csv)',
    '(header 5)',
    '(freeze 7)',
    "(default E'\\t')",
    "(null 'x', default 'x')",
    "(encoding 'nonsense')",
    '(on_error nonsense)',
    '(reject_limit 5)',
    '(on_error ignore, reject_limit 0)',
    '(log_verbosity nonsense)',
    '(delimiter)',
];

describe('COPY FROM', () => {
    it.each(INPUTS)('reads %s of %j as PostgreSQL does, however it is cut', async (options, text) => {
        const data = Buffer.from(text);
        const expected = await theirs(options, data);
        for (const cut of [1, 2, 3, 7, 1_000_000]) expect(ours(options, data, cut)).toEqual(expected);
    });

    it.each(BAD_OPTIONS)('refuses %s in the words of PostgreSQL', async (options) => {
        const expected = await theirs(options, Buffer.from('x\ty\n'));
        const got = ours(options, Buffer.from('x\ty\n'), 100);
        expect({code: got.code, message: got.message}).toEqual({code: expected.code, message: expected.message});
    });

    it('refuses bytes that are no UTF-8', async () => {
        for (const bytes of [
            [0x61, 0xff, 0x09, 0x62, 0x0a],
            [0x61, 0x09, 0xe2, 0x82, 0x0a],
            [0x61, 0, 0x09, 0x62, 0x0a],
        ]) {
            const data = Buffer.from(bytes);
            expect(ours('', data, 100)).toEqual(await theirs('', data));
        }
    });

    it('reads what PostgreSQL reads from random lines of special characters', async () => {
        const random = randomSource(7);
        const alphabet = ['a', 'b', '\\', '\t', ',', '"', '\n', '\n', 'N', '.', '\\N', '\\t', '1', '\r'];
        for (let round = 0; round < 400; round++) {
            let text = '';
            for (let i = random(24); i >= 0; i--) text += alphabet[random(alphabet.length)] ?? '';
            const options = round % 2 === 0 ? '' : '(format csv)';
            const data = Buffer.from(text);
            const expected = await theirs(options, data);
            // The closing \. of older clients.
            if (options !== '' && /(?:^|[\r\n])\\\.[\r\n]*$/.test(text)) continue;
            const shown = JSON.stringify(text);
            expect({shown, ...ours(options, data, 1 + random(5))}).toEqual({shown, ...expected});
        }
    });
});

describe('COPY TO', () => {
    const VALUES: readonly (readonly (string | null)[])[] = [
        ['plain', null],
        ['tab\there', 'line\nbreak\r'],
        ['back\\slash', '\\N'],
        ['', '"quoted", and, commas'],
        ["single'quote|bar", '\b\f\v\u0001'],
        ['\\.', 'ü€😀'],
    ];
    const OPTIONS = [
        '',
        '(header)',
        "(delimiter '|', null 'NULL')",
        '(format csv)',
        '(format csv, header, force_quote (b))',
        '(format csv, force_quote *)',
        "(format csv, quote '''', escape '\\', delimiter '|', null 'x')",
    ];

    it.each(OPTIONS)('writes %s as PostgreSQL does, and reads it back', async (options) => {
        await oracle.exec('TRUNCATE t');
        for (const [a, b] of VALUES) await oracle.query('INSERT INTO t VALUES ($1, $2)', [a, b]);
        const result = await oracle.query(`COPY t TO '/dev/blob' ${options}`);
        const expected = await result.blob?.text();
        const read = optionsOf(`COPY t TO STDOUT ${options}`);
        const printer =
            read.format === 'text'
                ? new TextPrinter(read)
                : new CsvPrinter(read, chosenColumns(read.forceQuote, COLUMNS, TABLE, 'FORCE_QUOTE'));
        let text = read.header === 'none' ? '' : printer.header(COLUMNS);
        for (const values of VALUES) text += printer.line(values);
        expect(text).toBe(expected);
        const back = options.replace(/, force_quote (?:\*|\(b\))/, '');
        expect(ours(back, Buffer.from(text), 5).rows).toEqual(VALUES);
    });
});

/** mulberry32 */
function randomSource(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
    };
}
