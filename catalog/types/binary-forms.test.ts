import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {Oracle} from './oracle.ts';
import {quote, startOracle, validInputs} from './oracle.ts';
import type {PgType} from './pg-type.ts';
import {TypeRegistry} from './registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from './settings.ts';
import {INPUTS} from './text-forms.cases.ts';

const registry = new TypeRegistry();
let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
});
afterAll(() => oracle.close());

function typeOf(name: string): PgType {
    const type = registry.byName(name);
    if (type === undefined) throw new Error(`no type ${name}`);
    return type;
}

const SEND_FUNCTIONS: Readonly<Record<string, string>> = {
    bool: 'boolsend',
    int2: 'int2send',
    int4: 'int4send',
    int8: 'int8send',
    oid: 'oidsend',
    float4: 'float4send',
    float8: 'float8send',
    numeric: 'numeric_send',
    text: 'textsend',
    varchar: 'varcharsend',
    bpchar: 'bpcharsend',
    name: 'namesend',
    char: 'charsend',
    bytea: 'byteasend',
    uuid: 'uuid_send',
    date: 'date_send',
    time: 'time_send',
    timetz: 'timetz_send',
    timestamp: 'timestamp_send',
    timestamptz: 'timestamptz_send',
    interval: 'interval_send',
    json: 'json_send',
    jsonb: 'jsonb_send',
    inet: 'inet_send',
    cidr: 'cidr_send',
};

describe('binary forms', () => {
    for (const name of Object.keys(INPUTS)) {
        it(`sends ${name} as PostgreSQL does and receives what it sent`, async () => {
            const type = typeOf(name);
            const inputs = validInputs(type, INPUTS[name] ?? []);
            const send = SEND_FUNCTIONS[name] ?? 'array_send';
            const sql = name.startsWith('_') ? `pg_catalog.${name}` : `pg_catalog."${name}"`;
            const theirs = await oracle.each(inputs.map((input) => `encode(${send}(${quote(input)}::${sql}), 'hex')`));
            for (const [at, input] of inputs.entries()) {
                const value = type.parse(input);
                const bytes = Buffer.from(type.send(value));
                expect({input, hex: bytes.toString('hex')}).toEqual({input, hex: theirs[at]?.text});
                const received = type.receive(
                    Buffer.concat([Buffer.from('xy'), bytes, Buffer.from('z')]),
                    2,
                    bytes.length,
                );
                expect(type.print(received, DEFAULT_OUTPUT_SETTINGS)).toBe(type.print(value, DEFAULT_OUTPUT_SETTINGS));
            }
        });
    }

    it('refuses binary values of the wrong length, wrong encoding or wrong content', () => {
        const codeOf = (name: string, bytes: Buffer): string => {
            try {
                typeOf(name).receive(bytes, 0, bytes.length);
            } catch (error) {
                return (error as {code: string}).code;
            }
            return 'accepted';
        };
        expect(codeOf('int4', Buffer.alloc(3))).toBe('08P01');
        expect(codeOf('int4', Buffer.alloc(5))).toBe('22P03');
        expect(codeOf('uuid', Buffer.alloc(15))).toBe('08P01');
        expect(codeOf('text', Buffer.from([0x61, 0]))).toBe('22021');
        expect(codeOf('text', Buffer.from([0xff]))).toBe('22021');
        expect(codeOf('text', Buffer.from([0xed, 0xa0, 0x80]))).toBe('22021');
        expect(codeOf('text', Buffer.from('\ufffd'))).toBe('accepted');
        expect(codeOf('numeric', Buffer.from([0, 1, 0, 0, 0x12, 0, 0, 0, 0, 1]))).toBe('22P03');
        expect(codeOf('_int4', Buffer.from([0, 0, 0, 9]))).toBe('54000');
        expect(codeOf('_int4', Buffer.from('000000010000000000000019000000000000000', 'hex'))).not.toBe('accepted');
        expect(codeOf('_int4', Buffer.from('0000000100000000000000177fffffff00000001', 'hex'))).toBe('54000');
    });
});
