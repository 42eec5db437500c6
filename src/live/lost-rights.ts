/**
 * Which live queries a commit of DDL may have taken the right to read from. It need not be exact: who still has the
 * right subscribes again where they were, and is asked for it then.
 *
 * What must stay true: a statement that can take SELECT on a table, or the way to it, from any role is seen here.
 */
import {type AstFields, asFields, nodesOf, textOf} from '../../catalog/ddl/ast.ts';
import type {CatalogChange} from '../../catalog/catalog-change.ts';
import type {Node} from '../sql/nodes.ts';
import {tagOf} from '../sql/nodes.ts';

export interface LostRights {
    /** Any table may be concerned. */
    readonly everywhere: boolean;
    /** Names without schema: those of other schemas are asked again too. */
    readonly tableNames: ReadonlySet<string>;
}

/** undefined: none. */
export function lostRights(change: CatalogChange, parse: (sql: string) => readonly Node[]): LostRights | undefined {
    const tableNames = new Set<string>();
    for (const {before, after} of change.tables) {
        if (before === undefined || after === undefined) continue;
        if (before.owner !== after.owner || before.schema !== after.schema) tableNames.add(after.name);
    }
    let everywhere = change.roles.some(
        ({before, after}) =>
            before !== undefined &&
            after !== undefined &&
            ((before.superuser && !after.superuser) || (before.inherit && !after.inherit)),
    );
    for (const {sql} of change.ddl) {
        if (!/revoke|owned/i.test(sql)) continue;
        for (const tree of parse(sql)) {
            const tag = tagOf(tree);
            const fields = asFields(tree[tag]);
            if (tag === 'DropOwnedStmt' || (tag === 'GrantRoleStmt' && fields['is_grant'] !== true)) everywhere = true;
            if (tag === 'GrantStmt' && fields['is_grant'] !== true) everywhere ||= !namesTables(fields, tableNames);
        }
    }
    return everywhere || tableNames.size > 0 ? {everywhere, tableNames} : undefined;
}

/** REVOKE. False when it is about more than single tables. */
function namesTables(fields: AstFields, tableNames: Set<string>): boolean {
    const kind = textOf(fields, 'objtype');
    if (kind !== 'OBJECT_TABLE') return kind !== 'OBJECT_SCHEMA';
    if (textOf(fields, 'targtype') !== 'ACL_TARGET_OBJECT') return false;
    for (const object of nodesOf(fields, 'objects')) tableNames.add(textOf(object.fields, 'relname') ?? '');
    return true;
}
