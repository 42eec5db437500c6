/**
 * From the text of a DDL statement to what is to be done: SQL for the twin with our own options taken out, the options,
 * and what storage must know that descriptors do not say.
 *
 * What must stay true: planning changes nothing and is deterministic, so that the log can keep the statement's text and
 * plan it again; a password is replaced by its verifier in every text that leaves this file.
 */
import {hasSqlDetails, parseSync} from 'libpg-query';
import type {TableKind} from '../descriptor.ts';
import {PgError} from '../errors.ts';
import {quoteIdentifier} from '../quoting.ts';
import type {ScramVerifier} from '../roles.ts';
import type {TwinStatement} from '../twin/session-context.ts';
import {
    type AstFields,
    type RelationName,
    asFields,
    isTrue,
    nodesOf,
    relationOf,
    textOf,
    unwrap,
    valueText,
} from './ast.ts';
import {nativeSpelling} from './native-spelling.ts';
import {OptionEdits} from './option-edits.ts';
import * as refusals from './refusals.ts';
import {planRole} from './role-plan.ts';
import {StatementText} from './statement-text.ts';

export interface DdlPlan {
    /** The parse tree's kind: CreateStmt, AlterTableStmt, … */
    readonly kind: string;
    /** Command tag. */
    readonly tag: string;
    /** What the twin runs, in order. */
    readonly statements: readonly TwinStatement[];
    /** The text for the DDL log: as written, but for passwords. */
    readonly logSql: string;
    /** Storages the statement names: they must exist. */
    readonly storages: readonly string[];
    /** ALTER COLUMN … TYPE … USING. */
    readonly retyped: readonly {
        readonly relation: RelationName;
        readonly column: string;
        readonly usingSql: string | undefined;
    }[];
    /** ALTER SEQUENCE … RESTART and ALTER COLUMN … RESTART. `value` undefined = its start value. */
    readonly restarts: readonly {
        readonly relation: RelationName;
        readonly column: string | undefined;
        readonly value: bigint | undefined;
    }[];
    /** True when names inside other objects' texts may change: everything is read back. */
    readonly everything: boolean;
    /** True when roles may have changed. */
    readonly roles: boolean;
    /** True for CREATE | DROP INDEX CONCURRENTLY, which PostgreSQL refuses in a transaction block (25001). */
    readonly outsideTransaction: boolean;
}

const TAGS: Readonly<Record<string, string>> = {
    CreateStmt: 'CREATE TABLE',
    IndexStmt: 'CREATE INDEX',
    ViewStmt: 'CREATE VIEW',
    CreateSeqStmt: 'CREATE SEQUENCE',
    AlterSeqStmt: 'ALTER SEQUENCE',
    CreateSchemaStmt: 'CREATE SCHEMA',
    CreateEnumStmt: 'CREATE TYPE',
    AlterEnumStmt: 'ALTER TYPE',
    CreateDomainStmt: 'CREATE DOMAIN',
    AlterDomainStmt: 'ALTER DOMAIN',
    CommentStmt: 'COMMENT',
    CreateExtensionStmt: 'CREATE EXTENSION',
    AlterDefaultPrivilegesStmt: 'ALTER DEFAULT PRIVILEGES',
    ReassignOwnedStmt: 'REASSIGN OWNED',
    DropOwnedStmt: 'DROP OWNED',
    CreateRoleStmt: 'CREATE ROLE',
    AlterRoleStmt: 'ALTER ROLE',
    AlterRoleSetStmt: 'ALTER ROLE',
    DropRoleStmt: 'DROP ROLE',
};

/** Kinds whose tag depends on the object: the twin's own tag is taken. */
const TAGGED_BY_TWIN: ReadonlySet<string> = new Set([
    'AlterTableStmt',
    'RenameStmt',
    'AlterObjectSchemaStmt',
    'AlterOwnerStmt',
    'DropStmt',
    'GrantStmt',
    'GrantRoleStmt',
]);

const ROLE_KINDS: ReadonlySet<string> = new Set([
    'CreateRoleStmt',
    'AlterRoleStmt',
    'AlterRoleSetStmt',
    'DropRoleStmt',
    'GrantRoleStmt',
]);

/** Changes that rename things other objects' texts refer to, or reach objects that are not named. */
const FAR_REACHING: ReadonlySet<string> = new Set([
    'RenameStmt',
    'AlterObjectSchemaStmt',
    'AlterOwnerStmt',
    'ReassignOwnedStmt',
    'DropOwnedStmt',
]);

export interface PlanContext {
    readonly scramVerifier: ScramVerifier;
}

/** True when a parse tree's kind is DDL for `planDdl` (accepted or refused). */
export function isDdlKind(kind: string, fields: AstFields = {}): boolean {
    if (kind === 'CreateTableAsStmt') return textOf(fields, 'objtype') === 'OBJECT_MATVIEW';
    return Object.hasOwn(TAGS, kind) || TAGGED_BY_TWIN.has(kind) || refusals.isRefusedStatement(kind);
}

/**
 * Plans one statement, in PostgreSQL's or KalamDB's spelling. undefined: not DDL.
 * @throws PgError 0A000 for what is refused, 22023 for unknown options, 42601 for syntax.
 */
export function planDdl(sql: string, context: PlanContext): DdlPlan | undefined {
    const native = nativeSpelling(sql);
    const text = new StatementText(native.sql);
    const {kind, fields} = parseOne(native.sql);
    if (!isDdlKind(kind, fields)) return undefined;
    refusals.refuseStatement(text, kind);
    if (kind === 'CreateTableAsStmt') {
        throw new PgError('0A000', 'CREATE MATERIALIZED VIEW is not supported', {
            hint: 'Use a view or a live query, or CREATE TABLE AS.',
        });
    }
    const draft = new PlanDraft(kind, sql, text);
    planKind(draft, kind, fields, native.kind, context);
    return draft.finish();
}

function parseOne(sql: string): {kind: string; fields: AstFields} {
    let statements: readonly unknown[];
    try {
        statements = (parseSync(sql) as {stmts?: readonly unknown[]}).stmts ?? [];
    } catch (error) {
        if (!hasSqlDetails(error)) throw error;
        const cursor = error.sqlDetails?.cursorPosition ?? -1;
        throw new PgError('42601', error.sqlDetails?.message ?? error.message, {
            position: cursor < 0 ? undefined : cursor + 1,
            cause: error,
        });
    }
    if (statements.length !== 1) throw new PgError('42601', 'one statement is expected');
    return unwrap(asFields(statements[0])['stmt']);
}

function planKind(
    draft: PlanDraft,
    kind: string,
    fields: AstFields,
    tableKind: TableKind | undefined,
    context: PlanContext,
): void {
    const {text} = draft;
    switch (kind) {
        case 'CreateStmt':
            refusals.checkCreateTable(text, fields);
            draft.optionEdits.createTable(fields, tableKind);
            break;
        case 'AlterTableStmt':
            refusals.checkAlterTable(text, fields);
            planAlterTable(draft, fields);
            break;
        case 'IndexStmt':
            refusals.checkIndex(text, fields);
            if (isTrue(fields, 'concurrent')) draft.withoutConcurrently();
            break;
        case 'DropStmt':
            if (isTrue(fields, 'concurrent')) draft.withoutConcurrently();
            break;
        case 'ViewStmt':
            refusals.refusePersistence(text, asFields(fields['view']));
            break;
        case 'CreateSeqStmt':
            refusals.refusePersistence(text, asFields(fields['sequence']));
            break;
        case 'AlterSeqStmt':
            draft.restart(relationOf(fields, 'sequence'), undefined, fields['options']);
            break;
        case 'RenameStmt':
            refusals.checkRename(text, fields);
            break;
        case 'AlterDomainStmt':
            refusals.checkAlterDomain(text, fields);
            break;
        case 'AlterEnumStmt':
            refusals.checkAlterEnum(text, fields);
            break;
        case 'CreateExtensionStmt':
            refusals.checkExtension(text, fields);
            break;
        case 'CreateSchemaStmt':
            refusals.checkCreateSchema(text, fields);
            break;
        case 'CreateRoleStmt':
        case 'AlterRoleStmt':
            draft.logSql = planRole(text, fields, context.scramVerifier);
            break;
        default:
            break;
    }
}

function planAlterTable(draft: PlanDraft, fields: AstFields): void {
    const relation = relationOf(fields, 'relation');
    for (const {fields: command} of nodesOf(fields, 'cmds')) {
        const column = textOf(command, 'name') ?? '';
        const definition = unwrap(command['def']);
        if (textOf(command, 'subtype') === 'AT_AlterColumnType') {
            draft.retyped.push({relation, column, usingSql: usingText(draft.text, definition.fields)});
        }
        if (textOf(command, 'subtype') === 'AT_SetIdentity') draft.restart(relation, column, command['def']);
    }
    if (textOf(fields, 'objtype') === 'OBJECT_TABLE') draft.optionEdits.alterTable(fields);
}

/** The source text of USING: the tree says where it begins; it ends with the command. */
function usingText(text: StatementText, column: AstFields): string | undefined {
    if (column['raw_default'] === undefined) return undefined;
    const first = text.tokenAt(Number(column['location'] ?? 0));
    for (let index = first; index <= text.endOfItem(first); index++) {
        if (text.tokenText(index) !== 'using') continue;
        const start = text.tokens[index]?.end ?? 0;
        return text.slice(start, text.tokens[text.endOfItem(first)]?.end ?? start).trim();
    }
    return undefined;
}

/** What planning gathers. */
class PlanDraft {
    readonly kind: string;
    readonly text: StatementText;
    readonly optionEdits: OptionEdits;
    readonly retyped: DdlPlan['retyped'][number][] = [];
    readonly restarts: DdlPlan['restarts'][number][] = [];
    logSql: string;
    #outsideTransaction = false;

    constructor(kind: string, sql: string, text: StatementText) {
        this.kind = kind;
        this.logSql = sql;
        this.text = text;
        this.optionEdits = new OptionEdits(text);
    }

    /** The twin runs everything in a transaction. */
    withoutConcurrently(): void {
        const index = this.text.tokens.findIndex((token) => token.text.toLowerCase() === 'concurrently');
        this.text.blankTokens(index, index);
        this.#outsideTransaction = true;
    }

    restart(relation: RelationName, column: string | undefined, options: unknown): void {
        for (const {fields: option} of nodesOf({options}, 'options')) {
            if (textOf(option, 'defname') !== 'restart') continue;
            const value = option['arg'] === undefined ? undefined : valueText(option['arg']);
            this.restarts.push({relation, column, value: value === undefined ? undefined : BigInt(value)});
        }
    }

    finish(): DdlPlan {
        const {kind} = this;
        return {
            kind,
            tag: TAGS[kind] ?? '',
            statements: this.optionEdits.statements(),
            logSql: this.logSql,
            storages: this.optionEdits.storages,
            retyped: this.retyped,
            restarts: this.restarts,
            everything: FAR_REACHING.has(kind),
            roles: ROLE_KINDS.has(kind) || FAR_REACHING.has(kind),
            outsideTransaction: this.#outsideTransaction,
        };
    }
}

export function relationSql(relation: RelationName): string {
    const name = quoteIdentifier(relation.name);
    return relation.schema === undefined ? name : `${quoteIdentifier(relation.schema)}.${name}`;
}
