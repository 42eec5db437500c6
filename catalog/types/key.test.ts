import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {Datum} from './datum.ts';
import {decodeIntKey, encodeIntKey, encodeKey, isKeyType} from './key.ts';
import type {Oracle} from './oracle.ts';
import {quote, startOracle, validInputs} from './oracle.ts';
import type {PgType} from './pg-type.ts';
import {TypeRegistry} from './registry.ts';
import {INPUTS} from './text-forms.cases.ts';

const registry = new TypeRegistry();
const MOOD = 90001;
registry.setDynamic([
    {
        kind: 'enum',
        oid: MOOD,
        arrayOid: 90002,
        name: 'mood',
        schema: 'public',
        labels: ['sad', 'glad', 'ok'],
        sortOrders: [1, 1.5, 2],
    },
]);
let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
    await oracle.exec(`create type mood as enum ('sad', 'ok'); alter type mood add value 'glad' before 'ok'`);
});
afterAll(() => oracle.close());

function typeOf(name: string): PgType {
    const type = registry.byName(name);
    if (type === undefined) throw new Error(`no type ${name}`);
    return type;
}

const EXTRA: Readonly<Record<string, readonly string[]>> = {
    text: ['a', 'ab', 'a b', 'A', 'z', 'zz', '~', 'é', '\u{1F600}', '\uE000', '\uFFFD', '\u0001', 'a\u0001', 'á', 'ß'],
    bpchar: ['a', 'a ', 'a  b', 'ab', 'é'],
    bytea: ['\\x00', '\\x0000', '\\x00ff', '\\x0001', '\\xff', '\\xff00', '\\x', '\\x01'],
    numeric: [
        '1.0',
        '1.00',
        '1',
        '100',
        '1e2',
        '99.99',
        '99.990',
        '-99.99',
        '-100',
        '0.001',
        '0.0010',
        '-0.001',
        '12345678901234567890',
        '9',
        '10',
        '-9',
        '-10',
        '1.5',
        '1.05',
        '1.005',
        '-1.05',
        '-1.005',
    ],
    interval: ['30 days', '1 mon', '720:00:00', '1 mon 1 us', '-30 days', '29 days 24:00:00', '-1 us', '0'],
    timetz: ['04:05:06+03', '01:05:06+00', '05:05:06+04', '00:00:00+15:59', '24:00:00-15:59'],
    inet: [
        '10.0.0.0/8',
        '10.0.0.0/9',
        '10.0.0.0/32',
        '10.0.0.1/8',
        '10.0.0.1',
        '11.0.0.0/7',
        '10.128.0.0/9',
        '0.0.0.0/0',
        '255.255.255.255',
        '128.0.0.0/1',
        '::/0',
        'ffff::/16',
        '10.0.0.0/31',
        '10.0.0.2/31',
    ],
    mood: ['sad', 'glad', 'ok'],
    _mood: ['{}', '{ok}', '{glad,sad}', '{glad,NULL}', '{sad}'],
    _int4: [
        '{}',
        '{1}',
        '{1,2}',
        '{2}',
        '{NULL}',
        '{1,NULL}',
        '{{1},{2}}',
        '[0:1]={1,2}',
        '[2:3]={1,2}',
        '{-5}',
        '{{1,2}}',
    ],
    _text: ['{}', '{a}', '{ab}', '{a,b}', '{a,NULL}', '{NULL}', '{""}', '{b}', '{"",a}'],
    _numeric: ['{1.0}', '{1.00}', '{1.5,2}', '{NaN}', '{}', '{-1}'],
};
const KEY_TYPES = [
    'bool',
    'int2',
    'int4',
    'int8',
    'oid',
    'float4',
    'float8',
    'numeric',
    'text',
    'varchar',
    'bpchar',
    'name',
    'char',
    'bytea',
    'uuid',
    'date',
    'time',
    'timetz',
    'timestamp',
    'timestamptz',
    'interval',
    'inet',
    'cidr',
    'mood',
    '_mood',
    '_int4',
    '_text',
    '_numeric',
    '_timestamptz',
    '_bool',
    '_bytea',
];

/** Dense ranks of the values by PostgreSQL; equal values have equal ranks. */
async function ranksOf(name: string, inputs: readonly (string | null)[], descending: boolean): Promise<number[]> {
    const sqlName = name === 'char' ? '"char"' : name;
    const rows = inputs.map((input, at) => `(${at}, ${input === null ? 'null' : quote(input)}::${sqlName})`);
    const order = descending ? 'v desc' : 'v';
    const ranks = await oracle.column(
        `select r::text from (select n, dense_rank() over (order by ${order}) as r from (values ${rows.join()}) as t (n, v)) as s order by n`,
    );
    return ranks.map(Number);
}

describe('index keys', () => {
    for (const name of KEY_TYPES) {
        it(`order ${name} by bytes and by compare as ORDER BY does, both ways`, async () => {
            const type = typeOf(name);
            expect(isKeyType(type)).toBe(true);
            const inputs = [null, ...validInputs(type, [...(INPUTS[name] ?? []), ...(EXTRA[name] ?? [])])];
            const values = inputs.map((input) => (input === null ? null : type.parse(input)));
            for (const descending of [false, true]) {
                const ranks = await ranksOf(name, inputs, descending);
                const keys = values.map((value) => encodeKey([type], [value], [descending]));
                for (const [a, keyA] of keys.entries()) {
                    for (const [b, keyB] of keys.entries()) {
                        const wanted = Math.sign((ranks[a] ?? 0) - (ranks[b] ?? 0));
                        const shown = `${inputs[a]} / ${inputs[b]}`;
                        expect([shown, Buffer.compare(keyA, keyB)]).toEqual([shown, wanted]);
                        if (descending) continue;
                        const [left, right] = [values[a] ?? null, values[b] ?? null];
                        if (left === null || right === null) continue;
                        expect([shown, Math.sign(type.compare(left, right))]).toEqual([shown, wanted]);
                        const sameKey = Object.is(type.hashKey(left), type.hashKey(right));
                        expect([shown, sameKey]).toEqual([shown, wanted === 0]);
                    }
                }
            }
        });
    }

    it('order jsonb by compare as ORDER BY does', async () => {
        const type = typeOf('jsonb');
        const extra = [
            '[]',
            '[[]]',
            '[1]',
            '[1,2]',
            '[2]',
            '{"a":[]}',
            '{"a":1,"b":2}',
            '{"b":1}',
            '{"aa":1}',
            '"b"',
            '"a"',
            '"B"',
            '1.0',
            '1',
            '1.00',
            '[null]',
            '["a"]',
            '{}',
            '[{}]',
            '[true]',
            '[false]',
        ];
        const inputs = validInputs(type, [...(INPUTS['jsonb'] ?? []), ...extra]);
        const ranks = await ranksOf('jsonb', inputs, false);
        for (const [a, left] of inputs.entries()) {
            for (const [b, right] of inputs.entries()) {
                const wanted = Math.sign((ranks[a] ?? 0) - (ranks[b] ?? 0));
                const ours = Math.sign(type.compare(type.parse(left), type.parse(right)));
                expect([left, right, ours]).toEqual([left, right, wanted]);
                const sameKey = type.hashKey(type.parse(left)) === type.hashKey(type.parse(right));
                expect([left, right, sameKey]).toEqual([left, right, wanted === 0]);
            }
        }
    });

    it('of several columns order by the first that differs, each in its own direction, and delimit themselves', async () => {
        const names = ['text', 'numeric', 'bytea', 'int4'] as const;
        const types = names.map(typeOf);
        const pools = [
            ['', 'a', 'ab', 'b', null],
            ['1', '1.5', '-3', '10', null],
            ['\\x', '\\x00', '\\x0000', '\\xff', null],
            ['0', '-1', '7', null],
        ] as const;
        let seed = 7;
        const pick = <T>(pool: readonly T[]): T => {
            seed = (seed * 1103515245 + 12345) % 2147483648;
            return pool[Math.floor((seed / 2147483648) * pool.length)] as T;
        };
        const rows = Array.from({length: 150}, () => pools.map((pool) => pick<string | null>(pool)));
        for (const descending of [
            [false, false, false, false],
            [true, false, true, false],
            [false, true, false, true],
        ]) {
            const values = rows.map(
                (row, n) =>
                    `(${n}, ${row.map((cell, at) => `${cell === null ? 'null' : quote(cell)}::${names[at]}`).join()})`,
            );
            const order = ['a', 'b', 'c', 'd']
                .map((column, at) => `${column} ${descending[at] === true ? 'desc' : 'asc'}`)
                .join();
            const ranks = (
                await oracle.column(
                    `select r::text from (select n, dense_rank() over (order by ${order}) as r from (values ${values.join()}) as t (n, a, b, c, d)) as s order by n`,
                )
            ).map(Number);
            const keys = rows.map((row) => {
                const data: Datum[] = row.map((cell, at) => (cell === null ? null : (types[at]?.parse(cell) ?? null)));
                const key = encodeKey(types, data, descending);
                const prefix = encodeKey(types, data.slice(0, 2), descending);
                expect(key.subarray(0, prefix.length).equals(prefix)).toBe(true);
                return key;
            });
            for (const [a, keyA] of keys.entries()) {
                for (const [b, keyB] of keys.entries()) {
                    expect([rows[a], rows[b], Buffer.compare(keyA, keyB)]).toEqual([
                        rows[a],
                        rows[b],
                        Math.sign((ranks[a] ?? 0) - (ranks[b] ?? 0)),
                    ]);
                }
            }
        }
    });

    it('of one integer column can be made and read without dispatch', () => {
        const int4 = typeOf('int4');
        const int8 = typeOf('int8');
        for (const value of [0, 1, -1, 2147483647, -2147483648, 65536]) {
            expect(encodeIntKey(value)).toEqual(encodeKey([int4], [value]));
            expect(decodeIntKey(encodeIntKey(value))).toBe(BigInt(value));
            expect(decodeIntKey(encodeKey([int8], [BigInt(value) * 1000n]))).toBe(BigInt(value) * 1000n);
        }
    });

    it('are refused for jsonb', () => {
        const jsonb = typeOf('jsonb');
        expect(isKeyType(jsonb)).toBe(false);
        expect(() => encodeKey([jsonb], ['{}'])).toThrow('an index on a column of type jsonb is not supported');
    });

    it('keep their bytes: the layout is on disk', () => {
        const hex = (name: string, text: string): string =>
            encodeKey([typeOf(name)], [typeOf(name).parse(text)]).toString('hex');
        expect(hex('int4', '1')).toBe('0180000001');
        expect(hex('int8', '-1')).toBe('017fffffffffffffff');
        expect(hex('text', 'ab')).toBe('01616200');
        expect(hex('numeric', '-12.5')).toBe('01207ffffffd f2ccff'.replace(' ', ''));
        expect(hex('bytea', '\\x00ff')).toBe('0100ffff0001');
        expect(hex('bool', 't')).toBe('0101');
        expect(hex('timestamptz', '2000-01-01 00:00:00+00')).toBe('018000000000000000');
    });
});
