/**
 * EXPLAIN [ANALYZE]: which path a statement takes and why; with ANALYZE also what it did.
 *
 * What must stay true: without ANALYZE nothing runs; with it the statement runs for real, in the transaction. Options
 * that ask for what is not measured here are refused.
 */
import {type AstFields, nodesOf, textOf} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {Node} from '../../sql/nodes.ts';
import {tagOf} from '../../sql/nodes.ts';
import {argumentText, readBoolean} from '../copy/copy-options.ts';
import {NO_PARAMETERS, type Plan} from '../plan.ts';
import type {Planner, Statement} from '../planner.ts';
import type {StatementContext} from '../statement-context.ts';
import {field, rowsPlan} from './plans.ts';
import {firstWord, planExecute} from './prepare-statements.ts';
import {RowTextWriter} from './row-text-writer.ts';
import {textAfterExplain, textAfterWord} from './source-text.ts';
import {asFields} from '../../../catalog/ddl/ast.ts';

type Parsed = Extract<Statement, {kind: 'parsed'}>;

interface ExplainOptions {
    readonly analyze: boolean;
    readonly verbose: boolean;
    readonly timing: boolean;
    readonly summary: boolean;
    readonly format: 'text' | 'json';
}

/** Booleans that PostgreSQL knows and that have nothing to show here: only off is true of us. */
const NOT_MEASURED: ReadonlySet<string> = new Set(['buffers', 'wal', 'settings', 'generic_plan', 'memory']);

function readOptions(fields: AstFields): ExplainOptions {
    const on = new Map<string, boolean>();
    let format: 'text' | 'json' = 'text';
    for (const {fields: element} of nodesOf(fields, 'options')) {
        const name = textOf(element, 'defname') ?? '';
        const arg = element['arg'];
        if (name === 'format') format = readFormat(argumentText(arg) ?? '');
        else if (['analyze', 'verbose', 'costs', 'timing', 'summary'].includes(name))
            on.set(name, readBoolean(name, arg));
        else if (NOT_MEASURED.has(name)) {
            if (readBoolean(name, arg)) throw notSupported(`EXPLAIN option ${name.toUpperCase()}`);
        } else if (name === 'serialize') {
            if (argumentText(arg) !== 'none') throw notSupported('EXPLAIN option SERIALIZE');
        } else throw new PgError('42601', `unrecognized EXPLAIN option "${name}"`);
    }
    const analyze = on.get('analyze') ?? false;
    if (on.get('timing') === true && !analyze) throw new PgError('22023', 'EXPLAIN option TIMING requires ANALYZE');
    return {
        analyze,
        verbose: on.get('verbose') ?? false,
        timing: on.get('timing') ?? analyze,
        summary: on.get('summary') ?? analyze,
        format,
    };
}

function readFormat(text: string): 'text' | 'json' {
    if (text === 'text' || text === 'json') return text;
    if (text === 'xml' || text === 'yaml') throw notSupported(`EXPLAIN in format ${text}`, 'Use FORMAT json.');
    throw new PgError('22023', `unrecognized value for EXPLAIN option "format": "${text}"`);
}

export async function planExplain(
    statement: Parsed,
    fields: AstFields,
    context: StatementContext,
    planner: Planner,
): Promise<Plan> {
    const options = readOptions(fields);
    const {text, offset} = textAfterExplain(statement.sql);
    const tree = fields['query'] as Node;
    const query: Parsed = {kind: 'parsed', sql: text, offset: statement.offset + offset, tree, endsTransaction: false};
    const {inner, innerText} = await planInner(query, context, planner);
    return rowsPlan(
        context,
        [field('QUERY PLAN', options.format === 'json' ? OID.json : OID.text)],
        async (executing) => {
            const facts = await gather(inner, options, executing);
            return options.format === 'json' ? [[jsonOf(facts)]] : linesOf(facts).map((line) => [line]);
        },
        () => 'EXPLAIN',
        {writes: options.analyze && inner.writes, command: inner.command ?? firstWord(innerText)},
    );
}

async function planInner(
    query: Parsed,
    context: StatementContext,
    planner: Planner,
): Promise<{inner: Plan; innerText: string}> {
    const tag = tagOf(query.tree);
    const content = asFields(query.tree[tag]);
    if (tag === 'ExecuteStmt') {
        const inner = await planExecute(query, content, context, planner);
        const {plan, sql} = await context.session.prepared(textOf(content, 'name') ?? '');
        return {
            inner: {...inner, path: plan?.path ?? inner.path, reason: plan?.reason ?? inner.reason},
            innerText: sql,
        };
    }
    if (tag === 'DeclareCursorStmt') {
        const {text} = textAfterWord(query.sql, 'for');
        const cursor: Parsed = {...query, sql: text, tree: content['query'] as Node};
        return {inner: await planner.planQuery(cursor, [], context), innerText: text};
    }
    if (tag === 'CreateTableAsStmt') throw notSupported('EXPLAIN CREATE TABLE AS', 'Explain its query.');
    return {inner: await planner.planQuery(query, [], context), innerText: query.sql};
}

interface Facts {
    readonly path: string;
    readonly reason: string;
    readonly output: readonly string[] | undefined;
    readonly details: readonly string[];
    readonly rows: number | undefined;
    readonly milliseconds: number | undefined;
}

async function gather(inner: Plan, options: ExplainOptions, context: StatementContext): Promise<Facts> {
    const details = [...((await inner.explain?.(context)) ?? [])];
    const output = options.verbose ? (inner.fields ?? []).map((each) => each.name) : undefined;
    const facts = {path: inner.path, reason: inner.reason, output};
    if (!options.analyze) return {...facts, details, rows: undefined, milliseconds: undefined};
    const begun = performance.now();
    const started = await inner.start(context, NO_PARAMETERS);
    let rows = 0;
    if (started.rows === null) rows = Number(/\d+$/.exec(started.tag(0))?.[0] ?? 0);
    else {
        const counter = new RowTextWriter(context.writer, () => {
            rows++;
        });
        await started.rows.pull(0, counter);
        await started.rows.close();
    }
    const milliseconds = performance.now() - begun;
    details.push(...(started.statistics?.() ?? []));
    return {...facts, details, rows, milliseconds: options.timing && options.summary ? milliseconds : undefined};
}

function linesOf(facts: Facts): string[] {
    const lines = [`Path: ${facts.path}`, `Reason: ${facts.reason}`];
    if (facts.output !== undefined) lines.push(`Output: ${facts.output.join(', ')}`);
    lines.push(...facts.details);
    if (facts.rows !== undefined) lines.push(`Actual Rows: ${facts.rows}`);
    if (facts.milliseconds !== undefined) lines.push(`Execution Time: ${facts.milliseconds.toFixed(3)} ms`);
    return lines;
}

/** In the form of PostgreSQL's, so that tools which look for a plan with a node type find one. */
function jsonOf(facts: Facts): string {
    const plan: Record<string, unknown> = {'Node Type': facts.path, Reason: facts.reason};
    if (facts.output !== undefined) plan['Output'] = facts.output;
    if (facts.details.length > 0) plan['Details'] = facts.details;
    if (facts.rows !== undefined) plan['Actual Rows'] = facts.rows;
    const top: Record<string, unknown> = {Plan: plan};
    if (facts.milliseconds !== undefined) top['Execution Time'] = Number(facts.milliseconds.toFixed(3));
    return JSON.stringify([top], null, 2);
}
