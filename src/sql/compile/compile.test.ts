import {afterAll, beforeAll, expect, test} from 'vitest';
import {PgError} from '../../../catalog/errors.ts';
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../../catalog/types/settings.ts';
import {bindCheck, bindStatement} from '../binder/bind.ts';
import {Unsupported} from '../bound.ts';
import type {Expr} from '../bound.ts';
import {parseStatements} from '../parse.ts';
import type {Oracle} from '../testing/oracle.ts';
import {startOracle} from '../testing/oracle.ts';
import {compileExpression, compilePredicate, isVolatile} from './compile-expression.ts';
import type {EvaluationContext} from './evaluation.ts';
import {EXPRESSIONS, VALUES_SCHEMA, randomExpression} from './expressions.corpus.ts';
import {lowerCase, upperCase} from './letter-case.ts';
import type {CompileScope, Frame} from './scope.ts';

let oracle: Oracle;
let table: TableDescriptor;
let scope: CompileScope;
let rows: readonly Datum[][];

const context: EvaluationContext = {
    settings: DEFAULT_OUTPUT_SETTINGS,
    transactionMicros: 771_500_000_000_000n,
    statementMicros: 771_500_000_000_001n,
    user: 'alice',
    sessionUser: 'alice',
    schema: 'public',
    database: 'db',
    nextval: () => 7n,
    currval: () => 7n,
    lastval: () => 7n,
    setval: (_name, value) => value,
    random: () => 0.5,
    clockMicros: () => 771_500_000_000_002n,
};

/** Every type as the text that PostgreSQL sends. */
const PARSED_OIDS = [16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 1082, 1114, 1184, 1700, 3802, 1005, 1007, 1009, 1016];
const asText = Object.fromEntries(PARSED_OIDS.map((oid) => [oid, (text: string) => text]));

beforeAll(async () => {
    oracle = await startOracle(VALUES_SCHEMA);
    const found = oracle.tables.get('v');
    if (found === undefined) throw new Error('no table');
    table = found;
    const types = oracle.context.types as TypeRegistry;
    scope = {sources: [{table}], types};
    const {rows: texts} = await oracle.postgres.query<(string | null)[]>('select * from v order by id', [], {
        rowMode: 'array',
        parsers: asText,
    });
    rows = texts.map((row) =>
        row.map((text, i) => {
            const type = types.require(table.columns[i]?.type.oid ?? 0);
            return text === null ? null : type.parse(text, DEFAULT_OUTPUT_SETTINGS);
        }),
    );
});
afterAll(async () => {
    await oracle.close();
});

function frameOf(values: readonly Datum[]): Frame {
    const version = {rowid: 1, seq: 5, updatedNs: 1_700_000_000_123_456_789n, owner: 0, values, deleted: false};
    return {row0: {...version, previous: null}, row1: null, parameters: [], context};
}

function bindTarget(sql: string): Expr {
    const [statement] = parseStatements(`select ${sql} from v`);
    if (statement === undefined) throw new Error('no statement');
    const bound = bindStatement(statement.tree, oracle.context).statement;
    if (bound.kind !== 'select' || bound.targets[0] === undefined) throw new Error('no select');
    return bound.targets[0].expr;
}

/** Value as text, or the error's code; undefined when it is left to PostgreSQL. */
function ours(sql: string, values: readonly Datum[]): string | undefined {
    let expr: Expr;
    let evaluate: ReturnType<typeof compileExpression>;
    try {
        expr = bindTarget(sql);
        evaluate = compileExpression(expr, scope);
    } catch (error) {
        if (error instanceof Unsupported) return undefined;
        throw error;
    }
    try {
        const value = evaluate(frameOf(values));
        if (value === null) return 'NULL';
        const type = (oracle.context.types as TypeRegistry).require(expr.type.oid);
        return type.print(value, DEFAULT_OUTPUT_SETTINGS);
    } catch (error) {
        if (error instanceof PgError) return `${error.code} ${error.message}`;
        throw error;
    }
}

async function theirs(sql: string, id: number): Promise<string> {
    try {
        const {rows: result} = await oracle.postgres.query<(string | null)[]>(
            `select ${sql} from v where id = ${id}`,
            [],
            {rowMode: 'array', parsers: asText},
        );
        return result[0]?.[0] ?? 'NULL';
    } catch (error) {
        const {code, message} = error as {code: string; message: string};
        return `${code} ${message}`;
    }
}

test('expressions of every form give what PostgreSQL gives on every row', async () => {
    const differences: string[] = [];
    let compiled = 0;
    for (const sql of EXPRESSIONS) {
        let isCompiled = false;
        for (const [i, values] of rows.entries()) {
            const got = ours(sql, values);
            if (got === undefined) continue;
            isCompiled = true;
            const wanted = await theirs(sql, i + 1);
            if (got !== wanted) differences.push(`${sql}  row ${i + 1}: ours ${got}, PostgreSQL ${wanted}`);
        }
        if (isCompiled) compiled++;
    }
    expect(differences.join('\n')).toBe('');
    expect(compiled).toBeGreaterThan(EXPRESSIONS.length * 0.9);
});

test('random expressions give what PostgreSQL gives', async () => {
    let state = 12_345;
    const random = (): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return state / 4_294_967_296;
    };
    const differences: string[] = [];
    let compiled = 0;
    for (let i = 0; i < 3000; i++) {
        const sql = randomExpression(random);
        const row = Math.floor(random() * rows.length);
        const got = ours(sql, rows[row] ?? []);
        if (got === undefined) continue;
        compiled++;
        const wanted = await theirs(sql, row + 1);
        if (got !== wanted) differences.push(`${sql}  row ${row + 1}: ours ${got}, PostgreSQL ${wanted}`);
    }
    expect(differences.slice(0, 20).join('\n')).toBe('');
    expect(compiled).toBeGreaterThan(2000);
});

test('every character has the case that PostgreSQL gives it', async () => {
    const {rows: characters} = await oracle.postgres.query<{code: number; lower: string; upper: string}>(
        `select code, lower('-' || chr(code)) as lower, upper('-' || chr(code)) as upper
         from generate_series(1, 131071) code where code not between 55296 and 57343`,
    );
    const wrong = characters.filter(({code, lower, upper}) => {
        const text = `-${String.fromCodePoint(code)}`;
        return lowerCase(text) !== lower || upperCase(text) !== upper;
    });
    expect(wrong).toEqual([]);
});

test('system columns come from the row version', () => {
    const frame = frameOf(rows[0] ?? []);
    expect(compileExpression(bindTarget('_seq'), scope)(frame)).toBe(5n);
    // 1700000000.123456 seconds after 1970, in microseconds after 2000.
    expect(compileExpression(bindTarget('_updated'), scope)(frame)).toBe(753_315_200_123_456n);
});

test('a predicate takes NULL for false and a CHECK condition is bound over its table', () => {
    const check = bindCheck('i4 > 0', table, oracle.context);
    const predicate = compilePredicate(check, scope);
    const positive = rows.map((values) => predicate(frameOf(values)));
    expect(positive).toEqual(rows.map((values) => typeof values[2] === 'number' && values[2] > 0));
});

test('volatile functions are told from others', () => {
    expect(isVolatile(bindTarget('random() + i4'))).toBe(true);
    expect(isVolatile(bindTarget('lower(t) || now()::text'))).toBe(false);
});
