/**
 * From statement text to plan: the first path that can carry it. The only place that chooses a path.
 *
 * What must stay true: a cached plan is used only for the same text, parameter types, search path, role and catalog
 * version; a statement that the binder does not understand with certainty is described by the twin, whose errors are
 * the user's; types told to clients are the twin's unless the point path, whose types are the columns' own, takes it.
 */
import {PgError} from '../../catalog/errors.ts';
import type {PgType} from '../../catalog/types/pg-type.ts';
import type {FieldDescription} from '../../wire/handler.ts';
import type {Database} from '../database.ts';
import {bindStatement} from '../sql/binder/bind.ts';
import {
    type BoundDelete,
    type BoundInsert,
    type BoundStatement,
    type BoundUpdate,
    type Expr,
    type OutputColumn,
    Unsupported,
} from '../sql/bound.ts';
import {normalise} from '../sql/literals.ts';
import {recogniseOwnStatement, mayHoldOwnStatement} from '../sql/own-statements/recognise.ts';
import {splitStatements} from '../sql/own-statements/split-statements.ts';
import type {OwnStatement} from '../sql/own-statements/own-statement.ts';
import {StatementParser, type ParsedStatement} from '../sql/parse.ts';
import type {Node} from '../sql/nodes.ts';
import type {Datum} from '../../catalog/types/datum.ts';
import type {Parameters, Plan} from './plan.ts';
import {planPointSelect} from './point/select.ts';
import {type CheckedPlan, withPrivileges} from './privileges.ts';
import {planReference} from './reference/plan.ts';
import type {StatementContext} from './statement-context.ts';
import {planUtility} from './utility/plan-utility.ts';
import {sessionFunctionPlan} from './utility/session-functions.ts';
import {systemFunctionPlan} from './utility/system-functions.ts';
import {planVector} from './vector-plan.ts';
import {planChangeByKey, planChangeBySearch} from './write/plan-change.ts';
import {planInsertQuery} from './write/plan-insert-query.ts';
import {planInsertValues} from './write/plan-insert.ts';
import type {PlanShape} from './write/plan-shape.ts';

/** One statement of a query string. */
export type Statement =
    | {
          readonly kind: 'own';
          readonly sql: string;
          readonly offset: number;
          readonly own: OwnStatement;
          readonly endsTransaction: false;
      }
    | {
          readonly kind: 'parsed';
          readonly sql: string;
          readonly offset: number;
          readonly tree: Node;
          readonly endsTransaction: boolean;
      };

/** Plans kept; a plan costs a few kilobytes. */
const PLANS_MAX = 10_000;
/** Longer texts are planned each time. */
const CACHED_TEXT_CHARACTERS_MAX = 16_384;

/** Planning is done anew when DDL came in between; a plan older than the catalog is planned again when it is run. */
const PLAN_ATTEMPTS_MAX = 10;

const NO_TYPES: readonly number[] = [];
const OPTIMIZABLE = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

export class Planner {
    readonly #database: Database;
    readonly #parser = new StatementParser();
    readonly #plans = new Map<string, Plan>();

    constructor(database: Database) {
        this.#database = database;
    }

    get cachedPlans(): number {
        return this.#plans.size;
    }

    /** The statements of a query string. Throws 42601. */
    split(sql: string): readonly Statement[] {
        if (!mayHoldOwnStatement(sql)) return this.#parsed(this.#parser.parse(sql), 0);
        const statements: Statement[] = [];
        for (const {text, offset} of splitStatements(sql)) {
            const own = recogniseOwnStatement(text);
            if (own === undefined) statements.push(...this.#parsed(this.#parser.parse(text), offset));
            else statements.push({kind: 'own', sql: text, offset, own, endsTransaction: false});
        }
        return statements;
    }

    #parsed(parsed: readonly ParsedStatement[], offset: number): readonly Statement[] {
        return parsed.map((statement) => ({
            kind: 'parsed',
            sql: statement.sql,
            offset: statement.offset + offset,
            tree: statement.tree,
            endsTransaction: endsTransaction(statement.tree),
        }));
    }

    /** Whether what was planned then says what it says now: names, rights and rows go by this. */
    planningKey(context: StatementContext): string {
        return cacheKey('', NO_TYPES, context);
    }

    isFresh(plan: Plan, context: StatementContext): boolean {
        return plan.catalogVersion === context.catalog.version;
    }

    cached(sql: string, parameterTypes: readonly number[], context: StatementContext): Plan | undefined {
        const plan = this.#plans.get(cacheKey(sql, parameterTypes, context));
        return plan !== undefined && this.isFresh(plan, context) ? plan : undefined;
    }

    /**
     * A simple query that differs from an earlier one in its literals alone: its plan and the literals as parameters.
     * undefined: plan it the long way.
     */
    planLiteral(sql: string, context: StatementContext): {plan: Plan; parameters: Parameters} | undefined {
        const normal = normalise(sql);
        if (normal === undefined) return undefined;
        const plan = this.cached(normal.template, NO_TYPES, context) ?? this.#planTemplate(normal, context);
        if (plan === undefined || plan.parameterTypes.length !== normal.parameters.length) return undefined;
        const {types} = context.catalog;
        const values: Datum[] = [];
        for (let i = 0; i < normal.parameters.length; i++) {
            values.push(types.require(plan.parameterTypes[i] ?? 0).parse(normal.parameters[i] ?? '', context.output));
        }
        const raw =
            plan.needsRaw === true
                ? normal.parameters.map((text) => ({bytes: Buffer.from(text), format: 0 as const}))
                : [];
        return {plan, parameters: {values, raw, resultFormats: []}};
    }

    /** Only the point path takes literals as parameters: elsewhere the text itself is what gets planned. */
    #planTemplate(normal: NonNullable<ReturnType<typeof normalise>>, context: StatementContext): Plan | undefined {
        const key = cacheKey(normal.template, NO_TYPES, context);
        // Privileges are asked of the twin, which takes a promise: the first statement of its kind goes the long way.
        if (!context.identity.superuser && this.#grantedTemplates.get(key) !== context.catalog.version)
            return undefined;
        if (this.#refusedTemplates.get(key) === context.catalog.version) return undefined;
        let plan: Plan | undefined;
        try {
            const {sql, parameterTypes} = normal.statement();
            const [parsed, second] = this.#parser.parse(sql);
            if (parsed !== undefined && second === undefined) {
                const bound = this.#bind(parsed.tree, parameterTypes, context);
                if (bound instanceof Unsupported) plan = undefined;
                else {
                    const template = {kind: 'parsed', endsTransaction: false, ...parsed} as const;
                    plan = this.#pointPlan(bound, context, () =>
                        this.#widerPlan(template, bound, parameterTypes, 'an index leads to many rows', context),
                    );
                }
            }
        } catch (error) {
            if (!(error instanceof Unsupported) && !(error instanceof PgError)) throw error;
        }
        if (plan === undefined) {
            if (this.#refusedTemplates.size >= PLANS_MAX) this.#refusedTemplates.clear();
            this.#refusedTemplates.set(key, context.catalog.version);
            return undefined;
        }
        this.#keep(key, normal.template, plan);
        return plan;
    }

    readonly #refusedTemplates = new Map<string, number>();
    /** Templates that the role may run at this catalog version. */
    readonly #grantedTemplates = new Map<string, number>();

    #grantTemplate(sql: string, context: StatementContext): void {
        const normal = normalise(sql);
        if (normal === undefined) return;
        if (this.#grantedTemplates.size >= PLANS_MAX) this.#grantedTemplates.clear();
        this.#grantedTemplates.set(cacheKey(normal.template, NO_TYPES, context), context.catalog.version);
    }

    /** Plans one statement. `parameterTypes`: as given in Parse, 0 or missing = to be inferred. */
    async plan(statement: Statement, parameterTypes: readonly number[], context: StatementContext): Promise<Plan> {
        const key = cacheKey(statement.sql, parameterTypes, context);
        const known = this.#plans.get(key);
        if (known !== undefined && this.isFresh(known, context)) return known;
        const plan = await this.#plan(statement, parameterTypes, context);
        if (plan.path !== 'utility' && context.catalog === this.#database.catalog) this.#keep(key, statement.sql, plan);
        return plan;
    }

    #keep(key: string, text: string, plan: Plan): void {
        if (text.length > CACHED_TEXT_CHARACTERS_MAX) return;
        this.#plans.delete(key);
        this.#plans.set(key, plan);
        if (this.#plans.size > PLANS_MAX) {
            const oldest = this.#plans.keys().next();
            if (oldest.done !== true) this.#plans.delete(oldest.value);
        }
    }

    async #plan(statement: Statement, parameterTypes: readonly number[], context: StatementContext): Promise<Plan> {
        if (statement.kind === 'own') return await planUtility(statement, parameterTypes, context, this);
        const kind = Object.keys(statement.tree)[0] ?? '';
        if (!OPTIMIZABLE.has(kind)) return await planUtility(statement, parameterTypes, context, this);
        const system = systemFunctionPlan(statement.tree, context) ?? sessionFunctionPlan(statement.tree, context);
        if (system !== undefined) return system;
        // SELECT … INTO
        if (this.#database.ddl.createsTableFromQuery(statement))
            return await this.#database.ddl.plan(statement, context);
        const {plan, granted} = await this.#planChecked(statement, parameterTypes, context);
        if (granted && !context.identity.superuser) this.#grantTemplate(statement.sql, context);
        return plan;
    }

    /** SELECT, INSERT, UPDATE, DELETE: also for EXPLAIN, COPY (query), CREATE TABLE AS. */
    async planQuery(
        statement: Extract<Statement, {kind: 'parsed'}>,
        parameterTypes: readonly number[],
        context: StatementContext,
    ): Promise<Plan> {
        return (await this.#planChecked(statement, parameterTypes, context)).plan;
    }

    async #planChecked(
        statement: Extract<Statement, {kind: 'parsed'}>,
        parameterTypes: readonly number[],
        context: StatementContext,
    ): Promise<CheckedPlan> {
        return await withPrivileges(await this.#planAnyPath(statement, parameterTypes, context), statement, context);
    }

    async #planAnyPath(
        statement: Extract<Statement, {kind: 'parsed'}>,
        parameterTypes: readonly number[],
        context: StatementContext,
    ): Promise<Plan> {
        for (let attempt = 1; ; attempt++) {
            const {version} = context.catalog;
            const plan = await this.#planQueryOnce(statement, parameterTypes, context);
            // The catalog may have changed while the twin was asked: what was bound before then is bound to what is gone.
            if (context.catalog.version === version) return plan;
            if (attempt === PLAN_ATTEMPTS_MAX) return {...plan, catalogVersion: version};
        }
    }

    async #planQueryOnce(
        statement: Extract<Statement, {kind: 'parsed'}>,
        parameterTypes: readonly number[],
        context: StatementContext,
    ): Promise<Plan> {
        const bound = this.#bind(statement.tree, parameterTypes, context);
        let reason = '';
        if (bound instanceof Unsupported) reason = bound.message;
        else {
            try {
                return this.#pointPlan(bound, context, () =>
                    this.#widerPlan(statement, bound, parameterTypes, 'an index leads to many rows', context),
                );
            } catch (error) {
                if (!(error instanceof Unsupported)) throw error;
                reason = error.message;
            }
        }
        if (bound instanceof Unsupported) return await planReference(statement, parameterTypes, reason, context);
        return await this.#widerPlan(statement, bound, parameterTypes, reason, context);
    }

    /** The vectorised path, else the reference path. */
    async #widerPlan(
        statement: Extract<Statement, {kind: 'parsed'}>,
        bound: BoundStatement,
        parameterTypes: readonly number[],
        reason: string,
        context: StatementContext,
    ): Promise<Plan> {
        const reference = await planReference(statement, parameterTypes, reason, context);
        if (!sameTypes(bound, reference)) {
            return {...reference, reason: 'the types differ from those of PostgreSQL'};
        }
        try {
            return this.#searchPlan(bound, reference, reason, context);
        } catch (error) {
            if (!(error instanceof Unsupported)) throw error;
            return {...reference, reason: error.message};
        }
    }

    /** The bound statement, or why there is none. */
    #bind(tree: Node, parameterTypes: readonly number[], context: StatementContext): BoundStatement | Unsupported {
        try {
            return bindStatement(tree, this.#database.bindContext(context, parameterTypes));
        } catch (error) {
            if (error instanceof Unsupported) return error;
            throw error;
        }
    }

    bind(tree: Node, parameterTypes: readonly number[], context: StatementContext): BoundStatement {
        const bound = this.#bind(tree, parameterTypes, context);
        if (bound instanceof Unsupported) throw bound;
        return bound;
    }

    /** The target expressions of a SELECT, bound. Throws Unsupported. */
    bindExpressions(sql: string, context: StatementContext): readonly Expr[] {
        const [parsed] = this.#parser.parse(sql);
        if (parsed === undefined) throw new Unsupported('an empty statement');
        const {statement} = this.bind(parsed.tree, [], context);
        if (statement.kind !== 'select') throw new Unsupported('not a SELECT');
        return statement.targets.map((target) => target.expr);
    }

    get parser(): StatementParser {
        return this.#parser;
    }

    #pointPlan(bound: BoundStatement, context: StatementContext, wider: () => Promise<Plan>): Plan {
        const {statement} = bound;
        const catalogVersion = context.catalog.version;
        if (statement.kind === 'setop' || statement.kind === 'values') throw new Unsupported('more than rows by key');
        if (context.allUsers && bound.tables.some((table) => table.options.kind === 'user')) {
            throw new Unsupported('rows of all users');
        }
        if (statement.kind === 'select') {
            const [source, second] = statement.sources;
            if (second !== undefined) throw new Unsupported('more than one table');
            if (source !== undefined && source.kind !== 'table') throw new Unsupported('more than a table');
            const fields = this.fieldsOf(statement.columns, context);
            const types = this.typesOf(statement.columns, context);
            const store = source === undefined ? undefined : this.#database.store(source.table);
            const registry = context.catalog.types;
            return planPointSelect({bound, select: statement, fields, types, registry, store, catalogVersion, wider});
        }
        const shape = this.#shape(bound, statement, context);
        const writer = this.#database.tableWriter(statement.table, context);
        return statement.kind === 'insert'
            ? planInsertValues(shape, statement, writer)
            : planChangeByKey(shape, statement, writer);
    }

    #searchPlan(bound: BoundStatement, reference: Plan, reason: string, context: StatementContext): Plan {
        const {statement} = bound;
        if (statement.kind === 'select' || statement.kind === 'setop' || statement.kind === 'values') {
            if (bound.rowLock !== null) throw new Unsupported('row locks on rows that are searched for');
            const fields = reference.fields ?? [];
            const {version: catalogVersion} = context.catalog;
            return planVector({bound, query: statement, fields, reason, catalogVersion, reference}, context);
        }
        const shape = this.#shape(bound, statement, context);
        const writer = this.#database.tableWriter(statement.table, context);
        return statement.kind === 'insert'
            ? planInsertQuery(shape, statement, writer, reason, context, reference)
            : planChangeBySearch(shape, statement, writer, reason, context, reference);
    }

    #shape(
        bound: BoundStatement,
        statement: BoundInsert | BoundUpdate | BoundDelete,
        context: StatementContext,
    ): PlanShape {
        const returning = statement.returning === null ? null : statement.returningColumns;
        return {
            bound,
            fields: returning === null ? null : this.fieldsOf(returning, context),
            types: returning === null ? [] : this.typesOf(returning, context),
            registry: context.catalog.types,
            catalogVersion: context.catalog.version,
        };
    }

    fieldsOf(columns: readonly OutputColumn[], {catalog}: StatementContext): FieldDescription[] {
        return columns.map((column) => ({
            name: column.name,
            tableOid: column.tableOid,
            attnum: Math.max(column.attnum, 0),
            typeOid: column.type.oid,
            typeLength: catalog.types.require(column.type.oid).length,
            typmod: column.type.typmod,
        }));
    }

    typesOf(columns: readonly OutputColumn[], {catalog}: StatementContext): PgType[] {
        return columns.map((column) => catalog.types.require(column.type.oid));
    }
}

function cacheKey(sql: string, parameterTypes: readonly number[], context: StatementContext): string {
    const types = parameterTypes.length === 0 ? '' : parameterTypes.join();
    const all = context.allUsers ? '*' : '';
    return `${context.setting('search_path')}\0${context.identity.user}${all}\0${types}\0${sql}`;
}

function endsTransaction(tree: Node): boolean {
    const statement = (tree as {readonly TransactionStmt?: {readonly kind?: string}}).TransactionStmt;
    return ['TRANS_STMT_COMMIT', 'TRANS_STMT_ROLLBACK', 'TRANS_STMT_ROLLBACK_TO'].includes(statement?.kind ?? '');
}

/** The binder's types are believed only where PostgreSQL says the same. */
function sameTypes(bound: BoundStatement, reference: Plan): boolean {
    const {statement} = bound;
    const columns = 'columns' in statement && statement.kind !== 'insert' ? statement.columns : undefined;
    if (columns !== undefined) {
        const fields = reference.fields ?? [];
        if (fields.length !== columns.length) return false;
        if (!columns.every((column, i) => column.type.oid === fields[i]?.typeOid)) return false;
    }
    return (
        bound.parameterTypes.length === reference.parameterTypes.length &&
        bound.parameterTypes.every((oid, i) => oid === reference.parameterTypes[i])
    );
}
