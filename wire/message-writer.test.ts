import {describe, expect, test} from 'vitest';
import {MessageWriter, type WriterChannel} from './message-writer.ts';
import {encodeRowDescription} from './row-description.ts';

class Sink implements WriterChannel {
    readonly sent: Buffer[] = [];
    /** False: the operating system does not take the bytes at once. */
    taking = true;
    unsentBytes = 0;
    gone = false;

    send(bytes: Buffer): boolean {
        // Not copied when it is not taken: whoever overwrites it spoils the test.
        this.sent.push(this.taking ? Buffer.from(bytes) : bytes);
        return this.taking;
    }

    caughtUp(): Promise<void> {
        return Promise.resolve();
    }

    get bytes(): Buffer {
        return Buffer.concat(this.sent);
    }
}

function make(): {sink: Sink; writer: MessageWriter} {
    const sink = new Sink();
    return {sink, writer: new MessageWriter(sink)};
}

/** The values of one row as Buffers. */
function valuesOf(row: Buffer): (Buffer | null)[] {
    const values: (Buffer | null)[] = [];
    let position = 7;
    for (let column = 0; column < row.readUInt16BE(5); column += 1) {
        const length = row.readInt32BE(position);
        position += 4;
        values.push(length === -1 ? null : row.subarray(position, position + length));
        position += Math.max(0, length);
    }
    expect(position).toBe(row.readInt32BE(1) + 1);
    return values;
}

function row(columns: number, write: (writer: MessageWriter) => void): (Buffer | null)[] {
    const {sink, writer} = make();
    writer.beginRow(columns);
    write(writer);
    writer.endRow();
    writer.flush();
    return valuesOf(sink.bytes);
}

describe('MessageWriter', () => {
    test('writes integers as text like String does', () => {
        const values = [
            0,
            -0,
            1,
            -1,
            9,
            10,
            99,
            100,
            12_345,
            2 ** 31 - 1,
            2 ** 31,
            -(2 ** 31),
            2 ** 53 - 1,
            -(2 ** 53) + 1,
        ];
        for (let power = 0; power < 16; power += 1) {
            values.push(10 ** power - 1, 10 ** power, -(10 ** power));
        }
        const texts = row(values.length, (writer) => values.forEach((value) => writer.valueIntText(value)));
        expect(texts.map(String)).toEqual(values.map(String));
        expect(() => row(1, (writer) => writer.valueIntText(1.5))).toThrow('an integer');
        expect(() => row(1, (writer) => writer.valueIntText(Number.NaN))).toThrow('an integer');
    });

    test('writes text of every length and kind as UTF-8', () => {
        const texts = [
            '',
            'a',
            'é',
            '漢字',
            '😀',
            'x'.repeat(32),
            'x'.repeat(33),
            `${'x'.repeat(31)}é`,
            'ü'.repeat(40_000),
            'y'.repeat(300_000),
        ];
        const values = row(texts.length, (writer) => texts.forEach((text) => writer.valueText(text)));
        expect(values.map(String)).toEqual(texts);
        const ascii = ['', 'abc', 'z'.repeat(50), 'z'.repeat(20_000)];
        expect(row(4, (writer) => ascii.forEach((text) => writer.valueAscii(text))).map(String)).toEqual(ascii);
    });

    test('writes binary values in network order', () => {
        const values = row(9, (writer) => {
            writer.valueNull();
            writer.valueInt16(-2);
            writer.valueInt32(-3);
            writer.valueInt64(-(2n ** 63n));
            writer.valueFloat32(1.5);
            writer.valueFloat64(-0.1);
            writer.valueBool(true);
            writer.valueBool(false);
            writer.valueBytes(Buffer.from([1, 2, 3]));
        });
        const expected = Buffer.alloc(26);
        expected.writeInt16BE(-2, 0);
        expected.writeInt32BE(-3, 2);
        expected.writeBigInt64BE(-(2n ** 63n), 6);
        expected.writeFloatBE(1.5, 14);
        expected.writeDoubleBE(-0.1, 18);
        expect(values[0]).toBeNull();
        expect(Buffer.concat(values.slice(1, 6).map((value) => value ?? Buffer.alloc(0)))).toEqual(expected);
        expect(values.slice(6)).toEqual([Buffer.from([1]), Buffer.from([0]), Buffer.from([1, 2, 3])]);
    });

    test('a row that fails half-way leaves nothing behind', () => {
        const {sink, writer} = make();
        writer.bindComplete();
        writer.beginRow(2);
        writer.valueText('lost');
        writer.abandonRow();
        writer.commandComplete('SELECT 0');
        writer.flush();
        expect(sink.bytes.toString('latin1')).toBe('2\0\0\0\x04C\0\0\0\x0dSELECT 0\0');
    });

    test('a row with a wrong number of values is a bug', () => {
        expect(() => row(2, (writer) => writer.valueNull())).toThrow('another number of values');
    });

    test('never writes into bytes that the operating system has not taken', () => {
        const {sink, writer} = make();
        sink.taking = false;
        for (let index = 0; index < 100; index += 1) {
            writer.commandComplete(`SELECT ${index}`);
            writer.flush();
        }
        const tags = sink.sent.map((bytes) => bytes.toString('latin1', 5, bytes.length - 1));
        expect(tags).toEqual(Array.from({length: 100}, (_, index) => `SELECT ${index}`));
    });

    test('long answers leave early, and a large burst does not stay in memory', () => {
        const {sink, writer} = make();
        const smallest = writer.capacityBytes;
        for (let index = 0; index < 1000; index += 1) {
            writer.beginRow(1);
            writer.valueText('x'.repeat(1000));
            writer.endRow();
        }
        expect(sink.sent.length).toBeGreaterThan(10);
        writer.beginRow(1);
        writer.valueText('x'.repeat(5_000_000));
        writer.endRow();
        expect(writer.capacityBytes).toBe(smallest);
        writer.copyData(Buffer.alloc(60_000));
        writer.flush();
        expect(writer.capacityBytes).toBeGreaterThan(smallest);
        for (let index = 0; index < 64; index += 1) {
            writer.parseComplete();
            writer.flush();
        }
        expect(writer.capacityBytes).toBe(smallest);
    });

    test('zero bytes cannot forge fields', () => {
        const {sink, writer} = make();
        writer.notice({severity: 'NOTICE', code: '00000', message: 'a\0Cforged'});
        writer.notification(7, 'chan\0nel', 'päy\0load');
        writer.flush();
        expect(sink.bytes.toString('utf8')).toContain('MaCforged\0');
        expect(sink.bytes.toString('utf8')).toContain('channel\0päyload\0');
    });

    test('a row description shows the format of each column', () => {
        const field = {name: 'é', tableOid: 4_000_000_000, attnum: -1, typeOid: 23, typeLength: 4, typmod: -1};
        const formatsOf = (formats: number[]): number[] => {
            const message = encodeRowDescription([field, field], formats);
            expect(message.readInt32BE(1)).toBe(message.length - 1);
            expect(message.readUInt32BE(10)).toBe(4_000_000_000);
            return [message.readInt16BE(26), message.readInt16BE(47)];
        };
        expect([formatsOf([]), formatsOf([1]), formatsOf([0, 1])]).toEqual([
            [0, 0],
            [1, 1],
            [0, 1],
        ]);
    });
});
