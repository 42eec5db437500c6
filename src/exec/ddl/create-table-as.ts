/**
 * CREATE TABLE AS and SELECT INTO: a CREATE TABLE with the columns of the query's result, and an INSERT of the query.
 *
 * What must stay true: names and types of the columns are PostgreSQL's; both parts are in one transaction.
 */
import assert from 'node:assert/strict';
import {type AstFields, asFields, isTrue, nodesOf, relationOf, textOf, unwrap} from '../../../catalog/ddl/ast.ts';
import {planDdl} from '../../../catalog/ddl/plan.ts';
import {checkCreateTable} from '../../../catalog/ddl/refusals.ts';
import {StatementText} from '../../../catalog/ddl/statement-text.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier} from '../../../catalog/quoting.ts';
import {textsOfRow} from '../../../catalog/twin/backend-messages.ts';
import type {FieldDescription} from '../../../wire/handler.ts';
import {parseStatements} from '../../sql/parse.ts';
import type {IdAllocator} from '../../../catalog/ddl/read-back.ts';
import {NO_PARAMETERS} from '../plan.ts';
import type {Statement} from '../planner.ts';
import type {StatementContext} from '../statement-context.ts';
import {runDdlStatement} from './ddl-statement.ts';
import {passwordVerifier} from './password-verifier.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

interface CreateTableAs {
    /** `[schema.]name`, quoted. */
    readonly relation: string;
    readonly schema: string | undefined;
    readonly name: string;
    /** Names given to the first columns. */
    readonly columnNames: readonly string[];
    /** Text of WITH (…) and TABLESPACE. */
    readonly options: string;
    readonly query: string;
    readonly withData: boolean;
    readonly ifNotExists: boolean;
}

/** The INTO of a SELECT, wherever PostgreSQL allows it: in the leftmost arm of a set operation. */
export function intoClauseOf(tree: unknown): AstFields | undefined {
    let {kind, fields} = unwrap(tree);
    while (kind === 'SelectStmt') {
        if (fields['intoClause'] !== undefined) return asFields(fields['intoClause']);
        if (fields['larg'] === undefined) return undefined;
        fields = asFields(fields['larg']);
        kind = 'SelectStmt';
    }
    return undefined;
}

export function readCreateTableAs(statement: Parsed): CreateTableAs {
    const text = new StatementText(statement.sql);
    // Of several statements in a string, trees count from the beginning of the string.
    const {tree} = parsed(statement.sql);
    const {kind, fields} = unwrap(tree);
    const into = kind === 'CreateTableAsStmt' ? asFields(fields['into']) : (intoClauseOf(tree) ?? {});
    checkCreateTable(text, {relation: into['rel']});
    if (textOf(into, 'onCommit') !== 'ONCOMMIT_NOOP') throw notSupported('ON COMMIT');
    if (unwrap(fields['query']).kind === 'ExecuteStmt') {
        throw notSupported('CREATE TABLE AS EXECUTE', 'Write the query itself.');
    }
    const {schema, name, location} = relationOf(into, 'rel');
    const relation =
        schema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
    const nameToken = text.tokenAt(location);
    const afterName = nameToken + (schema === undefined ? 1 : 3);
    const common = {
        relation,
        schema,
        name,
        ifNotExists: isTrue(fields, 'if_not_exists'),
        withData: !isTrue(into, 'skipData'),
    };
    if (kind !== 'CreateTableAsStmt')
        return {...common, columnNames: [], options: '', query: withoutInto(text, nameToken, afterName)};
    const columnNames = nodesOf(into, 'colNames').map((node) => textOf(node.fields, 'sval') ?? '');
    const optionsStart = columnNames.length === 0 ? afterName : text.closing(afterName) + 1;
    let as = optionsStart;
    while (keywordAt(text, as) !== 'as') as = text.tokenText(as) === '(' ? text.closing(as) + 1 : as + 1;
    return {
        ...common,
        columnNames,
        options: sliceTokens(text, optionsStart, as - 1),
        query: sliceTokens(text, as + 1, lastOfQuery(text)),
    };
}

/** Before WITH [NO] DATA. */
function lastOfQuery(text: StatementText): number {
    let last = text.tokens.length - 1;
    if (text.tokenText(last) === ';') last--;
    if (text.tokenText(last) !== 'data') return last;
    if (text.tokenText(last - 1) === 'with') return last - 2;
    return text.tokenText(last - 1) === 'no' && text.tokenText(last - 2) === 'with' ? last - 3 : last;
}

function withoutInto(text: StatementText, nameToken: number, afterName: number): string {
    let into = nameToken - 1;
    while (keywordAt(text, into) !== 'into') into--;
    return `${sliceTokens(text, 0, into - 1)} ${sliceTokens(text, afterName, text.tokens.length - 1)}`;
}

/** A keyword that the parser has seen is there: the search for it ends within the text. */
function keywordAt(text: StatementText, index: number): string {
    assert(index >= 0 && index < text.tokens.length, 'the keyword is in the text');
    return text.tokenText(index);
}

function sliceTokens(text: StatementText, first: number, last: number): string {
    const start = text.tokens[first]?.start;
    const end = text.tokens[last]?.end;
    return start === undefined || end === undefined || end < start ? '' : text.slice(start, end);
}

/** Returns the command tag. */
export async function runCreateTableAs(
    as: CreateTableAs,
    context: StatementContext,
    ids: IdAllocator,
): Promise<string> {
    const {planner} = context.database;
    if (as.ifNotExists && context.catalog.table(as.schema, as.name, context.searchPath) !== undefined) {
        context.notice({severity: 'NOTICE', code: '42P07', message: `relation "${as.name}" already exists, skipping`});
        return 'CREATE TABLE AS';
    }
    const query = await planner.planQuery(parsed(as.query), [], context);
    if (query.parameterTypes.length > 0) throw new PgError('42P02', 'there is no parameter $1');
    const columns = await columnDefinitions(as, query.fields ?? [], context);
    const sql = `CREATE TABLE ${as.ifNotExists ? 'IF NOT EXISTS ' : ''}${as.relation} (${columns.join(', ')}) ${as.options}`;
    const plan = planDdl(sql, {scramVerifier: passwordVerifier});
    if (plan === undefined) throw new Error('CREATE TABLE is DDL');
    await runDdlStatement(plan, context, ids);
    if (!as.withData) return 'CREATE TABLE AS';
    const insert = await planner.planQuery(parsed(`INSERT INTO ${as.relation} ${as.query}`), [], context);
    const started = await insert.start(context, NO_PARAMETERS);
    return `SELECT ${/\d+$/u.exec(started.tag(0))?.[0] ?? '0'}`;
}

function parsed(sql: string): Parsed {
    const [statement] = parseStatements(sql);
    if (statement === undefined) throw new Error('a query is not empty');
    return {kind: 'parsed', sql: statement.sql, offset: 0, tree: statement.tree, endsTransaction: false};
}

async function columnDefinitions(
    as: CreateTableAs,
    fields: readonly FieldDescription[],
    context: StatementContext,
): Promise<string[]> {
    if (as.columnNames.length > fields.length) throw new PgError('42601', 'too many column names were specified');
    if (fields.length === 0) return [];
    // A result of a type without a name of its own is text, as PostgreSQL makes it.
    const values = fields
        .map(({typeOid, typmod}, i) => `(${i}, ${typeOid === 705 ? 25 : typeOid}, ${typmod})`)
        .join(', ');
    const sql = `SELECT pg_catalog.format_type(t, m) FROM (VALUES ${values}) AS v (i, t, m) ORDER BY i`;
    const [result] = await context.database.twin.transaction(context.twinContext, (t) => t.simple(sql), {
        commit: false,
        signal: context.signal,
    });
    const types = (result?.rows ?? []).map((row) => textsOfRow(row)[0] ?? '');
    return fields.map((field, i) => `${quoteIdentifier(as.columnNames[i] ?? field.name)} ${types[i] ?? ''}`);
}
