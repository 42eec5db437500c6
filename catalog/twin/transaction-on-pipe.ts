/**
 * A `TwinTransaction` over the worker's pipe. The statements that open it travel with the first real message, so a
 * task costs one round trip plus its end.
 *
 * What must stay true: errors leave the extended protocol at Sync; the backend is asked nothing after `end`.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../errors.ts';
import {FIRST_SUPERUSER} from '../roles.ts';
import {quoteIdentifier} from '../quoting.ts';
import {type TwinAnswer, readAnswers, textsOfRow} from './backend-messages.ts';
import {APPLIED_MARKER} from './bootstrap.ts';
import {FrontendBatch} from './frontend-messages.ts';
import {OidTranslation} from './pending-replay.ts';
import type {SessionContext} from './session-context.ts';
import type {TwinDescription, TwinRequest, TwinResult, TwinTransaction} from './twin-transaction.ts';
import type {WorkerPipe} from './worker-pipe.ts';

/** COPY data sent to the worker in one message. */
const COPY_BYTES_MAX = 4 * 1024 * 1024;

export class TransactionOnPipe implements TwinTransaction {
    readonly #pipe: WorkerPipe;
    readonly #context: SessionContext;
    readonly #emptied = new Set<string>();
    #opening: FrontendBatch | undefined;
    #openingQueries: number;
    #ended = false;
    #translation = OidTranslation.none;

    /** `opening` ends with BEGIN; it holds `openingQueries` Query messages. */
    constructor(pipe: WorkerPipe, context: SessionContext, opening: FrontendBatch, openingQueries: number) {
        this.#pipe = pipe;
        this.#context = context;
        this.#opening = opening;
        this.#openingQueries = openingQueries;
    }

    /** Oids in answers and parameter types are translated from here on. */
    translate(translation: OidTranslation): void {
        this.#translation = translation;
    }

    sessionOid(oid: number): number {
        return this.#translation.sessionOid(oid);
    }

    async describe(sql: string, parameterTypes: readonly number[]): Promise<TwinDescription> {
        const batch = this.#batch().parse('', sql, this.#translation.parametersIn(parameterTypes));
        const answer = await this.#exchange(batch.describe('S').sync());
        if (answer.error !== null) throw answer.error;
        return {
            parameterTypes: this.#translation.parametersOut(answer.parameterTypes ?? []),
            fields: this.#translation.fieldsOut(answer.fields),
        };
    }

    async execute(request: TwinRequest): Promise<TwinResult> {
        const batch = this.#batch().parse(
            '',
            request.sql,
            this.#translation.parametersIn(request.parameterTypes ?? []),
        );
        batch
            .bind(request.parameters ?? [], request.resultFormats ?? [])
            .describe('P')
            .execute()
            .sync();
        const answer = await this.#exchange(batch);
        if (answer.error !== null) throw answer.error;
        const result = answer.results[0];
        assert(result !== undefined, 'Execute is answered');
        return this.#translation.resultOut(result);
    }

    async simple(sql: string): Promise<TwinResult[]> {
        const answer = await this.#exchange(this.#batch().query(sql));
        if (answer.error !== null) throw answer.error;
        return answer.results.map((result) => this.#translation.resultOut(result));
    }

    async copyIn(
        table: string,
        columns: readonly string[],
        chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    ): Promise<number> {
        // The server loads its own rows, so it does so with its own rights. TRUNCATE gives the table a new file, which
        // the ROLLBACK removes: a twin that never commits rows never grows.
        const own = `SET LOCAL ROLE NONE; SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(FIRST_SUPERUSER)}`;
        const truncate = this.#emptied.has(table) ? '' : `; TRUNCATE ONLY ${table}`;
        this.#emptied.add(table);
        const [prepared] = [await this.#exchange(this.#batch().query(own + truncate))];
        if (prepared.error !== null) throw prepared.error;
        const copy = `COPY ${table} (${columns.join(', ')}) FROM STDIN`;
        let rowCount = 0;
        let batch = this.#batch().query(copy);
        for await (const chunk of chunks) {
            batch.copyData(chunk);
            if (batch.byteLength < COPY_BYTES_MAX) continue;
            rowCount += await this.#endCopy(batch);
            batch = this.#batch().query(copy);
        }
        rowCount += await this.#endCopy(batch);
        const {sessionUser, user} = this.#context;
        await this.simple(
            `SET LOCAL SESSION AUTHORIZATION ${quoteIdentifier(sessionUser)}` +
                (user === sessionUser ? '' : `; SET LOCAL ROLE ${quoteIdentifier(user)}`),
        );
        return rowCount;
    }

    /** Sequence number of the last DDL that this twin has. */
    async appliedSeq(): Promise<number> {
        const [result] = await this.simple(
            `SELECT coalesce((SELECT description FROM pg_catalog.pg_description WHERE ${APPLIED_MARKER}), '-1')`,
        );
        const row = result?.rows[0];
        return row === undefined ? -1 : Number(textsOfRow(row)[0]);
    }

    /** Ends the transaction. A COMMIT of a failed transaction is an error. */
    async end(how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
        if (this.#ended) return;
        if (this.#opening !== undefined && how === 'ROLLBACK') {
            // Nothing was sent, but the settings before BEGIN count as applied: send them.
            await this.#exchange(this.#batch().query('ROLLBACK'));
            this.#ended = true;
            return;
        }
        const answer = await this.#exchange(this.#batch().query(how));
        this.#ended = true;
        if (answer.error !== null) throw answer.error;
        if (how === 'COMMIT' && answer.results[0]?.tag !== 'COMMIT') {
            throw new PgError(
                '25P02',
                'current transaction is aborted, commands ignored until end of transaction block',
            );
        }
    }

    async #endCopy(batch: FrontendBatch): Promise<number> {
        const answer = await this.#exchange(batch.copyDone());
        if (answer.error !== null) throw answer.error;
        return Number(answer.results[0]?.tag.split(' ')[1] ?? 0);
    }

    #batch(): FrontendBatch {
        assert(!this.#ended, 'the transaction is open');
        const opening = this.#opening ?? new FrontendBatch();
        return opening;
    }

    async #exchange(batch: FrontendBatch): Promise<TwinAnswer> {
        const skipped = this.#opening === undefined ? 0 : this.#openingQueries;
        this.#opening = undefined;
        const raw = await this.#pipe.send(batch.take());
        const answers = readAnswers(raw.bytes);
        const answer = answers[skipped];
        if (answer === undefined || raw.overflow) {
            throw new PgError('54000', 'the answer of the catalog is too large', {
                hint: 'Ask for fewer rows or columns.',
            });
        }
        return answer;
    }
}
