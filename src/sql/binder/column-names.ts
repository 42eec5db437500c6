/**
 * Names of output columns without AS: FigureColname of PostgreSQL's parse_target.c.
 */
import type {Node, SubLink} from '../nodes.ts';
import {as, strings, tagOf} from '../nodes.ts';
import type {StatementState} from './context.ts';

/** 0 no idea, 1 a fallback (type or CASE), 2 a real name. */
interface Guess {
    readonly strength: 0 | 1 | 2;
    readonly name: string;
}

const NONE: Guess = {strength: 0, name: '?column?'};

/** Called after the expression was bound: a scalar subquery's name is known only then. */
export function columnName(state: StatementState, node: Node): string {
    return guess(state, node).name;
}

function certain(name: string | undefined): Guess {
    return name === undefined ? NONE : {strength: 2, name};
}

function guess(state: StatementState, node: Node | undefined): Guess {
    if (node === undefined) return NONE;
    switch (tagOf(node)) {
        case 'ColumnRef':
            return certain(lastString(as(node, 'ColumnRef')?.fields));
        case 'A_Indirection': {
            const indirection = as(node, 'A_Indirection');
            const name = lastString(indirection?.indirection);
            return name === undefined ? guess(state, indirection?.arg) : certain(name);
        }
        case 'FuncCall':
            return certain(strings(as(node, 'FuncCall')?.funcname)?.at(-1));
        case 'A_Expr':
            return as(node, 'A_Expr')?.kind === 'AEXPR_NULLIF' ? certain('nullif') : NONE;
        case 'TypeCast': {
            const cast = as(node, 'TypeCast');
            const inner = guess(state, cast?.arg);
            const type = strings(cast?.typeName.names)?.at(-1);
            return inner.strength > 1 || type === undefined ? inner : {strength: 1, name: type};
        }
        case 'CollateClause':
            return guess(state, as(node, 'CollateClause')?.arg);
        case 'CaseExpr': {
            const inner = guess(state, as(node, 'CaseExpr')?.defresult);
            return inner.strength > 1 ? inner : {strength: 1, name: 'case'};
        }
        case 'SubLink':
            return subLinkName(state, as(node, 'SubLink'));
        case 'A_ArrayExpr':
            return certain('array');
        case 'RowExpr':
            return certain('row');
        case 'CoalesceExpr':
            return certain('coalesce');
        case 'GroupingFunc':
            return certain('grouping');
        case 'MinMaxExpr':
            return certain(as(node, 'MinMaxExpr')?.op === 'IS_LEAST' ? 'least' : 'greatest');
        case 'SQLValueFunction':
            return certain(SQL_VALUE_NAMES[as(node, 'SQLValueFunction')?.op ?? '']);
        default:
            return NONE;
    }
}

function subLinkName(state: StatementState, link: SubLink | undefined): Guess {
    if (link?.subLinkType === 'EXISTS_SUBLINK') return certain('exists');
    if (link?.subLinkType === 'ARRAY_SUBLINK') return certain('array');
    if (link?.subLinkType === 'EXPR_SUBLINK') return certain(state.subqueryNames.get(link));
    return NONE;
}

function lastString(fields: readonly Node[] | undefined): string | undefined {
    for (const field of [...(fields ?? [])].reverse()) {
        const text = as(field, 'String');
        if (text !== undefined) return text.sval ?? '';
    }
    return undefined;
}

const SQL_VALUE_NAMES: Readonly<Record<string, string>> = {
    SVFOP_CURRENT_DATE: 'current_date',
    SVFOP_CURRENT_TIME: 'current_time',
    SVFOP_CURRENT_TIME_N: 'current_time',
    SVFOP_CURRENT_TIMESTAMP: 'current_timestamp',
    SVFOP_CURRENT_TIMESTAMP_N: 'current_timestamp',
    SVFOP_LOCALTIME: 'localtime',
    SVFOP_LOCALTIME_N: 'localtime',
    SVFOP_LOCALTIMESTAMP: 'localtimestamp',
    SVFOP_LOCALTIMESTAMP_N: 'localtimestamp',
    SVFOP_CURRENT_ROLE: 'current_role',
    SVFOP_CURRENT_USER: 'current_user',
    SVFOP_USER: 'user',
    SVFOP_SESSION_USER: 'session_user',
    SVFOP_CURRENT_CATALOG: 'current_catalog',
    SVFOP_CURRENT_SCHEMA: 'current_schema',
};
