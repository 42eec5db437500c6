/**
 * COPY of every type: what Tidewire writes is what PostgreSQL writes, byte for byte, and what PostgreSQL wrote is read
 * back as the rows it was, from hot rows and from cold ones.
 */
import {PGlite} from '@electric-sql/pglite';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {startTidewire} from '../support/tidewire.ts';
import type {TidewireServer} from '../support/tidewire.ts';
import type {WireClient} from '../support/wire-client.ts';
import {EDGE_ROWS, EDGE_TABLES} from './fixture.ts';

const FORMATS: readonly string[] = [
    '',
    '(format csv)',
    '(format csv, header)',
    "(format csv, null 'NIL', delimiter ';', quote '''', escape '\\')",
    '(format csv, force_quote *)',
    "(null 'NUL', delimiter '|')",
    '(format binary)',
];
/** Options that only writing has. */
const READ_AS: ReadonlyMap<string, string> = new Map([['(format csv, force_quote *)', '(format csv)']]);
const TABLES: readonly string[] = ['edge', 'people', 'orders', 'pairs', 'nothing', 'docs'];

let server: TidewireServer;
let client: WireClient;
let pglite: PGlite;

beforeAll(async () => {
    [server, pglite] = await Promise.all([startTidewire(), PGlite.create()]);
    client = await server.connect({timezone: 'UTC'});
    await pglite.exec("set timezone = 'UTC'");
    for (const sql of [...EDGE_TABLES, ...EDGE_ROWS]) {
        await client.execute(sql);
        await pglite.exec(sql);
    }
    for (const table of TABLES) {
        const copy = `create table ${table}_read (like ${table})`;
        await client.execute(copy);
        await pglite.exec(copy);
    }
}, 120_000);

afterAll(async () => {
    await server?.remove();
    await pglite?.close();
});

describe.each(['hot', 'cold'])('rows %s', (tier) => {
    beforeAll(async () => {
        if (tier === 'cold') for (const table of TABLES) await client.execute(`call system.flush('${table}')`);
    }, 60_000);

    describe.each(TABLES)('table %s', (table) => {
        const query = `(select * from ${table} order by ${table === 'pairs' ? 'a, b' : 'id'})`;

        test.each(FORMATS)('copied out and in with %s', async (format) => {
            const written = await client.copyOut(`copy ${query} to stdout ${format}`);
            const expected = await pglite.query(`copy ${query} to '/dev/blob' ${format}`);
            const bytes = Buffer.from((await expected.blob?.arrayBuffer()) ?? new ArrayBuffer(0));
            if (format.includes('binary')) expect(written.toString('hex')).toBe(bytes.toString('hex'));
            else expect(written.toString()).toBe(bytes.toString());

            await client.execute(`truncate ${table}_read`);
            const {tag, message} = await client.copyIn(
                `copy ${table}_read from stdin ${READ_AS.get(format) ?? format}`,
                cut(bytes),
            );
            expect(message).toBeUndefined();
            expect(tag).toMatch(/^COPY \d+$/);
            // JSON has no equality: rows are compared as the text of COPY.
            const back = await client.copyOut(`copy ${query.replace(`from ${table}`, `from ${table}_read`)} to stdout`);
            expect(back.toString()).toBe((await client.copyOut(`copy ${query} to stdout`)).toString());
        });
    });
});

/** Cut where it hurts: in the middle of characters and of escapes. */
function cut(bytes: Buffer): Buffer[] {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 7) chunks.push(bytes.subarray(at, at + 7));
    return chunks;
}
