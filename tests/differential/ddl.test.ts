/**
 * DDL over rows: every statement of the scenarios is answered as PostgreSQL answers it, while rows are hot, while they
 * are flushed at every pause, and while the server is restarted, killed, or loses its twin at every pause.
 */
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {loadModule} from 'libpg-query';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {PgliteOracle} from '../support/pglite.ts';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {Outcome} from '../support/outcome.ts';
import {SCENARIOS, type Scenario} from './ddl/scenarios.ts';
import {compareStatement} from './run-statement.ts';

/** More of it: `TIDEWIRE_DDL_PAUSES=100`. */
const PAUSES_MAX = Number(process.env['TIDEWIRE_DDL_PAUSES'] ?? 2);

let pglite: PgliteOracle;
let server: TidewireServer;
const expected = new Map<Scenario, readonly Outcome[]>();

beforeAll(async () => {
    await loadModule();
    [server, pglite] = await Promise.all([startTidewire(), PgliteOracle.start()]);
}, 120_000);

afterAll(async () => {
    await server?.remove();
    await pglite?.close();
});

interface Pause {
    readonly name: string;
    readonly run: () => Promise<void>;
    readonly isCrash: boolean;
    /** Only so many pauses of a scenario: making a twin anew takes seconds. */
    readonly timesMax: number;
}

/** What happens at a pause. Connections do not outlive a restart. */
const PAUSES: readonly Pause[] = [
    {name: 'nothing', run: async () => {}, isCrash: false, timesMax: 0},
    {name: 'flush', run: flushAll, isCrash: false, timesMax: Infinity},
    {name: 'restart of the server', run: () => server.restart(), isCrash: false, timesMax: PAUSES_MAX},
    {
        name: 'flush and kill',
        run: async () => {
            await flushAll();
            await server.kill9();
            await server.start();
        },
        isCrash: true,
        timesMax: PAUSES_MAX,
    },
    {
        name: 'kill and loss of the twin',
        run: async () => {
            await server.kill9();
            await rm(join(server.dataDirectory, 'twin'), {recursive: true, force: true});
            await server.start();
        },
        isCrash: true,
        timesMax: Math.ceil(PAUSES_MAX / 2),
    },
];

describe.each(PAUSES)('pauses: $name', ({run, isCrash, timesMax}) => {
    const scenarios = SCENARIOS.filter(({drawsNumbers}) => !isCrash || !drawsNumbers);
    test.each(scenarios)(
        '$name',
        async (scenario) => {
            let paused = 0;
            const answers = await expectedAnswers(scenario);
            let client = await server.connect({timezone: 'UTC'});
            const differences: string[] = [];
            for (const [index, sql] of scenario.statements.entries()) {
                if (sql === '-- pause') {
                    if (++paused > timesMax) continue;
                    await client.close();
                    await run();
                    client = await server.connect({timezone: 'UTC'});
                    continue;
                }
                const answer = answers[index];
                if (answer === undefined) throw new Error('one answer for each statement');
                const difference = compareStatement(sql, await client.run(sql), answer);
                if (difference !== undefined) differences.push(`${sql}\n    ${difference}`);
            }
            await client.close();
            expect(differences).toEqual([]);
        },
        240_000,
    );
});

async function flushAll(): Promise<void> {
    const client = await server.connect();
    const tables = await client.rows(
        `select format('%I.%I', schemaname, tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema', 'system')`,
    );
    for (const [name] of tables) await client.execute(`call system.flush('${(name ?? '').replaceAll("'", "''")}')`);
    await client.close();
}

async function expectedAnswers(scenario: Scenario): Promise<readonly Outcome[]> {
    const known = expected.get(scenario);
    if (known !== undefined) return known;
    const answers: Outcome[] = [];
    for (const sql of scenario.statements) {
        answers.push(sql === '-- pause' ? NOTHING : await pglite.run(sql));
        // Settings of a session end with it.
        if (sql === '-- pause') await pglite.execute('reset search_path');
    }
    expected.set(scenario, answers);
    return answers;
}

const NOTHING: Outcome = {columns: undefined, rows: [], tag: undefined, sqlstate: undefined, message: undefined};
