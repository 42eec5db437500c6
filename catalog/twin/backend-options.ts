/**
 * How the twin's PostgreSQL is started: the arguments of a single-user backend that uses little memory, never syncs
 * (the twin can be rebuilt) and has no helpers to start.
 *
 * What must stay true: `-O` (allow_system_table_mods) is on only while the directory is made. Afterwards the server
 * writes our options and storages as rows of system catalogs, which a superuser may; DDL on them is refused.
 */

/** The name of the twin's database while it is being made. It is renamed to the configured one. */
export const INITIAL_DATABASE = 'postgres';

const SETTINGS: Readonly<Record<string, string>> = {
    search_path: '"$user", public',
    exit_on_error: 'false',
    log_checkpoints: 'false',
    max_worker_processes: '0',
    max_parallel_workers: '0',
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    io_method: 'sync',
    shared_buffers: '8MB',
    wal_buffers: '256kB',
    max_connections: '4',
    max_wal_senders: '0',
    max_wal_size: '32MB',
    min_wal_size: '32MB',
    wal_level: 'minimal',
    autovacuum: 'off',
    jit: 'off',
    temp_buffers: '1MB',
};

/** `bootstrap`: DDL on system catalogs is allowed. */
export function startParameters(bootstrap: boolean): string[] {
    const parameters = ['--single', '-F', '-j'];
    if (bootstrap) parameters.push('-O');
    for (const [name, value] of Object.entries(SETTINGS)) parameters.push('-c', `${name}=${value}`);
    return parameters;
}
