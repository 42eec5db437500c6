/**
 * What a statement answered, in a form that can be compared between servers: rows as the text of the protocol, column
 * names and types, command tag, SQLSTATE. Made from protocol messages, so no driver's conversions are in between.
 */
import {isDeepStrictEqual} from 'node:util';
import {DatabaseError} from 'pg-protocol';
import type {
    BackendMessage,
    CommandCompleteMessage,
    DataRowMessage,
    RowDescriptionMessage,
} from 'pg-protocol/dist/messages.js';

/** Oids from here on belong to objects that users made, and differ from server to server. */
const FIRST_USER_OID = 16_384;
const FLOAT_OIDS: readonly (number | 'user')[] = [700, 701];
/** Sums of floats depend on the order of their terms: the last digits may differ. */
const FLOAT_TOLERANCE = 1e-12;

export type Row = readonly (string | null)[];

export interface OutcomeColumn {
    readonly name: string;
    readonly type: number | 'user';
}

export interface Outcome {
    readonly columns: readonly OutcomeColumn[] | undefined;
    readonly rows: readonly Row[];
    readonly tag: string | undefined;
    readonly sqlstate: string | undefined;
    readonly message: string | undefined;
    readonly hint?: string | undefined;
}

/** Anything that can answer a statement. */
export interface Answerer {
    /** One statement by the extended protocol. An error is an outcome, not an exception. */
    run(sql: string): Promise<Outcome>;
}

export interface CompareOptions {
    /** Rows in the order of the answer; else as a multiset. */
    readonly ordered: boolean;
    /** Floats may differ by a relative 1e-12. */
    readonly approximate: boolean;
}

/** Splits the messages of one round trip into the outcomes of its statements. */
export function outcomesOf(messages: readonly BackendMessage[]): Outcome[] {
    const outcomes: Outcome[] = [];
    let columns: OutcomeColumn[] | undefined;
    let rows: Row[] = [];
    const finish = (tag: string | undefined, error?: DatabaseError): void => {
        outcomes.push({columns, rows, tag, sqlstate: error?.code, message: error?.message, hint: error?.hint});
        columns = undefined;
        rows = [];
    };
    for (const message of messages) {
        if (message instanceof DatabaseError) finish(undefined, message);
        else if (message.name === 'rowDescription') columns = columnsOf(message as RowDescriptionMessage);
        else if (message.name === 'dataRow') rows.push((message as DataRowMessage).fields as Row);
        else if (message.name === 'commandComplete') finish((message as CommandCompleteMessage).text);
        else if (message.name === 'emptyQuery') finish('');
    }
    return outcomes;
}

/** The first difference in words, or undefined when the answers are the same. */
export function compareOutcomes(actual: Outcome, expected: Outcome, options: CompareOptions): string | undefined {
    if (actual.sqlstate !== expected.sqlstate) {
        return `SQLSTATE ${describeError(actual)} instead of ${describeError(expected)}`;
    }
    if (expected.sqlstate !== undefined) return undefined;
    if (actual.tag !== expected.tag) return `tag ${actual.tag} instead of ${expected.tag}`;
    if (!isDeepStrictEqual(actual.columns, expected.columns)) {
        return `columns ${describeColumns(actual)} instead of ${describeColumns(expected)}`;
    }
    if (actual.rows.length !== expected.rows.length) {
        return `${actual.rows.length} rows instead of ${expected.rows.length}`;
    }
    const actualRows = options.ordered ? actual.rows : sorted(actual.rows);
    const expectedRows = options.ordered ? expected.rows : sorted(expected.rows);
    for (const [index, expectedRow] of expectedRows.entries()) {
        const actualRow = actualRows[index] ?? [];
        const same = expectedRow.every((value, column) => {
            const type = expected.columns?.[column]?.type;
            return sameValue(actualRow[column] ?? null, value, options.approximate && FLOAT_OIDS.includes(type ?? 0));
        });
        if (!same) return `row ${index + 1}: ${JSON.stringify(actualRow)} instead of ${JSON.stringify(expectedRow)}`;
    }
    return undefined;
}

function columnsOf(description: RowDescriptionMessage): OutcomeColumn[] {
    return description.fields.map(({name, dataTypeID}) => ({
        name,
        type: dataTypeID >= FIRST_USER_OID ? 'user' : dataTypeID,
    }));
}

function sameValue(actual: string | null, expected: string | null, approximate: boolean): boolean {
    if (actual === expected) return true;
    if (!approximate || actual === null || expected === null) return false;
    const left = Number(actual);
    const right = Number(expected);
    return Math.abs(left - right) <= FLOAT_TOLERANCE * Math.max(Math.abs(left), Math.abs(right));
}

function sorted(rows: readonly Row[]): readonly Row[] {
    return rows
        .map((row) => ({row, key: JSON.stringify(row)}))
        .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
        .map(({row}) => row);
}

function describeError({sqlstate, message}: Outcome): string {
    return sqlstate === undefined ? 'none' : `${sqlstate} (${message})`;
}

function describeColumns({columns}: Outcome): string {
    return columns === undefined ? 'none' : columns.map(({name, type}) => `${name}:${type}`).join(', ');
}
