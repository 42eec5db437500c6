/** Values in events are what PostgreSQL's to_json makes of them. */
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {DEFAULT_OUTPUT_SETTINGS} from '../../catalog/types/settings.ts';
import {TypeRegistry} from '../../catalog/types/registry.ts';
import {jsonEncoder, updatedJson} from './row-json.ts';

const TYPES = new TypeRegistry();

/** Type and values as text. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
    bool: ['t', 'f'],
    int2: ['-32768', '7'],
    int4: ['0', '2147483647'],
    int8: ['9223372036854775807', '-9223372036854775808', '9007199254740993'],
    oid: ['4294967295'],
    float4: ['1.5', '3.4e38', 'NaN', '-Infinity', '1e-10', '0.1'],
    float8: ['0.1', '1e300', '-0', 'Infinity', 'NaN', '123456789012345680', '1e15', '1e-5'],
    numeric: ['1.50', '12345678901234567890.123456789000', 'NaN', 'Infinity', '-0.000', '1e20'],
    text: ['', 'a"b\\c\n\t\u0001/é😀\u007f\u2028', "it's"],
    varchar: ['x'],
    bpchar: ['x '],
    name: ['n'],
    json: ['{"b" : 1,\n "a":[ ]}', '"x"', 'null'],
    jsonb: ['{"b" : 1.50,\n "a":[ ]}', 'null'],
    bytea: ['\\x00ff', '\\x'],
    uuid: ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
    date: ['2020-02-29', 'infinity', '0044-03-15 BC', '12020-01-01'],
    time: ['12:34:56.789', '24:00:00'],
    timetz: ['12:34:56.789+05:30'],
    timestamp: ['2020-02-29 12:34:56.789', '2020-01-01', '-infinity', '0044-03-15 10:00:00 BC', '12020-01-01 01:02:03'],
    timestamptz: [
        '2020-02-29 12:34:56.789+05:30',
        'infinity',
        '0044-03-15 10:00:00+00 BC',
        '1999-12-31 23:59:59.000001+00',
    ],
    interval: ['1 year 2 mons -3 days 04:05:06.7', '0'],
    inet: ['192.168.0.1/24', '::1'],
    cidr: ['10.0.0.0/8'],
    _int4: ['{}', '{1,NULL,3}', '{{1,2},{3,4}}', '[0:1]={5,6}', '{{{1},{2}},{{3},{4}}}'],
    _text: ['{a,"b\\"c",NULL,"NULL"}'],
    _numeric: ['{1.50,NaN}'],
    _timestamptz: ['{"2020-01-01 00:00:00+02"}'],
    _jsonb: ['{"{\\"a\\": 1}"}'],
    _bool: ['{t,f}'],
};

let database: PGlite;

beforeAll(async () => {
    database = await PGlite.create();
    await database.exec("set timezone = 'UTC'");
});

afterAll(async () => {
    await database.close();
});

describe('a value in an event', () => {
    it('is the text that to_json gives in UTC, on one line', async () => {
        for (const [name, texts] of Object.entries(VALUES)) {
            const type = TYPES.byName(name);
            expect(type, name).toBeDefined();
            if (type === undefined) continue;
            const encode = jsonEncoder(type.oid, TYPES);
            expect(encode(null)).toBe('null');
            for (const text of texts) {
                const {rows} = await database.query<{json: string}>(`select to_json($1::text::${name})::text as json`, [
                    text,
                ]);
                const expected = rows[0]?.json.replaceAll('\n', ' ');
                const actual = encode(type.parse(text, DEFAULT_OUTPUT_SETTINGS));
                expect(actual, `${name} ${text}`).toBe(expected);
                expect(actual).not.toMatch(/[\n\r]/);
                JSON.parse(actual);
            }
        }
    });

    it('of an enum or a domain is that of its label or of its base type', () => {
        const types = new TypeRegistry();
        types.setDynamic([
            {kind: 'enum', oid: 20_001, arrayOid: 20_002, name: 'mood', schema: 'public', labels: ['sad', 'ok']},
            {
                kind: 'domain',
                oid: 20_003,
                arrayOid: 20_004,
                name: 'amount',
                schema: 'public',
                base: {oid: 1700, typmod: -1},
                notNull: false,
            },
        ]);
        expect(jsonEncoder(20_001, types)('ok')).toBe('"ok"');
        expect(jsonEncoder(20_003, types)('1.50')).toBe('1.50');
        expect(jsonEncoder(20_004, types)({dims: [1], lowerBounds: [1], elements: ['2.0']})).toBe('[2.0]');
    });

    it('of _updated has nine digits', () => {
        expect(updatedJson(0n)).toBe('"1970-01-01T00:00:00.000000000+00:00"');
        expect(updatedJson(1_700_000_000_123_456_789n)).toBe('"2023-11-14T22:13:20.123456789+00:00"');
        expect(updatedJson(-1n)).toBe('"1969-12-31T23:59:59.999999999+00:00"');
    });
});
