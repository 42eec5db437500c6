/** Records of the catalog come back as they were written. */
import {describe, expect, it} from 'vitest';
import {Catalog} from './catalog.ts';
import {NO_CHANGE} from './catalog-change.ts';
import {initialCatalog} from './initial-catalog.ts';
import {decode, encode, recordsOfChange} from './records.ts';

describe('the record codec', () => {
    it('keeps every kind of value', () => {
        const object = {
            big: -9223372036854775808n,
            bytes: Uint8Array.of(0, 255),
            numbers: [0, -0, NaN, Infinity, -Infinity, 1.5],
            map: new Map([['a', {deep: 1n}]]),
            nothing: undefined,
            list: [undefined, null, 'x'],
        };
        expect(decode(encode(object))).toStrictEqual(object);
        expect(decode(encode({bytes: Buffer.from('ab')}))).toStrictEqual({bytes: Uint8Array.of(97, 98)});
    });

    it('is what it was: a golden record', () => {
        expect(encode({a: 1n, b: undefined})).toBe('{"v":1,"o":{"a":{"$bigint":"1"},"b":{"$undefined":true}}}');
    });

    it('refuses an unknown version and an unknown kind', () => {
        expect(() => decode('{"v":2,"o":{}}')).toThrow('unknown version');
        expect(() => new Catalog().restore([{key: 'ghost/1', value: encode({})}])).toThrow('unknown kind');
    });
});

describe('records of a change', () => {
    it('move when an object is renamed', () => {
        const schema = {oid: 5, name: 'old', owner: 'x'};
        const records = recordsOfChange(
            {...NO_CHANGE, schemas: [{before: schema, after: {...schema, name: 'new'}}]},
            0,
        );
        expect(records.map(({key, value}) => [key, value === undefined])).toEqual([
            ['schema/old', true],
            ['schema/new', false],
        ]);
    });

    it('number the DDL log without gaps', () => {
        const entry = {sql: 'x', user: 'u', settings: new Map()};
        expect(recordsOfChange({...NO_CHANGE, ddl: [entry, entry]}, 7).map(({key}) => key)).toEqual([
            'ddl/000000000008',
            'ddl/000000000009',
        ]);
    });
});

describe('the initial catalog', () => {
    it('has a first superuser without a password, public and the local storage', () => {
        const catalog = new Catalog();
        catalog.apply(initialCatalog('/x'));
        expect(catalog.role('tidewire')).toMatchObject({superuser: true, login: true, verifier: undefined, roleId: 1});
        expect(catalog.schema('public')?.oid).toBe(2200);
        expect(catalog.storage('local')?.options.get('path')).toBe('/x');
    });
});
