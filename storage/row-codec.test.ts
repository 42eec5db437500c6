import {describe, expect, test} from 'vitest';
import {RowCodec, decodeRowHeader, type PhysicalKind, type RowCodecColumn} from './row-codec.ts';

function column(field: number, physical: PhysicalKind, missing: unknown = null): RowCodecColumn {
    return {field, physical, missing};
}

const HEADER = {rowid: 7, seq: 1234567, updatedNs: 1_760_000_000_123_456_789n, owner: 3};

function roundTrip(codec: RowCodec, values: readonly unknown[]): unknown[] {
    const decoded = codec.decode(codec.encode({...HEADER, values}));
    expect({...decoded, values: undefined}).toEqual({...HEADER, values: undefined});
    return decoded.values;
}

/** Small, repeatable randomness. */
function randomNumbers(seed: number): () => number {
    let state = seed;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 4294967296;
    };
}

describe('the layout of a row', () => {
    const codec = new RowCodec([
        column(1, 'int'),
        column(2, 'string'),
        column(4, 'bool'),
        column(5, 'float'),
        column(6, 'bigint'),
        column(17, 'bytes'),
    ]);

    test('is held by golden bytes', () => {
        const values = [-3, 'Grüße', true, 1.5, 1n << 40n, Uint8Array.of(1, 2, 255)];
        const bytes = [
            '01', // version
            '07', // rowid
            '87ad4b', // seq
            '15cd0bdcacc66c18', // updatedNs
            '03', // owner
            '11', // highest column id
            '0805', // 1: -3
            '12074772c3bcc39f65', // 2: Grüße
            '2001', // 4: true
            '29000000000000f83f', // 5: 1.5
            '30808080808040', // 6: 2^40
            '8a01030102ff', // 17: bytes
        ];
        expect(codec.encode({...HEADER, values}).toString('hex')).toBe(bytes.join(''));
        expect(roundTrip(codec, values)).toEqual(values);
    });

    test('writes NULL by absence and the protobuf defaults out in full', () => {
        expect(codec.encode({...HEADER, values: [null, null, null, null, null, null]}).toString('hex')).toBe(
            '010787ad4b15cd0bdcacc66c180311',
        );
        const zeros = [0, '', false, 0, 0n, new Uint8Array(0)];
        expect(roundTrip(codec, zeros)).toEqual(zeros);
    });

    test('has a header that is read without the values', () => {
        expect(decodeRowHeader(codec.encode({...HEADER, values: []}))).toEqual(HEADER);
    });
});

describe('columns that come and go', () => {
    const before = new RowCodec([column(1, 'int'), column(2, 'string'), column(3, 'float')]);
    const row = before.encode({...HEADER, values: [1, 'two', null]});

    test('a dropped column is skipped, whatever its kind', () => {
        expect(new RowCodec([column(2, 'string')]).decode(row).values).toEqual(['two']);
        expect(new RowCodec([]).decode(row).values).toEqual([]);
        const all = new RowCodec([column(1, 'float'), column(2, 'bytes'), column(3, 'bigint'), column(4, 'bool')]);
        const stored = all.encode({...HEADER, values: [1.5, Uint8Array.of(1), -(2n ** 63n), true]});
        expect(new RowCodec([column(4, 'bool')]).decode(stored).values).toEqual([true]);
    });

    test('an added column has its missing value in older rows, and NULL stays NULL', () => {
        const after = new RowCodec([column(1, 'int'), column(3, 'float', 9), column(4, 'string', 'default')]);
        expect(after.decode(row).values).toEqual([1, null, 'default']);
        expect(roundTrip(after, [1, 2, null])).toEqual([1, 2, null]);
    });

    test('the highest id ever counts, also when its column is gone', () => {
        const dropped = new RowCodec([column(1, 'int')], 5);
        const added = new RowCodec([column(1, 'int'), column(5, 'int', 50), column(6, 'int', 60)]);
        expect(added.decode(dropped.encode({...HEADER, values: [1]})).values).toEqual([1, null, 60]);
    });

    test('ids may be given once and in any order', () => {
        const codec = new RowCodec([column(9, 'int'), column(2, 'int')]);
        expect(roundTrip(codec, [90, 20])).toEqual([90, 20]);
        expect(() => new RowCodec([column(1, 'int'), column(1, 'int')])).toThrow(/twice/);
        expect(() => new RowCodec([column(0, 'int')])).toThrow(/outside/);
        expect(() => new RowCodec([column(-101, 'int')])).toThrow(/outside/);
    });
});

describe('values', () => {
    test('whole numbers up to 2^53 and infinite dates', () => {
        const codec = new RowCodec([column(1, 'int')]);
        const numbers = [
            0,
            1,
            -1,
            63,
            64,
            -64,
            -65,
            2 ** 31 - 1,
            2 ** 31,
            -(2 ** 31),
            -(2 ** 31) - 1,
            2 ** 32,
            86400000000,
        ];
        numbers.push(Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 52, -(2 ** 52), Infinity, -Infinity);
        for (const value of numbers) expect(roundTrip(codec, [value])).toEqual([value]);
        expect(() => codec.encode({...HEADER, values: [1.5]})).toThrow(/whole number/);
        expect(() => codec.encode({...HEADER, values: [2 ** 53]})).toThrow(/whole number/);
    });

    test('64-bit numbers to their ends', () => {
        const codec = new RowCodec([column(1, 'bigint')]);
        for (let bit = 0n; bit < 64n; bit++) {
            for (const value of [1n << bit, (1n << bit) - 1n, -(1n << bit), -(1n << bit) + 1n]) {
                const kept = BigInt.asIntN(64, value);
                expect(roundTrip(codec, [kept])).toEqual([kept]);
            }
        }
    });

    test('floats keep every bit pattern class', () => {
        const codec = new RowCodec([column(1, 'float')]);
        for (const value of [0, -0, 1e-320, 1.7976931348623157e308, Infinity, -Infinity, NaN, Math.PI]) {
            expect(Object.is(roundTrip(codec, [value])[0], value)).toBe(true);
        }
    });

    test('strings of every length and alphabet', () => {
        const codec = new RowCodec([column(1, 'string')]);
        for (const sample of ['a', 'é', '漢', '😀', 'a\u0000b']) {
            for (const count of [0, 1, 5, 23, 24, 25, 42, 43, 63, 64, 127, 128, 129, 5000, 16383, 16384, 70_000]) {
                expect(roundTrip(codec, [sample.repeat(count)])).toEqual([sample.repeat(count)]);
            }
        }
        expect(roundTrip(codec, ['twenty characters äö'])).toEqual(['twenty characters äö']);
    });

    test('other values go through their own bytes, and the caller gets no view of the row', () => {
        const codec = new RowCodec([
            {
                field: 1,
                physical: 'bytes',
                missing: null,
                toBytes: (value) => Buffer.from(JSON.stringify(value)),
                fromBytes: (bytes) => JSON.parse(bytes.toString()) as unknown,
            },
            column(2, 'bytes'),
        ]);
        expect(roundTrip(codec, [{months: 1, days: 2}, null])).toEqual([{months: 1, days: 2}, null]);
        const row = codec.encode({...HEADER, values: [null, Uint8Array.of(1, 2)]});
        const {values} = codec.decode(row);
        row.fill(0);
        expect(values[1]).toEqual(Uint8Array.of(1, 2));
    });

    test('random rows come back as they were', () => {
        const random = randomNumbers(42);
        const kinds: PhysicalKind[] = ['bool', 'int', 'bigint', 'float', 'string', 'bytes'];
        const values: Record<PhysicalKind, () => unknown> = {
            bool: () => random() < 0.5,
            int: () => Math.round((random() - 0.5) * 2 ** Math.floor(random() * 53)),
            bigint: () =>
                BigInt.asIntN(64, BigInt(Math.floor(random() * 2 ** 53)) << BigInt(Math.floor(random() * 12))),
            float: () => (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20),
            string: () => 'xäö漢z'.repeat(Math.floor(random() * 30)).slice(0, Math.floor(random() * 100)),
            bytes: () => Uint8Array.from({length: Math.floor(random() * 50)}, () => Math.floor(random() * 256)),
        };
        for (let round = 0; round < 2000; round++) {
            const columns = Array.from({length: Math.floor(random() * 12)}, (_, i) =>
                column(i * 3 + 1, kinds[Math.floor(random() * kinds.length)] ?? 'int'),
            );
            const row = columns.map((c) => (random() < 0.2 ? null : values[c.physical]()));
            expect(roundTrip(new RowCodec(columns), row)).toEqual(row.map((v) => (v === 0 ? 0 : v)));
        }
    });
});

describe('damaged rows', () => {
    const codec = new RowCodec([column(1, 'int'), column(2, 'string'), column(3, 'bytes'), column(4, 'float')]);
    const whole = codec.encode({...HEADER, values: [300, 'text', Uint8Array.of(1, 2, 3), 1.5]});

    test('a row cut anywhere inside a field is refused', () => {
        let refused = 0;
        for (let length = 0; length < whole.length; length++) {
            try {
                codec.decode(whole.subarray(0, length));
            } catch (error) {
                expect(error).toMatchObject({kind: 'corrupt'});
                refused++;
            }
        }
        // Cut between two fields, it is a row with fewer of them: the stores' checksums protect against that.
        expect(refused).toBe(whole.length - 4);
    });

    test('random bytes give a row or a StorageError, and never anything else', () => {
        const random = randomNumbers(7);
        for (let round = 0; round < 20_000; round++) {
            const bytes = Buffer.from(whole);
            for (let i = 0; i < 3; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
            try {
                codec.decode(bytes);
            } catch (error) {
                expect(error).toMatchObject({name: 'StorageError'});
            }
        }
    });

    test('a later format is refused by name', () => {
        expect(() => codec.decode(Buffer.from([2, 0, 0]))).toThrow(/row format 2/);
    });
});
