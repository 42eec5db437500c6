/**
 * Removes rows and index entries of ids that the catalog does not have (any more): after DROP, TRUNCATE and rewrites,
 * after DDL that was rolled back, and at start, when a crash has come between.
 *
 * What must stay true: only ids that no committed or tentative descriptor has are given to it, and none is given again;
 * no reader that began before can still build something from them.
 */
import type {CatalogView} from '../../../catalog/catalog.ts';
import {indexRange, type KeyRange, parseOwnedKey, SPACE, tableRange} from '../../../storage/hot/keys.ts';
import type {Database} from '../../database.ts';

export interface Ranges {
    readonly tables: Iterable<number>;
    readonly indexes: Iterable<number>;
}

export class RangeCollector {
    readonly #database: Database;
    #work: Promise<void> = Promise.resolve();
    #closed = false;

    constructor(database: Database) {
        this.#database = database;
    }

    /** In the background. What is left when the server stops is found at the next start. */
    collect(ranges: Ranges): void {
        const list = [...[...ranges.tables].map(tableRange), ...[...ranges.indexes].map(indexRange)];
        if (list.length === 0) return;
        this.#then(() => this.#delete(list));
    }

    /** Looks for ids below `firstFree` that the catalog does not have. */
    collectUnknown(catalog: CatalogView, firstFree: number): void {
        const tables = new Set<number>();
        const indexes = new Set<number>();
        for (const table of catalog.tables()) {
            tables.add(table.tableId);
            for (const index of table.indexes) indexes.add(index.indexId);
        }
        this.#then(async () => {
            const unknown = [
                ...(await this.#unknownIds(SPACE.row, tables, firstFree)).map(tableRange),
                ...(await this.#unknownIds(SPACE.index, indexes, firstFree)).map(indexRange),
            ];
            await this.#delete(unknown);
        });
    }

    async close(): Promise<void> {
        this.#closed = true;
        await this.#work;
    }

    #then(work: () => Promise<void>): void {
        this.#work = this.#work
            .then(async () => {
                if (!this.#closed) await work();
            })
            .catch((error: unknown) => this.#database.logger.warn(error, 'removing rows of tables that are gone'));
    }

    async #delete(ranges: readonly KeyRange[]): Promise<void> {
        if (ranges.length === 0) return;
        // A reader that has taken its snapshot may still be building a mirror from these rows: it ends first.
        await this.#database.startedVector?.exclusively(() => Promise.resolve());
        for (const range of ranges) {
            if (this.#closed) return;
            await this.#database.hot.deleteRange(range.gte, range.lt);
        }
    }

    /** Goes from id to id by seeking: as many steps as there are ids. */
    async #unknownIds(space: number, known: ReadonlySet<number>, firstFree: number): Promise<number[]> {
        const unknown: number[] = [];
        const end = Buffer.from([space + 1]);
        let from = Buffer.from([space]);
        for (;;) {
            const first = await this.#firstKey({gte: from, lt: end});
            if (first === undefined) return unknown;
            const {id} = parseOwnedKey(first);
            if (id < firstFree && !known.has(id)) unknown.push(id);
            from = Buffer.from((space === SPACE.row ? tableRange(id) : indexRange(id)).lt);
        }
    }

    async #firstKey(range: KeyRange): Promise<Buffer | undefined> {
        for await (const page of this.#database.hot.pages({...range, limit: 1}, 1)) return page[0]?.[0];
        return undefined;
    }
}
