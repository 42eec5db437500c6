/** psql's backslash commands, as psql 15 sends them, get true answers from the twin and show nothing that is ours. */
import {readFileSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {TestDatabase, sessionOf} from '../test-database.ts';
import {withPresentNames} from './compatibility.ts';

interface Fixture {
    readonly queries: readonly {readonly command: string; readonly query: string}[];
}

const fixture = JSON.parse(
    readFileSync(new URL('./fixtures/psql-15-queries.json', import.meta.url), 'utf8'),
) as Fixture;

let database: TestDatabase;
const session = sessionOf('tidewire', {search_path: 'app, public'});

beforeAll(async () => {
    database = await TestDatabase.open();
    for (const sql of [
        `CREATE SCHEMA app`,
        `CREATE TABLE app.t (id bigserial PRIMARY KEY, a text NOT NULL DEFAULT 'x', b numeric(10, 2) CHECK (b > 0))
            WITH (type = 'user', flush_policy = 'rows:10')`,
        `CREATE INDEX t_a ON app.t (lower(a))`,
        `CREATE VIEW app.v AS SELECT id, a FROM app.t`,
        `CREATE TYPE mood AS ENUM ('a', 'b')`,
        `CREATE DOMAIN pos AS int CHECK (VALUE > 0)`,
        `CREATE SEQUENCE s`,
        `CREATE ROLE alice LOGIN PASSWORD 'x' IN ROLE pg_monitor`,
    ]) {
        await database.ddl(sql);
    }
});

afterAll(async () => {
    await database.close();
});

async function run(query: string, relation: string | undefined): Promise<(string | null)[][]> {
    let text = withPresentNames(query);
    if (relation !== undefined) {
        const [row] = await database.rows(`SELECT '${relation}'::regclass::oid`, session);
        text = text.replaceAll(':oid', row?.[0] ?? '');
    }
    return database.rows(text, session);
}

async function answers(command: string): Promise<(string | null)[][][]> {
    const relation = /^\\(?:d\+?|sv) (\S+)$/u.exec(command)?.[1];
    const results: (string | null)[][][] = [];
    for (const {command: candidate, query} of fixture.queries) {
        if (candidate === command) results.push(await run(query, relation));
    }
    return results;
}

describe('psql 15', () => {
    it.each([...new Set(fixture.queries.map(({command}) => command))])('%s is answered', async (command) => {
        const results = await answers(command);
        expect(results.length).toBeGreaterThan(0);
        expect(JSON.stringify(results)).not.toMatch(/tidewire_|tidewire\./u);
    });

    it('lists what there is and nothing else', async () => {
        const names = async (command: string, column: number): Promise<(string | null | undefined)[]> =>
            (await answers(command))[0]?.map((row) => row[column]) ?? [];
        expect(await names('\\d', 1)).toEqual(['t', 't_id_seq', 'v', 's']);
        expect(await names('\\dt', 1)).toEqual(['t']);
        expect(await names('\\dn', 0)).toEqual(['app', 'public', 'system']);
        expect(await names('\\di', 1)).toEqual(['t_a', 't_pkey']);
        expect(await names('\\dv', 1)).toEqual(['v']);
        expect(await names('\\ds', 1)).toEqual(['t_id_seq', 's']);
        expect(await names('\\dT', 1)).toEqual(['mood', 'pos']);
        expect(await names('\\du', 0)).toEqual(['alice', 'tidewire']);
        expect(await names('\\db', 0)).toEqual(['local', 'pg_default', 'pg_global']);
        expect(await names('\\df', 1)).toEqual([]);
        expect(await names('\\l', 0)).toEqual(['template0', 'template1', 'tide']);
    });

    it('is shown our options by \\d+', async () => {
        expect(JSON.stringify(await answers('\\d+ app.t'))).toContain('type=user, flush_policy=rows:10');
    });
});

describe('information_schema', () => {
    it('shows only what users made, and system', async () => {
        const rows = await database.rows(
            `SELECT DISTINCT table_schema FROM information_schema.tables
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
        );
        expect(rows.flat()).toEqual(['app', 'system']);
        const ours = await database.rows(
            `SELECT table_name FROM information_schema.tables WHERE table_name ~ 'tidewire'`,
        );
        expect(ours).toEqual([]);
    });
});
