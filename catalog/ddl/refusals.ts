/**
 * What DDL cannot do here yet, refused before the twin sees it, with a hint at what to do instead.
 *
 * What must stay true: nothing of these is accepted and ignored. What the twin would refuse anyway is left to it.
 */
import {PgError} from '../errors.ts';
import {type AstFields, type AstNode, asFields, isTrue, nodesOf, numberOf, relationOf, textOf, unwrap} from './ast.ts';
import type {StatementText} from './statement-text.ts';

function refuse(text: StatementText, what: string, hint: string | undefined, location?: number): PgError {
    const position = location === undefined ? undefined : text.position(location);
    return new PgError('0A000', `${what} is not supported`, {hint, position});
}

/** Whole statements. */
const STATEMENTS: Readonly<Record<string, readonly [what: string, hint?: string]>> = {
    CreateTrigStmt: ['CREATE TRIGGER', 'A live query can follow the changes of a table.'],
    CreateEventTrigStmt: ['CREATE EVENT TRIGGER'],
    AlterEventTrigStmt: ['ALTER EVENT TRIGGER'],
    RuleStmt: ['CREATE RULE'],
    CreatePolicyStmt: ['CREATE POLICY', "A table WITH (type = 'user') shows each user only their own rows."],
    AlterPolicyStmt: ['ALTER POLICY'],
    CreateFunctionStmt: ['CREATE FUNCTION', 'Put the expression into the statement or into a view.'],
    AlterFunctionStmt: ['ALTER FUNCTION'],
    CreatedbStmt: ['CREATE DATABASE', 'Use a schema: CREATE SCHEMA name.'],
    DropdbStmt: ['DROP DATABASE'],
    AlterDatabaseStmt: ['ALTER DATABASE'],
    AlterDatabaseSetStmt: ['ALTER DATABASE … SET', 'Use ALTER ROLE … SET, or the configuration of the server.'],
    AlterSystemStmt: ['ALTER SYSTEM', 'Use the configuration of the server.'],
    CreateTableSpaceStmt: ['CREATE TABLESPACE', "Use CREATE STORAGE name TYPE 's3' WITH (…)."],
    DropTableSpaceStmt: ['DROP TABLESPACE', 'Use DROP STORAGE name.'],
    AlterTableSpaceOptionsStmt: ['ALTER TABLESPACE', 'Use ALTER STORAGE name SET (…).'],
    AlterTableMoveAllStmt: ['ALTER TABLE ALL IN TABLESPACE', 'Move tables one at a time.'],
    CompositeTypeStmt: ['a composite type', 'Use jsonb, or a table.'],
    CreateRangeStmt: ['a range type', 'Use two columns.'],
    DefineStmt: ['this CREATE statement'],
    CreateCastStmt: ['CREATE CAST'],
    CreateConversionStmt: ['CREATE CONVERSION'],
    CreateOpClassStmt: ['CREATE OPERATOR CLASS'],
    CreateOpFamilyStmt: ['CREATE OPERATOR FAMILY'],
    CreateStatsStmt: ['CREATE STATISTICS'],
    CreatePublicationStmt: ['CREATE PUBLICATION', 'A live query can follow the changes of a table.'],
    CreateSubscriptionStmt: ['CREATE SUBSCRIPTION'],
    CreateFdwStmt: ['CREATE FOREIGN DATA WRAPPER'],
    CreateForeignServerStmt: ['CREATE SERVER'],
    CreateForeignTableStmt: ['CREATE FOREIGN TABLE', 'Use a storage for cold rows in an object store.'],
    ImportForeignSchemaStmt: ['IMPORT FOREIGN SCHEMA'],
    CreateUserMappingStmt: ['CREATE USER MAPPING'],
    CreateAmStmt: ['CREATE ACCESS METHOD'],
    CreatePLangStmt: ['CREATE LANGUAGE'],
    CreateTransformStmt: ['CREATE TRANSFORM'],
    RefreshMatViewStmt: ['REFRESH MATERIALIZED VIEW', 'A live query keeps its result current.'],
    SecLabelStmt: ['SECURITY LABEL'],
    AlterExtensionStmt: ['ALTER EXTENSION'],
};

/** True for statements that this table refuses: they are DDL, so the caller need not look further. */
export function isRefusedStatement(kind: string): boolean {
    return Object.hasOwn(STATEMENTS, kind);
}

export function refuseStatement(text: StatementText, kind: string): void {
    const entry = STATEMENTS[kind];
    if (entry !== undefined) throw refuse(text, entry[0], entry[1]);
}

const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema', 'pg_toast', 'system']);

export function isSystemSchema(schema: string): boolean {
    return SYSTEM_SCHEMAS.has(schema) || schema.startsWith('pg_toast') || schema.startsWith('pg_temp');
}

export function refusePersistence(text: StatementText, relation: AstFields): void {
    const persistence = textOf(relation, 'relpersistence');
    const location = numberOf(relation, 'location');
    if (persistence === 't') {
        throw refuse(text, 'a temporary relation', 'Use an ordinary table, or a WITH query.', location);
    }
    if (persistence === 'u') {
        throw refuse(text, 'UNLOGGED', "Use an ordinary table, or WITH (type = 'stream', ttl = …).", location);
    }
}

export function checkCreateTable(text: StatementText, stmt: AstFields): void {
    refusePersistence(text, asFields(stmt['relation']));
    const {location} = relationOf(stmt, 'relation');
    if (nodesOf(stmt, 'inhRelations').length > 0) {
        const parent = nodesOf(stmt, 'inhRelations')[0];
        if (stmt['partbound'] !== undefined) throw refusePartition(text, location);
        throw refuse(text, 'INHERITS', 'Repeat the columns, or use LIKE.', numberOf(parent?.fields ?? {}, 'location'));
    }
    if (stmt['partspec'] !== undefined || stmt['partbound'] !== undefined) throw refusePartition(text, location);
    if (stmt['ofTypename'] !== undefined) throw refuse(text, 'CREATE TABLE … OF type', undefined, location);
    const accessMethod = textOf(stmt, 'accessMethod');
    if (accessMethod !== undefined && accessMethod !== 'heap') {
        throw refuse(text, `table access method "${accessMethod}"`, undefined, location);
    }
    for (const element of nodesOf(stmt, 'tableElts')) checkTableElement(text, element);
}

function refusePartition(text: StatementText, location: number): PgError {
    return refuse(text, 'PARTITION', 'Cold rows are kept in segments that queries prune by themselves.', location);
}

export function checkTableElement(text: StatementText, element: AstNode): void {
    if (element.kind === 'Constraint') checkConstraint(text, element.fields);
    if (element.kind === 'ColumnDef') {
        for (const constraint of nodesOf(element.fields, 'constraints')) checkConstraint(text, constraint.fields);
    }
}

export function checkConstraint(text: StatementText, constraint: AstFields): void {
    const location = numberOf(constraint, 'location');
    switch (textOf(constraint, 'contype')) {
        case 'CONSTR_FOREIGN':
            throw refuse(
                text,
                'FOREIGN KEY',
                'Leave the constraint out; the application or a query must keep the references right.',
                location,
            );
        case 'CONSTR_GENERATED':
            throw refuse(text, 'a generated column', 'Use a view, or an index on the expression.', location);
        case 'CONSTR_EXCLUSION':
            throw refuse(text, 'an EXCLUDE constraint', 'Use a unique constraint.', location);
        case 'CONSTR_ATTR_DEFERRABLE':
        case 'CONSTR_ATTR_DEFERRED':
            throw refuse(text, 'a DEFERRABLE constraint', 'Constraints are checked at once.', location);
        default:
            break;
    }
    if (isTrue(constraint, 'deferrable') || isTrue(constraint, 'initdeferred')) {
        throw refuse(text, 'a DEFERRABLE constraint', 'Constraints are checked at once.', location);
    }
    if (isTrue(constraint, 'without_overlaps')) throw refuse(text, 'WITHOUT OVERLAPS', undefined, location);
    if (isTrue(constraint, 'skip_validation')) {
        throw refuse(text, 'NOT VALID', 'Add the constraint without it: the rows are checked at once.', location);
    }
    // is_enforced is left out when false, and present when true, for the kinds that have it.
    if (textOf(constraint, 'contype') === 'CONSTR_CHECK' && !isTrue(constraint, 'is_enforced')) {
        throw refuse(text, 'NOT ENFORCED', undefined, location);
    }
    if (textOf(constraint, 'indexspace') !== undefined)
        throw refuse(text, 'USING INDEX TABLESPACE', undefined, location);
}

const ALTER_TABLE_FORMS: ReadonlySet<string> = new Set([
    'AT_AddColumn',
    'AT_DropColumn',
    'AT_ColumnDefault',
    'AT_DropNotNull',
    'AT_SetNotNull',
    'AT_AddConstraint',
    'AT_DropConstraint',
    'AT_AlterColumnType',
    'AT_ChangeOwner',
    'AT_SetRelOptions',
    'AT_ResetRelOptions',
    'AT_SetTableSpace',
    'AT_AddIdentity',
    'AT_SetIdentity',
    'AT_DropIdentity',
    'AT_SetStatistics',
    'AT_SetStorage',
    'AT_SetCompression',
    'AT_SetOptions',
    'AT_ResetOptions',
    'AT_ReplicaIdentity',
    'AT_SetLogged',
    'AT_DisableRowSecurity',
    'AT_NoForceRowSecurity',
]);

const ALTER_TABLE_HINTS: Readonly<Record<string, string>> = {
    AT_EnableRowSecurity: "A table WITH (type = 'user') shows each user only their own rows.",
    AT_ForceRowSecurity: "A table WITH (type = 'user') shows each user only their own rows.",
    AT_SetUnLogged: "Use WITH (type = 'stream', ttl = …).",
    AT_AddInherit: 'Repeat the columns, or use LIKE.',
};

export function checkAlterTable(text: StatementText, stmt: AstFields): void {
    const {location} = relationOf(stmt, 'relation');
    for (const {fields: command} of nodesOf(stmt, 'cmds')) {
        const subtype = textOf(command, 'subtype') ?? '';
        if (!ALTER_TABLE_FORMS.has(subtype)) {
            throw refuse(text, `this form of ALTER TABLE (${wordsOf(subtype)})`, ALTER_TABLE_HINTS[subtype], location);
        }
        const definition = nodesOf({items: [command['def']]}, 'items')[0];
        if (definition === undefined) continue;
        if (subtype === 'AT_AddConstraint') checkConstraint(text, definition.fields);
        if (subtype === 'AT_AddColumn') checkTableElement(text, definition);
    }
}

/** AT_EnableRowSecurity → ENABLE ROW SECURITY. */
function wordsOf(subtype: string): string {
    return subtype
        .slice(3)
        .replaceAll(/([a-z])([A-Z])/gu, '$1 $2')
        .toUpperCase();
}

const RENAMED_OBJECTS: ReadonlySet<string> = new Set([
    'OBJECT_TABLE',
    'OBJECT_COLUMN',
    'OBJECT_INDEX',
    'OBJECT_SEQUENCE',
    'OBJECT_VIEW',
    'OBJECT_SCHEMA',
    'OBJECT_TYPE',
    'OBJECT_DOMAIN',
    'OBJECT_TABCONSTRAINT',
    'OBJECT_DOMCONSTRAINT',
    'OBJECT_ROLE',
]);

export function checkRename(text: StatementText, stmt: AstFields): void {
    const object = textOf(stmt, 'renameType') ?? '';
    if (object === 'OBJECT_TABLESPACE') throw refuse(text, 'ALTER TABLESPACE', 'Use ALTER STORAGE … RENAME TO.');
    if (!RENAMED_OBJECTS.has(object)) throw refuse(text, `renaming of a ${objectWords(object)}`, undefined);
}

function objectWords(object: string): string {
    return object.replace(/^OBJECT_/u, '').toLowerCase();
}

export function checkIndex(text: StatementText, stmt: AstFields): void {
    const {location} = relationOf(stmt, 'relation');
    if (textOf(stmt, 'tableSpace') !== undefined) {
        throw refuse(text, 'TABLESPACE of an index', 'An index is stored with its table.', location);
    }
}

export function checkAlterDomain(text: StatementText, stmt: AstFields): void {
    const {fields} = unwrap(stmt['def']);
    if (isTrue(fields, 'skip_validation')) {
        throw refuse(text, 'NOT VALID', 'Add the constraint without it: the rows are checked at once.');
    }
}

export function checkAlterEnum(text: StatementText, stmt: AstFields): void {
    if (textOf(stmt, 'oldVal') !== undefined) {
        throw refuse(text, 'ALTER TYPE … RENAME VALUE', 'Add a value with ALTER TYPE … ADD VALUE and update the rows.');
    }
}

const KNOWN_EXTENSIONS: Readonly<Record<string, string>> = {
    pgcrypto: 'gen_random_uuid() is built in.',
    'uuid-ossp': 'gen_random_uuid() and uuidv7() are built in.',
};

export function checkExtension(text: StatementText, stmt: AstFields): void {
    const name = textOf(stmt, 'extname') ?? '';
    if (name !== 'plpgsql') throw refuse(text, `extension "${name}"`, KNOWN_EXTENSIONS[name]);
}

export function checkCreateSchema(text: StatementText, stmt: AstFields): void {
    if (nodesOf(stmt, 'schemaElts').length > 0) {
        throw refuse(text, 'CREATE SCHEMA with elements', 'Create the schema first, then its objects.');
    }
}
