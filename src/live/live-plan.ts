/**
 * A query that can be kept live, compiled: which rows of one table it has, and how it shows them. Made once per
 * distinct query and shared by all who ask the same.
 *
 * What must stay true: a plan decides each row from that row alone (filter and projection over one table). Whatever
 * else a query may need, another row, the time, chance, is refused with 0A000 and a hint, never approximated.
 * `key` is equal exactly when two plans over one table give the same events: same owner, columns, condition and values.
 */
import {createHash} from 'node:crypto';
import type {TableDescriptor} from '../../catalog/descriptor.ts';
import {SYSTEM_COLUMNS} from '../../catalog/descriptor.ts';
import {PgError} from '../../catalog/errors.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import {type BoundSelect, type Expr, Unsupported} from '../sql/bound.ts';
import {equalityKey, type EqualityKey} from './equality-key.ts';
import {assertRowWise} from './row-wise.ts';
import {jsonEncoder, type TypeLookup, updatedJson} from './row-json.ts';

const {_seq: seqColumn, _updated: updatedColumn} = SYSTEM_COLUMNS;

/** What a row's version must have: RowVersion has it. `values[i]` belongs to `table.columns[i]` of its descriptor. */
export interface LiveRow {
    readonly seq: number;
    readonly updatedNs: bigint;
    readonly values: readonly Datum[];
}

export type EvaluateRow = (row: LiveRow) => Datum;

/** Turns expressions over source 0 = `table` into closures. Throws Unsupported for what it cannot compile. */
export interface ExpressionCompiler {
    compile(expr: Expr, table: TableDescriptor, parameters: readonly Datum[]): EvaluateRow;
}

export interface LivePlanRequest {
    /** The query's text, for lists and messages. */
    readonly text: string;
    readonly select: BoundSelect;
    readonly parameters: readonly Datum[];
    /** Role id whose rows of a `user` table are seen. Ignored for other tables. */
    readonly roleId: number;
    /** The settings that compiled expressions depend on (TimeZone, DateStyle, …), as one text. */
    readonly settingsKey: string;
    /** What current_user and its kin give, as one text. Queries that do not ask are shared across users. */
    readonly userKey: string;
    readonly compiler: ExpressionCompiler;
    readonly types: TypeLookup;
}

/** The plan compiled for one version of the table. */
export interface LiveLayout {
    readonly table: TableDescriptor;
    matches(row: LiveRow): boolean;
    /** The row as its JSON object, projected. */
    encode(row: LiveRow): string;
}

export interface LivePlan {
    readonly text: string;
    readonly select: BoundSelect;
    readonly table: TableDescriptor;
    readonly parameters: readonly Datum[];
    /** Role id of the rows' owner in a `user` table, else 0. */
    readonly owner: number;
    readonly key: string;
    /** attnums that the query reads, ascending: a snapshot needs no others. */
    readonly attnums: readonly number[];
    /** A condition `column = constant` that every row of the query meets, if there is one. */
    readonly equality: EqualityKey | undefined;
    /**
     * Compiles for a version of the table; what was compiled for `table` itself is kept.
     * @throws PgError when a column that the query reads is gone, renamed or of another type.
     */
    layout(table: TableDescriptor): LiveLayout;
    /** As `layout`, but never from what was kept: types may have changed since. */
    compile(table: TableDescriptor): LiveLayout;
}

/** @throws PgError 0A000 when the query cannot be kept live row by row. */
export function prepareLivePlan(request: LivePlanRequest): LivePlan {
    const {select, parameters, compiler, types} = request;
    const table = assertRowWise(select);
    const attnums = columnsOf(select);
    const owner = table.options.kind === 'user' ? request.roleId : 0;
    const compile = (expr: Expr, over: TableDescriptor): EvaluateRow => {
        try {
            return compiler.compile(expr, over, parameters);
        } catch (error) {
            if (!(error instanceof Unsupported)) throw error;
            throw new PgError('0A000', `this query cannot be kept live: ${error.message}`, {
                hint: 'Simplify the expression, or poll the query.',
                cause: error,
            });
        }
    };
    const layout = (over: TableDescriptor): LiveLayout => {
        assertCompatible(table, over, attnums);
        return makeLayout(select, over, compile, types);
    };
    // Compiled now so that a refusal comes with the statement, not with the first change.
    const first = layout(table);
    return {
        text: request.text,
        select,
        table,
        parameters,
        owner,
        key: sharingKey(request, owner),
        attnums,
        equality: select.where === null ? undefined : equalityKey(select.where, (expr) => compile(expr, table), types),
        layout: (over) => (over === table ? first : layout(over)),
        compile: layout,
    };
}

function makeLayout(
    select: BoundSelect,
    table: TableDescriptor,
    compile: (expr: Expr, table: TableDescriptor) => EvaluateRow,
    types: TypeLookup,
): LiveLayout {
    const condition = select.where === null ? undefined : compile(select.where, table);
    const fields = select.targets.map(({expr, name}, index) => ({
        prefix: `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`,
        encode: fieldEncoder(expr, table, compile, types),
    }));
    return {
        table,
        // SQL has three truth values: only true selects a row.
        matches: condition === undefined ? () => true : (row) => condition(row) === true,
        encode(row) {
            if (fields.length === 0) return '{}';
            let json = '';
            for (const field of fields) json += field.prefix + field.encode(row);
            return `${json}}`;
        },
    };
}

function fieldEncoder(
    expr: Expr,
    table: TableDescriptor,
    compile: (expr: Expr, table: TableDescriptor) => EvaluateRow,
    types: TypeLookup,
): (row: LiveRow) => string {
    if (expr.kind === 'column' && expr.column === seqColumn.attnum) return (row) => `"${row.seq}"`;
    if (expr.kind === 'column' && expr.column === updatedColumn.attnum) {
        return (row) => updatedJson(row.updatedNs);
    }
    const evaluate = compile(expr, table);
    const encode = jsonEncoder(expr.type.oid, types);
    return (row) => encode(evaluate(row));
}

/** Two versions of a table are the same to a plan when its columns keep name and type, and rows their owners. */
function assertCompatible(planned: TableDescriptor, now: TableDescriptor, attnums: readonly number[]): void {
    if (now === planned) return;
    if ((now.options.kind === 'user') !== (planned.options.kind === 'user')) {
        throw new PgError('55000', `the live query's table "${now.name}" was altered`, {
            detail: `Its type is "${now.options.kind}" now.`,
            hint: 'Subscribe again.',
            schema: now.schema,
            table: now.name,
        });
    }
    for (const attnum of attnums) {
        const before = planned.columns.find((column) => column.attnum === attnum);
        const after = now.columns.find((column) => column.attnum === attnum);
        if (
            before !== undefined &&
            after !== undefined &&
            before.name === after.name &&
            before.type.oid === after.type.oid &&
            before.type.typmod === after.type.typmod
        ) {
            continue;
        }
        throw new PgError('55000', `the live query's table "${now.name}" was altered`, {
            detail: `Column "${before?.name ?? String(attnum)}" was dropped, renamed or given another type.`,
            hint: 'Subscribe again.',
            schema: now.schema,
            table: now.name,
            column: before?.name,
        });
    }
}

function columnsOf(select: BoundSelect): number[] {
    const attnums = new Set<number>();
    const visit = (value: unknown): void => {
        if (Array.isArray(value)) {
            for (const item of value) visit(item);
        } else if (typeof value === 'object' && value !== null) {
            const node = value as {kind?: unknown; column?: unknown};
            if (node.kind === 'column' && typeof node.column === 'number' && node.column > 0) attnums.add(node.column);
            for (const inner of Object.values(value)) visit(inner);
        }
    };
    visit(select.targets);
    visit(select.where);
    return [...attnums].toSorted((a, b) => a - b);
}

function sharingKey(request: LivePlanRequest, owner: number): string {
    const {select, parameters, settingsKey, userKey} = request;
    // attnums are never reused and so name columns for good, through any ALTER TABLE.
    const key = JSON.stringify([owner, settingsKey, select.targets, select.where, parameters], exactValue);
    // Digested: a wide table's targets would make it kilobytes.
    return createHash('sha256')
        .update(key.includes('"kind":"sqlvalue"') ? key + userKey : key)
        .digest('base64');
}

/** Values that JSON has no form for, told apart from all others. */
function exactValue(_name: string, value: unknown): unknown {
    if (typeof value === 'bigint') return {bigint: String(value)};
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
        return {number: Object.is(value, -0) ? '-0' : String(value)};
    }
    if (value instanceof Uint8Array) return {bytes: Buffer.from(value).toString('hex')};
    return value;
}
