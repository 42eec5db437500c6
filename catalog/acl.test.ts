import {describe, expect, test} from 'vitest';
import {isGranted} from './acl.ts';
import type {RoleDescriptor} from './roles.ts';

const ROLES: Readonly<Record<string, Partial<RoleDescriptor>>> = {
    ann: {inherit: true, memberOf: ['staff']},
    staff: {inherit: true, memberOf: ['company']},
    company: {inherit: true, memberOf: []},
    loner: {inherit: false, memberOf: ['staff']},
    'odd "name"': {inherit: true, memberOf: []},
};
const roles = {role: (name: string) => ROLES[name] as RoleDescriptor | undefined};

describe('privileges on a sequence', () => {
    test('without a list only the owner and who inherits from it has any', () => {
        expect(isGranted({owner: 'company', acl: undefined}, ['U'], 'ann', roles)).toBe(true);
        expect(isGranted({owner: 'company', acl: undefined}, ['U'], 'loner', roles)).toBe(false);
        expect(isGranted({owner: 'ann'}, ['U'], 'company', roles)).toBe(false);
    });

    test('a list says who has what', () => {
        const object = {owner: 'tidewire', acl: ['tidewire=rwU/tidewire', 'staff=U/tidewire', '"odd ""name"""=r*/x']};
        expect(isGranted(object, ['U'], 'ann', roles)).toBe(true);
        expect(isGranted(object, ['w'], 'ann', roles)).toBe(false);
        expect(isGranted(object, ['r', 'w'], 'odd "name"', roles)).toBe(true);
        expect(isGranted(object, ['U'], 'nobody', roles)).toBe(false);
    });

    test('an empty grantee is everybody', () => {
        expect(isGranted({owner: 'tidewire', acl: ['=U/tidewire']}, ['U'], 'nobody', roles)).toBe(true);
    });
});
