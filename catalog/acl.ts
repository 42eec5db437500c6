/**
 * Access control lists as pg_class.relacl has them, for the rights that are looked at while a statement runs: those on
 * sequences. All others are PostgreSQL's to check (src/exec/privileges.ts).
 * Source: PostgreSQL documentation, 5.8 "Privileges".
 *
 * What must stay true: no list means the owner's own rights; a role has the rights of the roles it inherits from.
 */
import type {RoleDescriptor} from './roles.ts';

/** Letters of privileges on sequences. */
export type SequencePrivilege = 'r' | 'w' | 'U';

interface RoleSource {
    role(name: string): RoleDescriptor | undefined;
}

/** Whether the role may do one of `privileges`. Superusers are not looked at here. */
export function isGranted(
    object: {readonly owner: string; readonly acl?: readonly string[] | undefined},
    privileges: readonly SequencePrivilege[],
    roleName: string,
    roles: RoleSource,
): boolean {
    const held = rolesOf(roleName, roles);
    const {acl} = object;
    if (acl === undefined) return held.has(object.owner);
    return acl.some((item) => {
        const {grantee, letters} = readItem(item);
        return (grantee === '' || held.has(grantee)) && privileges.some((letter) => letters.includes(letter));
    });
}

/** Whether the role is the other one, or a member that inherits its rights. */
export function hasRightsOf(roleName: string, other: string, roles: RoleSource): boolean {
    return rolesOf(roleName, roles).has(other);
}

/** The role and all whose rights it has. */
function rolesOf(name: string, roles: RoleSource): ReadonlySet<string> {
    const found = new Set([name]);
    // A set that grows is iterated to its end.
    for (const each of found) {
        const role = roles.role(each);
        if (role?.inherit === true) for (const other of role.memberOf) found.add(other);
    }
    return found;
}

/** `grantee=letters/grantor`; an empty grantee is PUBLIC. */
function readItem(item: string): {readonly grantee: string; readonly letters: string} {
    const match = /^(?:"((?:[^"]|"")*)"|([^="]*))=([^/]*)\//u.exec(item);
    if (match === null) return {grantee: '"', letters: ''};
    const [, quoted, plain, letters] = match;
    return {grantee: quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'), letters: letters ?? ''};
}
