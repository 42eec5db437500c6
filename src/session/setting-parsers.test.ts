/** DateStyle, TimeZone and extra_float_digits: what SET accepts and what SHOW then prints, compared with PostgreSQL. */
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {parseDateStyle, parseExtraFloatDigits, parseTimeZone} from './setting-parsers.ts';

let oracle: PGlite;

beforeAll(async () => {
    oracle = await PGlite.create();
}, 60_000);

afterAll(async () => {
    await oracle.close();
});

type Outcome =
    {readonly value: string} | {readonly code: string | undefined; readonly message: string; readonly detail: string};

function outcomeOf(error: unknown): Outcome {
    const {code, message, detail} = error as {code?: string; message: string; detail?: string};
    return {code, message, detail: detail ?? ''};
}

async function theirs(name: string, value: string): Promise<Outcome> {
    try {
        await oracle.query(`SELECT set_config($1, $2, false)`, [name, value]);
        const {rows} = await oracle.query<[string]>(`SHOW ${name}`, [], {rowMode: 'array'});
        return {value: rows[0]?.[0] ?? ''};
    } catch (error) {
        return outcomeOf(error);
    }
}

function ours(parse: () => string): Outcome {
    try {
        return {value: parse()};
    } catch (error) {
        return outcomeOf(error);
    }
}

describe('settings that are checked without PostgreSQL', () => {
    it.each([
        'iso',
        'ISO, DMY',
        'sql',
        'german',
        'German, MDY',
        'postgres, ymd',
        'dmy',
        'European',
        'us',
        'NonEuro',
        'default',
        'SQL,dmy',
        'iso, sql',
        'dmy, mdy',
        'foo',
        'iso, iso',
        '',
    ])('DateStyle %j', async (value) => {
        await oracle.exec("SET DateStyle = 'ISO, MDY'");
        const expected = await theirs('DateStyle', value);
        expect(ours(() => parseDateStyle(value, 'ISO, MDY'))).toEqual(expected);
    });

    it.each([
        'UTC',
        'utc',
        'GMT',
        'Europe/Berlin',
        'europe/berlin',
        'America/New_York',
        'US/Eastern',
        'Asia/Calcutta',
        '5',
        '-7.5',
        '+03',
        '0',
        'EST5EDT',
        'Nowhere/Town',
        'foo bar',
        '400',
        "interval '1:30'",
    ])('TimeZone %j', async (value) => {
        const expected = await theirs('TimeZone', value);
        expect(ours(() => parseTimeZone(value))).toEqual(expected);
    });

    it.each(['0', '3', '-15', '4', '-16', 'x', '1.0'])('extra_float_digits %j', async (value) => {
        const expected = await theirs('extra_float_digits', value);
        const got = ours(() => parseExtraFloatDigits(value, 'extra_float_digits'));
        expect(got).toEqual(expected);
    });
});
