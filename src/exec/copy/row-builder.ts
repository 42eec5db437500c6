/**
 * From the fields of a record to the values of a row, with PostgreSQL's context in every error; or, with ON_ERROR
 * ignore, to nothing.
 */
import type {ColumnDescriptor} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {OutputSettings} from '../../../catalog/types/settings.ts';
import type {ErrorFields} from '../../../wire/handler.ts';
import {DEFAULT} from '../write/insert.ts';
import type {CopyOptions} from './copy-options.ts';
import {atPlace, badFormat, copyContext, type CopyRecord} from './copy-records.ts';
import {fieldReader, type FieldReader} from './field-readers.ts';

export type CopyRow = (Datum | typeof DEFAULT)[];

export class RowBuilder {
    readonly #table: string;
    readonly #columns: readonly ColumnDescriptor[];
    readonly #readers: readonly FieldReader[];
    readonly #hasDefault: readonly boolean[];
    readonly #options: Pick<CopyOptions, 'onError' | 'rejectLimit' | 'logVerbosity'>;
    readonly #notice: (fields: ErrorFields) => void;
    /** Rows left out by ON_ERROR ignore. */
    skipped = 0;

    constructor(parts: {
        readonly table: string;
        readonly columns: readonly ColumnDescriptor[];
        /** Whether each column has a default. */
        readonly hasDefault: readonly boolean[];
        readonly types: TypeRegistry;
        readonly settings: OutputSettings;
        readonly options: Pick<CopyOptions, 'onError' | 'rejectLimit' | 'logVerbosity'>;
        readonly notice: (fields: ErrorFields) => void;
    }) {
        this.#table = parts.table;
        this.#columns = parts.columns;
        this.#readers = parts.columns.map((column) => fieldReader(column.type, parts.types, parts.settings));
        this.#hasDefault = parts.hasDefault;
        this.#options = parts.options;
        this.#notice = parts.notice;
    }

    /** undefined: the row is left out. */
    row(record: CopyRecord): CopyRow | undefined {
        const {fields} = record;
        const readers = this.#readers;
        const row: CopyRow = [];
        let index = 0;
        try {
            for (; index < readers.length; index++) {
                const field = fields[index];
                if (field === undefined) row.push(this.#default(index));
                else row.push(field === null ? null : (readers[index] as FieldReader)(field));
            }
            return row;
        } catch (error) {
            if (this.#options.onError === 'ignore' && isSoft(error)) {
                this.#skip(record, index);
                return undefined;
            }
            const value = fields[index];
            const place = value === undefined ? {line: record.line} : {column: this.#nameOf(index), value};
            throw atPlace(error, copyContext(this.#table, record.lineNumber, place));
        }
    }

    /** Told at the end, as PostgreSQL does. */
    reportSkipped(): void {
        if (this.skipped === 0 || this.#options.logVerbosity === 'silent') return;
        const rows = this.skipped === 1 ? '1 row was' : `${this.skipped} rows were`;
        this.#notice({severity: 'NOTICE', code: '00000', message: `${rows} skipped due to data type incompatibility`});
    }

    #default(index: number): typeof DEFAULT {
        if (this.#hasDefault[index] === true) return DEFAULT;
        throw new PgError('22P04', 'unexpected default marker in COPY data', {
            detail: `Column "${this.#nameOf(index)}" has no default value.`,
        });
    }

    #skip(record: CopyRecord, index: number): void {
        const {rejectLimit, logVerbosity} = this.#options;
        this.skipped++;
        const value = record.fields[index];
        if (logVerbosity === 'verbose') {
            const shown = typeof value === 'string' ? `"${value}"` : 'null input';
            this.#notice({
                severity: 'NOTICE',
                code: '00000',
                message: `skipping row due to data type incompatibility at line ${record.lineNumber} for column "${this.#nameOf(index)}": ${shown}`,
            });
        }
        if (rejectLimit === undefined || this.skipped <= rejectLimit) return;
        const message = `skipped more than REJECT_LIMIT (${rejectLimit}) rows due to data type incompatibility`;
        const place = {column: this.#nameOf(index), value};
        throw atPlace(new PgError('22P02', message), copyContext(this.#table, record.lineNumber, place));
    }

    #nameOf(index: number): string {
        return this.#columns[index]?.name ?? '';
    }
}

/** What an input function may say of a text: class 22, data exceptions; a broken line is not among them. */
function isSoft(error: unknown): boolean {
    return error instanceof PgError && error.code.startsWith('22') && error.code !== badFormat('').code;
}
