/**
 * Reads the fields of one message body in place. There is one cursor per connection, reset for each message.
 *
 * What must stay true: nothing is read past the body's end. A body that is too short, has an unterminated string or has
 * bytes left over is a protocol violation: after it neither side knows what the other meant.
 */

import {protocolViolation} from './protocol-error.ts';
import {decodeUtf8} from './text.ts';

/** Names are few and come again with every message: interned, they cost neither a string nor its hash. */
const NAME_SLOTS = 64;
const NAME_BYTES_MAX = 63;

export class MessageCursor {
    buffer: Buffer = Buffer.alloc(0);
    position = 0;
    end = 0;
    readonly #names: string[] = Array.from({length: NAME_SLOTS}, () => '');

    reset(buffer: Buffer, start: number, end: number): void {
        this.buffer = buffer;
        this.position = start;
        this.end = end;
    }

    byte(): number {
        const position = this.#advance(1);
        return this.buffer[position] ?? 0;
    }

    uint16(): number {
        const position = this.#advance(2);
        return ((this.buffer[position] ?? 0) << 8) | (this.buffer[position + 1] ?? 0);
    }

    int32(): number {
        const position = this.#advance(4);
        const buffer = this.buffer;
        return (
            ((buffer[position] ?? 0) << 24) |
            ((buffer[position + 1] ?? 0) << 16) |
            ((buffer[position + 2] ?? 0) << 8) |
            (buffer[position + 3] ?? 0)
        );
    }

    uint32(): number {
        return this.int32() >>> 0;
    }

    /** Skips `count` bytes and returns where they began. */
    bytes(count: number): number {
        return this.#advance(count);
    }

    /** A string that ends with a zero byte. */
    cstring(): string {
        const start = this.position;
        const terminator = this.buffer.indexOf(0, start);
        if (terminator === -1 || terminator >= this.end) {
            throw protocolViolation('invalid string in message');
        }
        this.position = terminator + 1;
        return decodeUtf8(this.buffer, start, terminator);
    }

    /** A string that is likely to come again: a statement's or portal's name. */
    name(): string {
        const buffer = this.buffer;
        const start = this.position;
        if (buffer[start] === 0 && start < this.end) {
            this.position = start + 1;
            return '';
        }
        const limit = Math.min(this.end, start + NAME_BYTES_MAX + 1);
        let hash = 0;
        let position = start;
        for (; position < limit; position += 1) {
            const byte = buffer[position] ?? 0;
            if (byte === 0) {
                break;
            }
            hash = (hash * 31 + byte) | 0;
        }
        if (position === limit) {
            return this.cstring();
        }
        const slot = hash & (NAME_SLOTS - 1);
        const known = this.#names[slot] ?? '';
        if (this.#holds(known, start, position)) {
            this.position = position + 1;
            return known;
        }
        const name = this.cstring();
        this.#names[slot] = name;
        return name;
    }

    /** The body must be used up. */
    finish(): void {
        if (this.position !== this.end) {
            throw protocolViolation('invalid message format');
        }
    }

    /** Compares bytes with UTF-16 units: equal only for ASCII, which is enough for a cache. */
    #holds(name: string, start: number, end: number): boolean {
        if (name.length !== end - start) {
            return false;
        }
        for (let index = 0; index < name.length; index += 1) {
            const byte = this.buffer[start + index] ?? 0;
            if (byte >= 0x80 || name.charCodeAt(index) !== byte) {
                return false;
            }
        }
        return true;
    }

    #advance(count: number): number {
        const position = this.position;
        if (count < 0 || count > this.end - position) {
            throw protocolViolation('insufficient data left in message');
        }
        this.position = position + count;
        return position;
    }
}
