/**
 * Which live queries a commit of DDL may have taken the right to read from. It need not be exact: who still has the
 * right subscribes again where they were, and is asked for it then.
 *
 * What must stay true: a statement that can take SELECT on a table, or the way to it, from any role is seen here.
 */
import {asFields, type AstFields, nodesOf, textOf} from '../../catalog/ddl/ast.ts';
import type {CatalogChange} from '../../catalog/catalog-change.ts';
import {type Node, tagOf} from '../sql/nodes.ts';

export interface LostRights {
    /** Without schema: tables of that name in other schemas are meant too. undefined = any table. */
    readonly table: string | undefined;
    /** And those who have the rights of this role. undefined = anybody. */
    readonly role: string | undefined;
}

export function lostRights(change: CatalogChange, parse: (sql: string) => readonly Node[]): LostRights[] {
    const lost: LostRights[] = [];
    for (const {before, after} of change.tables) {
        if (before === undefined || after === undefined) continue;
        if (before.owner !== after.owner || before.schema !== after.schema) {
            lost.push({table: after.name, role: undefined});
        }
    }
    for (const {before, after} of change.roles) {
        if (before === undefined || after === undefined) continue;
        const left = before.memberOf.some((name) => !after.memberOf.includes(name));
        if (left || (before.superuser && !after.superuser) || (before.inherit && !after.inherit)) {
            lost.push({table: undefined, role: after.name});
        }
    }
    for (const {sql} of change.ddl) {
        if (!/revoke|owned/i.test(sql)) continue;
        for (const tree of parse(sql)) lost.push(...lostBy(tree));
    }
    return lost;
}

function lostBy(tree: Node): LostRights[] {
    const tag = tagOf(tree);
    const fields = asFields(tree[tag]);
    if (tag === 'DropOwnedStmt') return pairs([undefined], rolesIn(fields, 'roles'));
    if (fields['is_grant'] === true) return [];
    if (tag === 'GrantRoleStmt') return pairs([undefined], rolesIn(fields, 'grantee_roles'));
    return tag === 'GrantStmt' ? pairs(tablesOf(fields), rolesIn(fields, 'grantees')) : [];
}

/** Of a REVOKE. */
function tablesOf(fields: AstFields): (string | undefined)[] {
    const kind = textOf(fields, 'objtype');
    if (kind === 'OBJECT_SCHEMA') return [undefined];
    if (kind !== 'OBJECT_TABLE') return [];
    if (textOf(fields, 'targtype') !== 'ACL_TARGET_OBJECT') return [undefined];
    return nodesOf(fields, 'objects').map((object) => textOf(object.fields, 'relname'));
}

/** PUBLIC is anybody, and so is who has no name in the statement. */
function rolesIn(fields: AstFields, name: string): (string | undefined)[] {
    return nodesOf(fields, name).map((role) => textOf(role.fields, 'rolename'));
}

function pairs(tables: readonly (string | undefined)[], roles: readonly (string | undefined)[]): LostRights[] {
    return tables.flatMap((table) => roles.map((role) => ({table, role})));
}
