/**
 * Runs one statement of the corpus on one server. Statements that write run in a transaction with their check and are
 * rolled back, so every statement meets the same rows whatever ran before.
 */
import {parseSync} from 'libpg-query';
import type {Answerer, CompareOptions, Outcome} from '../support/outcome.ts';
import {compareOutcomes} from '../support/outcome.ts';
import type {CorpusStatement} from './corpus/statement.ts';

export interface StatementAnswer {
    readonly outcome: Outcome;
    /** The check's answer; undefined for reads and after an error. */
    readonly left: Outcome | undefined;
}

export async function runStatement(server: Answerer, {sql, check}: CorpusStatement): Promise<StatementAnswer> {
    if (check === undefined) return {outcome: await server.run(sql), left: undefined};
    await server.run('begin');
    try {
        const outcome = await server.run(sql);
        return {outcome, left: outcome.sqlstate === undefined ? await server.run(check) : undefined};
    } finally {
        await server.run('rollback');
    }
}

/** The first difference in words, or undefined. */
export function compareAnswers(
    statement: CorpusStatement,
    actual: StatementAnswer,
    expected: StatementAnswer,
): string | undefined {
    const difference = compareOutcomes(actual.outcome, expected.outcome, optionsFor(statement.sql, statement));
    if (difference !== undefined || actual.left === undefined || expected.left === undefined) return difference;
    const leftDifference = compareOutcomes(actual.left, expected.left, optionsFor(statement.check ?? '', statement));
    return leftDifference === undefined ? undefined : `afterwards: ${leftDifference}`;
}

/** The first difference of one statement's answers, in words, or undefined. */
export function compareStatement(sql: string, actual: Outcome, expected: Outcome): string | undefined {
    return compareOutcomes(actual, expected, {ordered: isOrdered(sql), approximate: false});
}

function optionsFor(sql: string, {approximate}: CorpusStatement): CompareOptions {
    return {ordered: isOrdered(sql), approximate};
}

/** True when the outermost query has an ORDER BY: then the order of rows is part of the answer. */
function isOrdered(sql: string): boolean {
    try {
        const tree = parseSync(sql) as {stmts?: {stmt?: {SelectStmt?: {sortClause?: unknown}}}[]};
        return tree.stmts?.[0]?.stmt?.SelectStmt?.sortClause !== undefined;
    } catch {
        return false;
    }
}
