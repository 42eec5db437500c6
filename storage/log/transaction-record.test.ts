import {describe, expect, test} from 'vitest';
import {
    decodeTransactionRecord,
    HANDED_OVER_BYTES,
    LOG_OP,
    TransactionRecordEncoder,
    visitTransactionRecord,
} from './transaction-record.ts';

function sample(encoder = new TransactionRecordEncoder()): Buffer {
    encoder.begin();
    encoder.entry(LOG_OP.put, 16385, 0, Buffer.from('k1'), Buffer.from('row one'));
    encoder.section('ddl', Buffer.from('CREATE TABLE t ()'));
    encoder.entry(LOG_OP.delete, 300, 70_000, Buffer.from('k2'));
    return encoder.finish();
}

describe('a transaction record', () => {
    test('is held by golden bytes', () => {
        const items = [
            '01', // version
            '0181800100026b3107726f77206f6e65', // put
            '400364646c11435245415445205441424c452074202829', // section
            '02ac02f0a204026b3200', // delete
        ];
        expect(sample().toString('hex')).toBe(items.join(''));
    });

    test('gives back its entries in order, and its sections by name', () => {
        const {entries, sections} = decodeTransactionRecord(sample());
        expect(entries).toEqual([
            {op: LOG_OP.put, tableId: 16385, owner: 0, key: Buffer.from('k1'), row: Buffer.from('row one')},
            {op: LOG_OP.delete, tableId: 300, owner: 70_000, key: Buffer.from('k2'), row: Buffer.alloc(0)},
        ]);
        expect([...sections]).toEqual([['ddl', Buffer.from('CREATE TABLE t ()')]]);
    });

    test('may be empty', () => {
        const encoder = new TransactionRecordEncoder();
        encoder.begin();
        expect(decodeTransactionRecord(encoder.finish())).toEqual({entries: [], sections: new Map()});
    });

    test('every operation and any bytes come back', () => {
        const encoder = new TransactionRecordEncoder();
        encoder.begin();
        const every = Buffer.from(Array.from({length: 256}, (_, i) => i));
        const ops = Object.values(LOG_OP);
        for (const op of ops) encoder.entry(op, 4294967295, 4294967295, every, every);
        const {entries} = decodeTransactionRecord(encoder.finish());
        expect(entries.map((entry) => entry.op)).toEqual(ops);
        expect(entries.every((entry) => entry.key.equals(every) && entry.row.equals(every))).toBe(true);
        expect(entries.every((entry) => entry.tableId === 4294967295 && entry.owner === 4294967295)).toBe(true);
    });

    test('one encoder makes one record after the other, and hands over a large one', () => {
        const encoder = new TransactionRecordEncoder();
        const first = Buffer.from(sample(encoder));
        encoder.begin();
        encoder.entry(LOG_OP.put, 1, 0, Buffer.from('large'), Buffer.alloc(HANDED_OVER_BYTES, 5));
        const large = encoder.finish();
        expect(sample(encoder)).toEqual(first);
        expect(decodeTransactionRecord(large).entries[0]?.row.equals(Buffer.alloc(HANDED_OVER_BYTES, 5))).toBe(true);
    });

    test('a section name is given once', () => {
        const encoder = new TransactionRecordEncoder();
        encoder.begin();
        encoder.section('ddl', Buffer.alloc(0));
        expect(() => encoder.section('ddl', Buffer.alloc(0))).toThrow(/already/);
    });

    test('what is damaged or unknown is refused, never skipped', () => {
        const visitor = {entry: () => undefined, section: () => undefined};
        const whole = sample();
        for (let length = 2; length < whole.length; length++) {
            if (length === 17 || length === 40) continue;
            expect(() => visitTransactionRecord(whole.subarray(0, length), visitor)).toThrow(/damaged/);
        }
        expect(() => decodeTransactionRecord(Buffer.from([1, 63]))).toThrow(/op 63 is not known/);
        expect(() => decodeTransactionRecord(Buffer.from([1, 0]))).toThrow(/op 0 is not known/);
        expect(() => decodeTransactionRecord(Buffer.from([9]))).toThrow(/format 9/);
    });
});
