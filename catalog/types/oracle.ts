/**
 * PostgreSQL as the oracle of this folder's tests: one in-process PGlite a test file, asked for text forms, binary forms
 * and errors. Only tests import it.
 */
import {PGlite} from '@electric-sql/pglite';
import type {PgType} from './pg-type.ts';

export interface Answer {
    readonly text?: string | null;
    readonly code?: string;
    readonly message?: string;
    readonly detail?: string;
}

export interface Oracle {
    /** Runs one query of one text column and gives all its rows. */
    column(sql: string): Promise<(string | null)[]>;
    /** Evaluates each expression by itself: its text form, or its error. */
    each(expressions: readonly string[]): Promise<Answer[]>;
    exec(sql: string): Promise<void>;
    close(): Promise<void>;
}

interface ServerError {
    readonly code: string;
    readonly message: string;
    readonly detail: string | null;
}

export function quote(text: string): string {
    return `'${text.replaceAll("'", "''")}'`;
}

export async function startOracle(): Promise<Oracle> {
    const database = await PGlite.create();
    await database.exec('set standard_conforming_strings = on');
    const column = async (sql: string): Promise<(string | null)[]> => {
        const result = await database.query<[string | null]>(sql, [], {rowMode: 'array'});
        return result.rows.map((row) => row[0]);
    };
    return {
        column,
        each: async (expressions) => {
            const answers: Answer[] = [];
            for (const expression of expressions) {
                try {
                    answers.push({text: (await column(`select (${expression})::text`))[0] ?? null});
                } catch (error) {
                    const {code, message, detail} = error as ServerError;
                    answers.push(detail === null || detail === undefined ? {code, message} : {code, message, detail});
                }
            }
            return answers;
        },
        exec: async (sql) => {
            await database.exec(sql);
        },
        close: () => database.close(),
    };
}

/** The same shape for our own side. */
export function attempt(compute: () => string | null): Answer {
    try {
        return {text: compute()};
    } catch (error) {
        const {code, message, detail} = error as {code: string; message: string; detail?: string};
        return detail === undefined ? {code, message} : {code, message, detail};
    }
}

/** The inputs that the type accepts, without those that mean another thing each moment. */
export function validInputs(type: PgType, inputs: readonly string[]): string[] {
    return inputs.filter((input) => attempt(() => String(type.parse(input) === null)).code === undefined);
}
