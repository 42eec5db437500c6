/** Runs pgbench, PostgreSQL's own load generator, so that the clients are the same C program on both sides. */
import {runToEnd} from '../tests/support/child.ts';
import {requirePostgresProgram} from '../tests/support/debian-programs.ts';
import type {Target} from './target.ts';

export interface PgbenchLoad {
    readonly clients: number;
    readonly protocol: 'simple' | 'prepared';
    readonly seconds: number;
    /** A built-in script, or the path of one. */
    readonly script: {readonly builtin: string} | {readonly file: string};
}

export async function initialisePgbench(target: Target, scale: number): Promise<void> {
    // The steps one by one: drop and create tables, data, primary keys. VACUUM is left to the server.
    await pgbench(target, ['-i', '-I', 'dtgp', '-s', String(scale), '-q']);
}

/** Transactions per second, connection time excluded. */
export async function transactionsPerSecond(target: Target, load: PgbenchLoad): Promise<number> {
    const script = 'builtin' in load.script ? ['-b', load.script.builtin] : ['-f', load.script.file];
    const threads = String(Math.min(load.clients, 2));
    const args = ['-n', '-c', String(load.clients), '-j', threads, '-T', String(load.seconds), '-M', load.protocol];
    const output = await pgbench(target, [...args, ...script]);
    const tps = /tps = ([\d.]+)/.exec(output)?.[1];
    if (tps === undefined) throw new Error(`pgbench gave no tps:\n${output}`);
    const failed = /number of failed transactions: ([1-9]\d*)/.exec(output)?.[1];
    if (failed !== undefined) throw new Error(`pgbench: ${failed} transactions failed`);
    return Number(tps);
}

async function pgbench(target: Target, args: readonly string[]): Promise<string> {
    const connection = ['-h', '127.0.0.1', '-p', String(target.port), '-U', target.user];
    const {stdout, stderr} = await runToEnd(requirePostgresProgram('pgbench'), [
        ...args,
        ...connection,
        target.database,
    ]);
    // pgbench goes on with the other clients when one is aborted, and its exit code does not always tell.
    if (/aborted|fatal:/i.test(stderr)) throw new Error(`pgbench: ${stderr.slice(-2000)}`);
    return stdout;
}
