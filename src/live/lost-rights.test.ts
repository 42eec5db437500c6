/** Which commits of DDL make live queries ask for their rights again. */
import {beforeAll, describe, expect, it} from 'vitest';
import {NO_CHANGE} from '../../catalog/catalog-change.ts';
import {loadParser, parseStatements} from '../sql/parse.ts';
import {lostRights, type LostRights} from './lost-rights.ts';
import {tableDescriptor} from './test-support.ts';

beforeAll(async () => {
    await loadParser();
});

function after(sql: string): LostRights | undefined {
    const ddl = [{sql, user: 'alice', settings: new Map<string, string>()}];
    return lostRights({...NO_CHANGE, ddl}, (text) => parseStatements(text).map(({tree}) => tree));
}

describe('lostRights', () => {
    it.each([
        ['REVOKE SELECT ON a.t, b FROM x', ['t', 'b']],
        ['REVOKE SELECT (id) ON t FROM x', ['t']],
        ['revoke all on t from public', ['t']],
    ])('names the tables of %s', (sql, names) => {
        expect(after(sql)).toEqual({everywhere: false, tableNames: new Set(names)});
    });

    it.each([
        'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM x',
        'REVOKE USAGE ON SCHEMA s FROM x',
        'REVOKE staff FROM x',
        'DROP OWNED BY x',
    ])('means every table by %s', (sql) => {
        expect(after(sql)?.everywhere).toBe(true);
    });

    it.each([
        'GRANT SELECT ON t TO x',
        'GRANT staff TO x',
        'REVOKE EXECUTE ON FUNCTION f FROM x',
        'CREATE TABLE revoke_t ()',
    ])('is nothing by %s', (sql) => {
        expect(after(sql)).toBeUndefined();
    });

    it('names a table with another owner or schema', () => {
        const before = tableDescriptor();
        const changed = (now: object): LostRights | undefined =>
            lostRights({...NO_CHANGE, tables: [{before, after: {...before, ...now}}]}, () => []);
        expect(changed({owner: 'bob'})?.tableNames).toEqual(new Set(['t']));
        expect(changed({schema: 's'})?.tableNames).toEqual(new Set(['t']));
        expect(changed({version: 2})).toBeUndefined();
    });
});
