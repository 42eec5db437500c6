import {describe, expect, test} from 'vitest';
import {FrameReader} from './frame-reader.ts';
import {frame, startup} from './testing/raw-client.ts';

function sessionReader(messageBytesMax = 1_000_000): FrameReader {
    const reader = new FrameReader(messageBytesMax);
    reader.mode = 'session';
    return reader;
}

/** A generator of numbers that is the same in every run (mulberry32). */
function randomFrom(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
    };
}

function drain(reader: FrameReader, into: string[]): void {
    while (reader.next()) {
        into.push(`${String.fromCharCode(reader.type)}${reader.buffer.toString('latin1', reader.start, reader.end)}`);
    }
}

describe('FrameReader', () => {
    test('gives the same frames however the stream is cut into chunks', () => {
        const random = randomFrom(7);
        const frames: Buffer[] = [];
        for (let index = 0; index < 60; index += 1) {
            const type = 'QPBESdcH'.charAt(Math.floor(random() * 8));
            const small = 'ESHc'.includes(type);
            const bytes = Math.floor(random() ** 4 * (small ? 9000 : 30_000));
            frames.push(frame(type, Buffer.alloc(bytes, 65 + (index % 26))));
        }
        const stream = Buffer.concat(frames);
        const whole: string[] = [];
        const reader = sessionReader();
        reader.push(stream);
        drain(reader, whole);
        expect(whole).toHaveLength(60);
        for (let round = 0; round < 60; round += 1) {
            const cut = sessionReader();
            const frames: string[] = [];
            const chunkBytesMax = Math.ceil(random() ** 3 * 20_000);
            for (let position = 0; position < stream.length;) {
                const end = position + 1 + Math.floor(random() * chunkBytesMax);
                cut.push(stream.subarray(position, end));
                position = end;
                // Sometimes several chunks wait, as behind a slow handler.
                if (random() < 0.7) {
                    drain(cut, frames);
                }
            }
            drain(cut, frames);
            expect(frames.join('|') === whole.join('|'), `round ${round}`).toBe(true);
            expect(cut.empty).toBe(true);
        }
    });

    test('reads a message inside one chunk in place', () => {
        const reader = sessionReader();
        const chunk = Buffer.concat([frame('S'), frame('Q', 'select 1\0')]);
        reader.push(chunk);
        expect(reader.next() && reader.buffer === chunk).toBe(true);
        expect(reader.next() && reader.buffer === chunk).toBe(true);
        expect([reader.start, reader.end]).toEqual([10, chunk.length]);
    });

    test('a kept body survives the assembly of the next message', () => {
        const reader = sessionReader();
        const first = frame('d', 'first');
        const second = frame('d', 'other');
        reader.push(first.subarray(0, 7));
        expect(reader.next()).toBe(false);
        reader.push(Buffer.concat([first.subarray(7), second.subarray(0, 6)]));
        expect(reader.next()).toBe(true);
        const kept = reader.takeBody();
        expect(reader.next()).toBe(false);
        reader.push(second.subarray(6));
        expect(reader.next()).toBe(true);
        expect([kept.toString(), reader.takeBody().toString()]).toEqual(['first', 'other']);
    });

    test('refuses lengths past the bound as soon as the header is there', () => {
        const cases: [string, number][] = [
            ['Q', 1_000_001],
            ['Q', 3],
            ['Q', 0xffff_ffff],
            ['S', 10_001],
            ['E', 10_001],
            ['f', 10_001],
        ];
        for (const [type, length] of cases) {
            const reader = sessionReader();
            reader.push(frame(type, '', length));
            expect(() => reader.next()).toThrow('invalid message length');
        }
        const split = sessionReader();
        const header = frame('Q', '', 0x7fff_ffff);
        split.push(header.subarray(0, 3));
        expect(split.next()).toBe(false);
        split.push(header.subarray(3));
        expect(() => split.next()).toThrow('invalid message length');
    });

    test('refuses unknown types, and anything but a password before authentication', () => {
        const reader = sessionReader();
        reader.push(frame('z'));
        expect(() => reader.next()).toThrow('invalid frontend message type 122');
        const authenticating = new FrameReader(1000);
        authenticating.mode = 'authentication';
        authenticating.push(frame('Q', 'select 1\0'));
        expect(() => authenticating.next()).toThrow('expected password response, got message type 81');
    });

    test('refuses start-up packets that are too long or too short', () => {
        for (const length of [0, 7, 10_001, 0x1603_0100]) {
            const reader = new FrameReader(1_000_000);
            const packet = startup({user: 'x'});
            packet.writeUInt32BE(length);
            reader.push(packet);
            expect(() => reader.next()).toThrow('invalid length of startup packet');
        }
    });

    test('a promised length costs nothing until its bytes arrive', () => {
        const reader = sessionReader(0x3fff_ffff);
        const before = process.memoryUsage().arrayBuffers;
        reader.push(frame('Q', 'x'.repeat(100), 0x3fff_ffff));
        expect(reader.next()).toBe(false);
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000);
    });

    test('tiny chunks count with their overhead', () => {
        const reader = sessionReader();
        for (let index = 0; index < 100; index += 1) {
            reader.push(Buffer.from('x'));
        }
        expect(reader.waitingBytes).toBeGreaterThan(100 * 256 - 257);
    });
});
