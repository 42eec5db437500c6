/**
 * The parts of PostgreSQL's raw parse tree (parsenodes.h, as libpg-query's JSON has it) that the binder reads.
 *
 * What must stay true: libpg-query leaves out every field that is zero, false or empty, so everything is optional;
 * a node is an object with one key, its tag. `tagOf` and `as` are the only places that look at that key.
 */

export type Node = Readonly<Record<string, unknown>>;

export interface StringNode {
    readonly sval?: string;
}

export interface AConst {
    readonly ival?: {readonly ival?: number};
    readonly fval?: {readonly fval?: string};
    readonly sval?: {readonly sval?: string};
    readonly boolval?: {readonly boolval?: boolean};
    readonly bsval?: {readonly bsval?: string};
    readonly isnull?: boolean;
    readonly location?: number;
}

export interface ColumnRef {
    readonly fields: readonly Node[];
    readonly location?: number;
}

export interface ParamRef {
    readonly number?: number;
}

export interface AExpr {
    readonly kind: string;
    readonly name: readonly Node[];
    readonly lexpr?: Node;
    readonly rexpr?: Node;
}

export interface BoolExprNode {
    readonly boolop: 'AND_EXPR' | 'OR_EXPR' | 'NOT_EXPR';
    readonly args: readonly Node[];
}

export interface TypeName {
    readonly names?: readonly Node[];
    readonly typmods?: readonly Node[];
    readonly typemod?: number;
    readonly arrayBounds?: readonly Node[];
    readonly setof?: boolean;
    readonly pct_type?: boolean;
}

export interface TypeCast {
    readonly arg: Node;
    readonly typeName: TypeName;
}

export interface FuncCall {
    readonly funcname: readonly Node[];
    readonly args?: readonly Node[];
    readonly agg_order?: readonly Node[];
    readonly agg_filter?: Node;
    readonly over?: WindowDef;
    readonly agg_within_group?: boolean;
    readonly agg_star?: boolean;
    readonly agg_distinct?: boolean;
    readonly func_variadic?: boolean;
    readonly funcformat?: string;
}

export interface WindowDef {
    readonly name?: string;
    readonly refname?: string;
    readonly partitionClause?: readonly Node[];
    readonly orderClause?: readonly Node[];
    readonly frameOptions?: number;
    readonly startOffset?: Node;
    readonly endOffset?: Node;
}

export interface SubLink {
    readonly subLinkType: string;
    readonly testexpr?: Node;
    readonly operName?: readonly Node[];
    readonly subselect: Node;
}

export interface CaseExprNode {
    readonly arg?: Node;
    readonly args: readonly Node[];
    readonly defresult?: Node;
}

export interface CaseWhen {
    readonly expr: Node;
    readonly result: Node;
}

export interface ArgsNode {
    readonly args?: readonly Node[];
    readonly op?: string;
    readonly row_format?: string;
}

export interface NullTest {
    readonly arg: Node;
    readonly nulltesttype: 'IS_NULL' | 'IS_NOT_NULL';
}

export interface BooleanTest {
    readonly arg: Node;
    readonly booltesttype: string;
}

export interface AArrayExpr {
    readonly elements?: readonly Node[];
}

export interface SqlValueFunction {
    readonly op: string;
    readonly typmod?: number;
}

export interface CollateClause {
    readonly arg?: Node;
    readonly collname: readonly Node[];
}

export interface AIndirection {
    readonly arg: Node;
    readonly indirection: readonly Node[];
}

export interface ResTarget {
    readonly name?: string;
    readonly indirection?: readonly Node[];
    readonly val?: Node;
}

export interface SortBy {
    readonly node: Node;
    readonly sortby_dir?: string;
    readonly sortby_nulls?: string;
    readonly useOp?: readonly Node[];
}

export interface GroupingSet {
    readonly kind: string;
    readonly content?: readonly Node[];
}

export interface Alias {
    readonly aliasname: string;
    readonly colnames?: readonly Node[];
}

export interface RangeVar {
    readonly catalogname?: string;
    readonly schemaname?: string;
    readonly relname: string;
    readonly inh?: boolean;
    readonly alias?: Alias;
}

export interface RangeSubselect {
    readonly lateral?: boolean;
    readonly subquery: Node;
    readonly alias?: Alias;
}

export interface RangeFunction {
    readonly lateral?: boolean;
    readonly ordinality?: boolean;
    readonly is_rowsfrom?: boolean;
    readonly functions: readonly Node[];
    readonly alias?: Alias;
    readonly coldeflist?: readonly Node[];
}

export interface JoinExpr {
    readonly jointype: string;
    readonly isNatural?: boolean;
    readonly larg: Node;
    readonly rarg: Node;
    readonly usingClause?: readonly Node[];
    readonly join_using_alias?: Alias;
    readonly quals?: Node;
    readonly alias?: Alias;
}

export interface CommonTableExpr {
    readonly ctename: string;
    readonly aliascolnames?: readonly Node[];
    readonly ctematerialized?: string;
    readonly ctequery: Node;
    readonly search_clause?: Node;
    readonly cycle_clause?: Node;
}

export interface WithClause {
    readonly ctes: readonly Node[];
    readonly recursive?: boolean;
}

export interface LockingClause {
    readonly lockedRels?: readonly Node[];
    readonly strength: string;
    readonly waitPolicy: string;
}

export interface SelectStmt {
    readonly distinctClause?: readonly Node[];
    readonly intoClause?: Node;
    readonly targetList?: readonly Node[];
    readonly fromClause?: readonly Node[];
    readonly whereClause?: Node;
    readonly groupClause?: readonly Node[];
    readonly groupDistinct?: boolean;
    readonly havingClause?: Node;
    readonly windowClause?: readonly Node[];
    readonly valuesLists?: readonly Node[];
    readonly sortClause?: readonly Node[];
    readonly limitOffset?: Node;
    readonly limitCount?: Node;
    readonly limitOption?: string;
    readonly lockingClause?: readonly Node[];
    readonly withClause?: WithClause;
    readonly op?: 'SETOP_NONE' | 'SETOP_UNION' | 'SETOP_INTERSECT' | 'SETOP_EXCEPT';
    readonly all?: boolean;
    readonly larg?: SelectStmt;
    readonly rarg?: SelectStmt;
}

export interface IndexElem {
    readonly name?: string;
    readonly expr?: Node;
    readonly collation?: readonly Node[];
    readonly opclass?: readonly Node[];
}

export interface OnConflictClause {
    readonly action: string;
    readonly infer?: {
        readonly indexElems?: readonly Node[];
        readonly whereClause?: Node;
        readonly conname?: string;
    };
    readonly targetList?: readonly Node[];
    readonly whereClause?: Node;
}

export interface ReturningClause {
    readonly options?: readonly Node[];
    readonly exprs?: readonly Node[];
}

export interface InsertStmt {
    readonly relation: RangeVar;
    readonly cols?: readonly Node[];
    readonly selectStmt?: Node;
    readonly onConflictClause?: OnConflictClause;
    readonly returningClause?: ReturningClause;
    readonly withClause?: WithClause;
    readonly override?: string;
}

export interface UpdateStmt {
    readonly relation: RangeVar;
    readonly targetList: readonly Node[];
    readonly whereClause?: Node;
    readonly fromClause?: readonly Node[];
    readonly returningClause?: ReturningClause;
    readonly withClause?: WithClause;
}

export interface DeleteStmt {
    readonly relation: RangeVar;
    readonly usingClause?: readonly Node[];
    readonly whereClause?: Node;
    readonly returningClause?: ReturningClause;
    readonly withClause?: WithClause;
}

/** Tag to node type, for `as`. */
export interface NodeTypes {
    readonly A_Const: AConst;
    readonly ColumnRef: ColumnRef;
    readonly ParamRef: ParamRef;
    readonly A_Expr: AExpr;
    readonly BoolExpr: BoolExprNode;
    readonly TypeCast: TypeCast;
    readonly FuncCall: FuncCall;
    readonly SubLink: SubLink;
    readonly CaseExpr: CaseExprNode;
    readonly CaseWhen: CaseWhen;
    readonly CoalesceExpr: ArgsNode;
    readonly MinMaxExpr: ArgsNode;
    readonly GroupingFunc: ArgsNode;
    readonly RowExpr: ArgsNode;
    readonly NullTest: NullTest;
    readonly BooleanTest: BooleanTest;
    readonly A_ArrayExpr: AArrayExpr;
    readonly SQLValueFunction: SqlValueFunction;
    readonly CollateClause: CollateClause;
    readonly A_Indirection: AIndirection;
    readonly ResTarget: ResTarget;
    readonly SortBy: SortBy;
    readonly GroupingSet: GroupingSet;
    readonly RangeVar: RangeVar;
    readonly RangeSubselect: RangeSubselect;
    readonly RangeFunction: RangeFunction;
    readonly JoinExpr: JoinExpr;
    readonly CommonTableExpr: CommonTableExpr;
    readonly LockingClause: LockingClause;
    readonly SelectStmt: SelectStmt;
    readonly InsertStmt: InsertStmt;
    readonly UpdateStmt: UpdateStmt;
    readonly DeleteStmt: DeleteStmt;
    readonly IndexElem: IndexElem;
    readonly WindowDef: WindowDef;
    readonly String: StringNode;
    readonly List: {readonly items?: readonly Node[]};
    readonly Integer: {readonly ival?: number};
}

export type Tag = keyof NodeTypes;

export function tagOf(node: Node): string {
    for (const tag in node) return tag;
    return '';
}

/** The node's content when it has this tag, else undefined. */
export function as<T extends Tag>(node: Node | undefined, tag: T): NodeTypes[T] | undefined {
    return node === undefined ? undefined : (node[tag] as NodeTypes[T] | undefined);
}

/** The strings of a list of String nodes; undefined when another kind of node is among them. */
export function strings(nodes: readonly Node[] | undefined): readonly string[] | undefined {
    const result: string[] = [];
    for (const node of nodes ?? []) {
        const text = as(node, 'String');
        if (text === undefined) return undefined;
        result.push(text.sval ?? '');
    }
    return result;
}
