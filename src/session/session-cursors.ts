/**
 * The cursors of one session that SQL declared.
 *
 * What must stay true: a closed cursor has closed its rows; at most `CURSORS_MAX` are open. A cursor dies with its
 * transaction, or with the rolled back savepoint it was declared after, unless it was declared WITH HOLD and its
 * transaction has committed.
 */
import {PgError} from '../../catalog/errors.ts';
import type {Cursor} from './cursor.ts';

const CURSORS_MAX = 10_000;

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

    find(name: string): Cursor | undefined {
        return this.#cursors.get(name);
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
        await cursor.close();
    }

    get size(): number {
        return this.#cursors.size;
    }

    list(): Iterable<Cursor> {
        return this.#cursors.values();
    }

    /** A transaction is about to commit: a promise while rows of WITH HOLD cursors are read. */
    hold(): Promise<void> | undefined {
        if (this.#cursors.size === 0) return undefined;
        const toHold = [...this.#cursors.values()].filter((cursor) => cursor.withHold && !cursor.held);
        return toHold.length === 0 ? undefined : holdAll(toHold);
    }

    /** Every cursor of the transaction in progress; with `after` only those declared after that point of it. */
    closeOfTransaction(failed: (error: unknown) => void, after = 0): void {
        for (const [name, cursor] of this.#cursors) {
            if (cursor.held || cursor.serial <= after) continue;
            this.#cursors.delete(name);
            cursor.close().catch(failed);
        }
    }

    /** Every cursor; failures to close one go to `failed`. */
    closeAll(failed: (error: unknown) => void): void {
        for (const cursor of this.#cursors.values()) cursor.close().catch(failed);
        this.#cursors.clear();
    }
}

async function holdAll(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) await cursor.hold();
}
