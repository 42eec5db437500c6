/**
 * Which segments a compaction writes anew, and which of them become one.
 */
import type {SegmentMeta} from '../../storage/segments/manifest.ts';

/** A segment with fewer live rows is small: two of them become one. */
const SMALL_ROWS = 100_000;
/** Live rows of one group: bounds the memory and the commit record of one step. */
const GROUP_ROWS_MAX = 500_000;

export function compactionGroups(
    segments: readonly SegmentMeta[],
    deadCount: (segmentId: number) => number,
): SegmentMeta[][] {
    const groups: SegmentMeta[][] = [];
    let group: SegmentMeta[] = [];
    let groupRows = 0;
    const end = (): void => {
        const [only] = group;
        // A clean segment alone would be written as it is.
        if (group.length > 1 || (only !== undefined && deadCount(only.segmentId) > 0)) groups.push(group);
        group = [];
        groupRows = 0;
    };
    for (const segment of segments) {
        const dead = deadCount(segment.segmentId);
        const live = segment.rows - dead;
        if (dead === 0 && live >= SMALL_ROWS) continue;
        if (group.length > 0 && groupRows + live > GROUP_ROWS_MAX) end();
        group.push(segment);
        groupRows += live;
    }
    end();
    return groups;
}
