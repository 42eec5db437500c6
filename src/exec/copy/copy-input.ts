/**
 * The bytes of COPY FROM as valid text, cut only between lines: the parsers behind it never see half a line or half a
 * character. Source: PostgreSQL documentation, COPY, "File Formats"; CopyReadLine in copyfromparse.c.
 *
 * What must stay true: at most one unfinished line is kept, and it is bounded; text is checked UTF-8 without zero
 * bytes before anything else looks at it.
 */
import {isUtf8} from 'node:buffer';
import {PgError} from '../../../catalog/errors.ts';

/** As PostgreSQL's limit on one line: 1 GB there; a JavaScript string can hold half of it. */
const LINE_BYTES_MAX = 256 * 1024 * 1024;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** Decodes bytes that are whole characters. Throws 22021 as PostgreSQL does. */
export function decodeUtf8(bytes: Buffer): string {
    if (!isUtf8(bytes) || bytes.includes(0)) throw invalidUtf8(bytes);
    return bytes.toString('utf8');
}

export class CopyInput {
    #rest: Buffer[] = [];
    #restBytes = 0;

    /** The text up to the last line end in what has come so far; '' when no line has ended. */
    push(chunk: Buffer): string {
        const end = Math.max(chunk.lastIndexOf(NEWLINE), lastBareReturn(chunk));
        if (end < 0) {
            this.#keep(chunk);
            return '';
        }
        const head = chunk.subarray(0, end + 1);
        const bytes = this.#rest.length === 0 ? head : Buffer.concat([...this.#rest, head]);
        this.#rest = [];
        this.#restBytes = 0;
        if (end + 1 < chunk.length) this.#keep(chunk.subarray(end + 1));
        return decodeUtf8(bytes);
    }

    /** What is left without a line end. */
    finish(): string {
        const bytes = Buffer.concat(this.#rest);
        this.#rest = [];
        this.#restBytes = 0;
        return decodeUtf8(bytes);
    }

    #keep(bytes: Buffer): void {
        this.#restBytes += bytes.length;
        if (this.#restBytes > LINE_BYTES_MAX) {
            throw new PgError('54000', 'a line of COPY data is too long', {
                detail: `A line may have at most ${LINE_BYTES_MAX} bytes.`,
            });
        }
        this.#rest.push(bytes);
    }
}

/** A carriage return that is not the chunk's last byte: a newline may still follow that one. */
function lastBareReturn(chunk: Buffer): number {
    return chunk.length < 2 ? -1 : chunk.lastIndexOf(CARRIAGE_RETURN, chunk.length - 2);
}

function invalidUtf8(bytes: Buffer): PgError {
    let at = 0;
    while (at < bytes.length) {
        const length = characterBytes(bytes, at);
        if (length === 0) break;
        at += length;
    }
    const lead = bytes[at] ?? 0;
    const wanted = lead < 0xc0 || lead >= 0xf8 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const shown = [...bytes.subarray(at, Math.min(at + wanted, bytes.length))];
    const hex = shown.map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
    return new PgError('22021', `invalid byte sequence for encoding "UTF8": ${hex}`);
}

/** Bytes of the valid character at `at`; 0 when there is none. */
function characterBytes(bytes: Buffer, at: number): number {
    const lead = bytes[at] ?? 0;
    if (lead === 0) return 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const slice = bytes.subarray(at, at + length);
    return slice.length === length && isUtf8(slice) ? length : 0;
}
