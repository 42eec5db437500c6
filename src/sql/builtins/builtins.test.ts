import {readFileSync} from 'node:fs';
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {castBetween, functionsNamed, operatorsNamed} from './catalog.ts';
import {renderBuiltins} from './generate.ts';

let postgres: PGlite;
beforeAll(async () => {
    postgres = await PGlite.create();
});
afterAll(async () => {
    await postgres.close();
});

test('the tables of built-ins are what PostgreSQL has in pg_catalog', async () => {
    for (const [file, text] of await renderBuiltins(postgres)) {
        expect(readFileSync(new URL(file, import.meta.url), 'utf8'), file).toBe(text);
    }
});

test('the tables are read into maps by name and type', () => {
    expect(operatorsNamed('+').some((o) => o.left === 23 && o.right === 23 && o.result === 23)).toBe(true);
    expect(functionsNamed('lower')[0]).toMatchObject({args: [25], result: 25, kind: 'function', volatility: 'i'});
    expect(functionsNamed('percentile_cont')[0]).toMatchObject({kind: 'ordered-set', directArgs: 1});
    expect(castBetween(23, 20)).toEqual({context: 'implicit', method: 'function'});
});
