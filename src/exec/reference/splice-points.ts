/**
 * Where columns are added to a statement's text: at the end of a SELECT's list, at the start of RETURNING.
 *
 * What must stay true: offsets are bytes of the text that the tree was parsed from. A keyword is found by scanning
 * tokens, never characters, so that strings and comments cannot be taken for it.
 */
import {strict as assert} from 'node:assert';
import {StatementText} from '../../../catalog/ddl/statement-text.ts';
import {as, type Node, type ReturningClause} from '../../sql/nodes.ts';

/** Byte offset of the FROM that ends the list beginning at `listStart`. */
export function endOfTargets(sql: string, listStart: number): number {
    const text = new StatementText(sql);
    let depth = 0;
    for (let index = text.tokenAt(listStart); index < text.tokens.length; index++) {
        const token = text.tokenText(index);
        if (token === '(' || token === '[') depth++;
        else if (token === ')' || token === ']') depth--;
        // `a IS DISTINCT FROM b` has a FROM of its own.
        else if (token === 'from' && depth === 0 && text.tokenText(index - 1) !== 'distinct') {
            return text.tokens[index]?.start ?? 0;
        }
    }
    throw new assert.AssertionError({message: 'a list before FROM ends'});
}

export interface ReturningText {
    /** Byte offset of the keyword. */
    readonly start: number;
    /** Byte offset of the first expression. */
    readonly listStart: number;
    /** `WITH (OLD AS o)`, or nothing. */
    readonly options: string;
}

export function returningText(sql: string, clause: ReturningClause): ReturningText {
    const listStart = locationOf(clause.exprs?.[0]);
    const text = new StatementText(sql);
    let index = text.tokenAt(listStart) - 1;
    // RETURNING is reserved: no name between it and the list can be it.
    while (index > 0 && text.tokenText(index) !== 'returning') index--;
    const token = text.tokens[index];
    assert(token !== undefined && text.tokenText(index) === 'returning', 'RETURNING stands before its list');
    return {start: token.start, listStart, options: text.slice(token.end, listStart).trim()};
}

function locationOf(node: Node | undefined): number {
    const target = as(node, 'ResTarget') as {readonly location?: number} | undefined;
    return target?.location ?? 0;
}

export function locationOfFirst(nodes: readonly Node[] | undefined): number {
    return locationOf(nodes?.[0]);
}
