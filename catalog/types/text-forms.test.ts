import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {Answer, Oracle} from './oracle.ts';
import {attempt, quote, startOracle} from './oracle.ts';
import {TypeRegistry} from './registry.ts';
import type {OutputSettings} from './settings.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {INPUTS} from './text-forms.cases.ts';

const registry = new TypeRegistry();
let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
});
afterAll(() => oracle.close());

function typeOf(name: string) {
    const type = registry.byName(name);
    if (type === undefined) throw new Error(`no type ${name}`);
    return type;
}

/** Input, ours and PostgreSQL's, where they differ. */
async function differences(name: string, inputs: readonly string[], settings: OutputSettings) {
    const type = typeOf(name);
    const sqlName = name.startsWith('_')
        ? `${typeOf(name.slice(1)).sqlName}[]`
        : type.sqlName === 'character'
          ? 'bpchar'
          : type.sqlName;
    const theirs = await oracle.each(inputs.map((input) => `${quote(input)}::${sqlName}`));
    const found: {input: string; ours: Answer; theirs: Answer | undefined}[] = [];
    for (const [at, input] of inputs.entries()) {
        const ours = attempt(() => {
            const text = type.print(type.parse(input, settings), settings);
            // The cast to text is not the output function for these two.
            return name === 'bool'
                ? text === 't'
                    ? 'true'
                    : 'false'
                : name === 'inet' && !text.includes('/')
                  ? text + (text.includes(':') ? '/128' : '/32')
                  : name === 'bpchar'
                    ? text.trimEnd()
                    : text;
        });
        if (JSON.stringify(ours) !== JSON.stringify(theirs[at])) found.push({input, ours, theirs: theirs[at]});
    }
    return found;
}

describe('text forms', () => {
    for (const [name, inputs] of Object.entries(INPUTS)) {
        it(`reads and writes ${name} as PostgreSQL does, errors included`, async () => {
            expect(await differences(name, inputs, DEFAULT_OUTPUT_SETTINGS)).toEqual([]);
        });
    }

    for (const timeZone of ['America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Africa/Casablanca']) {
        it(`reads and writes timestamptz in ${timeZone} as PostgreSQL does`, async () => {
            await oracle.exec(`set timezone = '${timeZone}'`);
            const settings = {...DEFAULT_OUTPUT_SETTINGS, timeZone};
            const inputs = (INPUTS['timestamptz'] ?? []).filter((input) => !/now|today|morrow|yester/i.test(input));
            expect(await differences('timestamptz', inputs, settings)).toEqual([]);
            await oracle.exec('reset timezone');
        });
    }

    for (const dateStyle of [
        'ISO, DMY',
        'ISO, YMD',
        'SQL, MDY',
        'SQL, DMY',
        'German, DMY',
        'Postgres, MDY',
        'Postgres, DMY',
    ]) {
        it(`reads and writes dates and timestamps in DateStyle ${dateStyle} as PostgreSQL does`, async () => {
            await oracle.exec(`set datestyle = ${quote(dateStyle)}`);
            const settings = {...DEFAULT_OUTPUT_SETTINGS, dateStyle};
            for (const name of ['date', 'timestamp', 'timestamptz']) {
                const inputs = (INPUTS[name] ?? []).filter((input) => !/now|today|morrow|yester/i.test(input));
                expect(await differences(name, inputs, settings)).toEqual([]);
            }
            await oracle.exec('reset datestyle');
        });
    }

    for (const intervalStyle of ['postgres_verbose', 'sql_standard', 'iso_8601'] as const) {
        it(`reads and writes intervals in the style ${intervalStyle} as PostgreSQL does`, async () => {
            await oracle.exec(`set intervalstyle = ${intervalStyle}`);
            const settings = {...DEFAULT_OUTPUT_SETTINGS, intervalStyle};
            expect(await differences('interval', INPUTS['interval'] ?? [], settings)).toEqual([]);
            await oracle.exec('reset intervalstyle');
        });
    }

    it('writes floats with fewer digits as extra_float_digits asks', async () => {
        for (const extraFloatDigits of [0, -3, -15]) {
            await oracle.exec(`set extra_float_digits = ${extraFloatDigits}`);
            const settings = {...DEFAULT_OUTPUT_SETTINGS, extraFloatDigits};
            for (const name of ['float4', 'float8']) {
                expect(await differences(name, INPUTS[name] ?? [], settings)).toEqual([]);
            }
        }
        await oracle.exec('reset extra_float_digits');
    });

    it('writes bytea in escape format as PostgreSQL does', async () => {
        await oracle.exec('set bytea_output = escape');
        const settings = {...DEFAULT_OUTPUT_SETTINGS, byteaOutput: 'escape'} as const;
        expect(await differences('bytea', INPUTS['bytea'] ?? [], settings)).toEqual([]);
        await oracle.exec('reset bytea_output');
    });
});
