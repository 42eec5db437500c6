/** Which commits of DDL make live queries ask for their rights again. */
import {beforeAll, describe, expect, it} from 'vitest';
import {NO_CHANGE} from '../../catalog/catalog-change.ts';
import {loadParser, parseStatements} from '../sql/parse.ts';
import {lostRights, type LostRights} from './lost-rights.ts';
import {tableDescriptor} from './test-support.ts';

beforeAll(async () => {
    await loadParser();
});

function after(sql: string): LostRights[] {
    const ddl = [{sql, user: 'alice', settings: new Map<string, string>()}];
    return lostRights({...NO_CHANGE, ddl}, (text) => parseStatements(text).map(({tree}) => tree));
}

describe('lostRights', () => {
    it.each([
        ['REVOKE SELECT ON a.t, b FROM x', 't x, b x'],
        ['REVOKE SELECT (id) ON t FROM x, y', 't x, t y'],
        ['revoke all on t from public', 't anybody'],
        ['REVOKE ALL ON ALL TABLES IN SCHEMA public FROM x', 'any x'],
        ['REVOKE USAGE ON SCHEMA s FROM x', 'any x'],
        ['REVOKE staff FROM x', 'any x'],
        ['DROP OWNED BY x', 'any x'],
        ['DROP OWNED BY CURRENT_USER', 'any anybody'],
        ['GRANT SELECT ON t TO x', ''],
        ['GRANT staff TO x', ''],
        ['REVOKE EXECUTE ON FUNCTION f FROM x', ''],
        ['CREATE TABLE revoke_t ()', ''],
    ])('by %s are "%s"', (sql, expected) => {
        const lost = after(sql).map(({table, role}) => `${table ?? 'any'} ${role ?? 'anybody'}`);
        expect(lost.join(', ')).toBe(expected);
    });

    it('are those of a table with another owner or schema', () => {
        const before = tableDescriptor();
        const changed = (now: object): LostRights[] =>
            lostRights({...NO_CHANGE, tables: [{before, after: {...before, ...now}}]}, () => []);
        expect(changed({owner: 'bob'})).toEqual([{table: 't', role: undefined}]);
        expect(changed({schema: 's'})).toEqual([{table: 't', role: undefined}]);
        expect(changed({version: 2})).toEqual([]);
    });
});
