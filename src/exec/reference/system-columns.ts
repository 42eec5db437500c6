/**
 * `_seq` and `_updated` on the twin: its tables lack them, so a statement that names one of them gets them as columns
 * that are added for its transaction; and each `*` is written out in its text, so that the star does not show them.
 *
 * What must stay true: the statement's result has the columns it would have if `_seq` and `_updated` were hidden. What
 * cannot be written out (rows as a whole, NATURAL joins) is refused.
 */
import type {TableDescriptor} from '../../../catalog/descriptor.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {quoteIdentifier, quoteQualified} from '../../../catalog/quoting.ts';
import {StatementText} from '../../../catalog/ddl/statement-text.ts';
import {as, type ColumnRef, type JoinExpr, type Node, type RangeVar, strings} from '../../sql/nodes.ts';
import {namesSystemColumn} from './mentions.ts';
import type {Splices} from './splices.ts';
import {addedSystemColumns} from './table-rows.ts';

const SQL_TYPES = {_seq: 'pg_catalog.int8', _updated: 'pg_catalog.timestamptz'} as const;

export function addSystemColumnsSql(tables: readonly TableDescriptor[]): string[] {
    const statements: string[] = [];
    for (const table of tables) {
        const actions = addedSystemColumns(table).map((name) => `ADD COLUMN ${name} ${SQL_TYPES[name]}`);
        if (actions.length > 0)
            statements.push(`ALTER TABLE ${quoteQualified(table.schema, table.name)} ${actions.join(', ')}`);
    }
    return statements;
}

export type FindTable = (relation: RangeVar) => TableDescriptor | undefined;

/** One output column of a star: `sql` gives it; several when it is a star itself, of something without hidden columns. */
interface StarColumn {
    /** undefined: all columns of an item that has no system columns. */
    readonly name: string | undefined;
    readonly sql: string;
}

interface FromItem {
    readonly alias: string;
    readonly columns: readonly StarColumn[];
    readonly isTable: boolean;
}

/** Writes every star of the statement out. `tree` must be parsed from the text of `splices`. */
export function writeOutStars(sql: string, tree: Node, findTable: FindTable, splices: Splices): void {
    new StarWriter(sql, findTable, splices).visit(tree);
}

class StarWriter {
    readonly #text: StatementText;
    readonly #findTable: FindTable;
    readonly #splices: Splices;

    constructor(sql: string, findTable: FindTable, splices: Splices) {
        this.#text = new StatementText(sql);
        this.#findTable = findTable;
        this.#splices = splices;
    }

    visit(value: unknown): void {
        if (typeof value !== 'object' || value === null) return;
        if (Array.isArray(value)) {
            for (const item of value) this.visit(item);
            return;
        }
        for (const [tag, content] of Object.entries(value)) {
            if (typeof content !== 'object' || content === null) continue;
            const node = content as Node;
            if (tag === 'SelectStmt' || 'limitOption' in node)
                this.#query(node, node['targetList'], node['fromClause'], []);
            else if (tag === 'UpdateStmt') this.#change(node, node['fromClause']);
            else if (tag === 'DeleteStmt') this.#change(node, node['usingClause']);
            else if (tag === 'InsertStmt') this.#change(node, undefined);
            else this.visit(content);
        }
    }

    #change(statement: Node, from: unknown): void {
        assertNotAssigned(statement);
        const returning = statement['returningClause'] as {readonly exprs?: readonly Node[]} | undefined;
        const target = {RangeVar: statement['relation']};
        this.#query(statement, returning?.exprs, from, [target]);
    }

    #query(statement: Node, targets: unknown, from: unknown, before: readonly Node[]): void {
        const items = [...before, ...((from ?? []) as readonly Node[])];
        const stars = new Set<unknown>();
        for (const node of (targets ?? []) as readonly Node[]) {
            const column = as(as(node, 'ResTarget')?.val, 'ColumnRef');
            if (column === undefined || as(column.fields.at(-1), 'String') !== undefined) continue;
            stars.add(node);
            this.#writeOut(column, items);
        }
        this.#refuseWholeRows(statement, items, stars);
        for (const [field, content] of Object.entries(statement)) {
            if (field === 'relation' || field === 'lockingClause') continue;
            this.visit(Array.isArray(content) ? content.filter((node) => !stars.has(node)) : {[field]: content});
        }
    }

    #writeOut(column: ColumnRef, items: readonly Node[]): void {
        const qualifier = strings(column.fields.slice(0, -1)) ?? [];
        const first = this.#text.tokenAt(column.location ?? 0);
        let last = first;
        while (this.#text.tokenText(last) !== '*') last++;
        const start = this.#text.tokens[first]?.start ?? 0;
        const end = this.#text.tokens[last]?.end ?? 0;
        const alias = qualifier.at(-1);
        if (alias !== undefined) {
            const item = items.flatMap((node) => this.#items(node)).find((candidate) => candidate.alias === alias);
            // A qualifier from outside of this query, or of an item without system columns, is left to PostgreSQL.
            if (item?.isTable === true) this.#splices.replace(start, end, listOf(item.columns));
            return;
        }
        const columns = items.flatMap((item) => this.#starOf(item));
        // A star without FROM is PostgreSQL's to refuse.
        if (columns.length > 0) this.#splices.replace(start, end, listOf(columns));
    }

    /** The columns that a bare star gives for one item of FROM. */
    #starOf(node: Node): readonly StarColumn[] {
        const join = as(node, 'JoinExpr');
        if (join === undefined) return this.#items(node).flatMap((item) => item.columns);
        return this.#starOfJoin(join);
    }

    #starOfJoin(join: JoinExpr): readonly StarColumn[] {
        if (join.isNatural === true) throw refuse('a NATURAL join');
        const left = this.#starOf(join.larg);
        const right = this.#starOf(join.rarg);
        const using = strings(join.usingClause) ?? [];
        if (using.length === 0) return [...left, ...right];
        if ([...left, ...right].some((column) => column.name === undefined)) throw refuse('* over a join with USING');
        const merged = using.map((name) => ({name, sql: quoteIdentifier(name)}));
        const rest = [...left, ...right].filter(({name}) => name === undefined || !using.includes(name));
        return [...merged, ...rest];
    }

    #items(node: Node): readonly FromItem[] {
        const join = as(node, 'JoinExpr');
        if (join !== undefined) return [...this.#items(join.larg), ...this.#items(join.rarg)];
        const relation = as(node, 'RangeVar');
        if (relation !== undefined) {
            const alias = relation.alias?.aliasname ?? relation.relname;
            const table = this.#findTable(relation);
            if (table === undefined) return [opaque(alias)];
            const names = strings(relation.alias?.colnames) ?? [];
            const columns = table.columns.map((column, index) => {
                const name = names[index] ?? column.name;
                return {name, sql: `${quoteIdentifier(alias)}.${quoteIdentifier(name)}`};
            });
            return [{alias, columns, isTable: true}];
        }
        const [content] = Object.values(node) as readonly {readonly alias?: {readonly aliasname?: string}}[];
        const alias = content?.alias?.aliasname;
        if (alias === undefined) throw refuse('* over a FROM item without a name');
        return [opaque(alias)];
    }

    /** `row_to_json(t)`, `count(t.*)`: a row as a whole would have the added columns. */
    #refuseWholeRows(statement: Node, items: readonly Node[], stars: ReadonlySet<unknown>): void {
        const tables = new Map<string, readonly string[]>();
        for (const item of items.flatMap((node) => namedItems(node))) {
            const relation = as(item, 'RangeVar');
            const table = relation === undefined ? undefined : this.#findTable(relation);
            if (relation === undefined || table === undefined) continue;
            tables.set(
                relation.alias?.aliasname ?? relation.relname,
                table.columns.map((column) => column.name),
            );
        }
        if (tables.size === 0) return;
        const columnNames = new Set([...tables.values()].flat());
        forEachColumn(statement, stars, (column) => {
            const names = strings(column.fields);
            const only = names?.length === 1 ? names[0] : undefined;
            const star = names === undefined ? strings(column.fields.slice(0, -1))?.at(-1) : undefined;
            const isRow = only !== undefined && tables.has(only) && !columnNames.has(only);
            if (isRow || (star !== undefined && tables.has(star))) throw refuse('a row as a whole');
        });
    }
}

function namedItems(node: Node): readonly Node[] {
    const join = as(node, 'JoinExpr');
    return join === undefined ? [node] : [...namedItems(join.larg), ...namedItems(join.rarg)];
}

function opaque(alias: string): FromItem {
    return {alias, columns: [{name: undefined, sql: `${quoteIdentifier(alias)}.*`}], isTable: false};
}

function listOf(columns: readonly StarColumn[]): string {
    return columns.map((column) => column.sql).join(', ');
}

function forEachColumn(value: unknown, skipped: ReadonlySet<unknown>, see: (column: ColumnRef) => void): void {
    if (typeof value !== 'object' || value === null || skipped.has(value)) return;
    if (Array.isArray(value)) {
        for (const item of value) forEachColumn(item, skipped, see);
        return;
    }
    for (const [tag, content] of Object.entries(value)) {
        if (tag === 'ColumnRef') see(content as ColumnRef);
        // Queries within look after their own stars; they see the rows of this one, too, but seldom as a whole.
        else if (tag !== 'SelectStmt') forEachColumn(content, skipped, see);
    }
}

/** `SET _seq = …`, `INSERT INTO t (_seq)`. */
function assertNotAssigned(statement: Node): void {
    const targets = (statement['cols'] ?? ('relation' in statement ? statement['targetList'] : undefined)) as
        readonly Node[] | undefined;
    for (const node of targets ?? []) {
        const name = as(node, 'ResTarget')?.name;
        if (name !== undefined && namesSystemColumn([{String: {sval: name}}])) {
            throw new PgError('0A000', `cannot assign to system column "${name}"`);
        }
    }
}

function refuse(what: string): PgError {
    return notSupported(
        `${what} in a statement that names _seq or _updated`,
        'Name the columns, or select from a query that names them.',
    );
}
