import {beforeAll, expect, test} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import {errorPosition, loadParser, parseStatements, StatementParser} from './parse.ts';

beforeAll(loadParser);

function failure(sql: string): {code: string; message: string; position: number | undefined} | undefined {
    try {
        parseStatements(sql);
        return undefined;
    } catch (error) {
        if (!(error instanceof PgError)) throw error;
        return {code: error.code, message: error.message, position: error.position};
    }
}

test('a query string is split into its statements, each with its own text', () => {
    const statements = parseStatements("; select 'é😀' ;; -- x\n select 2 ; -- end");
    expect(statements.map(({sql}) => sql)).toEqual(["select 'é😀'", 'select 2']);
});

test('empty strings and comments have no statements', () => {
    expect(parseStatements('')).toEqual([]);
    expect(parseStatements(' ;; ')).toEqual([]);
    expect(parseStatements('-- nothing')).toEqual([]);
});

test('a syntax error has PostgreSQL code, message and position in characters', () => {
    expect(failure("select 'é😀' frm x y")).toEqual({
        code: '42601',
        message: 'syntax error at or near "x"',
        position: 17,
    });
    expect(failure("select 'abc")).toMatchObject({code: '42601', position: 8});
});

test('a location of the tree becomes a position in characters', () => {
    const sql = "select 'é😀', nope";
    const bytes = Buffer.byteLength("select 'é😀', ");
    expect(errorPosition(sql, bytes)).toBe("select 'é😀', ".length);
});

test('the cache gives the same tree again and stays within its bytes', () => {
    const parser = new StatementParser(20_000);
    const first = parser.parse('select 1');
    expect(parser.parse('select 1')).toBe(first);
    for (let i = 0; i < 100; i++) parser.parse(`select ${i} as column_with_a_long_name`);
    expect(parser.cachedBytes).toBeLessThanOrEqual(20_000);
    expect(parser.parse('select 1')).not.toBe(first);
});
