/**
 * Where PostgreSQL's own programs are. Debian keeps server programs out of PATH, by major version; the newest is taken.
 * A missing package fails with what to install, not with ENOENT.
 */
import {existsSync, readdirSync} from 'node:fs';
import {delimiter, join} from 'node:path';

const DEBIAN_ROOT = '/usr/lib/postgresql';

export type PostgresProgram = 'initdb' | 'postgres' | 'psql' | 'pgbench' | 'pg_dump';

/** The path of a program, or undefined when it is not installed. */
export function findPostgresProgram(program: PostgresProgram): string | undefined {
    const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : [];
    const directories = versions
        .filter((version) => /^\d+$/.test(version))
        .sort((left, right) => Number(right) - Number(left))
        .map((version) => join(DEBIAN_ROOT, version, 'bin'));
    directories.push(...(process.env['PATH'] ?? '').split(delimiter));
    return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

export function requirePostgresProgram(program: PostgresProgram): string {
    const path = findPostgresProgram(program);
    if (path === undefined) {
        throw new Error(`${program} is not installed; on Debian or Ubuntu run: apt-get install postgresql`);
    }
    return path;
}
