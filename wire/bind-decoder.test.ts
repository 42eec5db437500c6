import {serialize} from 'pg-protocol';
import {describe, expect, test} from 'vitest';
import {BindDecoder} from './bind-decoder.ts';
import type {BindMessage} from './handler.ts';
import {MessageCursor} from './message-cursor.ts';

function int16s(...values: number[]): Buffer {
    const bytes = Buffer.alloc(values.length * 2);
    values.forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
    return bytes;
}

function decode(body: Buffer, decoder = new BindDecoder()): BindMessage {
    const cursor = new MessageCursor();
    cursor.reset(body, 0, body.length);
    cursor.name();
    cursor.name();
    return decoder.decode(cursor);
}

const NAMES = Buffer.from('p\0s\0');

describe('BindDecoder', () => {
    test('points at values in place, with nulls and formats expanded', () => {
        const bytes = serialize.bind({
            portal: 'p',
            statement: 's',
            values: ['abc', null, Buffer.from([1, 2]), ''],
            binary: true,
        });
        const message = decode(bytes.subarray(5));
        expect(message.parameterCount).toBe(4);
        expect(Array.from(message.lengths.subarray(0, 4))).toEqual([3, -1, 2, 0]);
        expect(Array.from(message.formats.subarray(0, 4))).toEqual([0, 0, 1, 0]);
        expect(message.resultFormats).toEqual([1]);
        const [start = 0] = message.offsets;
        expect(message.buffer.toString('utf8', start, start + 3)).toBe('abc');
    });

    test('one format code counts for all parameters, none means text', () => {
        const value = Buffer.from([0, 0, 0, 1, 65]);
        const all = decode(Buffer.concat([NAMES, int16s(1, 1, 2), value, value, int16s(0)]));
        expect(Array.from(all.formats.subarray(0, 2))).toEqual([1, 1]);
        const none = decode(Buffer.concat([NAMES, int16s(0, 2), value, value, int16s(2, 0, 1)]));
        expect(Array.from(none.formats.subarray(0, 2))).toEqual([0, 0]);
        expect(none.resultFormats).toEqual([0, 1]);
    });

    test('a portal may keep the result formats across the next Bind', () => {
        const decoder = new BindDecoder();
        const kept = decode(Buffer.concat([NAMES, int16s(0, 0, 2, 0, 1)]), decoder).resultFormats;
        const next = decode(Buffer.concat([NAMES, int16s(0, 0, 2, 1, 0)]), decoder).resultFormats;
        expect([kept, next]).toEqual([
            [0, 1],
            [1, 0],
        ]);
    });

    test('takes 65,535 parameters', () => {
        const body = Buffer.concat([NAMES, int16s(0, 65_535), Buffer.alloc(65_535 * 4, 0xff), int16s(0)]);
        const message = decode(body);
        expect(message.parameterCount).toBe(65_535);
        expect(message.lengths[65_534]).toBe(-1);
    });

    test('a mismatch of counts and an unknown format leave the connection usable', () => {
        const value = Buffer.from([0, 0, 0, 1, 65]);
        expect(() => decode(Buffer.concat([NAMES, int16s(2, 0, 0, 1), value, int16s(0)]))).toThrow(
            expect.objectContaining({
                severity: 'ERROR',
                code: '08P01',
                message: 'bind message has 2 parameter formats but 1 parameters',
            }),
        );
        expect(() => decode(Buffer.concat([NAMES, int16s(1, 7, 1), value, int16s(0)]))).toThrow(
            expect.objectContaining({severity: 'ERROR', code: '22023', message: 'unsupported format code: 7'}),
        );
    });

    test('every truncation and every surplus is a protocol violation', () => {
        const value = Buffer.from([0, 0, 0, 2, 65, 66]);
        const body = Buffer.concat([NAMES, int16s(1, 0, 2), value, value, int16s(1, 1)]);
        expect(decode(body).parameterCount).toBe(2);
        const violation = expect.objectContaining({severity: 'FATAL', code: '08P01'});
        for (let bytes = 0; bytes < body.length; bytes += 1) {
            expect(() => decode(Buffer.from(body.subarray(0, bytes)))).toThrow(violation);
        }
        expect(() => decode(Buffer.concat([body, Buffer.alloc(1)]))).toThrow(violation);
        const negative = Buffer.concat([NAMES, int16s(0, 1), Buffer.from([0xff, 0xff, 0xff, 0xfe]), int16s(0)]);
        expect(() => decode(negative)).toThrow(violation);
    });
});

describe('MessageCursor', () => {
    test('names come back as they were sent, whatever was cached before', () => {
        const cursor = new MessageCursor();
        const names = ['', 'a', 'P_1', 'é', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(500)];
        for (let index = 0; index < 500; index += 1) {
            names.push(`statement_${index % 150}`);
        }
        for (const name of [...names, ...names]) {
            const body = Buffer.from(`${name}\0`);
            cursor.reset(body, 0, body.length);
            expect(cursor.name()).toBe(name);
            cursor.finish();
        }
    });

    test('a name without its end is a protocol violation', () => {
        const cursor = new MessageCursor();
        for (const text of ['', 'a', 'x'.repeat(100)]) {
            const body = Buffer.from(`${text}\0`);
            cursor.reset(body, 0, body.length - 1);
            expect(() => cursor.name()).toThrow('invalid string in message');
        }
    });

    test('text that is not UTF-8 is refused with its bytes, a real replacement character is not', () => {
        const cursor = new MessageCursor();
        const bad = Buffer.from([0x41, 0xc3, 0x28, 0]);
        cursor.reset(bad, 0, bad.length);
        expect(() => cursor.cstring()).toThrow(
            expect.objectContaining({code: '22021', message: 'invalid byte sequence for encoding "UTF8": 0xc3 0x28'}),
        );
        const good = Buffer.from('a\ufffdb\0');
        cursor.reset(good, 0, good.length);
        expect(cursor.cstring()).toBe('a\ufffdb');
    });
});
