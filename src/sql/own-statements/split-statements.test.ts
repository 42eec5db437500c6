/** Statement strings are cut where PostgreSQL's own parser cuts them. */
import {loadModule, parseSync} from 'libpg-query';
import {beforeAll, describe, expect, it} from 'vitest';
import {splitStatements} from './split-statements.ts';

const STATEMENTS = [
    'select 1',
    `select ';', "a;b" from t`,
    `select 'it''s; ' || E'\\';'`,
    'select $$;$$, $tag$ $$;$$ $tag$',
    'select 1 -- a ; b\n + 2',
    'select /* ; /* nested ; */ ; */ 3',
    'create rule r as on insert to t do also (insert into u values (1); insert into v values (2))',
    'create function f() returns int begin atomic select case when true then 1 end; select 2; end',
    'create or replace procedure p() begin atomic select 1; end',
    'create function b(a int default (1)) returns int language sql as $$ select 1; $$',
    'begin',
    'end',
    `do $$ begin perform 1; end $$`,
    `select U&"d;" , N';', $1`,
    `select 'a'\n ';b'`,
    `select 'é😀;' as "é;"`,
];

beforeAll(async () => {
    await loadModule();
});

interface RawStatement {
    readonly stmt_location?: number;
    readonly stmt_len?: number;
}

describe('splitting', () => {
    it('agrees with the parser on random strings of statements', () => {
        let seed = 3;
        const random = (below: number): number => {
            seed = (seed * 1103515245 + 12345) % 2147483648;
            return Math.floor((seed / 2147483648) * below);
        };
        const blanks = ['', ' ', '\n', ' -- x;\n', '/* ; */', ';', '; ;'];
        for (let round = 0; round < 500; round++) {
            let sql = '';
            for (let count = 1 + random(4); count > 0; count--) {
                sql += `${blanks[random(blanks.length)]}${STATEMENTS[random(STATEMENTS.length)]}${blanks[random(5)]};`;
            }
            const bytes = Buffer.from(sql);
            const parsed = parseSync(sql) as {stmts: RawStatement[]};
            const expected = parsed.stmts.map((raw) => {
                const from = raw.stmt_location ?? 0;
                return bytes.subarray(from, raw.stmt_len === undefined ? undefined : from + raw.stmt_len).toString();
            });
            const actual = splitStatements(sql);
            expect(actual.length, sql).toBe(expected.length);
            for (const [index, {text, offset}] of actual.entries()) {
                expect(expected[index], sql).toContain(text);
                expect(sql.slice(offset, offset + text.length)).toBe(text);
                expect(JSON.stringify(withoutPlaces(parseSync(text)))).toBe(
                    JSON.stringify(withoutPlaces(parseSync(expected[index] ?? ''))),
                );
            }
        }
    });

    it('lets own statements stand among others', () => {
        const sql = `begin; LISTEN "select ';' from t"; storage flush all ;commit`;
        expect(splitStatements(sql)).toEqual([
            {text: 'begin', offset: 0},
            {text: `LISTEN "select ';' from t"`, offset: 7},
            {text: 'storage flush all', offset: 35},
            {text: 'commit', offset: 54},
        ]);
    });

    it('finds nothing in blanks, and one statement where a quote is left open', () => {
        expect(splitStatements(' ; -- x\n ;;/* */')).toEqual([]);
        expect(splitStatements(`select 'a; select 2`)).toHaveLength(1);
        expect(splitStatements('select 1 /* ; select 2')).toHaveLength(1);
    });
});

function withoutPlaces(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(withoutPlaces);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
        Object.entries(value)
            .filter(
                ([key]) =>
                    ![
                        'location',
                        'stmt_location',
                        'stmt_len',
                        'rexpr_list_start',
                        'rexpr_list_end',
                        'list_start',
                        'list_end',
                    ].includes(key),
            )
            .map(([key, inner]) => [key, withoutPlaces(inner)]),
    );
}
