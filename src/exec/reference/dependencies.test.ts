import {beforeAll, describe, expect, test} from 'vitest';
import {Catalog} from '../../../catalog/catalog.ts';
import {type CatalogChange, NO_CHANGE, type SequenceDescriptor} from '../../../catalog/catalog-change.ts';
import {tableDescriptor} from '../vector/testing/fixture.ts';
import {loadParser, parseStatements} from '../../sql/parse.ts';
import {dependenciesOf, type Dependencies, type DependencySource, withDefaults} from './dependencies.ts';
import {mentionsOf} from './mentions.ts';

function sequence(sequenceId: number, name: string): SequenceDescriptor {
    return {
        sequenceId,
        oid: 30_000 + sequenceId,
        schema: 'public',
        name,
        owner: 'postgres',
        typeOid: 20,
        start: 1n,
        increment: 1n,
        min: 1n,
        max: 100n,
        cache: 1n,
        cycle: false,
        ownedBy: undefined,
        identity: false,
        acl: undefined,
    };
}

const view = {schema: 'public', owner: 'postgres', columns: [], checkOption: 'none', securityInvoker: false} as const;
const CHANGE: CatalogChange = {
    ...NO_CHANGE,
    tables: [
        {after: tableDescriptor(1, 't', [{name: 'a', oid: 23}])},
        {after: tableDescriptor(2, 'u', [{name: 'a', oid: 23}])},
    ],
    views: [
        {after: {...view, oid: 40_001, name: 'v', definitionSql: 'SELECT a FROM public.t;'}},
        {
            after: {
                ...view,
                oid: 40_002,
                name: 'w',
                definitionSql: 'SELECT a FROM public.v UNION SELECT a FROM public.u;',
            },
        },
    ],
    sequences: [{after: sequence(11, 's')}, {after: sequence(12, 'Other')}],
};

let source: DependencySource;

beforeAll(async () => {
    await loadParser();
    const catalog = new Catalog();
    catalog.apply(CHANGE);
    source = {catalog, searchPath: ['public'], parse: parseStatements, systemRelations: () => []};
});

function dependencies(sql: string): Dependencies {
    const [parsed] = parseStatements(sql);
    if (parsed === undefined) throw new Error('no statement');
    return dependenciesOf(mentionsOf(parsed.tree), source);
}

const names = (list: readonly {readonly name: string}[]): string[] => list.map(({name}) => name).toSorted();

describe('what a statement needs on the twin', () => {
    test('views are followed to their tables', () => {
        expect(names(dependencies('SELECT * FROM w').tables)).toEqual(['t', 'u']);
        expect(names(dependencies('SELECT * FROM public.v, v AS again').tables)).toEqual(['t']);
        expect(names(dependencies('SELECT * FROM pg_class, information_schema.tables, nowhere').tables)).toEqual([]);
    });

    test('sequences are found by constant names, by relation, and all of them where the name is not known', () => {
        expect(names(dependencies(`SELECT nextval('s')`).sequences)).toEqual(['s']);
        expect(names(dependencies(`SELECT currval('public."Other"'::regclass)`).sequences)).toEqual(['Other']);
        expect(names(dependencies(`SELECT setval(pg_get_serial_sequence('t', 'a'), 1)`).sequences)).toEqual([
            'Other',
            's',
        ]);
        expect(names(dependencies('SELECT last_value FROM s').sequences)).toEqual(['s']);
        expect(names(dependencies('SELECT * FROM pg_sequences').sequences)).toEqual(['Other', 's']);
        expect(names(dependencies(`SELECT other.nextval('s')`).sequences)).toEqual([]);
        expect(dependencies(`SELECT lastval()`)).toMatchObject({lastval: true, currval: false, sequences: []});
    });

    test('defaults draw from their sequences', () => {
        const table = tableDescriptor(3, 'd', [{name: 'a', oid: 23}]);
        const [column] = table.columns;
        if (column === undefined) throw new Error('no column');
        const columns = [
            {...column, defaultSql: `nextval('public.s'::regclass)`},
            {...column, identity: 'd', sequence: 'public."Other"'} as const,
        ];
        expect(names(withDefaults(dependencies('SELECT 1'), columns, source).sequences)).toEqual(['Other', 's']);
    });

    test('functions that would read empty tables or act on nothing are refused', () => {
        for (const call of [
            `ts_stat('SELECT 1')`,
            `query_to_xml('SELECT 1', true, true, '')`,
            `pg_advisory_lock(1)`,
            `pg_sleep(1)`,
        ]) {
            expect(() => dependencies(`SELECT ${call}`)).toThrow('not supported');
        }
    });
});
