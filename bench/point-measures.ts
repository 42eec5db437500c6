/** Short statements by many clients: pgbench's select-only, and single-row inserts that each wait for the disk. */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {initialisePgbench, transactionsPerSecond} from './pgbench.ts';
import type {BenchOptions, Measure} from './measure.ts';
import type {Target} from './target.ts';

const INSERT_SCRIPT = `\\set value random(1, 1000000000)
insert into bench_insert (client, value, note) values (:client_id, :value, 'a short note');
`;

/** pgbench -i takes seconds: it is done once per server, whichever measure comes first. */
const initialised = new WeakSet<Target>();

export const POINT_MEASURES: readonly Measure[] = [
    ...[1, 8].flatMap((clients) => [selectOnly('simple', clients), selectOnly('prepared', clients)]),
    ...[1, 8, 32].map((clients) => singleRowInserts(clients)),
];

function selectOnly(protocol: 'simple' | 'prepared', clients: number): Measure {
    return {
        name: `select-${protocol}-${clients}`,
        unit: 'tps',
        better: 'higher',
        prepare: async (target, {scale}) => {
            if (initialised.has(target)) return;
            await initialisePgbench(target, scale);
            initialised.add(target);
        },
        run: (target, {seconds}) =>
            transactionsPerSecond(target, {clients, protocol, seconds, script: {builtin: 'select-only'}}),
    };
}

function singleRowInserts(clients: number): Measure {
    const scriptPath = ({directory}: BenchOptions): string => join(directory, 'insert.sql');
    return {
        name: `insert-${clients}`,
        unit: 'tps',
        better: 'higher',
        prepare: async (target, options) => {
            writeFileSync(scriptPath(options), INSERT_SCRIPT);
            const client = await target.connect();
            await client.execute(`drop table if exists bench_insert;
                create table bench_insert (id bigserial primary key, client integer, value integer, note text)`);
            await client.close();
        },
        run: (target, options) =>
            transactionsPerSecond(target, {
                clients,
                protocol: 'prepared',
                seconds: options.seconds,
                script: {file: scriptPath(options)},
            }),
    };
}
