/**
 * The short-lived process that runs initdb and the bootstrap SQL in a new directory (see prepare.ts).
 *
 * What must stay true: it reads one JSON object from stdin, exits 0 only when the directory is complete, and leaves
 * nothing running.
 */
import {text} from 'node:stream/consumers';
import {PGlite} from '@electric-sql/pglite';
import {INITIAL_DATABASE, startParameters} from './backend-options.ts';

const {directory, sql} = JSON.parse(await text(process.stdin)) as {directory: string; sql: string};
try {
    const postgres = await PGlite.create(directory, {database: INITIAL_DATABASE, startParams: startParameters(true)});
    await postgres.exec(sql);
    await postgres.exec('CHECKPOINT');
    await postgres.close();
    process.exit(0);
} catch (error) {
    // The error's own report would carry the whole SQL text.
    process.stderr.write(error instanceof Error ? error.message : String(error));
    process.exit(1);
}
