/**
 * Checks the corpus itself: runs it on PGlite and on an installed PostgreSQL, and lists the statements whose answers
 * differ between the two. Those depend on the version or on the order of rows and do not belong into the corpus.
 *
 * Usage: node tests/differential/check-corpus.ts
 */
import {loadModule} from 'libpg-query';
import {PgliteOracle} from '../support/pglite.ts';
import {startPostgres} from '../support/postgres.ts';
import {CORPUS} from './corpus/corpus.ts';
import {buildOnPglite, buildOnServer, moveEvenRows} from './fixture.ts';
import {compareAnswers, runStatement} from './run-statement.ts';

await loadModule();
const [postgres, pglite] = await Promise.all([startPostgres(), PgliteOracle.start()]);
try {
    const client = await postgres.connect();
    await buildOnServer(client);
    await buildOnPglite(pglite);
    // Another physical order on one side finds statements whose answers depend on it.
    await moveEvenRows(client);
    let differences = 0;
    let count = 0;
    for (const {topic, statements} of CORPUS) {
        for (const statement of statements) {
            count++;
            const expected = await runStatement(client, statement);
            const actual = await runStatement(pglite, statement);
            const difference = compareAnswers(statement, actual, expected);
            const failsUnasked = topic !== 'errors' && expected.outcome.sqlstate !== undefined;
            const passesUnasked = topic === 'errors' && expected.outcome.sqlstate === undefined;
            if (difference === undefined && !failsUnasked && !passesUnasked) continue;
            differences++;
            const problem = difference ?? (passesUnasked ? 'no error' : `fails: ${expected.outcome.message}`);
            console.log(`${topic}: ${statement.sql}\n    ${problem}`);
        }
    }
    await client.close();
    console.log(`${count} statements, ${differences} to look at`);
} finally {
    await Promise.all([postgres.stop(), pglite.close()]);
}
