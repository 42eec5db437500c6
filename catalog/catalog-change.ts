/**
 * What one DDL statement did, as differences of descriptors: the contract between DDL, the commit log and storage.
 *
 * What must stay true: `before` is the committed or overlaid state the statement saw, `after` is what the twin says
 * now; a change without `before` creates, without `after` drops. Applying all changes in order to a restored catalog
 * gives the state the twin is in.
 */
import type {TableDescriptor, TypeRef} from './descriptor.ts';
import type {RoleDescriptor} from './roles.ts';
import type {StorageDescriptor} from './storages.ts';

export interface SequenceDescriptor {
    /** Our own stable id. */
    readonly sequenceId: number;
    /** pg_class.oid in the present twin. */
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    readonly typeOid: number;
    readonly start: bigint;
    readonly increment: bigint;
    readonly min: bigint;
    readonly max: bigint;
    readonly cache: bigint;
    readonly cycle: boolean;
    /** The column that owns it (serial, identity, OWNED BY). */
    readonly ownedBy: {readonly schema: string; readonly table: string; readonly attnum: number} | undefined;
    /** pg_depend.deptype 'i': behind an identity column. */
    readonly identity: boolean;
    /** pg_class.relacl; undefined = the owner's own rights. */
    readonly acl: readonly string[] | undefined;
}

export interface ViewColumn {
    readonly attnum: number;
    readonly name: string;
    readonly type: TypeRef;
}

export interface ViewDescriptor {
    readonly oid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    /** pg_get_viewdef: every name qualified as the twin's search_path of `pg_catalog` demands. */
    readonly definitionSql: string;
    readonly columns: readonly ViewColumn[];
    readonly checkOption: 'none' | 'local' | 'cascaded';
    readonly securityInvoker: boolean;
}

export interface TypeDescriptor {
    readonly kind: 'enum' | 'domain';
    readonly oid: number;
    readonly arrayOid: number;
    readonly schema: string;
    readonly name: string;
    readonly owner: string;
    /** Labels in sort order (enum). */
    readonly labels: readonly string[];
    /** pg_enum.enumsortorder of each label: what index keys hold. */
    readonly sortOrders: readonly number[];
    /** Base type (domain). */
    readonly base: TypeRef | undefined;
    readonly notNull: boolean;
    readonly defaultSql: string | undefined;
    /** Conditions over VALUE (domain). */
    readonly checks: readonly {readonly name: string; readonly sql: string}[];
}

export interface SchemaDescriptor {
    readonly oid: number;
    readonly name: string;
    readonly owner: string;
}

export interface Difference<T> {
    readonly before?: T;
    readonly after?: T;
}

/** ALTER COLUMN … TYPE … USING: how storage converts the values of old rows. */
export interface RetypedColumn {
    readonly tableId: number;
    readonly attnum: number;
    /** Expression over the old columns; undefined = the assignment cast. */
    readonly usingSql: string | undefined;
}

/** ALTER SEQUENCE … RESTART: the value that the next nextval gives. */
export interface RestartedSequence {
    readonly sequenceId: number;
    readonly value: bigint;
}

/** The statement as the DDL log keeps it: enough to run it again on an empty twin. Passwords only as verifiers. */
export interface DdlLogEntry {
    readonly sql: string;
    readonly user: string;
    /** search_path and the settings that literals depend on (DateStyle, IntervalStyle, TimeZone). */
    readonly settings: ReadonlyMap<string, string>;
}

export interface CatalogChange {
    readonly tables: readonly Difference<TableDescriptor>[];
    readonly sequences: readonly Difference<SequenceDescriptor>[];
    readonly views: readonly Difference<ViewDescriptor>[];
    readonly types: readonly Difference<TypeDescriptor>[];
    readonly schemas: readonly Difference<SchemaDescriptor>[];
    readonly roles: readonly Difference<RoleDescriptor>[];
    readonly storages: readonly Difference<StorageDescriptor>[];
    readonly retyped: readonly RetypedColumn[];
    readonly restarted: readonly RestartedSequence[];
    readonly ddl: readonly DdlLogEntry[];
}

export const NO_CHANGE: CatalogChange = {
    tables: [],
    sequences: [],
    views: [],
    types: [],
    schemas: [],
    roles: [],
    storages: [],
    retyped: [],
    restarted: [],
    ddl: [],
};

export function isEmptyChange(change: CatalogChange): boolean {
    return (
        change.tables.length === 0 &&
        change.sequences.length === 0 &&
        change.views.length === 0 &&
        change.types.length === 0 &&
        change.schemas.length === 0 &&
        change.roles.length === 0 &&
        change.storages.length === 0 &&
        change.ddl.length === 0
    );
}
