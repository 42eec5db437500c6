/**
 * The cursors of one session that SQL declared: forward only, without HOLD, so they die with their transaction.
 *
 * What must stay true: a closed cursor has closed its rows; at most `CURSORS_MAX` are open.
 */
import {PgError} from '../../catalog/errors.ts';
import type {Plan, RowSource} from '../exec/plan.ts';

const CURSORS_MAX = 10_000;

export class Cursor {
    readonly name: string;
    readonly plan: Plan;
    readonly rows: RowSource;
    /** Rows that have gone by. */
    position = 0;
    done = false;

    constructor(name: string, plan: Plan, rows: RowSource) {
        this.name = name;
        this.plan = plan;
        this.rows = rows;
    }
}

export class SessionCursors {
    readonly #cursors = new Map<string, Cursor>();

    /** @throws PgError 42P03 when there is one of that name. */
    assertFree(name: string): void {
        if (this.#cursors.has(name)) throw new PgError('42P03', `cursor "${name}" already exists`);
        if (this.#cursors.size >= CURSORS_MAX) throw new PgError('54000', 'too many open cursors');
    }

    add(cursor: Cursor): void {
        this.assertFree(cursor.name);
        this.#cursors.set(cursor.name, cursor);
    }

    /** @throws PgError 34000. */
    require(name: string): Cursor {
        const cursor = this.#cursors.get(name);
        if (cursor === undefined) throw new PgError('34000', `cursor "${name}" does not exist`);
        return cursor;
    }

    async close(name: string): Promise<void> {
        const cursor = this.require(name);
        this.#cursors.delete(name);
        await cursor.rows.close();
    }

    get size(): number {
        return this.#cursors.size;
    }

    /** Every cursor; failures to close one go to `failed`. */
    closeAll(failed: (error: unknown) => void): void {
        for (const {rows} of this.#cursors.values()) {
            const closed = rows.close();
            if (closed instanceof Promise) closed.catch(failed);
        }
        this.#cursors.clear();
    }
}
