import {afterAll, beforeAll, expect, test} from 'vitest';
import {PgError} from '../../../catalog/errors.ts';
import {Unsupported} from '../bound.ts';
import type {BoundStatement, OutputColumn} from '../bound.ts';
import {parseStatements} from '../parse.ts';
import type {Description, Oracle} from '../testing/oracle.ts';
import {startOracle} from '../testing/oracle.ts';
import {bindStatement} from './bind.ts';
import {CORPUS, CORPUS_SCHEMA} from './corpus.ts';

let oracle: Oracle;
beforeAll(async () => {
    oracle = await startOracle(CORPUS_SCHEMA);
});
afterAll(async () => {
    await oracle.close();
});

/** undefined when the binder leaves the statement to PostgreSQL. */
function bind(sql: string): BoundStatement | undefined {
    try {
        const [statement] = parseStatements(sql);
        return statement === undefined ? undefined : bindStatement(statement.tree, oracle.context);
    } catch (error) {
        if (error instanceof Unsupported || error instanceof PgError) return undefined;
        throw error;
    }
}

function describeBound({statement, parameterTypes}: BoundStatement): Description {
    return {
        parameters: parameterTypes,
        columns: outputOf(statement).map(({name, type, tableOid, attnum}) => ({
            name,
            oid: type.oid,
            typmod: type.typmod,
            tableOid,
            attnum,
        })),
    };
}

function outputOf(statement: BoundStatement['statement']): readonly OutputColumn[] {
    if (statement.kind === 'insert' || statement.kind === 'update' || statement.kind === 'delete') {
        return statement.returningColumns;
    }
    return statement.columns;
}

test('what the binder accepts is described exactly as PostgreSQL describes it, and errors are never accepted', async () => {
    const differences: string[] = [];
    let accepted = 0;
    let refusedByUs = 0;
    for (const sql of CORPUS) {
        // Our own system columns do not exist in the oracle.
        if (/_seq, _updated/.test(sql)) continue;
        const wanted = await oracle.describe(sql);
        const bound = bind(sql);
        if (bound === undefined) {
            if (wanted !== undefined) refusedByUs++;
            continue;
        }
        accepted++;
        const got = describeBound(bound);
        if (JSON.stringify(got) !== JSON.stringify(wanted)) {
            differences.push(`${sql}\n  ours ${JSON.stringify(got)}\n  PostgreSQL ${JSON.stringify(wanted)}`);
        }
    }
    expect(differences.join('\n')).toBe('');
    expect(CORPUS.length).toBeGreaterThan(200);
    // A guard against refusing everything: raise it when more is covered.
    expect(accepted).toBeGreaterThan(180);
    expect(refusedByUs).toBeLessThan(45);
});

test('a user column named like a system column takes precedence', () => {
    const bound = bind('select _seq from "Odd Name"');
    expect(bound === undefined ? undefined : describeBound(bound).columns[0]?.oid).toBe(25);
});

test('system columns are reached by name only', () => {
    const bound = bind('select _seq, _updated from accounts');
    expect(bound === undefined ? undefined : describeBound(bound).columns.map((c) => c.oid)).toEqual([20, 1184]);
});
