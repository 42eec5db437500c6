/**
 * The bound tree: a statement after names, types, operators and functions are resolved the way PostgreSQL resolves
 * them. The binder makes it from the parse tree and the catalog; the TypeScript compiler turns expressions of it into
 * closures (point path, live queries, constraints), and the DuckDB printer turns whole queries of it into SQL.
 *
 * What must stay true: every node carries its PostgreSQL type; implicit casts are explicit `cast` nodes; whatever the
 * binder cannot resolve with certainty is reported as `Unsupported`, never guessed: the statement then takes the
 * reference path, where real PostgreSQL decides.
 */
import type {TableDescriptor, TypeRef} from '../../catalog/descriptor.ts';
import type {Datum} from '../../catalog/types/datum.ts';

/** The binder's refusal. Not an error of the user: the reference path takes the statement. */
export class Unsupported extends Error {
    override readonly name = 'Unsupported';
}

export type Expr =
    | ConstExpr
    | ParamExpr
    | ColumnExpr
    | OperatorExpr
    | FunctionExpr
    | AggregateExpr
    | WindowExpr
    | CastExpr
    | BoolExpr
    | NotExpr
    | NullTestExpr
    | BooleanTestExpr
    | DistinctExpr
    | CaseExpr
    | CoalesceExpr
    | MinMaxExpr
    | NullIfExpr
    | InListExpr
    | ScalarArrayExpr
    | LikeExpr
    | SubqueryExpr
    | ArrayExpr
    | RowExpr
    | SqlValueExpr;

interface Node {
    readonly type: TypeRef;
}

export interface ConstExpr extends Node {
    readonly kind: 'const';
    readonly value: Datum;
}

export interface ParamExpr extends Node {
    readonly kind: 'param';
    /** 0-based. */
    readonly index: number;
}

export interface ColumnExpr extends Node {
    readonly kind: 'column';
    /**
     * 0 = a source of the query this expression stands in, 1 = of the query around it, and so on. Each BoundSelect and
     * BoundValues is a level; a set operation is none: its arms count as standing where it stands.
     */
    readonly level: number;
    /** Index into `BoundSelect.sources` of that query. */
    readonly source: number;
    /** For a table: attnum (negative = system column). For any other source: 1-based output column. */
    readonly column: number;
    readonly name: string;
}

/** A built-in operator of pg_catalog, resolved: `left op right` with exactly these operand types. */
export interface OperatorExpr extends Node {
    readonly kind: 'operator';
    readonly op: string;
    /** null for a prefix operator. */
    readonly left: Expr | null;
    readonly right: Expr;
}

/** A built-in function of pg_catalog; arguments already cast to its declared types. */
export interface FunctionExpr extends Node {
    readonly kind: 'function';
    readonly name: string;
    readonly args: readonly Expr[];
}

export interface SortKey {
    readonly expr: Expr;
    readonly descending: boolean;
    readonly nullsFirst: boolean;
}

export interface AggregateExpr extends Node {
    readonly kind: 'aggregate';
    readonly name: string;
    /** Empty and `star` for count(*). */
    readonly star: boolean;
    readonly args: readonly Expr[];
    readonly distinct: boolean;
    readonly filter: Expr | null;
    readonly orderBy: readonly SortKey[];
    /** WITHIN GROUP (ORDER BY …): the keys are in orderBy, direct arguments in args. */
    readonly withinGroup: boolean;
}

export interface WindowExpr extends Node {
    readonly kind: 'window';
    /** A window function, or an aggregate used as one. */
    readonly call: {
        readonly name: string;
        readonly args: readonly Expr[];
        readonly star: boolean;
        readonly filter: Expr | null;
        readonly isAggregate: boolean;
    };
    readonly partitionBy: readonly Expr[];
    readonly orderBy: readonly SortKey[];
    readonly frame: WindowFrame | null;
}

export interface WindowFrame {
    readonly mode: 'rows' | 'range' | 'groups';
    readonly start: FrameBound;
    readonly end: FrameBound;
    readonly exclude: 'none' | 'current row' | 'group' | 'ties';
}

export type FrameBound =
    | {readonly kind: 'unbounded preceding' | 'unbounded following' | 'current row'}
    | {readonly kind: 'preceding' | 'following'; readonly offset: Expr};

export interface CastExpr extends Node {
    readonly kind: 'cast';
    readonly arg: Expr;
    /** How PostgreSQL reached it: explicit casts truncate varchar(n) silently, assignment casts raise 22001. */
    readonly context: 'implicit' | 'assignment' | 'explicit';
}

export interface BoolExpr extends Node {
    readonly kind: 'and' | 'or';
    readonly args: readonly Expr[];
}

export interface NotExpr extends Node {
    readonly kind: 'not';
    readonly arg: Expr;
}

export interface NullTestExpr extends Node {
    readonly kind: 'isnull';
    readonly arg: Expr;
    readonly negated: boolean;
}

export interface BooleanTestExpr extends Node {
    readonly kind: 'booltest';
    readonly arg: Expr;
    readonly test: 'true' | 'false' | 'unknown';
    readonly negated: boolean;
}

/** IS [NOT] DISTINCT FROM; operands of one comparable type pair, as for `=`. */
export interface DistinctExpr extends Node {
    readonly kind: 'distinct';
    readonly left: Expr;
    readonly right: Expr;
    readonly negated: boolean;
}

export interface CaseExpr extends Node {
    readonly kind: 'case';
    /** `CASE x WHEN y` is bound to `WHEN x = y`. */
    readonly whens: readonly {readonly condition: Expr; readonly result: Expr}[];
    readonly otherwise: Expr | null;
}

export interface CoalesceExpr extends Node {
    readonly kind: 'coalesce';
    readonly args: readonly Expr[];
}

export interface MinMaxExpr extends Node {
    readonly kind: 'greatest' | 'least';
    readonly args: readonly Expr[];
}

export interface NullIfExpr extends Node {
    readonly kind: 'nullif';
    readonly left: Expr;
    readonly right: Expr;
}

/** `arg [NOT] IN (list)` with list items cast to a common type with arg. */
export interface InListExpr extends Node {
    readonly kind: 'in';
    readonly arg: Expr;
    readonly list: readonly Expr[];
    readonly negated: boolean;
}

/** `left op ANY|ALL (array)`. */
export interface ScalarArrayExpr extends Node {
    readonly kind: 'scalararray';
    readonly op: string;
    readonly any: boolean;
    readonly left: Expr;
    readonly array: Expr;
}

export interface LikeExpr extends Node {
    readonly kind: 'like';
    readonly arg: Expr;
    readonly pattern: Expr;
    readonly caseInsensitive: boolean;
    readonly negated: boolean;
    readonly escape: Expr | null;
}

export interface SubqueryExpr extends Node {
    readonly kind: 'subquery';
    readonly form: 'exists' | 'scalar' | 'any' | 'all' | 'array';
    readonly query: BoundQuery;
    /** For any / all: `test op (query)`. */
    readonly test: Expr | null;
    readonly op: string | null;
}

export interface ArrayExpr extends Node {
    readonly kind: 'array';
    readonly elements: readonly Expr[];
}

export interface RowExpr extends Node {
    readonly kind: 'row';
    readonly fields: readonly Expr[];
}

/** current_date, current_timestamp, current_user and their like: stable within a statement or transaction. */
export interface SqlValueExpr extends Node {
    readonly kind: 'sqlvalue';
    readonly name:
        | 'current_date'
        | 'current_timestamp'
        | 'localtimestamp'
        | 'current_time'
        | 'localtime'
        | 'current_user'
        | 'session_user'
        | 'current_schema'
        | 'current_catalog';
}

/** Something a FROM clause reads. Its index in `BoundSelect.sources` is its identity. */
export type Source =
    | {readonly kind: 'table'; readonly alias: string; readonly table: TableDescriptor}
    | {
          readonly kind: 'query';
          readonly alias: string;
          readonly query: BoundQuery;
          readonly columns: readonly OutputColumn[];
          readonly lateral: boolean;
      }
    | {readonly kind: 'cte'; readonly alias: string; readonly cte: string; readonly columns: readonly OutputColumn[]}
    | {
          readonly kind: 'function';
          readonly alias: string;
          readonly call: FunctionExpr;
          readonly columns: readonly OutputColumn[];
          readonly ordinality: boolean;
          readonly lateral: boolean;
      };

export type FromItem =
    | {readonly kind: 'source'; readonly source: number}
    | {
          readonly kind: 'join';
          readonly join: 'inner' | 'left' | 'right' | 'full' | 'cross';
          readonly left: FromItem;
          readonly right: FromItem;
          readonly on: Expr | null;
      };

export interface OutputColumn {
    readonly name: string;
    readonly type: TypeRef;
    /** pg_class.oid and attnum when the column is a plain reference to a table's column, else 0. */
    readonly tableOid: number;
    readonly attnum: number;
}

export interface Target {
    readonly expr: Expr;
    readonly name: string;
}

export interface BoundSelect {
    readonly kind: 'select';
    readonly ctes: readonly BoundCte[];
    readonly sources: readonly Source[];
    /** Items listed in FROM, joined as by CROSS JOIN. */
    readonly from: readonly FromItem[];
    readonly where: Expr | null;
    /** One or more grouping sets; a plain GROUP BY is one set. null = no GROUP BY. */
    readonly groupBy: readonly (readonly Expr[])[] | null;
    readonly having: Expr | null;
    readonly targets: readonly Target[];
    readonly distinct: 'none' | 'all' | readonly Expr[];
    readonly orderBy: readonly SortKey[];
    readonly limit: Expr | null;
    readonly limitWithTies: boolean;
    readonly offset: Expr | null;
    readonly columns: readonly OutputColumn[];
    readonly hasAggregates: boolean;
}

export interface BoundSetOperation {
    readonly kind: 'setop';
    readonly ctes: readonly BoundCte[];
    readonly op: 'union' | 'intersect' | 'except';
    readonly all: boolean;
    readonly left: BoundQuery;
    readonly right: BoundQuery;
    /** Keys refer to output columns: ColumnExpr with level 0, source -1, column = 1-based output column. */
    readonly orderBy: readonly SortKey[];
    readonly limit: Expr | null;
    readonly offset: Expr | null;
    readonly columns: readonly OutputColumn[];
}

export interface BoundValues {
    readonly kind: 'values';
    readonly ctes: readonly BoundCte[];
    readonly rows: readonly (readonly Expr[])[];
    readonly orderBy: readonly SortKey[];
    readonly limit: Expr | null;
    readonly offset: Expr | null;
    readonly columns: readonly OutputColumn[];
}

export type BoundQuery = BoundSelect | BoundSetOperation | BoundValues;

export interface BoundCte {
    readonly name: string;
    readonly query: BoundQuery;
    readonly columns: readonly OutputColumn[];
    readonly recursive: boolean;
    readonly materialized: boolean | undefined;
}

/** What FOR UPDATE and its kin ask for. */
export type RowLockStrength = 'update' | 'no key update' | 'share' | 'key share';

export interface BoundInsert {
    readonly kind: 'insert';
    readonly table: TableDescriptor;
    /** attnums that the source query feeds, in order of its columns; all others take their default. */
    readonly columns: readonly number[];
    /** VALUES rows (null entry = DEFAULT), a query, or DEFAULT VALUES. Expressions are cast to the column types. */
    readonly source:
        | {readonly kind: 'values'; readonly rows: readonly (readonly (Expr | null)[])[]}
        // casts: one per column of the query, over ColumnExpr {level 0, source 0, column = 1-based output column}.
        | {readonly kind: 'query'; readonly query: BoundQuery; readonly casts: readonly Expr[]}
        | {readonly kind: 'default'};
    readonly overriding: 'none' | 'user' | 'system';
    readonly onConflict: BoundOnConflict | null;
    /** Expressions over source 0 = the table. null = no RETURNING. */
    readonly returning: readonly Target[] | null;
    readonly returningColumns: readonly OutputColumn[];
}

export interface BoundOnConflict {
    /** The arbiter; null = any unique index (DO NOTHING only). */
    readonly index: IndexChoice | null;
    readonly action: 'nothing' | 'update';
    /** Expressions over source 0 = existing row, source 1 = excluded. */
    readonly set: readonly {readonly attnum: number; readonly expr: Expr | null}[];
    readonly where: Expr | null;
}

export interface IndexChoice {
    readonly indexId: number;
}

/** UPDATE and DELETE over one table with no FROM / USING; anything else goes by the reference path. */
export interface BoundUpdate {
    readonly kind: 'update';
    readonly table: TableDescriptor;
    readonly alias: string;
    /** expr null = DEFAULT. Expressions over source 0 = the table, cast to the column's type. */
    readonly set: readonly {readonly attnum: number; readonly expr: Expr | null}[];
    readonly where: Expr | null;
    readonly returning: readonly Target[] | null;
    readonly returningColumns: readonly OutputColumn[];
}

export interface BoundDelete {
    readonly kind: 'delete';
    readonly table: TableDescriptor;
    readonly alias: string;
    readonly where: Expr | null;
    readonly returning: readonly Target[] | null;
    readonly returningColumns: readonly OutputColumn[];
}

export interface BoundStatement {
    readonly statement: BoundQuery | BoundInsert | BoundUpdate | BoundDelete;
    /** Types of $1, $2, …: given by the client, or inferred as PostgreSQL infers them. */
    readonly parameterTypes: readonly number[];
    /** Tables read or written, each once. */
    readonly tables: readonly TableDescriptor[];
    /** FOR UPDATE / SHARE of a plain one-table select, else null. */
    readonly rowLock: {
        readonly strength: RowLockStrength;
        readonly wait: 'wait' | 'nowait' | 'skip locked';
    } | null;
    /**
     * A date, time or interval literal was read with the session's TimeZone, DateStyle and IntervalStyle: a plan kept
     * for this statement is good for sessions with the same settings only.
     */
    readonly dependsOnSettings: boolean;
}
