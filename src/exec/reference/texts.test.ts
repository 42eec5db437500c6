/** What is read from a statement's tree, and how its text is edited. */
import {beforeAll, describe, expect, test} from 'vitest';
import {tableDescriptor} from '../vector/testing/fixture.ts';
import {loadParser, parseStatements} from '../../sql/parse.ts';
import type {InsertStmt, Node, SelectStmt} from '../../sql/nodes.ts';
import {mentionsOf} from './mentions.ts';
import {endOfTargets, locationOfFirst, returningText} from './splice-points.ts';
import {Splices} from './splices.ts';
import {writeOutStars} from './system-columns.ts';

beforeAll(loadParser);

function treeOf(sql: string): Node {
    const [parsed] = parseStatements(sql);
    if (parsed === undefined) throw new Error('no statement');
    return parsed.tree;
}

describe('relations that a statement reads', () => {
    const CASES: readonly (readonly [string, readonly string[]])[] = [
        ['SELECT 1', []],
        ['SELECT * FROM a, b.c AS x JOIN d ON (SELECT true FROM e)', ['a', 'b.c', 'd', 'e']],
        ['WITH a AS (SELECT * FROM b), c AS (SELECT * FROM a) SELECT * FROM c, a', ['b']],
        ['WITH a AS (SELECT * FROM a) SELECT * FROM a', ['a']],
        ['WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a', []],
        ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) q, a', ['a']],
        ['WITH a AS (SELECT 1) SELECT * FROM public.a', ['public.a']],
        ['SELECT a FROM b UNION (SELECT c FROM d EXCEPT TABLE e)', ['b', 'd', 'e']],
        ['INSERT INTO a SELECT * FROM b', ['b']],
        ['INSERT INTO a VALUES ((SELECT max(x) FROM a))', ['a']],
        [
            'INSERT INTO a VALUES (1) ON CONFLICT (x) DO UPDATE SET x = (SELECT 1 FROM c) RETURNING (SELECT 2 FROM d)',
            ['c', 'd'],
        ],
        ['UPDATE a SET x = (SELECT 1 FROM b) FROM c WHERE EXISTS (SELECT FROM d)', ['a', 'b', 'c', 'd']],
        ['DELETE FROM a USING b', ['a', 'b']],
        ['SELECT x FROM a AS t FOR UPDATE OF t', ['a']],
        ['SELECT * FROM generate_series(1, (SELECT count(*) FROM a)) g, LATERAL (SELECT * FROM b) l', ['a', 'b']],
        ['SELECT * FROM a TABLESAMPLE SYSTEM (10)', ['a']],
        ["SELECT * FROM json_table((SELECT j FROM a), '$' COLUMNS (x int PATH '$.x'))", ['a']],
        [
            'SELECT count(*) FILTER (WHERE x IN (SELECT y FROM a)) OVER (PARTITION BY (SELECT 1 FROM b)) FROM c',
            ['a', 'b', 'c'],
        ],
        ['VALUES ((SELECT 1 FROM a))', ['a']],
        [
            'SELECT ARRAY(SELECT 1 FROM a), CASE WHEN EXISTS (TABLE b) THEN 1 END ORDER BY (SELECT 1 FROM c) LIMIT (SELECT 1 FROM d)',
            ['a', 'b', 'c', 'd'],
        ],
    ];

    test.each(CASES)('%s', (sql, expected) => {
        const names = mentionsOf(treeOf(sql)).relations.map(({schema, name}) =>
            schema === undefined ? name : `${schema}.${name}`,
        );
        expect(names.toSorted()).toEqual(expected.toSorted());
    });

    test('hidden columns, DEFAULT, SELECT INTO and writing WITH queries are noticed', () => {
        expect(mentionsOf(treeOf('SELECT a FROM t ORDER BY t._seq')).systemColumns).toBe(true);
        expect(mentionsOf(treeOf("SELECT '_seq' FROM t")).systemColumns).toBe(false);
        expect(mentionsOf(treeOf('UPDATE t SET a = DEFAULT')).defaults).toBe(true);
        expect(mentionsOf(treeOf('SELECT * INTO x FROM t')).into).toBe(true);
        expect(mentionsOf(treeOf('WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a')).modifyingCte).toBe(true);
        expect(
            mentionsOf(treeOf('SELECT (SELECT 1 FROM a FOR SHARE) FROM b FOR UPDATE')).locks.map((lock) => lock.top),
        ).toEqual([true, false]);
    });
});

describe('edits of a text', () => {
    test('are placed by bytes, and positions lead back to the original', () => {
        const spliced = new Splices(`SELECT 'é😀', a, b`).insert(20, 'x, ').replace(17, 18, 'longer').apply();
        expect(spliced.sql).toBe(`SELECT 'é😀', longer, x, b`);
        const at = (text: string): number => Array.from(spliced.sql.slice(0, spliced.sql.indexOf(text))).length + 1;
        expect(spliced.originalPosition(at("'é"))).toBe(8);
        expect(spliced.originalPosition(at('longer'))).toBe(14);
        expect(spliced.originalPosition(at('x, b'))).toBe(17);
        expect(spliced.originalPosition(at(' b') + 1)).toBe(17);
        expect(spliced.originalPosition(1000)).toBe(18);
    });

    test('the end of a list is the FROM of its own query', () => {
        for (const [list, rest] of [
            [`SELECT a IS DISTINCT FROM b, extract(year FROM c), (SELECT 1 FROM d) `, 'FROM t FOR UPDATE'],
            [`SELECT 'from', "from", a IS NOT DISTINCT FROM b /* from */ `, 'FROM t'],
        ] as const) {
            const sql = list + rest;
            const select = treeOf(sql)['SelectStmt'] as SelectStmt;
            expect(endOfTargets(sql, locationOfFirst(select.targetList))).toBe(Buffer.byteLength(list));
        }
    });

    test('RETURNING is found with its options', () => {
        const sql = `INSERT INTO t VALUES ('returning') RETURNING WITH (OLD AS o) o.a, 'é'`;
        const insert = treeOf(sql)['InsertStmt'] as InsertStmt;
        const found = returningText(sql, insert.returningClause ?? {});
        expect(sql.slice(found.start, found.start + 9)).toBe('RETURNING');
        expect(sql.slice(found.listStart)).toBe(`o.a, 'é'`);
        expect(found.options).toBe('WITH (OLD AS o)');
    });
});

describe('stars written out', () => {
    const T = tableDescriptor(1, 't', [
        {name: 'a', oid: 23},
        {name: 'B', oid: 23},
    ]);
    const U = tableDescriptor(2, 'u', [
        {name: 'a', oid: 23},
        {name: 'c', oid: 23},
    ]);
    const write = (sql: string): string => {
        const splices = new Splices(sql);
        writeOutStars(sql, treeOf(sql), ({relname}) => [T, U].find((table) => table.name === relname), splices);
        return splices.apply().sql;
    };

    test.each([
        ['SELECT *, _seq FROM t', 'SELECT "t"."a", "t"."B", _seq FROM t'],
        ['SELECT x . * FROM t AS x', 'SELECT "x"."a", "x"."B" FROM t AS x'],
        ['SELECT * FROM t AS x(k)', 'SELECT "x"."k", "x"."B" FROM t AS x(k)'],
        ['SELECT * FROM t JOIN u USING (a)', 'SELECT "a", "t"."B", "u"."c" FROM t JOIN u USING (a)'],
        [
            'SELECT * FROM t, (SELECT * FROM u) q',
            'SELECT "t"."a", "t"."B", "q".* FROM t, (SELECT "u"."a", "u"."c" FROM u) q',
        ],
        ['SELECT count(*) FROM t', 'SELECT count(*) FROM t'],
        ['SELECT q.* FROM t, generate_series(1, 2) q', 'SELECT q.* FROM t, generate_series(1, 2) q'],
        ['DELETE FROM t USING u RETURNING *', 'DELETE FROM t USING u RETURNING "t"."a", "t"."B", "u"."a", "u"."c"'],
        [
            'SELECT * FROM u UNION SELECT * FROM u',
            'SELECT "u"."a", "u"."c" FROM u UNION SELECT "u"."a", "u"."c" FROM u',
        ],
        [
            'WITH w AS (SELECT * FROM u) SELECT * FROM w',
            'WITH w AS (SELECT "u"."a", "u"."c" FROM u) SELECT "w".* FROM w',
        ],
    ])('%s', (sql, expected) => {
        expect(write(sql)).toBe(expected);
    });

    test.each([
        'SELECT * FROM t NATURAL JOIN u',
        'SELECT row_to_json(t) FROM t',
        'SELECT count(t.*) FROM t',
        'UPDATE t SET _seq = 1',
    ])('%s is refused', (sql) => {
        expect(() => write(sql)).toThrow();
    });
});
