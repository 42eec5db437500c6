import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {Oracle} from './oracle.ts';
import {attempt, quote, startOracle, validInputs} from './oracle.ts';
import {TypeRegistry} from './registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {INPUTS} from './text-forms.cases.ts';
import {applyTypmod} from './typmod.ts';

const registry = new TypeRegistry();
let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
});
afterAll(() => oracle.close());

const CASES: readonly (readonly [name: string, declarations: readonly string[], inputs: readonly string[]])[] = [
    [
        'varchar',
        ['varchar(3)', 'varchar(1)'],
        ['', 'abc', 'abcd', 'abc   ', 'a  b', '日本語', '日本語文', '😀😀😀😀', '  a'],
    ],
    ['bpchar', ['char(3)', 'char(1)'], ['', 'a', 'abc', 'abcd', 'abc   ', '日本語文', '😀😀']],
    [
        'numeric',
        ['numeric(4,2)', 'numeric(3)', 'numeric(2,2)', 'numeric(3,-2)', 'numeric(3,5)', 'numeric(10,0)'],
        [
            '0',
            '1.005',
            '-1.005',
            '99.994',
            '99.995',
            '-99.995',
            '0.994',
            '0.995',
            '12345',
            '99949',
            '99950',
            '0.00999',
            '0.0099949',
            '0.01',
            'NaN',
            'Infinity',
            '-0.001',
            '999.5',
            '149',
            '150',
            '-150',
        ],
    ],
    ['time', ['time(0)', 'time(3)'], ['23:59:59.9999', '00:00:00.5', '12:00:00.0005', '12:00:00.0004999']],
    ['timetz', ['timetz(1)'], ['23:59:59.99+02', '12:00:00.05-03']],
    [
        'timestamp',
        ['timestamp(0)', 'timestamp(3)'],
        [
            '1999-12-31 23:59:59.5',
            '1999-12-31 23:59:59.4999',
            '2000-01-01 00:00:00.0005',
            '1990-01-01 00:00:00.0005',
            'infinity',
        ],
    ],
    ['timestamptz', ['timestamptz(2)'], ['2020-01-01 00:00:00.005+00', '1980-01-01 00:00:00.005+00']],
    [
        'interval',
        [
            'interval(0)',
            'interval(2)',
            'interval year',
            'interval year to month',
            'interval month',
            'interval day',
            'interval day to hour',
            'interval hour',
            'interval day to minute',
            'interval minute',
            'interval day to second(1)',
            'interval second(0)',
        ],
        [],
    ],
    ['_varchar', ['varchar(2)[]'], ['{ab,NULL,c}', '{abc}', '{"ab  "}']],
    ['_numeric', ['numeric(3,1)[]'], ['{1.25,-1.25}', '{100}']],
];

describe('type modifiers', () => {
    for (const [name, declarations, given] of CASES) {
        it(`of ${name} are applied as PostgreSQL does, in assignments and in explicit casts`, async () => {
            const type = registry.byName(name);
            if (type === undefined) throw new Error(`no type ${name}`);
            const inputs = given.length > 0 ? given : validInputs(type, INPUTS[name] ?? []);
            for (const declaration of declarations) {
                const array = declaration.endsWith('[]');
                await oracle.exec(`drop table if exists t; create table t (n int, v ${declaration})`);
                const modifier = Number(
                    (
                        await oracle.column(
                            `select atttypmod::text from pg_attribute where attrelid = 't'::regclass and attname = 'v'`,
                        )
                    )[0],
                );
                const base = array ? `pg_catalog.${name}` : type.sqlName === 'character' ? 'bpchar' : type.sqlName;
                const explicit = await oracle.each(
                    inputs.map(
                        (input) =>
                            `'<' || textin(${outputOf(name)}((${quote(input)}::${base})::${declaration})) || '>'`,
                    ),
                );
                for (const [at, input] of inputs.entries()) {
                    const ours = attempt(
                        () =>
                            `<${type.print(applyTypmod(type, modifier, type.parse(input), 'explicit'), DEFAULT_OUTPUT_SETTINGS)}>`,
                    );
                    expect({declaration, input, ...ours}).toEqual({declaration, input, ...explicit[at]});
                    const assigned = attempt(() => {
                        applyTypmod(type, modifier, type.parse(input), 'assignment');
                        return 'ok';
                    });
                    let theirs: {readonly code?: string; readonly message?: string} = {};
                    try {
                        await oracle.exec(`insert into t (v) select ${quote(input)}::${base}`);
                    } catch (error) {
                        theirs = error as {code: string; message: string};
                    }
                    expect({declaration, input, code: assigned.code, message: assigned.message}).toEqual({
                        declaration,
                        input,
                        code: theirs.code,
                        message: theirs.message,
                    });
                }
            }
        });
    }
});

function outputOf(name: string): string {
    if (name.startsWith('_')) return 'array_out';
    const functions: Readonly<Record<string, string>> = {varchar: 'varcharout', bpchar: 'bpcharout'};
    return functions[name] ?? `${name}_out`;
}
