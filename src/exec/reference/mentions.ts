/**
 * What a statement names: relations, functions, row locks, hidden columns. Read from the parse tree alone, before any
 * name is looked up.
 *
 * What must stay true: nothing that PostgreSQL would read is missed. Naming too much costs a copy of a table, naming
 * too little gives a wrong answer, so every node of the tree is visited.
 */
import {SYSTEM_COLUMNS} from '../../../catalog/descriptor.ts';
import {as, type FuncCall, type LockingClause, type Node, type RangeVar, strings} from '../../sql/nodes.ts';

export interface RelationMention {
    readonly schema: string | undefined;
    readonly name: string;
}

export interface FunctionMention {
    readonly schema: string | undefined;
    readonly name: string;
    readonly call: FuncCall;
}

export interface LockMention {
    readonly clause: LockingClause;
    /** Relations in the FROM clause that the lock stands beside, of any depth of joins. */
    readonly from: readonly RangeVar[];
    /** The clause belongs to the statement itself, not to a query within it. */
    readonly top: boolean;
    /** FROM has a query or function beside its relations. */
    readonly fromOther: boolean;
}

export interface Mentions {
    /** Relations that are read; the target of an INSERT is not among them. */
    readonly relations: readonly RelationMention[];
    readonly functions: readonly FunctionMention[];
    readonly locks: readonly LockMention[];
    /** `_seq` or `_updated` stands in the text as a column. */
    readonly systemColumns: boolean;
    /** A WITH query that inserts, updates or deletes. */
    readonly modifyingCte: boolean;
    /** SELECT … INTO. */
    readonly into: boolean;
    /** DEFAULT as a value. */
    readonly defaults: boolean;
    /** Names of all WITH queries. */
    readonly cteNames: ReadonlySet<string>;
}

interface Found {
    readonly cteNames: Set<string>;
    readonly relations: Map<string, RelationMention>;
    readonly functions: FunctionMention[];
    readonly locks: LockMention[];
    systemColumns: boolean;
    modifyingCte: boolean;
    into: boolean;
    defaults: boolean;
}

type Scope = ReadonlySet<string>;

const NO_NAMES: Scope = new Set();
const MODIFYING = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

export function mentionsOf(tree: Node): Mentions {
    const found: Found = {
        cteNames: new Set(),
        relations: new Map(),
        functions: [],
        locks: [],
        systemColumns: false,
        modifyingCte: false,
        into: false,
        defaults: false,
    };
    visit(tree, NO_NAMES, found, true);
    return {...found, relations: [...found.relations.values()]};
}

/** `value` is a node, a list, or a plain field. */
function visit(value: unknown, scope: Scope, found: Found, top: boolean): void {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
        for (const item of value) visit(item, scope, found, false);
        return;
    }
    for (const [tag, content] of Object.entries(value)) {
        if (typeof content !== 'object' || content === null) continue;
        visitField(tag, content as Node, scope, found, top);
    }
}

function visitField(tag: string, content: Node, scope: Scope, found: Found, top: boolean): void {
    switch (tag) {
        case 'lockedRels':
            // Names of FROM items, not relations.
            return;
        case 'intoClause':
            found.into = true;
            return;
        case 'larg':
        case 'rarg':
            // Arms of a set operation are bare SelectStmt; those of a join are tagged nodes.
            if ('op' in content && 'limitOption' in content) visitStatement('SelectStmt', content, scope, found, false);
            else visit(content, scope, found, false);
            return;
        case 'SelectStmt':
        case 'InsertStmt':
        case 'UpdateStmt':
        case 'DeleteStmt':
        case 'MergeStmt':
            visitStatement(tag, content, scope, found, top);
            return;
        case 'RangeVar':
            addRelation(content as unknown as RangeVar, scope, found);
            return;
        case 'FuncCall':
            addFunction(content as unknown as FuncCall, found);
            break;
        case 'SetToDefault':
            found.defaults = true;
            return;
        case 'ColumnRef':
            if (namesSystemColumn(content['fields'] as readonly Node[])) found.systemColumns = true;
            return;
        default:
            break;
    }
    visit(content, scope, found, false);
}

function visitStatement(tag: string, statement: Node, outer: Scope, found: Found, top: boolean): void {
    const scope = visitWith(statement['withClause'] as Node | undefined, outer, found);
    const relation = statement['relation'] as RangeVar | undefined;
    if (relation !== undefined && tag !== 'InsertStmt') addRelation(relation, NO_NAMES, found);
    addLocks(statement, found, top);
    for (const [field, content] of Object.entries(statement)) {
        if (field === 'withClause' || field === 'relation') continue;
        if (typeof content !== 'object' || content === null) continue;
        visitField(field, content as Node, scope, found, false);
    }
}

/** The names that the WITH clause adds; its queries are visited with those before them, or all when recursive. */
function visitWith(withClause: Node | undefined, outer: Scope, found: Found): Scope {
    if (withClause === undefined) return outer;
    const scope = new Set(outer);
    const ctes = ((withClause['ctes'] ?? []) as readonly Node[]).flatMap((node) => as(node, 'CommonTableExpr') ?? []);
    if (withClause['recursive'] === true) for (const cte of ctes) scope.add(cte.ctename);
    for (const cte of ctes) {
        if (Object.keys(cte.ctequery).some((tag) => MODIFYING.has(tag))) found.modifyingCte = true;
        visit(cte.ctequery, new Set(scope), found, false);
        scope.add(cte.ctename);
        found.cteNames.add(cte.ctename);
    }
    return scope;
}

function addRelation(relation: RangeVar, scope: Scope, found: Found): void {
    const schema = relation.schemaname;
    if (schema === undefined && scope.has(relation.relname)) return;
    found.relations.set(`${schema ?? ''}\0${relation.relname}`, {schema, name: relation.relname});
}

function addFunction(call: FuncCall, found: Found): void {
    const names = strings(call.funcname) ?? [];
    const name = names.at(-1);
    if (name !== undefined) found.functions.push({schema: names.at(-2), name, call});
}

export function namesSystemColumn(fields: readonly Node[] | undefined): boolean {
    return (fields ?? []).some((field) => {
        const name = as(field, 'String')?.sval;
        return name !== undefined && name in SYSTEM_COLUMNS;
    });
}

function addLocks(statement: Node, found: Found, top: boolean): void {
    const clauses = statement['lockingClause'] as readonly Node[] | undefined;
    if (clauses === undefined) return;
    const from = fromRelations((statement['fromClause'] ?? []) as readonly Node[]);
    for (const node of clauses) {
        const clause = as(node, 'LockingClause');
        if (clause !== undefined) found.locks.push({clause, from: from.relations, fromOther: from.other, top});
    }
}

function fromRelations(items: readonly Node[]): {relations: RangeVar[]; other: boolean} {
    const relations: RangeVar[] = [];
    let other = false;
    for (const item of items) {
        const relation = as(item, 'RangeVar');
        const join = as(item, 'JoinExpr');
        if (relation !== undefined) relations.push(relation);
        else if (join === undefined) other = true;
        else {
            const inner = fromRelations([join.larg, join.rarg]);
            relations.push(...inner.relations);
            other ||= inner.other;
        }
    }
    return {relations, other};
}
