/**
 * DECLARE, FETCH, MOVE and CLOSE, over the rows of any plan.
 */
import {type AstFields, isTrue, numberOf, textOf} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {Cursor, type CursorSink} from '../../session/cursor.ts';
import type {Node} from '../../sql/nodes.ts';
import type {ResponseWriter} from '../../../wire/handler.ts';
import {NO_PARAMETERS, type Plan, type PullResult, type RowSource, type StartedStatement} from '../plan.ts';
import type {Planner, Statement} from '../planner.ts';
import {columnEncoders, formatOf, writeRow} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from './plans.ts';
import {RowTextWriter, type TextRow} from './row-text-writer.ts';
import {textAfterWord} from './source-text.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

/** parsenodes.h, CURSOR_OPT_*. */
const BINARY = 0x1;
const SCROLL = 0x2;
const NO_SCROLL = 0x4;
const HOLD = 0x20;

export async function planDeclare(
    statement: Parsed,
    fields: AstFields,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    const name = textOf(fields, 'portalname') ?? '';
    const options = numberOf(fields, 'options');
    if ((options & BINARY) !== 0) throw notSupported('a BINARY cursor', 'Ask for binary results when fetching.');
    const {text, offset} = textAfterWord(statement.sql, 'for');
    const tree = fields['query'] as Node;
    const query: Parsed = {kind: 'parsed', sql: text, offset: statement.offset + offset, tree, endsTransaction: false};
    const inner = await planner.planQuery(query, [], context);
    const withHold = (options & HOLD) !== 0;
    const scroll = (options & SCROLL) !== 0 ? 'yes' : (options & NO_SCROLL) !== 0 ? 'no' : 'unspecified';
    if (inner.writes && (withHold || scroll === 'yes')) {
        throw new PgError(
            '0A000',
            `DECLARE ${withHold ? 'CURSOR WITH HOLD' : 'SCROLL CURSOR'} ... FOR UPDATE is not supported`,
            {detail: `${withHold ? 'Holdable' : 'Scrollable'} cursors must be READ ONLY.`},
        );
    }
    return commandPlan(
        context,
        async (executing) => {
            const {session} = executing;
            if (!withHold && !session.transaction.inBlock && !session.transaction.manyStatements) {
                throw new PgError('25P01', 'DECLARE CURSOR can only be used in transaction blocks');
            }
            session.cursors.assertFree(name);
            const {rows} = await inner.start(executing, NO_PARAMETERS);
            if (rows === null) throw new PgError('42P11', 'cannot open a query without rows as cursor');
            const traits = {
                name,
                statement: statement.sql,
                scroll,
                withHold,
                serial: session.nextPortalSerial(),
            } as const;
            session.cursors.add(new Cursor(traits, inner, rows, executing.writer));
            return 'DECLARE CURSOR';
        },
        {writes: inner.writes, command: 'SELECT FOR UPDATE'},
    );
}

export function planClose(fields: AstFields, context: StatementContext): Plan {
    const name = textOf(fields, 'portalname');
    return commandPlan(context, async ({session, database}) => {
        if (name === undefined) {
            session.cursors.closeAll((error) => database.logger.warn(error, 'closing a cursor'));
            return 'CLOSE CURSOR ALL';
        }
        await session.cursors.close(name);
        return 'CLOSE CURSOR';
    });
}

/** FETCH ALL is the largest number of the platform that parsed it. */
const ALL = 0x7fff_ffff;

/** Gives how many rows there were. */
async function move(fields: AstFields, cursor: Cursor, sink: CursorSink | undefined): Promise<number> {
    const direction = textOf(fields, 'direction') ?? 'FETCH_FORWARD';
    const given = Number(fields['howMany'] ?? 0);
    const many = given >= ALL ? Number.POSITIVE_INFINITY : given;
    switch (direction) {
        case 'FETCH_FORWARD':
        case 'FETCH_BACKWARD': {
            const forward = direction === 'FETCH_FORWARD' ? many : -many;
            if (forward === 0) return cursor.again(sink);
            return forward > 0 ? await cursor.forward(forward, sink) : cursor.backward(-forward, sink);
        }
        case 'FETCH_ABSOLUTE':
            return await cursor.absolute(many, sink);
        case 'FETCH_RELATIVE':
            return await cursor.relative(many, sink);
        default:
            throw notSupported('this direction of FETCH');
    }
}

export function planFetch(fields: AstFields, context: StatementContext): Plan {
    const name = textOf(fields, 'portalname') ?? '';
    const isMove = isTrue(fields, 'ismove');
    const {plan: inner} = context.session.cursor(name);
    const moveOnly = async (executing: StatementContext): Promise<string> =>
        `MOVE ${await move(fields, executing.session.cursor(name), undefined)}`;
    if (isMove) return commandPlan(context, moveOnly);
    if (context.session.cursor(name).isBinary) {
        throw notSupported('FETCH from a portal that was bound for binary results', 'Execute the portal.');
    }
    return {
        path: 'utility',
        reason: `FETCH by the ${inner.path} path`,
        parameterTypes: [],
        fields: inner.fields,
        catalogVersion: context.catalog.version,
        writes: false,
        endsTransaction: false,
        // oxlint-disable-next-line require-await -- rows are read when they are pulled
        async start(executing, parameters): Promise<StartedStatement> {
            const cursor = executing.session.cursor(name);
            if (cursor.plan !== inner) throw new PgError('0A000', 'cached plan must not change result type');
            const fetch = (sink: CursorSink): Promise<number> => move(fields, cursor, sink);
            const rows = new FetchedRows(cursor, fetch, parameters.resultFormats, executing);
            return {rows, tag: (pulled) => `FETCH ${pulled}`};
        },
    };
}

/** The rows of one FETCH. Asked for some at a time, it has read all of them before the first is given. */
class FetchedRows implements RowSource {
    readonly #cursor: Cursor;
    readonly #fetch: (sink: CursorSink) => Promise<number>;
    readonly #formats: readonly number[];
    readonly #context: StatementContext;
    #fetched: TextRow[] | undefined;
    #next = 0;

    constructor(
        cursor: Cursor,
        fetch: (sink: CursorSink) => Promise<number>,
        formats: readonly number[],
        context: StatementContext,
    ) {
        this.#cursor = cursor;
        this.#fetch = fetch;
        this.#formats = formats;
        this.#context = context;
    }

    async pull(rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        const write = this.#rowWriter(writer);
        if (this.#fetched === undefined && rowsMax === 0) {
            this.#fetched = [];
            const rows = await this.#fetch({
                row: write,
                writer: this.#isText ? writer : new RowTextWriter(writer, write),
            });
            return {rows, done: true};
        }
        const fetched = (this.#fetched ??= await this.#fetchAll(writer));
        const start = this.#next;
        const end = rowsMax === 0 ? fetched.length : Math.min(fetched.length, start + rowsMax);
        while (this.#next < end) {
            const row = fetched[this.#next++];
            if (row !== undefined) write(row);
            if (writer.congested) await writer.drained();
        }
        return {rows: end - start, done: rowsMax === 0 || end - start < rowsMax};
    }

    async #fetchAll(writer: ResponseWriter): Promise<TextRow[]> {
        const rows: TextRow[] = [];
        const row = (values: TextRow): void => void rows.push(values);
        await this.#fetch({row, writer: new RowTextWriter(writer, row)});
        return rows;
    }

    cancel(): void {
        this.#cursor.cancel();
    }

    close(): void {
        this.#fetched = [];
        this.#next = 0;
    }

    get #isText(): boolean {
        const fields = this.#cursor.plan.fields ?? [];
        return !fields.some((_, column) => formatOf(this.#formats, column) === 1);
    }

    /** The cursor's rows come as text, which it was opened with; binary results are made from that. */
    #rowWriter(writer: ResponseWriter): (row: TextRow) => void {
        if (this.#isText) {
            return (row) => {
                writer.beginRow(row.length);
                for (const text of row) {
                    if (text === null) writer.valueNull();
                    else writer.valueText(text);
                }
                writer.endRow();
            };
        }
        const {catalog, output} = this.#context;
        const types = (this.#cursor.plan.fields ?? []).map((field) => catalog.types.require(field.typeOid));
        const encoders = columnEncoders(types, this.#formats);
        return (row) => {
            const values = row.map((text, i): Datum =>
                text === null ? null : (types[i]?.parse(text, output) ?? null),
            );
            writeRow(values, encoders, writer, output);
        };
    }
}
