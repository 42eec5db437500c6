/**
 * One cursor: the rows of a plan, read forward as they are asked for, and kept where the cursor may go back.
 * Positions are those of PostgreSQL: 0 before the first row, n + 1 after the last.
 *
 * What must stay true: kept rows are bounded. A SCROLL or WITH HOLD cursor that outgrows the bound is an error; another
 * cursor then forgets them and can only scan forward.
 */
import {PgError} from '../../catalog/errors.ts';
import type {Plan, PullResult, RowSource} from '../exec/plan.ts';
import {RowBytesWriter} from '../exec/utility/row-bytes-writer.ts';
import {RowTextWriter, type TextRow} from '../exec/utility/row-text-writer.ts';
import type {ResponseWriter} from '../../wire/handler.ts';

/** Rows of a SCROLL or WITH HOLD cursor: characters, and so much for each row and value. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;
/** Rows of a cursor that nobody has said will go back. */
const KEPT_ANYWAY_BYTES_MAX = 256 * 1024;
const VALUE_OVERHEAD_BYTES = 24;

/** Infinity = all that are left. */
export type RowCount = number;

export interface CursorTraits {
    readonly name: string;
    /** As sent: for pg_cursors. */
    readonly statement: string;
    readonly scroll: 'yes' | 'no' | 'unspecified';
    readonly withHold: boolean;
    /** Its place in the order of the session's portals. */
    readonly serial: number;
    /** Of the rows, for a portal of the protocol; none = text. */
    readonly formats?: readonly number[];
}

/** Where rows go: texts from what is kept, or any rows of the plan through the writer. */
export interface CursorSink {
    row(values: TextRow): void;
    readonly writer: ResponseWriter;
}

export class Cursor {
    readonly name: string;
    readonly statement: string;
    readonly scroll: CursorTraits['scroll'];
    readonly withHold: boolean;
    readonly serial: number;
    /** Some of its columns do not come as text. */
    readonly isBinary: boolean;
    readonly plan: Plan;
    readonly createdAtMs = Date.now();
    readonly #rows: RowSource;
    readonly #writer: ResponseWriter;
    /** From row `#keptFrom` + 1 on; undefined: none are. */
    #kept: TextRow[] | undefined;
    #keptFrom = 0;
    #keptBytes = 0;
    #position = 0;
    /** Number of rows, once the end was met. */
    #total: number | undefined;
    #holding = false;
    #held = false;

    /** `writer` is that of the session: of its congestion the rows take notice. */
    constructor(traits: CursorTraits, plan: Plan, rows: RowSource, writer: ResponseWriter) {
        this.name = traits.name;
        this.statement = traits.statement;
        this.scroll = traits.scroll;
        this.withHold = traits.withHold;
        this.serial = traits.serial;
        this.isBinary = traits.formats?.includes(1) ?? false;
        this.plan = plan;
        this.#rows = rows;
        this.#writer = writer;
        this.#kept = traits.scroll === 'no' ? undefined : [];
    }

    get held(): boolean {
        return this.#held;
    }

    cancel(): void {
        this.#rows.cancel?.();
    }

    async close(): Promise<void> {
        this.#kept = undefined;
        await this.#rows.close();
    }

    /** Reads what is left, so that the rows outlive the transaction. */
    async hold(): Promise<void> {
        if (this.#kept === undefined) {
            this.#kept = [];
            this.#keptFrom = this.#position;
            this.#keptBytes = 0;
        }
        const position = this.#position;
        this.#holding = true;
        await this.forward(Number.POSITIVE_INFINITY, undefined);
        this.#position = position;
        await this.#rows.close();
        this.#held = true;
    }

    /** The rows behind the current one. Gives how many there were. */
    async forward(count: RowCount, sink: CursorSink | undefined): Promise<number> {
        let given = this.#forwardKept(count, sink);
        if (given < count && this.#total === undefined) given += await this.#read(count - given, sink);
        if (given < count && this.#total !== undefined) this.#position = this.#total + 1;
        return given;
    }

    /** The rows before the current one, in reverse. */
    backward(count: RowCount, sink: CursorSink | undefined): number {
        const first = Math.max(1, this.#position - count);
        let given = 0;
        for (let row = this.#position - 1; row >= first; row--) {
            const values = this.#keptRow(row);
            sink?.row(values);
            given++;
        }
        if (given === 0 && this.#position > 0) this.#assertGoesBack();
        this.#position = given < count ? 0 : first;
        return given;
    }

    /** The current row again. */
    again(sink: CursorSink | undefined): number {
        const position = this.#position;
        if (position === 0 || (this.#total !== undefined && position > this.#total)) return 0;
        const values = this.#keptRow(position);
        sink?.row(values);
        return 1;
    }

    /** Row `row`, from the end when it is negative; 0 is before the first. */
    async absolute(row: number, sink: CursorSink | undefined): Promise<number> {
        let target = row;
        if (row < 0) {
            await this.forward(Number.POSITIVE_INFINITY, undefined);
            target = Math.max(0, (this.#total ?? 0) + row + 1);
        }
        if (target > this.#position) {
            await this.forward(target - 1 - this.#position, undefined);
            return await this.forward(1, sink);
        }
        if (target === 0) {
            if (this.#position > 0) this.#assertGoesBack();
            this.#position = 0;
            return 0;
        }
        const values = this.#keptRow(target);
        this.#position = target;
        sink?.row(values);
        return 1;
    }

    async relative(rows: number, sink: CursorSink | undefined): Promise<number> {
        if (rows === 0) return this.again(sink);
        if (rows > 0) {
            await this.forward(rows - 1, undefined);
            return await this.forward(1, sink);
        }
        this.backward(-rows - 1, undefined);
        return this.backward(1, sink);
    }

    #forwardKept(count: RowCount, sink: CursorSink | undefined): number {
        const kept = this.#kept;
        if (kept === undefined) return 0;
        let given = 0;
        while (given < count) {
            const values = kept[this.#position - this.#keptFrom];
            if (values === undefined) break;
            sink?.row(values);
            this.#position++;
            given++;
        }
        return given;
    }

    async #read(count: RowCount, sink: CursorSink | undefined): Promise<number> {
        const result = await this.#rows.pull(count === Number.POSITIVE_INFINITY ? 0 : count, this.#target(sink));
        this.#position += result.rows;
        this.#ended(result);
        return result.rows;
    }

    #ended({done}: PullResult): void {
        if (done) this.#total = this.#position;
        if (this.#keptBytes > KEPT_ANYWAY_BYTES_MAX && !this.#mustKeep) this.#kept = undefined;
    }

    get #mustKeep(): boolean {
        return this.#holding || this.scroll === 'yes';
    }

    #target(sink: CursorSink | undefined): ResponseWriter {
        const kept = this.#kept;
        if (kept === undefined) return sink?.writer ?? new RowBytesWriter(this.#writer, () => undefined);
        return new RowTextWriter(sink?.writer ?? this.#writer, (values) => {
            this.#keep(kept, values);
            sink?.row(values);
        });
    }

    #keep(kept: TextRow[], values: TextRow): void {
        if (this.#keptBytes > KEPT_ANYWAY_BYTES_MAX && !this.#mustKeep) return;
        kept.push(values);
        for (const value of values) this.#keptBytes += VALUE_OVERHEAD_BYTES + 2 * (value?.length ?? 0);
        if (this.#keptBytes > KEPT_BYTES_MAX) {
            throw new PgError('54000', `cursor "${this.name}" has more rows than can be kept`, {
                detail: `A SCROLL or WITH HOLD cursor keeps at most ${KEPT_BYTES_MAX / 1024 / 1024} MB.`,
                hint: 'Declare it without SCROLL and without HOLD, or narrow its query.',
            });
        }
    }

    /** @throws PgError 55000 when it is gone by for good. */
    #keptRow(row: number): TextRow {
        this.#assertGoesBack();
        const values = this.#kept?.[row - 1 - this.#keptFrom];
        if (values === undefined) throw forwardOnly();
        return values;
    }

    #assertGoesBack(): void {
        if (this.scroll === 'no' || this.#kept === undefined) throw forwardOnly();
    }
}

function forwardOnly(): PgError {
    return new PgError('55000', 'cursor can only scan forward', {
        hint: 'Declare it with SCROLL option to enable backward scan.',
    });
}
