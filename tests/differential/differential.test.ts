/**
 * PostgreSQL is the oracle: every statement of the corpus gives the same rows, column names and types, command tag and
 * SQLSTATE on Tidewire and on PGlite, wherever the rows are: all hot, all cold, or half and half. What this release
 * refuses is refused in so many words (known-differences.ts).
 */
import {loadModule} from 'libpg-query';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {PgliteOracle} from '../support/pglite.ts';
import {startTidewire} from '../support/tidewire.ts';
import {CORPUS} from './corpus/corpus.ts';
import {buildOnPglite, buildOnServer, FIXTURE_TABLES, moveEvenRows} from './fixture.ts';
import {REFUSED} from './known-differences.ts';
import {compareAnswers, runStatement} from './run-statement.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {WireClient} from '../support/wire-client.ts';
import type {CorpusStatement} from './corpus/statement.ts';
import type {StatementAnswer} from './run-statement.ts';

let pglite: PgliteOracle;
let server: TidewireServer;
let client: WireClient;
const expectedAnswers = new Map<CorpusStatement, StatementAnswer>();

beforeAll(async () => {
    await loadModule();
    [server, pglite] = await Promise.all([startTidewire(), PgliteOracle.start()]);
    client = await server.connect({timezone: 'UTC'});
    await buildOnPglite(pglite);
    await buildOnServer(client);
}, 120_000);

afterAll(async () => {
    await server?.remove();
    await pglite?.close();
});

const STATES: readonly {readonly name: string; readonly enter: () => Promise<void>}[] = [
    {name: 'hot', enter: async () => {}},
    {name: 'cold', enter: flushAll},
    {name: 'half hot, half cold', enter: () => moveEvenRows(client)},
];

describe.each(STATES)('rows $name', ({enter}) => {
    beforeAll(enter, 120_000);

    describe.each([...CORPUS])('$topic', ({statements}) => {
        test.each(statements.map((statement) => ({title: titleOf(statement), statement})))(
            '$title',
            async ({statement}) => {
                const actual = await runStatement(client, statement);
                const refusal = REFUSED.get(statement.sql);
                if (refusal !== undefined) {
                    expect(actual.outcome, refusal).toMatchObject({sqlstate: '0A000', hint: expect.any(String)});
                    return;
                }
                expect(compareAnswers(statement, actual, await expectedAnswer(statement))).toBeUndefined();
            },
        );
    });
});

test('every statement that is known to be refused is in the corpus', () => {
    const statements = new Set(CORPUS.flatMap(({statements}) => statements.map(({sql}) => sql)));
    expect([...REFUSED.keys()].filter((sql) => !statements.has(sql))).toEqual([]);
});

async function flushAll(): Promise<void> {
    for (const {table} of FIXTURE_TABLES) await client.execute(`call system.flush('${table}')`);
}

async function expectedAnswer(statement: CorpusStatement): Promise<StatementAnswer> {
    const known = expectedAnswers.get(statement);
    if (known !== undefined) return known;
    const answer = await runStatement(pglite, statement);
    expectedAnswers.set(statement, answer);
    return answer;
}

/** `$` and `%` mean something in vitest's titles. */
function titleOf({sql}: CorpusStatement): string {
    return sql.replaceAll(/\s+/g, ' ').slice(0, 160);
}
