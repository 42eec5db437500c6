/**
 * A server under measurement. Both sides run with their default settings and with fsync on, in fresh directories on the
 * same disk, so that what is compared is the same promise.
 */
import {startPostgres} from '../tests/support/postgres.ts';
import {startTidewire} from '../tests/support/tidewire.ts';
import type {WireClient} from '../tests/support/wire-client.ts';

export type TargetKind = 'postgres' | 'tidewire';

export interface Target {
    readonly kind: TargetKind;
    readonly port: number;
    readonly pid: number;
    readonly user: string;
    readonly database: string;
    connect(): Promise<WireClient>;
    stop(): Promise<void>;
}

export async function startTarget(kind: TargetKind): Promise<Target> {
    if (kind === 'postgres') {
        const server = await startPostgres({fsync: true});
        return {...server, kind};
    }
    const server = await startTidewire({settings: {log_level: 'warn'}});
    return {
        kind,
        port: server.port,
        pid: server.pid,
        user: server.user,
        database: server.database,
        connect: () => server.connect(),
        stop: async () => {
            await server.stop();
            await server.remove();
        },
    };
}
