import {describe, expect, test} from 'vitest';
import {TypeRegistry} from '../../catalog/types/registry.ts';
import {DEFAULT_OUTPUT_SETTINGS} from '../../catalog/types/settings.ts';
import {readParameter} from './parameters.ts';

const TYPES = new TypeRegistry();
const INT4 = 23;
const INT8 = 20;
const TEXT = 25;
const TIMESTAMPTZ = 1184;

function read(oid: number, bytes: Buffer, format: 0 | 1 = 0, settings = DEFAULT_OUTPUT_SETTINGS) {
    // Not at the start of its buffer: offsets count.
    const buffer = Buffer.concat([Buffer.from('12'), bytes, Buffer.from('34')]);
    return readParameter(TYPES, oid, format, buffer, 2, bytes.length, 0, settings);
}

const text = (value: string): Buffer => Buffer.from(value);

describe('a parameter', () => {
    test.each([
        ['0', 0],
        ['-0', 0],
        ['-12', -12],
        ['+7', 7],
        [' 5 ', 5],
        ['999999999', 999_999_999],
        ['2147483647', 2_147_483_647],
        ['-2147483648', -2_147_483_648],
    ])('integer %j is %i', (value, expected) => {
        expect(read(INT4, text(value))).toBe(expected);
    });

    test.each([
        ['2147483648', '22003'],
        ['', '22P02'],
        ['-', '22P02'],
        ['1x', '22P02'],
        ['1 2', '22P02'],
    ])('integer %j is refused with %s', (value, code) => {
        expect(() => read(INT4, text(value))).toThrow(expect.objectContaining({code}));
    });

    test('is NULL when its length is -1', () => {
        expect(readParameter(TYPES, INT4, 0, Buffer.alloc(0), 0, -1, 0, DEFAULT_OUTPUT_SETTINGS)).toBeNull();
    });

    test('in text is read under the settings of the session', () => {
        const settings = {...DEFAULT_OUTPUT_SETTINGS, timeZone: 'Europe/Prague'};
        const utc = read(TIMESTAMPTZ, text('2024-01-01 00:00:00')) as bigint;
        expect(read(TIMESTAMPTZ, text('2024-01-01 00:00:00'), 0, settings)).toBe(utc - 3_600_000_000n);
    });

    test('of invalid UTF-8 or with a NUL is refused', () => {
        expect(() => read(TEXT, Buffer.from([0x61, 0xff]))).toThrow(expect.objectContaining({code: '22021'}));
        expect(() => read(TEXT, Buffer.from([0x61, 0]))).toThrow(expect.objectContaining({code: '22021'}));
    });

    test('in binary format of the wrong size is refused', () => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigInt64BE(-5n);
        expect(read(INT8, bytes, 1)).toBe(-5n);
        expect(() => read(INT8, bytes.subarray(1), 1)).toThrow(expect.objectContaining({code: '08P01'}));
        expect(() => read(INT8, Buffer.alloc(9), 1)).toThrow(expect.objectContaining({code: '22P03'}));
    });
});
