/**
 * Removes what no manifest names: objects that a crash left between put and commit, objects and dead marks of compacted
 * or dropped segments, manifests of tables that are gone.
 *
 * What must stay true: an object is deleted only when no visible manifest names it, no relocation is writing it, and
 * every snapshot that could name it is closed. What is not deleted now is found at the next start.
 */
import type {CatalogView} from '../../catalog/catalog.ts';
import type {HotStore} from '../../storage/hot/hot-store.ts';
import {
    deletionRange,
    MANIFEST_RANGE,
    manifestKey,
    parseDeletionKey,
    parseIdKey,
    SPACE,
} from '../../storage/hot/keys.ts';
import type {ObjectStore} from '../../storage/objects/object-store.ts';
import type {VectorExecutor} from '../exec/vector/executor.ts';
import type {Committer} from '../txn/committer.ts';
import {Transaction} from '../txn/transaction.ts';
import {parseSegmentObjectName} from './object-name.ts';
import type {TableTiers} from './table-tiers.ts';

export interface CleanupServices {
    readonly catalog: CatalogView;
    readonly committer: Committer;
    readonly hot: HotStore;
    readonly objects: ObjectStore;
    readonly startedVector: VectorExecutor | undefined;
    tiers(tableId: number): TableTiers;
}

export interface RemovedSegment {
    readonly segmentId: number;
    readonly objectName: string;
}

/** After the commit that took these segments out of their manifest, or their table out of the catalog. */
export async function removeSegments(
    services: CleanupServices,
    tiers: TableTiers,
    segments: readonly RemovedSegment[],
): Promise<void> {
    if (segments.length === 0) return;
    const {committer, hot, objects} = services;
    await services.startedVector?.snapshotsClosed();
    await committer.whenApplied(committer.visibleSeq);
    for (const {segmentId, objectName} of segments) {
        await objects.delete(objectName);
        const {gte, lt} = deletionRange(segmentId);
        await hot.deleteRange(gte, lt);
        if (tiers.segment(segmentId) === undefined) tiers.forgetSegment(segmentId);
    }
}

/** At start, while nothing is moved: everything that no table's manifest names. Returns how many objects it deleted. */
export async function collectOrphans(services: CleanupServices, signal: AbortSignal): Promise<number> {
    await forgetUnknownManifests(services);
    const named = new Set<string>();
    const segmentIds = new Set<number>();
    for (const table of services.catalog.tables()) {
        for (const segment of services.tiers(table.tableId).manifest.segments) {
            named.add(segment.objectName);
            segmentIds.add(segment.segmentId);
        }
    }
    let deleted = 0;
    let cursor: string | undefined;
    do {
        signal.throwIfAborted();
        const page = await services.objects.list('', cursor === undefined ? {} : {cursor});
        for (const {name} of page.objects) {
            // Objects of others in the same place are none of our business.
            if (named.has(name) || parseSegmentObjectName(name) === undefined) continue;
            await services.objects.delete(name);
            deleted++;
        }
        cursor = page.cursor;
    } while (cursor !== undefined);
    await forgetDeadMarks(services, segmentIds, signal);
    return deleted;
}

async function forgetUnknownManifests({catalog, committer, hot}: CleanupServices): Promise<void> {
    const transaction = new Transaction(0);
    for await (const page of hot.pages(MANIFEST_RANGE, 1000)) {
        for (const [key] of page) {
            const tableId = parseIdKey(key);
            if (catalog.tableById(tableId) === undefined) {
                transaction.operations.push({key: manifestKey(tableId), value: null});
            }
        }
    }
    if (transaction.operations.length > 0) await committer.whenVisible(committer.commit(transaction));
}

/** Goes from segment to segment by seeking. */
async function forgetDeadMarks({hot}: CleanupServices, known: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const end = Buffer.from([SPACE.deletions + 1]);
    let from = Buffer.from([SPACE.deletions]);
    for (;;) {
        signal.throwIfAborted();
        const [first] = (await hot.pages({gte: from, lt: end, limit: 1}, 1).next()).value ?? [];
        if (first === undefined) return;
        const {segmentId} = parseDeletionKey(first[0]);
        const {gte, lt} = deletionRange(segmentId);
        if (!known.has(segmentId)) await hot.deleteRange(gte, lt);
        from = Buffer.from(lt);
    }
}
