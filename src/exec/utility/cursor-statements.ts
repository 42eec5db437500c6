/**
 * DECLARE, FETCH, MOVE and CLOSE, over the rows of any plan: forward only, within a transaction.
 */
import {type AstFields, isTrue, numberOf, textOf} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {Cursor} from '../../session/session-cursors.ts';
import type {Node} from '../../sql/nodes.ts';
import type {ResponseWriter} from '../../../wire/handler.ts';
import {NO_PARAMETERS, type Plan, type PullResult, type RowSource, type StartedStatement} from '../plan.ts';
import type {Planner, Statement} from '../planner.ts';
import {columnEncoders, formatOf, writeRow} from '../row-writer.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from './plans.ts';
import {RowTextWriter} from './row-text-writer.ts';
import {textAfterWord} from './source-text.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

/** parsenodes.h, CURSOR_OPT_*. */
const BINARY = 0x1;
const SCROLL = 0x2;
const HOLD = 0x20;

export async function planDeclare(
    statement: Parsed,
    fields: AstFields,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    const name = textOf(fields, 'portalname') ?? '';
    const options = numberOf(fields, 'options');
    if ((options & HOLD) !== 0) throw notSupported('a cursor WITH HOLD', 'Keep the transaction open, or use a table.');
    if ((options & SCROLL) !== 0)
        throw notSupported('a SCROLL cursor', 'Use a cursor without SCROLL and read forward.');
    if ((options & BINARY) !== 0) throw notSupported('a BINARY cursor', 'Ask for binary results when fetching.');
    const {text, offset} = textAfterWord(statement.sql, 'for');
    const tree = fields['query'] as Node;
    const query: Parsed = {kind: 'parsed', sql: text, offset: statement.offset + offset, tree, endsTransaction: false};
    const inner = await planner.planQuery(query, [], context);
    return commandPlan(
        context,
        async (executing) => {
            const {session} = executing;
            if (!session.transaction.inBlock && !session.transaction.manyStatements) {
                throw new PgError('25P01', 'DECLARE CURSOR can only be used in transaction blocks');
            }
            session.cursors.assertFree(name);
            const {rows} = await inner.start(executing, NO_PARAMETERS);
            if (rows === null) throw new PgError('42P11', 'cannot open a query without rows as cursor');
            session.cursors.add(new Cursor(name, inner, rows));
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

/** Rows to pass over, then rows to give; Infinity = all. */
interface Movement {
    readonly skip: number;
    readonly count: number;
}

/** FETCH ALL is the largest number of the platform that parsed it. */
const ALL = 0x7fff_ffff;

function movement(fields: AstFields, cursor: Cursor): Movement {
    const direction = textOf(fields, 'direction') ?? 'FETCH_FORWARD';
    const given = Number(fields['howMany'] ?? 0);
    const many = given >= ALL ? Number.POSITIVE_INFINITY : given;
    switch (direction) {
        case 'FETCH_FORWARD':
            if (many > 0) return {skip: 0, count: many};
            break;
        case 'FETCH_RELATIVE':
            if (many > 0) return {skip: many - 1, count: 1};
            break;
        case 'FETCH_ABSOLUTE':
            if (many > cursor.position) return {skip: many - 1 - cursor.position, count: 1};
            break;
        default:
    }
    throw new PgError('55000', 'cursor can only scan forward', {
        hint: 'Close the cursor and declare it again to read from the start.',
    });
}

export function planFetch(fields: AstFields, context: StatementContext): Plan {
    const name = textOf(fields, 'portalname') ?? '';
    const isMove = isTrue(fields, 'ismove');
    const {plan: inner} = context.session.cursors.require(name);
    const moveOnly = async (executing: StatementContext): Promise<string> => {
        const cursor = executing.session.cursors.require(name);
        const {skip, count} = movement(fields, cursor);
        await pass(cursor, skip, executing);
        return `MOVE ${await pass(cursor, count, executing)}`;
    };
    if (isMove) return commandPlan(context, moveOnly);
    return {
        path: 'utility',
        reason: `FETCH by the ${inner.path} path`,
        parameterTypes: [],
        fields: inner.fields,
        catalogVersion: context.catalog.version,
        writes: false,
        endsTransaction: false,
        async start(executing, parameters): Promise<StartedStatement> {
            const cursor = executing.session.cursors.require(name);
            if (cursor.plan !== inner) throw new PgError('0A000', 'cached plan must not change result type');
            const {skip, count} = movement(fields, cursor);
            await pass(cursor, skip, executing);
            const rows = new CursorRows(cursor, count, parameters.resultFormats, executing);
            return {rows, tag: (pulled) => `FETCH ${pulled}`};
        },
    };
}

/** Lets rows go by unseen. Gives how many there were. */
async function pass(cursor: Cursor, count: number, context: StatementContext): Promise<number> {
    if (count === 0 || cursor.done) return 0;
    const nowhere = new RowTextWriter(context.writer, () => undefined);
    const {rows} = await advance(cursor, count, nowhere);
    return rows;
}

async function advance(cursor: Cursor, count: number, writer: ResponseWriter): Promise<PullResult> {
    const result = await cursor.rows.pull(count === Number.POSITIVE_INFINITY ? 0 : count, writer);
    cursor.position += result.rows;
    if (result.done) cursor.done = true;
    return result;
}

class CursorRows implements RowSource {
    readonly #cursor: Cursor;
    readonly #formats: readonly number[];
    readonly #context: StatementContext;
    #left: number;

    constructor(cursor: Cursor, count: number, formats: readonly number[], context: StatementContext) {
        this.#cursor = cursor;
        this.#left = count;
        this.#formats = formats;
        this.#context = context;
    }

    async pull(rowsMax: number, writer: ResponseWriter): Promise<PullResult> {
        const count = rowsMax === 0 ? this.#left : Math.min(rowsMax, this.#left);
        if (count === 0 || this.#cursor.done) return {rows: 0, done: true};
        const {rows} = await advance(this.#cursor, count, this.#target(writer));
        this.#left -= rows;
        return {rows, done: rowsMax === 0 || rows < rowsMax};
    }

    cancel(): void {
        this.#cursor.rows.cancel?.();
    }

    close(): void {
        this.#left = 0;
    }

    /** The cursor's rows come as text, which it was opened with; binary results are made from that. */
    #target(writer: ResponseWriter): ResponseWriter {
        const fields = this.#cursor.plan.fields ?? [];
        if (!fields.some((_, column) => formatOf(this.#formats, column) === 1)) return writer;
        const {catalog, output} = this.#context;
        const types = fields.map((field) => catalog.types.require(field.typeOid));
        const encoders = columnEncoders(types, this.#formats);
        return new RowTextWriter(writer, (row) => {
            const values = row.map((text, i): Datum =>
                text === null ? null : (types[i]?.parse(text, output) ?? null),
            );
            writeRow(values, encoders, writer, output);
        });
    }
}
