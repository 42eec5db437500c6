/**
 * Small edits of a statement's text: what the twin runs is the user's own text but for the places named here, so that
 * nothing is ever printed from a tree and lost on the way.
 *
 * What must stay true: offsets are bytes of UTF-8, as in parse trees; edits never overlap; a position in an error about
 * the edited text is told as a position in the user's text.
 */
import {strict as assert} from 'node:assert';

interface Edit {
    readonly start: number;
    readonly end: number;
    readonly text: string;
}

/** A run of bytes of the edited text and where they come from. */
interface Piece {
    readonly bytes: Buffer;
    /** Byte offset in the original text; of an inserted piece, the place it was inserted at. */
    readonly original: number;
    readonly inserted: boolean;
}

export class Splices {
    readonly #original: Buffer;
    readonly #edits: Edit[] = [];

    constructor(sql: string) {
        this.#original = Buffer.from(sql);
    }

    get byteLength(): number {
        return this.#original.length;
    }

    slice(start: number, end: number): string {
        return this.#original.toString('utf8', start, end);
    }

    insert(at: number, text: string): this {
        return this.replace(at, at, text);
    }

    replace(start: number, end: number, text: string): this {
        assert(start <= end && end <= this.#original.length, 'an edit inside the text');
        this.#edits.push({start, end, text});
        return this;
    }

    apply(): SplicedText {
        const pieces: Piece[] = [];
        let offset = 0;
        // The sort is stable: insertions at one place keep their order.
        for (const edit of this.#edits.toSorted((a, b) => a.start - b.start)) {
            assert(edit.start >= offset, 'edits do not overlap');
            pieces.push({bytes: this.#original.subarray(offset, edit.start), original: offset, inserted: false});
            pieces.push({bytes: Buffer.from(edit.text), original: edit.start, inserted: true});
            offset = edit.end;
        }
        pieces.push({bytes: this.#original.subarray(offset), original: offset, inserted: false});
        return new SplicedText(this.#original, pieces);
    }
}

export class SplicedText {
    readonly sql: string;
    readonly #original: Buffer;
    readonly #pieces: readonly Piece[];

    constructor(original: Buffer, pieces: readonly Piece[]) {
        this.#original = original;
        this.#pieces = pieces;
        this.sql = Buffer.concat(pieces.map((piece) => piece.bytes)).toString('utf8');
    }

    /** 1-based position in characters of the edited text, to the same in the original. */
    originalPosition(position: number): number {
        let left = Buffer.byteLength(firstCharacters(this.sql, position - 1));
        let byteOffset = this.#original.length;
        for (const piece of this.#pieces) {
            if (left < piece.bytes.length) {
                byteOffset = piece.inserted ? piece.original : piece.original + left;
                break;
            }
            left -= piece.bytes.length;
        }
        return characterCount(this.#original.toString('utf8', 0, byteOffset)) + 1;
    }
}

function firstCharacters(text: string, count: number): string {
    let index = 0;
    for (let i = 0; i < count && index < text.length; i++) index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
    return text.slice(0, index);
}

function characterCount(text: string): number {
    let count = 0;
    for (const _ of text) count++;
    return count;
}
