/**
 * The rows of COPY FROM as they are read, in whichever format they come.
 *
 * What must stay true: errors carry the place in the data, as PostgreSQL gives it for that format.
 */
import type {ColumnDescriptor} from '../../../catalog/descriptor.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import {BinaryParser, type BinaryRecord} from './binary-parser.ts';
import {atPlace, copyContext, type CopyParser, type CopyRecord} from './copy-records.ts';
import {binaryFieldReader, type BinaryFieldReader} from './field-readers.ts';
import type {CopyRow, RowBuilder} from './row-builder.ts';

export interface ReadRow {
    /** undefined: left out. */
    readonly row: CopyRow | undefined;
    readonly record: CopyRecord;
}

export interface RowsRead {
    /** The rows that end within the next chunk. */
    push(chunk: Buffer): Iterable<ReadRow>;
    /** What is left at the end of the data. */
    finish(): Iterable<ReadRow>;
    reportSkipped(): void;
}

/** Text and CSV. */
export class TextRows implements RowsRead {
    readonly #parser: CopyParser;
    readonly #builder: RowBuilder;

    constructor(parser: CopyParser, builder: RowBuilder) {
        this.#parser = parser;
        this.#builder = builder;
    }

    *push(chunk: Buffer): Iterable<ReadRow> {
        for (const record of this.#parser.push(chunk)) yield {row: this.#builder.row(record), record};
    }

    *finish(): Iterable<ReadRow> {
        for (const record of this.#parser.finish()) yield {row: this.#builder.row(record), record};
    }

    reportSkipped(): void {
        this.#builder.reportSkipped();
    }
}

export class BinaryRows implements RowsRead {
    readonly #table: string;
    readonly #columns: readonly ColumnDescriptor[];
    readonly #parser: BinaryParser;
    readonly #readers: readonly BinaryFieldReader[];

    constructor(table: string, columns: readonly ColumnDescriptor[], types: TypeRegistry) {
        this.#table = table;
        this.#columns = columns;
        this.#parser = new BinaryParser({table, columns: columns.map((column) => column.name)});
        this.#readers = columns.map((column) => binaryFieldReader(column.type, types));
    }

    *push(chunk: Buffer): Iterable<ReadRow> {
        const records = this.#parser.push(chunk)[Symbol.iterator]();
        for (;;) {
            const next = this.#placed(() => records.next());
            if (next.done === true) return;
            const {lineNumber} = next.value;
            yield {row: this.#row(next.value), record: {fields: [], line: '', lineNumber}};
        }
    }

    finish(): Iterable<ReadRow> {
        this.#placed(() => this.#parser.finish());
        return [];
    }

    reportSkipped(): void {
        // ON_ERROR ignore is refused for this format.
    }

    #placed<T>(read: () => T): T {
        try {
            return read();
        } catch (error) {
            throw atPlace(error, copyContext(this.#table, this.#parser.lineNumber + 1, undefined));
        }
    }

    #row({fields, lineNumber}: BinaryRecord): CopyRow {
        const row: CopyRow = [];
        for (let i = 0; i < fields.length; i++) {
            const field = fields[i] ?? null;
            try {
                row.push(field === null ? null : (this.#readers[i] as BinaryFieldReader)(field));
            } catch (error) {
                const binaryColumn = this.#columns[i]?.name ?? '';
                throw atPlace(error, copyContext(this.#table, lineNumber, {binaryColumn}));
            }
        }
        return row;
    }
}
